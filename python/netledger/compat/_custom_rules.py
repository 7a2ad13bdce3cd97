"""Rules of the caller's own, as thop and its relatives take them.

Such a rule is a function of a module, its inputs and its output that adds to ``module.total_ops``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import torch
from torch import nn

from netledger.errors import NetledgerError
from netledger.torch.recording import ModuleCall, TensorShape

__all__ = ["CustomRule", "added_by", "arguments_in_order", "on_meta"]

#: A function of a module, its inputs and its output that adds to ``module.total_ops``.
CustomRule: TypeAlias = Callable[[Any, Any, Any], Any]


def added_by(
    rule: CustomRule, call: ModuleCall, given: Iterable[Any], buffers: tuple[str, ...]
) -> tuple[Any, Any]:
    """What a rule adds for one call, and what it returns.

    Args:
        rule: the rule; it gets meta tensors, and a stand-in for the module.
        call: the call of the module.
        given: the inputs that the rule is shown.
        buffers: what the tool keeps in buffers of the module; ``total_ops`` is a number without.

    Raises:
        NetledgerError: the rule failed, as where it reads values.
    """
    stand_in = _stand_in(call.module, buffers)
    try:
        answer = rule(stand_in, tuple(map(on_meta, given)), on_meta(call.output))
        return float(stand_in.total_ops), answer
    except Exception as error:
        raise NetledgerError(
            f"the rule {rule} raised {type(error).__name__} for '{call.path}' "
            f"({type(call.module).__name__}), of which it is shown meta tensors: {error}"
        ) from error


def arguments_in_order(call: ModuleCall) -> tuple[Any, ...]:
    """What a call was given, also by name, in the order of the parameters of its forward."""
    if not call.kwargs:
        return call.args
    try:
        bound = inspect.signature(call.module.forward).bind(*call.args, **call.kwargs)
    except (TypeError, ValueError):
        return ()
    kinds = {name: entry.kind for name, entry in bound.signature.parameters.items()}
    given: list[Any] = []
    for name, value in bound.arguments.items():
        if kinds[name] is inspect.Parameter.VAR_POSITIONAL:
            given += value
        elif kinds[name] is not inspect.Parameter.VAR_KEYWORD:
            given.append(value)
    return tuple(given)


def on_meta(value: Any) -> Any:
    """A value with meta tensors in the places of its tensors."""
    if isinstance(value, TensorShape):
        return torch.empty(value.shape, dtype=value.dtype, device="meta")
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(on_meta, value))
    if isinstance(value, list | tuple):
        return type(value)(map(on_meta, value))
    if isinstance(value, dict):
        return {key: on_meta(entry) for key, entry in value.items()}
    return value


def _stand_in(module: nn.Module, buffers: tuple[str, ...]) -> Any:
    """An object of the module's class with its attributes, whose counters are its own."""
    stand_in = object.__new__(type(module))
    state = dict(module.__dict__)
    state["_buffers"] = dict(module._buffers)
    state["training"] = False
    for name in buffers:
        state.pop(name, None)
        state["_buffers"][name] = torch.zeros(1, dtype=torch.float64)
    if not buffers:
        state["_buffers"].pop("total_ops", None)
        state["total_ops"] = 0
    object.__setattr__(stand_in, "__dict__", state)
    return stand_in
