"""The handlers of ATen operations, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netledger.errors import DataDependentError

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer

__all__ = [
    "HANDLERS",
    "all_or_some",
    "data_dependent",
    "dtype_name",
    "handler_of",
    "maps",
    "overloads",
    "with_indices",
]

#: From an operation (an ATen overload) to its handler.
HANDLERS: dict[Any, Callable[..., Any]] = {}

aten = torch.ops.aten


def overloads(name: str) -> Iterable[Any]:
    """The overloads of an operation, or the one named after a dot; none if torch lacks it."""
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
            for operation in overloads(name):
                HANDLERS.setdefault(operation, handler)
        return handler

    return register


def handler_of(name: str) -> Callable[..., Any]:
    """The handler of an operation, as ``"conv2d.default"``."""
    return HANDLERS[next(iter(overloads(name)))]


def with_indices(
    trace: Tracer, op: str, inputs: Iterable[Tensor], attributes: dict[str, Any]
) -> Any:
    """A layer with two outputs, of which the second holds positions."""
    tensors = list(inputs)
    outputs = trace.engine.add(
        op,
        [trace.index(tensor) for tensor in tensors],
        {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in attributes.items()
        },
        dtype=(dtype_name(tensors[0].dtype), "int64"),
        scope=trace.scope,
    )
    return trace.make(outputs[0], tensors[0].dtype), trace.make(outputs[1], torch.int64)


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def all_or_some(dim: Any) -> Any:
    """torch's ways of saying "all dimensions" as None."""
    return None if dim is None or (isinstance(dim, list | tuple) and not dim) else dim


def data_dependent(trace: Tracer, func: Any) -> DataDependentError:
    """The error for an operation that needs the values of a traced tensor."""
    return DataDependentError(
        f"{trace.where()}: {func} needs the values of a tensor that depends on the input, and "
        "only shapes are followed. Pass integer and boolean inputs as tensors (their values are "
        "then used), take the branch out of forward, or count the part behind it on its own."
    )
