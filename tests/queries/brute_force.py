"""Every configuration of a small space and its costs, by sweeps over all rows of codes."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    import netledger as nl


class Everything:
    """All accepted configurations under a law.

    Attributes:
        codes: a row for each.
        costs: int64 columns by metric.
        configs: for each the values of its active variables.
    """

    def __init__(
        self,
        space: nl.Space,
        metrics: Sequence[str],
        law: str = "architectures",
        conventions: Any = None,
    ) -> None:
        sizes = [len(variable.values) for variable in space.variables.values()]
        listed = list(itertools.product(*map(range, sizes)))
        rows = np.array(listed, dtype=np.uint8).reshape(len(listed), len(sizes))
        costs = space.sweep(rows, metrics=metrics, conventions=conventions)
        taken = costs.valid
        canonical = space.canonical(rows)
        if law == "architectures":
            taken &= (canonical == rows).all(axis=1)
        self.codes = rows[taken]
        self.costs = {metric: costs[metric][taken] for metric in metrics}
        known: dict[bytes, dict[str, Any]] = {}
        self.configs = []
        for row in canonical[taken]:
            key = row.tobytes()
            if key not in known:
                known[key] = space.decode(row)
            self.configs.append(known[key])

    def __len__(self) -> int:
        return len(self.codes)

    def where(self, holds: Callable[[dict[str, Any]], bool]) -> Everything:
        """Those of which something holds."""
        return self._chosen(np.array([holds(config) for config in self.configs], dtype=bool))

    def within(self, metric: str, low: int | None, high: int | None) -> Everything:
        """Those with a cost within limits."""
        column = self.costs[metric]
        chosen = np.ones(len(column), dtype=bool)
        if low is not None:
            chosen &= column >= low
        if high is not None:
            chosen &= column <= high
        return self._chosen(chosen)

    def _chosen(self, chosen: npt.NDArray[np.bool_]) -> Everything:
        part = object.__new__(Everything)
        part.codes = self.codes[chosen]
        part.costs = {metric: column[chosen] for metric, column in self.costs.items()}
        part.configs = list(itertools.compress(self.configs, chosen))
        return part

    def distribution(self, metric: str) -> dict[int, int]:
        """How many have each value."""
        return dict(sorted(Counter(self.costs[metric].tolist()).items()))

    def marginals(self, space: nl.Space) -> dict[str, Counter[Any]]:
        """How often each value of each variable occurs, None where it is inactive."""
        return {
            name: Counter(config.get(name) for config in self.configs) for name in space.variables
        }

    def front(
        self, one: str, other: str, most_one: bool, most_other: bool
    ) -> list[tuple[int, int]]:
        """Every pair of costs that no other beats."""
        points = set(zip(self.costs[one].tolist(), self.costs[other].tolist(), strict=True))

        def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
            first = a[0] >= b[0] if most_one else a[0] <= b[0]
            second = a[1] >= b[1] if most_other else a[1] <= b[1]
            return a != b and first and second

        return sorted(p for p in points if not any(beats(other, p) for other in points))

    def rows(self) -> set[bytes]:
        """The codes, to look rows up."""
        return {row.tobytes() for row in self.codes}
