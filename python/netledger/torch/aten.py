"""What each ATen operation is in the rule book: its op, its tensors, its attributes.

Under ``torch.inference_mode()`` operations arrive whole; a handler gets the tracer and the
operation's own arguments and returns what the operation returns. No formula lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import floor
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netledger.errors import LayerError, TraceError
from netledger.torch._tensor import TracedTensor

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer

__all__ = ["HANDLERS"]

#: From an operation (an ATen overload) to its handler.
HANDLERS: dict[Any, Callable[..., Any]] = {}

aten = torch.ops.aten


def _overloads(name: str) -> Iterable[Any]:
    """The overloads of an operation, or the one that is named after a dot; none if torch lacks it."""
    base, _, overload = name.partition(".")
    packet = getattr(aten, base, None)
    if packet is None:
        return
    for found in [overload] if overload else packet.overloads():
        if "out" not in found.split("_") and hasattr(packet, found):
            yield getattr(packet, found)


def maps(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a handler for operations, with all overloads or one (``"max.dim"``)."""

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            for operation in _overloads(name):
                HANDLERS.setdefault(operation, handler)
        return handler

    return register


def handler_of(name: str) -> Callable[..., Any]:
    """The handler of an operation, as ``"conv2d.default"``."""
    return HANDLERS[next(iter(_overloads(name)))]


# -- dtypes ---------------------------------------------------------------------------------------


def _promoted(values: Sequence[Any]) -> torch.dtype:
    """The dtype that torch gives to arithmetic on these tensors and numbers."""
    result: Any = None
    for value in values:
        if isinstance(value, Tensor):
            # A stand-in with memory: result_type reads dtypes, and which tensors have dimensions.
            stand_in = torch.empty((1,) if value.ndim else (), dtype=value.dtype)
        elif isinstance(value, bool | int | float | complex):
            stand_in = value
        else:
            continue
        result = stand_in if result is None else _merged(result, stand_in)
    return result.dtype if isinstance(result, Tensor) else torch.get_default_dtype()


def _merged(left: Any, right: Any) -> Any:
    dtype = torch.result_type(left, right)
    dimensions = max(
        (value.ndim for value in (left, right) if isinstance(value, Tensor)), default=0
    )
    return torch.empty((1,) if dimensions else (), dtype=dtype)


def _arithmetic_dtype(tensors: list[Tensor], args: Sequence[Any]) -> torch.dtype:
    dtype = tensors[0].dtype
    for tensor in tensors:
        if tensor.dtype != dtype:
            return _promoted(args)
    if dtype.is_floating_point or dtype.is_complex:
        for value in args:
            if isinstance(value, complex):
                return _promoted(args)
        return dtype
    for value in args:
        if isinstance(value, float | complex | int) and not isinstance(value, Tensor):
            return _promoted(args)
    return dtype


def _floating_dtype(tensors: list[Tensor], args: Sequence[Any]) -> torch.dtype:
    dtype = _arithmetic_dtype(tensors, args)
    if dtype.is_floating_point or dtype.is_complex:
        return dtype
    return torch.get_default_dtype()


def _bool_dtype(tensors: list[Tensor], args: Sequence[Any]) -> torch.dtype:
    return torch.bool


# -- element by element ---------------------------------------------------------------------------


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
    tanh div atan2 xlogy float_power logaddexp logaddexp2 hypot copysign igamma igammac
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
    groups = ((_FLOATING, _floating_dtype), (_ARITHMETIC, _arithmetic_dtype), (_BOOLEAN, _bool_dtype))
    dtype_of = {name: rule for names, rule in groups for name in names.split()}
    for special in ("erfcx", "i0e", "i1", "i1e", "ndtr", "ndtri", "log_ndtr", "xlog1py", "zeta"):
        dtype_of[special] = _floating_dtype
    dtype_of["logsigmoid"] = _floating_dtype
    names = {name: name for name in dtype_of} | _ALIASES
    for name, op in names.items():
        maps(name)(_elementwise(op, dtype_of[op]))
        maps(name + "_")(_elementwise_inplace(op))


@maps("bitwise_and_", "__iand__")
def _bitwise_and_inplace(trace: Tracer, *args: Any) -> Any:
    return trace.add_inplace("bitwise_and", [value for value in args if isinstance(value, Tensor)])


@maps("__and__")
def _bitwise_and(trace: Tracer, *args: Any) -> Any:
    tensors = [value for value in args if isinstance(value, Tensor)]
    return trace.add("bitwise_and", tensors, dtype=_arithmetic_dtype(tensors, args))


@maps("__or__")
def _bitwise_or(trace: Tracer, *args: Any) -> Any:
    tensors = [value for value in args if isinstance(value, Tensor)]
    return trace.add("bitwise_or", tensors, dtype=_arithmetic_dtype(tensors, args))


@maps("add", "add_")
def _add(trace: Tracer, input: Any, other: Any, alpha: Any = 1) -> Any:
    op = "add" if alpha == 1 else "add_scaled"
    args = (input, other)
    tensors = [value for value in args if isinstance(value, Tensor)]
    return trace.add(op, tensors, dtype=_arithmetic_dtype(tensors, args))


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
    return trace.add(op, tensors, dtype=_arithmetic_dtype(tensors, args))


for _operation in _overloads("add_"):
    HANDLERS[_operation] = _inplace_add
for _operation in _overloads("sub_"):
    HANDLERS[_operation] = _inplace_sub
for _name in ("sub", "rsub"):
    for _operation in _overloads(_name):
        HANDLERS[_operation] = _subtract


@maps("gelu")
def _gelu(trace: Tracer, input: Tensor, approximate: str = "none") -> Any:
    return trace.add("gelu_tanh" if approximate == "tanh" else "gelu", [input])


