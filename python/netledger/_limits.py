"""Limits that users give, as integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netledger.errors import SpaceError
from netledger.formulas._layer import LARGEST, LOWEST


def lower_limit(value: float) -> int:
    """The greatest integer of at most a number, within 64 bits or just outside."""
    return _integer(value, math.floor)


def upper_limit(value: float) -> int:
    """The least integer of at least a number, within 64 bits or just outside."""
    return _integer(value, math.ceil)


def _integer(value: Any, rounded: Any) -> int:
    if isinstance(value, np.integer | np.floating | np.bool_):
        # Python's own rounding of numpy's integers goes through a float.
        value = value.item()
    if isinstance(value, float):
        if math.isnan(value):
            raise SpaceError("a limit is nan")
        if math.isinf(value):
            return LARGEST + 1 if value > 0 else LOWEST - 1
    exact: int = rounded(value)
    return min(max(exact, LOWEST - 1), LARGEST + 1)
