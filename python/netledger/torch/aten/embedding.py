"""Embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netledger.errors import LayerError
from netledger.torch.aten.registry import dtype_name, maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


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
    name = dtype_name(indices.dtype)
    rule = (
        f"indices must be int64 or int32, got {name}: give the input its dtype with "
        f"netledger.Input({tuple(indices.shape)}, dtype='int64')"
    )
    message = f"layer '{trace.where()}' ({op}): {rule}; input shapes {tuple(indices.shape)}"
    raise LayerError(message, trace.where(), op, rule)
