"""Layers of the normalization family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

sizes = st.sampled_from([0, 1, 1, 2, 3, 4, 6])
positive = st.integers(1, 6)


def batched(draw: Callable, channels: int, least_spatial: int = 0) -> tuple[int, ...]:
    return (draw(sizes), channels, *draw(st.lists(sizes, min_size=least_spatial, max_size=3)))


def flags(draw: Callable, *names: str) -> dict[str, object]:
    """Each flag left out, off or on."""
    drawn = {name: draw(st.sampled_from([None, False, True])) for name in names}
    return {name: flag for name, flag in drawn.items() if flag is not None}


def per_channel(op: str) -> Callable[[Callable], Drawn]:
    def layer(draw: Callable) -> Drawn:
        x = batched(draw, draw(positive))
        return op, [x], flags(draw, "affine", "track_running_stats")

    return layer


def group_norm(draw: Callable) -> Drawn:
    groups = draw(positive)
    x = batched(draw, groups * draw(st.integers(1, 4)))
    return "group_norm", [x], {"num_groups": groups, **flags(draw, "affine")}


def trailing(op: str, *names: str) -> Callable[[Callable], Drawn]:
    def layer(draw: Callable) -> Drawn:
        rows = draw(st.lists(sizes, max_size=3).map(tuple))
        shape = draw(st.lists(positive, min_size=1, max_size=3).map(tuple))
        attributes = flags(draw, *names)
        alone = len(shape) == 1 and draw(st.booleans())
        return op, [rows + shape], {"normalized_shape": shape[0] if alone else shape, **attributes}

    return layer


def local_response_norm(draw: Callable) -> Drawn:
    x = batched(draw, draw(positive), least_spatial=1)
    return "local_response_norm", [x], {"size": draw(positive)}


LAYERS = (
    per_channel("batch_norm"),
    per_channel("instance_norm"),
    group_norm,
    trailing("layer_norm", "elementwise_affine", "bias"),
    trailing("rms_norm", "elementwise_affine"),
    local_response_norm,
)


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from(LAYERS))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
