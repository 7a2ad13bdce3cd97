"""Layers of the activation family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

shapes = st.lists(st.integers(0, 6), max_size=4).map(tuple)


def dims(rank: int) -> st.SearchStrategy[int]:
    """One of the dimensions, counted from either end; as torch, 0 and -1 where there is none."""
    return st.integers(-max(rank, 1), max(rank, 1) - 1)


def softmax(draw: Callable) -> Drawn:
    x = draw(shapes)
    op = draw(st.sampled_from(["softmax", "log_softmax", "softmin"]))
    return op, [x], {"dim": draw(dims(len(x)))}


def glu(draw: Callable) -> Drawn:
    x = list(draw(st.lists(st.integers(0, 6), min_size=1, max_size=4)))
    dim = draw(dims(len(x)))
    x[dim] *= 2
    left_out = dim in (-1, len(x) - 1) and draw(st.booleans())
    return "glu", [tuple(x)], {} if left_out else {"dim": dim}


def prelu(draw: Callable) -> Drawn:
    x = draw(shapes)
    slopes = [1, x[1]] if len(x) > 1 else [1]
    return "prelu", [x], draw(st.sampled_from([{}, *({"num_parameters": n} for n in slopes)]))


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from([softmax, glu, prelu]))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
