"""Modules that some tools count as a whole, although their forward is made of other layers."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netledger._origin import Composite

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer

__all__ = ["COMPOSITES"]

Original = Callable[..., Any]


def _shapes(values: Any) -> tuple[tuple[int, ...], ...]:
    """Shapes of the tensors among some values."""
    return tuple(tuple(value.shape) for value in values if isinstance(value, torch.Tensor))


def _never(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return False


def _in_order(kind: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments of a call in the order of forward's parameters."""
    if not kwargs:
        return list(args)
    try:
        bound = _signature(kind).bind_partial(None, *args, **kwargs)
    except TypeError:  # the call itself says what is wrong
        return [*args, *kwargs.values()]
    return list(bound.arguments.values())[1:]


@functools.cache
def _signature(kind: Any) -> inspect.Signature:
    return inspect.signature(kind.forward)


def _noted(
    op: str,
    attributes: Callable[[Any, tuple[Any, ...], dict[str, Any]], dict[str, Any] | None],
    fusible: Callable[[Any, tuple[Any, ...], dict[str, Any]], bool] = _never,
) -> Callable[..., Any]:
    """Runs a module and notes the call; `attributes` gives None for a module of another kind."""

    def call(
        tracer: Tracer,
        module: nn.Module,
        original: Original,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        found = attributes(module, args, kwargs) if tracer.notes_origins else None
        if found is None:
            return original(module, *args, **kwargs)
        scope, first = tracer.scope, len(tracer.engine)
        inputs = _shapes(_in_order(type(module), args, kwargs))
        place = len(tracer.composites)
        answer = original(module, *args, **kwargs)
        made = answer if isinstance(answer, list | tuple) else [answer]
        # Before the composites within it.
        composite = Composite(
            op,
            scope,
            first,
            len(tracer.engine),
            found,
            inputs,
            _shapes(made),
            fusible(module, args, kwargs),
        )
        tracer.composites.insert(place, composite)
        return answer

    return call


def _multihead_attention(
    module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    if not isinstance(module, nn.MultiheadAttention):
        return None
    need_weights = args[4] if len(args) > 4 else kwargs.get("need_weights", True)
    return {
        "num_heads": module.num_heads,
        "bias": module.in_proj_bias is not None,
        "kdim": module.kdim,
        "vdim": module.vdim,
        "add_bias_kv": module.bias_k is not None,
        "add_zero_attn": module.add_zero_attn,
        "batch_first": module.batch_first,
        "need_weights": need_weights,
    }


def _encoder_layer(
    module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    return {} if isinstance(module, nn.TransformerEncoderLayer) else None


def _timm_attention(
    module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any] | None:
    if type(module).__module__ not in ("timm.layers.attention", "timm.models.vision_transformer"):
        return None
    return {"num_heads": module.num_heads, "head_dim": module.head_dim}


# -- what torch runs as one operation, if no gradients are needed and the module is evaluated -----


def _is_plain_attention(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """An attention of one batched tensor with itself, without anything unusual."""
    if type(module).forward is not nn.MultiheadAttention.forward:
        return False
    query, key, value = _in_order(type(module), args, kwargs)[:3]
    masks = (
        *args[3:4],
        *args[5:6],
        kwargs.get("key_padding_mask"),
        kwargs.get("attn_mask"),
    )
    if any(isinstance(mask, torch.Tensor) and mask.is_floating_point() for mask in masks):
        return False
    return (
        query is key
        and key is value
        and query.dim() == 3
        and module.batch_first
        and module.num_heads % 2 == 0
        and module.in_proj_weight is not None
        and module.in_proj_bias is not None
        and module.bias_k is None
        and module.bias_v is None
        and not module.add_zero_attn
    )


def _is_plain_layer(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if type(module).forward is not nn.TransformerEncoderLayer.forward:
        return False
    attention = module.self_attn
    source = next(iter([*args, *kwargs.values()]))
    hooks = any(below._forward_hooks or below._forward_pre_hooks for below in module.modules())
    return (
        source.dim() == 3
        and attention.batch_first
        and attention.in_proj_bias is not None
        and attention._qkv_same_embed_dim
        and attention.num_heads % 2 == 0
        and bool(module.activation_relu_or_gelu)
        and module.norm1.eps == module.norm2.eps
        and not hooks
    )


#: By the name of the class.
COMPOSITES: dict[str, Callable[..., Any]] = {
    "MultiheadAttention": _noted("multi_head_attention", _multihead_attention, _is_plain_attention),
    "TransformerEncoderLayer": _noted("transformer_encoder_layer", _encoder_layer, _is_plain_layer),
    "Attention": _noted("timm_attention", _timm_attention),
}
