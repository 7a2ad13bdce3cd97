"""Calls of single torch operations, and the layers that they are in the rule book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Callable

aten = torch.ops.aten

f16, bf16, f32, f64 = torch.float16, torch.bfloat16, torch.float32, torch.float64
i8, u8, i32, i64, boolean = torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool


@dataclass(frozen=True)
class Spec:
    """A tensor that a case takes: of these sizes, with entries that every operation accepts."""

    shape: tuple[int, ...]
    dtype: torch.dtype = f32

    def tensor(self) -> torch.Tensor:
        """Entries of 1 for integers, 0.5 for real numbers."""
        fill = 0.5 if self.dtype.is_floating_point else 1
        return torch.full(self.shape, fill, dtype=self.dtype)


@dataclass(frozen=True)
class Case:
    """A function of tensors, and the ops that it is in the graph."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[Spec, ...]
    ops: tuple[str, ...]
    parameters: tuple[Spec, ...] = ()


CASES: list[Case] = []


def case(
    name: str,
    function: Callable[..., Any],
    *inputs: Any,
    ops: str | None = None,
    parameters: tuple[Any, ...] = (),
) -> None:
    """Add a case; a tuple stands for a float32 tensor, the name up to a colon for the op."""
    CASES.append(
        Case(
            name,
            function,
            tuple(each if isinstance(each, Spec) else Spec(each) for each in inputs),
            tuple((name.partition(":")[0] if ops is None else ops).split()),
            tuple(each if isinstance(each, Spec) else Spec(each) for each in parameters),
        )
    )


S = (2, 3, 4)

# -- element by element: one input ----------------------------------------------------------------

for name in [
    "sqrt",
    "rsqrt",
    "reciprocal",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "asinh",
    "acosh",
    "atanh",
    "sinc",
    "logit",
    "deg2rad",
    "rad2deg",
    "erf",
    "erfc",
    "erfinv",
    "lgamma",
    "digamma",
    "i0",
    "sigmoid",
    "tanh",
]:
    case(f"{name}:float32", getattr(torch, name), S)
    case(f"{name}:bfloat16", getattr(torch, name), Spec(S, bf16))
    case(f"{name}:int64", getattr(torch, name), Spec(S, i64))
    if name != "sinc":
        case(f"{name}:bool", getattr(torch, name), Spec(S, boolean))
    if hasattr(aten, f"{name}_"):
        case(f"{name}:in place", getattr(aten, f"{name}_"), S)

for name in [
    "abs",
    "neg",
    "sign",
    "sgn",
    "ceil",
    "floor",
    "round",
    "trunc",
    "square",
    "nan_to_num",
    "positive",
]:
    op = "" if name == "positive" else name
    case(f"{name}:float16", getattr(torch, name), Spec(S, f16), ops=op)
    case(f"{name}:int32", getattr(torch, name), Spec(S, i32), ops=op)
    if hasattr(aten, f"{name}_"):
        case(f"{name}:in place", getattr(aten, f"{name}_"), S)
case("frac", torch.frac, S)
case("round:decimals", lambda x: torch.round(x, decimals=1), S)

for name in [
    "relu",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "rrelu",
    "elu",
    "celu",
    "selu",
    "silu",
    "mish",
    "hardsigmoid",
    "hardswish",
    "softplus",
    "hardshrink",
    "softshrink",
    "logsigmoid",
    "gelu",
    "softsign",
    "tanhshrink",
]:
    several = {"softsign": "abs add div", "tanhshrink": "tanh sub"}
    for dtype in (f32, bf16):
        ops = several.get(name, name)
        case(f"{name}:{dtype}", getattr(F, name), Spec(S, dtype), ops=ops)
for name in [
    "relu",
    "hardtanh",
    "leaky_relu",
    "rrelu",
    "elu",
    "celu",
    "selu",
    "silu",
    "mish",
    "hardsigmoid",
    "hardswish",
]:
    case(f"{name}:in place", lambda x, f=name: getattr(F, f)(x, inplace=True), S)
case("relu:int64", torch.relu, Spec(S, i64))
case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), S)
case("gelu:in place", aten.gelu_, S)
case("gelu_tanh:in place", lambda x: aten.gelu_(x, approximate="tanh"), S)
case("threshold", lambda x: F.threshold(x, 0.1, 2.0), S)
case("threshold:in place", lambda x: F.threshold(x, 0.1, 2.0, inplace=True), S)
case("hardtanh:limits", lambda x: F.hardtanh(x, -2.0, 2.0), S)
case("relu6:module", torch.nn.ReLU6(), S)
case("relu6:module, in place", torch.nn.ReLU6(inplace=True), S)
case("glu", lambda x: F.glu(x, 2), S)
case("softmax", lambda x: F.softmax(x, 1), S)
case("softmax:dtype", lambda x: F.softmax(x, 1, dtype=f32), Spec(S, bf16))
case("softmax:module op", lambda x: aten._softmax(x, 1, False), S)
case("softmax:safe", lambda x: aten._safe_softmax(x, 1), S)
case("softmax:int64 and dtype", lambda x: torch.softmax(x, -1, dtype=f32), Spec(S, i64))
case("softmin", lambda x: F.softmin(x, 1), S, ops="neg softmax")
case("log_softmax", lambda x: F.log_softmax(x, -1), S)
case("log_softmax:dtype", lambda x: F.log_softmax(x, -1, dtype=f64), S)
case("log_softmax:module op", lambda x: aten._log_softmax(x, 1, False), S)
case("prelu", torch.prelu, S, parameters=((3,),))
case("prelu:one", torch.prelu, S, parameters=((1,),))
case("dropout", lambda x: F.dropout(x, 0.5, training=False), S)
case("dropout:2d", lambda x: F.dropout2d(x, 0.5, training=False), (2, 3, 4, 5))
case("dropout:alpha", lambda x: F.alpha_dropout(x, 0.5, training=False), S)
case("dropout:feature alpha", lambda x: F.feature_alpha_dropout(x, 0.5, training=False), S)
case("dropout:in place", lambda x: F.dropout(x, 0.5, training=False, inplace=True), S)
case("dropout:native", lambda x: aten.native_dropout(x, 0.5, False)[0], S)
case("polygamma", lambda x: torch.polygamma(1, x), S)
for name in ["erfcx", "i0e", "i1", "i1e", "ndtr", "ndtri", "log_ndtr"]:
    case(f"{name}:special", getattr(torch.special, name), S)
