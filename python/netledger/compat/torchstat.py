"""torchstat 0.0.7: a table of the modules without children, and its totals.

>>> from netledger.compat import torchstat
>>> torchstat.stat(model, (3, 224, 224))

The text is torchstat's, made with the pandas that is installed, and with torchstat's habits: a
module that is called several times shows its last call; parameters of modules with children are
left out; the row of totals shows the bytes that the last module reads and writes, where sums were
meant. The notes on modules without a rule are printed as well.

What is different: the model is not run, so that all durations are 0; nothing is left in the model
or in its classes. Models that torchstat fails on are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from netledger._origin import Origin, ancestry_of
from netledger.conventions.torchstat import (
    FLOAT_BYTES,
    FLOPS_MODULES,
    MADD_MODULES,
    MEMORY_MODULES,
    WRITTEN_MODULES,
    term_of,
)
from netledger.errors import NetledgerError
from netledger.torch._inputs import Input
from netledger.torch.recording import ModuleCall, Recording, TensorShape, record

if TYPE_CHECKING:
    from netledger.conventions import Term
    from netledger.metrics import LayerView

__all__ = ["Leaf", "report", "stat"]

#: Each figure with the modules it is there for, in the order in which torchstat notes the others.
_FIGURES = {"MAdd": MADD_MODULES, "Flops": FLOPS_MODULES, "Memory": MEMORY_MODULES}
#: What a row has of each module, in the order of its columns.
_COUNTED = (MADD_MODULES, FLOPS_MODULES, MEMORY_MODULES, WRITTEN_MODULES)
_BYTES = ("mem_read", "mem_write")
_LARGEST_INT32 = 2**31 - 1


@dataclass(frozen=True)
class Leaf:
    """A module without children.

    Attributes:
        name: its path.
        input_shape: shape of its input, without the batch; three zeros if it was not called.
        output_shape: shape of its output, in the same way.
        params: elements of its own parameters, 0 if it was not called.
        memory: mebibytes of its output, rounded to a 32-bit float.
        madd: multiplications and additions.
        flops: what torchstat calls Flops.
        mem_read: bytes read.
        mem_write: bytes written.
    """

    name: str
    input_shape: tuple[int, ...] = (0, 0, 0)
    output_shape: tuple[int, ...] = (0, 0, 0)
    params: int = 0
    memory: Any = 0.0
    madd: int = 0
    flops: int = 0
    mem_read: int = 0
    mem_write: int = 0


def stat(model: nn.Module, input_size: Sequence[int], query_granularity: int = 1) -> None:
    """Print what ``torchstat.stat`` prints. Needs pandas.

    Args:
        model: the model.
        input_size: channels, height and width of the input.
        query_granularity: 1, the only one that torchstat does not fail on.

    Raises:
        NetledgerError: torchstat fails on this model or input, or there is no pandas.
    """
    if query_granularity != 1:
        raise NetledgerError(
            f"torchstat fails with query_granularity={query_granularity}: it adds up the bytes of "
            "modules without children only"
        )
    leaves, notes = _leaves(model, input_size)
    for note in notes:
        print(note)
    print(_text(leaves))


def report(model: nn.Module, input_size: Sequence[int]) -> tuple[Leaf, ...]:
    """The rows of the table that `stat` prints, with the same arguments. Needs no pandas."""
    return _leaves(model, input_size)[0]


def _leaves(model: nn.Module, input_size: Sequence[int]) -> tuple[tuple[Leaf, ...], list[str]]:
    """The rows, and the notes on what has no rule."""
    if not isinstance(input_size, tuple | list) or len(input_size) != 3:
        raise NetledgerError(
            f"torchstat takes channels, height and width of one input, got {input_size!r}"
        )
    recording = record(model, (([Input((1, *input_size), torch.float32)], {}),))
    seen = _seen(recording)
    last = {id(call.module): call for call in seen}
    notes = [
        f"[{figure}]: {type(call.module).__name__} is not supported!"
        for call in seen
        for figure in _uncounted(call)
    ]
    views = {
        place.row: place.view
        for place in recording.ledger._places
        if place.view.origin.kind == "module"
    }
    leaves = []
    for path, module in model.named_modules():
        if _is_leaf(module):
            call = last.get(id(module))
            leaves.append(Leaf(path) if call is None else _leaf(path, call, views))
    return tuple(leaves), notes


@cache
def _terms_of(kind: Any) -> tuple[tuple[Term | None, ...], tuple[str, ...]]:
    """For a class, the terms of what is counted, and the figures that have none."""
    origin = Origin(ancestry=ancestry_of(kind))
    uncounted = [name for name, modules in _FIGURES.items() if term_of(origin, modules) is None]
    return tuple(term_of(origin, modules) for modules in _COUNTED), tuple(uncounted)


def _uncounted(call: ModuleCall) -> tuple[str, ...]:
    kind: Any = type(call.module)
    return _terms_of(kind)[1]


def _is_leaf(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _seen(recording: Recording) -> list[ModuleCall]:
    """The calls that torchstat sees, in the order in which they return.

    It replaces ``__call__`` in the classes of the modules without children, and so sees calls of
    all modules of these classes; it fails on classes that derive from one of them.
    """
    patched: list[type] = []
    for module in recording.module.modules():
        kind = type(module)
        if _is_leaf(module) and kind not in patched:
            for base in patched:
                if issubclass(kind, base):
                    raise NetledgerError(
                        f"torchstat fails on a model with both {base.__name__} and "
                        f"{kind.__name__}, which derives from it; use netledger.count"
                    )
            patched.append(kind)
    seen = []
    for call in recording.finished:
        kind = type(call.module)
        if not issubclass(kind, tuple(patched)):
            continue
        if kind not in patched:
            raise _refusal(call, "derives from a class that has no modules below it elsewhere")
        if not call.args or not isinstance(call.args[0], TensorShape):
            raise _refusal(call, "is not given a tensor by position")
        if not isinstance(call.output, TensorShape):
            raise _refusal(call, "returns something that is no tensor")
        seen.append(call)
    return seen


def _refusal(call: ModuleCall, reason: str) -> NetledgerError:
    return NetledgerError(
        f"torchstat fails on '{call.path}' ({type(call.module).__name__}), which {reason}; use "
        "netledger.count"
    )


def _leaf(path: str, call: ModuleCall, views: dict[int, LayerView]) -> Leaf:
    held = [parameter for parameter in call.module._parameters.values() if parameter is not None]
    kind: Any = type(call.module)
    found = _terms_of(kind)[0]
    costs = [0, 0, 0, 0]
    if any(found):
        trained = sum(parameter.numel() for parameter in held if parameter.requires_grad)
        view = _view(call, views, trained)
        costs = [term.cost(view) if term else 0 for term in found]
    madd, flops, read, written = costs
    itemsize = call.args[0].dtype.itemsize
    return Leaf(
        path,
        call.args[0].shape[1:],
        call.output.shape[1:],
        sum(parameter.numel() for parameter in held),
        np.float32(prod(call.output.shape[1:]) * FLOAT_BYTES / 1024**2),
        madd,
        flops,
        _int32(read, itemsize),
        _int32(written, itemsize),
    )


def _view(call: ModuleCall, views: dict[int, LayerView], trained: int) -> LayerView:
    """The layer that a module is, with the tensors and the weights of the module.

    A class that derives from one of torch.nn may do more than its layer: pad its input, or hold
    weights of its own.
    """
    found = [views[row] for row in call.rows if row in views]
    if len(found) != 1:
        raise NetledgerError(
            f"'{call.path}' ({type(call.module).__name__}) is no single layer of the kind that "
            "torchstat takes it for; use netledger.count"
        )
    (view,) = found
    read = tuple(given.shape for given in call.args if isinstance(given, TensorShape))
    made, held = (call.output.shape,), view.held_params
    same = (view.inputs, view.outputs, view.params, view.trainable_params)
    if same == (read, made, held, trained):
        return view
    return replace(view, inputs=read, outputs=made, params=held, trainable_params=trained)


def _int32(cost: int, itemsize: int) -> int:
    """Bytes as torchstat holds them: elements of the input's size, in 32 bits."""
    elements = cost // FLOAT_BYTES
    if elements > _LARGEST_INT32:
        raise NetledgerError(
            f"torchstat fails on {elements:,} elements read or written: it counts in 32 bits"
        )
    # The product wraps around, as torchstat's does.
    return (elements * itemsize + 2**31) % 2**32 - 2**31


