"""The activation family: against torch, and counts by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from netledger.errors import LayerError
from netledger.formulas import activation
from netledger.formulas._layer import OPERATIONS, cost_of
from strategies.activation import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")

MODULES = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "softmin": "Softmin",
    "glu": "GLU",
    "prelu": "PReLU",
}


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    (shape,) = shapes
    return called(getattr(torch.nn, MODULES[op])(**attributes), torch.zeros(shape))


#: torch gives empty results.
STRICTER = (
    r"there must be at least one element along the reduced dimensions, got 0",
    r"num_parameters must be positive, got 0",
)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer, STRICTER)


def test_softmax():
    # Of each row of 10: 10 exponentials, 9 additions, 10 divisions.
    assert activation.softmax((3, 4, 10), dim=-1).flops == (3 * 4) * (10 + 9 + 10)
    # Of each row of 4 along the middle.
    assert activation.softmax((3, 4, 10), dim=1).flops == (3 * 10) * (4 + 3 + 4)


def test_log_softmax():
    # 10 exponentials, 9 additions, a logarithm, 10 subtractions.
    assert activation.log_softmax((3, 10), dim=1).flops == 3 * (10 + 9 + 1 + 10)


def test_softmin():
    # As softmax, after 10 negations.
    assert activation.softmin((3, 10), dim=1).flops == 3 * (10 + 10 + 9 + 10)


def test_one_element_is_its_own_row():
    assert activation.softmax((), dim=-1).flops == 1 + 0 + 1


def test_glu():
    cost = activation.glu((3, 8, 5), dim=1)
    assert cost.shapes == ((3, 4, 5),)
    # A sigmoid and a product for each output element.
    assert cost.flops == (1 + 1) * (3 * 4 * 5)


def test_prelu():
    shared = activation.prelu((2, 3, 4, 5))
    # A comparison and a product for each element.
    assert shared.flops == (1 + 1) * (2 * 3 * 4 * 5)
    assert shared.params == 1
    assert shared.memory_access == 120 + 120 + 1
    assert activation.prelu((2, 3, 4, 5), num_parameters=3).params == 3


@pytest.mark.parametrize(
    ("op", "shape", "attributes", "rule"),
    [
        ("softmax", (2, 3), {"dim": 2}, "dim 2 is out of range for 2 dimensions"),
        (
            "softmax",
            (2, 0),
            {"dim": 1},
            "there must be at least one element along the reduced dimensions, got 0",
        ),
        ("glu", (2, 3), {}, "the size 3 along dim 1 must be even"),
        ("prelu", (2, 3), {"num_parameters": 0}, "num_parameters must be positive, got 0"),
        (
            "prelu",
            (2, 3),
            {"num_parameters": 2},
            "num_parameters must be 1 or the number of channels 3, got 2",
        ),
    ],
)
def test_refusals(op, shape, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], [shape], attributes)
    assert caught.value.rule == rule
    assert str(caught.value) == f"{op}: {rule}; input shapes {shape}"
