"""Answers about a whole space: distributions, bins, extremes, fronts and samples.

Counts are exact integers of any size: a space may have more networks than 64 bits can count.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netledger._limits import lower_limit, upper_limit
from netledger.errors import SpaceError
from netledger.formulas._layer import LARGEST, LOWEST
from netledger.quantity import fraction

if TYPE_CHECKING:
    import pandas

__all__ = ["BinnedDistribution", "Distribution", "Extremum", "Front", "Sample"]

Column = npt.NDArray[Any]

#: Counts are summed in blocks of so many: products with positions in a block fit 64 bits.
BLOCK = 1024
#: There are at most so many bins.
MOST_BINS = 2**24


# -- distributions ---------------------------------------------------------------------------------


class Distribution:
    """How many configurations have each value of a metric, exactly.

    Attributes:
        metric: its name.
        step: all values are the least one plus a multiple of this.
    """

    def __init__(
        self, metric: str, found: tuple[Any, ...], moments: tuple[int, int, int] | None = None
    ) -> None:
        """Take what the engine found.

        Args:
            metric: its name.
            found: values, ascending, and their counts; or the first value, the step from each to
                the next, and the counts, of which some may be 0.
            moments: how many configurations there are, the sum of their values and that of the
                squares; calculated if left out.
        """
        self.metric = metric
        self._moments = moments
        self._listed: Column | None = None
        if len(found) == 2:
            self._listed, self._all = found
            self._start, gap = int(self._listed[0]), np.gcd.reduce(np.diff(self._listed))
            self.step = int(gap) or 1
        else:
            self._start, self.step, self._all = int(found[0]), int(found[1]), found[2]
        if self.total == 0:
            raise SpaceError("a distribution has at least one configuration")

    @cached_property
    def _before(self) -> list[int]:
        """How many lie before each block of counts, and after the last how many there are."""
        return [0, *itertools.accumulate(_block_sums(self._all))]

    @cached_property
    def _occurring(self) -> npt.NDArray[np.int64]:
        """The positions of the counts that are not 0."""
        return np.flatnonzero(self._all)

    @cached_property
    def values(self) -> npt.NDArray[np.int64]:
        """int64: every value that a configuration has, ascending."""
        if self._listed is not None:
            return self._listed[self._occurring]
        values: npt.NDArray[np.int64] = self._start + self.step * self._occurring
        return values

    @cached_property
    def counts(self) -> Column:
        """How many configurations have each of `values`: uint64, or Python ints if one is more."""
        counts: Column = self._all[self._occurring]
        return counts

    @property
    def total(self) -> int:
        """How many configurations there are."""
        return self._before[-1]

    @cached_property
    def minimum(self) -> int:
        """The least value."""
        return self._value(int(np.argmax(self._all != 0)))

    @cached_property
    def maximum(self) -> int:
        """The greatest value."""
        return self._value(len(self._all) - 1 - int(np.argmax(self._all[::-1] != 0)))

    def count(self, low: float | None = None, high: float | None = None) -> int:
        """How many configurations have a value from `low` to `high`, both included."""
        first = 0 if low is None else self._entries(upper_limit(low) - 1)
        last = len(self._all) if high is None else self._entries(lower_limit(high))
        return max(self._sum(last) - self._sum(first), 0)

    def cdf(self, value: float) -> Fraction:
        """Which part of the configurations has at most this value."""
        return Fraction(self.count(None, value), self.total)

    def quantile(self, q: float) -> int:
        """The least value that at least this part of the configurations does not exceed.

        Args:
            q: from 0 to 1; a float counts as the decimal number that it prints as.
        """
        rank = max(math.ceil(part(q) * self.total), 1)
        block = bisect_left(self._before, rank) - 1
        counts = self._all[block * BLOCK : (block + 1) * BLOCK].tolist()
        sums = list(itertools.accumulate(map(int, counts), initial=self._before[block]))[1:]
        return self._value(block * BLOCK + bisect_left(sums, rank))

    @cached_property
    def mean(self) -> Fraction:
        """The mean over all configurations, exactly."""
        count, total, _ = self._sums
        return Fraction(total, count)

    @cached_property
    def variance(self) -> Fraction:
        """The variance over all configurations (the population's), exactly."""
        return variance_of(self._sums)

    @property
    def _sums(self) -> tuple[int, int, int]:
        if self._moments is None:
            pairs = list(zip(self.values.tolist(), map(int, self.counts.tolist()), strict=True))
            self._moments = (
                self.total,
                sum(value * count for value, count in pairs),
                sum(value * value * count for value, count in pairs),
            )
        return self._moments

    def histogram(self, bins: int | Sequence[float] | Column = 100) -> BinnedDistribution:
        """How many configurations lie in each of some bins.

        Args:
            bins: how many, of equal width from the least to the greatest value; or their edges.
        """
        edges = edges_of(bins, self.minimum, self.maximum)
        reached = [self._sum(self._entries(limit)) for limit in limits_of(edges)]
        return BinnedDistribution.between(self.metric, edges, reached, self.total)

    def to_pandas(self) -> pandas.DataFrame:
        """Values and counts as the columns of a data frame."""
        import pandas

        return pandas.DataFrame({self.metric: self.values, "count": self.counts})

    def _value(self, entry: int) -> int:
        """The value that a count belongs to."""
        return self._start + self.step * entry if self._listed is None else int(self._listed[entry])

    def _entries(self, limit: int) -> int:
        """How many of the counts belong to values of at most a limit."""
        if self._listed is None:
            return min(max((limit - self._start) // self.step + 1, 0), len(self._all))
        return int(np.searchsorted(self._listed, min(max(limit, LOWEST), LARGEST), side="right"))

    def _sum(self, entries: int) -> int:
        """The sum of the first counts."""
        block = entries // BLOCK
        return self._before[block] + exact_sum(self._all[block * BLOCK : entries])

    def __len__(self) -> int:
        """How many different values there are."""
        return len(self.values)

    def __repr__(self) -> str:
        return (
            f"Distribution({self.metric}: {len(self):,} values from {self.minimum:,} to "
            f"{self.maximum:,}, {self.total:,} configurations)"
        )


class BinnedDistribution:
    """How many configurations have a metric within each of some bins, exactly.

    Which values occur inside of a bin is not known: `count` answers at edges only.

    Attributes:
        metric: its name.
        edges: one more than there are bins, rising. Bin i goes from edges[i] to below edges[i + 1],
            the last one to its upper edge.
        counts: uint64, one per bin, or Python ints if one is more.
        below: configurations below the first edge.
        above: configurations above the last.
    """

    def __init__(
        self, metric: str, edges: Column, counts: Sequence[int], below: int = 0, above: int = 0
    ) -> None:
        self.metric = metric
        self.edges = edges
        self.counts = counts_array(counts)
        self.below = below
        self.above = above

    @classmethod
    def between(
        cls, metric: str, edges: Column, reached: Sequence[int], total: int
    ) -> BinnedDistribution:
        """The bins between edges, from how many lie below each (for the last: or at it)."""
        counts = [upper - lower for lower, upper in itertools.pairwise(reached)]
        return cls(metric, edges, counts, reached[0], total - reached[-1])

    @property
    def total(self) -> int:
        """How many configurations there are."""
        return self.below + exact_sum(self.counts) + self.above

    @property
    def values(self) -> Column:
        """Not known.

        Raises:
            SpaceError: always; `Distribution` has values.
        """
        raise SpaceError(
            f"the distribution of '{self.metric}' is in bins: which values occur inside of them is "
            "not known. Ask without bin_width for every value"
        )

    def count(self, low: float | None = None, high: float | None = None) -> int:
        """How many configurations lie in the bins from the edge `low` to below the edge `high`.

        To the last edge that includes it, as the last bin does.

        Raises:
            SpaceError: a limit is no edge.
        """
        edges = self.edges.tolist()
        for limit in (low, high):
            if limit is not None and limit not in edges:
                raise SpaceError(f"{limit} is no edge of the bins: what lies there is not known")
        first = 0 if low is None else edges.index(low)
        last = len(edges) - 1 if high is None else edges.index(high)
        found = exact_sum(self.counts[first:last])
        return (
            found + (self.below if low is None else 0) + (self.above if high is None else 0)
            if first <= last
            else 0
        )

    def to_pandas(self) -> pandas.DataFrame:
        """Edges and counts as the columns of a data frame, a row per bin."""
        import pandas

        return pandas.DataFrame(
            {"from": self.edges[:-1], "to": self.edges[1:], "count": self.counts}
        )

    def __len__(self) -> int:
        """How many bins there are."""
        return len(self.counts)

    def __repr__(self) -> str:
        return (
            f"BinnedDistribution({self.metric}: {len(self):,} bins from {self.edges[0]:,} to "
            f"{self.edges[-1]:,}, {self.total:,} configurations)"
        )


# -- other answers ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Extremum:
    """A value that is attained, and a configuration that attains it.

    Attributes:
        value: the value of the metric.
        codes: the codes of the configuration.
        config: the configuration as `Space.decode` gives it.
        costs: what it costs, in the metrics that were asked about.
    """

    value: int
    codes: Column
    config: Any
    costs: dict[str, int]


@dataclass(frozen=True, eq=False)
class Front:
    """Everything that no configuration beats in one of two metrics and reaches in the other.

    Attributes:
        values: int64, a column for both metrics; the first ascends.
        codes: the codes of one configuration for each point.
    """

    values: dict[str, npt.NDArray[np.int64]]
    codes: Column

    def __getitem__(self, metric: str) -> npt.NDArray[np.int64]:
        if metric not in self.values:
            raise KeyError(f"the front is of {' and '.join(self.values)}, not of '{metric}'")
        return self.values[metric]

    def to_pandas(self) -> pandas.DataFrame:
        """The values as the columns of a data frame, a row per point."""
        import pandas

        return pandas.DataFrame(self.values)

    def __len__(self) -> int:
        """How many points there are."""
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Front({len(self)} points: {', '.join(self.values)})"


class Sample(np.ndarray[Any, np.dtype[Any]]):
    """Codes of configurations that were drawn: an array, with how they were drawn.

    Attributes:
        population: how many configurations they were drawn from: those within the budget of
            `exact_metric`; of all, where there is no budget. None where it is not known.
        acceptance: which part of what was drawn was kept; 1 where nothing had to be thrown away.
        exact_metric: the metric within whose budget everything was drawn; None without one.
    """

    population: int | None
    acceptance: Fraction
    exact_metric: str | None

    def __new__(  # noqa: PYI034 - Python 3.10 has no `Self`
        cls,
        codes: Column,
        population: int | None = None,
        acceptance: Fraction = Fraction(1),
        exact_metric: str | None = None,
    ) -> Sample:
        """Codes as a sample."""
        sample = np.asarray(codes).view(cls)
        sample.population = population
        sample.acceptance = acceptance
        sample.exact_metric = exact_metric
        return sample

    def __array_finalize__(self, other: Column | None) -> None:
        self.population = getattr(other, "population", None)
        self.acceptance = getattr(other, "acceptance", Fraction(1))
        self.exact_metric = getattr(other, "exact_metric", None)

    def __reduce__(self) -> tuple[Any, ...]:
        # An array's own way to pickle leaves attributes out.
        plain = np.asarray(self)
        return Sample, (plain, self.population, self.acceptance, self.exact_metric)


# -- arithmetic ------------------------------------------------------------------------------------


def part(q: float) -> Fraction:
    """A number from 0 to 1, exactly."""
    exact = fraction(q)
    if not 0 <= exact <= 1:
        raise SpaceError(f"a quantile is of a number from 0 to 1, got {q}")
    return exact


def variance_of(moments: tuple[int, int, int]) -> Fraction:
    """The population's variance: from a number, a sum and a sum of squares."""
    count, total, squares = moments
    return Fraction(count * squares - total * total, count * count)


def exact_sum(counts: Column) -> int:
    """The sum of counts, of which numpy's may pass 64 bits."""
    return sum(_block_sums(counts))


def _block_sums(counts: Column) -> list[int]:
    """The sums of blocks of counts."""
    starts = np.arange(0, len(counts), BLOCK)
    if not len(starts):
        return []
    if counts.dtype == object:
        return [int(total) for total in np.add.reduceat(counts, starts)]
    # In halves, which pass 64 bits only after 2**32 of them.
    high = np.add.reduceat(counts >> np.uint64(32), starts)
    low = np.add.reduceat(counts & np.uint64(0xFFFFFFFF), starts)
    return [(upper << 32) + lower for upper, lower in zip(high.tolist(), low.tolist(), strict=True)]


def counts_array(counts: Sequence[int]) -> Column:
    """Counts as uint64, or as Python ints where one is more."""
    if max(counts, default=0) < 2**64:
        return np.array(counts, dtype=np.uint64)
    array = np.empty(len(counts), dtype=object)
    array[:] = counts
    return array


def edges_of(bins: Any, low: int, high: int) -> Column:
    """The edges of bins: those given, or of so many bins of equal width, which hold all values."""
    if not isinstance(bins, int | np.integer):
        edges = np.asarray(bins)
        if (
            edges.ndim != 1
            or len(edges) < 2
            or edges.dtype.kind not in "iuf"
            or not np.all(edges[1:] > edges[:-1])
        ):
            raise SpaceError(f"edges of bins are at least two numbers that rise, got {bins!r}")
        return edges
    if not 0 < bins <= MOST_BINS:
        raise SpaceError(f"there must be from 1 to {MOST_BINS:,} bins, got {bins}")
    width = max(-(-(high - low + 1) // int(bins)), 1)
    return integers([low + width * i for i in range(int(bins) + 1)])


def integers(values: Sequence[int]) -> Column:
    """Integers as int64, or as Python ints where one does not fit."""
    fits = all(LOWEST <= value <= LARGEST for value in (values[0], values[-1]))
    return np.array(values, dtype=np.int64 if fits else object)


def limits_of(edges: Column) -> list[int]:
    """For each edge the greatest integer below it; for the last one the greatest up to it."""
    listed = edges.tolist()
    return [*(upper_limit(edge) - 1 for edge in listed[:-1]), lower_limit(listed[-1])]
