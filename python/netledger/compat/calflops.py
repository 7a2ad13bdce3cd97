"""The calls of calflops: ``from netledger.compat.calflops import calculate_flops``.

Figures and printed text are those of calflops 0.3.2; what is counted is in
`netledger.conventions.calflops`. Other than there, the model is not run, and stays in the mode and
on the device it is in; no transformers is needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
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
    flops_to_string,
    macs_to_string,
    number_to_string,
    params_to_string,
    percentage,
    profiled,
)
from netledger.conventions.calflops import COUNTS

__all__ = [
    "calculate_flops",
    "flops_to_string",
    "macs_to_string",
    "number_to_string",
    "params_to_string",
]

_WIDTH = 99
_NOTATIONS = """Notations:
number of parameters (Params), number of multiply-accumulate operations(MACs),
number of floating-point operations (FLOPs), floating-point operations per second (FLOPS),
fwd FLOPs (model forward propagation FLOPs), bwd FLOPs (model backward propagation FLOPs),
default model backpropagation takes {factor:.2f} times as much computation as forward propagation.
"""
_ORDER = (
    "Each module caculated is listed after its name in the following order: \n"
    "params, percentage of total params, MACs, percentage of total MACs, FLOPS, percentage of "
    "total FLOPs"
)
_NOTE = (
    "\nNote: 1. A module can have torch.nn.module or torch.nn.functional to compute logits (e.g. "
    "CrossEntropyLoss). \n They are not counted as submodules in calflops and not to be printed "
    "out. However they make up the difference between a parent's MACs and the sum of its "
    "submodules'.\n2. Number of floating-point operations is a theoretical estimation, thus FLOPS "
    "computed using that could be larger than the maximum system throughput.\n"
)


def calculate_flops(
    model: nn.Module,
    input_shape: tuple[int, ...] | None = None,
    transformer_tokenizer: Any = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    forward_mode: str = "forward",
    include_backPropagation: bool = False,  # noqa: N803
    compute_bp_factor: float = 2.0,
    print_results: bool = True,
    print_detailed: bool = True,
    output_as_string: bool = True,
    output_precision: int = 2,
    output_unit: str | None = None,
    ignore_modules: Collection[type] | None = None,
    is_sparse: bool = False,
) -> tuple[Any, Any, Any]:
    """Operations, multiply-accumulates and parameters of a model, as calflops returns them.

    Args:
        model: what is counted, in evaluation mode.
        input_shape: the shape of its only input, batch included; with a tokenizer (batch, length).
        transformer_tokenizer: makes the inputs of a transformers model.
        args: inputs by position, in place of `input_shape`.
        kwargs: inputs by name, in place of `input_shape`.
        forward_mode: "forward"; "generate" is refused, as it needs the model to run.
        include_backPropagation: whether the figures returned include the backward pass.
        compute_bp_factor: how much more the backward pass is taken to cost.
        print_results: whether the figures are printed.
        print_detailed: whether the model is printed with the figures of its modules.
        output_as_string: whether the figures are returned as text.
        output_precision: digits behind the point.
        output_unit: "T", "G", "M" or "K"; by size if None.
        ignore_modules: classes whose modules are not watched: what their functions count is added
            to the modules around them.
        is_sparse: refused, as calflops 0.3.2 knows no sparse models.

    Returns:
        (flops, macs, params): texts, or numbers.

    Raises:
        NetledgerError: a model or inputs on which calflops fails, one without parameters among
            them; whatever `netledger.count` raises.
    """
    require(not is_sparse, "calflops 0.3.2 knows no sparse models: leave is_sparse out")
    require(
        forward_mode == "forward",
        f"forward_mode {forward_mode!r} needs the model to run: count one forward, 'forward'",
    )
    require(
        next(model.parameters(), None) is not None,
        "calflops fails on a model without parameters",
    )
    positional, named = _inputs(model, input_shape, transformer_tokenizer, args, kwargs or {})
    profile = profiled(model, positional, named, COUNTS, ignore_modules)
    flops, macs = profile.total("flops"), profile.total("macs")
    params = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if print_results:
        _print(profile, params, compute_bp_factor, output_unit, output_precision, print_detailed)
    if include_backPropagation:
        flops, macs = flops * (1 + compute_bp_factor), macs * (1 + compute_bp_factor)
    if not output_as_string:
        return flops, macs, params
    return (
        flops_to_string(flops, output_unit, output_precision),
        macs_to_string(macs, output_unit, output_precision),
        params_to_string(params, output_unit, output_precision),
    )


# -- inputs ----------------------------------------------------------------------------------------


def _inputs(
    model: nn.Module,
    input_shape: tuple[int, ...] | None,
    tokenizer: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if input_shape is None:
        require(
            bool(tokenizer or args or kwargs),
            "calflops needs an input_shape, or args, or kwargs, or a transformer_tokenizer",
        )
        return (args, _tokens(tokenizer, 1, 128)) if tokenizer else (args, kwargs)
    require(not args and not kwargs, "calflops takes no args and no kwargs beside an input_shape")
    require_shape(input_shape)
    if tokenizer is None:
        require(
            "transformers" not in str(type(model)),
            "calflops takes an input_shape for a transformers model only with its tokenizer",
        )
        return [model_input(model, input_shape)], {}
    require(
        len(input_shape) == 2,
        f"with a tokenizer input_shape is (batch, length), got {input_shape!r}",
    )
    return [], _tokens(tokenizer, *input_shape)


def _tokens(tokenizer: Any, batch: int, length: int) -> dict[str, torch.Tensor]:
    """The inputs that a tokenizer makes of an empty text, padded to a length."""
    encoded = tokenizer.encode_plus(
        "", add_special_tokens=True, truncation_strategy="longest_first"
    )
    ids = list(encoded["input_ids"])
    missing = length - len(ids)
    padding = {
        "input_ids": [tokenizer.pad_token_id or 0] * missing,
        "attention_mask": [0] * missing,
        "token_type_ids": [0] * missing,
        "position_ids": list(range(len(ids), length)),
    }
    made = {}
    for name, pad in padding.items():
        if name in encoded:
            row = [*encoded[name], *pad]
            require(
                len(row) == length,
                f"calflops pads the tokenizer's {name} to {length}, but there are {len(row)}",
            )
            made[name] = torch.tensor([row] * batch)
    return made


# -- text ------------------------------------------------------------------------------------------


def _print(
    profile: Profile, params: int, factor: float, units: str | None, precision: int, detailed: bool
) -> None:
    flops, macs = profile.total("flops"), profile.total("macs")
    print(f"\n{' Calculate Flops Results '.center(_WIDTH, '-')}")
    print(_NOTATIONS.format(factor=factor))
    print(LINE.format("Total Training Params: ", params_to_string(params)))
    print(LINE.format("fwd MACs: ", macs_to_string(macs, units, precision)))
    print(LINE.format("fwd FLOPs: ", flops_to_string(flops, units, precision)))
    both = 1 + factor
    print(LINE.format("fwd+bwd MACs: ", macs_to_string(macs * both, units, precision)))
    print(LINE.format("fwd+bwd FLOPs: ", flops_to_string(flops * both, units, precision)))
    if detailed:
        print(f"\n{' Detailed Calculated FLOPs Results '.center(_WIDTH, '-')}")
        print(_ORDER)
        print(_NOTE)
        print(described(profile.model, _text(profile, flops, macs, params, precision)))
    print("-" * _WIDTH)


def _text(profile: Profile, flops: Any, macs: Any, params: int, precision: int) -> Any:
    trained = parameters_by_module(profile.model, trained=True)

    def text(module: nn.Module, own: str) -> str:
        part_params, part_macs = trained[id(module)], profile.total("macs", module)
        part_flops = profile.total("flops", module)
        parts = [
            f"{params_to_string(part_params)} = "
            f"{percentage(part_params, params, precision)}% Params",
            f"{macs_to_string(part_macs)} = {percentage(part_macs, macs, precision)}% MACs",
            f"{flops_to_string(part_flops)} = {percentage(part_flops, flops, precision)}% FLOPs",
        ]
        return ", ".join([*parts, own] if own else parts)

    return text
