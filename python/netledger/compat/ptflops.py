"""The calls of ptflops: ``from netledger.compat.ptflops import get_model_complexity_info``.

Figures and printed text are those of ptflops 0.7.5, or 0.6.9 where ``version`` says so. What is
counted is in `netledger.conventions.ptflops` and `netledger.conventions.ptflops_aten`.

Other than there, the model is not run and stays in the mode it is in, and where ptflops prints the
exception of a failed run and returns None, an error is raised.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from math import prod
from typing import Any, TextIO

import torch
from torch import nn

from netledger._views import Place
from netledger.compat._custom_rules import on_meta
from netledger.compat._patched import (
    check_recurrent,
    described,
    fused,
    innermost_calls,
    lineage,
    model_input,
    parameters_by_module,
    recorded,
    require,
    require_shape,
    visits,
)
from netledger.compat._strides import folds, needing_gradients, strides
from netledger.conventions.patched import CELLS, gates
from netledger.conventions.ptflops import FUNCTIONS, MODULES, hooked_classes
from netledger.conventions.ptflops_aten import CONVENTIONS as ATEN
from netledger.conventions.ptflops_aten import taken_apart
from netledger.errors import NetledgerError
from netledger.metrics import LayerView
from netledger.torch.recording import ModuleCall, Recording, TensorShape

__all__ = ["flops_to_string", "get_model_complexity_info", "params_to_string"]

LATEST = "0.7.5"

#: A function of a module, its inputs by position and its output that adds to ``module.__flops__``.
Hook = Callable[[Any, Any, Any], Any]


def get_model_complexity_info(
    model: nn.Module,
    input_res: tuple[int, ...],
    print_per_layer_stat: bool = True,
    as_strings: bool = True,
    input_constructor: Callable[[tuple[int, ...]], Any] | None = None,
    ost: TextIO | None = None,
    verbose: bool = False,
    ignore_modules: Collection[Any] = (),
    custom_modules_hooks: Mapping[Any, Hook] | None = None,
    backend: Any = "pytorch",
    flops_units: str | None = None,
    param_units: str | None = None,
    output_precision: int = 2,
    backend_specific_config: Mapping[str, Any] | None = None,
    *,
    version: str = LATEST,
) -> tuple[Any, Any]:
    """Multiply-accumulates and parameters of a model, as ``ptflops`` returns and prints them.

    Args:
        model: what is counted, in evaluation mode.
        input_res: the sizes of one input without the batch, which is 1.
        print_per_layer_stat: whether the model is printed with the figures of its modules.
        as_strings: whether the figures are returned as text.
        input_constructor: makes the input of `input_res`: one value, or a dict of arguments.
        ost: where the text goes, standard output by default.
        verbose: whether classes without a hook are printed.
        ignore_modules: classes whose modules count nothing; what functions count remains.
        custom_modules_hooks: hooks by class, which add to ``module.__flops__``. They get meta
            tensors, and a stand-in for the module that shares its parameters.
        backend: "pytorch" or "aten".
        flops_units: "GMac", "MMac" or "KMac"; by size if None.
        param_units: "M", "K" or "B"; by size if None.
        output_precision: digits behind the point.
        backend_specific_config: ``{"count_functional": False}`` leaves out what functions count.
        version: the release to stand in for, "0.7.5" or "0.6.9".

    Returns:
        (macs, params): texts, or numbers: ints; 0.6.9 returns a float for the first.

    Raises:
        NetledgerError: a model on which ptflops fails; with the backend "aten", `verbose`,
            `ignore_modules` and `custom_modules_hooks`, which are about operations within torch;
            whatever `netledger.count` raises.
    """
    name = getattr(backend, "value", backend)
    require(version in MODULES, f"there are ptflops {', '.join(MODULES)}, not {version!r}")
    require(
        name == "pytorch" or (name == "aten" and version != "0.6.9"),
        f"ptflops {version} has no backend {name!r}",
    )
    require_shape(input_res)
    recording = _recorded(model, input_res, input_constructor)
    units = {"flops_units": flops_units, "param_units": param_units, "precision": output_precision}
    stream = sys.stdout if ost is None else ost
    config = backend_specific_config or {}
    macs: Any
    if name == "aten":
        require(
            not verbose and not ignore_modules and not custom_modules_hooks,
            "with the backend 'aten', verbose, ignore_modules and custom_modules_hooks are about "
            "single operations within torch, which are not run here: leave them out",
        )
        macs = _aten(recording, print_per_layer_stat, stream, units)
    else:
        count = _Count(
            recording,
            version,
            frozenset(ignore_modules),
            custom_modules_hooks or {},
            bool(config.get("count_functional", True)),
        )
        count.warn(verbose, stream)
        if print_per_layer_stat:
            print(count.table(units), file=stream)
        macs = count.total if version == "0.6.9" else int(count.total)
    params = _trainable(model)
    if not as_strings:
        return macs, params
    return (
        flops_to_string(macs, flops_units, output_precision),
        params_to_string(params, param_units, output_precision, version=version),
    )


def flops_to_string(flops: float, units: str | None = None, precision: int = 2) -> str:
    """Multiply-accumulates in GMac, MMac or KMac, by size where no unit is given."""
    powers = {"GMac": 9, "MMac": 6, "KMac": 3}
    if units is None:
        units = next((unit for unit, power in powers.items() if flops // 10**power > 0), "Mac")
    if units not in powers:
        return f"{flops} Mac"
    return f"{round(flops / 10.0 ** powers[units], precision)} {units}"


def params_to_string(
    params_num: int, units: str | None = None, precision: int = 2, *, version: str = LATEST
) -> str:
    """Parameters in units of B, M or K; by size in M or k where no unit is given.

    ptflops 0.6.9 has no B.
    """
    powers = {"M": 6, "K": 3} if version == "0.6.9" else {"M": 6, "K": 3, "B": 9}
    if units is None:
        powers = {"M": 6, "k": 3}
        units = next((unit for unit, power in powers.items() if params_num // 10**power > 0), "")
    if units not in powers:
        return str(params_num)
    return f"{round(params_num / 10.0 ** powers[units], precision)} {units}"


def _recorded(
    model: nn.Module,
    input_res: tuple[int, ...],
    input_constructor: Callable[[tuple[int, ...]], Any] | None,
) -> Recording:
    if input_constructor is None:
        return recorded(model, [model_input(model, (1, *input_res))])
    made = input_constructor(input_res)
    return recorded(model, [], made) if isinstance(made, dict) else recorded(model, [made])


def _trainable(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


# -- the backend 'pytorch' -------------------------------------------------------------------------


class _Count:
    """What the hooks and functions of the backend 'pytorch' find.

    Attributes:
        total: multiply-accumulates; a float, as ptflops divides by the batch.
    """

    def __init__(
        self,
        recording: Recording,
        version: str,
        ignored: frozenset[Any],
        hooks: Mapping[Any, Hook],
        functions: bool,
    ) -> None:
        self._model = recording.module
        self._version = version
        self._ignored = ignored
        self._hooks = hooks
        self._supported = _supported(version) | set(hooks)
        self._root = recording.calls[0]
        self._batch = _batch(self._root)
        self._trained: dict[int, int] = {}
        self._check(recording)
        self._own = self._found_by_hooks(recording)
        self.total = self._macs(self._model) / self._batch
        if functions:
            self.total += _found_by_functions(recording, version)

    def _check(self, recording: Recording) -> None:
        check_recurrent(recording, "ptflops")
        hooked = _supported(self._version) - self._ignored - set(self._hooks)
        for call in recording.calls:
            kind = type(call.module)
            if kind.__module__.startswith("torchvision.") and kind.__name__ == "DeformConv2d":
                raise NetledgerError(
                    f"'{call.path}': ptflops' rule for torchvision's DeformConv2d is not there yet"
                )
            if kind is nn.MultiheadAttention and kind not in self._ignored | set(self._hooks):
                require(
                    len(call.args) == 3,
                    f"'{call.path}': ptflops fails where nn.MultiheadAttention is not called with "
                    "query, key and value, just these, by position",
                )
            elif kind in hooked:
                require(
                    bool(call.args) or kind in _COUNTED_BY_OUTPUT,
                    f"'{call.path}': ptflops fails where the input of a {kind.__name__} is given "
                    "by name: give it by position",
                )

    def _found_by_hooks(self, recording: Recording) -> dict[int, int]:
        """Multiply-accumulates of all calls of each hooked module, by its identity."""
        left_out = self._ignored | set(self._hooks)
        modules = {call.path: call.module for call in recording.calls}
        own: dict[int, int] = {}
        for place, cost in recording.ledger._costs(MODULES[self._version]):
            if cost:
                module = modules[place.path]
                if type(module) not in left_out:
                    own[id(module)] = own.get(id(module), 0) + cost
        for call in recording.finished:
            hook = self._hooks.get(type(call.module))
            if hook is not None and type(call.module) not in self._ignored:
                own[id(call.module)] = own.get(id(call.module), 0) + _counted_by(hook, call)
        return own

    def _macs(self, module: nn.Module) -> int:
        """Of a module; a hooked one hides what is below it, a shared one counts in each place."""
        if type(module) in self._supported:
            return self._own.get(id(module), 0)
        return sum(map(self._macs, module.children()))

    def _params(self, module: nn.Module) -> int:
        """Of a module; those that belong to a module without a hook itself are left out."""
        if type(module) in self._supported:
            return 0 if type(module) in self._ignored else self._trained[id(module)]
        return sum(map(self._params, module.children()))

    def warn(self, verbose: bool, stream: TextIO) -> None:
        """The warnings that ptflops prints before and while it runs the model."""
        seen: set[int] = set()
        visited = visits(self._model)
        for module in visited:
            if id(module) in seen and type(module) in self._supported:
                print(
                    "Warning: variables __flops__ or __params__ are already defined for the module"
                    f"{type(module).__name__} ptflops can affect your code!"
                )
            seen.add(id(module))
        for kind in dict.fromkeys(map(type, visited)) if verbose else ():
            if kind not in self._supported | self._ignored | {nn.Sequential, nn.ModuleList}:
                print(f"Warning: module {kind.__name__} is treated as a zero-op.", file=stream)
        if not self._root.args:
            print("Warning! No positional inputs found for a module, assuming batch size is 1.")

    def table(self, units: dict[str, Any]) -> str:
        """The model with the figures of its modules."""
        self._trained = parameters_by_module(self._model, trained=True)
        total_macs, total_params = max(self.total, 1), max(self._trained[id(self._model)], 1)
        precision = units["precision"]

        def text(module: nn.Module, own: str) -> str:
            params, macs = self._params(module), self._macs(module) / self._batch
            if params > total_params and self._version != "0.6.9":
                print(
                    "Warning: parameters of some of the modules were counted twice because of "
                    "multiple links to the same modules. Extended per layer parameters num "
                    "statistic could be unreliable."
                )
            parts = (
                params_to_string(params, units["param_units"], precision, version=self._version),
                f"{params / total_params:.3%} Params",
                flops_to_string(macs, units["flops_units"], precision),
                f"{macs / total_macs:.3%} MACs",
                own,
            )
            return ", ".join(parts)

        return described(self._model, text)


#: Classes whose hooks do not look at the input.
_COUNTED_BY_OUTPUT = frozenset(
    (nn.ReLU, nn.PReLU, nn.ELU, nn.LeakyReLU, nn.ReLU6, nn.GELU, nn.Upsample)
)


def _supported(version: str) -> set[Any]:
    """The classes with a hook; timm's is one where timm has been imported."""
    found: set[Any] = {getattr(nn, name) for name in hooked_classes(version)}
    timm = sys.modules.get("timm.models.vision_transformer")
    if version != "0.6.9" and timm is not None:
        found.add(timm.Attention)
    return found


