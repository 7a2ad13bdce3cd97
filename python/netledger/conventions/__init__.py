"""Conventions: what ``flops`` and its companions mean to different authors."""

from __future__ import annotations

from netledger.conventions.base import (
    NOTHING,
    Convention,
    Rules,
    Term,
    convention_of,
    conventions,
)

__all__ = ["NOTHING", "Convention", "Rules", "Term", "convention_of", "conventions"]
