"""Questions about a whole space, answered in plain Python: every row of codes is looked at."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netledger._pure.candidates import PURPOSES, below, key_of
from netledger.errors import SpaceError
from netledger.formulas._layer import LARGEST, LOWEST

if TYPE_CHECKING:
    from netledger._pure.plan import Plan

#: A space of more rows of codes is not looked at.
MOST_ROWS = 2**20

#: The purpose of the random numbers that `Query.sample` draws.
SAMPLE = 5

Progress = Callable[[int], None]
#: A variable, the codes that it may have where it is active, whether it may be inactive.
Restriction = tuple[int, Sequence[int], bool]
#: Variables, ascending, and a flag for every combination of their codes, the last one fastest.
Constraint = tuple[Sequence[int], bytes]


class Configuration(NamedTuple):
    """A row of codes that is accepted.

    Attributes:
        row: the codes; under "genes" those of inactive variables are any.
        canonical: the codes with 0 for inactive variables.
        active: whether each variable is active.
        costs: its value of every metric that is asked about.
    """

    row: tuple[int, ...]
    canonical: tuple[int, ...]
    active: tuple[bool, ...]
    costs: tuple[int, ...]


class Query:
    """A question about all configurations of a plan."""

    def __init__(
        self,
        plan: Plan,
        metrics: Sequence[str],
        law: str,
        restrictions: Iterable[Restriction] = (),
        constraints: Iterable[Constraint] = (),
        memory: int = 2**31,
    ) -> None:
        """Ask about at most two metrics; see `Plan.query`."""
        if law not in PURPOSES:
            raise SpaceError(f"law is 'genes' or 'architectures', got '{law}'")
        self._plan = plan
        self._sizes = plan.sizes
        self._metrics = list(metrics)
        self._law = law
        self._restrictions = [(variable, set(codes), out) for variable, codes, out in restrictions]
        self._constraints = [(tuple(variables), bytes(flags)) for variables, flags in constraints]
        self._memory = memory
        self._found: list[Configuration] | None = None
        self._is_prepared = False
        self._require_askable()

    def _require_askable(self) -> None:
        if len(self._metrics) > 2:
            raise SpaceError(f"a query is about at most two metrics, got {len(self._metrics)}")
        for name in self._metrics:
            if name in self._plan.real_metrics:
                raise SpaceError(f"metric '{name}' is of real numbers; a query is about integers")
            if name not in self._plan.metrics:
                raise SpaceError(f"the plan does not count '{name}'")
        for variable, codes, _ in self._restrictions:
            self._require_variable(variable)
            for code in codes:
                if not 0 <= code < self._sizes[variable]:
                    raise SpaceError(f"variable {variable} has no code {code}")
        for variables, flags in self._constraints:
            for variable in variables:
                self._require_variable(variable)
            if list(variables) != sorted(set(variables)):
                raise SpaceError(f"the variables of a constraint ascend, got {list(variables)}")
            entries = prod(self._sizes[variable] for variable in variables)
            if len(flags) != entries:
                raise SpaceError(f"a constraint has {entries} entries, got {len(flags)}")
        if prod(self._sizes) > MOST_ROWS:
            raise SpaceError(
                f"the space has {prod(self._sizes):,} rows of codes; the pure implementation "
                f"looks at every one, of at most {MOST_ROWS:,}"
            )
        if None in self._plan.refusing_scopes:
            raise SpaceError("what the space refuses depends on too many variables together")

    def _require_variable(self, variable: int) -> None:
        if not 0 <= variable < len(self._sizes):
            raise SpaceError(f"there is no variable {variable}")

    # -- every configuration ----------------------------------------------------------------------

    def _configurations(self, progress: Progress | None = None) -> list[Configuration]:
        """Everything that is accepted, in the order of the codes."""
        if self._found is None:
            found = []
            # Spellings of one network cost the same.
            costs: dict[tuple[int, ...], tuple[int, ...] | None] = {}
            total = prod(self._sizes)
            for number, row in enumerate(itertools.product(*map(range, self._sizes))):
                if progress is not None and number % 1024 == 0:
                    progress(number * 1000 // total)
                canonical = tuple(self._plan.canonical_row(row))
                if self._law == "architectures" and canonical != row:
                    continue
                if canonical not in costs:
                    costs[canonical] = self._costs(canonical)
                cost = costs[canonical]
                active = tuple(self._plan.active(canonical))
                if cost is not None and self._admits(canonical, active):
                    found.append(Configuration(row, canonical, active, cost))
            self._found = found
        if progress is not None:
            progress(1000)
        return self._found

    def _costs(self, canonical: tuple[int, ...]) -> tuple[int, ...] | None:
        refusal, totals = self._plan.row(list(canonical))
        return None if refusal else tuple(totals[name] for name in self._metrics)

    def _admits(self, canonical: Sequence[int], active: Sequence[bool]) -> bool:
        """Whether a configuration meets the restrictions and constraints."""
        for variable, codes, inactive in self._restrictions:
            if not (canonical[variable] in codes if active[variable] else inactive):
                return False
        for variables, flags in self._constraints:
            entry = 0
            for variable in variables:
                entry = entry * self._sizes[variable] + canonical[variable]
            if not flags[entry]:
                return False
        return True

    def _band(
        self, low: int | None, high: int | None, progress: Progress | None
    ) -> list[Configuration]:
        """What has the metric within limits."""
        if low is None and high is None:
            return self._configurations(progress)
        self._require_metrics(1)
        return [c for c in self._configurations(progress) if _within(c.costs[0], low, high)]

    def _require_metrics(self, count: int) -> None:
        if len(self._metrics) < count:
            raise SpaceError(
                f"this is asked of {count} metric{'s' * (count > 1)}, but the query has "
                f"{len(self._metrics)}"
            )

    def _values(self, progress: Progress | None) -> list[int]:
        self._require_metrics(1)
        return [configuration.costs[0] for configuration in self._configurations(progress)]

    def _codes(self, codes: Sequence[int]) -> npt.NDArray[Any]:
        return np.array(codes, dtype=self._plan.code_dtype)

    def _matrix(self, rows: Sequence[Sequence[int]]) -> npt.NDArray[Any]:
        matrix = np.zeros((len(rows), len(self._sizes)), dtype=self._plan.code_dtype)
        for number, row in enumerate(rows):
            matrix[number] = row
        return matrix

    # -- questions --------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """How many configurations there are."""
        return len(self._configurations())

    def extreme(self, largest: bool) -> tuple[int, npt.NDArray[Any]] | None:
        """The least or greatest value of the metric and codes that attain it; None if empty."""
        self._require_metrics(1)
        found = self._configurations()
        if not found:
            return None
        best = (max if largest else min)(found, key=lambda configuration: configuration.costs[0])
        return best.costs[0], self._codes(best.canonical)

    def best(
        self,
        largest: bool,
        low: int | None,
        high: int | None,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[int, int, npt.NDArray[Any]] | None:
        """Of all whose metric lies within limits the least or greatest value of the other.

        Returns:
            The value of the other metric, that of the metric, codes that have both; None if there
            is nothing within the limits.
        """
        self._require_metrics(2)
        found = self._band(low, high, progress)
        if not found:
            return None
        best = (max if largest else min)(found, key=lambda configuration: configuration.costs[1])
        return best.costs[1], best.costs[0], self._codes(best.canonical)

    def cumulative(
        self,
        limits: Sequence[int],
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> list[int]:
        """For each limit how many have a metric of at most that."""
        values = self._values(progress)
        return [sum(value <= limit for value in values) for limit in limits]

    def nearest(
        self,
        target: int,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[int | None, int | None]:
        """The greatest value of at most the target, and the least of at least that."""
        values = self._values(progress)
        return (
            max((value for value in values if value <= target), default=None),
            min((value for value in values if value >= target), default=None),
        )

    def find(
        self,
        value: int,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> npt.NDArray[Any] | None:
        """Codes of a configuration that has exactly this value; None if there is none."""
        self._require_metrics(1)
        found = self._band(value, value, progress)
        return self._codes(found[0].canonical) if found else None

    def distribution(
        self,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        """Every value of the metric, ascending, and how many have it."""
        counts = Counter(self._values(progress))
        values = sorted(counts)
        return (
            np.array(values, dtype=np.int64),
            np.array([counts[value] for value in values], dtype=np.uint64),
        )

    def bins(
        self,
        start: int,
        width: int,
        count: int,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> list[int]:
        """How many lie in each of some bins, [start + i * width, start + (i + 1) * width)."""
        if width <= 0:
            raise SpaceError(f"the width of bins must be positive, got {width}")
        counts = [0] * count
        for value in self._values(progress):
            at = (value - start) // width
            if 0 <= at < count:
                counts[at] += 1
        return counts

    def moments(self) -> tuple[int, int, int]:
        """How many there are, the sum of the metric, the sum of its squares."""
        values = self._values(None)
        return len(values), sum(values), sum(value * value for value in values)

    def sample(
        self,
        n: int,
        seed: int,
        low: int | None,
        high: int | None,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> npt.NDArray[Any]:
        """Codes of n configurations within limits, each as likely as the others, with replacement.

        Raises:
            SpaceError: nothing lies within the limits.
        """
        found = self._band(low, high, progress)
        if n and not found:
            raise SpaceError("no configuration lies within the limits")
        key = key_of(seed, SAMPLE)
        return self._matrix([found[below(key, number, len(found))].row for number in range(n)])

    def marginals(
        self,
        low: int | None,
        high: int | None,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> list[list[int]]:
        """Of every variable how often it is active with each code, and last how often inactive."""
        counts = [[0] * (size + 1) for size in self._sizes]
        for configuration in self._band(low, high, progress):
            for variable, active in enumerate(configuration.active):
                counts[variable][configuration.canonical[variable] if active else -1] += 1
        return counts

    def joint(
        self,
        low: int | None,
        high: int | None,
        other_low: int | None,
        other_high: int | None,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> int:
        """How many have both metrics within limits."""
        self._require_metrics(2)
        found = self._band(low, high, progress)
        return sum(_within(c.costs[1], other_low, other_high) for c in found)

    def pareto(
        self,
        maximise: bool,
        maximise_other: bool,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]:
        """The values of both metrics that no configuration beats, by ascending first metric.

        Returns:
            Values of the metric, of the other, and codes of a configuration for each point.
        """
        self._require_metrics(2)
        first: dict[tuple[int, ...], Configuration] = {}
        for configuration in self._configurations(progress):
            first.setdefault(configuration.costs, configuration)

        def goodness(costs: tuple[int, ...]) -> tuple[int, int]:
            """Less is better in both."""
            return -costs[0] if maximise else costs[0], -costs[1] if maximise_other else costs[1]

        front: list[tuple[int, ...]] = []
        least_other = None
        # Only a point before it in this order can beat a point.
        for costs in sorted(first, key=goodness):
            _, other = goodness(costs)
            if least_other is None or other < least_other:
                front.append(costs)
                least_other = other
        front.sort()
        return (
            np.array([costs[0] for costs in front], dtype=np.int64),
            np.array([costs[1] for costs in front], dtype=np.int64),
            self._matrix([first[costs].canonical for costs in front]),
        )

    # -- what is kept -----------------------------------------------------------------------------

    def prepare(
        self,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> None:
        """Make what answers further questions faster; here every configuration, kept."""
        self._require_metrics(1)
        needed = _bytes(self._tables(progress))
        if needed > self._memory:
            raise SpaceError(
                f"the tables of the query take {needed:,} bytes, more than the {self._memory:,} "
                "that are allowed"
            )
        self._is_prepared = True

    @property
    def prepared(self) -> bool:
        """Whether `prepare` was called."""
        return self._is_prepared

    @property
    def answers_at_once(self) -> bool:
        """Whether counts are looked up; here that every configuration is known."""
        return self._found is not None

    @property
    def bytes(self) -> int:
        """How much memory is held."""
        return _bytes(self._tables()) if self._is_prepared else 0

    def _tables(self, progress: Progress | None = None) -> dict[str, npt.NDArray[Any]]:
        """Values and codes, by ascending value."""
        found = sorted(self._configurations(progress), key=lambda c: (c.costs[0], c.row))
        return {
            "values": np.array([configuration.costs[0] for configuration in found], dtype=np.int64),
            "codes": self._matrix([configuration.row for configuration in found]),
        }

    def tables(self) -> dict[str, npt.NDArray[Any]]:
        """What `prepare` made, to be kept elsewhere."""
        if not self._is_prepared:
            raise SpaceError("the query is not prepared")
        return self._tables()

    def restore(self, tables: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take back what `tables` gave.

        Raises:
            SpaceError: they belong to another query.
        """
        self._require_metrics(1)
        own = self._tables()
        if sorted(own) != sorted(tables) or not all(
            tables[name].dtype == array.dtype and np.array_equal(tables[name], array)
            for name, array in own.items()
        ):
            raise SpaceError("the tables do not fit the query")
        self._is_prepared = True

    @property
    def fingerprint(self) -> int:
        """A number of 64 bits, the same for equal problems."""
        asked = (self._law, self._sizes, [(c.row, c.costs) for c in self._configurations()])
        return int.from_bytes(hashlib.blake2b(repr(asked).encode(), digest_size=8).digest(), "big")

    def explain(self) -> dict[str, Any]:
        """What is done to answer."""
        rows = prod(self._sizes)
        found: dict[str, Any] = {
            "implementation": "pure",
            "order": list(range(len(self._sizes))),
            "given": [],
            "slices": 1,
            "components": [(list(range(len(self._sizes))), None)],
        }
        if len(self._metrics) == 1:
            width = np.dtype(self._plan.code_dtype).itemsize * len(self._sizes) + 8
            for name in ("count", "distribution", "prepare"):
                found[f"{name}_bytes"] = rows * width
                found[f"{name}_operations"] = rows
                found[f"{name}_seconds"] = rows * SECONDS_PER_ROW
        return found


#: About what a row takes.
SECONDS_PER_ROW = 1e-4


def _within(value: int, low: int | None, high: int | None) -> bool:
    return (LOWEST if low is None else low) <= value <= (LARGEST if high is None else high)


def _bytes(tables: Mapping[str, npt.NDArray[Any]]) -> int:
    return sum(array.nbytes for array in tables.values())
