"""The compiled core and the plain-Python twin: the same rule book, numbers and refusals."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netledger import _pure
from netledger.errors import NetledgerError

_core = pytest.importorskip("netledger._core")

if TYPE_CHECKING:
    from strategies.spoiling import Drawn

FAMILIES = (
    "activation",
    "attention",
    "convolution",
    "declared",
    "elementwise",
    "embedding",
    "linear",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "resample",
    "shape",
)

relaxed = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def outcome(call: Any) -> Any:
    """What a call gives, or the class and the message of what it raises."""
    try:
        return dataclasses.asdict(call())
    except NetledgerError as error:
        return type(error).__name__, str(error)


def layer_in_graph(implementation: Any, drawn: Drawn) -> Any:
    """The node, the shapes and the account of a layer added to an empty graph."""
    op, shapes, attributes = drawn
    graph = implementation.Graph()
    try:
        inputs = [graph.tensor("input", shape) for shape in shapes]
        outputs = graph.add(op, inputs, attributes)
    except NetledgerError as error:
        return type(error).__name__, str(error), len(graph)
    graph.output(*outputs)
    counts = graph.count()
    return (
        dataclasses.asdict(graph.node(0)),
        [graph.shape(output) for output in outputs],
        {name: column.tolist() for name, column in counts.columns.items()},
        counts.totals,
        counts.peak_memory,
    )


def test_rule_books_are_the_same() -> None:
    core, pure = _core.operations(), _pure.operations()
    assert sorted(core) == sorted(pure)
    for name, found in pure.items():
        assert core[name] == found, name


@pytest.mark.parametrize("family", FAMILIES)
def test_single_layers(family: str) -> None:
    strategy = importlib.import_module(f"strategies.{family}")

    @relaxed
    @given(strategy.layers())
    def compare(drawn: Drawn) -> None:
        op, shapes, attributes = drawn
        assert outcome(lambda: _core.evaluate_layer(op, shapes, attributes)) == outcome(
            lambda: _pure.evaluate_layer(op, shapes, attributes)
        )
        assert layer_in_graph(_core, drawn) == layer_in_graph(_pure, drawn)

    compare()


@st.composite
def varied(draw: Any, family: str) -> tuple[str, list[Any], dict[str, Any]]:
    """A layer of which some sizes and attributes vary in an array of a few entries."""
    op, shapes, attributes = draw(importlib.import_module(f"strategies.{family}").layers())
    length = draw(st.integers(1, 4))

    def vary(value: int) -> Any:
        if draw(st.integers(0, 3)):
            return value
        steps = draw(st.lists(st.integers(0, 2), min_size=length, max_size=length))
        return np.array([value + step for step in steps])

    def is_number(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    inputs = [tuple(map(vary, shape)) for shape in shapes]
    given_attributes = {
        name: vary(value) if is_number(value) else value for name, value in attributes.items()
    }
    return op, inputs, given_attributes


@pytest.mark.parametrize("family", FAMILIES)
def test_arrays(family: str) -> None:
    @relaxed
    @given(varied(family))
    def compare(drawn: tuple[str, list[Any], dict[str, Any]]) -> None:
        op, inputs, attributes = drawn
        core = outcome(lambda: _core.evaluate_layer(op, inputs, attributes))
        pure = outcome(lambda: _pure.evaluate_layer(op, inputs, attributes))
        np.testing.assert_equal(core, pure)

    compare()


def test_an_overflowing_array_is_refused() -> None:
    sizes = np.array([8, 2**40])
    for implementation in (_core, _pure):
        with pytest.raises(NetledgerError, match=r"64-bit integer.*at index \(1,\)"):
            implementation.evaluate_layer("linear", [(sizes, 2**20)], {"out_features": 2**20})


def test_a_million_lanes_agree_with_single_layers() -> None:
    heights = np.arange(7, 1_000_007)
    cost = _core.evaluate_layer(
        "conv2d", [(1, 3, heights, 32)], {"out_channels": 8, "kernel_size": 7, "stride": 2}
    )
    for lane in (0, 1, 127, 128, 129, 999_999):
        single = _core.evaluate_layer(
            "conv2d",
            [(1, 3, int(heights[lane]), 32)],
            {"out_channels": 8, "kernel_size": 7, "stride": 2},
        )
        assert (cost.macs[lane], cost.flops[lane]) == (single.macs, single.flops)
        assert cost.memory_access[lane] == single.memory_access
