"""Layers of the linear family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

Shape = tuple[int, ...]

sizes = st.sampled_from([0, 1, 2, 3, 4, 5, 6])
features = st.sampled_from([1, 2, 3, 4, 7])
letters = "abcdXYZ"


def leading(highest: int = 3) -> st.SearchStrategy[Shape]:
    return st.lists(sizes, max_size=highest).map(tuple)


def broadcasting(draw: Callable, shape: Shape) -> Shape:
    """A shape that broadcasts to the given one."""
    kept = shape[draw(st.integers(0, len(shape))) :]
    return tuple(draw(st.sampled_from([size, size, size, 1])) for size in kept)


def linear(draw: Callable) -> Drawn:
    x = (*draw(leading()), draw(features))
    return "linear", [x], {"out_features": draw(features), "bias": draw(st.booleans())}


def bilinear(draw: Callable) -> Drawn:
    rows = draw(leading(2))
    inputs = [(*rows, draw(features)), (*rows, draw(features))]
    return "bilinear", inputs, {"out_features": draw(features), "bias": draw(st.booleans())}


def matmul(draw: Callable) -> Drawn:
    batch, length = draw(leading(2)), draw(features)
    left = draw(st.sampled_from([(), (draw(sizes),)]))
    right = draw(st.sampled_from([(), (draw(sizes),)]))
    return (
        "matmul",
        [
            (*(broadcasting(draw, batch) if left else ()), *left, length),
            (*(broadcasting(draw, batch) if right else ()), length, *right),
        ],
        {},
    )


def insert_ellipsis(draw: Callable, term: str, shape: Shape, covered: Shape) -> tuple[str, Shape]:
    """The term with '...' somewhere, and the shape with what it covers there."""
    position = draw(st.integers(0, len(term)))
    return (
        f"{term[:position]}...{term[position:]}",
        (*shape[:position], *covered, *shape[position:]),
    )


def einsum(draw: Callable) -> Drawn:
    size_of = {letter: draw(st.sampled_from([1, 2, 3, 4])) for letter in letters}
    covered = draw(st.none() | st.lists(sizes, max_size=2).map(tuple))
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 4))):
        term = draw(st.text(letters, max_size=4))
        shape = tuple(size_of[letter] for letter in term)
        # One of size 1 broadcasts, but not within a diagonal.
        if shape and len(set(term)) == len(term) and draw(st.integers(0, 5)) == 0:
            shape = broadcasting(draw, shape)
            term = term[len(term) - len(shape) :]
        if covered is not None and draw(st.booleans()):
            term, shape = insert_ellipsis(draw, term, shape, broadcasting(draw, covered))
        terms.append(term)
        shapes.append(shape)
    equation = ",".join(terms)
    if draw(st.booleans()):
        named = sorted(set(equation) - set(".,"))
        output = "".join(draw(st.permutations(named))[: draw(st.integers(0, len(named)))])
        if draw(st.booleans()):
            output, _ = insert_ellipsis(draw, output, (), ())
        equation += f"->{output}"
    if draw(st.integers(0, 9)) == 0:
        position = draw(st.integers(0, len(equation)))
        odd = draw(st.sampled_from([" ", "a", ",", ".", "...", "->", "-", "1", "\u00e9", "{}"]))
        equation = equation[:position] + odd + equation[position:]
    return "einsum", shapes, {"equation": equation}


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from([linear, bilinear, matmul, einsum, einsum]))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
