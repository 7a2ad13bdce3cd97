"""The pooling family: against torch, and counts by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings

from netledger.errors import LayerError
from netledger.formulas import pooling
from netledger.formulas._layer import OPERATIONS, cost_of
from strategies.pooling import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")


def in_all_dimensions(value: object) -> object:
    """torch takes a sequence of one for all dimensions in some functions only."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    spatial = int(op[-2])
    attributes = {name: in_all_dimensions(value) for name, value in attributes.items()}
    function = getattr(torch.nn.functional, op)
    x, *others = [torch.zeros(shape) for shape in shapes]
    if op.startswith("max_unpool"):
        (indices,) = [other.long() for other in others]
        size = attributes.get("output_size")
        if isinstance(size, int):
            attributes["output_size"] = (size,) * spatial
        return called(lambda *inputs: function(*inputs, **attributes), x, indices)
    if others:
        raise TypeError("one input")
    if op.startswith("adaptive"):
        given = attributes["output_size"]
        given = given if isinstance(given, tuple) else (given,) * spatial
        if len(given) != spatial:
            raise ValueError("one size per dimension")
        kept = tuple(x.shape[-spatial + d] if size == -1 else size for d, size in enumerate(given))
        attributes["output_size"] = kept
    if op.startswith("lp_pool"):
        attributes["norm_type"] = 2
    return called(lambda x: function(x, **attributes), x)


STRICTER = (
    # torch's averages to a size let a batch without channels pass, some other ops a strange kernel,
    # stride or padding.
    r"every size but the batch must be positive, got 0",
    r"kernel_size must be positive",
    r"stride must be positive",
    r"padding must not be negative",
    # One-dimensional functions do not look at further entries.
    r"must have 1 or 1 entries",
    # Neither does unpooling of two.
    r"padding must have 1 or 2 entries",
    # Unpooling into nothing.
    r"there is no output: its size would be 0",
)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer, STRICTER)