@maps("gelu_")
def _gelu_inplace(trace: Tracer, input: Tensor, approximate: str = "none") -> Any:
    return trace.add_inplace("gelu_tanh" if approximate == "tanh" else "gelu", [input])


@maps("div.Tensor_mode", "div.Scalar_mode")
def _div_mode(trace: Tracer, input: Tensor, other: Any, rounding_mode: str | None = None) -> Any:
    args = (input, other)
    tensors = [value for value in args if isinstance(value, Tensor)]
    if rounding_mode is None:
        return trace.add("div", tensors, dtype=_floating_dtype(tensors, args))
    dtype = _arithmetic_dtype(tensors, args)
    if rounding_mode == "floor":
        return trace.add("floor_divide", tensors, dtype=dtype)
    return trace.add("trunc", [trace.add("div", tensors, dtype=dtype)])


@maps("where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar")
def _where(trace: Tracer, condition: Tensor, input: Any, other: Any) -> Any:
    tensors = [value for value in (condition, input, other) if isinstance(value, Tensor)]
    return trace.add("where", tensors, dtype=_promoted((input, other)))


@maps("masked_fill")
def _masked_fill(trace: Tracer, input: Tensor, mask: Tensor, value: Any) -> Any:
    return trace.add("masked_fill", [input, mask])


@maps("masked_fill_")
def _masked_fill_inplace(trace: Tracer, input: Tensor, mask: Tensor, value: Any) -> Any:
    return trace.add_inplace("masked_fill", [input, mask])


@maps("prelu", "_prelu_kernel")
def _prelu(trace: Tracer, input: Tensor, weight: Tensor) -> Any:
    if weight.ndim != 1:  # the kernel gets the weight as it broadcasts
        return trace.add("leaky_relu", [input])
    return trace.add("prelu", [input], {"num_parameters": weight.numel()}, weights=[weight])


@maps("glu")
def _glu(trace: Tracer, input: Tensor, dim: int = -1) -> Any:
    return trace.add("glu", [input], {"dim": dim})


@maps("softmax.int", "_softmax", "_safe_softmax")
def _softmax(trace: Tracer, input: Tensor, dim: int, dtype: Any = None) -> Any:
    return trace.add("softmax", [input], {"dim": dim}, dtype=_given(dtype, input))


@maps("log_softmax.int", "_log_softmax")
def _log_softmax(trace: Tracer, input: Tensor, dim: int, dtype: Any = None) -> Any:
    return trace.add("log_softmax", [input], {"dim": dim}, dtype=_given(dtype, input))


def _given(dtype: Any, input: Tensor) -> torch.dtype:
    return dtype if isinstance(dtype, torch.dtype) else input.dtype


