"""Reports of a ledger: text for a terminal, a page for a browser."""

from __future__ import annotations
