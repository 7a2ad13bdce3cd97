"""The compiled core and the plain-Python twin answer questions about random spaces alike."""

from __future__ import annotations

import contextlib
import itertools
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from netledger import NetledgerError, SpaceError, _journal, _pure
from strategies import spaces, tables

if TYPE_CHECKING:
    from collections.abc import Callable

_core = pytest.importorskip("netledger._core")
if not hasattr(_core.Plan, "query"):
    pytest.skip("the core answers no questions", allow_module_level=True)

LAWS = ("architectures", "genes")
MOST_ROWS = 2_000

relaxed = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
few, many = settings(relaxed, max_examples=150), settings(relaxed, max_examples=500)


def built(engine: Any, build: Callable[[Any], Any], recipe: Any) -> Any:
    """A space on one engine."""
    used = _journal.SpaceEngine
    _journal.SpaceEngine = engine
    try:
        return build(recipe)
    except NetledgerError:
        return None
    finally:
        _journal.SpaceEngine = used


class Pair:
    """The same questions on the core and on the twin."""

    def __init__(
        self, build: Callable[[Any], Any], recipe: Any, metrics: list[str], draw: random.Random
    ) -> None:
        core, twin = built(_core.Space, build, recipe), built(_pure.Space, build, recipe)
        # What sizes that are refused already would make may be refused at once by one of them.
        assume(core is not None and twin is not None)
        self.sizes = [len(variable.values) for variable in core.variables.values()]
        assume(np.prod(self.sizes, dtype=object) <= MOST_ROWS)
        self.plans = [space._plan(tuple(metrics)) for space in (core, twin)]
        self.metrics = metrics
        self.law = draw.choice(LAWS)
        self.restrictions = self._restrictions(draw)
        self.constraints = self._constraints(draw)
        self.draw = draw

    def _restrictions(self, draw: random.Random) -> list[Any]:
        return [
            (
                number,
                sorted(draw.sample(range(self.sizes[number]), draw.randint(0, self.sizes[number]))),
                draw.random() < 0.5,
            )
            for number in range(len(self.sizes))
            if draw.random() < 0.15
        ]

    def _constraints(self, draw: random.Random) -> list[Any]:
        if not self.sizes or draw.random() < 0.6:
            return []
        scope = sorted(
            draw.sample(range(len(self.sizes)), min(draw.randint(1, 3), len(self.sizes)))
        )
        entries = int(np.prod([self.sizes[number] for number in scope]))
        return [(tuple(scope), bytes(draw.random() < 0.7 for _ in range(entries)))]

    def queries(self, metrics: list[str]) -> tuple[Any, Any]:
        """The query on both."""
        core, twin = (
            plan.query(metrics, self.law, self.restrictions, self.constraints)
            for plan in self.plans
        )
        return core, twin

    def limits(self, values: list[int]) -> list[int]:
        """Values, what lies next to them, and what lies beyond."""
        chosen = self.draw.sample(values, min(len(values), 5))
        near = [value + offset for value in chosen for offset in (-1, 0, 1)]
        return sorted({*near, -(2**62), 2**62, 0})

    def band(self, values: list[int]) -> tuple[int | None, int | None]:
        """A band that holds something or nothing."""
        low, high = sorted(self.draw.choices(self.limits(values), k=2))
        return (
            None if self.draw.random() < 0.2 else low,
            None if self.draw.random() < 0.2 else high,
        )

    def costs(self, row: Any) -> tuple[int, ...]:
        """What a row of codes costs, by the twin's count of one configuration."""
        found = self.plans[1].cost(row)
        assert found is not None
        return tuple(found[name] for name in self.metrics)


def as_dict(found: tuple[Any, ...]) -> dict[int, int]:
    """A distribution of either form."""
    if len(found) == 2:
        values, counts = found
        assert values.dtype == np.int64
        assert (np.diff(values) > 0).all()
        assert (counts > 0).all()
        pairs = zip(values.tolist(), counts.tolist(), strict=True)
    else:
        start, step, counts = found
        pairs = zip(itertools.count(start, step), counts.tolist(), strict=False)
    return {value: int(count) for value, count in pairs if count}


