"""Layers of the embedding family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

sizes = st.sampled_from([0, 1, 2, 3, 5])


def table(draw: Callable) -> dict[str, object]:
    return {"num_embeddings": draw(sizes), "embedding_dim": draw(sizes)}


def embedding(draw: Callable) -> Drawn:
    indices = draw(st.lists(sizes, max_size=4).map(tuple) | st.just((1,) * 16))
    return "embedding", [indices], table(draw)


def embedding_bag(draw: Callable) -> Drawn:
    attributes = table(draw)
    if draw(st.booleans()):
        attributes["mode"] = draw(st.sampled_from(["sum", "mean", "max", "min"]))
    if draw(st.booleans()):
        attributes["include_last_offset"] = draw(st.booleans())
    if draw(st.booleans()):
        return "embedding_bag", [(draw(sizes), draw(st.integers(1, 4)))], attributes
    indices = draw(st.integers(1, 6))
    bags = draw(st.integers(1, indices)) + bool(attributes.get("include_last_offset"))
    return "embedding_bag", [(indices,), (bags,)], attributes


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from([embedding, embedding_bag]))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
