"""Modules of attention that torch runs as one operation where it needs no gradients."""

from __future__ import annotations

import torch
from torch import nn

from netledger.torch.recording import ModuleCall, Recording

__all__ = ["fused_calls"]


_FUSED_OPS: dict[str, type[nn.Module]] = {
    "multi_head_attention": nn.MultiheadAttention,
    "transformer_encoder_layer": nn.TransformerEncoderLayer,
}


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
    origins = recording.ledger._origins
    if origins is None or call.module.training:
        return False
    return any(
        composite.fusible
        and range(composite.first_row, composite.end_row) == call.rows
        and isinstance(call.module, _FUSED_OPS[composite.op])
        and not (hooked and composite.op == "transformer_encoder_layer")
        for composite in origins.composites
    )


def _needs_gradients(recording: Recording, call: ModuleCall) -> bool:
    """Whether a parameter of the module is trained, or one of a layer before it."""
    if any(parameter.requires_grad for parameter in call.module.parameters()):
        return True
    rows = recording.ledger.rows
    return any(rows[row].trainable_params for row in range(call.rows.start))
