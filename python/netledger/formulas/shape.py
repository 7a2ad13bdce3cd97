"""Layers that rearrange a tensor: views, which move no data, and copies, which move all of it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Literal

from netledger.formulas._broadcast import broadcast
from netledger.formulas._layer import (
    Layer,
    Shape,
    Sizes,
    elements,
    operation,
    per_dimension,
    require,
    sequence,
)
from netledger.formulas._layer import dimension as counted

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "channel_shuffle",
    "chunk",
    "concat",
    "copy",
    "diagonal",
    "expand",
    "flatten",
    "flip",
    "fold",
    "gather",
    "identity",
    "index",
    "index_add",
    "index_select",
    "movedim",
    "pad",
    "permute",
    "pixel_shuffle",
    "pixel_unshuffle",
    "repeat",
    "repeat_interleave",
    "reshape",
    "roll",
    "scatter",
    "scatter_add",
    "select",
    "slice",
    "split",
    "squeeze",
    "stack",
    "take_along_dim",
    "tile",
    "transpose",
    "tril",
    "triu",
    "unbind",
    "unflatten",
    "unfold",
    "unfold_dimension",
    "unsqueeze",
]

MAXIMUM_RANK = 16


def _require_rank(rank: int) -> None:
    """Refuse an output of more dimensions than a tensor can have."""
    require(rank <= MAXIMUM_RANK, f"a tensor has at most {MAXIMUM_RANK} dimensions, not {rank}")


def _rank(input: Shape) -> int:
    """How many dimensions a dim can name; torch takes a tensor without any for one of one."""
    return max(len(input), 1)


def _as_vector(shape: Shape) -> Shape:
    """A tensor without dimensions as one of one element, where torch takes it so."""
    return shape or (1,)


def _distinct(dims: Sizes, rank: int) -> list[int]:
    """The dimensions that a sequence lists, each at most once."""
    listed: list[int] = []
    for dim in sequence(dims):
        d = counted(dim, rank)
        require(d not in listed, f"dim {d} is listed more than once")
        listed.append(d)
    return listed


# -- views: nothing is read or written ----------------------------------------------------------


def _resolved(total: int, sizes: Shape) -> Shape:
    """Sizes for so many elements, with a -1 among them replaced by what the others leave."""
    for size in sizes:
        require(size >= -1, f"a size must not be negative, got {size}")
    require(sizes.count(-1) <= 1, f"only one size may be -1, got {sizes}")
    known = prod(size for size in sizes if size != -1)
    if -1 not in sizes:
        require(known == total, f"{total} elements do not make the sizes {sizes}")
        return sizes
    require(known > 0, f"the size -1 can be anything among the sizes {sizes}, which have a 0")
    require(total % known == 0, f"{total} elements do not make the sizes {sizes}")
    return tuple(total // known if size == -1 else size for size in sizes)


@operation(view=True)
def reshape(input: Shape, /, shape: Sizes) -> Layer:
    """The same elements in another shape; one size may be -1, for what the others leave.

    A view: no operations, no memory access. Source: torch.reshape.
    """
    sizes = sequence(shape)
    _require_rank(len(sizes))
    return Layer(shapes=(_resolved(elements(input), sizes),))


@operation(view=True)
def flatten(input: Shape, /, start_dim: int = 0, end_dim: int = -1) -> Layer:
    """Dimensions start_dim to end_dim, both included, as one.

    A view: no operations, no memory access. Source: torch.flatten.
    """
    shape = _as_vector(input)
    start, end = counted(start_dim, len(shape)), counted(end_dim, len(shape))
    require(start <= end, f"start_dim {start} comes after end_dim {end}")
    return Layer(shapes=((*shape[:start], elements(shape[start : end + 1]), *shape[end + 1 :]),))


@operation(view=True)
def unflatten(input: Shape, /, dim: int, sizes: Sizes) -> Layer:
    """One dimension as several; one size may be -1, for what the others leave.

    A view: no operations, no memory access. Source: torch.unflatten.
    """
    d = counted(dim, len(input))
    given = sequence(sizes)
    require(len(given) > 0, "sizes must not be empty")
    _require_rank(len(input) - 1 + len(given))
    return Layer(shapes=((*input[:d], *_resolved(input[d], given), *input[d + 1 :]),))


@operation(view=True)
def permute(input: Shape, /, dims: Sizes) -> Layer:
    """All dimensions in another order: output dimension i is input dimension dims[i].

    A view: no operations, no memory access. Source: torch.permute.
    """
    given = sequence(dims)
    require(
        len(given) == len(input),
        f"dims must list each of the {len(input)} dimensions once, got {given}",
    )
    return Layer(shapes=(tuple(input[d] for d in _distinct(given, len(input))),))


@operation(view=True)
def transpose(input: Shape, /, dim0: int, dim1: int) -> Layer:
    """Two dimensions exchanged.

    A view: no operations, no memory access. Source: torch.transpose.
    """
    first, second = counted(dim0, _rank(input)), counted(dim1, _rank(input))
    shape = list(input)
    if shape:
        shape[first], shape[second] = shape[second], shape[first]
    return Layer(shapes=(tuple(shape),))


@operation(view=True)
def movedim(input: Shape, /, source: Sizes, destination: Sizes) -> Layer:
    """Dimensions moved from the positions `source` to `destination`; the others keep their order.

    A view: no operations, no memory access. Source: torch.movedim.
    """
    require(
        len(sequence(source)) == len(sequence(destination)),
        f"source and destination must have the same number of entries, got {sequence(source)} "
        f"and {sequence(destination)}",
    )
    sources, destinations = _distinct(source, _rank(input)), _distinct(destination, _rank(input))
    moved = dict(zip(destinations, sources, strict=True))
    others = (d for d in range(len(input)) if d not in sources)
    order = [moved[d] if d in moved else next(others) for d in range(len(input))]
    return Layer(shapes=(tuple(input[d] for d in order),))


@operation(view=True)
def squeeze(input: Shape, /, dim: Sizes | None = None) -> Layer:
    """Without the dimensions of size 1, or without those of `dim` that have size 1.

    A view: no operations, no memory access. Source: torch.squeeze.
    """
    dims = list(range(len(input))) if dim is None else _distinct(dim, _rank(input))
    kept = (size for d, size in enumerate(input) if d not in dims or size != 1)
    return Layer(shapes=(tuple(kept),))


@operation(view=True)
def unsqueeze(input: Shape, /, dim: int) -> Layer:
    """A dimension of size 1 inserted at `dim`.

    A view: no operations, no memory access. Source: torch.unsqueeze.
    """
    _require_rank(len(input) + 1)
    d = counted(dim, len(input) + 1)
    return Layer(shapes=((*input[:d], 1, *input[d:]),))


@operation(view=True)
def expand(input: Shape, /, sizes: Sizes) -> Layer:
    """Dimensions of size 1 repeated, and dimensions added in front; -1 keeps a size.

    A view: no operations, no memory access. Source: torch.Tensor.expand.
    """
    given = sequence(sizes)
    _require_rank(len(given))
    require(
        len(given) >= len(input),
        f"sizes must have at least {len(input)} entries, got {given}",
    )
    added = len(given) - len(input)
    shape = []
    for d, size in enumerate(given):
        if d >= added and size == -1:
            shape.append(input[d - added])
            continue
        require(size >= 0, f"a size must not be negative, got {size}")
        if d >= added:
            old = input[d - added]
            require(old in (1, size), f"a dimension of size {old} cannot be expanded to {size}")
        shape.append(size)
    return Layer(shapes=(tuple(shape),))


def _position(given: int, size: int) -> int:
    """A position counted from the end when negative, clamped to the dimension."""
    within = min(max(given, -size), size)
    return within + size if within < 0 else within


@operation(view=True)
def slice(
    input: Shape, /, dim: int = 0, start: int = 0, end: int | None = None, step: int = 1
) -> Layer:
    """Every step-th element of a dimension from start up to end, which is left out.

    Positions count from the end when negative and are clamped to the dimension. A view: no
    operations, no memory access. Source: indexing with start:end:step in torch.
    """
    d = counted(dim, len(input))
    require(step > 0, f"step must be positive, got {step}")
    size = input[d]
    first = _position(start, size)
    last = size if end is None else _position(end, size)
    length = -(-max(last - first, 0) // step)
    return Layer(shapes=((*input[:d], length, *input[d + 1 :]),))


@operation(view=True)
def select(input: Shape, /, dim: int, index: int) -> Layer:
    """One position of a dimension, which the output does not have.

    A view: no operations, no memory access. Source: torch.select.
    """
    d = counted(dim, len(input))
    require(
        -input[d] <= index < input[d],
        f"index {index} is out of range for dimension {d} of size {input[d]}",
    )
    return Layer(shapes=((*input[:d], *input[d + 1 :]),))


def _pieces(input: Shape, d: int, sizes: Sequence[int]) -> Layer:
    """One output for each of the sizes that a dimension is cut into."""
    return Layer(shapes=tuple((*input[:d], size, *input[d + 1 :]) for size in sizes))


@operation(view=True)
def split(input: Shape, /, sizes: Sizes, dim: int = 0) -> Layer:
    """A dimension cut into pieces of the given sizes, one output each.

    Views: no operations, no memory access. Source: torch.split.
    """
    d = counted(dim, len(input))
    given = sequence(sizes)
    for size in given:
        require(size >= 0, f"a size must not be negative, got {size}")
    require(
        sum(given) == input[d],
        f"sizes {given} do not sum to the {input[d]} elements of dimension {d}",
    )
    return _pieces(input, d, given)


@operation(view=True)
def chunk(input: Shape, /, chunks: int, dim: int = 0) -> Layer:
    """A dimension cut into pieces of ceil(size / chunks), the last one smaller, one output each.

    There may be fewer pieces than `chunks`. Views: no operations, no memory access. Source:
    torch.chunk.
    """
    d = counted(dim, len(input))
    require(chunks > 0, f"chunks must be positive, got {chunks}")
    length = -(-input[d] // chunks)
    if length == 0:
        return _pieces(input, d, (0,) * chunks)
    starts = range(0, input[d], length)
    return _pieces(input, d, [min(length, input[d] - start) for start in starts])


@operation(view=True)
def unbind(input: Shape, /, dim: int = 0) -> Layer:
    """Every position of a dimension as an output without that dimension.

    Views: no operations, no memory access. Source: torch.unbind.
    """
    d = counted(dim, len(input))
    return Layer(shapes=((*input[:d], *input[d + 1 :]),) * input[d])


@operation(view=True)
def diagonal(input: Shape, /, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Layer:
    """The diagonal of two dimensions, as the last dimension in their place.

    A view: no operations, no memory access. Source: torch.diagonal.
    """
    first, second = counted(dim1, len(input)), counted(dim2, len(input))
    require(first != second, f"dim1 and dim2 must differ, got {first} for both")
    length = min(input[first] + min(offset, 0), input[second] - max(offset, 0))
    others = (size for d, size in enumerate(input) if d not in (first, second))
    return Layer(shapes=((*others, max(length, 0)),))


@operation(view=True)
def unfold_dimension(input: Shape, /, dimension: int, size: int, step: int) -> Layer:
    """Windows of `size` elements every `step` along a dimension, as a new last dimension.

    The dimension's size becomes (L - size) // step + 1. A view: no operations, no memory access.
    Source: torch.Tensor.unfold.
    """
    d = counted(dimension, _rank(input))
    length = _as_vector(input)[d]
    require(size >= 0, f"size must not be negative, got {size}")
    require(size <= length, f"a window of {size} elements is larger than the dimension of {length}")
    require(step > 0, f"step must be positive, got {step}")
    _require_rank(len(input) + 1)
    if not input:
        return Layer(shapes=((size,),))
    return Layer(shapes=((*input[:d], (length - size) // step + 1, *input[d + 1 :], size),))


@operation(view=True)
def identity(input: Shape, /) -> Layer:
    """The input itself.

    A view: no operations, no memory access. Source: torch.nn.Identity.
    """
    return Layer(shapes=(input,))


# -- copies: inputs are read and outputs written ------------------------------------------------


@operation()
def concat(*inputs: Shape, dim: int = 0) -> Layer:
    """Tensors one after the other along a dimension; their other sizes agree.

    As torch, leaves out tensors of shape (0,) among others. No operations. Source: torch.cat.
    """
    first = next((shape for shape in inputs if shape != (0,)), (0,))
    kept = [shape for shape in inputs if shape != (0,) or len(first) == 1]
    require(len(first) > 0, "tensors without dimensions cannot be concatenated; stack joins them")
    d = counted(dim, len(first))
    for shape in kept:
        require(
            len(shape) == len(first),
            f"the tensors must have the same number of dimensions, got {first} and {shape}",
        )
        require(
            shape[:d] == first[:d] and shape[d + 1 :] == first[d + 1 :],
            f"the sizes must agree outside dimension {d}, got {first} and {shape}",
        )
    total = sum(shape[d] for shape in kept)
    return Layer(shapes=((*first[:d], total, *first[d + 1 :]),))


@operation()
def stack(*inputs: Shape, dim: int = 0) -> Layer:
    """Tensors of one shape side by side along a new dimension. No operations.

    Source: torch.stack.
    """
    first = inputs[0]
    _require_rank(len(first) + 1)
    d = counted(dim, len(first) + 1)
    for shape in inputs:
        require(shape == first, f"the tensors must have the same shape, got {first} and {shape}")
    return Layer(shapes=((*first[:d], len(inputs), *first[d:]),))


def _repeated(input: Shape, repeats: Shape) -> Layer:
    """The sizes times the repeats, aligned at the last dimension."""
    rank = max(len(input), len(repeats))
    _require_rank(rank)
    for count in repeats:
        require(count >= 0, f"a number of repeats must not be negative, got {count}")
    sizes = (1,) * (rank - len(input)) + input
    counts = (1,) * (rank - len(repeats)) + repeats
    return Layer(shapes=(tuple(size * count for size, count in zip(sizes, counts, strict=True)),))


@operation()
def repeat(input: Shape, /, repeats: Sizes) -> Layer:
    """A tensor laid out repeats[d] times along every dimension d. No operations.

    `repeats` may have more entries than the tensor has dimensions, not fewer. Source:
    torch.Tensor.repeat.
    """
    given = sequence(repeats)
    require(
        len(given) >= len(input),
        f"repeats must have at least {len(input)} entries, got {given}",
    )
    return _repeated(input, given)


@operation()
def tile(input: Shape, /, dims: Sizes) -> Layer:
    """A tensor laid out dims[d] times along its last dimensions; as `repeat`, any length fits.

    Source: torch.tile.
    """
    return _repeated(input, sequence(dims))


@operation()
def pad(
    input: Shape,
    /,
    padding: Sizes,
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
) -> Layer:
    """Elements added before and after the last dimensions, or cropped where negative.

    `padding` is (before, after) of the last dimension, then of the one before it, and so on. All
    modes but "constant" pad the last 1, 2 or 3 dimensions of (N, C, *) or (C, *). "reflect" needs
    paddings smaller than the size, "circular" not larger. No operations.

    Source: torch.nn.functional.pad.
    """
    given = sequence(padding)
    require(
        len(given) % 2 == 0, f"padding must have a (before, after) pair per dimension, got {given}"
    )
    padded = len(given) // 2
    rank = len(input)
    if mode == "constant":
        require(padded <= rank, f"padding is for {padded} dimensions, the input has {rank}")
    else:
        require(
            1 <= padded <= 3 and rank in (padded + 1, padded + 2),
            f"mode '{mode}' pads 1, 2 or 3 dimensions of (N, C, *) or (C, *), got padding for "
            f"{padded} of {rank} dimensions",
        )
    if mode in ("reflect", "replicate"):
        for size in input[rank - padded - 1 :]:
            require(size > 0, f"every size but the batch must be positive, got {input}")
    shape = list(input)
    for i in range(padded):
        d = rank - 1 - i
        before, after = given[2 * i : 2 * i + 2]
        size = input[d]
        if mode == "constant":
            require(
                size + min(before, 0) + min(after, 0) >= 0,
                f"padding {(before, after)} crops more than the {size} elements of dimension {d}",
            )
        if mode == "reflect":
            require(
                max(before, after) < size,
                f"reflect padding must be smaller than the size {size} of dimension {d}, "
                f"got {(before, after)}",
            )
        if mode == "circular":
            require(
                max(before, after) <= size,
                f"circular padding must not exceed the size {size} of dimension {d}, "
                f"got {(before, after)}",
            )
        shape[d] = size + before + after
        smallest = 0 if mode in ("constant", "circular") else 1
        require(
            shape[d] >= smallest,
            f"padding {(before, after)} leaves {shape[d]} elements of dimension {d}",
        )
    return Layer(shapes=(tuple(shape),))


@operation()
def roll(input: Shape, /, shifts: Sizes, dims: Sizes | None = None) -> Layer:
    """Elements shifted along dimensions, those pushed out coming in at the other end.

    Without dims the tensor is rolled as if it had one. No operations. Source: torch.roll.
    """
    given = sequence(shifts)
    along = () if dims is None else sequence(dims)
    require(len(given) > 0, "shifts must not be empty")
    require(
        len(given) == max(len(along), 1),
        f"shifts and dims must have the same number of entries, got {given} and {along}",
    )
    for dim in along:
        counted(dim, len(input))
    return Layer(shapes=(input,))


@operation()
def flip(input: Shape, /, dims: Sizes) -> Layer:
    """The order of elements reversed along dimensions. No operations. Source: torch.flip."""
    _distinct(dims, _rank(input))
    return Layer(shapes=(input,))


def _require_image(input: Shape) -> None:
    require(
        len(input) >= 3,
        f"the input must have at least 3 dimensions, (*, C, H, W), got {len(input)}",
    )


@operation()
def pixel_shuffle(input: Shape, /, upscale_factor: int) -> Layer:
    """(*, C * r**2, H, W) -> (*, C, H * r, W * r), r the upscale factor. No operations.

    Source: torch.nn.PixelShuffle; Shi et al., Real-Time Single Image and Video Super-Resolution
    Using an Efficient Sub-Pixel Convolutional Neural Network, 2016.
    """
    _require_image(input)
    require(upscale_factor > 0, f"upscale_factor must be positive, got {upscale_factor}")
    *batch, channels, height, width = input
    require(
        channels % upscale_factor**2 == 0,
        f"{channels} channels are not divisible by the square of upscale_factor {upscale_factor}",
    )
    return Layer(
        shapes=(
            (
                *batch,
                channels // upscale_factor**2,
                height * upscale_factor,
                width * upscale_factor,
            ),
        )
    )


@operation()
def pixel_unshuffle(input: Shape, /, downscale_factor: int) -> Layer:
    """(*, C, H * r, W * r) -> (*, C * r**2, H, W), r the downscale factor. No operations.

    Source: torch.nn.PixelUnshuffle.
    """
    _require_image(input)
    require(downscale_factor > 0, f"downscale_factor must be positive, got {downscale_factor}")
    *batch, channels, height, width = input
    for size in (height, width):
        require(
            size % downscale_factor == 0,
            f"size {size} is not divisible by downscale_factor {downscale_factor}",
        )
    return Layer(
        shapes=(
            (
                *batch,
                channels * downscale_factor**2,
                height // downscale_factor,
                width // downscale_factor,
            ),
        )
    )


@operation()
def channel_shuffle(input: Shape, /, groups: int) -> Layer:
    """(N, C, *): the channels of all groups interleaved. No operations.

    Source: torch.nn.ChannelShuffle; Zhang et al., ShuffleNet, 2018.
    """
    require(
        len(input) >= 3, f"the input must have at least 3 dimensions, (N, C, *), got {len(input)}"
    )
    require(groups > 0, f"groups must be positive, got {groups}")
    require(input[1] % groups == 0, f"{input[1]} channels are not divisible by groups {groups}")
    return Layer(shapes=(input,))


def _blocks(
    sizes: Sequence[int], kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> tuple[int, int]:
    """Elements of the kernel, and how often it fits into two spatial dimensions."""
    kernels = per_dimension(kernel_size, 2, "kernel_size")
    dilations = per_dimension(dilation, 2, "dilation")
    paddings = per_dimension(padding, 2, "padding")
    strides = per_dimension(stride, 2, "stride")
    blocks = 1
    for d in range(2):
        require(kernels[d] > 0, f"kernel_size must be positive, got {kernels[d]}")
        require(dilations[d] > 0, f"dilation must be positive, got {dilations[d]}")
        require(paddings[d] >= 0, f"padding must not be negative, got {paddings[d]}")
        require(strides[d] > 0, f"stride must be positive, got {strides[d]}")
        padded = sizes[d] + 2 * paddings[d]
        reach = dilations[d] * (kernels[d] - 1) + 1
        require(
            reach <= padded,
            f"the kernel reaches over {reach} elements but the padded size is {padded}",
        )
        blocks *= (padded - reach) // strides[d] + 1
    return prod(kernels), blocks


@operation()
def unfold(
    input: Shape,
    /,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Layer:
    """Image to columns: (N, C, H, W) or (C, H, W) -> (N, C * K, L).

    With K = prod(kernel_size) and L the number of positions of the kernel, the product over both
    dimensions of (H + 2*padding - dilation*(kernel_size - 1) - 1) // stride + 1. No operations.

    Source: torch.nn.Unfold.
    """
    rank = len(input)
    require(
        rank in (3, 4),
        f"the input must have 4 or 3 dimensions, (N, C, H, W) or (C, H, W), got {rank}",
    )
    for size in input[rank - 3 :]:
        require(size > 0, f"every size but the batch must be positive, got {input}")
    kernel, blocks = _blocks(input[rank - 2 :], kernel_size, dilation, padding, stride)
    return Layer(shapes=((*input[: rank - 3], input[rank - 3] * kernel, blocks),))


@operation()
def fold(
    input: Shape,
    /,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Layer:
    """Columns to image: (N, C * K, L) or (C * K, L) -> (N, C, *output_size), overlaps summed.

    The reverse of `unfold`. flops = |x|: every element is added into an output that starts at
    zero.

    Source: torch.nn.Fold.
    """
    rank = len(input)
    require(
        rank in (2, 3),
        f"the input must have 3 or 2 dimensions, (N, C * K, L) or (C * K, L), got {rank}",
    )
    columns, length = input[rank - 2 :]
    require(columns > 0 and length > 0, f"every size but the batch must be positive, got {input}")
    sizes = per_dimension(output_size, 2, "output_size")
    for size in sizes:
        require(size > 0, f"output_size must be positive, got {size}")
    kernel, blocks = _blocks(sizes, kernel_size, dilation, padding, stride)
    require(
        columns % kernel == 0, f"{columns} rows are not divisible by the kernel's {kernel} elements"
    )
    require(
        blocks == length, f"the kernel has {blocks} positions in the output, the input has {length}"
    )
    return Layer(shapes=((*input[: rank - 2], columns // kernel, *sizes),), flops=elements(input))


def _require_within(index: Shape, other: Shape, name: str, free: int | None) -> None:
    """An index reaches no further than another tensor, in every dimension but a free one."""
    require(
        len(index) == len(other),
        f"the index must have as many dimensions as the {name}, got {index} and {other}",
    )
    for d in range(len(index)):
        if d != free:
            require(
                index[d] <= other[d] or elements(index) == 0,
                f"the index must not be larger than the {name} in dimension {d}, "
                f"got {index} and {other}",
            )


def _require_source(elements_to_pick: int, size: int) -> None:
    """Refuse to pick anything out of nothing."""
    require(
        elements_to_pick == 0 or size > 0,
        f"{elements_to_pick} positions are picked from a dimension of size 0",
    )


@operation()
def gather(input: Shape, index: Shape, /, dim: int) -> Layer:
    """One element of the input, picked along `dim`, for each element of the index.

    No operations; reads |y| elements of the input and the index. Source: torch.gather.
    """
    d = counted(dim, _rank(input))
    _require_within(_as_vector(index), _as_vector(input), "input", d)
    _require_source(elements(index), _as_vector(input)[d])
    return Layer(shapes=(index,), input_reads=elements(index))


@operation()
def index_select(input: Shape, index: Shape, /, dim: int) -> Layer:
    """The positions of a dimension that a 1-d index lists.

    No operations; reads |y| elements of the input and the index. Source: torch.index_select.
    """
    d = counted(dim, _rank(input))
    require(len(index) <= 1, f"the index must have 1 dimension, got {index}")
    count = elements(index)
    if not input:
        require(count == 1, f"a tensor without dimensions takes one index, got {count}")
        return Layer(shapes=((),), input_reads=1)
    _require_source(count, input[d])
    shape = (*input[:d], count, *input[d + 1 :])
    return Layer(shapes=(shape,), input_reads=elements(shape))


@operation()
def take_along_dim(input: Shape, index: Shape, /, dim: int | None = None) -> Layer:
    """As `gather`, with input and index broadcast outside `dim`; without dim, of the flat input.

    No operations; reads |y| elements of the input and the index. Source: torch.take_along_dim.
    """
    if dim is None:
        shape: Shape = (elements(index),)
        _require_source(elements(index), elements(input))
        return Layer(shapes=(shape,), input_reads=elements(shape))
    require(
        len(input) == len(index),
        f"the index must have as many dimensions as the input, got {index} and {input}",
    )
    d = counted(dim, len(input))
    _require_source(elements(index), input[d])
    before = broadcast(input[:d], index[:d])
    after = broadcast(input[d + 1 :], index[d + 1 :])
    shape = (*before, index[d], *after)
    return Layer(shapes=(shape,), input_reads=elements(shape))


@operation()
def index(input: Shape, /, *indices: Shape, dims: Sizes) -> Layer:
    """Indexing by integer tensors, one for each of `dims`.

    The common shape of the index tensors replaces the dimensions, or comes first when these are
    not adjacent. No operations; reads |y| elements of the input and the index tensors.

    Source: indexing with tensors in torch and numpy.
    """
    listed = _distinct(dims, len(input))
    require(
        len(indices) == len(listed) > 0,
        f"dims must list one dimension for each of the {len(indices)} index tensors, "
        f"got {sequence(dims)}",
    )
    common: Shape = ()
    for shape in indices:
        common = broadcast(common, shape)
    for d in listed:
        _require_source(elements(common), input[d])
    low, high = min(listed), max(listed)
    adjacent = high - low + 1 == len(listed)
    rest = [size for d, size in enumerate(input) if d not in listed]
    _require_rank(len(rest) + len(common))
    before = low if adjacent else 0
    output = (*rest[:before], *common, *rest[before:])
    return Layer(shapes=(output,), input_reads=elements(output))


def _scatter(input: Shape, index: Shape, src: Shape | None, dim: int) -> None:
    d = counted(dim, _rank(input))
    _require_within(_as_vector(index), _as_vector(input), "input", d)
    _require_source(elements(index), _as_vector(input)[d])
    if src is not None:
        _require_within(_as_vector(index), _as_vector(src), "source", None)


@operation()
def scatter(input: Shape, index: Shape, src: Shape | None = None, /, *, dim: int) -> Layer:
    """The input with elements of `src`, or a number, written along `dim` where the index says.

    No operations. Source: torch.scatter.
    """
    _scatter(input, index, src, dim)
    return Layer(shapes=(input,))


@operation()
def scatter_add(input: Shape, index: Shape, src: Shape, /, dim: int) -> Layer:
    """The input with elements of `src` added along `dim` where the index says.

    flops = |index|, one addition per element. Source: torch.scatter_add.
    """
    _scatter(input, index, src, dim)
    return Layer(shapes=(input,), flops=elements(index))


@operation()
def index_add(input: Shape, index: Shape, source: Shape, /, dim: int) -> Layer:
    """The input with slices of `source` added along `dim` where a 1-d index says.

    flops = |source|, one addition per element. Source: torch.index_add.
    """
    d = counted(dim, _rank(input))
    require(len(index) <= 1, f"the index must have 1 dimension, got {index}")
    require(
        len(source) == len(input),
        f"the source must have as many dimensions as the input, got {source} and {input}",
    )
    added = _as_vector(source)
    require(
        added[d] == elements(index),
        f"the index must list the {added[d]} positions of the source, got {elements(index)}",
    )
    _require_source(elements(index), _as_vector(input)[d])
    for other in range(len(input)):
        if other != d:
            require(
                source[other] == input[other],
                f"the sizes must agree outside dimension {d}, got {input} and {source}",
            )
    return Layer(shapes=(input,), flops=elements(source))


@operation()
def repeat_interleave(input: Shape, /, repeats: Sizes, dim: int | None = None) -> Layer:
    """Every element of a dimension repeated, all equally often or each its own number of times.

    Without dim, the elements of the flat input. No operations. Source: torch.repeat_interleave.
    """
    shape = (elements(input),) if dim is None else input
    d = 0 if dim is None else counted(dim, len(input))
    given = sequence(repeats)
    for count in given:
        require(count >= 0, f"a number of repeats must not be negative, got {count}")
    if len(given) == 1:
        length = shape[d] * given[0]
    else:
        require(
            len(given) == shape[d],
            f"repeats must have 1 or {shape[d]} entries, got {given}",
        )
        length = sum(given)
    return Layer(shapes=((*shape[:d], length, *shape[d + 1 :]),))


def _triangle(input: Shape) -> Layer:
    require(len(input) >= 2, f"the input must have at least 2 dimensions, got {len(input)}")
    return Layer(shapes=(input,))


@operation()
def tril(input: Shape, /, diagonal: int = 0) -> Layer:
    """Matrices with zeros above a diagonal. No operations. Source: torch.tril."""
    return _triangle(input)


@operation()
def triu(input: Shape, /, diagonal: int = 0) -> Layer:
    """Matrices with zeros below a diagonal. No operations. Source: torch.triu."""
    return _triangle(input)


@operation()
def copy(input: Shape, /) -> Layer:
    """The same tensor in other memory. No operations. Source: torch.clone, torch.contiguous."""
    return Layer(shapes=(input,))
