"""Functions of one element, arithmetic, comparisons, dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netledger.torch.aten.dtypes import arithmetic_dtype, bool_dtype, floating_dtype, promoted
from netledger.torch.aten.registry import HANDLERS, maps, overloads

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


def _elementwise(op: str, dtype_of: Callable[..., torch.dtype]) -> Callable[..., Any]:
    def handler(trace: Tracer, *args: Any, **kwargs: Any) -> Any:
        tensors = [value for value in args if isinstance(value, Tensor)]
        return trace.add(op, tensors, dtype=dtype_of(tensors, args))

    return handler


def _elementwise_inplace(op: str) -> Callable[..., Any]:
    def handler(trace: Tracer, *args: Any, **kwargs: Any) -> Any:
        return trace.add_inplace(op, [value for value in args if isinstance(value, Tensor)])

    return handler


_FLOATING = """
    sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh
    asinh acosh atanh sinc logit deg2rad rad2deg erf erfc erfinv lgamma digamma polygamma i0 sigmoid
    tanh div atan2 xlogy logaddexp logaddexp2 hypot copysign igamma igammac
"""
_ARITHMETIC = """
    relu relu6 hardtanh leaky_relu rrelu elu celu selu silu mish hardsigmoid hardswish softplus
    hardshrink softshrink threshold abs neg sign sgn ceil floor round trunc frac square nan_to_num
    bitwise_not sub rsub mul floor_divide remainder fmod pow maximum minimum fmax fmin nextafter
    heaviside gcd lcm ldexp bitwise_and bitwise_or bitwise_xor bitwise_left_shift
    bitwise_right_shift clamp_min clamp_max clamp lerp addcmul addcdiv
"""
_BOOLEAN = """
    signbit isnan isinf isfinite isposinf isneginf isreal logical_not eq ne lt le gt ge isclose
    logical_and logical_or logical_xor
