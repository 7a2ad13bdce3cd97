"""What is asked of a space but cannot be: errors with the facts."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import netledger as nl


@pytest.fixture
def space() -> nl.Space:
    """Two variables, a kernel and an activation."""
    space = nl.Space()
    kernel = space.choice("kernel", [3, 5, 7])
    x = nl.conv2d(space.input(1, 3, 16, 16), 4, kernel, bias=False)
    space.output(space.switch("act", {"relu": nl.relu, "none": lambda x: x}, x))
    return space


def codes(*rows: tuple[int, ...], dtype: Any = np.uint8) -> np.ndarray:
    """A matrix of codes."""
    return np.array(rows, dtype=dtype)


BAD_CODES = [
    (
        codes((0, 0), (1, 1), (3, 0)),
        "row 2: variable 'kernel' has 3 choices, coded 0 to 2; got 3",
    ),
    (
        codes((0, 2), (9, 0)),
        "row 0: variable 'act' has 2 choices, coded 0 to 1; got 2",
    ),
    (
        codes((0, 300), dtype=np.uint16),
        "row 0: variable 'act' has 2 choices, coded 0 to 1; got 300",
    ),
    (
        [[0, 0], [-1, 0]],
        "row 1: variable 'kernel' has 3 choices, coded 0 to 2; got -1",
    ),
    (
        [[0, 2**40]],
        f"row 0: variable 'act' has 2 choices, coded 0 to 1; got {2**40}",
    ),
    (codes((0, 0, 0)), "codes have 3 columns; expected 2"),
    (codes((0,)), "codes have 1 columns; expected 2"),
    (np.zeros(2, dtype=np.uint8), r"codes have two dimensions, (rows, variables), got 1"),
    (np.zeros((1, 2)), "codes are of dtype uint8 or uint16, got float64"),
    (np.zeros((1, 2), dtype=np.int64), "codes are of dtype uint8 or uint16, got int64"),
    ([[0.5, 1]], "codes are integers, got float64"),
    (np.full((1, 2), np.nan), "codes are of dtype uint8 or uint16, got float64"),
]


@pytest.mark.parametrize(("given", "message"), BAD_CODES)
@pytest.mark.parametrize(
    "use", ["sweep", "over", "canonical", "hash", "unique", "pack", "mutate", "crossover"]
)
def test_bad_codes(space: nl.Space, use: str, given: Any, message: str) -> None:
    calls = {
        "crossover": lambda: space.crossover(given, given),
        "over": lambda: space.over(given).costs(),
    }
    with pytest.raises(nl.SpaceError) as caught:
        calls.get(use, lambda: getattr(space, use)(given))()
    assert str(caught.value) == message


BAD_COLUMNS = [
    ({"kernel": [3], "acts": ["relu"]}, "unknown variable 'acts'; the space has kernel, act"),
    (
        {"kernel": [3, 4], "act": "relu"},
        "row 1: 4 is not among the values of 'kernel': 3, 5, 7",
    ),
    (
        {"kernel": np.array([3, 5, 6]), "act": "relu"},
        "row 2: 6 is not among the values of 'kernel': 3, 5, 7",
    ),
    (
        {"kernel": np.array([3.0, np.nan]), "act": "relu"},
        "row 1: nan is not among the values of 'kernel': 3, 5, 7",
    ),
    (
        {"kernel": [3, 3.5], "act": "relu"},
        "row 1: 3.5 is not among the values of 'kernel': 3, 5, 7",
    ),
    (
        {"kernel": [3], "act": ["tanh"]},
        "row 0: 'tanh' is not among the values of 'act': 'relu', 'none'",
    ),
    ({"kernel": [3]}, "row 0: variable 'act' is active but has no value"),
    ({"kernel": [3, 3], "act": ["relu", None]}, "row 1: variable 'act' is active but has no value"),
    (
        {"kernel": [3, 5], "act": ["relu"]},
        "columns are of one length, but 'kernel' has 2 rows and 'act' 1",
    ),
    ({"kernel": [{}], "act": "relu"}, "row 0: {} is not among the values of 'kernel': 3, 5, 7"),
]


@pytest.mark.parametrize(("given", "message"), BAD_COLUMNS)
def test_bad_columns(space: nl.Space, given: Any, message: str) -> None:
    with pytest.raises(nl.SpaceError) as caught:
        space.sweep(given)
    assert str(caught.value) == message


def test_bad_encoded_columns(space: nl.Space) -> None:
    found = space.sweep({"kernel": [0, 2], "act": [1, 0]}, encoded=True)
    assert found.params.tolist() == [108, 588]
    with pytest.raises(nl.SpaceError, match=r"row 1: .* has 3 choices, coded 0 to 2; got 3"):
        space.sweep({"kernel": [0, 3], "act": 0}, encoded=True)
    with pytest.raises(nl.SpaceError, match="'kernel' must be an integer, got nan"):
        space.sweep({"kernel": [0, np.nan], "act": 0}, encoded=True)


def test_one_configuration(space: nl.Space) -> None:
    expected = {"params": 300, "macs": 300 * 144}
    assert space.cost([1, 0]) == space.cost((1, 0)) == space.cost(bytes([1, 0])) == expected
    assert space.cost(codes((1, 0))[0]) == space.cost({"kernel": 5, "act": "relu"}) == expected
    assert type(space.cost((1, 0))["macs"]) is int
    for _ in range(2):
        with pytest.raises(nl.SpaceError, match=r"row 0: .* has 2 choices, coded 0 to 1; got 2"):
            space.cost((1, 2))
        with pytest.raises(nl.SpaceError, match="codes have 3 columns; expected 2"):
            space.cost((1, 1, 1))
    with pytest.raises(nl.SpaceError, match="unknown variable 'x'"):
        space.cost({"x": 1})
    for use in (space.graph, space.decode):
        with pytest.raises(nl.SpaceError, match="has 3 choices, coded 0 to 2; got 3"):
            use([3, 0])
        with pytest.raises(nl.SpaceError, match="codes have 1 columns; expected 2"):
            use([1])
        with pytest.raises(nl.SpaceError, match="codes are integers"):
            use([0.5, 1])


def test_metrics_and_conventions_that_do_not_exist(space: nl.Space) -> None:
    with pytest.raises(nl.SpaceError, match="unknown metric 'mac'; there are params, "):
        space.sweep(codes((0, 0)), metrics=["mac"])
    with pytest.raises(nl.SpaceError, match="unknown convention 'fvcor'; there are textbook, macs"):
        space.sweep(codes((0, 0)), conventions="fvcor")
    with pytest.raises(nl.SpaceError, match="convention 'xautodl' does not define 'macs'"):
        space.sweep(codes((0, 0)), metrics=["macs"], conventions="xautodl")
    with pytest.raises(nl.SpaceError, match="unknown convention"):
        space.cost((0, 0), metrics=["flops@nobody"])
    costs = space.sweep(codes((0, 0)))
    with pytest.raises(KeyError, match="no metric 'flops' was counted; there are params, macs"):
        costs["flops"]
    with pytest.raises(AttributeError):
        _ = costs.flops


def test_an_empty_batch(space: nl.Space) -> None:
    for empty in (np.zeros((0, 2), dtype=np.uint8), [], {"kernel": [], "act": []}):
        costs = space.sweep(empty)
        assert len(costs) == 0
        assert costs.macs.dtype == np.int64
        assert costs.valid.shape == (0,)
    assert space.random(0).shape == (0, 2)
    assert space.mutate(np.zeros((0, 2), dtype=np.uint8)).shape == (0, 2)
    assert space.over(np.zeros((0, 2), dtype=np.uint8)).histogram("macs").counts.sum() == 0


def test_any_layout_is_read(space: nl.Space) -> None:
    rows = space.enumerate()
    expected = space.sweep(rows).macs
    wide = np.zeros((2 * len(rows), 6), dtype=np.uint16)
    wide[::2, ::3] = rows
    for layout in (
        np.asfortranarray(rows),
        rows.astype(np.uint16),
        wide[::2, ::3],
        rows[::-1][::-1],
        rows.astype(">u2"),
    ):
        assert np.array_equal(space.sweep(layout).macs, expected)
    assert np.array_equal(space.sweep(rows[::-1]).macs, expected[::-1])
    read_only = rows.copy()
    read_only.flags.writeable = False
    assert np.array_equal(space.sweep(read_only).macs, expected)


def test_bad_declarations() -> None:
    space = nl.Space()
    space.choice("k", [1, 2])
    for call, message in [
        (lambda: space.choice("k", [3]), "variable 'k' is declared twice"),
        (lambda: space.choice("n", []), "choice 'n' has no values"),
        (lambda: space.choice("n", [1, 2, 1]), "choice 'n' lists 1 twice"),
        (lambda: space.choice("n", [{}, 1]), "choice 'n': a value must be hashable, got {}"),
        (lambda: space.choice("", [1]), "a variable's name is a text, got ''"),
        (lambda: space.choice(3, [1]), "a variable's name is a text, got 3"),
        (lambda: space.choice("n", range(70_000)), "choice 'n' has 70,000 values"),
        (lambda: space.integer("n", 5, 4), "integer 'n' has no values: 4 is below 5"),
        (lambda: space.integer("n", 1, 4, 0), "integer 'n': step must be positive, got 0"),
        (lambda: space.free("n", 5, 4), "variable 'n' has no values: its minimum 5"),
    ]:
        with pytest.raises(nl.SpaceError) as caught:
            call()
        assert str(caught.value).startswith(message)
    assert list(space.variables) == ["k"]
    assert space.integer("n", 4, 10, 3).values == (4, 7, 10)
    with pytest.raises(nl.SpaceError, match="a size must not be negative, got -1"):
        space.input(1, space.variables["k"] - 2)


def test_bad_numbers(space: nl.Space) -> None:
    rows = space.enumerate()
    for call, message in [
        (lambda: space.random(-1), "n must be an integer that is not negative, got -1"),
        (lambda: space.random(2.0), "n must be an integer that is not negative, got 2.0"),
        (lambda: space.random(2, seed=0.5), "seed must be an integer, got 0.5"),
        (lambda: space.random(2, law="nets"), "law is 'genes' or 'architectures', got 'nets'"),
        (lambda: space.mutate(rows, 1.5), "the rate of 'kernel' must be from 0 to 1, got 1.5"),
        (lambda: space.mutate(rows, float("nan")), "the rate of 'kernel' must be from 0 to 1"),
        (lambda: space.mutate(rows, {"k": 0.5}), "unknown variable 'k'"),
        (lambda: space.crossover(rows, rows[1:]), "parents come in pairs, got 6 rows and 5 rows"),
        (lambda: space.enumerate(2, 7), "the range 2 to 7 does not lie within the 6 positions"),
        (lambda: space.enumerate(-1), "the range -1 to 6 does not lie within the 6 positions"),
        (lambda: space.sweep(rows, threads=0), "threads must be a positive integer, got 0"),
        (lambda: space.unpack(nl.costs.Packed(rows)), "packed codes are of dtype uint16"),
        (
            lambda: space.unpack(nl.costs.Packed(codes((0, 2), dtype=np.uint16))),
            "row 0: digit 1 has 2 choices, coded 0 to 1; got 2",
        ),
    ]:
        with pytest.raises(nl.SpaceError) as caught:
            call()
        assert str(caught.value).startswith(message), caught.value


def test_numbers_that_pass_64_bits() -> None:
    space = nl.Space()
    width = space.choice("width", [2**20, 2**44])
    nl.linear(space.input(2**10, width), 2**10, name="wide")
    costs = space.sweep({"width": [2**20, 2**44]})
    assert costs.valid.tolist() == [True, False]
    assert costs.reason(1) == (
        f"layer 'wide' (linear): a count does not fit a 64-bit integer; input shapes "
        f"({2**10}, {2**44})"
    )
    with pytest.raises(nl.CountOverflowError, match="'wide'"):
        space.cost([1])
    with pytest.raises(nl.CountOverflowError, match="'wider'"):
        nl.linear(space.input(2**20, width * 2), 2**22, name="wider")

    space = nl.Space()
    width = space.choice("width", [2**39, 2**40])
    x = space.input(1, width)
    for _ in range(10):
        nl.linear(x, 2**21)
    with pytest.raises(nl.CountOverflowError, match="'macs' can pass 64 bits in this space"):
        space.sweep({"width": [2**39]}, metrics=["macs"])
    assert space.sweep({"width": [2**39]}, metrics=["outputs"]).outputs.tolist() == [10 * 2**21]


def test_pickles_of_other_versions_are_refused(space: nl.Space) -> None:
    state = space.__getstate__()
    assert state["version"] == 1
    with pytest.raises(nl.SpaceError, match="a space of version 2 cannot be loaded"):
        nl.Space.__new__(nl.Space).__setstate__({**state, "version": 2})
    with pytest.raises(TypeError, match="pickle the space"):
        pickle.dumps(space.variables["kernel"])
