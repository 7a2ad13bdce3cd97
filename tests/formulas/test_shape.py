"""The shape family: against torch, and counts by hand."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given, settings

from netledger.errors import LayerError
from netledger.formulas import shape
from netledger.formulas._layer import OPERATIONS, cost_of
from strategies.shape import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")

FUNCTIONS = torch.nn.functional


def sequence(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def in_both_dimensions(attributes: dict) -> dict:
    """torch takes no sequence of one for both dimensions."""
    return {
        name: value[0] if isinstance(value, tuple) and len(value) == 1 else value
        for name, value in attributes.items()
    }


def index(x, *indices, dims):
    positions = [None] * x.ndim
    dims = sequence(dims)
    if len(dims) != len(indices) or not dims:
        raise ValueError("one dimension for each index tensor")
    for dim, tensor in zip(dims, indices, strict=True):
        if positions[dim] is not None:
            raise ValueError("a dimension twice")
        positions[dim] = tensor.long()
    return torch.ops.aten.index.Tensor(x, positions)


def repeat_interleave(x, *, repeats, dim=None):
    return x.repeat_interleave(
        torch.tensor(repeats, dtype=torch.long) if isinstance(repeats, tuple) else repeats, dim
    )


TORCH = {
    "reshape": lambda x, *, shape: x.reshape(sequence(shape)),
    "flatten": lambda x, **attributes: x.flatten(**attributes),
    "unflatten": lambda x, *, dim, sizes: x.unflatten(dim, sequence(sizes)),
    "permute": lambda x, *, dims: x.permute(sequence(dims)),
    "transpose": lambda x, *, dim0, dim1: x.transpose(dim0, dim1),
    "movedim": lambda x, *, source, destination: x.movedim(source, destination),
    "squeeze": lambda x, **attributes: x.squeeze(**attributes),
    "unsqueeze": lambda x, *, dim: x.unsqueeze(dim),
    "expand": lambda x, *, sizes: x.expand(sequence(sizes)),
    "slice": lambda x, *, dim=0, start=0, end=None, step=1: torch.ops.aten.slice.Tensor(
        x, dim, start, end, step
    ),
    "select": lambda x, *, dim, index: x.select(dim, index),
    "split": lambda x, *, sizes, dim=0: tuple(torch.split_with_sizes(x, sequence(sizes), dim)),
    "chunk": lambda x, **attributes: tuple(x.chunk(**attributes)),
    "unbind": lambda x, **attributes: tuple(x.unbind(**attributes)),
    "diagonal": lambda x, **attributes: x.diagonal(**attributes),
    "unfold_dimension": lambda x, *, dimension, size, step: x.unfold(dimension, size, step),
    "identity": torch.nn.Identity(),
    "concat": lambda *inputs, dim=0: torch.cat(inputs, dim),
    "stack": lambda *inputs, dim=0: torch.stack(inputs, dim),
    "repeat": lambda x, *, repeats: x.repeat(sequence(repeats)),
    "tile": lambda x, *, dims: x.tile(sequence(dims)),
    "pad": lambda x, *, padding, mode="constant": FUNCTIONS.pad(x, sequence(padding), mode=mode),
    "roll": lambda x, *, shifts, dims=(): x.roll(shifts, dims),
    "flip": lambda x, *, dims: x.flip(dims),
    "pixel_shuffle": lambda x, *, upscale_factor: torch.nn.PixelShuffle(upscale_factor)(x),
    # Without data: given an empty tensor, the CPU kernel forgets to change its shape.
    "pixel_unshuffle": lambda x, *, downscale_factor: torch.nn.PixelUnshuffle(downscale_factor)(
        x.to("meta")
    ),
    "channel_shuffle": lambda x, *, groups: torch.nn.ChannelShuffle(groups)(x),
    "unfold": lambda x, **attributes: FUNCTIONS.unfold(x, **in_both_dimensions(attributes)),
    "fold": lambda x, **attributes: FUNCTIONS.fold(x, **in_both_dimensions(attributes)),
    "gather": lambda x, index, *, dim: x.gather(dim, index.long()),
    "index_select": lambda x, index, *, dim: x.index_select(dim, index.long()),
    "take_along_dim": lambda x, index, *, dim=None: x.take_along_dim(index.long(), dim),
    "index": index,
    "scatter": lambda x, index, src=0.0, /, *, dim: x.scatter(dim, index.long(), src),
    "scatter_add": lambda x, index, src, /, *, dim: x.scatter_add(dim, index.long(), src),
    "index_add": lambda x, index, source, *, dim: x.index_add(dim, index.long(), source),
    "repeat_interleave": repeat_interleave,
    "tril": lambda x, **attributes: x.tril(**attributes),
    "triu": lambda x, **attributes: x.triu(**attributes),
    "copy": lambda x: x.clone(),
}


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    inputs = [torch.zeros(size) for size in shapes]
    return called(lambda *tensors: TORCH[op](*tensors, **attributes), *inputs)


STRICTER = (
    r"a tensor has at most 16 dimensions",
    # Cropped to nothing in one dimension but not in all of them.
    r"padding .* leaves 0 elements of dimension",
    # Next to a size of 0, torch expands to negative sizes.
    r"a size must not be negative, got -[1-9]",
)
#: torch checks less of layers that have nothing to do.
STRICTER_WHEN_EMPTY = (
    *STRICTER,
    r"dim -?\d+ is out of range",
    r"a number of repeats must not be negative",
    r"the index must have as many dimensions as the",
    r"size \d+ is not divisible by downscale_factor",
)


@settings(max_examples=1000, deadline=None)
@given(layers())
def test_agrees_with_torch(layer):
    empty = any(0 in size for size in layer[1])
    assert_agreement(layer, torch_layer, STRICTER_WHEN_EMPTY if empty else STRICTER)


def test_every_op_is_held_against_torch():
    family = {name for name, op in OPERATIONS.items() if op.family == "shape"}
    assert set(TORCH) == family == set(shape.__all__)


# -- shapes: every case of small tensors, against torch -------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 4, 5])
def test_slice_clamps_as_torch(size):
    positions = [-(2**62), -7, -5, -4, -1, 0, 1, 4, 5, 7, 2**63 - 1]
    x = torch.zeros(2, size)
    for start, end, step in product(positions, [None, *positions], [1, 2, 3, 6]):
        expected = torch.ops.aten.slice.Tensor(x, 1, start, end, step).shape
        assert shape.slice((2, size), 1, start, end, step).shapes == (tuple(expected),)


def test_chunk_as_torch():
    for size, chunks in product(range(13), range(1, 15)):
        expected = tuple(tuple(part.shape) for part in torch.zeros(2, size).chunk(chunks, 1))
        assert shape.chunk((2, size), chunks, dim=1).shapes == expected


def test_diagonal_as_torch():
    for rows, columns, offset in product(range(5), range(5), range(-6, 7)):
        expected = torch.zeros(rows, 7, columns).diagonal(offset, 0, 2).shape
        assert shape.diagonal((rows, 7, columns), offset, 0, 2).shapes == (tuple(expected),)


def test_index_tensors_stand_in_front_unless_their_dimensions_are_adjacent():
    x = (2, 3, 4, 5)
    assert shape.index(x, (7,), (6, 1), dims=(1, 2)).shapes == ((2, 6, 7, 5),)
    assert shape.index(x, (7,), (6, 1), dims=(2, 1)).shapes == ((2, 6, 7, 5),)
    assert shape.index(x, (7,), (6, 1), dims=(0, 2)).shapes == ((6, 7, 3, 5),)
    assert shape.index(x, (7,), dims=3).shapes == ((2, 3, 4, 7),)


def test_several_outputs():
    assert shape.split((2, 6), (1, 0, 5), dim=1).shapes == ((2, 1), (2, 0), (2, 5))
    assert shape.unbind((2, 3, 4), dim=1).shapes == ((2, 4),) * 3
    # ceil(10 / 4) = 3 in each piece but the last.
    assert shape.chunk((10,), 4).shapes == ((3,), (3,), (3,), (1,))
    # Pieces of ceil(5 / 4) = 2: only three are needed.
    assert shape.chunk((5,), 4).shapes == ((2,), (2,), (1,))


# -- counts ---------------------------------------------------------------------------------------

VIEWS = [
    shape.reshape((2, 3, 4), (-1, 6)),
    shape.flatten((2, 3, 4)),
    shape.unflatten((6, 4), 0, (2, 3)),
    shape.permute((2, 3, 4), (2, 0, 1)),
    shape.transpose((2, 12), 0, 1),
    shape.movedim((2, 3, 4), 0, -1),
    shape.squeeze((2, 1, 12)),
    shape.unsqueeze((2, 12), 1),
    shape.expand((1, 12), (2, -1)),
    shape.slice((4, 12), 0, 2),
    shape.select((2, 4, 6), 0, 1),
    shape.split((4, 6), (1, 3)),
    shape.chunk((4, 6), 3),
    shape.unbind((4, 6)),
    shape.diagonal((5, 4, 6), 1, 0, 1),
    shape.unfold_dimension((2, 5), 1, 3, 1),
    shape.identity((4, 6)),
]


def test_views_move_nothing():
    assert len(VIEWS) == sum(op.view for op in OPERATIONS.values() if op.family == "shape")
    for cost in VIEWS:
        assert cost.outputs == sum(prod(size) for size in cost.shapes) > 0
        assert cost.memory_access == cost.flops == cost.macs == cost.activations == 0


@pytest.mark.parametrize(
    ("cost", "shapes", "memory_access"),
    [
        (shape.concat((2, 3), (2, 0), (2, 5), dim=1), ((2, 8),), 6 + 0 + 10 + 16),
        (shape.concat((0,), (2, 3), (0,)), ((2, 3),), 6 + 6),
        (shape.stack((2, 3), (2, 3), dim=-1), ((2, 3, 2),), 6 + 6 + 12),
        (shape.repeat((2, 3), (4, 1, 2)), ((4, 2, 6),), 6 + 48),
        (shape.tile((2, 3), 2), ((2, 6),), 6 + 12),
        (shape.pad((2, 3), (1, 2)), ((2, 6),), 6 + 12),
        (shape.pad((4, 3), (0, 0, -1, 2)), ((5, 3),), 12 + 15),
        (shape.roll((2, 3), 1), ((2, 3),), 6 + 6),
        (shape.flip((2, 3), 0), ((2, 3),), 6 + 6),
        (shape.pixel_shuffle((1, 8, 3, 5), 2), ((1, 2, 6, 10),), 120 + 120),
        (shape.pixel_unshuffle((1, 2, 6, 10), 2), ((1, 8, 3, 5),), 120 + 120),
        (shape.channel_shuffle((1, 6, 5), 3), ((1, 6, 5),), 30 + 30),
        # 6 x 6 positions of a 3 x 3 kernel: columns of 3 * 9 rows.
        (shape.unfold((1, 3, 8, 8), 3), ((1, 27, 36),), 192 + 972),
        # Of x as many elements are read as are written; of the index, all.
        (shape.gather((5, 7), (5, 2), dim=1), ((5, 2),), 10 + 10 + 10),
        (shape.index_select((10, 3), (4,), dim=0), ((4, 3),), 12 + 4 + 12),
        (shape.take_along_dim((5, 7), (1, 2), dim=1), ((5, 2),), 10 + 2 + 10),
        (shape.take_along_dim((5, 7), (2, 3)), ((6,),), 6 + 6 + 6),
        (shape.index((5, 6, 7), (2, 3), dims=1), ((5, 2, 3, 7),), 210 + 6 + 210),
        (shape.index((5, 6, 7), (3,), (2, 1), dims=(0, 1)), ((2, 3, 7),), 42 + 3 + 2 + 42),
        (shape.scatter((5, 7), (2, 2), (3, 2), dim=1), ((5, 7),), 35 + 4 + 6 + 35),
        (shape.scatter((5, 7), (2, 2), dim=1), ((5, 7),), 35 + 4 + 35),
        (shape.repeat_interleave((2, 3), 4, dim=1), ((2, 12),), 6 + 24),
        (shape.repeat_interleave((2, 3), (1, 5), dim=0), ((6, 3),), 6 + 18),
        (shape.repeat_interleave((2, 3), 2), ((12,),), 6 + 12),
        (shape.tril((3, 3)), ((3, 3),), 9 + 9),
        (shape.triu((3, 3), 1), ((3, 3),), 9 + 9),
        (shape.copy((3, 3)), ((3, 3),), 9 + 9),
    ],
)
def test_copies_read_and_write_but_do_not_compute(cost, shapes, memory_access):
    assert cost.shapes == shapes
    assert cost.memory_access == memory_access
    assert cost.outputs == sum(prod(size) for size in shapes)
    assert cost.flops == cost.macs == cost.activations == cost.params == cost.buffers == 0


def test_fold_adds_every_element():
    cost = shape.fold((2, 3 * 9, 36), output_size=8, kernel_size=3)
    assert cost.shapes == ((2, 3, 8, 8),)
    assert cost.flops == 2 * 27 * 36
    assert cost.memory_access == 2 * 27 * 36 + 2 * 3 * 64
    assert cost.macs == 0


def test_index_add_adds_every_element_of_the_source():
    cost = shape.index_add((3, 4), (2,), (3, 2), dim=1)
    assert cost.shapes == ((3, 4),)
    assert cost.flops == 3 * 2
    assert cost.memory_access == 12 + 2 + 6 + 12


def test_unfold_and_fold_are_inverse():
    columns = shape.unfold((2, 3, 9, 11), kernel_size=(3, 2), stride=2, padding=1).shapes[0]
    # (9 + 2 - 3) // 2 + 1 = 5 and (11 + 2 - 2) // 2 + 1 = 6 positions of 6 elements.
    assert columns == (2, 3 * 6, 5 * 6)
    image = shape.fold(columns, output_size=(9, 11), kernel_size=(3, 2), stride=2, padding=1)
    assert image.shapes == ((2, 3, 9, 11),)


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "rule"),
    [
        ("reshape", [(2, 3)], {"shape": (4, 2)}, "6 elements do not make the sizes (4, 2)"),
        ("reshape", [(2, 3)], {"shape": (-1, 4)}, "6 elements do not make the sizes (-1, 4)"),
        ("reshape", [(2, 3)], {"shape": (-1, -1)}, "only one size may be -1, got (-1, -1)"),
        ("reshape", [(2, 3)], {"shape": (-2, -3)}, "a size must not be negative, got -2"),
        (
            "reshape",
            [(0, 3)],
            {"shape": (-1, 0)},
            "the size -1 can be anything among the sizes (-1, 0), which have a 0",
        ),
        (
            "reshape",
            [(1,)],
            {"shape": (1,) * 17},
            "a tensor has at most 16 dimensions, not 17",
        ),
        (
            "flatten",
            [(2, 3)],
            {"start_dim": 1, "end_dim": 0},
            "start_dim 1 comes after end_dim 0",
        ),
        ("unflatten", [(2, 3)], {"dim": 1, "sizes": ()}, "sizes must not be empty"),
        (
            "permute",
            [(2, 3)],
            {"dims": (0,)},
            "dims must list each of the 2 dimensions once, got (0,)",
        ),
        ("permute", [(2, 3)], {"dims": (0, -2)}, "dim 0 is listed more than once"),
        (
            "movedim",
            [(2, 3)],
            {"source": 0, "destination": (0, 1)},
            "source and destination must have the same number of entries, got (0,) and (0, 1)",
        ),
        ("transpose", [(2, 3)], {"dim0": 0, "dim1": 2}, "dim 2 is out of range for 2 dimensions"),
        (
            "expand",
            [(2, 3)],
            {"sizes": (2, 4)},
            "a dimension of size 3 cannot be expanded to 4",
        ),
        ("expand", [(3,)], {"sizes": (-1, 3)}, "a size must not be negative, got -1"),
        ("expand", [(2, 3)], {"sizes": 3}, "sizes must have at least 2 entries, got (3,)"),
        ("slice", [(4,)], {"step": 0}, "step must be positive, got 0"),
        (
            "select",
            [(4, 5)],
            {"dim": 1, "index": -6},
            "index -6 is out of range for dimension 1 of size 5",
        ),
        (
            "split",
            [(4, 5)],
            {"sizes": (2, 2), "dim": 1},
            "sizes (2, 2) do not sum to the 5 elements of dimension 1",
        ),
        ("chunk", [(4,)], {"chunks": 0}, "chunks must be positive, got 0"),
        ("diagonal", [(4, 4)], {"dim2": -2}, "dim1 and dim2 must differ, got 0 for both"),
        (
            "unfold_dimension",
            [(4,)],
            {"dimension": 0, "size": 5, "step": 1},
            "a window of 5 elements is larger than the dimension of 4",
        ),
        (
            "concat",
            [(2, 3), (2, 4)],
            {"dim": 0},
            "the sizes must agree outside dimension 0, got (2, 3) and (2, 4)",
        ),
        (
            "concat",
            [(2, 3), (2,)],
            {},
            "the tensors must have the same number of dimensions, got (2, 3) and (2,)",
        ),
        (
            "concat",
            [(), ()],
            {},
            "tensors without dimensions cannot be concatenated; stack joins them",
        ),
        ("concat", [], {}, "concat takes at least 1 inputs, got 0"),
        (
            "stack",
            [(2, 3), (3, 2)],
            {},
            "the tensors must have the same shape, got (2, 3) and (3, 2)",
        ),
        ("repeat", [(2, 3)], {"repeats": 2}, "repeats must have at least 2 entries, got (2,)"),
        ("tile", [(2,)], {"dims": -1}, "a number of repeats must not be negative, got -1"),
        (
            "pad",
            [(2, 3)],
            {"padding": (1, 1, 1)},
            "padding must have a (before, after) pair per dimension, got (1, 1, 1)",
        ),
        ("pad", [(3,)], {"padding": (1,) * 4}, "padding is for 2 dimensions, the input has 1"),
        (
            "pad",
            [(2, 3)],
            {"padding": (-4, 4)},
            "padding (-4, 4) crops more than the 3 elements of dimension 1",
        ),
        (
            "pad",
            [(2, 3)],
            {"padding": (3, 0), "mode": "reflect"},
            "reflect padding must be smaller than the size 3 of dimension 1, got (3, 0)",
        ),
        (
            "pad",
            [(2, 3)],
            {"padding": (0, 4), "mode": "circular"},
            "circular padding must not exceed the size 3 of dimension 1, got (0, 4)",
        ),
        (
            "pad",
            [(2, 3)],
            {"padding": (-2, -1), "mode": "replicate"},
            "padding (-2, -1) leaves 0 elements of dimension 1",
        ),
        (
            "pad",
            [(1, 2, 3, 4)],
            {"padding": (1, 1), "mode": "replicate"},
            "mode 'replicate' pads 1, 2 or 3 dimensions of (N, C, *) or (C, *), got padding for "
            "1 of 4 dimensions",
        ),
        ("roll", [(2, 3)], {"shifts": ()}, "shifts must not be empty"),
        (
            "roll",
            [(2, 3)],
            {"shifts": (1, 2)},
            "shifts and dims must have the same number of entries, got (1, 2) and ()",
        ),
        ("flip", [(2, 3)], {"dims": (0, 0)}, "dim 0 is listed more than once"),
        (
            "pixel_shuffle",
            [(6, 2, 2)],
            {"upscale_factor": 2},
            "6 channels are not divisible by the square of upscale_factor 2",
        ),
        (
            "pixel_unshuffle",
            [(1, 4, 6)],
            {"downscale_factor": 4},
            "size 6 is not divisible by downscale_factor 4",
        ),
        (
            "channel_shuffle",
            [(1, 4, 2)],
            {"groups": 3},
            "4 channels are not divisible by groups 3",
        ),
        (
            "unfold",
            [(1, 3, 2, 8)],
            {"kernel_size": 3},
            "the kernel reaches over 3 elements but the padded size is 2",
        ),
        (
            "fold",
            [(1, 10, 36)],
            {"output_size": 8, "kernel_size": 3},
            "10 rows are not divisible by the kernel's 9 elements",
        ),
        (
            "fold",
            [(1, 9, 35)],
            {"output_size": 8, "kernel_size": 3},
            "the kernel has 36 positions in the output, the input has 35",
        ),
        (
            "gather",
            [(3, 4), (4, 4)],
            {"dim": 1},
            "the index must not be larger than the input in dimension 0, got (4, 4) and (3, 4)",
        ),
        (
            "scatter",
            [(3, 4), (3, 2), (3, 1)],
            {"dim": 1},
            "the index must not be larger than the source in dimension 1, got (3, 2) and (3, 1)",
        ),
        (
            "index_select",
            [(3, 0), (5,)],
            {"dim": 1},
            "5 positions are picked from a dimension of size 0",
        ),
        (
            "take_along_dim",
            [(3, 4), (2, 4)],
            {"dim": 1},
            "sizes (3,) and (2,) do not broadcast",
        ),
        (
            "index",
            [(3, 4), (2,)],
            {"dims": (0, 1)},
            "dims must list one dimension for each of the 1 index tensors, got (0, 1)",
        ),
        ("index", [(3, 4), (2,), (3,)], {"dims": (0, 1)}, "sizes (2,) and (3,) do not broadcast"),
        (
            "index_add",
            [(3, 4), (2,), (3, 3)],
            {"dim": 1},
            "the index must list the 3 positions of the source, got 2",
        ),
        (
            "repeat_interleave",
            [(3, 4)],
            {"repeats": (1, 2), "dim": 1},
            "repeats must have 1 or 4 entries, got (1, 2)",
        ),
        ("tril", [(3,)], {}, "the input must have at least 2 dimensions, got 1"),
    ],
)
def test_refusals(op, shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], shapes, attributes)
    assert caught.value.rule == rule
    listed = ", ".join(str(size) for size in shapes) or "none"
    assert str(caught.value) == f"{op}: {rule}; input shapes {listed}"
