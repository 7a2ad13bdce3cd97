"""Conventions: what ``flops`` and its companions mean to different authors."""

from __future__ import annotations

from netledger.conventions.base import Convention, convention_of, conventions

__all__ = ["Convention", "convention_of", "conventions"]
