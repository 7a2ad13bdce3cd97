"""The normalization family: against torch, and counts by hand."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings

from netledger.errors import LayerError
from netledger.formulas import normalization
from netledger.formulas._layer import OPERATIONS, cost_of
from strategies.normalization import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    """The same layer of torch, in inference."""
    (shape,) = shapes
    x = torch.zeros(shape)
    if op in ("batch_norm", "instance_norm"):
        name = {"batch_norm": "BatchNorm", "instance_norm": "InstanceNorm"}[op]
        base = getattr(torch.nn, f"{name}2d")
        # Of any rank, as torch.nn.functional accepts it.
        module = type("AnyRank", (base,), {"_check_input_dim": lambda *_: None})
        module._get_no_batch_dim = lambda *_: len(shape) - 1
        layer = module(shape[1], **attributes).eval()
        if op == "instance_norm" and shape[0] == 0:  # on which some versions of torch fail
            result = called(layer, torch.zeros((1, *shape[1:])))
            return dataclasses.replace(result, shapes=(shape,))
        return called(layer, x)
    if op == "group_norm":
        attributes = {**attributes, "num_channels": shape[1]}
    name = {
        "group_norm": "GroupNorm",
        "layer_norm": "LayerNorm",
        "rms_norm": "RMSNorm",
        "local_response_norm": "LocalResponseNorm",
    }[op]
    return called(getattr(torch.nn, name)(**attributes), x)


#: Statistics of nothing: torch gives empty or undefined results.
STRICTER = (
    r"the number of channels must be positive, got 0",
    r"size must be positive",
    r"the statistics of a channel need more than one value, got 0",
    r"the statistics of a group need a value, got 0",
    r"normalized_shape .* holds no element",
)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer, STRICTER)


@pytest.mark.parametrize("track_running_stats", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (4, 3, 5), (2, 3, 4, 5), (2, 6, 3, 4, 5)])
@pytest.mark.parametrize("op", ["batch_norm", "instance_norm"])
def test_weights_are_those_of_torch(op, shape, affine, track_running_stats):
    attributes = {"affine": affine, "track_running_stats": track_running_stats}
    accepted = assert_agreement((op, [shape], attributes), torch_layer)
    assert accepted == (op == "batch_norm" or len(shape) > 2 or track_running_stats)


def test_batch_norm_of_running_statistics():
    cost = normalization.batch_norm((2, 3, 4, 5))
    assert cost.flops == 2 * (2 * 3 * 4 * 5)
    assert cost.params == 2 * 3
    assert cost.buffers == 2 * 3 + 1
    assert cost.macs == cost.activations == 0
    assert cost.outputs == 120
    # Read and written once, and every weight but the counter num_batches_tracked.
    assert cost.memory_access == 120 + 120 + (3 + 3) + (3 + 3)


def test_batch_norm_of_running_statistics_costs_the_same_without_weights():
    assert normalization.batch_norm((2, 3, 4, 5), affine=False).flops == 2 * 120


def test_batch_norm_of_batch_statistics():
    n = 2 * 4 * 5
    mean = (n - 1) + 1
    variance = n + n + (n - 1) + 1  # differences, squares, their sum, its division
    division = 1 + 1 + n  # epsilon, root, divisions
    plain = normalization.batch_norm((2, 3, 4, 5), affine=False, track_running_stats=False)
    assert plain.flops == 3 * (mean + variance + division) == 3 * (5 * n + 2) == 606
    assert plain.params == plain.buffers == 0
    scaled = normalization.batch_norm((2, 3, 4, 5), track_running_stats=False)
    assert scaled.flops == 606 + 3 * (n + n)


def test_instance_norm():
    n = 4 * 5
    assert normalization.instance_norm((2, 3, 4, 5)).flops == (2 * 3) * (5 * n + 2) == 612
    scaled = normalization.instance_norm((2, 3, 4, 5), affine=True)
    assert scaled.flops == 612 + 2 * 120
    assert scaled.params == 2 * 3
    running = normalization.instance_norm((2, 3, 4, 5), track_running_stats=True)
    assert running.flops == 2 * 120
    assert running.buffers == 2 * 3 + 1


def test_group_norm():
    n = 6 // 2 * 4
    plain = normalization.group_norm((2, 6, 4), num_groups=2, affine=False)
    assert plain.flops == (2 * 2) * (5 * n + 2) == 248
    scaled = normalization.group_norm((2, 6, 4), num_groups=2)
    assert scaled.flops == 248 + 2 * (2 * 6 * 4)
    assert scaled.params == 2 * 6


def test_one_group_is_layer_norm_and_a_group_per_channel_is_instance_norm():
    shape = (2, 6, 4, 5)
    one = normalization.group_norm(shape, num_groups=1, affine=False)
    assert one.flops == normalization.layer_norm(shape, (6, 4, 5), elementwise_affine=False).flops
    each = normalization.group_norm(shape, num_groups=6, affine=False)
    assert each.flops == normalization.instance_norm(shape).flops


def test_layer_norm():
    rows, n = 2 * 7, 16
    plain = normalization.layer_norm((2, 7, 16), 16, elementwise_affine=False)
    assert plain.flops == rows * (5 * n + 2) == 1148
    assert plain.params == 0
    weight = normalization.layer_norm((2, 7, 16), 16, bias=False)
    assert weight.flops == 1148 + rows * n
    assert weight.params == n
    both = normalization.layer_norm((2, 7, 16), 16)
    assert both.flops == 1148 + rows * (n + n)
    assert both.params == n + n


def test_layer_norm_over_two_dimensions():
    cost = normalization.layer_norm((2, 3, 4), (3, 4))
    assert cost.flops == 2 * (5 * 12 + 2 + 12 + 12)
    assert cost.params == 2 * 12


def test_rms_norm():
    rows, n = 2 * 7, 16
    squares = n + (n - 1) + 1
    plain = normalization.rms_norm((2, 7, 16), 16, elementwise_affine=False)
    assert plain.flops == rows * (squares + 1 + 1 + n) == rows * (3 * n + 2) == 700
    weight = normalization.rms_norm((2, 7, 16), 16)
    assert weight.flops == 700 + rows * n
    assert weight.params == n


def test_local_response_norm():
    # A square, 4 additions, a division by 5, alpha, k, the power, the division.
    cost = normalization.local_response_norm((1, 96, 55, 55), size=5)
    assert cost.flops == (96 * 55 * 55) * (1 + 4 + 1 + 1 + 1 + 1 + 1)
    assert cost.params == 0


def test_an_empty_batch_costs_nothing():
    for cost in (
        normalization.batch_norm((0, 3, 4)),
        normalization.instance_norm((0, 3, 4)),
        normalization.group_norm((0, 4, 3), num_groups=2),
        normalization.layer_norm((0, 8), 8),
        normalization.rms_norm((0, 8), 8),
        normalization.local_response_norm((0, 3, 4), size=2),
    ):
        assert cost.flops == 0


REFUSALS = [
    ("batch_norm", (3,), {}, "the input must have at least 2 dimensions, (N, C, *), got 1"),
    ("batch_norm", (2, 0, 4), {}, "the number of channels must be positive, got 0"),
    (
        "batch_norm",
        (1, 3),
        {"track_running_stats": False},
        "the statistics of a channel need more than one value, got 1",
    ),
    (
        "instance_norm",
        (2, 3, 1),
        {},
        "the statistics of a channel need more than one value, got 1",
    ),
    (
        "group_norm",
        (2, 6, 4),
        {"num_groups": 4},
        "the 6 channels are not divisible by num_groups 4",
    ),
    ("group_norm", (2, 6, 4), {"num_groups": 0}, "num_groups must be positive, got 0"),
    (
        "group_norm",
        (1, 4),
        {"num_groups": 4},
        "the statistics of a group need more than one value in the batch, got 1",
    ),
    ("group_norm", (2, 4, 0), {"num_groups": 2}, "the statistics of a group need a value, got 0"),
    ("layer_norm", (2, 3), {"normalized_shape": ()}, "normalized_shape must not be empty"),
    (
        "layer_norm",
        (3,),
        {"normalized_shape": (2, 3)},
        "normalized_shape (2, 3) has more dimensions than the input, 1",
    ),
    (
        "layer_norm",
        (2, 3, 5),
        {"normalized_shape": (3, 4)},
        "the input must end in normalized_shape (3, 4), got 5 in dimension 2",
    ),
    ("rms_norm", (2, 0), {"normalized_shape": 0}, "normalized_shape (0,) holds no element"),
    (
        "local_response_norm",
        (2, 3),
        {"size": 5},
        "the input must have at least 3 dimensions, (N, C, *), got 2",
    ),
    ("local_response_norm", (2, 3, 4), {"size": 0}, "size must be positive, got 0"),
]


@pytest.mark.parametrize(("op", "shape", "attributes", "rule"), REFUSALS)
def test_refusals(op, shape, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], [shape], attributes)
    assert caught.value.rule == rule
    assert str(caught.value) == f"{op}: {rule}; input shapes {shape}"
