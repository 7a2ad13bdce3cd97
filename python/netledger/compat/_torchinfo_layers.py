"""The rows of torchinfo's table: a module call, a container in between, or a module not called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from netledger.conventions.torchinfo import mult_adds
from netledger.errors import NetledgerError
from netledger.torch.recording import ModuleCall, Recording, TensorShape

__all__ = ["LayerInfo", "called", "declared"]

Size = list[Any]


class LayerInfo:
    """One row, with the attributes that torchinfo's have.

    Attributes:
        var_name: the name of the module in its parent; of the model, its class.
        module: the module.
        class_name: the name of its class.
        layer_id: its identity.
        depth: how many modules are above it.
        depth_index: its number among the rows of that depth, from 1.
        parent_info: the row of the module above it.
        children: all rows below it.
        executed: whether the module was called.
        is_leaf_layer: whether it has no modules below it that hold anything.
        is_recursive: whether an earlier row is of the same module.
        input_size: shape of its first input.
        output_size: shape of its first output.
        kernel_size: its `kernel_size`, if it has one.
        num_params: elements of all parameters at or below it.
        trainable_params: those that are trained.
        param_bytes: their bytes.
        output_bytes: bytes of its first output.
        macs: what torchinfo counts as mult-adds of a layer.
    """

    def __init__(
        self, var_name: str, module: nn.Module, depth: int, parent_info: LayerInfo | None
    ) -> None:
        self.var_name = var_name
        self.module = module
        self.class_name = (
            str(module.original_name)
            if isinstance(module, torch.jit.ScriptModule)
            else type(module).__name__
        )
        self.layer_id = id(module)
        self.depth = depth
        self.depth_index: int | None = None
        self.parent_info = parent_info
        self.children: list[LayerInfo] = []
        self.executed = False
        # A list of modules without any is as good as none.
        self.is_leaf_layer = not module._modules or not any(module.children())
        self.is_recursive = False
        self.input_size: Size = []
        self.output_size: Size = []
        self.kernel_size = _kernel_size(module)
        self.num_params = 0
        self.trainable_params = 0
        self.param_bytes = 0
        self.output_bytes = 0
        self.macs = 0
        self._parameters: list[tuple[str, int, torch.Tensor]] = []

    def __repr__(self) -> str:
        return f"{self.class_name}: {self.depth}"

    @property
    def trainable(self) -> str:
        """Whether its parameters are trained: "True", "False", "Partial"; "--" without any."""
        if self.num_params == 0:
            return "--"
        if self.trainable_params == 0:
            return "False"
        return "True" if self.trainable_params == self.num_params else "Partial"

    def get_layer_name(self, show_var_name: bool, show_depth: bool) -> str:
        """What the table calls it."""
        name = self.class_name
        if show_var_name and self.var_name:
            name += f" ({self.var_name})"
        if show_depth and self.depth > 0:
            name += f": {self.depth}"
            if self.depth_index is not None:
                name += f"-{self.depth_index}"
        return name

    def leftover_params(self) -> int:
        """Its parameters that no row below it shows."""
        return self.num_params - sum(
            child.num_params if child.is_leaf_layer else child.leftover_params()
            for child in self.children
            if not child.is_recursive
        )

    def leftover_trainable_params(self) -> int:
        """Its trained parameters that no row below it shows."""
        return self.trainable_params - sum(
            child.trainable_params if child.is_leaf_layer else child.leftover_trainable_params()
            for child in self.children
            if not child.is_recursive
        )

    @property
    def inner_layers(self) -> dict[str, dict[str, str]]:
        """Of each parameter its shape, as torch's with the channels of inputs first, and the text
        for its elements.
        """
        # Of the model itself only what belongs to no module below it.
        shown = [
            parameter
            for parameter in self._parameters
            if self.parent_info is not None or "." not in parameter[0]
        ]
        rows = {}
        for place, (name, elements, parameter) in enumerate(shown, 1):
            sizes = list(parameter.shape)
            if name == "weight" and len(sizes) > 1:
                sizes[:2] = reversed(sizes[:2])
            mark = "└─" if place == len(shown) else "├─"
            rows[name] = {"kernel_size": str(sizes), "num_params": f"{mark}{elements:,}"}
        return rows

    def note_params(self, layer_ids: set[int]) -> None:
        """Count the module's parameters, and note whether it has a row already."""
        self.num_params = self.trainable_params = self.param_bytes = 0
        self._parameters = []
        for full_name, parameter in _named_parameters(self.module):
            if type(parameter) is not nn.Parameter and is_lazy(parameter):
                continue
            name, elements = full_name, parameter.numel()
            if name.endswith("_orig"):
                name, elements = _unpruned(self.module, name, elements)
            self._parameters.append((name, elements, parameter))
            self.num_params += elements
            self.param_bytes += parameter.element_size() * elements
            if parameter.requires_grad:
                self.trainable_params += elements
        self.is_recursive = self.is_recursive or self.layer_id in layer_ids

    def note_call(self, call: ModuleCall, batch_dim: int | None) -> None:
        """What the module was given and what it returned."""
        self.input_size, _ = _size(call, call.args, batch_dim)
        self.output_size, itemsize = _size(call, call.output, batch_dim)
        self.output_bytes = itemsize * _product(self.output_size)
        self.executed = True
        parameters = [(name, elements) for name, elements, _ in self._parameters]
        try:
            self.macs = mult_adds(self.class_name, self.output_size, parameters)
        except (IndexError, TypeError):
            raise _refusal(call, "has weights, and returns nothing with a size") from None


