"""Normalization layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.torch.aten.registry import maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


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


@maps("native_group_norm")
def _native_group_norm(
    trace: Tracer,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    elements: int,
    groups: int,
    eps: float,
) -> Any:
    normalized = _group_norm(trace, input, groups, weight, bias)
    sizes = [batch, groups]
    return normalized, trace.constant(sizes, input.dtype), trace.constant(sizes, input.dtype)


def _weight_direction(trace: Tracer, v: Tensor, g: Tensor, dim: int) -> tuple[Any, Any]:
    """``v * (g / norm(v))``, the norm over all dimensions but one, and that norm."""
    others = [other for other in range(v.ndim) if other != dim % v.ndim]
    if others:
        length = trace.add("norm", (v,), {"dim": others, "keepdim": True})
    else:
        length = trace.add("abs", (v,))
    return trace.add("mul", (v, trace.add("div", (g, length)))), length


@maps("_weight_norm")
def _weight_norm(trace: Tracer, v: Tensor, g: Tensor, dim: int = 0) -> Any:
    return _weight_direction(trace, v, g, dim)[0]


@maps("_weight_norm_interface")
def _weight_norm_interface(trace: Tracer, v: Tensor, g: Tensor, dim: int = 0) -> Any:
    return _weight_direction(trace, v, g, dim)
