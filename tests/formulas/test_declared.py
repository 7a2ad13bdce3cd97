"""The declared family: what is declared is what counts."""

from __future__ import annotations

import pytest
from hypothesis import given

from netledger.errors import LayerError
from netledger.formulas import declared
from netledger.formulas._layer import OPERATIONS, cost_of
from strategies.declared import layers


@given(layers())
def test_layers_have_the_declared_outputs_and_costs(layer):
    op, shapes, attributes = layer
    try:
        cost = cost_of(OPERATIONS[op], shapes, attributes)
    except LayerError:
        return
    assert cost.macs == attributes.get("macs", 0) >= 0
    assert cost.flops == attributes.get("flops", 0) >= 0
    listed = attributes.get("shapes", ())
    flat = [entry for shape in cost.shapes for entry in (len(shape), *shape)]
    assert flat == ([listed] if isinstance(listed, int) else list(listed))
    assert cost.params == cost.buffers == cost.activations == 0


def test_opaque():
    cost = declared.opaque((3, 4), (5,), shapes=(2, 8, 10, 1, 5), macs=7, flops=15, label="fft")
    assert cost.shapes == ((8, 10), (5,))
    assert (cost.macs, cost.flops) == (7, 15)
    assert cost.outputs == 80 + 5
    assert cost.memory_access == 12 + 5 + 80 + 5
    assert cost.activations == 0


def test_opaque_without_inputs_or_outputs():
    # One output without dimensions, of one element.
    assert declared.opaque(shapes=0).shapes == ((),)
    assert declared.opaque(shapes=0).outputs == 1
    nothing = declared.opaque((3,), shapes=())
    assert nothing.shapes == ()
    assert nothing.memory_access == 3


def test_uncalled_costs_nothing():
    for cost in (declared.uncalled(), declared.uncalled((64, 3), (64,))):
        assert cost.shapes == ()
        assert cost.macs == cost.flops == cost.outputs == cost.memory_access == 0
    assert OPERATIONS["uncalled"].minimum_inputs == 0
    assert OPERATIONS["uncalled"].maximum_inputs is None


@pytest.mark.parametrize(
    ("attributes", "rule"),
    [
        ({"shapes": (1, 2), "macs": -1}, "macs must not be negative, got -1"),
        ({"shapes": (1, 2), "flops": -3}, "flops must not be negative, got -3"),
        ({"shapes": (1, -2)}, "a size must not be negative, got -2"),
        ({"shapes": (3, 2, 2)}, "shapes must list a rank and its sizes per output, got (3, 2, 2)"),
        ({"shapes": (-1,)}, "the rank of an output must be 0 to 16, got -1"),
        ({"shapes": (17, *range(17))}, "the rank of an output must be 0 to 16, got 17"),
        ({}, "attribute 'shapes' is required"),
    ],
)
def test_refusals(attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS["opaque"], [(2, 3)], attributes)
    assert caught.value.rule == rule
    assert str(caught.value) == f"opaque: {rule}; input shapes (2, 3)"
