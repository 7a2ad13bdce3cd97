"""The compiled core and the plain-Python twin count random spaces alike, and draw the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from netledger import NetledgerError, _journal, _pure
from netledger._alias import mask_tables
from netledger._results import COLUMNS
from strategies.spaces import MOST_COMBINATIONS, build, recipes

if TYPE_CHECKING:
    from strategies.spaces import Recipe

_core = pytest.importorskip("netledger._core")
if not hasattr(_core, "Space"):
    pytest.skip("the core counts no spaces", allow_module_level=True)

relaxed = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

#: So many rows are compared.
ROWS = 40


class Recorded:
    """A space built on one engine, or the kind of error that its building ends with."""

    def __init__(self, engine: Any, recipe: Recipe) -> None:
        used = _journal.SpaceEngine
        _journal.SpaceEngine = engine
        try:
            self.space: Any = build(recipe)
            self.kind = ""
        except NetledgerError as error:
            self.kind = type(error).__name__
        finally:
            _journal.SpaceEngine = used

    def plan(self, metrics: Any = COLUMNS) -> Any:
        """What counts the space."""
        return self.space.engine.target.compile(list(metrics))


def both(recipe: Recipe) -> tuple[Recorded, Recorded]:
    """A recipe on the core and on the twin, of which both make a space of the same outline."""
    core, twin = Recorded(_core.Space, recipe), Recorded(_pure.Space, recipe)
    # Where sizes that are refused already make the difference, one may refuse a layer at once and
    # the other each configuration: only spaces that both can build are compared.
    assume(not core.kind and not twin.kind)
    sizes = [len(variable.values) for variable in core.space.variables.values()]
    assume(np.prod([float(size) for size in sizes]) <= MOST_COMBINATIONS)
    return core, twin


def outcome(call: Any, *arguments: Any) -> Any:
    """What a call gives, in plain lists, or the error."""
    try:
        found = call(*arguments)
    except NetledgerError as error:
        return f"{type(error).__name__}: {error}"
    return plain(found)


def plain(value: Any) -> Any:
    """Arrays as lists, with their dtypes."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple | list) else value


def refuses(twin: Recorded) -> bool:
    """Whether some configurations are refused.

    Then the two may fold sizes and group variables into digits in different ways: what a layer
    would make of sizes that are refused already is of interest to neither, but is not the same.
    """
    return bool(twin.plan(()).refusing_scopes)


@relaxed
@given(recipes())
def test_the_same_space_comes_of_a_recipe(recipe: Recipe) -> None:
    core, twin = both(recipe)
    assert list(core.space.variables) == list(twin.space.variables)
    assume(not refuses(twin))
    engines = core.space.engine.target, twin.space.engine.target
    assert engines[0].steps == engines[1].steps
    assert len(engines[0]) == len(engines[1])
    for name in ("name", "size", "minimum", "maximum"):
        assert [getattr(v, name) for v in engines[0].variables] == [
            getattr(v, name) for v in engines[1].variables
        ]
    assert core.space.__getstate__() == twin.space.__getstate__()


@relaxed
@given(recipes(), st.integers(0, 2**64 - 1))
def test_candidates_and_costs(recipe: Recipe, seed: int) -> None:
    recorded = both(recipe)
    core, twin = (entry.plan() for entry in recorded)
    assert [tuple(group) for group in core.groups] == twin.groups
    assert outcome(core.random, ROWS, seed, "genes") == outcome(twin.random, ROWS, seed, "genes")
    names = ["canonical", "hash", "unique"]
    if not refuses(recorded[1]):
        names.append("pack")
        assert [(tuple(variables), size) for variables, size in core.digits] == twin.digits
        assert core.exact_digits == twin.exact_digits
        drawn = [outcome(plan.random, ROWS, seed, "architectures") for plan in (core, twin)]
        assert drawn[0] == drawn[1]
    sizes = [len(variable.values) for variable in recorded[1].space.variables.values()]
    codes = np.random.default_rng(seed).integers(0, sizes or 0, (ROWS, len(sizes)), dtype=np.uint8)
    for name in names:
        assert outcome(getattr(core, name), codes) == outcome(getattr(twin, name), codes), name
    (columns, refusals), (expected, expected_refusals) = core.sweep(codes), twin.sweep(codes)
    assert plain(columns) == plain(expected)
    steps = [entry.space.engine.target.steps for entry in recorded]
    if steps[0] == steps[1]:
        assert plain(refusals) == plain(expected_refusals)
    assert np.array_equal(refusals == 0, expected_refusals == 0)
    tables = [mask_tables([0.25] * len(group)) for group in twin.groups]
    assert outcome(core.mutate, codes, seed, tables) == outcome(twin.mutate, codes, seed, tables)
    assert outcome(core.crossover, codes, codes[::-1], seed) == outcome(
        twin.crossover, codes, codes[::-1], seed
    )
    for code in codes[:5].tolist():
        assert outcome(core.cost, tuple(code)) == outcome(twin.cost, tuple(code))


@relaxed
@given(recipes(), st.integers(0, 2**64 - 1), st.integers(0, 3), st.booleans())
def test_reductions(recipe: Recipe, seed: int, kind: int, largest: bool) -> None:
    recorded = both(recipe)
    assume(kind < 2 or not refuses(recorded[1]))
    core, twin = (entry.plan(("params", "macs")) for entry in recorded)
    count = min(int(np.prod([size for _, size in twin.digits])), ROWS)
    sizes = [len(variable.values) for variable in recorded[1].space.variables.values()]
    codes = np.random.default_rng(seed).integers(0, sizes or 0, (ROWS, len(sizes)), dtype=np.uint8)

    def source(plan: Any) -> Any:
        start = [0] * len(plan.digits)
        return [
            lambda: plan.codes_source(codes),
            lambda: plan.random_source(ROWS, seed, "genes", 3),
            lambda: plan.range_source(start, count),
            lambda: plan.packed_source(plan.pack(plan.enumerate(start, count))),
        ][kind]()

    budgets = [("params", 3, 4000), ("macs", None, 10**6)]
    edges = np.array([0, 100, 5000, 10**5], dtype=np.int64)
    for ask in (
        lambda plan: plan.columns(source(plan)),
        lambda plan: plan.histogram(source(plan), "macs", edges, budgets),
        lambda plan: plan.top_k(source(plan), "macs", 5, largest, budgets),
        lambda plan: plan.pareto(source(plan), ["params", "macs"], [largest, False], budgets),
        lambda plan: plan.filter(source(plan), budgets, 7),
        lambda plan: plan.extremes(source(plan), ["params", "macs"], budgets),
    ):
        assert outcome(ask, core) == outcome(ask, twin)
