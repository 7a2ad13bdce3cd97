"""Activations over a dimension, and those with weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.torch.aten.dtypes import given_dtype
from netledger.torch.aten.registry import maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


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
    return trace.add("softmax", [input], {"dim": dim}, dtype=given_dtype(dtype, input))


@maps("log_softmax.int", "_log_softmax")
def _log_softmax(trace: Tracer, input: Tensor, dim: int, dtype: Any = None) -> Any:
    return trace.add("log_softmax", [input], {"dim": dim}, dtype=given_dtype(dtype, input))
