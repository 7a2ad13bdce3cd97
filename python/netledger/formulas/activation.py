"""Activations that are not element-wise, or that have weights."""

from __future__ import annotations

from netledger.formulas._layer import Layer, Shape, Weight, elements, operation, require
from netledger.formulas._rows import require_row, rows_along

__all__ = ["glu", "log_softmax", "prelu", "softmax", "softmin"]


def _softmax(input: Shape, dim: int, element: int, result: int) -> Layer:
    """`element` operations for each element of a row and `result` for each row."""
    rows = rows_along(input, dim)
    require_row(rows.length)
    return Layer(shapes=(input,), flops=rows.count * (element * rows.length + result))


@operation()
def softmax(input: Shape, /, dim: int) -> Layer:
    """Softmax along `dim`: any shape, kept.

    flops = 3n - 1 for each row of n elements: n exponentials, n - 1 additions, n divisions. A row
    must not be empty.

    Source: torch.nn.Softmax.
    """
    return _softmax(input, dim, element=3, result=-1)


@operation()
def log_softmax(input: Shape, /, dim: int) -> Layer:
    """x - log(sum(exp(x))) along `dim`: any shape, kept.

    flops = 3n for each row of n elements: n exponentials, n - 1 additions, a logarithm and n
    subtractions. A row must not be empty.

    Source: torch.nn.LogSoftmax.
    """
    return _softmax(input, dim, element=3, result=0)


@operation()
def softmin(input: Shape, /, dim: int) -> Layer:
    """Softmax of the negated input along `dim`: any shape, kept.

    flops = 4n - 1 for each row of n elements: those of `softmax` and n negations. A row must not be
    empty.

    Source: torch.nn.Softmin.
    """
    return _softmax(input, dim, element=4, result=-1)


@operation()
def glu(input: Shape, /, dim: int = -1) -> Layer:
    """Gated linear unit: the first half along `dim` times the sigmoid of the second.

    The size along `dim` is even, and half of it in the output. flops = 2 per output element.

    Source: torch.nn.GLU.
    """
    rows = rows_along(input, dim)
    require(
        rows.length % 2 == 0,
        f"the size {rows.length} along dim {rows.dimension} must be even",
    )
    before, after = input[: rows.dimension], input[rows.dimension + 1 :]
    output = (*before, rows.length // 2, *after)
    return Layer(shapes=(output,), flops=2 * elements(output))


@operation()
def prelu(input: Shape, /, num_parameters: int = 1) -> Layer:
    """x where x >= 0, weight * x elsewhere: any shape, kept.

    The weight is one slope, or one for each channel of (N, C, *). params = num_parameters;
    flops = 2 per element: a comparison and a product.

    Source: torch.nn.PReLU.
    """
    require(num_parameters > 0, f"num_parameters must be positive, got {num_parameters}")
    channels = input[1] if len(input) > 1 else 1
    require(
        num_parameters in (1, channels),
        f"num_parameters must be 1 or the number of channels {channels}, got {num_parameters}",
    )
    return Layer(shapes=(input,), weights=(Weight((num_parameters,)),), flops=2 * elements(input))
