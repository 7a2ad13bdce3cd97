"""Layers of the shape family: mostly valid, sometimes not."""

from __future__ import annotations

from math import gcd, prod
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

Shape = tuple[int, ...]

sizes = st.sampled_from([0, 1, 1, 2, 3, 4, 5, 6, 8])
positive = st.sampled_from([1, 1, 2, 3, 4, 5, 6, 8])


def shapes(lowest: int = 0, highest: int = 5) -> st.SearchStrategy[Shape]:
    return st.lists(sizes, min_size=lowest, max_size=highest).map(tuple)


def filled(lowest: int = 0, highest: int = 4) -> st.SearchStrategy[Shape]:
    return st.lists(positive, min_size=lowest, max_size=highest).map(tuple)


def dims(rank: int) -> st.SearchStrategy[int]:
    """One of the dimensions, counted from either end; as torch, 0 and -1 where there is none."""
    return st.integers(-max(rank, 1), max(rank, 1) - 1)


def distinct_dims(rank: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Some of the dimensions in any order, counted from either end."""
    chosen = st.lists(st.integers(0, rank - 1), unique=True) if rank else st.just([])
    signs = st.lists(st.booleans(), min_size=rank, max_size=rank)
    return st.tuples(chosen, signs).map(
        lambda pair: tuple(d - rank if pair[1][d] else d for d in pair[0])
    )


def factors(draw: Callable, total: int) -> list[int]:
    """Sizes whose product is the total."""
    result = [total]
    for _ in range(draw(st.integers(0, 3))):
        part = gcd(result[0], draw(st.integers(1, 12))) or 1
        result[:1] = [result[0] // part, part]
    return draw(st.permutations(result))


def with_placeholder(draw: Callable, given: list[int]) -> tuple[int, ...]:
    """The sizes, sometimes with -1 for one of them."""
    if given and draw(st.booleans()):
        given[draw(st.integers(0, len(given) - 1))] = -1
    return tuple(given)


def one_or_all(draw: Callable, given: tuple[int, ...]) -> int | tuple[int, ...]:
    """A sequence of one, sometimes as the integer that stands for it."""
    return given[0] if len(given) == 1 and draw(st.booleans()) else given


def reshape(draw: Callable) -> Drawn:
    x = draw(shapes())
    return "reshape", [x], {"shape": with_placeholder(draw, factors(draw, prod(x)))}


def flatten(draw: Callable) -> Drawn:
    x = draw(shapes())
    first, last = sorted(draw(st.tuples(*[st.integers(0, max(len(x) - 1, 0))] * 2)))
    end = last - draw(st.sampled_from([0, len(x)]))
    return "flatten", [x], {"start_dim": first, "end_dim": end}


def unflatten(draw: Callable) -> Drawn:
    x = draw(shapes(1, 4))
    dim = draw(dims(len(x)))
    return "unflatten", [x], {"dim": dim, "sizes": with_placeholder(draw, factors(draw, x[dim]))}


def permute(draw: Callable) -> Drawn:
    x = draw(shapes())
    order = draw(st.permutations(range(len(x))))
    return "permute", [x], {"dims": tuple(d - draw(st.sampled_from([0, len(x)])) for d in order)}


def transpose(draw: Callable) -> Drawn:
    x = draw(shapes())
    return "transpose", [x], {"dim0": draw(dims(len(x))), "dim1": draw(dims(len(x)))}


def movedim(draw: Callable) -> Drawn:
    x = draw(shapes(0, 6))
    source = draw(distinct_dims(len(x)))
    destination = draw(st.permutations(range(len(x))))[: len(source)]
    return "movedim", [x], {"source": source, "destination": tuple(destination)}


def squeeze(draw: Callable) -> Drawn:
    x = draw(shapes())
    given = draw(st.none() | distinct_dims(len(x)))
    return "squeeze", [x], {} if given is None else {"dim": one_or_all(draw, given)}


def unsqueeze(draw: Callable) -> Drawn:
    x = draw(shapes() | st.integers(14, 16).map(lambda rank: (1,) * rank))
    return "unsqueeze", [x], {"dim": draw(dims(len(x) + 1))}


def expand(draw: Callable) -> Drawn:
    x = draw(shapes(0, 4))
    kept = [draw(st.just(-1) | (sizes if size == 1 else st.just(size))) for size in x]
    return "expand", [x], {"sizes": (*draw(shapes(0, 2)), *kept)}


def slice_(draw: Callable) -> Drawn:
    x = draw(shapes(1))
    ends = st.integers(-9, 9) | st.sampled_from([2**62, -(2**62)])
    attributes = {
        "dim": draw(dims(len(x))),
        "start": draw(ends),
        "end": draw(st.none() | ends),
        "step": draw(st.integers(1, 4)),
    }
    kept = draw(st.sets(st.sampled_from(list(attributes))))
    return "slice", [x], {name: attributes[name] for name in attributes if name in kept}


def select(draw: Callable) -> Drawn:
    x = draw(filled(1))
    dim = draw(dims(len(x)))
    return "select", [x], {"dim": dim, "index": draw(st.integers(-x[dim], x[dim] - 1))}


def split(draw: Callable) -> Drawn:
    x = draw(shapes(1))
    dim = draw(dims(len(x)))
    cuts = sorted(draw(st.lists(st.integers(0, x[dim]), max_size=3)))
    pieces = tuple(b - a for a, b in zip([0, *cuts], [*cuts, x[dim]], strict=True))
    return "split", [x], {"sizes": one_or_all(draw, pieces), "dim": dim}


def chunk(draw: Callable) -> Drawn:
    x = draw(shapes(1))
    return "chunk", [x], {"chunks": draw(st.integers(1, 9)), "dim": draw(dims(len(x)))}


def unbind(draw: Callable) -> Drawn:
    x = draw(shapes(1))
    return "unbind", [x], draw(st.just({}) | dims(len(x)).map(lambda dim: {"dim": dim}))


def diagonal(draw: Callable) -> Drawn:
    x = draw(shapes(2))
    first, second = draw(st.permutations(range(len(x))))[:2]
    if draw(st.booleans()):
        return "diagonal", [x], {}
    offset = draw(st.integers(-9, 9))
    return "diagonal", [x], {"offset": offset, "dim1": first - len(x), "dim2": second}


def unfold_dimension(draw: Callable) -> Drawn:
    x = draw(shapes())
    dim = draw(dims(len(x)))
    size = draw(st.integers(0, x[dim] if x else 1))
    return "unfold_dimension", [x], {"dimension": dim, "size": size, "step": draw(positive)}


def same_shape(op: str) -> Callable[[Callable], Drawn]:
    return lambda draw: (op, [draw(shapes())], {})


def concat(draw: Callable) -> Drawn:
    x = draw(shapes(1))
    dim = draw(dims(len(x)))
    inputs = []
    for _ in range(draw(st.integers(1, 4))):
        legacy = draw(st.integers(0, 5)) == 0
        other = list(x)
        other[dim] = draw(sizes)
        inputs.append((0,) if legacy else tuple(other))
    return "concat", inputs, {} if dim == 0 else {"dim": dim}


def stack(draw: Callable) -> Drawn:
    x = draw(shapes(0, 4))
    return "stack", [x] * draw(st.integers(1, 4)), {"dim": draw(dims(len(x) + 1))}


def repeat(draw: Callable) -> Drawn:
    x = draw(shapes(0, 4))
    times = draw(st.lists(st.integers(0, 3), min_size=len(x), max_size=len(x) + 2))
    return "repeat", [x], {"repeats": one_or_all(draw, tuple(times))}


def tile(draw: Callable) -> Drawn:
    times = draw(st.lists(st.integers(0, 3), max_size=6))
    return "tile", [draw(shapes(0, 4))], {"dims": one_or_all(draw, tuple(times))}


def pad(draw: Callable) -> Drawn:
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    if mode == "constant":
        x = draw(shapes())
        padded = draw(st.integers(0, len(x)))
    else:
        padded = draw(st.integers(1, 3))
        x = draw(filled(padded + 1, padded + 2))
    amounts = st.integers(-2, 3) if draw(st.booleans()) else st.integers(0, 2)
    padding = draw(st.lists(amounts, min_size=2 * padded, max_size=2 * padded).map(tuple))
    attributes = {"padding": padding, "mode": mode}
    if mode == "constant" and draw(st.booleans()):
        del attributes["mode"]
    return "pad", [x], attributes


def roll(draw: Callable) -> Drawn:
    x = draw(shapes())
    if not x or draw(st.booleans()):
        return "roll", [x], {"shifts": draw(st.integers(-9, 9))}
    along = draw(st.lists(dims(len(x)), min_size=1, max_size=3))
    shifts = tuple(draw(st.integers(-9, 9)) for _ in along)
    return "roll", [x], {"shifts": shifts, "dims": tuple(along)}


def flip(draw: Callable) -> Drawn:
    x = draw(shapes())
    return "flip", [x], {"dims": one_or_all(draw, draw(distinct_dims(len(x))))}


def pixel_shuffle(draw: Callable) -> Drawn:
    *batch, channels, height, width = draw(shapes(3))
    factor = draw(st.integers(1, 3))
    shape = (*batch, channels * factor**2, height, width)
    return "pixel_shuffle", [shape], {"upscale_factor": factor}


def pixel_unshuffle(draw: Callable) -> Drawn:
    *batch, channels, height, width = draw(shapes(3))
    factor = draw(st.integers(1, 3))
    shape = (*batch, channels, height * factor, width * factor)
    return "pixel_unshuffle", [shape], {"downscale_factor": factor}


def channel_shuffle(draw: Callable) -> Drawn:
    batch, channels, *rest = draw(shapes(3))
    groups = draw(st.integers(1, 4))
    return "channel_shuffle", [(batch, channels * groups, *rest)], {"groups": groups}


def pairs(draw: Callable, entries: st.SearchStrategy[int]) -> int | tuple[int, int]:
    return draw(entries | st.tuples(entries, entries))


def windows(draw: Callable) -> dict[str, object]:
    attributes: dict[str, object] = {"kernel_size": pairs(draw, st.integers(1, 3))}
    if draw(st.booleans()):
        attributes["dilation"] = pairs(draw, st.integers(1, 2))
        attributes["padding"] = pairs(draw, st.integers(0, 2))
        attributes["stride"] = pairs(draw, st.integers(1, 3))
    return attributes


def of_pair(value: object, position: int) -> int:
    return value[position] if isinstance(value, tuple) else int(str(value))


def unfold(draw: Callable) -> Drawn:
    x = (*draw(st.sampled_from([(), (0,), (1,), (3,)])), *draw(filled(3, 3)))
    return "unfold", [x], windows(draw)


def fold(draw: Callable) -> Drawn:
    attributes = windows(draw)
    output = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    kernel, blocks = 1, 1
    for d in range(2):
        length = of_pair(attributes["kernel_size"], d)
        reach = of_pair(attributes.get("dilation", 1), d) * (length - 1) + 1
        padded = output[d] + 2 * of_pair(attributes.get("padding", 0), d)
        kernel *= length
        blocks *= max((padded - reach) // of_pair(attributes.get("stride", 1), d) + 1, 1)
    batch = draw(st.sampled_from([(), (0,), (1,), (3,)]))
    columns = (*batch, draw(positive) * kernel, blocks)
    return "fold", [columns], {"output_size": output, **attributes}


def inside(draw: Callable, shape: Shape, free: int | None) -> Shape:
    """A shape no larger than another, but in a free dimension."""
    return tuple(
        draw(positive if d == free else st.integers(1, max(size, 1)))
        for d, size in enumerate(shape)
    )


def gather(draw: Callable) -> Drawn:
    x = draw(filled())
    dim = draw(dims(len(x)))
    return "gather", [x, inside(draw, x, dim % max(len(x), 1))], {"dim": dim}


def scatter(draw: Callable) -> Drawn:
    x = draw(filled())
    dim = draw(dims(len(x)))
    index = inside(draw, x, dim % max(len(x), 1))
    src = tuple(size + draw(st.integers(0, 2)) for size in index)
    op = draw(st.sampled_from(["scatter", "scatter_add"]))
    without_source = op == "scatter" and draw(st.booleans())
    return op, [x, index] if without_source else [x, index, src], {"dim": dim}


def index_select(draw: Callable) -> Drawn:
    x = draw(filled())
    count = draw(st.sampled_from([(), (1,)]) if not x else shapes(0, 1))
    return "index_select", [x, count], {"dim": draw(dims(len(x)))}


def index_add(draw: Callable) -> Drawn:
    x = draw(filled())
    dim = draw(dims(len(x)))
    count = draw(st.integers(0, 5)) if x else 1
    source = tuple(count if d == dim % len(x) else size for d, size in enumerate(x))
    index = draw(st.sampled_from([(count,), ()])) if count == 1 else (count,)
    return "index_add", [x, index, source], {"dim": dim}


def take_along_dim(draw: Callable) -> Drawn:
    x = draw(filled(1))
    if draw(st.integers(0, 3)) == 0:
        return "take_along_dim", [x, draw(shapes(0, 3))], {}
    dim = draw(dims(len(x)))
    index = tuple(
        draw(positive) if d == dim % len(x) or size == 1 else draw(st.sampled_from([1, size]))
        for d, size in enumerate(x)
    )
    return "take_along_dim", [x, index], {"dim": dim}


def index(draw: Callable) -> Drawn:
    x = draw(filled(1))
    listed = draw(distinct_dims(len(x))) or (0,)
    common = draw(shapes(0, 3))
    tensors = []
    for _ in listed:
        kept = common[draw(st.integers(0, len(common))) :]
        tensors.append(tuple(draw(st.sampled_from([1, size])) for size in kept))
    return "index", [x, *tensors], {"dims": one_or_all(draw, listed)}


def repeat_interleave(draw: Callable) -> Drawn:
    x = draw(shapes())
    if not x or draw(st.booleans()):
        return "repeat_interleave", [x], {"repeats": draw(st.integers(0, 4))}
    dim = draw(dims(len(x)))
    each = st.tuples(*[st.integers(0, 3)] * x[dim])
    return "repeat_interleave", [x], {"repeats": draw(st.integers(0, 4) | each), "dim": dim}


def triangle(op: str) -> Callable[[Callable], Drawn]:
    return lambda draw: (op, [draw(shapes(2))], draw(st.sampled_from([{}, {"diagonal": -1}])))


LAYERS = (
    reshape, flatten, unflatten, permute, transpose, movedim, squeeze, unsqueeze, expand, slice_,
    select, split, chunk, unbind, diagonal, unfold_dimension, same_shape("identity"), concat,
    stack, repeat, tile, pad, pad, roll, flip, pixel_shuffle, pixel_unshuffle, channel_shuffle,
    unfold, fold, gather, index_select, take_along_dim, index, scatter, index_add,
    repeat_interleave, triangle("tril"), triangle("triu"), same_shape("copy"),
)  # fmt: skip


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from(LAYERS))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
