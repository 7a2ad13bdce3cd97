"""Reading values, and new tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netledger.torch._tensor import TracedTensor
from netledger.torch.aten.registry import HANDLERS, data_dependent, maps, overloads

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


def _read_value(operation: Any) -> None:
    def handler(trace: Tracer, *args: Any, **options: Any) -> Any:
        for tensor in args:
            if isinstance(tensor, Tensor) and (isinstance(tensor, TracedTensor) or tensor.is_meta):
                raise data_dependent(trace, operation)
        return operation(*args, **options)

    HANDLERS[operation] = handler


for _name_ in ("item", "_local_scalar_dense", "is_nonzero", "equal", "allclose"):
    for _operation in overloads(_name_):
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
