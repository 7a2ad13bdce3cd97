"""Layers of the convolution family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn


def sizes(draw: Callable, spatial: int, low: int, high: int) -> int | tuple[int, ...]:
    """One number for every spatial dimension, or one for each."""
    if draw(st.booleans()):
        return draw(st.integers(low, high))
    return tuple(draw(st.integers(low, high)) for _ in range(spatial))


@st.composite
def _valid(draw: Callable) -> Drawn:
    spatial = draw(st.integers(1, 3))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels = groups * draw(st.integers(1, 4))
    batch = [draw(st.integers(0, 3))] if draw(st.booleans()) else []
    shape = (*batch, channels, *(draw(st.integers(1, 12)) for _ in range(spatial)))
    attributes: dict[str, object] = {
        "out_channels": groups * draw(st.integers(1, 4)),
        "kernel_size": sizes(draw, spatial, 1, 4),
        "groups": groups,
        "bias": draw(st.booleans()),
    }
    if draw(st.booleans()):
        attributes["dilation"] = sizes(draw, spatial, 1, 3)
    if draw(st.booleans()):
        attributes["stride"] = sizes(draw, spatial, 1, 4)
        attributes["output_padding"] = sizes(draw, spatial, 0, 1)
        attributes["padding"] = sizes(draw, spatial, 0, 2)
        return f"conv_transpose{spatial}d", [shape], attributes
    kind = draw(st.sampled_from(["number", "pairs", "same", "valid"]))
    if kind in ("same", "valid"):
        attributes["padding"] = kind
    else:
        attributes["stride"] = sizes(draw, spatial, 1, 3)
        attributes["padding"] = (
            sizes(draw, spatial, 0, 3)
            if kind == "number"
            else tuple(draw(st.integers(0, 3)) for _ in range(2 * spatial))
        )
    if draw(st.booleans()):
        attributes["padding_mode"] = draw(st.sampled_from(["zeros", "reflect", "circular"]))
    return f"conv{spatial}d", [shape], attributes


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