def _batch(call: ModuleCall) -> int:
    """The length of the first input by position, whatever it is; 1 if there is none."""
    if not call.args:
        return 1
    first = call.args[0]
    if isinstance(first, TensorShape):
        require(len(first.shape) > 0, "ptflops fails on a first input without dimensions")
        return first.shape[0]
    return len(first)


def _found_by_functions(recording: Recording, version: str) -> Any:
    """What the patched functions count; within torch's fused attention none is called."""
    unseen = {row for call in fused(recording, hooked=True) for row in call.rows}
    return sum(
        cost
        for place, cost in recording.ledger._costs(FUNCTIONS[version])
        if place.row not in unseen
    )


def _counted_by(hook: Hook, call: ModuleCall) -> int:
    """What a hook of the caller's adds for one call of a module."""
    stand_in: Any = object.__new__(type(call.module))
    stand_in.__dict__.update(call.module.__dict__)
    stand_in.__dict__["__flops__"] = 0
    try:
        answer = hook(stand_in, on_meta(call.args), on_meta(call.output))
        found: int = stand_in.__flops__
    except Exception as error:
        raise NetledgerError(
            f"the hook {hook} raised {type(error).__name__} for '{call.path}' "
            f"({type(call.module).__name__}), which it was shown as meta tensors: {error}"
        ) from error
    require(
        answer is None,
        f"the hook {hook} returned {answer!r}, which torch would take for the output of "
        f"'{call.path}': it should only add to __flops__",
    )
    return found