case("sigmoid:expit", torch.special.expit, S)
for name in [
    "signbit",
    "isnan",
    "isinf",
    "isfinite",
    "isposinf",
    "isneginf",
    "isreal",
    "logical_not",
]:
    case(f"{name}:float32", getattr(torch, name), S)
    case(f"{name}:int64", getattr(torch, name), Spec(S, i64))
case("bitwise_not:bool", lambda x: ~x, Spec(S, boolean))
case("bitwise_not:int64", torch.bitwise_not, Spec(S, i64))
case("bitwise_not:in place", lambda x: x.bitwise_not_(), Spec(S, i64))
case("logical_not:in place", lambda x: x.logical_not_(), S)

# -- element by element: two inputs ---------------------------------------------------------------

B = (3, 1)
for name in [
    "add",
    "sub",
    "mul",
    "div",
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "atan2",
    "hypot",
    "copysign",
    "remainder",
    "fmod",
]:
    case(f"{name}:tensors", getattr(torch, name), S, B)
for name in ["add", "sub", "mul", "div", "pow", "remainder", "fmod", "floor_divide"]:
    function = getattr(torch, name)
    case(f"{name}:float16 and float32", function, Spec(S, f16), Spec(S, f32))
    case(f"{name}:bfloat16 and float16", function, Spec(S, bf16), Spec(B, f16))
    case(f"{name}:float16 and 0-dim float32", function, Spec(S, f16), Spec((), f32))
    case(f"{name}:0-dim float64 and float32", function, Spec((), f64), Spec(S, f32))
    case(f"{name}:int64 and float32", function, Spec(S, i64), Spec(S, f32))
    case(f"{name}:int64 and 0-dim float64", function, Spec(S, i64), Spec((), f64))
    case(f"{name}:int32 and int64", function, Spec(S, i32), Spec(S, i64))
    case(f"{name}:0-dim int64 and int32", function, Spec((), i64), Spec(S, i32))
    case(f"{name}:uint8 and int8", function, Spec(S, u8), Spec(S, i8))
    case(f"{name}:int64 and number", lambda x, f=function: f(x, 2.5), Spec(S, i64))
    case(f"{name}:int32 and int number", lambda x, f=function: f(x, 2), Spec(S, i32))
    case(f"{name}:bfloat16 and number", lambda x, f=function: f(x, 2.5), Spec(S, bf16))
    if name in ("add", "sub", "mul", "div", "pow"):
        case(f"{name}:complex number", lambda x, f=function: f(x, 2j), S)
    if name != "sub":
        case(f"{name}:bool and float32", function, Spec(S, boolean), Spec(S, f32))
        case(f"{name}:bool and int number", lambda x, f=function: f(x, 2), Spec(S, boolean))
for name in ["add", "sub", "mul", "div", "pow", "remainder", "fmod", "floor_divide"]:
    case(f"{name}:in place", lambda x, y, f=f"{name}_": getattr(x, f)(y), S, B)
    case(f"{name}:in place, number", lambda x, f=f"{name}_": getattr(x, f)(2), S)
    case(f"{name}:in place, int64", lambda x, y, f=f"{name}_": getattr(x, f)(y), S, Spec(B, i64))
