"""Operations that `netledger.torch.aten` does not map: taken apart, or counted as opaque."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from netledger.errors import TraceError
from netledger.torch._tensor import TracedTensor
from netledger.torch.aten.registry import data_dependent

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer

__all__ = ["fallback"]


@cache
def fallback(func: Any) -> Callable[..., Any]:
    """A handler for an operation without a rule of its own."""
    dynamic = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
    if dynamic & set(getattr(func, "tags", ())):

        def needs_values(trace: Tracer, *args: Any, **kwargs: Any) -> Any:
            raise data_dependent(trace, func)

        return needs_values
    if isinstance(func, torch._ops.OpOverload) and func._can_decompose():

        def take_apart(trace: Tracer, *args: Any, **kwargs: Any) -> Any:
            with trace:
                return func.decompose(*args, **kwargs)

        return take_apart

    def opaque(trace: Tracer, *args: Any, **kwargs: Any) -> Any:
        return _opaque(trace, func, args, kwargs)

    return opaque


def _opaque(trace: Tracer, func: Any, args: Any, kwargs: Any) -> Any:
    """An opaque layer with the shapes that torch's own kernel for shapes gives."""
    from netledger.torch.tracer import DTYPE_NAMES, _tensors

    try:
        answer = func(*_on_meta(args), **_on_meta(kwargs))
    except torch._subclasses.fake_tensor.DataDependentOutputException:
        raise data_dependent(trace, func) from None
    except Exception as error:
        raise TraceError(
            f"{trace.where()}: netledger has no rule for {func}, and torch cannot tell its shapes "
            f"either ({type(error).__name__}: {error}). Register a meta kernel for it, or count "
            "the model without it."
        ) from error
    outputs = list(_tensors(answer))
    if not outputs and not func._schema.is_mutable:
        return answer  # a check: nothing is computed
    shapes: list[int] = []
    for output in outputs:
        shapes += [output.ndim, *output.shape]
    name = str(func).removesuffix(".default").replace(".", "::", 1)
    trace.unsupported[name] = trace.unsupported.get(name, 0) + 1
    indices = trace.engine.add(
        "opaque",
        [trace.index(tensor) for tensor in _tensors((args, kwargs))],
        {"shapes": shapes, "label": name},
        dtype=tuple(DTYPE_NAMES[output.dtype] for output in outputs),
        scope=trace.scope,
    )
    if func._schema.is_mutable and isinstance(args[0], torch.Tensor):
        trace.overwrite(args[0], indices[0] if len(indices) == 1 else None)
        return args[0]
    stand_ins = iter(
        [trace.make(index, out.dtype) for index, out in zip(indices, outputs, strict=True)]
    )
    return _replaced(answer, stand_ins)


def _on_meta(value: Any) -> Any:
    """The same arguments with empty meta tensors, of which kernels compute only shapes."""
    if isinstance(value, torch.Tensor):
        if isinstance(value, TracedTensor) or not value.is_meta:
            return torch.empty(tuple(value.shape), dtype=value.dtype, device="meta")
        return value
    if isinstance(value, list | tuple):
        return type(value)(_on_meta(entry) for entry in value)
    if isinstance(value, dict):
        return {
            key: torch.device("meta") if key == "device" else _on_meta(entry)
            for key, entry in value.items()
        }
    return value


def _replaced(answer: Any, stand_ins: Any) -> Any:
    if isinstance(answer, torch.Tensor):
        return next(stand_ins)
    if isinstance(answer, list | tuple):
        return type(answer)([_replaced(entry, stand_ins) for entry in answer])
    return answer
