"""What the calls of ptflops, calflops and deepspeed have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from netledger.compat._fused import fused_calls
from netledger.errors import NetledgerError
from netledger.torch import Input
from netledger.torch.recording import ModuleCall, Recording, TensorShape, record

__all__ = [
    "check_recurrent",
    "described",
    "fused",
    "innermost_calls",
    "lineage",
    "model_input",
    "parameters_by_module",
    "recorded",
    "require",
    "require_shape",
    "visits",
]


def require(condition: bool, message: str) -> None:
    """Refuse what the tool itself fails on."""
    if not condition:
        raise NetledgerError(message)


def require_shape(shape: Any) -> None:
    """Refuse what is no tuple of sizes."""
    require(isinstance(shape, tuple) and bool(shape), f"expected a tuple of sizes, got {shape!r}")


def model_input(model: nn.Module, shape: tuple[int, ...]) -> Input:
    """An input of that shape and of the type of the first parameter, as the tools make it."""
    first = next(model.parameters(), None)
    dtype = torch.get_default_dtype() if first is None else first.dtype
    return Input(shape, dtype)


def recorded(model: nn.Module, args: list[Any], kwargs: dict[str, Any] | None = None) -> Recording:
    """Trace a model called with just these arguments, a list or a dict among them as it is."""
    if not all(isinstance(value, torch.Tensor | Input) for value in args) or not args:
        return record(model, ((args, dict(kwargs or {})),))
    return record(model, tuple(args), kwargs)


_RECURRENT = (nn.RNN, nn.GRU, nn.LSTM, nn.RNNCell, nn.GRUCell, nn.LSTMCell)


def check_recurrent(recording: Recording, tool: str) -> None:
    """Refuse recurrent modules that are given a single sample, or their input by name.

    The tools look for two sizes before the features; torch adds the second within the module.
    """
    for call in recording.calls:
        if type(call.module) not in _RECURRENT:
            continue
        given = call.args[0] if call.args else None
        rank = 2 if isinstance(call.module, nn.RNNCellBase) else 3
        require(
            isinstance(given, TensorShape) and len(given.shape) == rank,
            f"'{call.path}': {tool} has no meaningful figure for a {type(call.module).__name__} "
            f"that is not called with a tensor of {rank} dimensions, by position: give it a batch, "
            "if only of 1",
        )


def innermost_calls(recording: Recording) -> list[ModuleCall]:
    """Of each row the innermost module call that it was made in."""
    found = [recording.calls[0]] * len(recording.ledger)
    for call in recording.calls:  # in the order of being entered: inner ones come later
        found[call.rows.start : call.rows.stop] = [call] * len(call.rows)
    return found


def fused(recording: Recording, *, needs_gradients: bool = False, hooked: bool) -> list[ModuleCall]:
    """The calls of attention that torch computes in one piece, in evaluation mode.

    Args:
        recording: the model, in whatever mode.
        needs_gradients: whether an input does.
        hooked: whether every module has a hook.
    """
    modules = [module for module in recording.module.modules() if module.training]
    try:
        for module in modules:
            module.__dict__["training"] = False
        return fused_calls(recording, inputs_need_gradients=needs_gradients, hooked=hooked)
    finally:
        for module in modules:
            module.__dict__["training"] = True


def lineage(call: ModuleCall | None) -> Iterator[ModuleCall]:
    """A call, the one that it was made in, and so on."""
    while call is not None:
        yield call
        call = call.parent


def parameters_by_module(model: nn.Module, *, trained: bool) -> dict[int, int]:
    """Elements of the parameters at and below every module, each counted once, by its identity.

    Args:
        model: the model.
        trained: whether those that are not trained are left out.
    """
    found: dict[int, int] = {}
    known: dict[int, dict[int, int]] = {}

    def held(module: nn.Module) -> dict[int, int]:
        if id(module) in known:
            return known[id(module)]
        elements = {
            id(parameter): parameter.numel()
            for parameter in module._parameters.values()
            if parameter is not None and (parameter.requires_grad or not trained)
        }
        for child in module._modules.values():
            if child is not None:
                elements.update(held(child))
        known[id(module)] = elements
        found[id(module)] = sum(elements.values())
        return elements

    held(model)
    return found


def visits(module: nn.Module) -> list[nn.Module]:
    """The modules as `nn.Module.apply` visits them: children first, shared ones again."""
    found: list[nn.Module] = []

    def visit(at: nn.Module) -> None:
        # A child that has two names is visited once.
        for child in dict.fromkeys(at._modules.values()):
            if child is not None:
                visit(child)
        found.append(at)

    visit(module)
    return found


def described(model: nn.Module, text_of: Callable[[nn.Module, str], str]) -> str:
    """The repr of a model with other texts in the parentheses of its modules.

    It is Python's own repr, so that modules that print themselves differently do so here. The model
    is as before when it is made.

    Args:
        model: the model.
        text_of: of a module, and of what it says itself, what it is to say.
    """
    modules = list(model.modules())
    before = [module.__dict__.get("extra_repr") for module in modules]
    try:
        for module in modules:
            module.__dict__["extra_repr"] = _text(module, module.extra_repr, text_of)
        return repr(model)
    finally:
        for module, own in zip(modules, before, strict=True):
            if own is None:
                module.__dict__.pop("extra_repr", None)
            else:
                module.__dict__["extra_repr"] = own


def _text(
    module: nn.Module, own: Callable[[], str], text_of: Callable[[nn.Module, str], str]
) -> Callable[[], str]:
    return lambda: text_of(module, own())