# -- the backend 'aten' ----------------------------------------------------------------------------


#: Element types of which torch computes an LSTM in one piece, on the CPU.
_FUSED = frozenset(("float32", "bfloat16"))


def _aten(recording: Recording, printed: bool, stream: TextIO, units: dict[str, Any]) -> int:
    """What torch dispatches, and the text: the operations of the model and of its children."""
    children = {id(child): name for name, child in recording.module.named_children()}
    calls, unseen = innermost_calls(recording), _fused_rows(recording)
    counts: dict[str, dict[str, int]] = {"Global": {}}
    total = 0
    memory = _Memory(recording)
    rule = ATEN["0.7.5"].rules["macs"]
    assert not isinstance(rule, str)
    for place, cost in recording.ledger._costs(rule):
        # What the convention knows of lost biases, the strides tell too, and more.
        if place.row in unseen or place.view.origin.kind == "composite":
            continue
        names = [
            children[id(call.module)]
            for call in lineage(calls[place.row])
            if id(call.module) in children
        ]
        for operation, macs in _operations(place, cost, memory):
            total += macs
            for name in ("Global", *reversed(names)):
                found = counts.setdefault(name, {})
                found[operation] = found.get(operation, 0) + macs
    if printed:
        form = {"units": units["flops_units"], "precision": units["precision"]}
        print("Total:" + flops_to_string(total, **form), file=stream)
        for name, found in counts.items():
            print("Module: ", name, file=stream)
            for operation, macs in found.items():
                print(f"aten.{operation}: {flops_to_string(macs, **form)}", file=stream)
            print(file=stream)
    return total


