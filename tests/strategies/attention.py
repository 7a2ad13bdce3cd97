"""Layers of the attention family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

Shape = tuple[int, ...]

sizes = st.sampled_from([0, 1, 2, 3, 5])
positive = st.sampled_from([1, 2, 3, 4, 6])


def broadcasting(draw: Callable, shape: Shape) -> Shape:
    """As many dimensions, some of size 1."""
    return tuple(draw(st.sampled_from([size, size, size, 1])) for size in shape)


def scaled_dot_product_attention(draw: Callable) -> Drawn:
    batch = draw(st.lists(sizes, max_size=2).map(tuple))
    grouped = draw(st.booleans())
    heads: tuple[Shape, Shape, Shape] = ((), (), ())
    if grouped:
        groups, repeats = draw(positive), draw(positive)
        heads = ((groups * repeats,), (groups,), (draw(st.sampled_from([1, groups])),))
    length, keys, features = draw(sizes), draw(positive), draw(positive)
    query = (*broadcasting(draw, batch), *heads[0], length, features)
    key = (*broadcasting(draw, batch), *heads[1], keys, features)
    value = (*broadcasting(draw, batch), *heads[2], keys, draw(sizes))
    inputs = [query, key, value]
    attributes: dict[str, object] = {"enable_gqa": grouped}
    if draw(st.booleans()):
        compared = zip(query, key[: len(batch)], strict=False)
        common = tuple(b if a == 1 else a for a, b in compared)
        scores = (*common, *heads[0], length, keys)
        mask = broadcasting(draw, scores)
        inputs.append(mask[draw(st.integers(0, len(mask))) :])
        if draw(st.integers(0, 9)) == 0:
            attributes["is_causal"] = True
    elif draw(st.booleans()):
        attributes["is_causal"] = True
    return "scaled_dot_product_attention", inputs, attributes


def multi_head_attention(draw: Callable) -> Drawn:
    heads = draw(positive)
    embed_dim = heads * draw(positive)
    features = st.none() | st.sampled_from([1, 3, embed_dim])
    kdim, vdim = draw(features), draw(features)
    batch_first, batch = draw(st.booleans()), draw(st.none() | sizes)
    length, keys = draw(sizes), draw(positive)

    def shape(positions: int, size: int) -> Shape:
        if batch is None:
            return (positions, size)
        return (batch, positions, size) if batch_first else (positions, batch, size)

    flags = ("bias", "add_bias_kv", "add_zero_attn", "need_weights")
    return (
        "multi_head_attention",
        [shape(length, embed_dim), shape(keys, kdim or embed_dim), shape(keys, vdim or embed_dim)],
        {
            "num_heads": heads,
            "kdim": kdim,
            "vdim": vdim,
            "batch_first": batch_first,
            **{flag: draw(st.booleans()) for flag in flags},
        },
    )


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from([scaled_dot_product_attention, multi_head_attention]))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
