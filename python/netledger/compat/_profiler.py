"""What the calls of deepspeed and calflops have in common: calflops is made of the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from netledger.compat._patched import (
    check_recurrent,
    fused,
    innermost_calls,
    lineage,
    recorded,
    require,
)
from netledger.conventions import Rules
from netledger.conventions.patched import RECURRENT
from netledger.torch.recording import ModuleCall, Recording

__all__ = [
    "LINE",
    "Profile",
    "flops_to_string",
    "macs_to_string",
    "number_to_string",
    "params_to_string",
    "percentage",
    "profiled",
]

#: How a figure is printed behind what it is.
LINE = "{:<70}  {:<8}"

_MAGNITUDES = {"T": 1e12, "G": 1e9, "M": 1e6, "K": 1e3, "": 1, "m": 1e-3, "u": 1e-6}

#: The only modules with hooks that count.
_HOOKED = (nn.RNN, nn.GRU, nn.LSTM, nn.RNNCell, nn.LSTMCell, nn.GRUCell)


def number_to_string(num: float, units: str | None = None, precision: int = 2) -> str:
    """A number in units of T, G, M, K, m or u, by size where none is given; and a space."""
    if units is None:
        fitting = (unit for unit, magnitude in _MAGNITUDES.items() if num >= magnitude)
        units = "" if num == 0 else next(fitting, "u")
    return f"{round(num / _MAGNITUDES.get(units, 1), precision):g} {units}"


def macs_to_string(macs: float, units: str | None = None, precision: int = 2) -> str:
    """Multiply-accumulates, as ``"714.19 MMACs"``."""
    return f"{number_to_string(macs, units, precision)}MACs"


def flops_to_string(flops: float, units: str | None = None, precision: int = 2) -> str:
    """Operations, as ``"1.43 GFLOPS"``."""
    return f"{number_to_string(flops, units, precision)}FLOPS"


def params_to_string(params_num: float, units: str | None = None, precision: int = 2) -> str:
    """Parameters, as ``"61.1 M"``; thousand millions are B."""
    unit = units.replace("B", "G") if units else units
    return number_to_string(params_num, unit, precision).replace("G", "B").strip()


def percentage(part: float, whole: float, precision: int) -> str:
    """A share in percent, without the sign."""
    return f"{round(100 * part / whole, precision) if whole else 0:g}"


class Profile:
    """What a profiler of this kind finds in one run of a model.

    Attributes:
        model: the model.
    """

    def __init__(
        self,
        recording: Recording,
        counts: Mapping[str, Rules],
        ignored: Collection[type],
        inputs_need_gradients: bool,
    ) -> None:
        self.model = recording.module
        self._tree = {id(module) for module in self.model.modules()}
        self._ignored = ignored
        unseen = {
            row
            for call in fused(recording, needs_gradients=inputs_need_gradients, hooked=True)
            for row in call.rows
        }
        calls = innermost_calls(recording)
        self._totals: dict[str, dict[int, Any]] = {metric: {} for metric in counts}
        self._own = {
            metric: self._counted(recording, rules, calls, unseen)
            for metric, rules in counts.items()
        }

    def _counted(
        self, recording: Recording, rules: Rules, calls: list[ModuleCall], unseen: set[int]
    ) -> dict[int, Any]:
        """What each module counts itself, by its identity."""
        own: dict[int, Any] = {}
        for place, cost in recording.ledger._costs(rules):
            if not cost or place.row in unseen:
                continue
            call = calls[place.row]
            module = self._hooked(call) if place.view.op in RECURRENT else self._called(call)
            if module is not None:
                own[id(module)] = own.get(id(module), 0) + cost
        return own

    def _hooked(self, call: ModuleCall) -> nn.Module | None:
        """The recurrent module of a call, unless it is ignored."""
        ignored = type(call.module) in self._ignored or id(call.module) not in self._tree
        return None if ignored else call.module

    def _called(self, call: ModuleCall) -> nn.Module | None:
        """The module that a function's count is added to: the innermost one that is watched."""
        for around in lineage(call):
            kind = type(around.module)
            if (
                id(around.module) in self._tree
                and kind not in self._ignored
                and kind not in _HOOKED
            ):
                return around.module
        return None

    def total(self, metric: str, module: nn.Module | None = None) -> Any:
        """Of a module and all below it; a shared one counts in each place in full."""
        at = self.model if module is None else module
        known = self._totals[metric]
        if id(at) not in known:
            own = self._own[metric].get(id(at), 0)
            known[id(at)] = own + sum(self.total(metric, child) for child in at.children())
        return known[id(at)]


def profiled(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    counts: Mapping[str, Rules],
    ignored: Collection[type] | None,
) -> Profile:
    """Trace a model, without running it.

    Args:
        model: the model, which is put back into the mode that it is in.
        args: its inputs by position.
        kwargs: its inputs by name.
        counts: the rules by metric.
        ignored: classes whose modules are not watched.
    """
    require(not (args and isinstance(args, torch.Tensor)), "args is a list of the model's inputs")
    recording = recorded(model, list(args), dict(kwargs))
    check_recurrent(recording, "the profiler of deepspeed and calflops")
    needs_gradients = any(tensor.requires_grad for tensor in _tensors([*args, *kwargs.values()]))
    return Profile(recording, counts, tuple(ignored or ()), needs_gradients)


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
        elif isinstance(value, dict):
            yield from _tensors(value.values())
