"""What is kept of many costs, in plain Python: all of them are looked at, one by one."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

#: Position of a configuration, its refusal, its totals.
Costed = tuple[int, int, Mapping[str, Any]]


def histogram(
    rows: Iterable[Costed], metric: str, edges: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], int, int, int]:
    """Counts in the bins [edges[i], edges[i + 1]), below, at or above the last edge, refused."""
    limits = edges.tolist()
    counts = [0] * (len(limits) + 1)
    refused = 0
    for _, refusal, totals in rows:
        if refusal:
            refused += 1
        else:
            counts[bisect.bisect_right(limits, totals[metric])] += 1
    return np.array(counts[1:-1], dtype=np.int64), counts[0], counts[-1], refused


def top_k(
    rows: Iterable[Costed], metric: str, k: int, largest: bool, dtype: npt.DTypeLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Positions and values of the least or greatest k."""
    sign = -1 if largest else 1
    found = sorted(
        (sign * totals[metric], position) for position, refusal, totals in rows if not refusal
    )[:k]
    positions = np.array([position for _, position in found], dtype=np.int64)
    return positions, np.array([sign * value for value, _ in found], dtype=dtype)


def pareto(
    rows: Iterable[Costed],
    metrics: Sequence[str],
    maximise: Sequence[bool],
    dtypes: Mapping[str, npt.DTypeLike],
) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]:
    """Positions and values of what nothing is better than."""
    signs = [-1 if most else 1 for most in maximise]
    first: dict[tuple[Any, ...], int] = {}
    for position, refusal, totals in rows:
        if not refusal:
            point = tuple(sign * totals[name] for sign, name in zip(signs, metrics, strict=True))
            first.setdefault(point, position)
    front: list[tuple[Any, ...]] = []
    # In this order a point can only be beaten by one before it.
    for point in sorted(first):
        if not any(all(map(_at_most, other, point)) for other in front):
            front.append(point)
    values = {
        name: np.array([sign * point[place] for point in front], dtype=dtypes[name])
        for place, (name, sign) in enumerate(zip(metrics, signs, strict=True))
    }
    return np.array([first[point] for point in front], dtype=np.int64), values


def _at_most(left: Any, right: Any) -> bool:
    return bool(left <= right)


def within(rows: Iterable[Costed], limit: int | None) -> npt.NDArray[np.int64]:
    """Positions of the first rows that are not refused."""
    accepted = (position for position, refusal, _ in rows if not refusal)
    return np.array(list(itertools.islice(accepted, limit)), dtype=np.int64)


def extremes(
    rows: Iterable[Costed], metrics: Sequence[str]
) -> dict[str, tuple[Any, int, Any, int]]:
    """Least value, its first position, greatest value, its first position."""
    found: dict[str, tuple[Any, int, Any, int]] = {}
    for position, refusal, totals in rows:
        if refusal:
            continue
        for name in metrics:
            value = totals[name]
            least, at_least, most, at_most = found.get(name, (value, position, value, position))
            if value < least:
                least, at_least = value, position
            if value > most:
                most, at_most = value, position
            found[name] = (least, at_least, most, at_most)
    return found