case("sub:number first", lambda x: 1 - x, S)
case("sub:int number first", lambda x: 1.5 - x, Spec(S, i64))
case("div:number first", lambda x: 1 / x, Spec(S, i64), ops="reciprocal mul")
case("pow:number first", lambda x: 2**x, Spec(S, i64))
case("pow:float number first", lambda x: 2.5**x, Spec(S, i64))
case("add_scaled", lambda x, y: torch.add(x, y, alpha=2), S, S)
case("add_scaled:in place", lambda x, y: x.add_(y, alpha=2), S, S)
case("add_scaled:sub", lambda x, y: torch.sub(x, y, alpha=2), S, S)
case("add_scaled:sub in place", lambda x, y: x.sub_(y, alpha=2), S, S)
case("add_scaled:rsub", lambda x, y: torch.rsub(x, y, alpha=2), S, S)
case("div:rounding none", lambda x, y: torch.div(x, y, rounding_mode=None), S, S)
case("floor_divide:mode", lambda x, y: torch.div(x, y, rounding_mode="floor"), S, Spec(S, i64))
case("floor_divide:number", lambda x: torch.div(x, 2, rounding_mode="floor"), Spec(S, i64))
case(
    "trunc:mode",
    lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    S,
    Spec(S, i64),
    ops="div trunc",
)
case(
    "trunc:mode, in place",
    lambda x: x.div_(2, rounding_mode="trunc"),
    Spec(S, i64),
    ops="div trunc",
)
case("floor_divide:mode, in place", lambda x: x.div_(2, rounding_mode="floor"), Spec(S, i64))
case("floor_divide:operator", lambda x: x // 2, S)
case("float_power", torch.float_power, S, S)
case("float_power:int64", lambda x: torch.float_power(x, 2), Spec(S, i64))
case("xlogy", torch.xlogy, S, S)
case("xlogy:int64", torch.xlogy, Spec(S, i64), Spec(S, i64))
case("xlog1py", torch.special.xlog1py, S, S)
case("zeta", lambda x: torch.special.zeta(x, 2.0), S)
case("igamma", torch.igamma, S, S)
case("igammac", torch.igammac, S, S)
case("logaddexp", torch.logaddexp, S, S)
case("logaddexp2", torch.logaddexp2, S, S)
case("nextafter", torch.nextafter, S, S)
case("heaviside", torch.heaviside, S, S)
case("ldexp", torch.ldexp, S, Spec(S, i64))
case("gcd", torch.gcd, Spec(S, i64), Spec(S, i64))
case("lcm", torch.lcm, Spec(S, i64), Spec(S, i64))
for symbol, name in (("and", "bitwise_and"), ("or", "bitwise_or"), ("xor", "bitwise_xor")):
    case(f"{name}:bool", getattr(torch, name), Spec(S, boolean), Spec(B, boolean))
    case(f"{name}:operator", getattr(aten, f"__{symbol}__"), Spec(S, boolean), Spec(B, boolean))
    case(f"{name}:in place", getattr(aten, f"{name}_"), Spec(S, i64), Spec(B, i64))
    case(f"{name}:operator, in place", getattr(aten, f"__i{symbol}__"), Spec(S, i64), Spec(B, i64))
    case(f"{name}:bool and int64", getattr(torch, name), Spec(S, boolean), Spec(B, i64))
for symbol, name in (("lshift", "bitwise_left_shift"), ("rshift", "bitwise_right_shift")):
    case(f"{name}:int64", getattr(torch, name), Spec(S, i64), Spec(B, i64))
    case(f"{name}:operator", lambda x, s=symbol: getattr(aten, f"__{s}__")(x, 1), Spec(S, i64))
for name in ["eq", "ne", "lt", "le", "gt", "ge"]:
    case(f"{name}:tensors", getattr(torch, name), S, B)
    case(f"{name}:number", lambda x, f=name: getattr(torch, f)(x, 1), Spec(S, i64))
    case(f"{name}:in place", lambda x, y, f=f"{name}_": getattr(x, f)(y), S, B)
for name in ["logical_and", "logical_or", "logical_xor"]:
    case(f"{name}:mixed", getattr(torch, name), S, Spec(B, i64))
    case(f"{name}:in place", lambda x, y, f=f"{name}_": getattr(x, f)(y), S, B)
case("isclose", torch.isclose, S, S)
for alias, op in {
    "absolute": "abs",
    "arccos": "acos",
    "arcsin": "asin",
    "arctan": "atan",
    "negative": "neg",
    "fix": "trunc",
}.items():
    case(f"{op}:{alias}", getattr(torch, alias), S)
for alias, op in {
    "arctan2": "atan2",
    "divide": "div",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "not_equal": "ne",
    "subtract": "sub",
    "true_divide": "div",
}.items():
    case(f"{op}:{alias}", getattr(torch, alias), S, B)
    case(f"{op}:{alias} in place", getattr(aten, f"{alias}_"), S, B)

# -- element by element: three inputs -------------------------------------------------------------

case("clamp", lambda x: x.clamp(0, 1), S)
case("clamp:int64 and float", lambda x: x.clamp(0.5, 1.5), Spec(S, i64))
case("clamp:tensors", torch.clamp, S, B, B)
case("clamp:clip", lambda x: x.clip(0, 1), S)
case("clamp:in place", lambda x: x.clamp_(0, 1), S)
case("clamp_min", lambda x: x.clamp_min(0), S)
case("clamp_min:by keyword", lambda x: x.clamp(min=0), S)
case("clamp_min:by keyword, in place", lambda x: x.clamp_(min=0), S)
case("clamp_min:in place", lambda x: x.clamp_min_(0), S)
case("clamp_max", lambda x: x.clamp_max(0), S)
case("clamp_max:by keyword", lambda x: x.clamp(max=1), S)
case("clamp_max:tensor by keyword", lambda x, y: x.clamp(max=y), S, B)
case("lerp", lambda x, y: torch.lerp(x, y, 0.5), S, S)
case("lerp:tensor", torch.lerp, S, S, S)
case("lerp:in place", lambda x, y: x.lerp_(y, 0.5), S, S)
case("addcmul", torch.addcmul, S, S, B)
case("addcdiv", torch.addcdiv, S, S, B)
case("addcmul:value", lambda x, y, z: torch.addcmul(x, y, z, value=0.1), S, S, B)
case("where", torch.where, Spec(S, boolean), S, B)
case("where:float16 and float32", torch.where, Spec(S, boolean), Spec(S, f16), Spec(B, f32))
case("where:number", lambda m, x: torch.where(m, x, 0.0), Spec(S, boolean), Spec(S, f16))
case("where:number first", lambda m, x: torch.where(m, 0.0, x), Spec(S, boolean), Spec(S, i64))
case("where:numbers", lambda m: torch.where(m, 1.0, 0.0), Spec(S, boolean))
case("where:int numbers", lambda m: torch.where(m, 1, 0), Spec(S, boolean))
case("masked_fill", lambda x, m: x.masked_fill(m, 0.0), S, Spec((3, 4), boolean))
case("masked_fill:tensor", lambda x, m, v: x.masked_fill(m, v), S, Spec(S, boolean), Spec(()))
case("masked_fill:in place", lambda x, m: x.masked_fill_(m, 0.0), S, Spec((3, 4), boolean))

# -- contractions ---------------------------------------------------------------------------------

case("conv1d", F.conv1d, (2, 4, 9), parameters=((6, 4, 3), (6,)))
case(
    "conv2d",
    lambda x, w: F.conv2d(x, w, None, 2, (1, 2), 1, 2),
    (2, 4, 9, 9),
    parameters=((6, 2, 3, 3),),
)
case(
    "conv2d:same",
    lambda x, w: F.conv2d(x, w, padding="same", dilation=2),
    (2, 4, 9, 9),
    parameters=((6, 4, 3, 4),),
)
case(
    "conv2d:valid",
    lambda x, w: F.conv2d(x, w, padding="valid"),
    (4, 9, 9),
    parameters=((6, 4, 3, 3),),
)
case("conv3d", F.conv3d, (2, 4, 5, 6, 7), parameters=((6, 4, 3, 3, 3), (6,)))
case("conv_transpose1d", F.conv_transpose1d, (2, 4, 9), parameters=((4, 6, 3), (6,)))
case(
    "conv_transpose2d",
    lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, 1, 2, 2),
    (2, 4, 9, 9),
    parameters=((4, 3, 3, 3),),
)
case("conv_transpose3d", F.conv_transpose3d, (2, 4, 5, 6, 7), parameters=((4, 6, 3, 3, 3),))
case(
    "conv2d:convolution",
    lambda x, w: aten.convolution(x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
    (2, 4, 9, 9),
    parameters=((6, 4, 3, 3),),
)
case(
    "conv_transpose2d:convolution",
    lambda x, w: aten.convolution(x, w, None, [2, 2], [1, 1], [1, 1], True, [1, 1], 1),
    (2, 4, 9, 9),
    parameters=((4, 6, 3, 3),),
)
case("linear", F.linear, (2, 5, 4), parameters=((6, 4), (6,)))
case("linear:no bias", F.linear, (4,), parameters=((6, 4),))
case("linear:vector", F.linear, (2, 4), parameters=((4,),), ops="matmul")
case("linear:activations as weights", F.linear, (2, 4), (6, 4))
case("bilinear", F.bilinear, (2, 4), (2, 5), parameters=((6, 4, 5), (6,)))
case("matmul", torch.matmul, (2, 1, 3, 4), (5, 4, 6))
case("matmul:vectors", torch.matmul, (4,), (4,))
case("matmul:mm", torch.mm, (3, 4), (4, 6))
case("matmul:bmm", torch.bmm, (2, 3, 4), (2, 4, 6))
case("matmul:mv", torch.mv, (3, 4), (4,))
case("matmul:dot", torch.dot, (4,), (4,))
case("matmul:vdot", torch.vdot, (4,), (4,))
case("matmul:linalg", torch.linalg.matmul, (3, 4), (4, 6))
case("addmm", torch.addmm, (6,), (3, 4), (4, 6), ops="matmul add")
case(
    "addmm:beta",
    lambda b, x, y: torch.addmm(b, x, y, beta=2),
    (6,),
    (3, 4),
    (4, 6),
    ops="matmul add_scaled",
)
case(
    "addmm:alpha",
    lambda b, x, y: torch.addmm(b, x, y, alpha=2),
    (6,),
    (3, 4),
    (4, 6),
    ops="matmul mul add",
)
case(
    "addmm:beta 0",
    lambda b, x, y: torch.addmm(b, x, y, beta=0),
    (3, 6),
    (3, 4),
    (4, 6),
    ops="matmul",
)
case("addmm:in place", lambda b, x, y: b.addmm_(x, y), (3, 6), (3, 4), (4, 6), ops="matmul add")
case("baddbmm", torch.baddbmm, (2, 3, 6), (2, 3, 4), (2, 4, 6), ops="matmul add")
case("addbmm", torch.addbmm, (3, 6), (2, 3, 4), (2, 4, 6), ops="matmul sum add")
case("addmv", torch.addmv, (3,), (3, 4), (4,), ops="matmul add")
case("addr", torch.addr, (3, 4), (3,), (4,), ops="unsqueeze mul add")
case("outer", torch.outer, (3,), (4,), ops="reshape mul")
case("einsum", lambda x, y: torch.einsum("bij,bkj->bik", x, y), (2, 3, 4), (2, 5, 4))
case("einsum:one", lambda x: torch.einsum("bii->bi", x), (2, 3, 3))
case(
    "tensordot",
    lambda x, y: torch.tensordot(x, y, 1),
    (2, 3, 4),
    (4, 5),
    ops="permute reshape permute reshape matmul reshape",
)
case(
    "scaled_dot_product_attention",
    F.scaled_dot_product_attention,
    (2, 4, 5, 8),
    (2, 4, 6, 8),
    (2, 4, 6, 9),
)
case(
    "scaled_dot_product_attention:mask",
    lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
    (2, 4, 5, 8),
    (2, 4, 6, 8),
    (2, 4, 6, 8),
    (5, 6),
)
case(
    "scaled_dot_product_attention:causal",
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.5),
    (2, 4, 5, 8),
    (2, 4, 5, 8),
    (2, 4, 5, 8),
)
case(
    "scaled_dot_product_attention:grouped",
    lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
    (2, 4, 5, 8),
    (2, 2, 5, 8),
    (2, 2, 5, 8),
)