GRID = [
    {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    for stride in (None, 1, 2, 3)
    for padding in (0, 1)
    for ceil_mode in (False, True)
]


@pytest.mark.parametrize("attributes", GRID)
@pytest.mark.parametrize(
    "op", ["max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d"]
)
def test_window_counts_are_those_of_torch(op, attributes):
    spatial = int(op[-2])
    for kernel, size in itertools.product((2, 3, 4), range(1, 12)):
        layer = (op, [(2, 3, *[size] * spatial)], {"kernel_size": kernel, **attributes})
        reach_fits = kernel <= size + 2 * attributes["padding"]
        assert assert_agreement(layer, torch_layer) >= reach_fits


def test_max_pool():
    # AlexNet's first pooling: windows of 9 elements, 8 comparisons each.
    cost = pooling.max_pool2d((1, 64, 55, 55), kernel_size=3, stride=2)
    assert cost.shapes == ((1, 64, 27, 27),)
    assert cost.flops == (64 * 27 * 27) * (3 * 3 - 1)
    assert cost.params == cost.macs == cost.activations == 0
    assert cost.memory_access == 64 * 55 * 55 + 64 * 27 * 27


def test_max_pool_in_one_and_three_dimensions():
    assert pooling.max_pool1d((3, 8), kernel_size=2).flops == (3 * 4) * 1
    cost = pooling.max_pool3d((3, 8, 8, 8), kernel_size=(1, 2, 4))
    assert cost.flops == (3 * 8 * 4 * 2) * (1 * 2 * 4 - 1)


def test_a_stride_that_is_left_out_is_the_kernel_size():
    assert pooling.max_pool2d((1, 9, 8), (3, 2)).shapes == ((1, 3, 4),)


def test_ceil_mode_drops_a_window_that_starts_in_the_padding_behind():
    # Windows start at -1, 2, 5; the third would start at the end of the input.
    assert pooling.max_pool1d((1, 5), 3, stride=3, padding=1, ceil_mode=True).shapes == ((1, 2),)
    assert pooling.max_pool1d((1, 6), 3, stride=3, padding=1, ceil_mode=True).shapes == ((1, 3),)
    assert pooling.max_pool1d((1, 6), 3, stride=3, padding=1).shapes == ((1, 2),)


def test_indices_are_a_second_output():
    plain = pooling.max_pool2d((1, 8, 8), 2)
    indexed = pooling.max_pool2d((1, 8, 8), 2, return_indices=True)
    assert indexed.shapes == plain.shapes * 2
    assert indexed.flops == plain.flops
    assert indexed.outputs == 2 * plain.outputs


def test_avg_pool():
    # 8 additions and a division for each output, whatever of the window is padding.
    for count_include_pad in (True, False):
        cost = pooling.avg_pool2d(
            (2, 3, 7, 7), 3, stride=2, padding=1, count_include_pad=count_include_pad
        )
        assert cost.shapes == ((2, 3, 4, 4),)
        assert cost.flops == (2 * 3 * 4 * 4) * (8 + 1)


def test_lp_pool():
    # 9 powers, 8 additions and a root.
    assert pooling.lp_pool2d((2, 3, 7, 7), 3, stride=2).flops == (2 * 3 * 3 * 3) * (9 + 8 + 1)


def windows(size: int, count: int) -> list[range]:
    """The windows of adaptive pooling, as torch lays them."""
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def test_adaptive_windows_add_up_exactly():
    for size, count in itertools.product(range(1, 40), range(40)):
        total = sum(len(window) for window in windows(size, count))
        assert pooling.adaptive_avg_pool1d((1, size), count).flops == total
        assert pooling.adaptive_max_pool1d((1, size), count).flops == total - count


def test_adaptive_windows_of_two_dimensions():
    rows, columns = windows(7, 3), windows(10, 4)
    total = sum(len(row) * len(column) for row in rows for column in columns)
    assert total == (7 + 3 - 1) * (10 + 4 - 2)
    assert pooling.adaptive_avg_pool2d((2, 5, 7, 10), (3, 4)).flops == 2 * 5 * total
    expected = 2 * 5 * (total - 3 * 4)
    assert pooling.adaptive_max_pool2d((2, 5, 7, 10), (3, 4)).flops == expected


def test_global_average():
    cost = pooling.adaptive_avg_pool2d((1, 512, 7, 7), 1)
    assert cost.shapes == ((1, 512, 1, 1),)
    assert cost.flops == 512 * (48 + 1)


def test_adaptive_pooling_keeps_a_size():
    cost = pooling.adaptive_avg_pool2d((1, 3, 6, 8), (-1, 4))
    assert cost.shapes == ((1, 3, 6, 4),)
    assert cost.flops == 3 * 6 * 8


def test_fractional_max_pool():
    cost = pooling.fractional_max_pool2d((1, 3, 9, 9), 2, output_size=(5, 6), return_indices=True)
    assert cost.shapes == ((1, 3, 5, 6),) * 2
    assert cost.flops == (3 * 5 * 6) * 3


def test_max_unpool():
    cost = pooling.max_unpool2d((1, 3, 4, 4), (1, 3, 4, 4), kernel_size=2)
    assert cost.shapes == ((1, 3, 8, 8),)
    assert cost.flops == 0
    assert cost.memory_access == 2 * (3 * 4 * 4) + 3 * 8 * 8
    larger = pooling.max_unpool2d((1, 3, 4, 4), (1, 3, 4, 4), 2, output_size=(1, 3, 9, 9))
    assert larger.shapes == ((1, 3, 9, 9),)


def test_unpooling_undoes_pooling():
    for size, kernel, stride in itertools.product(range(4, 12), (2, 3), (2, 3)):
        (pooled,) = pooling.max_pool1d((1, size), kernel, stride).shapes
        cost = pooling.max_unpool1d(pooled, pooled, kernel, stride, output_size=size)
        assert cost.shapes == ((1, size),)


def test_an_empty_batch_costs_nothing():
    for formula in (pooling.max_pool2d, pooling.avg_pool2d, pooling.lp_pool2d):
        assert formula((0, 3, 4, 4), 2).flops == 0
    assert pooling.adaptive_avg_pool2d((0, 3, 4, 4), 2).flops == 0


REFUSALS = [
    (
        "max_pool2d",
        [(8, 8)],
        {"kernel_size": 2},
        "the input must have 4 or 3 dimensions, (N, C, *) or (C, *), got 2",
    ),
    (
        "max_pool2d",
        [(2, 0, 8, 8)],
        {"kernel_size": 2},
        "every size but the batch must be positive, got 0",
    ),
    ("max_pool1d", [(2, 8)], {"kernel_size": 0}, "kernel_size must be positive, got 0"),
    ("max_pool1d", [(2, 8)], {"kernel_size": 2, "stride": 0}, "stride must be positive, got 0"),
    ("max_pool1d", [(2, 8)], {"kernel_size": 2, "dilation": 0}, "dilation must be positive, got 0"),
    (
        "max_pool1d",
        [(2, 8)],
        {"kernel_size": 2, "padding": -1},
        "padding must not be negative, got -1",
    ),
    (
        "max_pool1d",
        [(2, 8)],
        {"kernel_size": 3, "padding": 2, "dilation": 3},
        "padding 2 must be at most half of kernel_size 3",
    ),
    (
        "avg_pool2d",
        [(2, 8, 2)],
        {"kernel_size": 3},
        "the kernel reaches over 3 elements but the padded input has only 2",
    ),
    (
        "avg_pool2d",
        [(2, 8, 8)],
        {"kernel_size": 3, "divisor_override": 0},
        "divisor_override must not be zero",
    ),
    (
        "avg_pool3d",
        [(2, 8, 8, 2)],
        {"kernel_size": 3, "padding": 1},
        "kernel_size 3 is larger than the input, 2",
    ),
    (
        "avg_pool1d",
        [(2, 8)],
        {"kernel_size": 3, "divisor_override": 2},
        (
            "unknown attribute 'divisor_override'; avg_pool1d takes kernel_size, stride, padding, "
            "ceil_mode, count_include_pad"
        ),
    ),
    (
        "lp_pool2d",
        [(2, 8, 8)],
        {"kernel_size": (2, 2, 2)},
        "kernel_size must have 1 or 2 entries, got (2, 2, 2)",
    ),
    (
        "adaptive_avg_pool2d",
        [(2, 8, 8)],
        {"output_size": (3, -2)},
        "output_size must not be negative, or -1 to keep the input's size, got -2",
    ),
    (
        "fractional_max_pool2d",
        [(2, 8, 8)],
        {"kernel_size": 2, "output_size": (4, 8)},
        "kernel_size 2 and output_size 8 need an input of at least 9, got 8",
    ),
    (
        "fractional_max_pool3d",
        [(2, 8, 8, 8)],
        {"kernel_size": 2, "output_size": 7},
        "kernel_size 2 and output_size 7 need an input of at least 9, got 8",
    ),
    (
        "fractional_max_pool2d",
        [(2, 8, 8)],
        {"kernel_size": 2, "output_size": -1},
        "output_size must not be negative, got -1",
    ),
    (
        "max_unpool1d",
        [(2, 4), (2, 5)],
        {"kernel_size": 2},
        "the indices must have the input's shape (2, 4), got (2, 5)",
    ),
    (
        "max_unpool1d",
        [(2, 4), (2, 4)],
        {"kernel_size": 2, "output_size": 10},
        "output_size 10 must be more than 6 and less than 10",
    ),
    (
        "max_unpool2d",
        [(2, 4, 4), (2, 4, 4)],
        {"kernel_size": 2, "output_size": (8, 8, 8)},
        "output_size must have 1, 2 or 4 entries, got (8, 8, 8)",
    ),
    (
        "max_unpool1d",
        [(2, 1), (2, 1)],
        {"kernel_size": 2, "padding": 1},
        "there is no output: its size would be 0",
    ),
    ("max_unpool1d", [(2, 4)], {"kernel_size": 2}, "max_unpool1d takes 2 inputs, got 1"),
]


@pytest.mark.parametrize(("op", "shapes", "attributes", "rule"), REFUSALS)
def test_refusals(op, shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], shapes, attributes)
    assert caught.value.rule == rule
    listed = ", ".join(str(shape) for shape in shapes)
    assert str(caught.value) == f"{op}: {rule}; input shapes {listed}"
