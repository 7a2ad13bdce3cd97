"""A trace that keeps every module call: what hooks on the modules of a model would have seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn

from netledger.ledger import Ledger
from netledger.torch._inputs import read_inputs
from netledger.torch._tensor import TracedTensor
from netledger.torch.tracer import Tracer, trace

__all__ = ["ModuleCall", "Recording", "TensorShape", "record"]


class TensorShape(NamedTuple):
    """What is left of a tensor after the trace."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def elements(self) -> int:
        """How many elements it has."""
        return torch.Size(self.shape).numel()


@dataclass(eq=False)
class ModuleCall:
    """One call of a module.

    Attributes:
        number: its position in `Recording.calls`, which are in the order of being entered.
        module: what was called.
        path: the first path that leads to the module, "" for the model.
        parent: the call that it was made in; None for the model's.
        depth: how many calls are around it.
        args: what it was given by position: tensors as `TensorShape`, within lists, tuples and
            dicts as well; anything else as it is.
        kwargs: the same by name.
        output: what it returned, in the same way.
        rows: the rows of the ledger that were made in it.
        children: the calls made in it, in order.
    """

    number: int
    module: nn.Module
    path: str
    parent: ModuleCall | None
    depth: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any = None
    rows: range = range(0)
    children: list[ModuleCall] = field(default_factory=list)


@dataclass(eq=False)
class Recording:
    """A model that was traced.

    Attributes:
        module: the model.
        ledger: what it costs; `Ledger.total` knows the conventions.
        calls: every module call, in the order in which they were entered; the model's own first.
        finished: the same calls in the order in which they returned, as forward hooks would run.
    """

    module: nn.Module
    ledger: Ledger
    calls: list[ModuleCall]
    finished: list[ModuleCall]


class Recorder(Tracer):  # type: ignore[no-untyped-call]
    """A tracer that keeps the module calls, and the mode that each module is in."""

    notes_mode = True

    def __init__(self, module: nn.Module, handlers: dict[Any, Any]) -> None:
        super().__init__(module, handlers)
        self.calls: list[ModuleCall] = []
        self.finished: list[ModuleCall] = []
        self._open: list[ModuleCall] = []

    def entered(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is called; its scope is open."""
        parent = self._open[-1] if self._open else None
        call = ModuleCall(
            len(self.calls),
            module,
            self._scope_paths[self.scope],
            parent,
            len(self._open),
            _shapes_in(args),
            _shapes_in(kwargs) if kwargs else {},
        )
        call.rows = range(len(self.engine), -1)
        if parent is not None:
            parent.children.append(call)
        self.calls.append(call)
        self._open.append(call)

    def returned(self, answer: Any) -> None:
        """The innermost module call has returned."""
        call = self._open.pop()
        call.output = _shapes_in(answer)
        call.rows = range(call.rows.start, len(self.engine))
        self.finished.append(call)


def _shapes_in(value: Any) -> Any:
    """A value with the shapes of its tensors in their places."""
    kind = type(value)
    if kind is TracedTensor or isinstance(value, torch.Tensor):
        return TensorShape(tuple(value.shape), value.dtype)
    if kind is tuple:
        return tuple([_shapes_in(entry) for entry in value])
    if kind is list:
        return [_shapes_in(entry) for entry in value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return kind(*map(_shapes_in, value))
    if isinstance(value, dict):
        return {key: _shapes_in(entry) for key, entry in value.items()}
    return value


def record(
    module: nn.Module, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
) -> Recording:
    """Trace a module in evaluation mode, without computing anything, and keep its module calls.

    Args:
        module: the model; it is left exactly as it was.
        args: its inputs: shapes, `netledger.Input` or tensors, as `netledger.count` takes them.
        kwargs: the same by name.

    Raises:
        LayerError, DataDependentError, TraceError: as `netledger.count` raises them.
    """
    positional, named = read_inputs(tuple(args), kwargs or {})
    tracer = trace(module, positional, named, Recorder)
    assert isinstance(tracer, Recorder)
    engine = tracer.engine
    ledger = Ledger(engine, engine.count(), title=type(module).__name__, origins=tracer.origins)
    return Recording(module, ledger, tracer.calls, tracer.finished)