# -- normalization --------------------------------------------------------------------------------

N4 = (2, 4, 5, 6)
case(
    "batch_norm",
    lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b),
    N4,
    parameters=((4,), (4,), (4,), (4,)),
)
case(
    "batch_norm:statistics",
    lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
    N4,
    parameters=((4,), (4,)),
)
case("instance_norm", F.instance_norm, N4)
case(
    "instance_norm:affine",
    lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
    N4,
    parameters=((4,), (4,)),
)
case("layer_norm", lambda x, w, b: F.layer_norm(x, (6,), w, b), N4, parameters=((6,), (6,)))
case("layer_norm:no bias", lambda x, w: F.layer_norm(x, (5, 6), w), N4, parameters=((5, 6),))
case("layer_norm:plain", lambda x: F.layer_norm(x, (6,)), N4)
case(
    "layer_norm:native",
    lambda x, w, b: aten.native_layer_norm(x, [6], w, b, 1e-5)[0],
    N4,
    parameters=((6,), (6,)),
)
case("group_norm", lambda x, w, b: F.group_norm(x, 2, w, b), N4, parameters=((4,), (4,)))
case("group_norm:plain", lambda x: F.group_norm(x, 2), N4)
case(
    "group_norm:native",
    lambda x, w, b: aten.native_group_norm(x, w, b, 2, 4, 30, 2, 1e-5)[0],
    N4,
    parameters=((4,), (4,)),
)
case("rms_norm", lambda x, w: F.rms_norm(x, (6,), w), N4, parameters=((6,),))
case("rms_norm:plain", lambda x: F.rms_norm(x, (5, 6)), N4)
case("normalize", F.normalize, N4, ops="norm clamp_min expand div")
case(
    "local_response_norm",
    lambda x: F.local_response_norm(x, 3),
    N4,
    ops="mul reshape pad avg_pool3d squeeze reshape mul add pow div",
)

# -- pooling --------------------------------------------------------------------------------------

for d in (1, 2, 3):
    shape = (2, 4, 9, 10, 11)[: d + 2]
    case(f"max_pool{d}d:3", lambda x, f=f"max_pool{d}d": getattr(F, f)(x, 3, 2, 1, 1, True), shape)
    case(
        f"max_pool{d}d:indices",
        lambda x, f=f"max_pool{d}d": getattr(F, f)(x, 3, return_indices=True),
        shape,
    )
    case(f"avg_pool{d}d:3", lambda x, f=f"avg_pool{d}d": getattr(F, f)(x, 3, 2, 1), shape)
    case(
        f"avg_pool{d}d:unpadded",
        lambda x, f=f"avg_pool{d}d": getattr(F, f)(x, 3, count_include_pad=False, ceil_mode=True),
        shape,
    )
    case(
        f"adaptive_avg_pool{d}d:3", lambda x, f=f"adaptive_avg_pool{d}d": getattr(F, f)(x, 3), shape
    )
    case(
        f"adaptive_avg_pool{d}d:kept",
        lambda x, f=f"adaptive_avg_pool{d}d", k=(*((None,) * (d - 1)), 2): getattr(F, f)(
            x, k if len(k) > 1 else 2
        ),
        shape,
    )
    case(
        f"adaptive_max_pool{d}d:3", lambda x, f=f"adaptive_max_pool{d}d": getattr(F, f)(x, 3), shape
    )
    case(
        f"adaptive_max_pool{d}d:indices",
        lambda x, f=f"adaptive_max_pool{d}d": getattr(F, f)(x, 3, return_indices=True),
        shape,
    )
    ops = {1: "unsqueeze unsqueeze max_unpool2d squeeze"}.get(d, f"max_unpool{d}d")
    half = (2, 4, 3, 4, 5)[: d + 2]
    case(
        f"max_unpool{d}d",
        lambda x, i, f=f"max_unpool{d}d": getattr(F, f)(x, i, 2),
        half,
        Spec(half, i64),
        ops=ops,
    )
