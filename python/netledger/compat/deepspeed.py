"""The calls of DeepSpeed's flops profiler: ``from netledger.compat.deepspeed import
get_model_profile``.

Figures and printed text are those of DeepSpeed 0.16.9; what is counted is in
`netledger.conventions.deepspeed`. Other than there, the model is not run: where the profiler prints
how long a module took, and how many operations a second that is, the text says "not run". The model
stays in the mode it is in, and nothing is logged.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from torch import nn

from netledger.compat._patched import (
    described,
    model_input,
    parameters_by_module,
    require,
    require_shape,
)
from netledger.compat._profiler import (
    LINE,
    Profile,
    macs_to_string,
    number_to_string,
    params_to_string,
    percentage,
    profiled,
)
from netledger.conventions.deepspeed import COUNTS

__all__ = ["get_model_profile", "macs_to_string", "number_to_string", "params_to_string"]

#: What is printed for what only a run would tell.
NOT_RUN = "not run"

_NOTATIONS = """Notations:
data parallel size (dp_size), model parallel size(mp_size),
number of parameters (params), number of multiply-accumulate operations(MACs),
number of floating-point operations (flops), floating-point operations per second (FLOPS),
fwd latency (forward propagation latency), bwd latency (backward propagation latency),
step (weights update latency), iter latency (sum of fwd, bwd and step latency)
"""
_ORDER = (
    "Each module profile is listed after its name in the following order: \n"
    "params, percentage of total params, MACs, percentage of total MACs, fwd latency, percentage "
    "of total fwd latency, fwd FLOPS"
)
_NOTE = (
    "\nNote: 1. A module can have torch.nn.module or torch.nn.functional to compute logits (e.g. "
    "CrossEntropyLoss). They are not counted as submodules, thus not to be printed out. However "
    "they make up the difference between a parent's MACs (or latency) and the sum of its "
    "submodules'.\n2. Number of floating-point operations is a theoretical estimation, thus FLOPS "
    "computed using that could be larger than the maximum system throughput.\n3. The fwd latency "
    "listed in the top module's profile is directly captured at the module forward function in "
    "PyTorch, thus it's less than the fwd latency shown above which is captured in DeepSpeed.\n"
)


def get_model_profile(
    model: nn.Module,
    input_shape: tuple[int, ...] | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    print_profile: bool = True,
    detailed: bool = True,
    module_depth: int = -1,
    top_modules: int = 1,
    warm_up: int = 1,
    as_string: bool = True,
    output_file: str | None = None,
    ignore_modules: Collection[type] | None = None,
    mode: str = "forward",
) -> tuple[Any, Any, Any]:
    """Operations, multiply-accumulates and parameters of a model, as the profiler returns them.

    Args:
        model: what is counted, in evaluation mode.
        input_shape: the shape of its only input, batch included.
        args: inputs by position, in place of `input_shape`.
        kwargs: inputs by name.
        print_profile: whether the profile is printed.
        detailed: whether it has the model with the figures of its modules.
        module_depth: down to which depth it lists the costliest classes; all but the last if -1.
        top_modules: how many of these it lists.
        warm_up: runs before the profile; here only a number that is printed.
        as_string: whether the figures are returned as text.
        output_file: where the profile is written, standard output if None.
        ignore_modules: classes whose modules are not watched: what their functions count is added
            to the modules around them.
        mode: "forward"; "generate" is refused, as it needs the model to run.

    Returns:
        (flops, macs, params): texts, or numbers: ints, but the operations of an interpolation by a
        fractional factor.

    Raises:
        NetledgerError: inputs on which the profiler fails; whatever `netledger.count` raises.
    """
    require(
        mode == "forward", f"mode {mode!r} needs the model to run: count one forward, 'forward'"
    )
    positional, named = list(args), dict(kwargs or {})
    if input_shape is not None:
        require_shape(input_shape)
        positional = [model_input(model, input_shape)]
    require(bool(positional or named), "the profiler needs an input_shape, or args, or kwargs")
    profile = profiled(model, positional, named, COUNTS, ignore_modules)
    flops, macs = profile.total("flops"), profile.total("macs")
    params = sum(p.numel() for p in model.parameters())
    if print_profile:
        with _opened(output_file) as stream:
            _print(profile, warm_up, module_depth, top_modules, detailed, stream)
    if not as_string:
        return flops, macs, params
    return number_to_string(flops), macs_to_string(macs), params_to_string(params)


# -- text ------------------------------------------------------------------------------------------


def _opened(output_file: str | None) -> Any:
    """The stream of the profile; directories that are missing are made."""
    if not output_file:
        return nullcontext(sys.stdout)
    path = Path(output_file)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w", encoding="utf-8")


def _print(
    profile: Profile, step: int, depth: int, top: int, detailed: bool, stream: TextIO
) -> None:
    flops, macs = profile.total("flops"), profile.total("macs")
    params = parameters_by_module(profile.model, trained=False)
    total_params = params[id(profile.model)]

    def show(*lines: str) -> None:
        for line in lines:
            print(line, file=stream)

    show("\n-------------------------- DeepSpeed Flops Profiler --------------------------")
    show(f"Profile Summary at step {step}:", _NOTATIONS)
    for name, figure in (
        ("params per GPU: ", params_to_string(total_params)),
        # Without DeepSpeed's engine this one is always 0.
        ("params of model = params per GPU * mp_size: ", params_to_string(0)),
        ("fwd MACs per GPU: ", macs_to_string(macs)),
        ("fwd flops per GPU: ", number_to_string(flops)),
        ("fwd flops of model = fwd flops per GPU * mp_size: ", number_to_string(flops)),
        ("fwd latency: ", NOT_RUN),
        ("fwd FLOPS per GPU = fwd flops per GPU / fwd latency: ", NOT_RUN),
    ):
        show(LINE.format(name, figure))
    show("\n----------------------------- Aggregated Profile per GPU -----------------------------")
    show(*_costliest(profile, params, depth, top))
    if detailed:
        show(f"\n{' Detailed Profile per GPU '.center(86, '-')}")
        show(_ORDER, _NOTE, _described(profile, macs, params))
    show("------------------------------------------------------------------------------")


def _costliest(profile: Profile, params: dict[int, int], depth: int, top: int) -> list[str]:
    """The classes that cost most, by the depth of their modules."""
    levels: list[dict[str, list[Any]]] = []

    def visit(module: nn.Module, level: int) -> None:
        if level == len(levels):
            levels.append({})
        sums = levels[level].setdefault(type(module).__name__, [0, 0])
        sums[0] += profile.total("macs", module)
        sums[1] += params[id(module)]
        for child in module.children():
            visit(child, level + 1)

    visit(profile.model, 0)
    last = len(levels) - 1 if depth == -1 else depth
    require(last <= len(levels), f"module_depth is at most {len(levels)} here, got {depth}")
    lines = [
        f"Top {top} modules in terms of params, MACs or fwd latency at different model depths:"
    ]
    for number, sums in enumerate(levels[: max(last, 0)]):
        by_macs = sorted(sums.items(), key=lambda item: item[1][0], reverse=True)[:top]
        by_params = sorted(sums.items(), key=lambda item: item[1][1], reverse=True)[:top]
        lines += [
            f"depth {number}:",
            f"    params      - { {name: params_to_string(n) for name, (_, n) in by_params} }",
            f"    MACs        - { {name: macs_to_string(n) for name, (n, _) in by_macs} }",
            f"    fwd latency - {NOT_RUN}",
        ]
    return lines


def _described(profile: Profile, macs: Any, params: dict[int, int]) -> str:
    """The model with its figures.

    Latencies differ, so that torch never prints equal modules of a list as one. A number in place
    of each does the same, until the text is made.
    """
    numbers, total_params = count(), params[id(profile.model)]

    def text(module: nn.Module, own: str) -> str:
        part_params, part_macs = params[id(module)], profile.total("macs", module)
        parts = [
            f"{params_to_string(part_params)} = {percentage(part_params, total_params, 2)}% Params",
            f"{macs_to_string(part_macs)} = {percentage(part_macs, macs, 2)}% MACs",
            f"latency <{next(numbers)}> {NOT_RUN}",
            f"FLOPS {NOT_RUN}",
        ]
        return ", ".join([*parts, own] if own else parts)

    return re.sub(rf"latency <\d+> {NOT_RUN}", f"latency {NOT_RUN}", described(profile.model, text))
