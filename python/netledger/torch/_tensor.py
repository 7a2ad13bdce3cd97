"""The stand-in for a tensor while a module is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from netledger.errors import TraceError

__all__ = ["TracedTensor"]


class TracedTensor(torch.Tensor):
    """A tensor of which only shape, dtype, device and place in the graph are known.

    It has no memory. The operations of a running trace are answered by the tracer; outside of a
    trace it can only say its shape.

    Attributes:
        index: the tensor of the graph that it stands for.
        ordinary: made outside of inference mode, as a view of a parameter is.
    """

    index: int  # type: ignore[assignment]
    ordinary = False

    # Plain for torch's own functions: only the tracer's dispatch mode sees it.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls,
        func: Any,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        raise TraceError(
            f"{func} was called on a tensor of a trace that has ended: the module kept a tensor "
            "of its forward in a place that outlives it"
        )

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"TracedTensor(shape={tuple(self.shape)}, dtype={self.dtype})"


_new: Callable[..., Any] = torch.Tensor._make_wrapper_subclass


def traced(
    index: int, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> TracedTensor:
    """A stand-in for a tensor of the graph."""
    tensor: TracedTensor = _new(TracedTensor, shape, dtype=dtype, device=device)
    tensor.index = index
    return tensor
