"""``textbook``: every scalar operation counts, as the formulas of `netledger.formulas` say."""

from __future__ import annotations

from netledger._results import COLUMNS
from netledger.conventions.base import Convention

CONVENTION = Convention("textbook", {metric: metric for metric in COLUMNS})