case("avg_pool2d:divisor", lambda x: F.avg_pool2d(x, 3, divisor_override=2), N4)
case("fractional_max_pool2d", lambda x: F.fractional_max_pool2d(x, 2, (2, 3)), N4)
case("fractional_max_pool3d", lambda x: F.fractional_max_pool3d(x, 2, (2, 3, 3)), (2, 4, 5, 6, 7))
case(
    "lp_pool2d", lambda x: F.lp_pool2d(x, 2, 2), N4, ops="pow avg_pool2d sign abs relu mul mul pow"
)

# -- reductions -----------------------------------------------------------------------------------

for name in [
    "sum",
    "mean",
    "prod",
    "amax",
    "amin",
    "logsumexp",
    "any",
    "all",
    "argmax",
    "argmin",
    "var",
    "std",
]:
    function = getattr(torch, name)
    if name != "logsumexp":
        case(f"{name}:all", function, S)
    case(f"{name}:dim", lambda x, f=function: f(x, 1), S)
    case(f"{name}:kept", lambda x, f=function: f(x, -1, keepdim=True), S)
    if name in ("sum", "mean", "amax", "amin", "logsumexp", "any", "all", "var", "std"):
        case(f"{name}:dims", lambda x, f=function: f(x, (0, 2)), S)
    if name not in ("mean", "var", "std"):
        case(f"{name}:int32", lambda x, f=function: f(x, 1), Spec(S, i32))
        if name not in ("argmax", "argmin"):
            case(f"{name}:bool", lambda x, f=function: f(x, 1), Spec(S, boolean))
    case(f"{name}:bfloat16", lambda x, f=function: f(x, 1), Spec(S, bf16))
for name in ["sum", "mean", "prod"]:
    case(f"{name}:dtype", lambda x, f=name: getattr(x, f)(1, dtype=f64), Spec(S, f32))
    case(f"{name}:all, dtype", lambda x, f=name: getattr(x, f)(dtype=f32), Spec(S, i64))
case("any:uint8", lambda x: x.any(), Spec(S, u8))
case("sum:nansum", lambda x: torch.nansum(x, 1), S)
case("mean:nanmean", lambda x: torch.nanmean(x, 1), S, ops="ne logical_not sum sum div")
case("sum:empty dims", lambda x: x.sum(()), S)
case("max", torch.max, S)
case("max_with_indices", lambda x: torch.max(x, 1), S)
case("max_with_indices:kept", lambda x: torch.max(x, 1, keepdim=True), Spec(S, i64))
case("maximum:max", torch.max, S, B)
case("min", torch.min, Spec(S, i32))
case("min_with_indices", lambda x: torch.min(x, 1), S)
case("minimum:min", torch.min, S, B)
case("aminmax", lambda x: torch.aminmax(x, dim=1), S)
case("aminmax:all", torch.aminmax, S)
case("median", lambda x: torch.median(x, 1), S)
case("median:all", torch.median, S)
case("var_mean", lambda x: torch.var_mean(x, 1), S)
case("std_mean", lambda x: torch.std_mean(x, (1, 2), keepdim=True), S)
case("var:biased", lambda x: x.var(False), S)
case("var:biased, dim", lambda x: x.var(1, False), S)
case("var:correction", lambda x: torch.var(x, (0, 1), correction=0, keepdim=True), S)
case("std:biased", lambda x: x.std(False), S)
case("norm", lambda x: x.norm(dim=1), S)
case("norm:all", torch.norm, S)
case("norm:p", lambda x: x.norm(2, -1, True), S)
case("norm:linalg", lambda x: torch.linalg.vector_norm(x, dim=1), S)
case("norm:dtype", lambda x: torch.linalg.vector_norm(x, dim=1, dtype=f32), Spec(S, bf16))
case("norm_l1", lambda x: torch.linalg.vector_norm(x, 1, dim=1), S)
case("norm_inf", lambda x: torch.linalg.vector_norm(x, float("inf")), S)
case("norm_p", lambda x: torch.linalg.vector_norm(x, 3, dim=1), S)
case("count_nonzero", lambda x: torch.count_nonzero(x, 1), S)
case("count_nonzero:dims", lambda x: torch.count_nonzero(x, (0, 1)), Spec(S, i64))
case("count_nonzero:all", torch.count_nonzero, S)
for name in ["cumsum", "cumprod"]:
    case(f"{name}:float16", lambda x, f=name: getattr(torch, f)(x, 1), Spec(S, f16))
    case(f"{name}:int32", lambda x, f=name: getattr(torch, f)(x, 1), Spec(S, i32))
    case(f"{name}:bool", lambda x, f=name: getattr(torch, f)(x, 1), Spec(S, boolean))
    case(f"{name}:dtype", lambda x, f=name: getattr(torch, f)(x, 1, dtype=f64), Spec(S, i32))
case("cumsum:in place", lambda x: x.cumsum_(1), S)
case("logcumsumexp", lambda x: torch.logcumsumexp(x, 1), S)
case("cummax", lambda x: torch.cummax(x, 1), S)
case("cummin", lambda x: torch.cummin(x, 1), Spec(S, i64))
case("sort", lambda x: torch.sort(x, 1), S)
case("sort:stable", lambda x: torch.sort(x, dim=1, stable=True), Spec(S, i64))
case("sort:method", lambda x: x.sort(), S)
case("sort:msort", torch.msort, S)
case("argsort", lambda x: torch.argsort(x, 1, True), S)
case("argsort:stable", lambda x: torch.argsort(x, dim=1, stable=True), S)
case("topk", lambda x: torch.topk(x, 2), S)
case("kthvalue", lambda x: torch.kthvalue(x, 2), S)

# -- embedding ------------------------------------------------------------------------------------

case("embedding", F.embedding, Spec((2, 5), i64), parameters=((7, 3),))
case("embedding:int32", F.embedding, Spec((2, 5), i32), parameters=(Spec((7, 3), f16),))
case(
    "embedding_bag",
    F.embedding_bag,
    Spec((2, 5), i64),
    parameters=((7, 3),),
    ops="reshape embedding_bag",
)
case(
    "embedding_bag:offsets",
    lambda x, w: F.embedding_bag(x, w, torch.tensor([0, 4]), mode="sum"),
    Spec((6,), i64),
    parameters=((7, 3),),
)

# -- shapes ---------------------------------------------------------------------------------------

