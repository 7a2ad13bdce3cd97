"""The calls of Paddle for torch modules: ``from netledger.compat import paddle``.

>>> paddle.summary(model, (1, 3, 224, 224))
>>> paddle.flops(model, [1, 3, 224, 224], print_detail=True)

Both print and return what Paddle does for the same network of its own layers, but with the names
of torch's classes, as ``Conv2d``. Paddle numbers layers by class in the order of their creation, in
the whole process; here they are numbered in the order of the model's tree of modules. It runs no
network here, and leaves nothing in it.

The running statistics of batch norms are parameters in Paddle that are not trained; so they are in
both tables. Where Paddle builds a layer out of others and torch does not, as a recurrent layer or
the projections of an attention, the tables are those of torch's modules.

Source: PaddlePaddle/Paddle, python/paddle/hapi/model_summary.py, dynamic_flops.py and
static_flops.py, which has the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from netledger.compat._custom_rules import CustomRule, added_by
from netledger.conventions.paddle import HOOKED, PER_CALL
from netledger.errors import NetledgerError
from netledger.torch._inputs import Input
from netledger.torch.recording import ModuleCall, Recording, TensorShape, record

__all__ = ["flops", "summary"]

MEBIBYTE = 1024**2.0
#: Paddle takes every element for a 32-bit float.
FLOAT_BYTES = 4.0


# -- names and parameters -------------------------------------------------------------------------


def _snake_case(name: str) -> str:
    """Paddle's way with names of classes: ReLU is re_lu, and MaxPool2d is max_pool2d."""
    separated = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", separated).lower()


def _numbers(model: nn.Module) -> dict[nn.Module, int]:
    """A number for each module, from 0 for each class."""
    counters: dict[str, int] = {}
    numbers = {}
    for module in model.modules():
        name = _snake_case(type(module).__name__)
        numbers[module] = counters.get(name, 0)
        counters[name] = numbers[module] + 1
    return numbers


def _own_params(module: nn.Module) -> list[tuple[int, bool]]:
    """Elements of a module's own parameters, and whether they are trained."""
    found = [
        (weight.numel(), weight.requires_grad)
        for weight in module._parameters.values()
        if weight is not None
    ]
    return found + [(elements, False) for elements in _running_statistics(module)]


def _running_statistics(module: nn.Module) -> list[int]:
    """Elements of mean and variance, which are parameters of Paddle's batch norms."""
    if not isinstance(module, _BatchNorm):
        return []
    buffers = (module.running_mean, module.running_var)
    return [buffer.numel() for buffer in buffers if buffer is not None]


# -- paddle.summary -------------------------------------------------------------------------------


class _Layer(NamedTuple):
    """A row of the table."""

    name: str
    input_shape: Any
    output_shape: Any
    params: int
    trainable_params: int


def summary(
    net: nn.Module,
    input_size: Any = None,
    dtypes: str | Sequence[str] | None = None,
    input: Any = None,
) -> dict[str, int]:
    """Prints a table of a network's layers, and returns its parameters, as ``paddle.summary``.

    Args:
        net: the network; it is taken in evaluation mode.
        input_size: the shape of its input, or a list of shapes; a first size of None or -1 is a
            batch of 1.
        dtypes: the element type of each input, ``"float32"`` by default.
        input: the input itself in place of `input_size`: a tensor, which may be on the meta device,
            or a list or dict that the network takes as one argument.

    Returns:
        ``{"total_params": ..., "trainable_params": ...}``.

    Raises:
        ValueError: neither a size nor an input, or a size that is not positive.
        NetledgerError: an output of which Paddle cannot sum up the sizes; whatever
            `netledger.count` raises.
    """
    if input_size is None and input is None:
        raise ValueError("input_size and input cannot be None at the same time")
    if input is not None:
        given = [input]
        shapes = _shapes_of(input) if input_size is None else _checked(input_size)
    else:
        shapes = _checked(input_size)
        given = _inputs(shapes, dtypes)
    layers = _summarized(record(net, (given,)))
    total_params = sum(layer.params for layer in layers)
    trainable_params = sum(layer.trainable_params for layer in layers)
    print(_table(layers, shapes, total_params, trainable_params))
    return {"total_params": total_params, "trainable_params": trainable_params}


