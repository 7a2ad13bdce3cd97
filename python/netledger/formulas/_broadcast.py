"""Broadcasting: the common shape of tensors of different shapes, as in torch and numpy."""

from __future__ import annotations

from netledger.formulas._layer import Shape, require


def broadcasts(left: int, right: int) -> bool:
    """Whether two sizes have a common one: they are equal, or one of them is 1."""
    return left == right or 1 in (left, right)


def broadcast_size(left: int, right: int) -> int:
    """The common size of two sizes that broadcast."""
    return right if left == 1 else left


def broadcast(left: Shape, right: Shape) -> Shape:
    """The common shape of two shapes, aligned at their last dimensions."""
    rank = max(len(left), len(right))
    common = []
    for a, b in zip(_padded(left, rank), _padded(right, rank), strict=True):
        require(broadcasts(a, b), f"sizes {left} and {right} do not broadcast")
        common.append(broadcast_size(a, b))
    return tuple(common)


def _padded(shape: Shape, rank: int) -> Shape:
    return (1,) * (rank - len(shape)) + shape
