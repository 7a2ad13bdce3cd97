"""pytorch-model-summary 0.1.2: shapes and parameters of the modules down to a depth, as a table.

>>> from netledger.compat import pytorch_model_summary
>>> print(pytorch_model_summary.summary(model, torch.zeros(1, 3, 224, 224)))

The text is the tool's, with its habits: a module has one row, at its first call; parameters that
belong to no module of the table, as those of the model itself, are left out; tensors that two
modules share are counted for both.

What is different: the model is not run, and no hook is left in it when something fails. Models that
the tool fails on are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import nn
from torch.nn.modules.module import _addindent

from netledger.errors import NetledgerError
from netledger.torch.recording import ModuleCall, TensorShape, record

__all__ = ["summary"]

#: The depth that ``max_depth=None`` stands for.
DEEPEST = 9999


class _Place:
    """Where a module stands in the tree, of which lists and sequences of modules are no part."""

    def __init__(self, name: str, parents: str, depth: int) -> None:
        self.name = name
        self.parents = parents
        self.depth = depth
        self.children = 0

    def is_shown(self, max_depth: int) -> bool:
        return self.depth == max_depth or (self.depth < max_depth and self.children == 0)


class _Row(NamedTuple):
    parents: str
    layer: str
    shapes: str
    params: int
    trainable: int


def summary(
    model: nn.Module,
    *inputs: Any,
    batch_size: int = -1,
    show_input: bool = False,
    show_hierarchical: bool = False,
    print_summary: bool = False,
    max_depth: int | None = 1,
    show_parent_layers: bool = False,
) -> str:
    """The table that ``pytorch_model_summary.summary`` returns.

    Args:
        model: the model.
        inputs: its inputs; meta tensors do.
        batch_size: printed below the table unless it is -1.
        show_input: show the shapes of inputs in place of outputs.
        show_hierarchical: add the tree of modules with their parameters.
        print_summary: print the text as well.
        max_depth: how far below the model the modules of the table are; None for all.
        show_parent_layers: add a column with the modules above.

    Raises:
        NetledgerError: the tool fails on this model.
    """
    places = _places(model)
    depth = DEEPEST if max_depth is None else max_depth
    shown = {number for number, place in places.items() if place.is_shown(depth)}
    recording = record(model, ((list(inputs), {}),))
    rows: list[_Row] = []
    for call in recording.calls if show_input else recording.finished:
        if id(call.module) in shown:
            shown.remove(id(call.module))
            rows.append(_row(call, places[id(call.module)], len(rows) + 1, show_input))
    text = _table(rows, batch_size, show_input, show_parent_layers)
    if show_hierarchical:
        text += "\n\n\n" + _hierarchy(model)
    if print_summary:
        print(text)
    return text


def _places(model: nn.Module) -> dict[int, _Place]:
    """The place of every module, by identity; of one with several parents the last."""
    root = _Place(_class_name(model), "", 0)
    places = {id(model): root}

    def visit(module: nn.Module, parent: _Place, depth: int) -> None:
        for child in module.children():
            if isinstance(child, nn.ModuleList | nn.Sequential):
                visit(child, parent, depth)
                continue
            above = f"{parent.parents}/{parent.name}" if parent.parents else parent.name
            place = places[id(child)] = _Place(_class_name(child), above, depth)
            parent.children += 1
            visit(child, place, depth + 1)

    visit(model, root, 1)
    return places


def _row(call: ModuleCall, place: _Place, number: int, show_input: bool) -> _Row:
    given = list(_shapes(call, call.args))
    if show_input:
        shapes = given
    elif call.output is None:
        raise _refusal(call)
    else:
        shapes = list(_shapes(call, call.output))
    params = trainable = 0
    for parameter in call.module.parameters():
        params += parameter.numel()
        trainable += parameter.numel() if parameter.requires_grad else 0
    text = ", ".join(map(str, shapes))
    return _Row(place.parents, f"{place.name}-{number}", text, params, trainable)


def _shapes(call: ModuleCall, value: Any) -> Iterator[list[int]]:
    """The shapes of tensors, also in lists and tuples."""
    if isinstance(value, TensorShape):
        yield list(value.shape)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _shapes(call, entry)
    else:
        raise _refusal(call)


def _refusal(call: ModuleCall) -> NetledgerError:
    return NetledgerError(
        f"pytorch-model-summary fails on '{call.path}' ({_class_name(call.module)}), which is "
        "given or returns something that is no tensor; use netledger.count"
    )


def _table(rows: list[_Row], batch_size: int, show_input: bool, show_parent_layers: bool) -> str:
    parents = max([len(row.parents) for row in rows] + [13]) + 3
    layer = max([len(row.layer) for row in rows] + [15]) + 3
    shapes = max([len(row.shapes) for row in rows] + [15]) + 3
    width = 35 + (parents if show_parent_layers else 0) + layer + shapes

    def line(*cells: str) -> str:
        front = f"{cells[0]:>{parents}} " if show_parent_layers else ""
        return f"{front}{cells[1]:>{layer}}  {cells[2]:>{shapes}} {cells[3]:>15} {cells[4]:>15}"

    params = sum(row.params for row in rows)
    trainable = sum(row.trainable for row in rows)
    kind = "Input" if show_input else "Output"
    return "\n".join(
        [
            "-" * width,
            line("Parent Layers", "Layer (type)", f"{kind} Shape", "Param #", "Tr. Param #"),
            "=" * width,
            *(
                line(row.parents, row.layer, row.shapes, f"{row.params:,}", f"{row.trainable:,}")
                for row in rows
            ),
            "=" * width,
            f"Total params: {params:,}",
            f"Trainable params: {trainable:,}",
            f"Non-trainable params: {params - trainable:,}",
            *([f"Batch size: {batch_size:,}"] if batch_size != -1 else []),
            "-" * width,
        ]
    )


def _hierarchy(model: nn.Module) -> str:
    """The tree of modules, as torch prints it, with the parameters of each."""
    tree, _ = _described(model)
    pad = max(max(map(len, tree.split("\n"))) - 20, 0) // 2
    side = "=" * pad
    return f"{side} Hierarchical Summary {side}\n\n{tree}\n\n\n{'=' * (2 * pad + 22)}\n"


def _described(module: nn.Module) -> tuple[str, int]:
    """A module with those below it, and their parameters, once for each place they are in."""
    extra = module.extra_repr()
    own = extra.split("\n") if extra else []
    below: list[str] = []
    params = 0
    for name, child in module._modules.items():
        if child is not None:
            text, held = _described(child)
            indented = _addindent(text, 2)  # type: ignore[no-untyped-call]
            below.append(f"({name}): {indented}")
            params += held
    for name, parameter in module._parameters.items():
        if parameter is not None:
            if parameter.dim() == 0:
                raise NetledgerError(
                    f"pytorch-model-summary fails on '{name}' of {_class_name(module)}, a "
                    "parameter without dimensions, with show_hierarchical"
                )
            params += parameter.numel()
    inner = ""
    if len(own) == 1 and not below:
        inner = own[0]
    elif own or below:
        inner = "\n  " + "\n  ".join(own + below) + "\n"
    return f"{type(module).__name__}({inner}), {params:,} params", params


def _class_name(module: nn.Module) -> str:
    return str(type(module)).split(".")[-1].split("'")[0]