def _fused_rows(recording: Recording) -> set[int]:
    """Rows of attention that torch computes in one piece.

    ptflops hooks the model's children alone, which keeps torch from it for an encoder layer among
    them.
    """
    children = {id(child) for child in recording.module.children()}
    layers = [
        call
        for call in fused(recording, hooked=False)
        if not (isinstance(call.module, nn.TransformerEncoderLayer) and id(call.module) in children)
    ]
    return {row for call in (*layers, *fused(recording, hooked=True)) for row in call.rows}


class _Memory:
    """How what a layer reads lies in memory, and what of it needs gradients."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._engine: Any = recording.ledger._engine

    @cached_property
    def _known(self) -> dict[int, torch.Tensor]:
        return strides(self._recording)

    @cached_property
    def _needing(self) -> set[int]:
        return needing_gradients(self._recording)

    def input(self, row: int, place: int = 0) -> torch.Tensor:
        """A meta tensor in place of an input."""
        tensor = self._engine.node(row).inputs[place]
        if tensor in self._known:
            return self._known[tensor]
        return torch.empty(self._engine.shape(tensor), device="meta")

    def dtype(self, row: int) -> str:
        """The element type of the first input."""
        found: str = self._engine.dtype(self._engine.node(row).inputs[0])
        return found

    def needs_gradients(self, row: int, place: int) -> bool:
        """Whether an input does, if there is one in that place."""
        inputs = self._engine.node(row).inputs
        return place < len(inputs) and inputs[place] in self._needing

    def weight_needs_gradients(self, row: int) -> bool:
        """Whether the first weight does."""
        return self._engine.node(row).weights[0] in self._needing


def _operations(place: Place, cost: int, memory: _Memory) -> list[tuple[str, int]]:
    """The operations that a layer becomes, and what each counts."""
    view, row = place.view, place.row
    op = view.op
    if op.startswith("conv"):
        found = [("convolution", cost)]
    elif op == "linear":
        found = [_linear_operation(view, cost, memory, row)]
    elif op in CELLS:
        found = [("addmm" if view.attributes["bias"] else "mm", cost)]
    elif op in ("rnn", "gru", "lstm"):
        found = _recurrent_operations(view, memory, row)
    elif op == "matmul" and view.origin.function.endswith(".addmm"):
        found = [("addmm", cost)]
    elif op == "matmul" and min(map(len, view.inputs)) <= 2:
        found = [_folded_product(view, cost, memory, row)]
    elif op == "scaled_dot_product_attention":
        has_mask = len(view.inputs) > 3
        macs = view.macs if has_mask and memory.needs_gradients(row, 3) else cost
        found = [("mm" if len(view.inputs[0]) == 2 else "bmm", macs)]
    else:
        found = [("bmm", cost)]
    return [part for part in found if part[1]]


def _linear_operation(view: LayerView, cost: int, memory: _Memory, row: int) -> tuple[str, int]:
    """A tensor of three or more dimensions out of order is multiplied, its bias added unseen."""
    has_bias = view.attributes["bias"]
    if len(view.inputs[0]) < 3:
        return ("addmm" if has_bias else "mm", cost)
    given = memory.input(row)
    if has_bias and given.is_contiguous():
        return "addmm", cost
    name = "mm" if memory.weight_needs_gradients(row) or folds(given) else "bmm"
    return name, cost - (prod(view.outputs[0]) if has_bias else 0)


def _folded_product(view: LayerView, cost: int, memory: _Memory, row: int) -> tuple[str, int]:
    """A product with a matrix or a vector, for which torch folds the other tensor into a matrix.

    It does where the smaller one needs gradients, and where it takes no copy.
    """
    ranks = tuple(map(len, view.inputs[:2]))
    if max(ranks) <= 2:
        return "mm", cost
    first_is_larger = ranks[0] > ranks[1]
    larger = memory.input(row) if first_is_larger else memory.input(row, 1).mT
    is_folded = memory.needs_gradients(row, 1 if first_is_larger else 0) or (
        ranks[0] != 2 and folds(larger)
    )
    if min(ranks) == 1:
        return "bmm", 0 if is_folded else view.macs
    return "mm" if is_folded else "bmm", cost


def _recurrent_operations(view: LayerView, memory: _Memory, row: int) -> list[tuple[str, int]]:
    """The products that torch takes a recurrent layer apart into; none of a fused one.

    The first cells' inputs of all steps are one linear layer, of a transposed tensor where the
    batch comes first.
    """
    attributes, shape = view.attributes, view.inputs[0]
    directions = 2 if attributes["bidirectional"] else 1
    width = attributes.get("proj_size", 0)
    if view.op == "lstm" and not width and memory.dtype(row) in _FUSED:
        return []
    hidden_steps = directions * attributes["num_layers"] * prod(shape[:-1])
    projections = hidden_steps * attributes["hidden_size"] * width
    steps = memory.input(row)
    if attributes["batch_first"] and steps.dim() == 3:
        steps = steps.transpose(0, 1)
    has_bias = attributes["bias"]
    product = "addmm" if has_bias else "mm"
    is_sum = has_bias and steps.is_contiguous()
    cost = taken_apart(view, loses_biases=not is_sum)
    first = 0 if is_sum else prod(shape) * gates(view) * directions
    name = "mm" if memory.weight_needs_gradients(row) or folds(steps) else "bmm"
    return [(name, first), (product, cost - first - projections), ("mm", projections)]