# -- text ------------------------------------------------------------------------------------------


def _text(leaves: Sequence[Leaf]) -> str:
    """The table and the totals. pandas decides what the table looks like, so it prints it."""
    try:
        import pandas
    except ImportError as error:
        raise NetledgerError("torchstat.stat prints with pandas: pip install pandas") from error
    params = _column([leaf.params for leaf in leaves])
    memory = [float(leaf.memory) for leaf in leaves]
    madd = _column([leaf.madd for leaf in leaves])
    flops = _column([leaf.flops for leaf in leaves])
    read, written = (_column([getattr(leaf, name) for leaf in leaves]) for name in _BYTES)
    both = read + written
    last = len(leaves) - 1
    # The row of totals makes floats of all numbers. Of bytes read and written it has those of the
    # last module: torchstat's mistake.
    columns: dict[str, list[Any]] = {
        "module name": [leaf.name for leaf in leaves] + [" "],
        "input shape": [_sizes(leaf.input_shape) for leaf in leaves] + [" "],
        "output shape": [_sizes(leaf.output_shape) for leaf in leaves] + [" "],
        "params": [*map(float, params), float(params.sum())],
        "memory(MB)": [f"{size:.2f}" for size in (*memory, sum(memory))],
        "MAdd": [f"{float(count):,}" for count in (*madd, madd.sum())],
        "Flops": [f"{float(count):,}" for count in (*flops, flops.sum())],
        "MemRead(B)": [*map(float, read), float(read[last])],
        "MemWrite(B)": [*map(float, written), float(written[last])],
        "duration[%]": ["0.00%"] * (len(leaves) + 1),
        "MemR+W(B)": [*map(float, both), float(both.sum())],
    }
    table = pandas.DataFrame(columns, index=[*range(len(leaves)), "total"])
    with pandas.option_context(
        "display.width", 1000, "display.max_rows", 10000, "display.max_columns", 10000
    ):
        text = str(table)
    width = len(text.split("\n", maxsplit=1)[0])
    return "\n".join(
        [
            text,
            "=" * width,
            f"Total params: {params.sum():,}",
            "-" * width,
            f"Total memory: {sum(memory):.2f}MB",
            f"Total MAdd: {_rounded(madd.sum(), 1000.0)}MAdd",
            f"Total Flops: {_rounded(flops.sum(), 1000.0)}Flops",
            f"Total MemR+W: {_rounded(both.sum(), 1024.0)}B",
            "",
        ]
    )


def _column(counts: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.array(counts, dtype=np.int64)


def _sizes(shape: Sequence[int]) -> str:
    return " ".join(f"{size:>3d}" for size in shape)


def _rounded(value: Any, step: float) -> str:
    """A number in thousands, millions and so on, rounded by numpy, or as it is."""
    for power, unit in ((4, "T"), (3, "G"), (2, "M"), (1, "K")):
        if value // step**power > 0:
            return f"{round(value / step**power, 2)}{unit}"
    return str(value)