def _named_parameters(module: nn.Module) -> Iterable[tuple[str, torch.Tensor]]:
    """The parameters at or below a module, each once."""
    if module._modules:
        return module.named_parameters()
    seen: dict[torch.Tensor, str] = {}
    for name, parameter in module._parameters.items():
        if parameter is not None:
            seen.setdefault(parameter, name)
    return [(name, parameter) for parameter, name in seen.items()]


def _kernel_size(module: nn.Module) -> Any:
    size: Any = getattr(module, "kernel_size", None)
    if size is None and not hasattr(module, "kernel_size"):
        return None
    if isinstance(size, Iterable):
        return list(size)
    if isinstance(size, int):
        return size
    raise NetledgerError(
        f"torchinfo fails on {type(module).__name__}: its kernel_size is no number, {size!r}"
    )


def _unpruned(module: nn.Module, name: str, elements: int) -> tuple[str, int]:
    """The name of a parameter that may be pruned, and the elements that its mask leaves."""
    mask: Any = module
    for part in f"{name.removesuffix('_orig')}_mask".split("."):
        mask = getattr(mask, part, None)
    if mask is None:
        return name, elements
    if mask.is_meta:
        raise NetledgerError(
            f"'{name}' is pruned and its mask is a meta tensor: torchinfo counts what the mask "
            "leaves, which takes its values"
        )
    return name.removesuffix("_orig"), int(mask.sum())


def _refusal(call: ModuleCall, reason: str) -> NetledgerError:
    return NetledgerError(
        f"torchinfo fails on '{call.path}' ({type(call.module).__name__}), which {reason}; use "
        "netledger.count"
    )


# -- sizes -----------------------------------------------------------------------------------------


def _has_size(value: Any) -> bool:
    return isinstance(value, TensorShape | torch.Tensor)


def _of_tensor(value: Any) -> tuple[Size, int]:
    return list(value.shape), value.dtype.itemsize


def _size(call: ModuleCall, value: Any, batch_dim: int | None) -> tuple[Size, int]:
    """The shape of the first of some tensors, the last of a dictionary, and its bytes per element.

    A batch dimension that was asked for is shown as 1, but not where there is a single tensor.
    """
    if value is None:
        return [], 0
    if _has_size(value):
        return _of_tensor(value)
    if isinstance(value, list | tuple) and value and _has_size(_packed(value[0])):
        size, itemsize = _of_tensor(_packed(value[0]))
        if batch_dim is not None:
            size = [*size[:batch_dim], 1, *size[batch_dim + 1 :]]
        return size, itemsize
    if isinstance(value, dict):
        if not value:
            raise _refusal(call, "returns an empty dictionary")
        size, itemsize = _first_size(list(value.values())[-1])
        if batch_dim is not None:
            size = [[*size[:batch_dim], 1, *size[batch_dim + 1 :]]]
        return size, itemsize
    if isinstance(value, list | tuple):
        size, itemsize = _first_size(value)
        if batch_dim is not None and batch_dim < len(size):
            size[batch_dim] = 1
        return size, itemsize
    raise _refusal(call, f"returns a {type(value).__name__}")