"""
# Other names that ATen has for the same functions.
_ALIASES = {
    "absolute": "abs",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "arctan2": "atan2",
    "clip": "clamp",
    "divide": "div",
    "fix": "trunc",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "log_sigmoid": "logsigmoid",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
    "__xor__": "bitwise_xor",
    "__lshift__": "bitwise_left_shift",
    "__rshift__": "bitwise_right_shift",
    "special_expit": "sigmoid",
    "special_erf": "erf",
    "special_erfcx": "erfcx",
    "special_i0e": "i0e",
    "special_i1": "i1",
    "special_i1e": "i1e",
    "special_ndtr": "ndtr",
    "special_ndtri": "ndtri",
    "special_log_ndtr": "log_ndtr",
    "special_xlog1py": "xlog1py",
    "special_zeta": "zeta",
    "subtract": "sub",
    "true_divide": "div",
}


def _register_elementwise() -> None:
    groups = ((_FLOATING, floating_dtype), (_ARITHMETIC, arithmetic_dtype), (_BOOLEAN, bool_dtype))
    dtype_of = {name: rule for names, rule in groups for name in names.split()}
    for special in ("erfcx", "i0e", "i1", "i1e", "ndtr", "ndtri", "log_ndtr", "xlog1py", "zeta"):
        dtype_of[special] = floating_dtype
    dtype_of["logsigmoid"] = floating_dtype
    names = {name: name for name in dtype_of} | _ALIASES
    for name, op in names.items():
        maps(name)(_elementwise(op, dtype_of[op]))
        maps(name + "_")(_elementwise_inplace(op))
    for name in ("and", "or", "xor"):
        maps(f"__i{name}__")(_elementwise_inplace(f"bitwise_{name}"))
    maps("__ilshift__")(_elementwise_inplace("bitwise_left_shift"))
    maps("__irshift__")(_elementwise_inplace("bitwise_right_shift"))


@maps("add")
def _add(trace: Tracer, input: Any, other: Any, alpha: Any = 1) -> Any:
    op = "add" if alpha == 1 else "add_scaled"
    args = (input, other)
    tensors = [value for value in args if isinstance(value, Tensor)]
    return trace.add(op, tensors, dtype=arithmetic_dtype(tensors, args))


def _inplace_add(trace: Tracer, input: Tensor, other: Any, alpha: Any = 1) -> Any:
    op = "add" if alpha == 1 else "add_scaled"
    return trace.add_inplace(op, [input, *([other] if isinstance(other, Tensor) else [])])


def _inplace_sub(trace: Tracer, input: Tensor, other: Any, alpha: Any = 1) -> Any:
    op = "sub" if alpha == 1 else "add_scaled"
    return trace.add_inplace(op, [input, *([other] if isinstance(other, Tensor) else [])])


def _subtract(trace: Tracer, input: Any, other: Any, alpha: Any = 1) -> Any:
    op = "sub" if alpha == 1 else "add_scaled"
    args = (input, other)
    tensors = [value for value in args if isinstance(value, Tensor)]
    return trace.add(op, tensors, dtype=arithmetic_dtype(tensors, args))


for _operation in overloads("add_"):
    HANDLERS[_operation] = _inplace_add
for _operation in overloads("sub_"):
    HANDLERS[_operation] = _inplace_sub
for _packet in ("sub", "rsub"):
    for _operation in overloads(_packet):
        HANDLERS[_operation] = _subtract


@maps("gelu")
def _gelu(trace: Tracer, input: Tensor, approximate: str = "none") -> Any:
    return trace.add("gelu_tanh" if approximate == "tanh" else "gelu", [input])


@maps("gelu_")
def _gelu_inplace(trace: Tracer, input: Tensor, approximate: str = "none") -> Any:
    return trace.add_inplace("gelu_tanh" if approximate == "tanh" else "gelu", [input])


@maps("hardtanh")
def _hardtanh(trace: Tracer, input: Tensor, min_val: Any = -1, max_val: Any = 1) -> Any:
    return trace.add(_hardtanh_op(min_val, max_val), (input,))


@maps("hardtanh_")
def _hardtanh_inplace(trace: Tracer, input: Tensor, min_val: Any = -1, max_val: Any = 1) -> Any:
    return trace.add_inplace(_hardtanh_op(min_val, max_val), [input])


def _hardtanh_op(min_val: Any, max_val: Any) -> str:
    """torch.nn.ReLU6 is a hardtanh from 0 to 6."""
    return "relu6" if min_val == 0 and max_val == 6 else "hardtanh"


@maps("div.Tensor_mode", "div.Scalar_mode")
def _div_mode(trace: Tracer, input: Tensor, other: Any, rounding_mode: str | None = None) -> Any:
    args = (input, other)
    tensors = [value for value in args if isinstance(value, Tensor)]
    if rounding_mode is None:
        return trace.add("div", tensors, dtype=floating_dtype(tensors, args))
    dtype = arithmetic_dtype(tensors, args)
    if rounding_mode == "floor":
        return trace.add("floor_divide", tensors, dtype=dtype)
    return trace.add("trunc", [trace.add("div", tensors, dtype=dtype)])


@maps("div_.Tensor_mode", "div_.Scalar_mode")
def _div_mode_inplace(
    trace: Tracer, input: Tensor, other: Any, rounding_mode: str | None = None
) -> Any:
    tensors = [input, *([other] if isinstance(other, Tensor) else [])]
    if rounding_mode == "floor":
        return trace.add_inplace("floor_divide", tensors)
    trace.add_inplace("div", tensors)
    return input if rounding_mode is None else trace.add_inplace("trunc", [input])


@maps("float_power")
def _float_power(trace: Tracer, input: Any, exponent: Any) -> Any:
    args = (input, exponent)
    tensors = [value for value in args if isinstance(value, Tensor)]
    dtype = promoted(args)
    return trace.add("float_power", tensors, dtype=dtype if dtype.is_complex else torch.float64)


@maps("float_power_")
def _float_power_inplace(trace: Tracer, input: Tensor, exponent: Any) -> Any:
    return trace.add_inplace(
        "float_power", [input, *([exponent] if isinstance(exponent, Tensor) else [])]
    )


def _clamp_op(low: Any, high: Any) -> str:
    """A missing bound costs nothing."""
    if high is None:
        return "clamp_min"
    return "clamp_max" if low is None else "clamp"


@maps("clamp", "clip")
def _clamp(trace: Tracer, input: Tensor, min: Any = None, max: Any = None) -> Any:
    args = (input, min, max)
    tensors = [value for value in args if isinstance(value, Tensor)]
    return trace.add(_clamp_op(min, max), tensors, dtype=arithmetic_dtype(tensors, args))


@maps("clamp_", "clip_")
def _clamp_inplace(trace: Tracer, input: Tensor, min: Any = None, max: Any = None) -> Any:
    tensors = [value for value in (input, min, max) if isinstance(value, Tensor)]
    return trace.add_inplace(_clamp_op(min, max), tensors)


@maps("where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar")
def _where(trace: Tracer, condition: Tensor, input: Any, other: Any) -> Any:
    tensors = [value for value in (condition, input, other) if isinstance(value, Tensor)]
    return trace.add("where", tensors, dtype=promoted((input, other)))


@maps("masked_fill")
def _masked_fill(trace: Tracer, input: Tensor, mask: Tensor, value: Any) -> Any:
    return trace.add("masked_fill", [input, mask])


@maps("masked_fill_")
def _masked_fill_inplace(trace: Tracer, input: Tensor, mask: Tensor, value: Any) -> Any:
    return trace.add_inplace("masked_fill", [input, mask])


@maps("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def _dropout(trace: Tracer, input: Tensor, p: float, train: bool) -> Any:
    return trace.add("dropout", [input])


@maps("dropout_", "feature_dropout_", "alpha_dropout_", "feature_alpha_dropout_")
def _dropout_inplace(trace: Tracer, input: Tensor, p: float, train: bool) -> Any:
    return trace.add_inplace("dropout", [input])


@maps("native_dropout")
def _native_dropout(trace: Tracer, input: Tensor, p: float, train: bool | None) -> Any:
    return trace.add("dropout", [input]), trace.constant(input.shape, torch.bool)


_register_elementwise()
