"""The resample family: against torch, and counts by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from netledger.errors import LayerError
from netledger.formulas import resample
from netledger.formulas._layer import OPERATIONS, cost_of
from netledger.formulas._window import adaptive_window_total
from strategies.resample import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")

UNWEIGHTED = ("nearest", "nearest-exact", "area")


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    inputs = [torch.zeros(shape) for shape in shapes]
    if op == "grid_sample":
        attributes = {"align_corners": False, **attributes}
        return called(
            lambda x, grid: torch.nn.functional.grid_sample(x, grid, **attributes), *inputs
        )
    size = attributes["size"]
    if isinstance(size, tuple) and len(size) == 1:
        attributes = {**attributes, "size": size[0]}
    if attributes.get("mode", "nearest") in UNWEIGHTED and not attributes.get("align_corners"):
        attributes = {**attributes, "align_corners": None}
    return called(lambda x: torch.nn.functional.interpolate(x, **attributes), *inputs)


#: torch's averages to a size let tensors without elements pass.
STRICTER_AREAS = (r"every size but the batch must be positive", r"size must be positive, got 0")


@settings(max_examples=300, deadline=None)
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer, STRICTER_AREAS if layer[2].get("mode") == "area" else ())


@pytest.mark.parametrize(
    ("mode", "shape", "taps"),
    [
        ("linear", (2, 3, 5), 2),
        ("bilinear", (2, 3, 5, 5), 4),
        ("trilinear", (2, 3, 5, 5, 5), 8),
        ("bicubic", (2, 3, 5, 5), 16),
    ],
)
def test_each_output_is_a_weighted_sum(mode, shape, taps):
    for size in (3, 10):
        outputs = 2 * 3 * size ** (len(shape) - 2)
        for align_corners in (False, True):
            cost = resample.interpolate(shape, size, mode, align_corners)
            # T products and T - 1 sums.
            assert cost.flops == outputs * (taps + taps - 1)
            assert cost.outputs == outputs
            assert cost.memory_access == 2 * 3 * 5 ** (len(shape) - 2) + outputs
            assert cost.macs == cost.params == cost.activations == 0


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_computes_nothing(mode):
    cost = resample.interpolate((1, 3, 4, 6), (8, 12), mode)
    assert cost.shapes == ((1, 3, 8, 12),)
    assert cost.flops == 0
    assert cost.memory_access == 72 + 288


def test_area_is_the_sum_of_its_windows():
    # Rows: windows 0..2, 1..4, 3..5 of 5 elements, 2 + 3 + 2 of them; columns: 0..2, 2..4, 4..6.
    cost = resample.interpolate((2, 3, 5, 6), 3, "area")
    assert cost.flops == 2 * 3 * (2 + 3 + 2) * (2 + 2 + 2)
    assert cost.shapes == ((2, 3, 3, 3),)


def test_window_total_counts_all_windows():
    for size in range(25):
        for windows in range(1, 25):
            counted = sum(
                -(-(i + 1) * size // windows) - i * size // windows for i in range(windows)
            )
            assert adaptive_window_total(size, windows) == counted


@pytest.mark.parametrize(
    ("mode", "spatial", "operations"),
    [
        ("nearest", 2, 0),
        ("nearest", 3, 0),
        ("bilinear", 2, 7),
        ("bilinear", 3, 15),
        ("bicubic", 2, 31),
    ],
)
def test_grid_sample(mode, spatial, operations):
    x, grid = (2, 3, *(5, 6, 7)[:spatial]), (2, *(8, 9, 10)[:spatial], spatial)
    cost = resample.grid_sample(x, grid, mode)
    assert cost.shapes == ((2, 3, *(8, 9, 10)[:spatial]),)
    outputs = 2 * 3 * (72 if spatial == 2 else 720)
    assert cost.flops == operations * outputs
    elements = 2 * 3 * (30 if spatial == 2 else 210)
    assert cost.memory_access == elements + spatial * outputs // 3 + outputs
    for padding_mode in ("border", "reflection"):
        assert resample.grid_sample(x, grid, mode, padding_mode, True) == cost


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "rule"),
    [
        (
            "interpolate",
            [(2, 3)],
            {"size": 4},
            "the input must have 3, 4 or 5 dimensions, (N, C, *), got 2",
        ),
        (
            "interpolate",
            [(2, 3, 4, 4)],
            {"size": 4, "mode": "linear"},
            "mode 'linear' is for 1 spatial dimensions, the input has 2",
        ),
        (
            "interpolate",
            [(2, 3, 4, 4)],
            {"size": 4, "mode": "area", "align_corners": True},
            "align_corners is for weighted modes, not for 'area'",
        ),
        (
            "interpolate",
            [(2, 3, 4, 4)],
            {"size": (4, 4, 4)},
            "size must have 1 or 2 entries, got (4, 4, 4)",
        ),
        ("interpolate", [(2, 3, 4, 4)], {"size": (4, 0)}, "size must be positive, got 0"),
        (
            "interpolate",
            [(2, 0, 4, 4)],
            {"size": 4},
            "every size but the batch must be positive, got (2, 0, 4, 4)",
        ),
        (
            "grid_sample",
            [(2, 3, 4, 4), (2, 5, 5, 3)],
            {},
            "the grid must have 2 coordinates in its last dimension, got 3",
        ),
        (
            "grid_sample",
            [(2, 3, 4, 4), (1, 5, 5, 2)],
            {},
            "the grid must have the batch size 2, got 1",
        ),
        (
            "grid_sample",
            [(2, 3, 4, 4, 4), (2, 5, 5, 5, 3)],
            {"mode": "bicubic"},
            "mode 'bicubic' is for 2 spatial dimensions, the input has 3",
        ),
        ("grid_sample", [(2, 3, 4, 4)], {}, "grid_sample takes 2 inputs, got 1"),
        (
            "grid_sample",
            [(2, 3, 0, 4), (2, 5, 5, 2)],
            {},
            "every spatial size must be positive, got 0",
        ),
    ],
)
def test_refusals(op, shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], shapes, attributes)
    assert caught.value.rule == rule
    assert str(caught.value) == f"{op}: {rule}; input shapes {', '.join(map(str, shapes))}"