@maps("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def _dropout(trace: Tracer, input: Tensor, p: float, train: bool) -> Any:
    return trace.add("dropout", [input])


@maps("dropout_", "feature_dropout_", "alpha_dropout_", "feature_alpha_dropout_")
def _dropout_inplace(trace: Tracer, input: Tensor, p: float, train: bool) -> Any:
    return trace.add_inplace("dropout", [input])


@maps("native_dropout")
def _native_dropout(trace: Tracer, input: Tensor, p: float, train: bool | None) -> Any:
    return trace.add("dropout", [input]), trace.constant(input.shape, torch.bool)


# -- contractions ---------------------------------------------------------------------------------


def _convolution(spatial: int) -> None:
    op = f"conv{spatial}d"

    def handler(
        trace: Tracer,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        shape = weight.shape
        return trace.add(
            op,
            (input,),
            {
                "out_channels": shape[0],
                "kernel_size": shape[2:],
                "stride": stride,
                "padding": padding,
                "dilation": dilation,
                "groups": groups,
                "bias": bias is not None,
            },
            weights=[weight] if bias is None else [weight, bias],
        )

    maps(f"conv{spatial}d")(handler)


def _transposed_convolution(spatial: int) -> None:
    op = f"conv_transpose{spatial}d"

    def handler(
        trace: Tracer,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        return trace.add(
            op,
            (input,),
            {
                "out_channels": weight.shape[1] * groups,
                "kernel_size": weight.shape[2:],
                "stride": stride,
                "padding": padding,
                "output_padding": output_padding,
                "groups": groups,
                "bias": bias is not None,
                "dilation": dilation,
            },
            weights=[weight] if bias is None else [weight, bias],
        )

    maps(op)(handler)


for _spatial in (1, 2, 3):
    _convolution(_spatial)
    _transposed_convolution(_spatial)


@maps("convolution", "_convolution")
def _any_convolution(
    trace: Tracer,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    *flags: bool,
) -> Any:
    spatial = weight.ndim - 2
    if transposed:
        handler = HANDLERS[next(iter(_overloads(f"conv_transpose{spatial}d")))]
        return handler(
            trace, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    handler = HANDLERS[next(iter(_overloads(f"conv{spatial}d")))]
    return handler(trace, input, weight, bias, stride, padding, dilation, groups)


@maps("linear")
def linear(trace: Tracer, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    if weight.ndim == 1:
        answer = trace.add("matmul", (input, weight))
        return answer if bias is None else trace.add("add", (answer, bias))
    return trace.add(
        "linear",
        (input,),
        {"out_features": weight.shape[0], "bias": bias is not None},
        weights=[weight] if bias is None else [weight, bias],
    )


@maps("bilinear")
def _bilinear(
    trace: Tracer, left: Tensor, right: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Any:
    return trace.add(
        "bilinear",
        (left, right),
        {"out_features": weight.shape[0], "bias": bias is not None},
        weights=[weight] if bias is None else [weight, bias],
    )


@maps("matmul", "mm.default", "bmm.default", "mv", "dot", "vdot", "linalg_matmul")
def _matmul(trace: Tracer, left: Tensor, right: Tensor) -> Any:
    return trace.add("matmul", (left, right))


@maps("addmm.default", "baddbmm.default", "addmv.default", "addmm_.default", "baddbmm_.default")
def _addmm(
    trace: Tracer, input: Tensor, left: Tensor, right: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Any:
    answer = trace.add("matmul", (left, right))
    if alpha != 1:
        answer = trace.add("mul", (answer,))
    if beta == 0:
        return answer
    return trace.add("add" if beta == 1 else "add_scaled", (answer, input))


@maps("einsum")
def _einsum(trace: Tracer, equation: str, tensors: list[Tensor], *, path: Any = None) -> Any:
    return trace.add("einsum", tensors, {"equation": equation})


@maps("scaled_dot_product_attention")
def _attention(
    trace: Tracer,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    tensors = [query, key, value] if attn_mask is None else [query, key, value, attn_mask]
    return trace.add(
        "scaled_dot_product_attention",
        tensors,
        {"is_causal": is_causal, "enable_gqa": enable_gqa},
    )


# -- recurrent ------------------------------------------------------------------------------------


def _recurrent(op: str, gates: int, name: str) -> None:
    def handler(
        trace: Tracer,
        input: Tensor,
        state: Any,
        params: list[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        states = [state] if isinstance(state, Tensor) else list(state)
        hidden_size = params[1].shape[0] // gates
        attributes = {
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "bias": has_biases,
            "batch_first": batch_first,
            "bidirectional": bidirectional,
        }
        if op == "lstm" and params[1].shape[1] != hidden_size:
            attributes["proj_size"] = params[1].shape[1]
        if name == "rnn_relu":
            attributes["nonlinearity"] = "relu"
        return trace.add(op, [input, *states], attributes, weights=list(params))

    maps(f"{name}.input")(handler)


_recurrent("rnn", 1, "rnn_tanh")
_recurrent("rnn", 1, "rnn_relu")
_recurrent("lstm", 4, "lstm")
_recurrent("gru", 3, "gru")


@maps("lstm.data", "gru.data", "rnn_tanh.data", "rnn_relu.data", "_pack_padded_sequence")
def _packed(trace: Tracer, *args: Any, **kwargs: Any) -> Any:
    raise TraceError(
        f"{trace.where()}: the cost of a packed sequence depends on the lengths in it. Give the "
        "recurrent layer a padded tensor, or count it on its own with the sizes that matter."
    )


def _cell(op: str, gates: int, name: str) -> None:
    def handler(
        trace: Tracer,
        input: Tensor,
        state: Any,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None = None,
        bias_hh: Tensor | None = None,
    ) -> Any:
        states = [state] if isinstance(state, Tensor) else list(state)
        weights: list[Tensor | None] = [weight_ih, weight_hh]
        if bias_ih is not None:
            weights += [bias_ih, bias_hh]
        attributes: dict[str, Any] = {
            "hidden_size": weight_hh.shape[0] // gates,
            "bias": bias_ih is not None,
        }
        if name == "rnn_relu_cell":
            attributes["nonlinearity"] = "relu"
        return trace.add(op, [input, *states], attributes, weights=weights)

    maps(name)(handler)


_cell("rnn_cell", 1, "rnn_tanh_cell")
_cell("rnn_cell", 1, "rnn_relu_cell")
_cell("lstm_cell", 4, "lstm_cell")
_cell("gru_cell", 3, "gru_cell")


# -- normalization --------------------------------------------------------------------------------


@maps("batch_norm", "_batch_norm_impl_index")
def _batch_norm(
    trace: Tracer,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    *rest: Any,
) -> Any:
    affine = weight is not None or bias is not None
    track = running_mean is not None and not training
    weights: list[Tensor | None] = [weight, bias] if affine else []
    if track:
        # The third buffer, num_batches_tracked, is not read in inference.
        weights += [running_mean, running_var, None]
    return trace.add(
        "batch_norm",
        (input,),
        {"affine": affine, "track_running_stats": track},
        weights=weights,
    )


@maps("instance_norm")
def _instance_norm(
    trace: Tracer,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    *rest: Any,
) -> Any:
    affine = weight is not None or bias is not None
    track = running_mean is not None and not use_input_stats
    weights: list[Tensor | None] = [weight, bias] if affine else []
    if track:
        weights += [running_mean, running_var, None]
    return trace.add(
        "instance_norm",
        (input,),
        {"affine": affine, "track_running_stats": track},
        weights=weights,
    )


@maps("layer_norm")
def layer_norm(
    trace: Tracer,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *rest: Any,
) -> Any:
    return trace.add(
        "layer_norm",
        (input,),
        {
            "normalized_shape": normalized_shape,
            "elementwise_affine": weight is not None,
            "bias": bias is not None,
        },
        weights=[tensor for tensor in (weight, bias) if tensor is not None],
    )


@maps("native_layer_norm")
def _native_layer_norm(
    trace: Tracer,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Any:
    normalized = layer_norm(trace, input, normalized_shape, weight, bias)
    rows = [*input.shape[: input.ndim - len(normalized_shape)], *(1 for _ in normalized_shape)]
    return normalized, trace.constant(rows, input.dtype), trace.constant(rows, input.dtype)


@maps("group_norm")
def _group_norm(
    trace: Tracer,
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *rest: Any,
) -> Any:
    affine = weight is not None or bias is not None
    return trace.add(
        "group_norm",
        (input,),
        {"num_groups": num_groups, "affine": affine},
        weights=[weight, bias] if affine else [],
    )


@maps("rms_norm")
def _rms_norm(
    trace: Tracer,
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Any:
    return trace.add(
        "rms_norm",
        (input,),
        {"normalized_shape": normalized_shape, "elementwise_affine": weight is not None},
        weights=[] if weight is None else [weight],
    )


# -- pooling --------------------------------------------------------------------------------------


def _pooling(spatial: int) -> None:
    def max_pool(
        trace: Tracer,
        input: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        return trace.add(
            f"max_pool{spatial}d",
            (input,),
            {
                "kernel_size": kernel_size,
                "stride": stride or None,
                "padding": padding,
                "dilation": dilation,
                "ceil_mode": ceil_mode,
            },
        )

    def max_pool_with_indices(
        trace: Tracer,
        input: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        return _with_indices(
            trace,
            f"max_pool{spatial}d",
            (input,),
            {
                "kernel_size": kernel_size,
                "stride": stride or None,
                "padding": padding,
                "dilation": dilation,
                "ceil_mode": ceil_mode,
                "return_indices": True,
            },
        )

    def avg_pool(
        trace: Tracer,
        input: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        attributes = {
            "kernel_size": kernel_size,
            "stride": stride or None,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
        }
        if divisor_override is not None:
            attributes["divisor_override"] = divisor_override
        return trace.add(f"avg_pool{spatial}d", (input,), attributes)

    def adaptive_avg_pool(trace: Tracer, input: Tensor, output_size: Any) -> Any:
        return trace.add(
            f"adaptive_avg_pool{spatial}d", (input,), {"output_size": output_size}
        )

    def adaptive_max_pool(trace: Tracer, input: Tensor, output_size: Any) -> Any:
        return _with_indices(
            trace,
            f"adaptive_max_pool{spatial}d",
            (input,),
            {"output_size": output_size, "return_indices": True},
        )

    maps(f"max_pool{spatial}d")(max_pool)
    maps(f"max_pool{spatial}d_with_indices")(max_pool_with_indices)
    maps(f"avg_pool{spatial}d")(avg_pool)
    maps(f"adaptive_avg_pool{spatial}d", f"_adaptive_avg_pool{spatial}d")(adaptive_avg_pool)
    maps(f"adaptive_max_pool{spatial}d")(adaptive_max_pool)


for _spatial in (1, 2, 3):
    _pooling(_spatial)


@maps("fractional_max_pool2d", "fractional_max_pool3d")
def _fractional_max_pool(
    trace: Tracer, input: Tensor, kernel_size: Any, output_size: Any, random_samples: Any
) -> Any:
    op = f"fractional_max_pool{len(kernel_size)}d"
    return _with_indices(
        trace,
        op,
        (input,),
        {"kernel_size": kernel_size, "output_size": output_size, "return_indices": True},
    )


@maps("max_unpool2d", "max_unpool3d")
def _max_unpool(
    trace: Tracer, input: Tensor, indices: Tensor, output_size: Any, *rest: Any
) -> Any:
    # ATen states the output, so the kernel size does not matter any more.
    op = f"max_unpool{len(output_size)}d"
    kernel = [
        max(1, -(-out // size)) for out, size in zip(output_size, input.shape[-len(output_size) :], strict=True)
    ]
    return trace.add(
        op, (input, indices), {"kernel_size": kernel, "output_size": output_size}
    )


def _with_indices(
    trace: Tracer, op: str, inputs: Iterable[Tensor], attributes: dict[str, Any]
) -> Any:
    """A layer with two outputs, of which the second holds positions."""
    tensors = list(inputs)
    outputs = trace.engine.add(
        op,
        [trace.index(tensor) for tensor in tensors],
        attributes,
        dtype=(_name(tensors[0].dtype), "int64"),
        scope=trace.scope,
    )
    return trace.make(outputs[0], tensors[0].dtype), trace.make(outputs[1], torch.int64)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# -- reductions -----------------------------------------------------------------------------------


def _dims(dim: Any) -> Any:
    """torch's ways of saying "all dimensions" as None."""
    return None if dim is None or (isinstance(dim, list | tuple) and not dim) else dim


def _reduction(name: str, op: str, dtype_of: Callable[[Tensor, Any], torch.dtype]) -> None:
    def handler(
        trace: Tracer, input: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
    ) -> Any:
        if isinstance(dim, torch.dtype):
            dim, dtype = None, dim
        return trace.add(
            op,
            (input,),
            {"dim": _dims(dim), "keepdim": keepdim},
            dtype=dtype_of(input, dtype),
        )

    maps(name)(handler)


def _summed_dtype(input: Tensor, dtype: Any) -> torch.dtype:
    if dtype is not None:
        return dtype  # type: ignore[no-any-return]
    integral = not (input.dtype.is_floating_point or input.dtype.is_complex)
    return torch.int64 if integral else input.dtype


def _same_dtype(input: Tensor, dtype: Any) -> torch.dtype:
    return input.dtype if dtype is None else dtype


for _name_, _rule in {
    "sum": _summed_dtype,
    "nansum": _summed_dtype,
    "prod": _summed_dtype,
    "mean": _same_dtype,
    "amax": _same_dtype,
    "amin": _same_dtype,
    "logsumexp": _same_dtype,
    "any": lambda input, dtype: torch.bool,
    "all": lambda input, dtype: torch.bool,
    "argmax": lambda input, dtype: torch.int64,
    "argmin": lambda input, dtype: torch.int64,
    "count_nonzero": lambda input, dtype: torch.int64,
}.items():
    _reduction(_name_, "sum" if _name_ == "nansum" else _name_, _rule)


def _extreme(name: str) -> None:
    def whole(trace: Tracer, input: Tensor) -> Any:
        return trace.add(name, (input,))

    def along(trace: Tracer, input: Tensor, dim: int, keepdim: bool = False) -> Any:
        values, indices = _with_indices(
            trace, f"{name}_with_indices", (input,), {"dim": dim, "keepdim": keepdim}
        )
        return torch.return_types.__dict__[name]((values, indices))

    def other(trace: Tracer, input: Tensor, other: Tensor) -> Any:
        args = (input, other)
        return trace.add(f"{name}imum", args, dtype=_arithmetic_dtype(list(args), args))

    packet = getattr(aten, name)
    HANDLERS[packet.default] = whole
    HANDLERS[packet.dim] = along
    HANDLERS[packet.other] = other


_extreme("max")
_extreme("min")


@maps("aminmax")
def _aminmax(trace: Tracer, input: Tensor, *, dim: Any = None, keepdim: bool = False) -> Any:
    return trace.add("aminmax", (input,), {"dim": dim, "keepdim": keepdim})


def _spread(name: str) -> None:
    def handler(
        trace: Tracer,
        input: Tensor,
        dim: Any = None,
        unbiased: Any = True,
        keepdim: bool = False,
        *,
        correction: Any = None,
    ) -> Any:
        if isinstance(dim, bool):  # var(x, unbiased)
            dim = None
        return trace.add(name, (input,), {"dim": _dims(dim), "keepdim": keepdim})

    maps(name)(handler)


for _name_ in ("var", "std", "var_mean", "std_mean"):
    _spread(_name_)


@maps("linalg_vector_norm")
def _vector_norm(
    trace: Tracer,
    input: Tensor,
    ord: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    return trace.add(
        _norm_op(ord),
        (input,),
        {"dim": _dims(dim), "keepdim": keepdim},
        dtype=_same_dtype(input, dtype),
    )


@maps("norm")
def _norm(
    trace: Tracer,
    input: Tensor,
    p: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    return _vector_norm(trace, input, 2 if p is None else p, dim, keepdim, dtype=dtype)


def _norm_op(ord: Any) -> str:
    if ord == 2:
        return "norm"
    if ord == 1:
        return "norm_l1"
    return "norm_inf" if abs(ord) == float("inf") else "norm_p"


def _cumulative(name: str, two_outputs: bool) -> None:
    def handler(trace: Tracer, input: Tensor, dim: int, *, dtype: Any = None) -> Any:
        if two_outputs:
            return _with_indices(trace, name, (input,), {"dim": dim})
        kind = _summed_dtype(input, dtype)
        return trace.add(name, (input,), {"dim": dim}, dtype=kind)

    maps(name)(handler)


for _name_, _two in {
    "cumsum": False,
    "cumprod": False,
    "logcumsumexp": False,
    "cummax": True,
    "cummin": True,
}.items():
    _cumulative(_name_, _two)


@maps("sort.default", "msort")
def _sort(trace: Tracer, input: Tensor, dim: int = -1, descending: bool = False) -> Any:
    return torch.return_types.sort(
        _with_indices(trace, "sort", (input,), {"dim": dim, "descending": descending})
    )


@maps("sort.stable")
def _stable_sort(
    trace: Tracer, input: Tensor, *, stable: Any = None, dim: int = -1, descending: bool = False
) -> Any:
    return _sort(trace, input, dim, descending)


@maps("argsort.default")
def _argsort(trace: Tracer, input: Tensor, dim: int = -1, descending: bool = False) -> Any:
    return trace.add(
        "argsort", (input,), {"dim": dim, "descending": descending}, dtype=torch.int64
    )


@maps("argsort.stable")
def _stable_argsort(
    trace: Tracer, input: Tensor, *, stable: bool, dim: int = -1, descending: bool = False
) -> Any:
    return _argsort(trace, input, dim, descending)


@maps("topk")
def _topk(
    trace: Tracer, input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Any:
    return torch.return_types.topk(
        _with_indices(
            trace, "topk", (input,), {"k": k, "dim": dim, "largest": largest, "sorted": sorted}
        )
    )


@maps("kthvalue")
def _kthvalue(trace: Tracer, input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    return torch.return_types.kthvalue(
        _with_indices(trace, "kthvalue", (input,), {"k": k, "dim": dim, "keepdim": keepdim})
    )


# -- embedding ------------------------------------------------------------------------------------


@maps("embedding")
def _embedding(trace: Tracer, weight: Tensor, indices: Tensor, *rest: Any) -> Any:
    _require_integers(trace, "embedding", indices)
    return trace.add(
        "embedding",
        (indices,),
        {"num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1]},
        weights=[weight],
        dtype=weight.dtype,
    )


@maps("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only")
def _embedding_bag(
    trace: Tracer,
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor | None,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    _require_integers(trace, "embedding_bag", indices)
    output = trace.add(
        "embedding_bag",
        (indices,) if offsets is None else (indices, offsets),
        {
            "num_embeddings": weight.shape[0],
            "embedding_dim": weight.shape[1],
            "mode": ("sum", "mean", "max")[mode],
            "include_last_offset": include_last_offset,
        },
        weights=[weight],
        dtype=weight.dtype,
    )
    bags = output.shape[:1]
    return output, *(trace.constant(bags, torch.int64) for _ in range(3))


def _require_integers(trace: Tracer, op: str, indices: Tensor) -> None:
    if indices.dtype in (torch.int64, torch.int32):
        return
    name = _name(indices.dtype)
    rule = (
        f"indices must be int64 or int32, got {name}: give the input its dtype with "
        f"netledger.Input({tuple(indices.shape)}, dtype='int64')"
    )
    message = f"layer '{trace.where()}' ({op}): {rule}; input shapes {tuple(indices.shape)}"
    raise LayerError(message, trace.where(), op, rule)


# -- shapes ---------------------------------------------------------------------------------------


@maps("view.default", "reshape", "_unsafe_view", "_reshape_alias", "view_copy.default")
def _reshape(trace: Tracer, input: Tensor, shape: Any, *rest: Any) -> Any:
    return trace.add("reshape", (input,), {"shape": shape})


@maps("view.dtype")
def _view_dtype(trace: Tracer, input: Tensor, dtype: torch.dtype) -> Any:
    if dtype.itemsize != input.dtype.itemsize:
        raise TraceError(f"{trace.where()}: a view as a dtype of another size is not followed")
    return trace.add("identity", (input,), dtype=dtype)


@maps("flatten.using_ints")
def _flatten(trace: Tracer, input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Any:
    return trace.add("flatten", (input,), {"start_dim": start_dim, "end_dim": end_dim})


@maps("unflatten.int")
def _unflatten(trace: Tracer, input: Tensor, dim: int, sizes: Any) -> Any:
    return trace.add("unflatten", (input,), {"dim": dim, "sizes": sizes})


@maps("permute")
def _permute(trace: Tracer, input: Tensor, dims: Any) -> Any:
    return trace.add("permute", (input,), {"dims": dims})


@maps("transpose.int", "swapaxes", "swapdims")
def _transpose(trace: Tracer, input: Tensor, dim0: int, dim1: int) -> Any:
    return trace.add("transpose", (input,), {"dim0": dim0, "dim1": dim1})


@maps("t", "numpy_T", "mT", "matrix_H", "mH")
def _t(trace: Tracer, input: Tensor) -> Any:
    if input.ndim < 2:
        return trace.add("identity", (input,))
    return trace.add("transpose", (input,), {"dim0": -2, "dim1": -1})


@maps("movedim.int", "movedim.intlist", "moveaxis")
def _movedim(trace: Tracer, input: Tensor, source: Any, destination: Any) -> Any:
    return trace.add("movedim", (input,), {"source": source, "destination": destination})


@maps("squeeze")
def _squeeze(trace: Tracer, input: Tensor, dim: Any = None) -> Any:
    return trace.add("squeeze", (input,), {"dim": dim})


@maps("unsqueeze")
def _unsqueeze(trace: Tracer, input: Tensor, dim: int) -> Any:
    return trace.add("unsqueeze", (input,), {"dim": dim})


@maps("expand")
def _expand(trace: Tracer, input: Tensor, sizes: Any, *, implicit: bool = False) -> Any:
    return trace.add("expand", (input,), {"sizes": sizes})


@maps("slice.Tensor")
def _slice(
    trace: Tracer,
    input: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Any:
    return trace.add(
        "slice",
        (input,),
        {"dim": dim, "start": 0 if start is None else start, "end": end, "step": step},
    )


@maps("select.int")
def _select(trace: Tracer, input: Tensor, dim: int, index: int) -> Any:
    return trace.add("select", (input,), {"dim": dim, "index": index})


@maps("split.Tensor", "unsafe_split.Tensor")
def _split(trace: Tracer, input: Tensor, split_size: int, dim: int = 0) -> Any:
    size = input.shape[dim]
    if split_size <= 0:
        raise TraceError(f"{trace.where()}: split_size must be positive, got {split_size}")
    sizes = [min(split_size, size - start) for start in range(0, size, split_size)] or [0]
    return _several(trace.add("split", (input,), {"sizes": sizes, "dim": dim}))


@maps("split.sizes", "split_with_sizes", "unsafe_split_with_sizes")
def _split_with_sizes(trace: Tracer, input: Tensor, sizes: Any, dim: int = 0) -> Any:
    return _several(trace.add("split", (input,), {"sizes": sizes, "dim": dim}))


@maps("chunk", "unsafe_chunk")
def _chunk(trace: Tracer, input: Tensor, chunks: int, dim: int = 0) -> Any:
    return _several(trace.add("chunk", (input,), {"chunks": chunks, "dim": dim}))


@maps("unbind.int")
def _unbind(trace: Tracer, input: Tensor, dim: int = 0) -> Any:
    return _several(trace.add("unbind", (input,), {"dim": dim}))


def _several(answer: Any) -> list[Any]:
    return [answer] if isinstance(answer, Tensor) else list(answer)


@maps("diagonal.default")
def _diagonal(
    trace: Tracer, input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Any:
    return trace.add("diagonal", (input,), {"offset": offset, "dim1": dim1, "dim2": dim2})


@maps("unfold")
def _unfold_dimension(trace: Tracer, input: Tensor, dimension: int, size: int, step: int) -> Any:
    return trace.add(
        "unfold_dimension", (input,), {"dimension": dimension, "size": size, "step": step}
    )


@maps(
    "alias",
    "contiguous",
    "detach",
    "detach_",
    "lift",
    "lift_fresh",
    "lift_fresh_copy",
    "positive",
    "resolve_conj",
    "resolve_neg",
    "requires_grad_",
    "to.device",
    "_conj",
)
def _unchanged(trace: Tracer, input: Tensor, *rest: Any, **options: Any) -> Any:
    dtype = next((value for value in rest if isinstance(value, torch.dtype)), None)
    return _cast(trace, input, dtype or options.get("dtype"))


@maps("to.dtype", "to.dtype_layout", "_to_copy", "to.prim_dtype")
def _to(trace: Tracer, input: Tensor, dtype: Any = None, *rest: Any, **options: Any) -> Any:
    return _cast(trace, input, dtype)


@maps("to.other", "type_as")
def _to_other(trace: Tracer, input: Tensor, other: Tensor, *rest: Any, **options: Any) -> Any:
    return _cast(trace, input, other.dtype)


def _cast(trace: Tracer, input: Tensor, dtype: Any) -> Any:
    if not isinstance(dtype, torch.dtype) or dtype == input.dtype:
        return input
    return trace.add("cast", (input,), dtype=dtype)


@maps("clone")
def _clone(trace: Tracer, input: Tensor, **options: Any) -> Any:
    return trace.add("copy", (input,))


@maps("copy_")
def _copy_inplace(trace: Tracer, input: Tensor, source: Tensor, non_blocking: bool = False) -> Any:
    trace.add("copy", (source,), dtype=input.dtype)
    trace.overwrite(input)
    return input


@maps("fill_", "zero_", "fill_diagonal_", "uniform_", "normal_", "bernoulli_", "random_")
def _fill_inplace(trace: Tracer, input: Tensor, *rest: Any, **options: Any) -> Any:
    # A tensor of given values is a constant, as those that zeros and ones make.
    if rest and isinstance(rest[0], Tensor):
        trace.overwrite(input)
    elif type(input) is not TracedTensor and not trace.is_known(input):
        trace.overwrite(input)
    return input


@maps("cat", "concat", "concatenate")
def _concat(trace: Tracer, tensors: list[Tensor], dim: int = 0) -> Any:
    return trace.add("concat", tensors, {"dim": dim}, dtype=_arithmetic_dtype(tensors, tensors))


@maps("stack")
def _stack(trace: Tracer, tensors: list[Tensor], dim: int = 0) -> Any:
    return trace.add("stack", tensors, {"dim": dim}, dtype=_arithmetic_dtype(tensors, tensors))


@maps("repeat")
def _repeat(trace: Tracer, input: Tensor, repeats: Any) -> Any:
    return trace.add("repeat", (input,), {"repeats": repeats})


@maps("tile")
def _tile(trace: Tracer, input: Tensor, dims: Any) -> Any:
    return trace.add("tile", (input,), {"dims": dims})


@maps("pad")
def _pad(
    trace: Tracer, input: Tensor, padding: Any, mode: str = "constant", value: Any = None
) -> Any:
    return trace.add("pad", (input,), {"padding": padding, "mode": mode})


@maps("constant_pad_nd")
def _constant_pad(trace: Tracer, input: Tensor, padding: Any, value: Any = 0) -> Any:
    return trace.add("pad", (input,), {"padding": padding, "mode": "constant"})


def _pad_mode(name: str, mode: str) -> None:
    def handler(trace: Tracer, input: Tensor, padding: Any) -> Any:
        return trace.add("pad", (input,), {"padding": padding, "mode": mode})

    maps(name)(handler)


for _spatial in (1, 2, 3):
    _pad_mode(f"reflection_pad{_spatial}d", "reflect")
    _pad_mode(f"replication_pad{_spatial}d", "replicate")
_pad_mode("_pad_circular", "circular")


@maps("roll")
def _roll(trace: Tracer, input: Tensor, shifts: Any, dims: Any = ()) -> Any:
    return trace.add("roll", (input,), {"shifts": shifts, "dims": _dims(dims)})


@maps("flip")
def _flip(trace: Tracer, input: Tensor, dims: Any) -> Any:
    return trace.add("flip", (input,), {"dims": dims})


@maps("pixel_shuffle")
def _pixel_shuffle(trace: Tracer, input: Tensor, upscale_factor: int) -> Any:
    return trace.add("pixel_shuffle", (input,), {"upscale_factor": upscale_factor})


@maps("pixel_unshuffle")
def _pixel_unshuffle(trace: Tracer, input: Tensor, downscale_factor: int) -> Any:
    return trace.add("pixel_unshuffle", (input,), {"downscale_factor": downscale_factor})


@maps("channel_shuffle", "native_channel_shuffle")
def _channel_shuffle(trace: Tracer, input: Tensor, groups: int) -> Any:
    return trace.add("channel_shuffle", (input,), {"groups": groups})


@maps("im2col")
def _unfold(
    trace: Tracer, input: Tensor, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Any:
    return trace.add(
        "unfold",
        (input,),
        {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride},
    )


@maps("col2im")
def _fold(
    trace: Tracer,
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any,
    padding: Any,
    stride: Any,
) -> Any:
    return trace.add(
        "fold",
        (input,),
        {
            "output_size": output_size,
            "kernel_size": kernel_size,
            "dilation": dilation,
            "padding": padding,
            "stride": stride,
        },
    )


@maps("gather")
def _gather(
    trace: Tracer, input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False
) -> Any:
    return trace.add("gather", (input, index), {"dim": dim})


@maps("index_select")
def _index_select(trace: Tracer, input: Tensor, dim: int, index: Tensor) -> Any:
    return trace.add("index_select", (input, index), {"dim": dim})


@maps("take_along_dim")
def _take_along_dim(trace: Tracer, input: Tensor, indices: Tensor, dim: int | None = None) -> Any:
    if dim is None:
        input, indices = (
            trace.add("flatten", (tensor,)) for tensor in (input, indices)
        )
        dim = 0
    return trace.add("take_along_dim", (input, indices), {"dim": dim})


@maps("index.Tensor", "_unsafe_index.Tensor")
def _index(trace: Tracer, input: Tensor, indices: list[Tensor | None]) -> Any:
    dims: list[int] = []
    tensors: list[Tensor] = []
    dim = 0
    for index in indices:
        if index is None:
            dim += 1
        elif index.dtype in (torch.bool, torch.uint8):
            if not trace.is_known(index):
                from netledger.torch.tracer import data_dependent

                raise data_dependent(trace, "indexing with a mask")
            for position in index.nonzero(as_tuple=True):
                dims.append(dim)
                tensors.append(position)
                dim += 1
        else:
            dims.append(dim)
            tensors.append(index)
            dim += 1
    return trace.add("index", (input, *tensors), {"dims": dims}, dtype=input.dtype)


@maps("index_put_", "_index_put_impl_", "index_put", "_unsafe_index_put")
def _index_put(
    trace: Tracer, input: Tensor, indices: Any, values: Tensor, *rest: Any, **options: Any
) -> Any:
    trace.add("copy", (values,))
    trace.overwrite(input)
    return input


@maps("scatter", "scatter_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_")
def _scatter(
    trace: Tracer, input: Tensor, dim: int, index: Tensor, src: Any, *rest: Any, **options: Any
) -> Any:
    tensors = (input, index, src) if isinstance(src, Tensor) else (input, index)
    return trace.add("scatter", tensors, {"dim": dim})


@maps("index_add")
def _index_add(
    trace: Tracer, input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1
) -> Any:
    return trace.add("index_add", (input, index, source), {"dim": dim})


@maps("repeat_interleave.self_int")
def _repeat_interleave(
    trace: Tracer, input: Tensor, repeats: int, dim: int | None = None, *, output_size: Any = None
) -> Any:
    return trace.add("repeat_interleave", (input,), {"repeats": repeats, "dim": dim})


@maps("tril")
def _tril(trace: Tracer, input: Tensor, diagonal: int = 0) -> Any:
    return trace.add("tril", (input,), {"diagonal": diagonal})


@maps("triu")
def _triu(trace: Tracer, input: Tensor, diagonal: int = 0) -> Any:
    return trace.add("triu", (input,), {"diagonal": diagonal})


# -- resampling -----------------------------------------------------------------------------------


def _resized(input: Tensor, output_size: Any, scale_factors: Any) -> list[int]:
    """The spatial sizes after interpolation: given, or the product with the scale, rounded down."""
    if output_size is not None:
        return list(output_size)
    sizes = input.shape[2:]
    return [floor(size * scale) for size, scale in zip(sizes, scale_factors, strict=True)]


def _upsample(name: str, mode: str, aligned: bool) -> None:
    def vector(trace: Tracer, input: Tensor, output_size: Any, *rest: Any) -> Any:
        align_corners = bool(rest[0]) if aligned else False
        size = _resized(input, output_size, rest[-1])
        return trace.add(
            "interpolate",
            (input,),
            {"size": size, "mode": mode, "align_corners": align_corners},
        )

    def sized(trace: Tracer, input: Tensor, output_size: Any, *rest: Any) -> Any:
        align_corners = bool(rest[0]) if aligned else False
        return trace.add(
            "interpolate",
            (input,),
            {"size": output_size, "mode": mode, "align_corners": align_corners},
        )

    maps(f"{name}.vec")(vector)
    maps(f"{name}.default")(sized)


for _spatial, _mode in ((1, "linear"), (2, "bilinear"), (3, "trilinear")):
    _upsample(f"upsample_{_mode}{_spatial}d", _mode, True)
    _upsample(f"upsample_nearest{_spatial}d", "nearest", False)
    _upsample(f"_upsample_nearest_exact{_spatial}d", "nearest-exact", False)
_upsample("upsample_bicubic2d", "bicubic", True)
_upsample("_upsample_bilinear2d_aa", "bilinear", True)
_upsample("_upsample_bicubic2d_aa", "bicubic", True)


@maps("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def _grid_sample(
    trace: Tracer,
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Any:
    return trace.add(
        "grid_sample",
        (input, grid),
        {
            "mode": ("bilinear", "nearest", "bicubic")[interpolation_mode],
            "padding_mode": ("zeros", "border", "reflection")[padding_mode],
            "align_corners": align_corners,
        },
    )


# -- values and new tensors -----------------------------------------------------------------------


def _read_value(operation: Any) -> None:
    def handler(trace: Tracer, *args: Any, **options: Any) -> Any:
        from netledger.torch.tracer import data_dependent

        for tensor in args:
            if isinstance(tensor, Tensor) and (
                isinstance(tensor, TracedTensor) or tensor.is_meta
            ):
                raise data_dependent(trace, operation)
        return operation(*args, **options)

    HANDLERS[operation] = handler


for _name_ in ("item", "_local_scalar_dense", "is_nonzero", "equal", "allclose"):
    for _operation in _overloads(_name_):
        _read_value(_operation)


def _new_like(fill: Callable[..., Tensor] | None) -> Callable[..., Any]:
    def handler(trace: Tracer, input: Tensor, *rest: Any, **options: Any) -> Any:
        dtype = options.get("dtype") or input.dtype
        if fill is None or input.numel() > 1 << 20:
            return trace.constant(input.shape, dtype)
        return fill(tuple(input.shape), *rest[:1], dtype=dtype)

    return handler


maps("zeros_like")(_new_like(torch.zeros))
maps("ones_like")(_new_like(torch.ones))
maps("full_like")(_new_like(torch.full))
for _name_ in ("empty_like", "rand_like", "randn_like", "bernoulli", "randint_like"):
    maps(_name_)(_new_like(None))


def _new(fill: Callable[..., Tensor] | None) -> Callable[..., Any]:
    def handler(trace: Tracer, input: Tensor, size: Any, *rest: Any, **options: Any) -> Any:
        dtype = options.get("dtype") or input.dtype
        elements = 1
        for entry in size:
            elements *= entry
        if fill is None or elements > 1 << 20:
            return trace.constant(size, dtype)
        return fill(tuple(size), *rest[:1], dtype=dtype)

    return handler


maps("new_zeros")(_new(torch.zeros))
maps("new_ones")(_new(torch.ones))
maps("new_full")(_new(torch.full))
maps("new_empty")(_new(None))

_register_elementwise()
