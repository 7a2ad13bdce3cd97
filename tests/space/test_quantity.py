"""Quantities: arithmetic over choices, and the functions that take numbers of any kind."""

from __future__ import annotations

import itertools
import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import netledger as nl
from netledger.quantity import Choice, Quantity, Rational, RationalChoice, Selection

names = itertools.count()


def values(space: nl.Space, quantity: Any) -> list[int]:
    """What a quantity is for every combination of the variables, in the order of positions."""
    name = f"value {next(names)}"
    space.add_metric(name, quantity)
    return space.sweep(space.enumerate(), metrics=[name])[name].tolist()


def test_arithmetic_is_that_of_the_values() -> None:
    operations = [
        operator.add,
        operator.sub,
        operator.mul,
        operator.floordiv,
        operator.mod,
        operator.eq,
        operator.ne,
        operator.lt,
        operator.le,
        operator.gt,
        operator.ge,
        nl.minimum,
        nl.maximum,
        nl.ceil_divide,
        nl.greatest_common_divisor,
    ]
    a_values, b_values = [3, 8, -5, 12], [2, 5, -3]
    for operation in operations:
        space = nl.Space()
        a, b = space.choice("a", a_values), space.choice("b", b_values)
        expected = [int(operation(x, y)) for x in a_values for y in b_values]
        assert values(space, operation(a, b)) == expected, operation
        expected = [int(operation(7, y)) for _ in a_values for y in b_values]
        assert values(space, operation(7, b)) == expected, operation


