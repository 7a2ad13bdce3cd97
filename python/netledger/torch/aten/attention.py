"""Scaled dot product attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.torch.aten.registry import maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


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
