"""What a space answers is what brute force finds: sweeps over every row of codes."""

from __future__ import annotations

import itertools
import math
import os
import random
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import netledger as nl
from netledger.conventions import Convention
from queries.brute_force import Everything
from strategies import spaces, tables

LAWS = ("architectures", "genes")
MOST_ROWS = 1_500

relaxed = settings(
    max_examples=15 if os.environ.get("NETLEDGER_IMPLEMENTATION") == "pure" else 120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
laws = pytest.mark.parametrize("law", LAWS)


class Asked:
    """A random space, everything in it, and a random question."""

    def __init__(self, space: nl.Space, metrics: list[str], draw: random.Random) -> None:
        sizes = [len(variable.values) for variable in space.variables.values()]
        assume(math.prod(sizes) <= MOST_ROWS)
        self.space = space
        self.one, self.other = metrics
        self.draw = draw
        self.law = draw.choice(LAWS)
        everything = Everything(space, metrics, self.law)
        self.where, self.all = self._where(everything)

    def _where(self, everything: Everything) -> tuple[Any, Everything]:
        """Values of some variables, None among them where it is to be inactive."""
        where: dict[str, Any] = {}
        for name, variable in self.space.variables.items():
            if self.draw.random() < 0.2:
                count = self.draw.randint(1, len(variable.values))
                chosen: list[Any] = self.draw.sample(list(variable.values), count)
                where[name] = chosen[0] if count == 1 else chosen
                if self.draw.random() < 0.5:
                    where[name] = [*chosen, None]
        if not where:
            return None, everything

        def holds(config: dict[str, Any]) -> bool:
            return all(
                config.get(name) in (wanted if isinstance(wanted, list) else [wanted])
                for name, wanted in where.items()
            )

        return where, everything.where(holds)

    def band(self, metric: str) -> tuple[Any, Any]:
        values = self.all.costs[metric].tolist() or [0]
        low, high = sorted(
            self.draw.choice(values) + self.draw.choice([-1, 0, 0, 1]) for _ in range(2)
        )
        return (
            None if self.draw.random() < 0.2 else low,
            None if self.draw.random() < 0.2 else high,
        )

    @property
    def how(self) -> dict[str, Any]:
        return {"law": self.law, "where": self.where}

    def attains(self, found: Any, value: int) -> None:
        """An extremum has this value, and its configuration attains it."""
        assert found.value == value
        row = found.codes
        assert row.tobytes() in {r.tobytes() for r in self.space.canonical(self.all.codes)}
        costs = self.space.cost(row, metrics=tuple(found.costs))
        assert found.costs == costs
        assert found.config == self.space.decode(row)


def ask(recipe: Any, draw: random.Random) -> Asked:
    try:
        space = tables.build(recipe)
    except nl.NetledgerError:
        assume(False)
    return Asked(space, ["first", "second"], draw)


def ask_layers(recipe: Any, draw: random.Random) -> Asked:
    try:
        space = spaces.build(recipe)
    except nl.NetledgerError:
        assume(False)
    return Asked(space, ["params", "macs"], draw)


asking = st.one_of(
    st.builds(ask, tables.recipes(), st.randoms(use_true_random=False)),
    st.builds(ask, tables.recipes(), st.randoms(use_true_random=False)),
    st.builds(ask_layers, spaces.recipes(), st.randoms(use_true_random=False)),
)


@relaxed
@given(asking)
def test_counts(asked: Asked) -> None:
    space, everything = asked.space, asked.all
    assert space.count(**asked.how) == len(everything)
    for _ in range(3):
        band, other = asked.band(asked.one), asked.band(asked.other)
        inside = everything.within(asked.one, *band)
        assert space.count(**asked.how, **{asked.one: band}) == len(inside)
        assert space.count(**asked.how, budgets={asked.other: other}, **{asked.one: band}) == len(
            inside.within(asked.other, *other)
        )
    if asked.where is None and asked.law == "architectures":
        assert space.size == len(everything)


@relaxed
@given(asking)
def test_distributions(asked: Asked) -> None:
    space, expected = asked.space, asked.all.distribution(asked.one)
    if not expected:
        for name in ("distribution", "mean", "variance", "histogram", "minimum", "pareto"):
            arguments = (asked.one, asked.other) if name == "pareto" else (asked.one,)
            if name == "pareto":
                assert len(space.pareto(*arguments, **asked.how)) == 0
                continue
            with pytest.raises(nl.SpaceError, match="there is no configuration"):
                getattr(space, name)(*arguments, **asked.how)
        return
    column = [value for value, count in expected.items() for _ in range(count)]
    found = space.distribution(asked.one, **asked.how)
    assert dict(zip(found.values.tolist(), found.counts.tolist(), strict=True)) == expected
    assert (found.total, found.minimum, found.maximum) == (len(column), column[0], column[-1])
    assert all((value - found.minimum) % found.step == 0 for value in expected)
    mean = Fraction(sum(column), len(column))
    variance = sum((value - mean) ** 2 for value in column) / len(column)
    assert (found.mean, found.variance) == (mean, variance)
    assert space.mean(asked.one, **asked.how) == mean
    assert space.variance(asked.one, **asked.how) == variance
    for q in (0, 0.25, 0.5, Fraction(1, 3), 1):
        at = column[max(math.ceil(Fraction(str(q)) * len(column)), 1) - 1]
        assert found.quantile(q) == space.quantile(asked.one, q, **asked.how) == at
    for value in (column[0] - 1, column[len(column) // 2], column[-1] + 0.5):
        part = Fraction(sum(v <= value for v in column), len(column))
        assert found.cdf(value) == space.cdf(asked.one, value, **asked.how) == part
    low, high = asked.band(asked.one)
    assert found.count(low, high) == len(asked.all.within(asked.one, low, high))


@relaxed
@given(asking, st.integers(1, 12))
def test_bins(asked: Asked, bins: int) -> None:
    space, column = asked.space, sorted(asked.all.costs[asked.one].tolist())
    assume(column)
    exact = space.distribution(asked.one, **asked.how)
    span = column[-1] - column[0]
    middle = column[len(column) // 2]
    for given_bins in (bins, [column[0], middle + 0.5, column[-1] + 1], [middle, middle + 2]):
        found = space.histogram(asked.one, given_bins, **asked.how)
        edges = found.edges.tolist()
        expected = [
            sum(low <= value < high or (high == edges[-1] and value == high) for value in column)
            for low, high in itertools.pairwise(edges)
        ]
        assert found.counts.tolist() == expected
        assert found.below == sum(value < edges[0] for value in column)
        assert found.above == sum(value > edges[-1] for value in column)
        assert found.total == len(column)
        again = exact.histogram(given_bins)
        assert again.edges.tolist() == edges
        assert (again.counts.tolist(), again.below, again.above) == (
            expected,
            found.below,
            found.above,
        )
        if given_bins is bins:
            assert (len(found), found.below, found.above) == (bins, 0, 0)
    width = span // bins + 1
    binned = space.distribution(asked.one, bin_width=width, **asked.how)
    edges = binned.edges.tolist()
    assert edges == list(range(edges[0], edges[-1] + 1, width))
    assert edges[0] % width == 0
    assert binned.counts.tolist() == [
        sum(low <= value < high for value in column) for low, high in itertools.pairwise(edges)
    ]
    assert binned.total == binned.count() == len(column)
    with pytest.raises(nl.SpaceError, match="which values occur inside of them is not known"):
        _ = binned.values


@relaxed
@given(asking)
def test_extremes(asked: Asked) -> None:
    space, everything = asked.space, asked.all
    assume(len(everything))
    for name, best in (("minimum", min), ("maximum", max)):
        find = getattr(space, name)
        asked.attains(find(asked.one, **asked.how), best(everything.costs[asked.one].tolist()))
        for metric in (asked.one, asked.other):
            band = asked.band(metric)
            inside = everything.within(metric, *band).costs[asked.one].tolist()
            if inside:
                found = find(asked.one, **asked.how, **{metric: band})
                asked.attains(found, best(inside))
                assert set(found.costs) <= {asked.one, metric}
                continue
            values = everything.costs[metric].tolist()
            with pytest.raises(nl.SpaceError) as caught:
                find(asked.one, **asked.how, **{metric: band})
            assert_names_nearest(str(caught.value), values, band)


def assert_names_nearest(text: str, values: list[int], band: tuple[Any, Any]) -> None:
    """A refusal names the values next to an infeasible band."""
    low, high = band
    nearest = []
    if low is not None:
        nearest += [max(value for value in values if value < low)] if min(values) < low else []
    if high is not None:
        nearest += [min(value for value in values if value > high)] if max(values) > high else []
    if low is not None and high is not None and low > high:
        assert "is empty" in text
    else:
        assert text.endswith(" and ".join(f"{value:,}" for value in nearest))
        assert "nearest feasible value" in text


@relaxed
@given(asking)
def test_nearest(asked: Asked) -> None:
    assume(len(asked.all))
    values = sorted(set(asked.all.costs[asked.one].tolist()))
    middle = asked.draw.choice(values)
    for target in (middle, middle + 1, middle - 0.25, values[0] - 3, values[-1] + 10, math.inf):
        nearest = (
            values[-1] if target == math.inf else min(values, key=lambda v: (abs(v - target), v))
        )
        asked.attains(asked.space.nearest(asked.one, target, **asked.how), nearest)


@relaxed
@given(asking, st.booleans(), st.booleans())
def test_pareto(asked: Asked, most_one: bool, most_other: bool) -> None:
    maximise = [asked.one] * most_one + [asked.other] * most_other
    front = asked.space.pareto(asked.one, asked.other, maximise=maximise, **asked.how)
    points = list(zip(front[asked.one].tolist(), front[asked.other].tolist(), strict=True))
    assert points == asked.all.front(asked.one, asked.other, most_one, most_other)
    costs = asked.space.sweep(front.codes, metrics=(asked.one, asked.other))
    assert list(zip(costs[asked.one].tolist(), costs[asked.other].tolist(), strict=True)) == points
    assert {row.tobytes() for row in front.codes} <= {
        row.tobytes() for row in asked.space.canonical(asked.all.codes)
    }


@relaxed
@given(asking)
def test_marginals(asked: Asked) -> None:
    band = asked.band(asked.one)
    found = asked.space.marginals(**asked.how, **{asked.one: band})
    expected = asked.all.within(asked.one, *band).marginals(asked.space)
    assert list(found) == list(asked.space.variables)
    for name, counts in found.items():
        assert +Counter(counts) == +expected[name]
        values = [*asked.space.variables[name].values]
        assert list(counts) in (values, [*values, None])


@relaxed
@given(asking, st.integers(0, 2**64 - 1))
def test_samples(asked: Asked, seed: int) -> None:
    space, everything = asked.space, asked.all
    bands = {asked.one: asked.band(asked.one), asked.other: asked.band(asked.other)}
    inside = everything
    for count in (0, 1, 2):
        budgets = dict(itertools.islice(bands.items(), count))
        if count:
            inside = inside.within(list(bands)[count - 1], *list(bands.values())[count - 1])
        if not len(inside):
            alone = [len(everything.within(metric, *band)) for metric, band in budgets.items()]
            # A gap inside of the other metric's range is found by drawing only.
            with pytest.raises(nl.SpaceError):
                space.sample(3, seed=seed, most_draws=5_000, **asked.how, **budgets)
            assert count == 0 or all(
                space.count(**asked.how, **{metric: band}) == number
                for (metric, band), number in zip(budgets.items(), alone, strict=True)
            )
            return
        sample = space.sample(30, seed=seed, **asked.how, **budgets)
        assert sample.shape == (30, len(space.variables))
        assert {row.tobytes() for row in np.asarray(sample)} <= inside.rows()
        if count < 2:
            assert (sample.acceptance, sample.population) == (1, len(inside))
        else:
            assert 0 < sample.acceptance <= 1
        assert np.array_equal(sample, space.sample(30, seed=seed, **asked.how, **budgets))


@laws
@pytest.mark.parametrize("rejection", [False, True])
@pytest.mark.parametrize("budgets", [1, 2])
def test_samples_are_uniform(law: str, rejection: bool, budgets: int) -> None:
    space = nl.Space()
    depth = space.choice("depth", [1, 2, 3])
    widths = [8, 16, 24]
    x = space.input(1, 4)
    x = space.repeat(
        depth,
        lambda i, x: nl.linear(x, space.choice(f"width{i}", widths), bias=False),
        x,
    )
    space.output(nl.linear(x, 5))
    asked = {"macs": (150, 700), "params": (None, 500)}
    limits = dict(itertools.islice(asked.items(), budgets))
    inside = Everything(space, ("macs", "params"), law)
    for metric, band in limits.items():
        inside = inside.within(metric, *band)
    n = 400 * len(inside)
    sample = space.sample(n, seed=7, law=law, rejection=rejection, **limits)
    counts = Counter(row.tobytes() for row in np.asarray(sample))
    assert set(counts) == inside.rows()
    assert len(inside) > 10
    expected = n / len(inside)
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = len(inside) - 1
    # Of mean `freedom` and variance 2 * freedom: five standard deviations either way.
    assert abs(chi_square - freedom) < 5 * math.sqrt(2 * freedom)


@laws
def test_conditions(law: str) -> None:
    space = nl.Space()
    depth = space.choice("depth", [1, 2])
    first = space.choice("first", [4, 8, 16])
    kind = space.choice("kind", ["small", "large"])
    used = space.choice("used", [False, True], when=kind == "large")
    x = nl.linear(space.input(1, 3), first * depth)
    with space.when(kind == "large"):
        second = space.choice("second", [2, 3])
    space.require(first + depth <= 17, "not too large")
    space.output(x)
    everything = Everything(space, ["params"], law)

    def at(config: dict[str, Any], name: str) -> Any:
        # In a condition an inactive variable counts with its first value.
        return config.get(name, space.variables[name].values[0])

    cases: list[tuple[Any, Any]] = [
        ({"depth": 2}, lambda c: c["depth"] == 2),
        ({"first": [4, 16], "kind": "large"}, lambda c: c["first"] != 8 and c["kind"] == "large"),
        ({"second": 3}, lambda c: c.get("second") == 3),
        ({"second": None}, lambda c: "second" not in c),
        ({"second": [None, 2]}, lambda c: c.get("second") in (None, 2)),
        ({"used": True}, lambda c: c.get("used") is True),
        ({"used": [False, None]}, lambda c: c.get("used") in (None, False)),
        ({"first": np.array([4, 8])}, lambda c: c["first"] < 16),
        ({"first": range(4, 9, 4)}, lambda c: c["first"] < 16),
        ({"first": np.int64(8)}, lambda c: c["first"] == 8),
        ({"first": []}, lambda c: False),
        (first * depth >= 16, lambda c: c["first"] * c["depth"] >= 16),
        (kind == "small", lambda c: c["kind"] == "small"),
        ((first < 9) & (kind != "small"), lambda c: c["first"] < 9 and c["kind"] != "small"),
        (second == 2, lambda c: at(c, "second") == 2),
        ([{"depth": 1}, first != 8], lambda c: c["depth"] == 1 and c["first"] != 8),
        ([{"first": [4, 8]}, {"first": [8, 16]}], lambda c: c["first"] == 8),
        ([], lambda c: True),
        (True, lambda c: True),
        (False, lambda c: False),
        (first * 0 + 1 == 2, lambda c: False),
        (used, lambda c: at(c, "used")),
    ]
    for where, holds in cases:
        expected = everything.where(holds)
        assert space.count(where=where, law=law) == len(expected), where
        if len(expected):
            found = space.distribution("params", where=where, law=law)
            pairs = zip(found.values.tolist(), found.counts.tolist(), strict=True)
            assert dict(pairs) == expected.distribution("params")
            drawn = space.sample(20, seed=1, where=where, law=law, rejection=True)
            assert {row.tobytes() for row in np.asarray(drawn)} <= expected.rows()


def test_conventions() -> None:
    space = nl.Space()
    channels = space.choice("channels", [4, 8])
    x = nl.conv2d(space.input(1, 3, 8, 8), channels, space.choice("kernel", [1, 3]), padding=1)
    space.output(nl.linear(nl.mean(nl.relu(nl.batch_norm(x)), dim=(2, 3)), 10))
    everything = Everything(space, ["flops@ofa", "flops@pycls", "flops"])
    found = space.distribution("flops", conventions="ofa")
    assert found.values.tolist() == sorted(set(everything.costs["flops@ofa"].tolist()))
    assert found.metric == "flops"
    plain = space.distribution("flops")
    assert plain.values.tolist() == sorted(set(everything.costs["flops"].tolist()))
    median = sorted(everything.costs["flops@pycls"].tolist())[1]
    below = {"flops@pycls": (None, median)}
    assert space.count(budgets=below) == 2
    assert space.count(budgets={"flops": (None, median)}, conventions="pycls") == 2
    best = space.maximum("params", budgets=below)
    assert set(best.costs) == {"params", "flops@pycls"}
    both = space.count(budgets={**below, "flops@ofa": (None, 10**9)})
    assert both == 2


def test_a_space_that_grows_is_asked_anew() -> None:
    space = nl.Space()
    width = space.choice("width", [1, 2, 3])
    x = nl.linear(space.input(1, 4), width, bias=False)
    assert space.count(params=(None, 8)) == space.count(params=(None, 8)) == 2
    index = space.index("params")
    x = nl.linear(x, space.choice("more", [1, 2]), bias=False)
    space.output(x)
    expected = Everything(space, ["params"]).within("params", None, 8)
    assert space.count(params=(None, 8)) == len(expected)
    assert index.count(None, 8) == 2
    with pytest.raises(nl.SpaceError, match="the space has changed since the index was made"):
        index.nearest(8)


def test_another_convention_of_the_same_name_is_another_metric() -> None:
    space = nl.Space()
    space.output(nl.linear(space.input(1, 4), space.choice("width", [1, 2, 3]), bias=False))
    counts = []
    for factor in (1, 2):
        own = Convention("own", {"flops": lambda layer, f=factor: f * layer.macs})
        counts.append(space.count(budgets={"flops": (None, 8)}, conventions=own))
    assert counts == [2, 1]


def test_a_size_that_no_digits_know() -> None:
    space = nl.Space()
    numbers = [space.choice(f"n{i}", range(5)) for i in range(7)]
    space.output(nl.linear(space.input(1, 1), 1))
    for left, right in itertools.pairwise(numbers):
        space.require(left + right <= 5, "neighbours are small together")
    # By hand: how many chains end with each value.
    ends = [1] * 5
    for _ in range(6):
        ends = [sum(ends[left] for left in range(5) if left + right <= 5) for right in range(5)]
    assert space.size == space.count() == sum(ends)


def test_pickles_answer_alike() -> None:
    import pickle

    space = nl.Space()
    space.output(nl.linear(space.input(1, 4), space.choice("width", [1, 2, 3])))
    assert space.count(params=(None, 10)) == 2
    again = pickle.loads(pickle.dumps(space))
    assert again.count(params=(None, 10)) == 2
    sample = again.sample(4, params=(None, 10))
    kept = pickle.loads(pickle.dumps(sample))
    assert np.array_equal(kept, sample)
    assert (kept.population, kept.acceptance, kept.exact_metric) == (2, 1, "params")
