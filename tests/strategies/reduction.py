"""Layers of the reduction family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

shapes = st.lists(st.sampled_from([0, 1, 1, 2, 3, 4, 5, 9]), max_size=4).map(tuple)

OVER_SEVERAL = (
    "sum", "mean", "max", "min", "amax", "amin", "any", "all", "var", "std", "norm", "norm_l1",
    "norm_inf", "norm_p", "logsumexp", "count_nonzero", "var_mean", "std_mean",
)  # fmt: skip
OVER_ONE_OR_ALL = ("prod", "argmax", "argmin", "aminmax", "median")
OVER_ONE = ("max_with_indices", "min_with_indices")
RUNNING = ("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp")


def dims(rank: int) -> st.SearchStrategy[int]:
    """One of the dimensions, counted from either end; as torch, 0 and -1 where there is none."""
    return st.integers(-max(rank, 1), max(rank, 1) - 1)


def given_or_not(draw: Callable, attributes: dict[str, object]) -> dict[str, object]:
    """Attributes that have defaults, each given or not."""
    return {name: value for name, value in attributes.items() if draw(st.booleans())}


def over_several(draw: Callable) -> Drawn:
    x = draw(shapes)
    attributes = given_or_not(draw, {"keepdim": draw(st.booleans())})
    if draw(st.booleans()):
        several = st.lists(dims(len(x)), min_size=1, max_size=3).map(tuple)
        attributes["dim"] = draw(dims(len(x)) | several)
    return draw(st.sampled_from(OVER_SEVERAL)), [x], attributes


def over_one_or_all(draw: Callable) -> Drawn:
    x = draw(shapes)
    attributes = given_or_not(draw, {"dim": draw(dims(len(x))), "keepdim": draw(st.booleans())})
    return draw(st.sampled_from(OVER_ONE_OR_ALL)), [x], attributes


def over_one(draw: Callable) -> Drawn:
    x = draw(shapes)
    attributes = given_or_not(draw, {"keepdim": draw(st.booleans())})
    return draw(st.sampled_from(OVER_ONE)), [x], {"dim": draw(dims(len(x))), **attributes}


def running(draw: Callable) -> Drawn:
    x = draw(shapes)
    return draw(st.sampled_from(RUNNING)), [x], {"dim": draw(dims(len(x)))}


def sort(draw: Callable) -> Drawn:
    x = draw(shapes)
    choices = {"dim": draw(dims(len(x))), "descending": True, "stable": True}
    return draw(st.sampled_from(["sort", "argsort"])), [x], given_or_not(draw, choices)


def selection(op: str, flag: str) -> Callable[[Callable], Drawn]:
    def layer(draw: Callable) -> Drawn:
        x = draw(shapes)
        dim = draw(dims(len(x)))
        k = draw(st.integers(1, max(x[dim], 1) if x else 1))
        left_out = dim in (-1, len(x) - 1) and draw(st.booleans())
        attributes: dict[str, object] = {"k": k} if left_out else {"k": k, "dim": dim}
        return op, [x], {**attributes, **given_or_not(draw, {flag: draw(st.booleans())})}

    return layer


LAYERS = (
    over_several,
    over_several,
    over_one_or_all,
    over_one,
    running,
    sort,
    selection("topk", "largest"),
    selection("kthvalue", "keepdim"),
)


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from(LAYERS))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