def _shapes_of(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [tuple(entry.shape) for entry in value]
    if isinstance(value, dict):
        return [tuple(entry.shape) for entry in value.values()]
    if hasattr(value, "shape"):
        return tuple(value.shape)
    raise ValueError(f"input is a tensor, a list or a dict of tensors, got {value!r}")


def _checked(size: Any) -> Any:
    """Sizes with 1 in the place of an unknown batch."""
    if isinstance(size, int):
        size = (size,)
    if any(isinstance(entry, list | tuple) for entry in size):
        return [_checked(entry) for entry in size]
    if sum(entry is None or entry == -1 for entry in size) > 1:
        raise ValueError(f"only the batch size may be None or -1, got {size}")
    shape = tuple(1 if entry is None or entry == -1 else entry for entry in size)
    if any(entry <= 0 for entry in shape):
        raise ValueError(f"every size must be positive, got {size}")
    return shape


def _inputs(shapes: Any, dtypes: str | Sequence[str] | None) -> list[Any]:
    """The inputs of a network: one for a shape, several for a list of shapes."""
    several = [shapes] if isinstance(shapes, tuple) else shapes
    if dtypes is None or isinstance(dtypes, str):
        dtypes = [dtypes or "float32"] * len(several)
    return [
        Input(shape, dtype) if isinstance(shape, tuple) else _inputs(shape, dtype)
        for shape, dtype in zip(several, dtypes, strict=False)
    ]


def _summarized(recording: Recording) -> list[_Layer]:
    """The rows, in the order in which modules first return; the last call of a module counts."""
    model = recording.module
    numbers = _numbers(model)
    layers: dict[str, _Layer] = {}
    for call in recording.finished:
        module = call.module
        if isinstance(module, nn.Sequential | nn.ModuleList) or module not in numbers:
            continue
        if module is model and len(numbers) > 1:
            continue
        name = f"{type(module).__name__}-{numbers[module] + 1}"
        params = _own_params(module)
        layers[name] = _Layer(
            name,
            _input_shape(call.args),
            _output_shape(call.output),
            sum(elements for elements, _ in params),
            sum(elements for elements, is_trained in params if is_trained),
        )
    return list(layers.values())


def _input_shape(value: Any) -> Any:
    if isinstance(value, TensorShape):
        return list(value.shape)
    return [_input_shape(entry) for entry in value] if isinstance(value, list | tuple) else None


def _output_shape(value: Any) -> list[Any]:
    if isinstance(value, TensorShape):
        return list(value.shape)
    return [_output_shape(entry) for entry in value] if isinstance(value, list | tuple) else []


def _output_elements(layer: _Layer) -> int:
    """Elements of all outputs; what has no shape, as None, is taken for one element."""
    try:
        return int(np.sum(np.prod(layer.output_shape, axis=-1)))
    except ValueError:  # shapes of different lengths
        pass
    try:
        return sum(int(np.sum(np.prod(shape, axis=-1))) for shape in layer.output_shape)
    except ValueError:
        raise NetledgerError(
            f"paddle fails on the outputs of {layer.name}, {layer.output_shape}: they are nested "
            "too deeply"
        ) from None


def _input_elements(shapes: Any) -> Iterable[int]:
    if isinstance(shapes, tuple):
        yield int(np.prod(shapes))
    else:
        for shape in shapes:
            yield from _input_elements(shape)


#: Columns with their least widths, and the least width of the table.
_COLUMNS = {"Layer (type)": 15, "Input Shape": 20, "Output Shape": 20, "Param #": 15}
_LEAST_WIDTH = 75


def _table(layers: list[_Layer], shapes: Any, total_params: int, trainable_params: int) -> str:
    texts = [
        (layer.name, str(layer.input_shape), str(layer.output_shape), f"{layer.params:,}")
        for layer in layers
    ]
    # The last column is as wide as its numbers without commas, as there.
    lengths = [
        (*map(len, text[:3]), len(str(layer.params)))
        for text, layer in zip(texts, layers, strict=True)
    ]
    widths = [
        max(least, *(length[column] for length in lengths)) if lengths else least
        for column, least in enumerate(_COLUMNS.values())
    ]
    width = max(_LEAST_WIDTH, sum(widths) + 5)
    rows = [
        " ".join(f"{cell:^{space}}" for cell, space in zip(row, widths, strict=True))
        for row in (tuple(_COLUMNS), *texts)
    ]
    input_size = sum(_input_elements(shapes)) * FLOAT_BYTES / MEBIBYTE
    output_size = 2.0 * sum(map(_output_elements, layers)) * FLOAT_BYTES / MEBIBYTE
    params_size = total_params * FLOAT_BYTES / MEBIBYTE
    thin, thick = "-" * width, "=" * width
    lines = [
        thin,
        rows[0],
        thick,
        *rows[1:],
        thick,
        f"Total params: {total_params:,}",
        f"Trainable params: {trainable_params:,}",
        f"Non-trainable params: {total_params - trainable_params:,}",
        thin,
        f"Input size (MB): {input_size:0.2f}",
        f"Forward/backward pass size (MB): {output_size:0.2f}",
        f"Params size (MB): {params_size:0.2f}",
        f"Estimated Total Size (MB): {params_size + output_size + input_size:0.2f}",
        thin,
    ]
    return "\n".join(lines) + "\n"


# -- paddle.flops ---------------------------------------------------------------------------------


class _Counted:
    """What the hooks of one module have seen.

    Attributes:
        operations: the sum of all calls.
        params: its parameters.
        shapes: of the input and the output of its last call.
    """

    def __init__(self) -> None:
        self.operations = 0
        self.params = 0
        self.shapes: tuple[list[int], list[int]] = ([], [])


def flops(
    net: nn.Module,
    input_size: Sequence[int],
    custom_ops: Mapping[type, CustomRule] | None = None,
    print_detail: bool = False,
) -> int:
    """Prints and returns the operations of a network, as ``paddle.flops`` does for its layers.

    Args:
        net: the network; it is taken in evaluation mode.
        input_size: the shape of its input.
        custom_ops: functions by class of module, called as ``rule(module, inputs, output)`` for
            each call of a module without children; they add to ``module.total_ops``. They get meta
            tensors, and a stand-in for the module.
        print_detail: whether a table of the layers is printed.

    Returns:
        The operations; what counts is in `netledger.conventions.paddle`.

    Raises:
        NetledgerError: a layer that takes no tensor by position, on which Paddle fails; whatever
            `netledger.count` raises.
    """
    rules = custom_ops or {}
    recording = record(net, ([Input(tuple(input_size), "float32")],))
    model = recording.module
    leaves = _leaves(model)
    _print_rules(leaves, rules)
    counted = _count(recording, leaves, rules)
    shown = [module for module in model.modules() if module in counted and module is not model]
    if print_detail:
        _print_details(model, shown, counted)
    total = sum(counted[module].operations for module in shown)
    params = sum(counted[module].params for module in shown)
    print(f"Total Flops: {total}     Total Params: {params}")
    return total


def _leaves(model: nn.Module) -> dict[nn.Module, int]:
    """Modules without children in the order that they are visited, and how many hooks each gets."""
    leaves: dict[nn.Module, int] = {}

    def visit(module: nn.Module) -> None:
        children = list(module.children())
        for child in children:
            visit(child)
        if not children:
            leaves[module] = leaves.get(module, 0) + 1

    visit(model)
    return leaves


def _has_rule(kind: type) -> bool:
    return kind.__module__.startswith("torch.nn.modules.") and kind.__name__ in HOOKED


def _print_rules(leaves: Iterable[nn.Module], custom_ops: Mapping[type, CustomRule]) -> None:
    for kind in dict.fromkeys(map(type, leaves)):
        if kind in custom_ops:
            print(f"Customize Function has been applied to {kind}")
        elif _has_rule(kind):
            print(f"{kind}'s flops has been counted")
        else:
            print(f"Cannot find suitable count function for {kind}. Treat it as zero FLOPs.")


def _count(
    recording: Recording, leaves: Mapping[nn.Module, int], custom_ops: Mapping[type, CustomRule]
) -> dict[nn.Module, _Counted]:
    """What the hooks see of the modules that are called."""
    counted: dict[nn.Module, _Counted] = {}
    modules = {}
    for call in recording.calls:
        module = call.module
        if module not in leaves:
            continue
        modules[call.path] = module
        found = counted.setdefault(module, _Counted())
        found.shapes = _shapes(call)
        found.params = sum(weight.numel() for weight in module.parameters())
        found.params += sum(_running_statistics(module))
        rule = custom_ops.get(type(module))
        if rule is not None:
            added, _ = added_by(rule, call, call.args, ("total_ops", "total_params"))
            found.operations += leaves[module] * int(added)
    for place, cost in recording.ledger._costs(PER_CALL):
        layer = modules.get(place.path)
        if cost and layer is not None and type(layer) not in custom_ops:
            counted[layer].operations += leaves[layer] * cost
    return counted


def _shapes(call: ModuleCall) -> tuple[list[int], list[int]]:
    """Shapes of the first input and the first output of a call."""
    read = call.args[0] if call.args else None
    made = call.output
    if isinstance(made, list | tuple) and not isinstance(made, TensorShape):
        made = made[0] if made else None
    if not isinstance(read, TensorShape) or not isinstance(made, TensorShape):
        raise NetledgerError(
            f"paddle fails on '{call.path}' ({type(call.module).__name__}): the first input of a "
            "layer must be a tensor that is given by position, and its first output a tensor"
        )
    return list(read.shape), list(made.shape)


_HEADINGS = ("Layer Name", "Input Shape", "Output Shape", "Params", "Flops")


def _print_details(
    model: nn.Module, modules: Iterable[nn.Module], counted: Mapping[nn.Module, _Counted]
) -> None:
    numbers = _numbers(model)
    rows = [_HEADINGS]
    for module in modules:
        found = counted[module]
        name = f"{_snake_case(type(module).__name__)}_{numbers[module]}"
        read, made = map(str, found.shapes)
        rows.append((name, read, made, str(found.params), str(found.operations)))
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
    rule = "".join(f"+{'-' * width}" for width in widths) + "+"
    # str.center, unlike formats, puts the odd space in front of some texts.
    lines = [
        "".join(f"|{cell.center(width)}" for cell, width in zip(row, widths, strict=True)) + "|"
        for row in rows
    ]
    print("\n".join([rule, lines[0], rule, *lines[1:], rule]))
