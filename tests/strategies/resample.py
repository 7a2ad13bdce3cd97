"""Layers of the resample family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
}
positive = st.integers(1, 9)


def several(count: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[positive] * count)


def interpolate(draw: Callable) -> Drawn:
    mode = draw(st.sampled_from(list(MODES)))
    spatial = draw(st.sampled_from(MODES[mode] if draw(st.integers(0, 9)) else (1, 2, 3)))
    x = (draw(st.integers(0, 3)), draw(positive), *draw(several(spatial)))
    attributes = {"size": draw(positive | several(spatial)), "mode": mode}
    if MODES[mode] != (1, 2, 3) or draw(st.integers(0, 9)) == 0:
        attributes["align_corners"] = draw(st.booleans())
    return "interpolate", [x], attributes


def grid_sample(draw: Callable) -> Drawn:
    spatial = draw(st.sampled_from([2, 2, 3]))
    x = (draw(st.integers(0, 3)), draw(st.integers(0, 4)), *draw(several(spatial)))
    grid = (x[0], *draw(st.tuples(*[st.integers(0, 6)] * spatial)), spatial)
    attributes = {
        "mode": draw(st.sampled_from(["bilinear", "nearest", "bicubic"])),
        "padding_mode": draw(st.sampled_from(["zeros", "border", "reflection"])),
        "align_corners": draw(st.booleans()),
    }
    return "grid_sample", [x, grid], draw(st.sampled_from([attributes, {}]))


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from([interpolate, grid_sample]))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
