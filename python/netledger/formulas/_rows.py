"""A tensor seen as rows along one of its dimensions."""

from __future__ import annotations

from dataclasses import dataclass

from netledger.formulas._layer import Shape, dimension, elements, require


@dataclass(frozen=True)
class Rows:
    """The rows of a tensor along `dimension`: `count` rows of `length` elements."""

    dimension: int
    length: int
    count: int


def rows_along(input: Shape, dim: int) -> Rows:
    """The rows along a dimension, counted from the end when negative.

    As in torch, a tensor without dimensions is one row of one element, along dimension 0 or -1.
    """
    shape = input or (1,)
    d = dimension(dim, len(shape))
    return Rows(dimension=d, length=shape[d], count=elements(shape[:d] + shape[d + 1 :]))


def require_row(length: int) -> None:
    """Refuse an empty row: the formulas for rows of n elements hold from n = 1."""
    require(
        length > 0,
        f"there must be at least one element along the reduced dimensions, got {length}",
    )
