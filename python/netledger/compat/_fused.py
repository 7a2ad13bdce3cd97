"""Modules of attention that torch runs as one operation where it needs no gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from netledger.torch.recording import ModuleCall, Recording, TensorShape

__all__ = ["fused_calls"]


def fused_calls(
    recording: Recording, *, inputs_need_gradients: bool = False, hooked: bool = False
) -> list[ModuleCall]:
    """The calls that torch answers by a fused operation: the outermost ones, in order.

    They depend on whether gradients are enabled at the time of asking, as in torch.

    Args:
        recording: the model.
        inputs_need_gradients: whether an input of the model does.
        hooked: whether every module has a hook, as while some tools look on; torch then does not
            fuse a ``nn.TransformerEncoderLayer``.
    """
    if not torch.backends.mha.get_fastpath_enabled() or torch.is_autocast_enabled():
        return []
    found: list[ModuleCall] = []
    for call in recording.calls:
        if found and call.rows.start < found[-1].rows.stop:
            continue
        if not _is_fusible(recording, call, hooked):
            continue
        if torch.is_grad_enabled() and (inputs_need_gradients or _needs_gradients(recording, call)):
            continue
        found.append(call)
    return found


def _is_fusible(recording: Recording, call: ModuleCall, hooked: bool) -> bool:
    forward = type(call.module).forward
    if forward is nn.MultiheadAttention.forward:
        return _is_plain_attention(recording, call)
    if forward is nn.TransformerEncoderLayer.forward:
        return not hooked and _is_plain_layer(call)
    return False


def _is_plain_attention(recording: Recording, call: ModuleCall) -> bool:
    """An attention of one batched tensor with itself, without anything unusual."""
    module: Any = call.module
    given = [*call.args, *call.kwargs.values()]
    query = given[0]
    masks = (
        *call.args[3:4],
        *call.args[5:6],
        call.kwargs.get("key_padding_mask"),
        call.kwargs.get("attn_mask"),
    )
    if any(isinstance(mask, TensorShape) and mask.dtype.is_floating_point for mask in masks):
        return False
    return (
        len(query.shape) == 3
        and not module.training
        and module.batch_first
        and module.num_heads % 2 == 0
        and module.in_proj_weight is not None
        and module.in_proj_bias is not None
        and module.bias_k is None
        and module.bias_v is None
        and not module.add_zero_attn
        and _attends_to_itself(recording, call)
    )


def _attends_to_itself(recording: Recording, call: ModuleCall) -> bool:
    """Whether query, key and value are one tensor: torch then projects them together."""
    rows = recording.ledger.rows
    module: Any = call.module
    linears = [rows[row] for row in call.rows if rows[row].op == "linear"]
    return bool(linears) and linears[0].attributes["out_features"] == 3 * module.embed_dim


def _is_plain_layer(call: ModuleCall) -> bool:
    module: Any = call.module
    attention = module.self_attn
    source = next(iter([*call.args, *call.kwargs.values()]))
    hooks = any(below._forward_hooks or below._forward_pre_hooks for below in module.modules())
    return (
        len(source.shape) == 3
        and not module.training
        and attention.batch_first
        and attention.in_proj_bias is not None
        and attention._qkv_same_embed_dim
        and attention.num_heads % 2 == 0
        and bool(module.activation_relu_or_gelu)
        and module.norm1.eps == module.norm2.eps
        and not hooks
    )


def _needs_gradients(recording: Recording, call: ModuleCall) -> bool:
    """Whether a parameter of the module is trained, or one of a layer before it."""
    if any(parameter.requires_grad for parameter in call.module.parameters()):
        return True
    rows = recording.ledger.rows
    return any(rows[row].trainable_params for row in range(call.rows.start))
