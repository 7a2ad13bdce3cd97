"""Element-wise layers: every output element costs the same few operations.

The operations are those of the function as torch documents it. A function given in pieces costs one
comparison per boundary between them and the operations of its costliest piece. A named function
(exp, tanh, erf, sigmoid, the cumulative distribution Phi of the normal distribution, ...) counts
as one operation, and so does each arithmetic, logical or bitwise operator.

Where an op has several operands, they broadcast; an operand that is a number rather than a tensor
is left out.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netledger.formulas._broadcast import broadcast
from netledger.formulas._layer import Layer, Shape, elements, operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from netledger._results import Cost


def _elementwise(operations: int, *inputs: Shape | None) -> Layer:
    """The common shape of the inputs, and `operations` for each of its elements."""
    output = functools.reduce(broadcast, (shape for shape in inputs if shape is not None))
    return Layer(shapes=(output,), flops=operations * elements(output))


# -- how many of its operands may be tensors: each function gives one such signature -------------


def _one(operations: int) -> Callable[..., Layer]:
    def rule(input: Shape, /) -> Layer:
        return _elementwise(operations, input)

    return rule


def _one_or_two(operations: int) -> Callable[..., Layer]:
    def rule(input: Shape, other: Shape | None = None, /) -> Layer:
        return _elementwise(operations, input, other)

    return rule


def _one_to_three(operations: int) -> Callable[..., Layer]:
    def rule(input: Shape, second: Shape | None = None, third: Shape | None = None, /) -> Layer:
        return _elementwise(operations, input, second, third)

    return rule


def _two_or_three(operations: int) -> Callable[..., Layer]:
    def rule(input: Shape, second: Shape, third: Shape | None = None, /) -> Layer:
        return _elementwise(operations, input, second, third)

    return rule


def _three(operations: int) -> Callable[..., Layer]:
    def rule(input: Shape, second: Shape, third: Shape, /) -> Layer:
        return _elementwise(operations, input, second, third)

    return rule


# -- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Function:
    """An element-wise function: what it costs per output element and what it calculates."""

    operations: int
    formula: str
    source: str = ""


_ACTIVATIONS = {
    "relu": _Function(1, "max(0, x)"),
    "relu6": _Function(2, "min(max(0, x), 6)"),
    "hardtanh": _Function(2, "max_val if x > max_val, min_val if x < min_val, else x"),
    "leaky_relu": _Function(2, "x if x >= 0, else negative_slope * x"),
    "rrelu": _Function(2, "x if x >= 0, else a * x; inference takes a = (lower + upper) / 2"),
    "elu": _Function(4, "x if x > 0, else alpha * (exp(x) - 1)"),
    "celu": _Function(
        5,
        "max(0, x) + min(0, alpha * (exp(x / alpha) - 1)), which is x if x > 0, "
        "else alpha * (exp(x / alpha) - 1)",
    ),
    "selu": _Function(
        5,
        "scale * (max(0, x) + min(0, alpha * (exp(x) - 1))), which is scale * x if x > 0, "
        "else scale * (alpha * (exp(x) - 1))",
    ),
    "gelu": _Function(2, "x * Phi(x)"),
    "gelu_tanh": _Function(
        9,
        "0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))",
        "torch.nn.functional.gelu with approximate='tanh'",
    ),
    "silu": _Function(2, "x * sigmoid(x)"),
    "mish": _Function(5, "x * tanh(softplus(x)), softplus(x) = log(1 + exp(x))"),
    "sigmoid": _Function(1, "sigmoid(x) = 1 / (1 + exp(-x))"),
    "logsigmoid": _Function(2, "log(sigmoid(x))"),
    "tanh": _Function(1, "tanh(x)"),
    "hardsigmoid": _Function(4, "0 if x <= -3, 1 if x >= 3, else x / 6 + 1 / 2"),
    "hardswish": _Function(5, "0 if x <= -3, x if x >= 3, else x * (x + 3) / 6"),
    "softplus": _Function(5, "1 / beta * log(1 + exp(beta * x)), 1 / beta known beforehand"),
    "softsign": _Function(3, "x / (1 + abs(x))"),
    "tanhshrink": _Function(2, "x - tanh(x)"),
    "hardshrink": _Function(2, "x if x > lambda, x if x < -lambda, else 0"),
    "softshrink": _Function(3, "x - lambda if x > lambda, x + lambda if x < -lambda, else 0"),
    "threshold": _Function(1, "x if x > threshold, else value"),
}

_FUNCTIONS = {
    "abs": _Function(1, "abs(x)"),
    "neg": _Function(1, "-x"),
    "sign": _Function(1, "the sign of x: -1, 0 or 1"),
    "sgn": _Function(1, "the sign of x: -1, 0 or 1"),
    "signbit": _Function(1, "whether the sign bit of x is set"),
    "ceil": _Function(1, "the smallest integer >= x"),
    "floor": _Function(1, "the largest integer <= x"),
    "round": _Function(1, "the integer nearest to x"),
    "trunc": _Function(1, "the integer part of x"),
    "frac": _Function(1, "the fractional part of x"),
    "square": _Function(1, "x * x"),
    "sqrt": _Function(1, "sqrt(x)"),
    "rsqrt": _Function(1, "1 / sqrt(x), one function"),
    "reciprocal": _Function(1, "1 / x"),
    "exp": _Function(1, "exp(x)"),
    "exp2": _Function(1, "2 ** x"),
    "expm1": _Function(1, "exp(x) - 1, one function"),
    "log": _Function(1, "the natural logarithm of x"),
    "log2": _Function(1, "the logarithm of x to base 2"),
    "log10": _Function(1, "the logarithm of x to base 10"),
    "log1p": _Function(1, "log(1 + x), one function"),
    "sin": _Function(1, "sin(x)"),
    "cos": _Function(1, "cos(x)"),
    "tan": _Function(1, "tan(x)"),
    "asin": _Function(1, "the inverse of sin"),
    "acos": _Function(1, "the inverse of cos"),
    "atan": _Function(1, "the inverse of tan"),
    "sinh": _Function(1, "sinh(x)"),
    "cosh": _Function(1, "cosh(x)"),
    "asinh": _Function(1, "the inverse of sinh"),
    "acosh": _Function(1, "the inverse of cosh"),
    "atanh": _Function(1, "the inverse of tanh"),
    "sinc": _Function(1, "sin(pi * x) / (pi * x), one function"),
    "logit": _Function(1, "the inverse of sigmoid"),
    "deg2rad": _Function(1, "x * (pi / 180)"),
    "rad2deg": _Function(1, "x * (180 / pi)"),
    "angle": _Function(1, "0 if x >= 0, else pi"),
    "erf": _Function(1, "the error function of x"),
    "erfc": _Function(1, "1 - erf(x), one function"),
    "erfcx": _Function(1, "exp(x * x) * erfc(x), one function", "torch.special.erfcx"),
    "erfinv": _Function(1, "the inverse of erf"),
    "ndtr": _Function(1, "Phi(x)", "torch.special.ndtr"),
    "ndtri": _Function(1, "the inverse of Phi", "torch.special.ndtri"),
    "log_ndtr": _Function(1, "log(Phi(x)), one function", "torch.special.log_ndtr"),
    "lgamma": _Function(1, "the logarithm of the gamma function of abs(x)"),
    "digamma": _Function(1, "the derivative of lgamma"),
    "polygamma": _Function(1, "the n-th derivative of digamma"),
    "i0": _Function(1, "the modified Bessel function of order 0"),
    "i0e": _Function(1, "exp(-abs(x)) * i0(x), one function", "torch.special.i0e"),
    "i1": _Function(1, "the modified Bessel function of order 1", "torch.special.i1"),
    "i1e": _Function(1, "exp(-abs(x)) * i1(x), one function", "torch.special.i1e"),
    "isnan": _Function(1, "whether x is not a number"),
    "isinf": _Function(1, "whether x is infinite"),
    "isfinite": _Function(1, "whether x is finite"),
    "isposinf": _Function(1, "whether x is positive infinity"),
    "isneginf": _Function(1, "whether x is negative infinity"),
    "isreal": _Function(1, "whether x is real"),
    "nan_to_num": _Function(3, "a number instead of nan, of infinity and of -infinity, else x"),
    "logical_not": _Function(1, "not x"),
    "bitwise_not": _Function(1, "~x"),
}

_OPERATORS = {
    "add": _Function(1, "x + y"),
    "sub": _Function(1, "x - y"),
    "rsub": _Function(1, "y - x"),
    "add_scaled": _Function(2, "x + alpha * y", "torch.add with alpha"),
    "mul": _Function(1, "x * y"),
    "div": _Function(1, "x / y"),
    "floor_divide": _Function(1, "x // y"),
    "remainder": _Function(1, "x % y, with the sign of y"),
    "fmod": _Function(1, "x % y, with the sign of x"),
    "pow": _Function(1, "x ** y"),
    "float_power": _Function(1, "x ** y in double precision"),
    "atan2": _Function(1, "the angle of the point (y, x)"),
    "maximum": _Function(1, "the larger of x and y"),
    "minimum": _Function(1, "the smaller of x and y"),
    "fmax": _Function(1, "the larger of x and y, numbers before nan"),
    "fmin": _Function(1, "the smaller of x and y, numbers before nan"),
    "copysign": _Function(1, "x with the sign of y"),
    "nextafter": _Function(1, "the next number after x towards y"),
    "heaviside": _Function(1, "0 if x < 0, y if x = 0, 1 if x > 0: the sides of one boundary"),
    "gcd": _Function(1, "the greatest common divisor of x and y"),
    "lcm": _Function(1, "the least common multiple of x and y"),
    "igamma": _Function(1, "the regularized lower incomplete gamma function of (x, y)"),
    "igammac": _Function(1, "the regularized upper incomplete gamma function of (x, y)"),
    "zeta": _Function(1, "the Hurwitz zeta function of (x, y)", "torch.special.zeta"),
    "ldexp": _Function(2, "x * 2 ** y"),
    "xlogy": _Function(2, "x * log(y)"),
    "xlog1py": _Function(2, "x * log1p(y)", "torch.special.xlog1py"),
    "hypot": _Function(4, "sqrt(x ** 2 + y ** 2)"),
    "logaddexp": _Function(4, "log(exp(x) + exp(y))"),
    "logaddexp2": _Function(4, "log2(2 ** x + 2 ** y)"),
    "eq": _Function(1, "x == y"),
    "ne": _Function(1, "x != y"),
    "lt": _Function(1, "x < y"),
    "le": _Function(1, "x <= y"),
    "gt": _Function(1, "x > y"),
    "ge": _Function(1, "x >= y"),
    "isclose": _Function(6, "abs(x - y) <= atol + rtol * abs(y)"),
    "logical_and": _Function(1, "x and y"),
    "logical_or": _Function(1, "x or y"),
    "logical_xor": _Function(1, "either x or y"),
    "bitwise_and": _Function(1, "x & y"),
    "bitwise_or": _Function(1, "x | y"),
    "bitwise_xor": _Function(1, "x ^ y"),
    "bitwise_left_shift": _Function(1, "x << y"),
    "bitwise_right_shift": _Function(1, "x >> y"),
    "clamp_min": _Function(1, "max(x, min)", "torch.clamp with min"),
    "clamp_max": _Function(1, "min(x, max)", "torch.clamp with max"),
}

_CLAMP = {"clamp": _Function(2, "min(max(x, min), max)")}
_LERP = {"lerp": _Function(3, "start + weight * (end - start)")}
_FUSED = {
    "addcmul": _Function(3, "x + value * y * z"),
    "addcdiv": _Function(3, "x + value * (y / z)"),
}

#: Elements are chosen or converted: data moves, but nothing is calculated.
_WHERE = {"where": _Function(0, "x where the condition holds, else y")}
_MASKED_FILL = {"masked_fill": _Function(0, "value where the mask is set, else x")}
_CAST = {"cast": _Function(0, "x in another dtype", "torch.Tensor.to")}

#: Inference leaves all elements as they are.
_DROPOUTS = {
    name: _Function(0, "x in inference, which moves no data")
    for name in (
        "dropout",
        "dropout1d",
        "dropout2d",
        "dropout3d",
        "alpha_dropout",
        "feature_alpha_dropout",
    )
}


def _enter(
    functions: dict[str, _Function],
    signature: Callable[[int], Callable[..., Layer]],
    source: str,
    *,
    view: bool = False,
) -> dict[str, Callable[..., Cost]]:
    """Enter functions that share a signature in the book of operations."""
    entered = {}
    for name, function in functions.items():
        rule = signature(function.operations)
        noun = "operation" if function.operations == 1 else "operations"
        rule.__name__ = rule.__qualname__ = name
        rule.__doc__ = (
            f"{function.formula}: {function.operations} {noun} per element of the output.\n\n"
            f"    Source: {function.source or f'{source}.{name}'}.\n    "
        )
        entered[name] = operation(view=view)(rule)
    return entered


_ENTERED = {
    **_enter(_ACTIVATIONS, _one, "torch.nn.functional"),
    **_enter(_FUNCTIONS, _one, "torch"),
    **_enter(_OPERATORS, _one_or_two, "torch"),
    **_enter(_CLAMP, _one_to_three, "torch"),
    **_enter(_LERP, _two_or_three, "torch"),
    **_enter(_FUSED, _three, "torch"),
    **_enter(_WHERE, _one_to_three, "torch"),
    **_enter(_MASKED_FILL, _two_or_three, "torch"),
    **_enter(_CAST, _one, "torch"),
    **_enter(_DROPOUTS, _one, "torch.nn.functional", view=True),
}
globals().update(_ENTERED)

__all__ = [*_ENTERED]  # noqa: PLE0604