def plain(value: Any) -> Any:
    """Arrays as lists."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return tuple(map(plain, value)) if isinstance(value, tuple | list) else value


def outcome(call: Callable[[], Any]) -> Any:
    """What a call gives, or that it is refused."""
    try:
        return plain(call())
    except SpaceError:
        return "SpaceError"


def compare_counts(pair: Pair, metric: str) -> None:
    """Questions about one metric."""
    core, twin = pair.queries([metric])
    assert core.size == twin.size
    assert core.moments() == twin.moments()
    found = as_dict(twin.distribution())
    values = list(found)
    assert as_dict(core.distribution()) == found
    limits = pair.limits(values)
    expected = twin.cumulative(limits)
    assert list(core.cumulative(limits)) == expected
    for limit in limits:
        assert tuple(core.nearest(limit)) == twin.nearest(limit)
    start, width, count = pair.draw.choice(limits), pair.draw.choice([1, 2, 7, 1000]), 9
    assert list(core.bins(start, width, count)) == twin.bins(start, width, count)
    core.prepare()
    assert core.prepared
    assert list(core.cumulative(limits, 2)) == expected
    assert as_dict(core.distribution(2)) == found
    assert list(core.bins(start, width, count)) == twin.bins(start, width, count)
    for limit in limits:
        assert tuple(core.nearest(limit)) == twin.nearest(limit)


def compare_rows(pair: Pair, metric: str) -> None:
    """Configurations that are found or drawn."""
    core, twin = pair.queries([metric])
    place = pair.metrics.index(metric)
    accepted = {
        configuration.row: configuration.costs[0] for configuration in twin._configurations()
    }
    for largest in (False, True):
        one, other = core.extreme(largest), twin.extreme(largest)
        assert (one is None) == (other is None)
        if one is not None:
            assert one[0] == other[0]
            assert accepted[tuple(one[1].tolist())] == one[0]
            assert pair.costs(one[1])[place] == one[0]
    values = sorted(set(accepted.values()))
    for value in pair.limits(values):
        row = core.find(value)
        assert (row is None) == (twin.find(value) is None)
        if row is not None:
            assert row.dtype == pair.plans[0].code_dtype
            assert accepted[tuple(row.tolist())] == value
    for is_prepared in (False, True):
        if is_prepared:
            core.prepare()
        low, high = pair.band(values)
        inside = {r for r, v in accepted.items() if _within(v, low, high)}
        if not inside:
            with pytest.raises(SpaceError):
                core.sample(3, 1, low, high)
            assert core.sample(0, 1, low, high).shape == (0, len(pair.sizes))
        else:
            drawn = core.sample(50, pair.draw.getrandbits(64), low, high)
            assert drawn.shape == (50, len(pair.sizes))
            assert drawn.dtype == pair.plans[0].code_dtype
            assert {tuple(row) for row in drawn.tolist()} <= inside
        assert plain(core.marginals(low, high)) == plain(twin.marginals(low, high))


def _within(value: int, low: int | None, high: int | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def compare_pairs(pair: Pair) -> None:
    """Questions about two metrics."""
    metrics = pair.metrics[:: pair.draw.choice([1, -1])]
    core, twin = pair.queries(metrics)
    found = twin._configurations()
    values = [sorted({c.costs[place] for c in found}) for place in (0, 1)]
    costs = {c.row: c.costs for c in found}
    for _ in range(4):
        band, other = pair.band(values[0]), pair.band(values[1])
        assert core.joint(*band, *other) == twin.joint(*band, *other)
        for largest in (False, True):
            one, expected = core.best(largest, *band), twin.best(largest, *band)
            assert (one is None) == (expected is None)
            if one is not None:
                assert one[0] == expected[0]
                assert costs[tuple(one[2].tolist())] == (one[1], one[0])
                assert _within(one[1], *band)
    for signs in itertools.product((False, True), repeat=2):
        first, second, codes = core.pareto(*signs)
        expected_front = twin.pareto(*signs)
        assert first.dtype == second.dtype == np.int64
        assert first.tolist() == expected_front[0].tolist()
        assert second.tolist() == expected_front[1].tolist()
        assert [costs[tuple(row)] for row in codes.tolist()] == list(
            zip(first.tolist(), second.tolist(), strict=True)
        )


@many
@given(tables.recipes(), st.randoms(use_true_random=False))
def test_counts_of_tables(recipe: Any, draw: random.Random) -> None:
    pair = Pair(tables.build, recipe, ["first", "second"], draw)
    compare_counts(pair, "first")


@many
@given(tables.recipes(), st.randoms(use_true_random=False))
def test_rows_of_tables(recipe: Any, draw: random.Random) -> None:
    pair = Pair(tables.build, recipe, ["first", "second"], draw)
    compare_rows(pair, "second")


@many
@given(tables.recipes(), st.randoms(use_true_random=False))
def test_pairs_of_tables(recipe: Any, draw: random.Random) -> None:
    compare_pairs(Pair(tables.build, recipe, ["first", "second"], draw))


@few
@given(spaces.recipes(), st.randoms(use_true_random=False))
def test_counts_of_layers(recipe: Any, draw: random.Random) -> None:
    compare_counts(Pair(spaces.build, recipe, ["params", "macs"], draw), "macs")


@few
@given(spaces.recipes(), st.randoms(use_true_random=False))
def test_rows_of_layers(recipe: Any, draw: random.Random) -> None:
    compare_rows(Pair(spaces.build, recipe, ["params", "macs"], draw), "params")


@few
@given(spaces.recipes(), st.randoms(use_true_random=False))
def test_pairs_of_layers(recipe: Any, draw: random.Random) -> None:
    compare_pairs(Pair(spaces.build, recipe, ["params", "macs"], draw))


@few
@given(tables.recipes(), st.randoms(use_true_random=False))
def test_tables_go_and_come_back(recipe: Any, draw: random.Random) -> None:
    pair = Pair(tables.build, recipe, ["first", "second"], draw)
    for plan in pair.plans:
        first, second = (
            plan.query(["first"], pair.law, pair.restrictions, pair.constraints) for _ in range(2)
        )
        assert first.fingerprint == second.fingerprint
        assert 0 <= first.fingerprint < 2**64
        first.prepare()
        second.restore({name: table.copy() for name, table in first.tables().items()})
        assert second.prepared
        assert second.bytes == first.bytes
        limits = pair.limits(list(as_dict(first.distribution())))
        assert list(second.cumulative(limits)) == list(first.cumulative(limits))
        if second.size:
            drawn = [query.sample(20, 5, None, None).tolist() for query in (first, second)]
            assert drawn[0] == drawn[1]
        for name, table in first.tables().items():
            other = plan.query(["first"], pair.law, pair.restrictions, pair.constraints)
            without = {key: value for key, value in first.tables().items() if key != name}
            longer = np.append(table.ravel(), np.zeros(1, table.dtype))
            for wrong in (without, {**without, name: longer}):
                with pytest.raises(SpaceError):
                    other.restore(wrong)
                assert not other.prepared


def small_plans(metrics: list[str]) -> list[Any]:
    recipe: Any = (
        (3, 4, 2),
        (None, None, (0, 1)),
        (((0,), 1, (0, 9, 1)), ((0, 1), 2, (0, 9, 1)), ((1, 2), 3, (0, 9, 1))),
        (((2,), 4, (0, 9, 1)),),
        (),
    )
    return [
        built(engine, tables.build, recipe)._plan(tuple(metrics))
        for engine in (_core.Space, _pure.Space)
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        (["first"], "both"),
        (["third"], "genes"),
        (["first", "second", "first"], "genes"),
        (["first"], "genes", [(3, [0], False)]),
        (["first"], "genes", [(0, [3], False)]),
        (["first"], "genes", [], [((1, 0), bytes(12))]),
        (["first"], "genes", [], [((0, 1), bytes(11))]),
        (["first"], "genes", [], [((0, 3), bytes(12))]),
    ],
)
def test_both_refuse_what_is_wrong(arguments: Any) -> None:
    for plan in small_plans(["first", "second"]):
        with pytest.raises(SpaceError):
            plan.query(*arguments)


def test_both_refuse_a_law_in_the_same_words() -> None:
    for plan in small_plans(["first"]):
        with pytest.raises(SpaceError, match="law is 'genes' or 'architectures', got 'x'"):
            plan.query(["first"], "x")


def test_both_refuse_questions_without_their_metrics() -> None:
    for plan in small_plans(["first", "second"]):
        none, one = plan.query([], "genes"), plan.query(["first"], "genes")
        assert none.size == one.size == 24
        assert len(none.sample(5, 0, None, None)) == 5
        assert outcome(lambda: none.marginals(None, None)) == outcome(  # noqa: B023
            lambda: one.marginals(None, None)  # noqa: B023
        )
        for ask in (
            lambda: none.extreme(False),  # noqa: B023
            lambda: none.cumulative([3]),  # noqa: B023
            lambda: none.sample(5, 0, 1, 2),  # noqa: B023
            lambda: one.joint(None, None, None, None),  # noqa: B023
            lambda: one.best(False, None, None),  # noqa: B023
            lambda: one.pareto(False, False),  # noqa: B023
        ):
            assert outcome(ask) == "SpaceError"


def test_fingerprints_tell_problems_apart() -> None:
    for plan in small_plans(["first", "second"]):
        asked = [
            (["first"], "genes"),
            (["second"], "genes"),
            (["first"], "architectures"),
            (["first"], "genes", [(0, [0, 1], False)]),
            (["first"], "genes", [(0, [1, 2], False)]),
            (["first"], "genes", [(2, [0], True)]),
            (["first"], "genes", [(2, [0], False)]),
            (["first"], "genes", [], [((0,), b"\1\0\1")]),
        ]
        assert len({plan.query(*arguments).fingerprint for arguments in asked}) == len(asked)


@pytest.mark.parametrize("what", ["prepare", "cumulative", "distribution", "sample", "joint"])
def test_progress_may_raise(what: str) -> None:
    def interrupt(done: int) -> None:
        assert 0 <= done <= 1000
        raise KeyboardInterrupt

    for plan in small_plans(["first", "second"]):
        query = plan.query(["first", "second"] if what == "joint" else ["first"], "genes")
        arguments: tuple[Any, ...] = {
            "cumulative": ([5],),
            "sample": (3, 1, 2, 30),
            "joint": (1, 20, None, 4),
        }.get(what, ())
        # Whether a short answer tells of its progress is left open.
        with contextlib.suppress(KeyboardInterrupt):
            getattr(query, what)(*arguments, 1, interrupt)
        assert query.size == plan.query(["first"], "genes").size
