"""Questions that have no answer, and what is said of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import netledger as nl


def chain() -> nl.Space:
    """36 networks: two linear layers, the second only where it is used."""
    space = nl.Space()
    first = space.choice("first", [8, 16, 24, 32])
    used = space.choice("used", [False, True])
    x = nl.linear(space.input(1, 10), first, bias=False)
    with space.when(used):
        y = nl.linear(x, space.choice("second", range(1, 9)), bias=False)
    space.output(space.pick(used, [x, y]))
    return space


@pytest.fixture(scope="module")
def space() -> nl.Space:
    return chain()


#: A call, and what its refusal says.
WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("count", (), {"macs": 5}, r"a budget is a pair, \(macs at least, macs at most\), got 5"),
    ("count", (), {"macs": "ab"}, "a budget is a pair"),
    ("count", (), {"macs": ("1", "2")}, "a budget is a pair"),
    ("count", (), {"macs": (1, 2, 3)}, "a budget is a pair"),
    ("count", (), {"macs": (None, math.nan)}, "the budget of 'macs' is nan"),
    ("count", (), {"macs": (math.inf, None)}, "the budget of 'macs' is inf"),
    ("count", (), {"macs": (None, -math.inf)}, "the budget of 'macs' is -inf"),
    ("count", (), {"frobs": (1, 2)}, "unknown metric 'frobs'; there are params, "),
    ("count", (), {"budgets": {"macs": (1, 2)}, "macs": (1, 2)}, "there are two budgets of 'macs'"),
    (
        "count",
        (),
        {"macs": (1, 2), "params": (1, 2), "flops": (1, 2)},
        "count takes at most two budgets, got macs, params, flops",
    ),
    ("count", (), {"law": "both"}, "law is 'genes' or 'architectures', got 'both'"),
    ("count", (), {"memory": 0}, "memory is a positive number of bytes, got 0"),
    ("count", (), {"memory": "1 GB"}, "memory is a positive number of bytes, got '1 GB'"),
    ("count", (), {"macs": (1, 2), "threads": 0}, "threads must be a positive integer, got 0"),
    ("count", (), {"where": {"third": 1}}, "where: unknown variable 'third'; the space has first"),
    ("count", (), {"where": {"first": 9}}, "where: 9 is not among the values of 'first': 8, 16"),
    ("count", (), {"where": {"used": 1}}, "where: 1 is not among the values of 'used'"),
    ("count", (), {"where": {"first": [8, "x"]}}, "where: 'x' is not among the values"),
    ("count", (), {"where": {"first": [[8]]}}, "where: .* is not among the values"),
    ("count", (), {"where": 2.5}, "where is a mapping from names of variables to values"),
    ("count", (), {"where": "first"}, "where is a mapping from names of variables to values"),
    ("minimum", ("frobs",), {}, "unknown metric 'frobs'"),
    (
        "minimum",
        ("macs",),
        {"macs": (1, None), "params": (1, 2)},
        "minimum takes one budget, on the metric itself or on one other, got macs, params",
    ),
    ("maximum", ("macs",), {"flops": (1, 2), "params": (1, 2)}, "maximum takes one budget"),
    ("minimum", ("macs",), {"macs": (385, 407)}, "macs from 385 to 407: .* are 384 and 408$"),
    ("minimum", ("params",), {"macs": (None, 79)}, "macs of at most 79: .* value is 80$"),
    ("maximum", ("params",), {"macs": (577, None)}, "macs of at least 577: .* value is 576$"),
    ("maximum", ("macs",), {"macs": (20, 10)}, "the budget of 'macs' is empty: 20 is above 10"),
    ("maximum", ("macs",), {"macs": (2**70, None)}, ".* value is 576$"),
    ("minimum", ("macs",), {"where": {"first": []}}, "there is no configuration"),
    ("nearest", ("macs", math.nan), {}, "nan"),
    ("nearest", ("macs", 3), {"where": False}, "there is no configuration"),
    ("distribution", ("macs",), {"bin_width": 0}, "bin_width must be a positive integer, got 0"),
    ("distribution", ("macs",), {"bin_width": 2.5}, "bin_width must be a positive integer"),
    ("distribution", ("macs",), {"where": False}, "there is no configuration"),
    ("histogram", ("macs", 0), {}, "there must be from 1 to 16,777,216 bins, got 0"),
    ("histogram", ("macs", [3]), {}, "edges of bins are at least two numbers that rise"),
    ("histogram", ("macs", [3, 3]), {}, "edges of bins are at least two numbers that rise"),
    ("histogram", ("macs", ["a", "b"]), {}, "edges of bins are at least two numbers that rise"),
    ("quantile", ("macs", 1.5), {}, "a quantile is of a number from 0 to 1, got 1.5"),
    ("quantile", ("macs", -0.1), {}, "a quantile is of a number from 0 to 1, got -0.1"),
    ("cdf", ("macs", math.nan), {}, "nan"),
    ("pareto", ("macs", "macs"), {}, "macs and macs are the same metric"),
    ("pareto", ("macs", "params"), {"maximise": ["flops"]}, "maximise names 'flops', which is not"),
    ("marginals", (), {"macs": (1, 2), "params": (1, 2)}, "marginals take at most one budget"),
    ("sample", (-1,), {}, "n must be an integer that is not negative, got -1"),
    ("sample", (2.5,), {}, "n must be an integer that is not negative, got 2.5"),
    ("sample", (1,), {"seed": 0.5}, "seed must be an integer, got 0.5"),
    ("sample", (1,), {"macs": (1, 2)}, "no configuration has macs from 1 to 2: .* value is 80$"),
    ("sample", (1,), {"macs": (2, 1)}, "the budget of 'macs' is empty: 2 is above 1"),
    ("sample", (1,), {"where": {"second": []}}, "there is no configuration"),
    (
        "sample",
        (1,),
        {"macs": (1, 1), "params": (1, 1), "flops": (1, 1)},
        "sample takes at most two budgets without rejection=True",
    ),
    (
        "sample",
        (1,),
        {"macs": (500, None), "flops": (None, 200)},
        "no configuration with macs of at least 500 has flops of at most 200: they have",
    ),
    (
        "sample",
        (1,),
        {"macs": (1, 2), "rejection": True, "most_draws": 10_000},
        "0 of 10,000 draws lie within the budgets, too few to draw 1 configurations",
    ),
    ("index", ("frobs",), {}, "unknown metric 'frobs'"),
]


@pytest.mark.parametrize(("name", "arguments", "options", "text"), WRONG)
def test_what_is_wrong_is_refused(
    space: nl.Space, name: str, arguments: Any, options: Any, text: str
) -> None:
    with pytest.raises(nl.SpaceError, match=text):
        getattr(space, name)(*arguments, **options)


def test_budgets_may_be_any_numbers(space: nl.Space) -> None:
    every = space.count()
    assert every == 4 * 9
    inside = space.count(macs=(100, 400))
    for budget in (
        (100.0, 400.0),
        (99.5, 400.9),
        (np.int64(100), np.float32(400)),
        [100, 400],
        np.array([100, 400]),
    ):
        assert space.count(macs=budget) == inside
    for budget in ((None, None), (-math.inf, math.inf), (-(2**80), 2**80), (None, 1e30)):
        assert space.count(macs=budget) == every
    for budget in ((2**64, None), (None, -(2**64)), (2, 1), (-5, -1)):
        assert space.count(macs=budget) == 0
        assert space.count(macs=budget, params=(0, 10**9)) == 0
        assert sum(map(sum, map(dict.values, space.marginals(macs=budget).values()))) == 0


def test_limits_beyond_doubles() -> None:
    space = nl.Space()
    a = space.choice("a", [0, 1])
    space.output(nl.linear(space.input(1, 1), 1))
    space.add_metric("large", [2**53 + a])
    for limit in (np.int64(2**53), np.uint64(2**53), 2**53, float(2**53)):
        assert space.count(large=(None, limit)) == 1
    for limit in (np.int64(2**53 + 1), 2**53 + 1):
        assert space.count(large=(limit, None)) == 1
        assert space.count(large=(None, limit)) == 2


def test_two_budgets_that_exclude_each_other_in_between() -> None:
    # Each is feasible, and within the limits of the other, but no configuration meets both.
    space = nl.Space()
    a = space.choice("a", [0, 1, 2, 3])
    space.output(nl.linear(space.input(1, 1), 1))
    space.add_metric("one", nl.tabulate(lambda a: (0, 0, 1, 1)[a], a))
    space.add_metric("two", nl.tabulate(lambda a: (0, 9, 5, 5)[a], a))
    asked = {"budgets": {"one": (0, 0), "two": (5, 5)}}
    assert space.count(**asked) == 0
    with pytest.raises(nl.SpaceError, match="0 of 50,000 draws lie within the budgets"):
        space.sample(1, most_draws=50_000, **asked)


def test_metrics_of_real_numbers_are_refused() -> None:
    space = chain()
    space.add_metric("latency", lambda layer: 0.5, per_layer=True)
    asks = [
        lambda: space.count(latency=(None, 1)),
        lambda: space.minimum("latency"),
        lambda: space.distribution("latency"),
        lambda: space.sample(1, latency=(None, 1)),
        lambda: space.sample(1, latency=(None, 1), macs=(None, 100)),
        lambda: space.pareto("macs", "latency"),
        lambda: space.index("latency"),
        lambda: space.marginals(latency=(0, 1)),
    ]
    for ask in asks:
        with pytest.raises(
            nl.SpaceError, match=r"metric 'latency' is of real numbers, .* integers"
        ):
            ask()
    # By rejection they are possible.
    sample = space.sample(10, latency=(0.75, None), rejection=True)
    assert {space.decode(row)["used"] for row in np.asarray(sample)} == {True}


def test_free_sizes_are_refused() -> None:
    space = nl.Space()
    size = space.free("size", 1, 100)
    space.output(nl.linear(space.input(size, 3), space.choice("width", [1, 2])))
    for ask in (
        space.count,
        lambda: space.minimum("macs"),
        lambda: space.sample(1),
        lambda: space.sample(1, rejection=True),
        lambda: space.index("macs"),
        lambda: space.explain_query("macs"),
    ):
        with pytest.raises(nl.SpaceError, match="variable 'size' is free"):
            ask()


def test_a_wide_condition_is_refused() -> None:
    space = nl.Space()
    bits = [space.choice(f"bit{i}", [0, 1]) for i in range(19)]
    space.output(nl.linear(space.input(1, 1), 1))
    with pytest.raises(nl.SpaceError, match=r"depends on more than .* Add it as a metric"):
        space.count(where=sum(bits) >= 5)
    other = nl.Space()
    foreign = other.choice("foreign", [1, 2])
    with pytest.raises(nl.SpaceError, match="belongs to another space"):
        space.count(where=foreign == 1)


def test_values_that_are_no_keys() -> None:
    space = nl.Space()
    space.choice("odd", [True, 1, "x"])
    space.output(nl.linear(space.input(1, 1), 1))
    assert space.count(where={"odd": True}) == space.count(where={"odd": 1}) == 1
    with pytest.raises(nl.SpaceError, match="values of 'odd' cannot be told apart as keys"):
        space.marginals()


def test_the_memory_has_a_ceiling(space: nl.Space) -> None:
    with pytest.raises(nl.SpaceError, match="bytes"):
        chain().index("macs", memory=1)
    if "_core" in type(space._plan(()).query([], "genes")).__module__:
        with pytest.raises(nl.SpaceError, match="memory allows 9: "):
            chain().distribution("macs", memory=9)
    # Without tables that are kept it is answered all the same.
    assert space.count(macs=(None, 100)) == space.count(macs=(None, 100), memory=10**6)
