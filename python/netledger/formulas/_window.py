"""Windows that adaptive pooling lays over a dimension."""

from __future__ import annotations

from math import gcd


def adaptive_window_total(size: int, windows: int) -> int:
    """Sum of the sizes of the windows that adaptive pooling cuts a dimension into.

    Window i reaches from floor(i * size / windows) to ceil((i + 1) * size / windows), end left
    out. Neighbours share one element wherever the boundary between them is not a whole number,
    which all but gcd(size, windows) of the boundaries are not (counting the end of the
    dimension): size + windows - gcd(size, windows).
    """
    return size + windows - gcd(size, windows)
