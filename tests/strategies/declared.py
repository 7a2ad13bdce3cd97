"""Layers of the declared family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

shapes = st.lists(st.integers(0, 9), max_size=5).map(tuple)


def opaque(draw: Callable) -> Drawn:
    outputs = draw(st.lists(shapes, max_size=3))
    attributes = {
        "shapes": tuple(entry for shape in outputs for entry in (len(shape), *shape)),
        "macs": draw(st.integers(0, 10**12)),
        "flops": draw(st.integers(-1, 10**12)),
        "label": draw(st.sampled_from(["", "aten.fft", "a custom layer"])),
    }
    kept = {"shapes", *draw(st.sets(st.sampled_from(list(attributes))))}
    inputs = draw(st.lists(shapes, max_size=3))
    return "opaque", inputs, {name: attributes[name] for name in attributes if name in kept}


def uncalled(draw: Callable) -> Drawn:
    return "uncalled", draw(st.lists(shapes, max_size=4)), {}


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from([opaque, opaque, uncalled]))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