def _packed(value: Any) -> Any:
    """The tensor of a packed sequence; anything else as it is."""
    return value.data if isinstance(value, nn.utils.rnn.PackedSequence) else value


def _first_size(value: Any) -> tuple[Size, int]:
    """The shape of the first tensor within something, and its bytes per element."""
    if hasattr(value, "tensors"):
        return _first_size(value.tensors)
    if _has_size(value):
        return _of_tensor(value)
    if not hasattr(value, "__getitem__") or not value:
        return [], 0
    if isinstance(value, dict):
        return _first_size(list(value.values()))
    if isinstance(value, list | tuple):
        return _first_size(value[0])
    return [], 0


def _product(size: Iterable[Any]) -> int:
    result = 1
    for entry in size:
        result *= _product(entry) if isinstance(entry, Iterable) else entry
    return result


# -- rows ------------------------------------------------------------------------------------------


def _tree(model: nn.Module) -> Iterator[LayerInfo]:
    """A row for every place in the tree of modules, a parent before what is below it."""
    waiting = [LayerInfo(type(model).__name__, model, 0, None)]
    while waiting:
        row = waiting.pop()
        yield row
        below: dict[str, nn.Module | None] = row.module._modules
        waiting += [
            LayerInfo(name, module, row.depth + 1, row)
            for name, module in reversed(below.items())
            if module is not None
        ]


def declared(model: nn.Module) -> list[LayerInfo]:
    """The rows of a model that is not called: one for every place of a module."""
    rows = list(_tree(model))
    layer_ids: set[int] = set()
    for row in rows:
        row.note_params(layer_ids)
        layer_ids.add(row.layer_id)
    _note_children(rows)
    return rows


def called(recording: Recording, batch_dim: int | None) -> list[LayerInfo]:
    """The rows of a model that is called: one for every call, and the containers in between.

    A module that stands in several places is taken for the one in the last.
    """
    places = {row.layer_id: row for row in _tree(recording.module)}
    rows: list[LayerInfo] = []
    layer_ids: set[int] = set()
    for call in recording.calls:
        place = places.get(id(call.module))
        if place is None:
            continue
        row = place
        if place.executed or place.module._modules:  # what is below a module refers to its place
            row = LayerInfo(place.var_name, place.module, place.depth, place.parent_info)
        row.note_params(layer_ids)
        row.note_call(call, batch_dim)
        rows.append(row)
        layer_ids.add(row.layer_id)
    _add_containers(rows, layer_ids)
    _note_children(rows)
    return rows


def _add_containers(rows: list[LayerInfo], layer_ids: set[int]) -> None:
    """Add rows for modules that are not called themselves, as lists of modules.

    A shared module makes rows of containers that were called elsewhere: torchinfo's way.
    """
    shown: dict[int, LayerInfo] = {}
    position = 0
    while position < len(rows):
        row = rows[position]
        above: dict[int, LayerInfo] = {}
        parent = row.parent_info
        while parent is not None and parent.depth > 0:
            above[parent.depth] = parent
            parent = parent.parent_info
        added = 0
        for depth in range(1, row.depth):
            container = above[depth]
            is_shown = depth in shown and shown[depth].module is container.module
            if not is_shown and container is not rows[position + added - 1]:
                container.note_params(layer_ids)
                rows.insert(position + added, container)
                layer_ids.add(container.layer_id)
                shown[depth] = container
                added += 1
        shown[row.depth] = row
        deeper = row.depth + 1
        while deeper in shown:
            del shown[deeper]
            deeper += 1
        position += 1


def _note_children(rows: list[LayerInfo]) -> None:
    """Number the rows of each depth, and note which are below which."""
    numbers: dict[int, int] = {}
    for position, row in enumerate(rows):
        numbers[row.depth] = numbers.get(row.depth, 0) + 1
        row.depth_index = numbers[row.depth]
        end = position + 1
        while end < len(rows) and rows[end].depth > row.depth:
            end += 1
        row.children = rows[position + 1 : end]