case("reshape", lambda x: x.reshape(6, -1), S)
case("reshape:view", lambda x: x.view(4, 6), S)
case("reshape:view_as", lambda x, y: x.view_as(y), S, (4, 6))
case("reshape:copy", lambda x: torch.view_copy(x, (4, 6)), S)
case("reshape:unsafe", lambda x: aten._unsafe_view(x, [4, 6]), S)
case("identity:view as int32", lambda x: x.view(i32), S)
case("flatten", lambda x: x.flatten(1), S)
case("flatten:ravel", torch.ravel, S, ops="reshape")
case("unflatten", lambda x: x.unflatten(2, (2, -1)), S)
case("permute", lambda x: x.permute(2, 0, 1), S)
case("transpose", lambda x: x.transpose(0, -1), S)
case("transpose:swapaxes", lambda x: torch.swapaxes(x, 0, 1), S)
case("transpose:swapdims", lambda x: torch.swapdims(x, 0, 1), S)
case("transpose:t", torch.t, (3, 4))
case("identity:t", torch.t, (3,))
case("transpose:T", lambda x: x.T, (3, 4))
case("transpose:mT", lambda x: x.mT, S)
case("transpose:mH", lambda x: x.mH, S)
case("transpose:H", lambda x: x.H, (3, 4))
case("transpose:adjoint", lambda x: x.adjoint(), S)
case("movedim", lambda x: torch.movedim(x, 0, -1), S)
case("movedim:several", lambda x: torch.movedim(x, (0, 1), (1, 2)), S)
case("movedim:moveaxis", lambda x: torch.moveaxis(x, 0, 1), S)
case("squeeze", torch.squeeze, (2, 1, 3, 1))
case("squeeze:dim", lambda x: x.squeeze(1), (2, 1, 3, 1))
case("squeeze:other dim", lambda x: x.squeeze(0), (2, 1, 3, 1))
case("squeeze:dims", lambda x: torch.squeeze(x, (1, 3)), (2, 1, 3, 1))
case("unsqueeze", lambda x: x.unsqueeze(-1), S)
case("unsqueeze:None", lambda x: x[:, None], S)
case("expand", lambda x: x.expand(5, -1, 4), (3, 1))
case("expand:as", lambda x, y: x.expand_as(y), (3, 1), S)
case("expand:broadcast_to", lambda x: torch.broadcast_to(x, S), (3, 1))
case("slice", lambda x: x[:, 1:, ::2], S, ops="slice slice")
case("slice:narrow", lambda x: x.narrow(1, 1, 2), S)
case("slice:negative", lambda x: x[:, -2:], S)
case("select", lambda x: x[0], S)
case("select:negative", lambda x: x.select(2, -1), S)
case("split", lambda x: x.split(2, 2), S)
case("split:uneven", lambda x: x.split(2, 1), S)
case("split:one", lambda x: x.split(7, 1), S)
case("split:sizes", lambda x: x.split([1, 3], -1), S)
case("split:with sizes", lambda x: torch.split_with_sizes(x, [1, 3], -1), S)
case("split:tensor_split", lambda x: torch.tensor_split(x, 3, 2), S, ops="slice slice slice")
case("chunk", lambda x: x.chunk(2, -1), S)
case("chunk:uneven", lambda x: x.chunk(2, 1), S)
case("unbind", lambda x: x.unbind(1), S)
case("unbind:iteration", list, S)
case("diagonal", lambda x: x.diagonal(1, 0, 2), S)
case("unfold_dimension", lambda x: x.unfold(2, 2, 1), S)
case("nothing:contiguous", lambda x: x.contiguous(), S, ops="")
case("nothing:detach", lambda x: x.detach(), S, ops="")
case("nothing:same dtype", lambda x: x.to(f32).float().type_as(x), S, ops="")
case("nothing:same device", lambda x: x.to("cpu"), S, ops="")
case("cast", lambda x: x.half(), S)
case("cast:to", lambda x: x.to(torch.device("cpu"), f64), S)
case("cast:other", lambda x, y: x.to(y), S, Spec(S, f16))
case("cast:type_as", lambda x, y: x.type_as(y), S, Spec(S, i64))
case("cast:type", lambda x: x.type(torch.int32), S)
case("cast:bool", lambda x: x.bool(), S)
case("cast:copying", lambda x: aten._to_copy(x, dtype=f16), S)
case("copy", torch.clone, S)
case("copy:to copies", lambda x: x.to(f32, copy=True), S)
case("copy:in place", lambda x, y: x.copy_(y), S, S)
case("copy:in place, other dtype", lambda x, y: x.copy_(y), S, Spec(S, f16))
case("copy:in place, broadcast", lambda x, y: x.copy_(y), S, B, ops="expand copy")
case(
    "copy:slice assignment",
    lambda x, y: (x.__setitem__((slice(None), 0), y), x)[1],
    S,
    (2, 4),
    ops="select copy",
)
case("nothing:fill", lambda x: x.fill_(0), S, ops="")
case("nothing:zero", lambda x: x.zero_(), S, ops="")
case("concat", lambda x, y: torch.cat([x, y], 1), S, (2, 5, 4))
case("concat:dtypes", lambda x, y: torch.cat([x, y], 0), Spec(S, f16), Spec(S, i64))
case("concat:float16 and float32", lambda x, y: torch.cat([x, y], 0), Spec(S, f16), Spec(S, f32))
case("concat:name", lambda x, y: torch.concat([x, y], 1), S, S)
case("concat:long name", lambda x, y: torch.concatenate([x, y], 1), S, S)
case("concat:hstack", lambda x, y: torch.hstack([x, y]), S, S)
case("stack", lambda x, y: torch.stack([x, y], -1), S, S)
case("stack:dtypes", lambda x, y: torch.stack([x, y]), Spec(S, i32), Spec(S, f32))
case("repeat", lambda x: x.repeat(2, 1, 1, 3), S)
case("tile", lambda x: torch.tile(x, (2, 3)), S)
case("pad", lambda x: F.pad(x, (1, 2, 0, 1)), S)
case("pad:crop", lambda x: F.pad(x, (-1, 2)), S)
for mode in ("reflect", "replicate", "circular"):
    case(f"pad:{mode}", lambda x, m=mode: F.pad(x, (1, 1, 1, 1), mode=m), (2, 3, 4, 5))
    case(f"pad:{mode} 1d", lambda x, m=mode: F.pad(x, (1, 1), mode=m), S)
