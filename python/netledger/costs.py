"""What many configurations of a space cost: columns, and what is asked of them."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netledger._limits import lower_limit, upper_limit
from netledger.errors import SpaceError

if TYPE_CHECKING:
    import pandas

    from netledger.space import Space

__all__ = ["Costs", "Extreme", "Histogram", "Packed", "Pareto", "Sweep", "Top"]

Column = npt.NDArray[Any]
#: A least and a greatest value, both included; None leaves an end open.
Budget = tuple[float | None, float | None]

#: A sweep of fewer configurations runs in one thread unless told otherwise.
FEW = 100_000
#: A sweep of more shows its progress where a terminal is there.
MANY = 50_000_000


class Packed:
    """Configurations as one number per digit: groups of variables that are counted together.

    Attributes:
        codes: uint16, a row per configuration, a column per digit of the space.
    """

    __slots__ = ("codes",)

    def __init__(self, codes: npt.NDArray[np.uint16]) -> None:
        self.codes = codes

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Packed:
        return Packed(np.atleast_2d(self.codes[rows]))

    def __repr__(self) -> str:
        return f"Packed({len(self)} configurations, {self.codes.shape[1]} digits)"


class Costs(Mapping[str, Column]):
    """What many configurations cost: a column for every metric.

    ``costs["macs"]`` and ``costs.macs`` are int64 arrays (float64 for metrics of real numbers). A
    configuration that is refused has -1 (nan) in every column; `valid` and `reason` tell of it.

    Attributes:
        refusals: uint32, 0 where a configuration is valid, else the number of what refuses it.
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        refusals: npt.NDArray[np.uint32],
        reason: Callable[[int, int], str],
    ) -> None:
        self._columns = dict(columns)
        self._reason = reason
        self.refusals = refusals

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Whether each configuration is a network."""
        valid: npt.NDArray[np.bool_] = self.refusals == 0
        return valid

    def reason(self, row: int) -> str:
        """Why a configuration is refused, "" if it is not."""
        refusal = int(self.refusals[row])
        return self._reason(row % len(self), refusal) if refusal else ""

    def __getitem__(self, metric: str) -> Column:
        if metric not in self._columns:
            raise KeyError(f"no metric '{metric}' was counted; there are {', '.join(self)}")
        return self._columns[metric]

    def __getattr__(self, metric: str) -> Column:
        columns = self.__dict__.get("_columns", {})
        if metric not in columns:
            raise AttributeError(f"Costs has no attribute or metric {metric!r}")
        column: Column = columns[metric]
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """How many configurations there are."""
        return len(self.refusals)

    def to_pandas(self) -> pandas.DataFrame:
        """The columns, and one that says which rows are valid, as a data frame."""
        import pandas

        return pandas.DataFrame({**self._columns, "valid": self.valid})

    def __repr__(self) -> str:
        refused = int(np.count_nonzero(self.refusals))
        note = f", {refused} refused" if refused else ""
        return f"Costs({len(self)} configurations: {', '.join(self)}{note})"


@dataclass(frozen=True)
class Histogram:
    """How many configurations lie in each bin.

    Attributes:
        counts: int64, one per bin; bin i goes from edges[i] to below edges[i + 1], the last one to
            its upper edge.
        edges: one more than there are bins.
        below: configurations below the first edge.
        above: configurations above the last.
        refused: configurations that are no networks.
    """

    counts: npt.NDArray[np.int64]
    edges: Column
    below: int
    above: int
    refused: int


@dataclass(frozen=True)
class Top:
    """The least or greatest configurations, best first.

    Attributes:
        positions: int64, where each stands among the configurations of the sweep.
        values: their costs.
        codes: their codes.
    """

    positions: npt.NDArray[np.int64]
    values: Column
    codes: Column


@dataclass(frozen=True)
class Pareto:
    """The configurations that no other is better than in every metric, and better in one.

    Attributes:
        positions: int64, where each stands among the configurations of the sweep.
        values: a column of costs for every metric.
        codes: their codes.
    """

    positions: npt.NDArray[np.int64]
    values: dict[str, Column]
    codes: Column


@dataclass(frozen=True)
class Extreme:
    """The least and the greatest value of a metric.

    Attributes:
        minimum: the least value.
        minimum_codes: codes of the first configuration that has it.
        maximum: the greatest value.
        maximum_codes: codes of the first configuration that has it.
    """

    minimum: Any
    minimum_codes: Column
    maximum: Any
    maximum_codes: Column


@dataclass(frozen=True)
class Origin:
    """Where the configurations of a sweep come from.

    Attributes:
        count: how many there are.
        source: makes the engine's source of `count` of them, from one on, out of a plan.
        codes: the codes of those at some positions, likewise.
    """

    count: int
    source: Callable[[Any, int, int], Any]
    codes: Callable[[Any, npt.NDArray[np.int64]], Column]


class Sweep:
    """Configurations that are counted when something is asked of them; none is kept.

    ``sweep["macs"]`` counts them all and gives the column; the reductions (`histogram`, `top_k`,
    `pareto`, `filter`, `extremes`) go through them without keeping any. Each takes budgets, as
    ``macs=(None, 300_000_000)``, of the metrics of the sweep: a configuration outside of one is
    left out.
    """

    def __init__(
        self,
        space: Space,
        origin: Origin,
        names: Mapping[str, str],
        threads: int | None,
        progress: bool | None,
        start: int = 0,
    ) -> None:
        self._space = space
        self._origin = origin
        self._names = dict(names)
        self._threads = threads
        self._progress = progress
        self._start = start

    def __len__(self) -> int:
        return self._origin.count

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is counted."""
        return tuple(self._names)

    def __getitem__(self, metric: str) -> Column:
        self._internal(metric)
        return self._over({metric: self._names[metric]}).costs()[metric]

    def costs(self) -> Costs:
        """Every column."""
        plan = self._plan()
        with self._running() as (threads, progress):
            columns, refusals = plan.columns(self._source(plan), threads, progress)
        shown = {name: columns[internal] for name, internal in self._names.items()}
        return Costs(shown, refusals, self._space._reasons(self.configs))

    def configs(self, positions: Any) -> Column:
        """The codes of the configurations at some positions of the sweep."""
        asked = np.atleast_1d(np.asarray(positions, dtype=np.int64))
        outside = asked[(asked < 0) | (asked >= len(self))]
        if len(outside):
            raise SpaceError(f"the sweep has no position {outside[0]}; it has {len(self)}")
        return self._origin.codes(self._plan(), asked + self._start)

    def chunks(self, size: int) -> Iterator[Sweep]:
        """The sweep in parts of at most `size` configurations, one after the other."""
        if size <= 0:
            raise SpaceError(f"chunks have at least one configuration, got {size}")
        for start in range(0, len(self), size):
            count = min(size, len(self) - start)
            yield Sweep(
                self._space,
                replace(self._origin, count=count),
                self._names,
                self._threads,
                self._progress,
                self._start + start,
            )

    # -- reductions -------------------------------------------------------------------------------

    def histogram(
        self, metric: str, bins: int | Sequence[float] | Column = 100, **budgets: Budget
    ) -> Histogram:
        """How many configurations lie in each of some bins of a metric.

        Args:
            metric: one of the sweep.
            bins: how many, of equal width from the least to the greatest value; or their edges.
            budgets: leave out what lies outside.
        """
        internal = self._internal(metric)
        plan = self._plan()
        limits = self._limits(budgets)
        edges = self._edges(internal, bins, limits)
        is_real = internal in plan.real_metrics
        with self._running() as (threads, progress):
            counts, below, above, refused = plan.histogram(
                self._source(plan),
                internal,
                _half_open(edges, is_real=is_real),
                limits,
                threads,
                progress,
            )
        return Histogram(counts, edges, below, above, refused)

    def _edges(
        self, internal: str, bins: int | Sequence[float] | Column, limits: list[Any]
    ) -> Column:
        if not isinstance(bins, int | np.integer):
            edges = np.asarray(bins)
            if edges.ndim != 1 or len(edges) < 2 or not np.all(edges[1:] > edges[:-1]):
                raise SpaceError(f"edges of bins are at least two numbers that rise, got {bins!r}")
            return edges
        if bins <= 0:
            raise SpaceError(f"there must be at least one bin, got {bins}")
        plan = self._plan()
        with self._running() as (threads, progress):
            found = plan.extremes(self._source(plan), [internal], limits, threads, progress)
        low, _, high, _ = found.get(internal, (0, 0, 0, 0))
        if internal in plan.real_metrics:
            return np.linspace(low, high if high > low else low + 1.0, int(bins) + 1)
        width = max(-(-(high - low + 1) // int(bins)), 1)
        return np.array([low + width * i for i in range(int(bins) + 1)], dtype=object).astype(
            np.int64
        )

    def top_k(self, metric: str, k: int, *, largest: bool = False, **budgets: Budget) -> Top:
        """The k configurations that cost least, or most; of equal ones the first."""
        internal = self._internal(metric)
        if k < 0:
            raise SpaceError(f"k must not be negative, got {k}")
        plan = self._plan()
        with self._running() as (threads, progress):
            positions, values = plan.top_k(
                self._source(plan), internal, k, largest, self._limits(budgets), threads, progress
            )
        return Top(positions, values, self.configs(positions))

    def pareto(self, *metrics: str, maximise: Sequence[str] = (), **budgets: Budget) -> Pareto:
        """The configurations that no other is better than; least is best unless in `maximise`."""
        chosen = metrics or self.metrics
        internal = [self._internal(metric) for metric in chosen]
        for metric in maximise:
            if metric not in chosen:
                raise SpaceError(f"maximise names '{metric}', which is not among {chosen}")
        plan = self._plan()
        with self._running() as (threads, progress):
            positions, values = plan.pareto(
                self._source(plan),
                internal,
                [metric in maximise for metric in chosen],
                self._limits(budgets),
                threads,
                progress,
            )
        columns = {name: values[inner] for name, inner in zip(chosen, internal, strict=True)}
        return Pareto(positions, columns, self.configs(positions))

    def filter(self, *, limit: int | None = None, **budgets: Budget) -> npt.NDArray[np.int64]:
        """The positions of what lies within the budgets, the first `limit` of them.

        `configs` gives their codes.
        """
        if limit is not None and limit < 0:
            raise SpaceError(f"limit must not be negative, got {limit}")
        plan = self._plan()
        with self._running() as (threads, progress):
            found: npt.NDArray[np.int64] = plan.filter(
                self._source(plan), self._limits(budgets), limit, threads, progress
            )
        return found

    def extremes(self, *metrics: str, **budgets: Budget) -> dict[str, Extreme]:
        """The least and the greatest value of each metric, and what attains it.

        Raises:
            SpaceError: no configuration is valid and within the budgets.
        """
        chosen = metrics or self.metrics
        internal = [self._internal(metric) for metric in chosen]
        plan = self._plan()
        with self._running() as (threads, progress):
            found = plan.extremes(
                self._source(plan), internal, self._limits(budgets), threads, progress
            )
        if not found and chosen:
            raise SpaceError("no configuration is valid and within the budgets")
        result = {}
        for name, inner in zip(chosen, internal, strict=True):
            low, at_low, high, at_high = found[inner]
            codes = self.configs([at_low, at_high])
            result[name] = Extreme(low, codes[0], high, codes[1])
        return result

    # -- inside -----------------------------------------------------------------------------------

    def _plan(self) -> Any:
        return self._space._plan(tuple(dict.fromkeys(self._names.values())))

    def _over(self, names: Mapping[str, str]) -> Sweep:
        return Sweep(self._space, self._origin, names, self._threads, self._progress, self._start)

    def _source(self, plan: Any) -> Any:
        return self._origin.source(plan, self._start, len(self))

    def _internal(self, metric: str) -> str:
        if metric not in self._names:
            raise SpaceError(
                f"the sweep does not count '{metric}'; it counts {', '.join(self._names)}"
            )
        return self._names[metric]

    def _limits(self, budgets: Mapping[str, Budget]) -> list[tuple[str, Any, Any]]:
        plan = self._plan()
        limits = []
        for name, budget in budgets.items():
            internal = self._internal(name)
            try:
                low, high = budget
            except (TypeError, ValueError):
                raise SpaceError(
                    f"a budget is a pair, ({name} at least, {name} at most), got {budget!r}"
                ) from None
            if internal not in plan.real_metrics:
                low = None if low is None or low == -math.inf else upper_limit(_finite(name, low))
                high = (
                    None if high is None or high == math.inf else lower_limit(_finite(name, high))
                )
            elif (low is not None and math.isnan(low)) or (high is not None and math.isnan(high)):
                raise SpaceError(f"the budget of '{name}' is nan")
            limits.append((internal, low, high))
        return limits

    @contextmanager
    def _running(self) -> Iterator[tuple[int, Callable[[int], None] | None]]:
        with shown_progress(len(self), self._progress) as progress:
            yield chosen_threads(self._threads, len(self)), progress

    def __repr__(self) -> str:
        return f"Sweep({len(self)} configurations: {', '.join(self.metrics)})"


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise SpaceError(f"the budget of '{name}' is {value}")
    return value


def _half_open(edges: Column, *, is_real: bool) -> Column:
    """Edges of bins that leave out their upper edge, for bins of which the last includes it."""
    if is_real:
        limits = edges.astype(np.float64)
        limits[-1] = np.nextafter(limits[-1], math.inf)
        return limits
    exact = [math.ceil(edge) for edge in edges.tolist()]
    exact[-1] = math.floor(edges.tolist()[-1]) + 1
    return np.array([min(max(edge, -(2**63)), 2**63 - 1) for edge in exact], dtype=np.int64)


def chosen_threads(threads: int | None, count: int) -> int:
    """How many threads to run: as asked, else all processors where there is much to do."""
    if threads is None:
        return 1 if count < FEW else os.cpu_count() or 1
    if type(threads) is not int or threads <= 0:
        raise SpaceError(f"threads must be a positive integer, got {threads!r}")
    return threads


@contextmanager
def shown_progress(count: int, wanted: bool | None) -> Iterator[Callable[[int], None] | None]:
    """What tells of the progress of a sweep; None where nobody wants to know."""
    if wanted is None:
        is_long = count >= MANY and hasattr(sys.stderr, "isatty") and sys.stderr.isatty()
        bars = _bars() if is_long else None
    elif wanted:
        bars = _bars()
        if bars is None:
            raise SpaceError("progress is shown with tqdm, which is not installed")
    else:
        bars = None
    if bars is None:
        yield None
        return
    with bars(total=count, unit=" configurations", unit_scale=True) as bar:
        yield lambda done: bar.update(done - bar.n)


def _bars() -> Any:
    """What makes progress bars; None where it is not installed."""
    try:
        return importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return None
