"""Reductions over dimensions, running reductions, sorting and selection along one dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netledger.formulas._layer import (
    Layer,
    Shape,
    Sizes,
    ceil_log2,
    dimension,
    elements,
    operation,
    require,
    sequence,
)
from netledger.formulas._rows import Rows, require_row, rows_along

if TYPE_CHECKING:
    from collections.abc import Callable

    from netledger._results import Cost


@dataclass(frozen=True)
class _Reduction:
    """`element` operations for each of the n elements of a result, and `result` for each result."""

    element: int
    result: int
    calculation: str
    source: str = ""
    outputs: int = 1


def _reduced(input: Shape, dim: Sizes | None, keepdim: bool) -> tuple[int, Shape]:
    """How many elements each result is made of, and the shape of the results."""
    chosen = set(range(len(input)))
    if dim is not None:
        dims = sequence(dim)
        require(len(dims) > 0, "dim must not be empty; leave it out to reduce all dimensions")
        chosen = set()
        for given in dims:
            d = dimension(given, len(input) or 1)
            require(d not in chosen, f"dim {d} appears more than once")
            chosen.add(d)
    length = elements(tuple(size for d, size in enumerate(input) if d in chosen))
    require_row(length)
    kept = tuple(
        1 if d in chosen else size for d, size in enumerate(input) if keepdim or d not in chosen
    )
    return length, kept


def _reduce(reduction: _Reduction, input: Shape, dim: Sizes | None, keepdim: bool) -> Layer:
    length, result = _reduced(input, dim, keepdim)
    return Layer(
        shapes=(result,) * reduction.outputs,
        flops=elements(result) * (reduction.element * length + reduction.result),
    )


# -- what a reduction accepts for dim: each function gives one such signature --------------------


def _several(reduction: _Reduction) -> Callable[..., Layer]:
    def rule(input: Shape, /, dim: Sizes | None = None, keepdim: bool = False) -> Layer:
        return _reduce(reduction, input, dim, keepdim)

    return rule


def _one_or_all(reduction: _Reduction) -> Callable[..., Layer]:
    def rule(input: Shape, /, dim: int | None = None, keepdim: bool = False) -> Layer:
        return _reduce(reduction, input, dim, keepdim)

    return rule


def _one(reduction: _Reduction) -> Callable[..., Layer]:
    def rule(input: Shape, /, dim: int, keepdim: bool = False) -> Layer:
        return _reduce(reduction, input, dim, keepdim)

    return rule


def _running(reduction: _Reduction) -> Callable[..., Layer]:
    def rule(input: Shape, /, dim: int) -> Layer:
        rows = rows_along(input, dim)
        require_row(rows.length)
        return Layer(
            shapes=(input,) * reduction.outputs,
            flops=rows.count * (reduction.element * rows.length + reduction.result),
        )

    return rule


# -- the tables ----------------------------------------------------------------------------------

_OVER_SEVERAL = {
    "sum": _Reduction(1, -1, "n - 1 additions"),
    "mean": _Reduction(1, 0, "n - 1 additions and a division"),
    "max": _Reduction(1, -1, "n - 1 comparisons"),
    "min": _Reduction(1, -1, "n - 1 comparisons"),
    "amax": _Reduction(1, -1, "n - 1 comparisons"),
    "amin": _Reduction(1, -1, "n - 1 comparisons"),
    "any": _Reduction(1, -1, "n - 1 disjunctions"),
    "all": _Reduction(1, -1, "n - 1 conjunctions"),
    "var": _Reduction(
        4, 0, "n for the mean, n differences, n squares, n - 1 additions and a division"
    ),
    "std": _Reduction(4, 1, "the operations of `var` and a root"),
    "norm": _Reduction(2, 0, "n squares, n - 1 additions and a root", "torch.linalg.vector_norm"),
    "norm_l1": _Reduction(
        2, -1, "n absolute values and n - 1 additions", "torch.linalg.vector_norm with ord=1"
    ),
    "norm_inf": _Reduction(
        2, -1, "n absolute values and n - 1 comparisons", "torch.linalg.vector_norm with ord=inf"
    ),
    "norm_p": _Reduction(
        3,
        0,
        "n absolute values, n powers, n - 1 additions and a root",
        "torch.linalg.vector_norm with another ord",
    ),
    "logsumexp": _Reduction(2, 0, "n exponentials, n - 1 additions and a logarithm"),
    "count_nonzero": _Reduction(2, -1, "n comparisons and n - 1 additions"),
    "var_mean": _Reduction(4, 0, "the operations of `var`, which include the mean", outputs=2),
    "std_mean": _Reduction(4, 1, "the operations of `std`, which include the mean", outputs=2),
}

_OVER_ONE_OR_ALL = {
    "prod": _Reduction(1, -1, "n - 1 products"),
    "argmax": _Reduction(1, -1, "n - 1 comparisons"),
    "argmin": _Reduction(1, -1, "n - 1 comparisons"),
    "aminmax": _Reduction(2, -2, "n - 1 comparisons for each of the two", outputs=2),
}

_OVER_ONE = {
    "max_with_indices": _Reduction(
        1, -1, "n - 1 comparisons, for values and indices together", "torch.max with dim", outputs=2
    ),
    "min_with_indices": _Reduction(
        1, -1, "n - 1 comparisons, for values and indices together", "torch.min with dim", outputs=2
    ),
}

_RUNNING = {
    "cumsum": _Reduction(1, -1, "n - 1 additions"),
    "cumprod": _Reduction(1, -1, "n - 1 products"),
    "cummax": _Reduction(1, -1, "n - 1 comparisons, for values and indices together", outputs=2),
    "cummin": _Reduction(1, -1, "n - 1 comparisons, for values and indices together", outputs=2),
    "logcumsumexp": _Reduction(3, -1, "n exponentials, n - 1 additions and n logarithms"),
}


def _enter(
    reductions: dict[str, _Reduction],
    signature: Callable[[_Reduction], Callable[..., Layer]],
    scope: str,
) -> dict[str, Callable[..., Cost]]:
    """Enter reductions that share a signature in the book of operations."""
    entered = {}
    for name, reduction in reductions.items():
        rule = signature(reduction)
        cost = "n" if reduction.element == 1 else f"{reduction.element}n"
        if reduction.result:
            cost += f" {'+' if reduction.result > 0 else '-'} {abs(reduction.result)}"
        rule.__name__ = rule.__qualname__ = name
        rule.__doc__ = (
            f"flops = {cost} for each {scope}, n at least 1.\n\n"
            f"    These are {reduction.calculation}.\n\n"
            f"    Source: {reduction.source or f'torch.{name}'}.\n    "
        )
        entered[name] = operation()(rule)
    return entered


_ENTERED = {
    **_enter(_OVER_SEVERAL, _several, "result from n elements, over `dim` or all dimensions"),
    **_enter(_OVER_ONE_OR_ALL, _one_or_all, "result from n elements, over one `dim` or all"),
    **_enter(_OVER_ONE, _one, "result from n elements, over `dim`"),
    **_enter(_RUNNING, _running, "row of n elements along `dim`"),
}
globals().update(_ENTERED)


# -- sorting and selection -----------------------------------------------------------------------


def _sorting(length: int) -> int:
    """Comparisons of a merge sort."""
    return length * ceil_log2(length)


@operation()
def median(input: Shape, /, dim: int | None = None, keepdim: bool = False) -> Layer:
    """The median over one `dim`, with its index as a second output, or over all dimensions.

    Counts as a `sort` of the n elements behind each result: flops = n * ceil(log2(n)).

    Source: torch.median.
    """
    length, result = _reduced(input, dim, keepdim)
    return Layer(
        shapes=(result,) if dim is None else (result, result),
        flops=elements(result) * _sorting(length),
    )


def _sort(input: Shape, dim: int, outputs: int) -> Layer:
    rows = rows_along(input, dim)
    return Layer(shapes=(input,) * outputs, flops=rows.count * _sorting(rows.length))


@operation()
def sort(input: Shape, /, dim: int = -1, descending: bool = False, stable: bool = False) -> Layer:
    """Values in order along `dim`, and their indices as a second output.

    flops = n * ceil(log2(n)) comparisons for each row of n elements: a merge sort.

    Source: torch.sort; Knuth, The Art of Computer Programming 3, 1998, section 5.2.4.
    """
    return _sort(input, dim, outputs=2)


@operation()
def argsort(
    input: Shape, /, dim: int = -1, descending: bool = False, stable: bool = False
) -> Layer:
    """The indices that `sort` gives, and its operations.

    Source: torch.argsort.
    """
    return _sort(input, dim, outputs=1)


def _selection(rows: Rows, k: int) -> int:
    """Comparisons of a tournament for the first k elements of each row."""
    require(
        0 < k <= rows.length,
        f"k must be from 1 to the size {rows.length} along dim {rows.dimension}, got {k}",
    )
    return rows.count * (rows.length - 1 + (k - 1) * ceil_log2(rows.length))


@operation()
def topk(
    input: Shape, /, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Layer:
    """The k largest elements along `dim`, and their indices as a second output.

    flops = n - 1 + (k - 1) * ceil(log2(n)) comparisons for each row of n elements: a tournament
    finds the first, and each next one along the path of the one before.

    Source: torch.topk; Knuth, The Art of Computer Programming 3, 1998, section 5.3.3.
    """
    rows = rows_along(input, dim)
    flops = _selection(rows, k)
    output = (*input[: rows.dimension], k, *input[rows.dimension + 1 :]) if input else ()
    return Layer(shapes=(output, output), flops=flops)


@operation()
def kthvalue(input: Shape, /, k: int, dim: int = -1, keepdim: bool = False) -> Layer:
    """The k-th smallest element along `dim`, and its index as a second output.

    flops = n - 1 + (k - 1) * ceil(log2(n)) comparisons for each row of n elements, as `topk`.

    Source: torch.kthvalue.
    """
    rows = rows_along(input, dim)
    flops = _selection(rows, k)
    kept = (1,) if keepdim and input else ()
    output = (*input[: rows.dimension], *kept, *input[rows.dimension + 1 :])
    return Layer(shapes=(output, output), flops=flops)


__all__ = [  # noqa: PLE0604
    *_ENTERED,
    "argsort",
    "kthvalue",
    "median",
    "sort",
    "topk",
]