case("pad:constant", lambda x: aten.constant_pad_nd(x, [1, 1], 0), S)
case("pad:reflection op", lambda x: aten.reflection_pad2d(x, [1, 1, 1, 1]), N4)
case("pad:replication op", lambda x: aten.replication_pad2d(x, [1, 1, 1, 1]), N4)
case("roll", lambda x: x.roll(1, 1), S)
case("roll:several", lambda x: x.roll((1, -1), (1, 2)), S)
case("roll:flat", lambda x: x.roll(1), S)
case("flip", lambda x: x.flip(0, 2), S)
case("flip:lr", torch.fliplr, S)
case("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), N4)
case("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), (2, 4, 6, 6))
case("channel_shuffle", lambda x: F.channel_shuffle(x, 2), N4)
case("unfold", lambda x: F.unfold(x, (2, 3), 1, 1, 2), N4)
case("fold", lambda x: F.fold(x, (4, 5), (2, 2)), (2, 12, 12))
case("gather", lambda x, i: torch.gather(x, 1, i), S, Spec((2, 2, 3), i64))
case("index_select", lambda x, i: torch.index_select(x, 1, i), S, Spec((5,), i64))
case("take_along_dim", lambda x, i: torch.take_along_dim(x, i, 1), S, Spec((2, 2, 4), i64))
case(
    "take_along_dim:flat",
    torch.take_along_dim,
    S,
    Spec((5,), i64),
    ops="flatten flatten take_along_dim",
)
case("index", lambda x, i: x[i], S, Spec((5,), i64))
case("index:two", lambda x, i, j: x[:, i, j], S, Spec((5, 1), i64), Spec((2,), i64))
case("index:apart", lambda x, i: x[i, :, i], S, Spec((5,), i64), ops="index")
case("index:known mask", lambda x: x[:, torch.tensor([True, False, True])], S)
case("index:list", lambda x: x[..., [0, 2]], S, ops="index")
case("index_put", lambda x, i, v: (x.__setitem__(i, v), x)[1], S, Spec((2,), i64), S, ops="copy")
case("scatter", lambda x, i, s: x.scatter(1, i, s), S, Spec((2, 2, 4), i64), S)
case("scatter:number", lambda x, i: x.scatter(1, i, 1.0), S, Spec((2, 2, 4), i64))
case("scatter:in place", lambda x, i, s: x.scatter_(1, i, s), S, Spec((2, 2, 4), i64), S)
case("scatter_add", lambda x, i, s: x.scatter_add(1, i, s), S, Spec((2, 2, 4), i64), S)
case("scatter_add:in place", lambda x, i, s: x.scatter_add_(1, i, s), S, Spec((2, 2, 4), i64), S)
case(
    "scatter_add:reduce",
    lambda x, i, s: x.scatter_reduce(1, i, s, "sum"),
    S,
    Spec((2, 2, 4), i64),
    S,
)
case("index_add", lambda x, i, s: x.index_add(1, i, s), S, Spec((3,), i64), S)
case("index_add:in place", lambda x, i, s: x.index_add_(1, i, s), S, Spec((3,), i64), S)
case("repeat_interleave", lambda x: x.repeat_interleave(2, 1), S)
case("repeat_interleave:flat", lambda x: x.repeat_interleave(2), S)
case("tril", lambda x: x.tril(1), S)
case("triu", torch.triu, S)
case("tril:in place", lambda x: x.tril_(1), S)
case("one_hot", lambda x: F.one_hot(x, 5), Spec((2, 3), i64), ops="unsqueeze eq")

# -- resampling -----------------------------------------------------------------------------------

for mode, d in (
    ("nearest", 1),
    ("nearest", 2),
    ("nearest", 3),
    ("nearest-exact", 2),
    ("linear", 1),
    ("bilinear", 2),
    ("trilinear", 3),
    ("bicubic", 2),
):
    shape = (2, 4, 5, 6, 7)[: d + 2]
    case(
        f"interpolate:{mode}{d}",
        lambda x, m=mode: F.interpolate(x, scale_factor=2.5, mode=m),
        shape,
    )
    case(
        f"interpolate:{mode}{d} size",
        lambda x, m=mode, d=d: F.interpolate(x, size=(9, 10, 11)[:d], mode=m),
        shape,
    )
case(
    "interpolate:corners",
    lambda x: F.interpolate(x, size=9, mode="bilinear", align_corners=True),
    N4,
)
case(
    "interpolate:antialias",
    lambda x: F.interpolate(x, size=(3, 3), mode="bilinear", antialias=True),
    N4,
)
case(
    "interpolate:area",
    lambda x: F.interpolate(x, size=3, mode="area"),
    N4,
    ops="adaptive_avg_pool2d",
)
for mode in ("bilinear", "nearest", "bicubic"):
    case(
        f"grid_sample:{mode}",
        lambda x, g, m=mode: F.grid_sample(x, g, mode=m, align_corners=False),
        N4,
        (2, 3, 3, 2),
    )
case(
    "grid_sample:3d",
    lambda x, g: F.grid_sample(x, g, align_corners=True),
    (2, 4, 5, 6, 7),
    (2, 3, 3, 3, 3),
)

# -- new tensors and values -----------------------------------------------------------------------

for name in ["zeros_like", "ones_like", "empty_like", "rand_like", "randn_like"]:
    case(f"nothing:{name}", getattr(torch, name), S, ops="")
    case(f"nothing:{name} dtype", lambda x, f=name: getattr(torch, f)(x, dtype=f64), S, ops="")
case("nothing:full_like", lambda x: torch.full_like(x, 2), S, ops="")
case("nothing:full_like int64", lambda x: torch.full_like(x, 2), Spec(S, i64), ops="")
case("nothing:new_zeros", lambda x: x.new_zeros(2, 3), Spec(S, f16), ops="")
case("nothing:new_ones", lambda x: x.new_ones((2, 3), dtype=i64), S, ops="")
case("nothing:new_full", lambda x: x.new_full((2, 3), 1.5), Spec(S, f64), ops="")
case("nothing:new_empty", lambda x: x.new_empty(2, 3), S, ops="")
case("nothing:new_tensor", lambda x: x.new_tensor([1.0, 2.0]), S, ops="")
case("add:arange", lambda x: x + torch.arange(4), S)
case("add:0-dim float64 constant", lambda x: x + torch.tensor(2.0, dtype=f64), Spec(S, f16))
case("weight_norm", lambda v, g: torch._weight_norm(v, g, 0), (4, 3), (4, 1), ops="norm div mul")

# -- operations that the functions above reach under other names ----------------------------------

for name in [
    "arccos",
    "arcsin",
    "arctan",
    "absolute",
    "fix",
    "negative",
    "frac",
    "relu6",
    "cumprod",
    "triu",
    "polygamma",
]:
    op = {
        "arccos": "acos",
        "arcsin": "asin",
        "arctan": "atan",
        "absolute": "abs",
        "fix": "trunc",
        "negative": "neg",
    }.get(name, name)
    rest = {"cumprod": (1,)}.get(name, ())
    function = getattr(aten, f"{name}_")
    if name == "polygamma":
        case("polygamma:in place", lambda x: x.polygamma_(1), S)
    else:
        case(f"{op}:{name}, in place", lambda x, f=function, r=rest: f(x, *r), S)
for name in [
    "atan2",
    "copysign",
    "float_power",
    "heaviside",
    "hypot",
    "igamma",
    "igammac",
    "ldexp",
    "nextafter",
    "xlogy",
    "clamp_max",
]:
    case(f"{name}:in place", getattr(aten, f"{name}_"), Spec(S, f64), Spec(B, f64))
for name in ["gcd", "lcm", "bitwise_left_shift", "bitwise_right_shift"]:
    case(f"{name}:in place", getattr(aten, f"{name}_"), Spec(S, i64), Spec(B, i64))
for symbol, name in (("lshift", "bitwise_left_shift"), ("rshift", "bitwise_right_shift")):
    case(f"{name}:operator, in place", getattr(aten, f"__i{symbol}__"), Spec(S, i64), Spec(B, i64))
for name in ["addcmul", "addcdiv"]:
    case(f"{name}:in place", getattr(aten, f"{name}_"), S, S, B)
case("erf:special", torch.special.erf, S)
case("norm:aten", lambda x: aten.norm(x, 2, [1], False), S)
case(
    "scatter_add:reduce, in place",
    lambda x, i, s: x.scatter_reduce_(1, i, s, "sum"),
    S,
    Spec((2, 2, 4), i64),
    S,
)
case(
    "index_put:not in place",
    lambda x, i, v: torch.index_put(x, (i,), v),
    S,
    Spec((2,), i64),
    S,
    ops="copy copy",
)
case(
    "index_put:one number",
    lambda x, i: (x.__setitem__(i, 1.0), x)[1],
    S,
    Spec((5,), i64),
    ops="expand copy",
)
case("masked_fill:assignment", lambda x, m: (x.__setitem__(m, 1.0), x)[1], S, Spec(S, boolean))
case(
    "masked_fill:assignment, fewer dimensions",
    lambda x, m: (x.__setitem__(m, 1.0), x)[1],
    S,
    Spec((2, 3), boolean),
    ops="reshape masked_fill",
)
for d, mode in ((1, "reflection"), (3, "reflection"), (1, "replication"), (3, "replication")):
    shape = (2, 3, 4, 5, 6)[: d + 2]
    function = getattr(aten, f"{mode}_pad{d}d")
    case(f"pad:{mode} op {d}", lambda x, f=function, d=d: f(x, [1, 1] * d), shape)
case("pad:circular op", lambda x: aten._pad_circular(x, [1, 1, 1, 1]), N4)
for name, d, rest in (
    ("nearest", 1, ()),
    ("nearest", 2, ()),
    ("nearest", 3, ()),
    ("linear", 1, (False,)),
    ("bilinear", 2, (False,)),
    ("trilinear", 3, (True,)),
    ("bicubic", 2, (False,)),
):
    shape = (2, 4, 5, 6, 7)[: d + 2]
    function = getattr(aten, f"upsample_{name}{d}d")
    case(
        f"interpolate:{name}{d} op",
        lambda x, f=function, d=d, r=rest: f(x, [9, 10, 11][:d], *r),
        shape,
    )
for d in (1, 3):
    shape = (2, 4, 5, 6, 7)[: d + 2]
    case(
        f"interpolate:nearest-exact{d}",
        lambda x: F.interpolate(x, scale_factor=2, mode="nearest-exact"),
        shape,
    )
case(
    "interpolate:bicubic antialias",
    lambda x: F.interpolate(x, size=(3, 3), mode="bicubic", antialias=True),
    N4,
)
case(
    "weight_norm:last dimension",
    lambda v, g: torch._weight_norm(v, g, 1),
    (4, 3),
    (1, 3),
    ops="norm div mul",
)
case("weight_norm:vector", lambda v, g: torch._weight_norm(v, g, 0), (4,), (4,), ops="abs div mul")
case(
    "weight_norm:parameters",
    lambda v, g: torch._weight_norm(v, g, 0),
    parameters=((4, 3), (4, 1)),
    ops="norm div mul",
)
case("nothing:randint_like", lambda x: torch.randint_like(x, 5), S, ops="")
case("nothing:bernoulli", torch.bernoulli, S, ops="")

# -- recurrent ------------------------------------------------------------------------------------

H = ((12, 5), (12, 3), (12,), (12,))
case(
    "gru",
    lambda x, h, *w: torch.gru(x, h, w, True, 1, 0.0, False, False, True),
    (2, 4, 5),
    (1, 2, 4),
    parameters=((12, 5), (12, 4), (12,), (12,)),
)
case(
    "lstm",
    lambda x, h, c, *w: torch.lstm(x, (h, c), w, True, 1, 0.0, False, False, False),
    (4, 2, 5),
    (1, 2, 3),
    (1, 2, 3),
    parameters=H,
)
case(
    "lstm:projected",
    lambda x, h, c, *w: torch.lstm(x, (h, c), w, False, 1, 0.0, False, False, True),
    (2, 4, 5),
    (1, 2, 2),
    (1, 2, 3),
    parameters=((12, 5), (12, 2), (2, 3)),
)
case(
    "rnn:tanh",
    lambda x, h, *w: torch.rnn_tanh(x, h, w, True, 1, 0.0, False, False, True),
    (2, 4, 5),
    (1, 2, 12),
    parameters=((12, 5), (12, 12), (12,), (12,)),
)
case(
    "rnn:relu",
    lambda x, h, *w: torch.rnn_relu(x, h, w, False, 1, 0.0, False, False, True),
    (2, 4, 5),
    (1, 2, 12),
    parameters=((12, 5), (12, 12)),
)
case(
    "lstm_cell",
    lambda x, h, c, *w: torch.lstm_cell(x, (h, c), *w),
    (2, 5),
    (2, 3),
    (2, 3),
    parameters=H,
)
case("gru_cell", torch.gru_cell, (2, 5), (2, 4), parameters=((12, 5), (12, 4), (12,), (12,)))
case("rnn_cell:tanh", torch.rnn_tanh_cell, (2, 5), (2, 12), parameters=((12, 5), (12, 12)))
case("rnn_cell:relu", torch.rnn_relu_cell, (2, 5), (2, 12), parameters=((12, 5), (12, 12)))

#: Operations without a case: they read values, or hold packed sequences (see test_errors.py), or
#: torch reaches them only from compiled code.
ELSEWHERE = frozenset(
    [
        "_local_scalar_dense",
        "item",
        "is_nonzero",
        "equal",
        "allclose",
        "_pack_padded_sequence",
        "_unsafe_index_put",
        "_weight_norm_interface",
    ]
)
