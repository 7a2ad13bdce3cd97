"""Random small spaces: the sweep of every configuration is the ledger of its graph."""

from __future__ import annotations

import pickle
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from netledger import NetledgerError
from netledger._results import COLUMNS
from strategies.spaces import MOST_COMBINATIONS, build, recipes

if TYPE_CHECKING:
    import netledger as nl
    from strategies.spaces import Recipe

relaxed = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

#: So many configurations of a space are compared with their graphs.
MOST_GRAPHS = 60


def space_of(recipe: Recipe) -> nl.Space:
    """The space of a recipe, if it makes one that is small."""
    try:
        space = build(recipe)
    except NetledgerError:
        assume(False)
    assume(prod(combinations(space)) <= MOST_COMBINATIONS)
    return space


def combinations(space: nl.Space) -> list[int]:
    """How many values each variable has."""
    return [len(variable.values) for variable in space.variables.values()]


def all_codes(space: nl.Space) -> np.ndarray:
    """Every combination of codes, inactive variables included."""
    sizes = combinations(space)
    if not sizes:
        return np.zeros((1, 0), dtype=np.uint8)
    return np.array(np.unravel_index(np.arange(prod(sizes)), sizes)).T.astype(np.uint8)


def some_codes(space: nl.Space, seed: int) -> np.ndarray:
    """All combinations, or some of them where there are many."""
    codes = all_codes(space)
    if len(codes) <= MOST_GRAPHS:
        return codes
    return codes[np.random.default_rng(seed).choice(len(codes), MOST_GRAPHS, replace=False)]


def counted(space: nl.Space, code: np.ndarray) -> tuple[dict[str, int], str]:
    """What the graph of a configuration costs, or -1 and why there is none."""
    try:
        ledger = space.graph(code).count()
    except NetledgerError as error:
        return dict.fromkeys(COLUMNS, -1), str(error)
    return {metric: ledger.total(metric) for metric in COLUMNS}, ""


@relaxed
@given(recipes(), st.integers(0, 2**32))
def test_sweep_is_the_ledger_of_every_graph(recipe: Recipe, seed: int) -> None:
    space = space_of(recipe)
    codes = some_codes(space, seed)
    costs = space.sweep(codes, metrics=COLUMNS)
    for row, code in enumerate(codes):
        totals, reason = counted(space, code)
        assert costs.valid[row] == (reason == ""), reason
        assert costs.reason(row) == reason
        assert {metric: costs[metric][row] for metric in COLUMNS} == totals


@relaxed
@given(recipes())
def test_positions_are_the_configurations_once_each(recipe: Recipe) -> None:
    space = space_of(recipe)
    codes = all_codes(space)
    costs = space.sweep(codes)
    valid = {tuple(row) for row in space.canonical(codes)[costs.valid].tolist()}
    positions = space.enumerate()
    enumerated = space.sweep_range().costs()
    found = [tuple(row) for row in positions[enumerated.valid].tolist()]
    assert sorted(found) == sorted(valid)
    swept = space.sweep(positions)
    for metric in swept:
        accepted = enumerated.valid
        assert np.array_equal(enumerated[metric][accepted], swept[metric][accepted])
    try:
        size = space.size
    except NetledgerError:
        return
    assert size == len(valid) == space.positions


@relaxed
@given(recipes())
def test_a_pickled_space_is_the_same_space(recipe: Recipe) -> None:
    space = space_of(recipe)
    copy = pickle.loads(pickle.dumps(space))
    assert list(copy.variables) == list(space.variables)
    codes = all_codes(space)
    expected, found = space.sweep(codes, metrics=COLUMNS), copy.sweep(codes, metrics=COLUMNS)
    assert np.array_equal(expected.refusals, found.refusals)
    for metric in COLUMNS:
        assert np.array_equal(expected[metric], found[metric])
    assert copy.__getstate__() == space.__getstate__()


@relaxed
@given(recipes(), st.integers(0, 2**64 - 1))
def test_codes_and_values_and_packed_codes_agree(recipe: Recipe, seed: int) -> None:
    space = space_of(recipe)
    codes = some_codes(space, seed % 2**32)
    costs = space.sweep(codes)
    columns = {
        name: [variable.values[code] for code in column]
        for (name, variable), column in zip(space.variables.items(), codes.T, strict=True)
    }
    if columns:
        by_value = space.sweep(columns)
        assert np.array_equal(by_value.macs, costs.macs)
        assert np.array_equal(by_value.refusals, costs.refusals)
    accepted = codes[costs.valid]
    packed = space.pack(accepted)
    assert np.array_equal(space.unpack(packed), space.canonical(accepted))
    assert np.array_equal(space.sweep(packed).macs, costs.macs[costs.valid])
    for code in accepted[:5]:
        assert np.array_equal(space.encode(space.decode(code)), space.canonical([code])[0])
        assert space.cost(bytes(code)) == space.cost(space.decode(code))