def test_what_is_the_same_for_all_is_an_int() -> None:
    space = nl.Space()
    k = space.choice("k", [3, 5, 7])
    assert k - k == 0
    assert type(k * 0) is int
    assert type(nl.minimum(k, 2)) is int
    assert (k % 2, k // k, nl.where(k > 1, 4, k)) == (1, 1, 4)
    one = space.choice("one", [9])
    assert one + 1 == 10
    assert type(one + 1) is int


def test_conditions_combine() -> None:
    space = nl.Space()
    a, b = space.choice("a", [1, 2, 3]), space.choice("b", [1, 2, 3])
    pairs = [(x, y) for x in (1, 2, 3) for y in (1, 2, 3)]
    assert values(space, (a > 1) & (b < 3)) == [int(x > 1 and y < 3) for x, y in pairs]
    assert values(space, (a > 2) | (b == 1)) == [int(x > 2 or y == 1) for x, y in pairs]
    assert values(space, ~(a == b)) == [int(x != y) for x, y in pairs]
    # A number is true where it is not 0.
    assert values(space, (a - 1) & True) == [int(x != 1) for x, y in pairs]
    assert values(space, ~(a - b)) == [int(x == y) for x, y in pairs]


def test_a_quantity_has_no_single_value() -> None:
    space = nl.Space()
    k = space.choice("k", [3, 5])
    for use in (bool, int, float, range, lambda q: [0, 1][q], lambda q: 1 if q > 3 else 2):
        with pytest.raises(nl.SpaceError, match="no single value"):
            use(k)
    with pytest.raises(nl.SpaceError, match=r"dividing by a quantity is // or nl\.ceil_divide"):
        3 / k
    with pytest.raises(TypeError):
        k + "1"
    assert (k == "3") is False


def test_kinds_of_choices() -> None:
    space = nl.Space()
    integers = space.choice("integers", [4, 2, 9])
    numbers = space.choice("numbers", [3, 3.5, 4])
    words = space.choice("words", ["a", "b"])
    mixed = space.choice("mixed", [None, (1, 2), True, 7])
    assert isinstance(integers, Choice)
    assert isinstance(integers, Quantity)
    assert isinstance(numbers, RationalChoice)
    assert isinstance(numbers, Rational)
    assert isinstance(words, Selection)
    assert isinstance(mixed, Selection)
    assert integers.values == (4, 2, 9)
    assert list(space.variables) == ["integers", "numbers", "words", "mixed"]
    assert space.variables["words"] is words


def test_mapping_a_choice() -> None:
    space = nl.Space()
    k = space.choice("k", [3, 5])
    word = space.choice("word", ["a", "b", "c"])
    assert values(space, k.map({3: 10, 5: 20})) == [10, 10, 10, 20, 20, 20]
    assert values(space, word.map(ord)) == [97, 98, 99] * 2
    assert values(space, word == "b") == [0, 1, 0] * 2
    assert values(space, word != "b") == [1, 0, 1] * 2
    assert values(space, word.index) == [0, 1, 2] * 2
    assert values(space, nl.floor(word.map({"a": 1.5, "b": 2, "c": 0.25}) * 4)) == [6, 8, 1] * 2
    other = word.map({"a": "x", "b": "y", "c": "x"})
    assert isinstance(other, Selection)
    assert other.values == ("x", "y")
    assert values(space, other == "x") == [1, 0, 1] * 2
    assert word.map(lambda w: "same") == "same"
    with pytest.raises(nl.SpaceError, match="no entry for the value 'c'"):
        word.map({"a": 1, "b": 2})
    with pytest.raises(nl.SpaceError, match="'d' is not among the values"):
        word == "d"  # noqa: B015


def test_tabulating_a_function() -> None:
    space = nl.Space()
    k = space.choice("k", [3, 5])
    word = space.choice("word", ["a", "b"])
    found = nl.tabulate(lambda a, b, c: a * 10 + len(b) + c, k, word, 4)
    assert values(space, found) == [35, 35, 55, 55]
    table = np.array([[1, 2], [3, 4]])
    assert values(space, nl.tabulate(table, k, word)) == [1, 2, 3, 4]
    with pytest.raises(nl.SpaceError, match="an axis for each choice"):
        nl.tabulate(table, word)
    big = [space.choice(f"x{i}", range(300)) for i in range(2)]
    with pytest.raises(nl.SpaceError, match="90,000 combinations"):
        nl.tabulate(lambda a, b: a, *big)


def usual_make_divisible(value: float, divisor: int, min_value: int | None) -> int:
    """Channel rounding in exact arithmetic."""
    least = divisor if min_value is None else min_value
    exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    rounded = max(least, math.floor(exact + Fraction(divisor, 2)) // divisor * divisor)
    return rounded + divisor if rounded < Fraction(9, 10) * exact else rounded


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.integers(0, 2000) | st.decimals(0, 2000, places=2).map(float),
    st.integers(1, 16),
    st.none() | st.integers(1, 64),
)
def test_functions_of_plain_numbers(value: float, divisor: int, min_value: int | None) -> None:
    expected = usual_make_divisible(value, divisor, min_value)
    assert nl.make_divisible(value, divisor, min_value) == expected
    exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    assert nl.round_to(value) == round(exact)
    assert nl.round_to(value, divisor) == round(exact / divisor) * divisor
    assert (nl.floor(value), nl.ceil(value)) == (math.floor(exact), math.ceil(exact))


def test_functions_of_rationals_are_those_of_the_values() -> None:
    ratios, widths = [0.25, 1.5, 3, 3.5], [16, 20, 33]
    space = nl.Space()
    ratio, width = space.choice("ratio", ratios), space.choice("width", widths)
    pairs = [(Fraction(repr(r)), w) for r in ratios for w in widths]
    product = ratio * width
    assert values(space, nl.floor(product)) == [math.floor(r * w) for r, w in pairs]
    assert values(space, nl.ceil(product)) == [math.ceil(r * w) for r, w in pairs]
    assert values(space, nl.round_to(product)) == [round(r * w) for r, w in pairs]
    assert values(space, nl.round_to(product, 8)) == [round(r * w / 8) * 8 for r, w in pairs]
    assert values(space, nl.make_divisible(product)) == [
        usual_make_divisible(float(r * w), 8, None) for r, w in pairs
    ]
    assert values(space, (width + ratio) // 2) == [math.floor((w + r) / 2) for r, w in pairs]
    assert values(space, (width / 3 - ratio) < 5) == [int(Fraction(w, 3) - r < 5) for r, w in pairs]
    assert values(space, nl.floor(nl.where(width > 16, ratio, 7))) == [
        math.floor(r) if w > 16 else 7 for r, w in pairs
    ]
    with pytest.raises(nl.SpaceError, match="make an integer of it"):
        int(ratio)
    with pytest.raises(nl.SpaceError, match="nan"):
        width * math.nan


def test_functions_of_tensors_are_layers() -> None:
    graph = nl.Graph()
    x = graph.input(2, 3)
    y = nl.maximum(nl.floor(x), nl.where(nl.gt(x, x), x, x))
    assert isinstance(y, nl.Tensor)
    assert [graph.engine.node(i).op for i in range(len(graph))] == [
        "floor",
        "gt",
        "where",
        "maximum",
    ]
    with pytest.raises(TypeError):
        nl.floor(3, name="x")


def test_quantities_of_two_spaces_do_not_mix() -> None:
    one, other = nl.Space(), nl.Space()
    k, n = one.choice("k", [3, 5]), other.choice("n", [1, 2])
    with pytest.raises(nl.SpaceError, match="belongs to another space"):
        k + n
    with pytest.raises(nl.SpaceError, match="belongs to another space"):
        nl.conv2d(one.input(1, 3, 8, 8), n, 3)
    with pytest.raises(nl.SpaceError, match="belongs to another space"):
        one.input(1, n)
    x = other.input(1, 3, 8, 8)
    with pytest.raises(nl.NetledgerError, match="belongs to another space"):
        one.add("relu", x)
