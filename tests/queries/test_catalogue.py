"""Published spaces: exact answers against full sweeps, and against sums over independent stages."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections import Counter
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import pytest

import netledger as nl

pytestmark = pytest.mark.skipif(
    os.environ.get("NETLEDGER_IMPLEMENTATION") == "pure", reason="the twin is not fast"
)


@pytest.fixture(scope="module")
def cells() -> nl.Space:
    found: nl.Space = nl.spaces.nas_bench_201("cifar10")
    return found


def test_nas_bench_201(cells: nl.Space) -> None:
    costs = cells.sweep_range().costs()
    for metric in ("params", "macs"):
        column = costs[metric].tolist()
        expected = sorted(Counter(column).items())
        found = cells.distribution(metric)
        pairs = zip(found.values.tolist(), found.counts.tolist(), strict=True)
        assert list(pairs) == expected
        assert (found.minimum, found.maximum) == (min(column), max(column))
        assert found.mean == cells.mean(metric) == Fraction(sum(column), len(column))
        for limit in sorted(column)[::1_500]:
            assert cells.count(**{metric: (None, limit)}) == sum(value <= limit for value in column)
            assert cells.nearest(metric, limit + 1).value in (limit, limit + 1)
    inside = (costs.macs >= 50_000_000) & (costs.params <= 500_000)
    assert cells.count(macs=(50_000_000, None), params=(None, 500_000)) == inside.sum()
    best = cells.minimum("params", macs=(50_000_000, None))
    assert best.value == costs.params[costs.macs >= 50_000_000].min()
    assert cells.cost(best.config, metrics=("params", "macs")) == best.costs
    front = cells.pareto("params", "macs", maximise=["macs"])
    swept = cells.sweep_range().pareto("params", "macs", maximise=["macs"])
    assert front["params"].tolist() == swept.values["params"].tolist()
    assert front["macs"].tolist() == swept.values["macs"].tolist()


def test_sampling_of_nas_bench_201_is_uniform(cells: nl.Space) -> None:
    costs = cells.sweep_range().costs()
    low, high = np.quantile(costs.macs, [0.4, 0.5]).astype(int).tolist()
    inside = cells.enumerate()[(costs.macs >= low) & (costs.macs <= high)]
    n = 50 * len(inside)
    sample = cells.sample(n, seed=11, macs=(low, high))
    assert sample.population == len(inside)
    counts = Counter(row.tobytes() for row in np.asarray(sample))
    assert set(counts) <= {row.tobytes() for row in inside}
    every = [counts[row.tobytes()] for row in inside]
    chi_square = sum((count - 50) ** 2 / 50 for count in every)
    freedom = len(inside) - 1
    assert abs(chi_square - freedom) < 5 * math.sqrt(2 * freedom)


def test_a_distribution_that_does_not_fit_is_counted_in_bins_that_do() -> None:
    space = nl.spaces.ofa_mobilenet_v3(1.0, [128])
    memory = 12_000_000
    with pytest.raises(nl.SpaceError, match="needs tables of about") as refusal:
        space.distribution("macs", memory=memory)
    named = re.search(r"bin_width=([\d,]+) would fit", str(refusal.value))
    assert named is not None
    width = int(named[1].replace(",", ""))
    binned = space.distribution("macs", memory=memory, bin_width=width)
    whole = space.distribution("macs")
    expected: Counter[int] = Counter()
    for value, count in zip(whole.values.tolist(), whole.counts.tolist(), strict=True):
        expected[value // width * width] += count
    found = zip(binned.edges.tolist(), binned.counts.tolist(), strict=False)
    assert {edge: count for edge, count in found if count} == expected


class Stages:
    """The subnets of OFA-MobileNetV3 at one resolution, as five stages that add up."""

    def __init__(self, space: nl.Space, metric: str, law: str, *, is_part: bool) -> None:
        self.parts: list[tuple[Any, Any]] = []
        names = list(space.variables)
        base = np.zeros(len(names), dtype=np.uint8)
        (self.base,) = space.sweep(base[None], metrics=(metric,))[metric].tolist()
        widths = [number for number, name in enumerate(names) if name.startswith("e")]
        for group, _ in space.digits:
            numbers = [names.index(name) for name in group]
            sizes = [len(space.variables[name].values) for name in group]
            if math.prod(sizes) == 1:
                continue
            codes = np.array(list(itertools.product(*map(range, sizes))), dtype=np.uint8)
            rows = np.repeat(base[None], len(codes), axis=0)
            rows[:, numbers] = codes
            canonical = space.canonical(rows)
            if is_part:
                rows = rows[(canonical[:, widths] != 1).all(axis=1)]
            if law == "architectures":
                rows = np.unique(space.canonical(rows), axis=0)
            found = space.sweep(rows, metrics=(metric,))[metric] - self.base
            self.parts.append(np.unique(found, return_counts=True))
        self.step = int(np.gcd.reduce(np.concatenate([values for values, _ in self.parts])))

    @property
    def size(self) -> int:
        return math.prod(int(counts.sum()) for _, counts in self.parts)

    @cached_property
    def halves(self) -> tuple[Any, Any]:
        """Two stages by value, and of two others how many there are up to each step."""
        values, counts = combined(*self.parts[2:4])
        dense = np.zeros(int(values[-1]) // self.step + 2, dtype=np.int64)
        dense[values // self.step + 1] = counts
        return combined(*self.parts[:2]), np.cumsum(dense)

    def at_most(self, limit: int) -> int:
        """How many cost at most a limit."""
        (first, counts), reached = self.halves
        total = 0
        for value, count in zip(*(part.tolist() for part in self.parts[4]), strict=True):
            steps = (limit - self.base - value - first) // self.step + 1
            places = np.clip(steps, 0, len(reached) - 1)
            # Of four stages there are at most 19683**4 spellings: less than 2**63.
            total += count * int(np.dot(reached[places], counts))
        return total


def combined(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    """The values of sums of two independent parts, none of them negative, and their numbers."""
    values, places = np.unique(np.add.outer(one[0], other[0]).ravel(), return_inverse=True)
    counts = np.zeros(len(values), dtype=np.int64)
    np.add.at(counts, places, np.multiply.outer(one[1], other[1]).ravel())
    return values, counts


@pytest.mark.parametrize("metric", ["params", "macs"])
def test_every_subnet_of_ofa_mobilenet_v3(metric: str) -> None:
    space = nl.spaces.ofa_mobilenet_v3(resolutions=[224])
    stages = Stages(space, metric, "architectures", is_part=False)
    assert space.size == space.count() == stages.size == 7371**5
    middle = space.quantile(metric, 0.3)
    below = space.count(**{metric: (None, middle)})
    assert below == stages.at_most(middle)
    assert space.cdf(metric, middle - 1) < Fraction(3, 10) <= Fraction(below, stages.size)
    assert space.count(**{metric: (middle + 1, None)}) == stages.size - below


@pytest.mark.parametrize("law", ["architectures", "genes"])
def test_subnets_of_two_widths(law: str) -> None:
    space = nl.spaces.ofa_mobilenet_v3(resolutions=[224])
    where = {name: [3, 6, None] for name in space.variables if name.startswith("e")}
    for metric in ("params", "macs"):
        stages = Stages(space, metric, law, is_part=True)
        assert len(stages.parts) == 5
        how = {"law": law, "where": where}
        assert space.count(**how) == stages.size
        least, most = space.minimum(metric, **how), space.maximum(metric, **how)
        assert space.cost(least.config, metrics=(metric,)) == least.costs
        middle = space.quantile(metric, 0.7, **how)
        for limit in (least.value - 1, least.value, middle - 1, middle, most.value - 1, most.value):
            assert space.count(**how, **{metric: (None, limit)}) == stages.at_most(limit)
        sample = space.sample(1_000, seed=5, **how, **{metric: (middle, None)})
        assert sample.population == stages.size - stages.at_most(middle - 1)
        assert space.sweep(sample, metrics=(metric,))[metric].min() >= middle
        widths = {value for row in np.asarray(sample) for value in space.decode(row)["e"]}
        assert widths >= {3, 6}


def test_regnet_says_what_can_be_done_instead() -> None:
    space = nl.spaces.regnet()
    with pytest.raises(nl.SpaceError):
        space.count(macs=(None, 400_000_000))
    sample = space.sample(20, macs=(None, 400_000_000), rejection=True, seed=1)
    assert (space.sweep(sample)["macs"] <= 400_000_000).all()
    assert 0 < sample.acceptance < 1
    assert sample.population is None
