"""torchsummary 1.5.1: a row for every module call, parameters, and megabytes of outputs.

>>> from netledger.compat import torchsummary
>>> torchsummary.summary(model, (3, 224, 224))

The text is torchsummary's, with its habits: a module's parameters are its ``weight`` and ``bias``
and nothing else, and are counted again at every call; outputs of blocks are added to those of their
layers; the batch size of -1 is part of the sums, of which the sign is dropped.

What is different: the model is not run, no hook is left in it when something fails, and `device`
has no meaning. It is traced in evaluation mode, where torchsummary takes the mode that the model is
in: a model that returns something else in training mode has to be summarized there. Models that
torchsummary fails on are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from netledger.errors import NetledgerError
from netledger.torch._inputs import Input
from netledger.torch.recording import ModuleCall, TensorShape, record

__all__ = ["LayerSummary", "ModelSummary", "figures", "summary"]

#: torchsummary runs a model on two samples, for the sake of batch norms.
SAMPLES = 2
MEBIBYTE = 1024**2.0
#: torchsummary takes every element for a 32-bit float.
FLOAT_BYTES = 4.0


@dataclass(frozen=True)
class LayerSummary:
    """One row.

    Attributes:
        name: class of the module, and the number of the row.
        output_shape: the shape of its output with the batch size in front, or several of them with
            -1 there.
        params: elements of its weight and its bias.
        trainable: whether the weight is trained; None without a weight.
    """

    name: str
    output_shape: list[Any]
    params: int
    trainable: bool | None


@dataclass(frozen=True)
class ModelSummary:
    """What torchsummary prints.

    Attributes:
        layers: the rows, in the order in which the calls return.
        input_size: mebibytes of the input.
        output_size: mebibytes of all outputs and their gradients.
    """

    layers: tuple[LayerSummary, ...]
    input_size: float
    output_size: float

    @property
    def total_params(self) -> int:
        """Parameters of all rows."""
        return sum(layer.params for layer in self.layers)

    @property
    def trainable_params(self) -> int:
        """Parameters of the rows whose weight is trained, with their biases."""
        return sum(layer.params for layer in self.layers if layer.trainable)

    @property
    def params_size(self) -> float:
        """Mebibytes of the parameters."""
        return abs(self.total_params * FLOAT_BYTES / MEBIBYTE)

    @property
    def total_size(self) -> float:
        """Mebibytes of parameters, outputs with gradients, and input."""
        return self.params_size + self.output_size + self.input_size

    def __str__(self) -> str:
        """The text that torchsummary prints."""
        thin, thick = "-" * 64, "=" * 64
        total, trainable = self.total_params, self.trainable_params
        return "\n".join(
            [
                thin,
                _line("Layer (type)", "Output Shape", "Param #"),
                thick,
                *(
                    _line(layer.name, str(layer.output_shape), f"{layer.params:,}")
                    for layer in self.layers
                ),
                thick,
                f"Total params: {total:,}",
                f"Trainable params: {trainable:,}",
                f"Non-trainable params: {total - trainable:,}",
                thin,
                f"Input size (MB): {self.input_size:0.2f}",
                f"Forward/backward pass size (MB): {self.output_size:0.2f}",
                f"Params size (MB): {self.params_size:0.2f}",
                f"Estimated Total Size (MB): {self.total_size:0.2f}",
                thin,
            ]
        )


def _line(name: str, shape: str, params: str) -> str:
    return f"{name:>20}  {shape:>25} {params:>15}"


def summary(
    model: nn.Module,
    input_size: Sequence[Any],
    batch_size: int = -1,
    device: str = "cuda",
) -> None:
    """Print what ``torchsummary.summary`` prints.

    Args:
        model: the model.
        input_size: the shape of the input without the batch, as a tuple; of several inputs a list
            of tuples.
        batch_size: what is shown as batch size, and counted in the sizes in MB.
        device: "cuda" or "cpu", in which the figures do not differ.

    Raises:
        NetledgerError: torchsummary fails on this model or input.
    """
    if device.lower() not in ("cuda", "cpu"):
        raise NetledgerError(f"torchsummary knows the devices 'cuda' and 'cpu', not {device!r}")
    print(figures(model, input_size, batch_size))


def figures(model: nn.Module, input_size: Sequence[Any], batch_size: int = -1) -> ModelSummary:
    """The rows and sums that `summary` prints, with the same arguments."""
    shapes = [input_size] if isinstance(input_size, tuple) else list(input_size)
    if not all(isinstance(shape, tuple | list) for shape in shapes):
        raise NetledgerError(
            f"input_size is a tuple, or a list of tuples for several inputs, got {input_size!r}"
        )
    inputs = [Input((SAMPLES, *shape), torch.float32) for shape in shapes]
    hooks = _hooks(model)
    calls = [
        call
        for call in record(model, ((inputs, {}),)).finished
        for _ in range(hooks.get(id(call.module), 0))
    ]
    layers = [_layer(call, number, batch_size) for number, call in enumerate(calls, 1)]
    if not any(_weights(call.module) for call in calls):
        raise NetledgerError(
            "torchsummary fails on a model in which no module has a weight or a bias; use "
            "netledger.count"
        )
    with np.errstate(over="ignore"):  # as torchsummary's, the sum wraps around
        elements = sum(_product(layer.output_shape, layer.name) for layer in layers)
    return ModelSummary(
        tuple(layers),
        float(abs(_product(shapes, "the inputs") * batch_size * FLOAT_BYTES / MEBIBYTE)),
        # Twice, for the gradients.
        float(abs(2.0 * elements * FLOAT_BYTES / MEBIBYTE)),
    )


def _hooks(model: nn.Module) -> dict[int, int]:
    """How many hooks torchsummary puts on each module, by identity.

    None on the model itself and on containers; one for each parent of a module, so that a shared
    module has several rows for one call.
    """
    hooks: dict[int, int] = {}

    def visit(module: nn.Module) -> None:
        for child in module.children():
            visit(child)
        if module is not model and not isinstance(module, nn.Sequential | nn.ModuleList):
            hooks[id(module)] = hooks.get(id(module), 0) + 1

    visit(model)
    return hooks


def _weights(module: nn.Module) -> dict[str, Any]:
    """Its weight and bias; other parameters are not looked at."""
    found = {name: getattr(module, name, None) for name in ("weight", "bias")}
    return {name: value for name, value in found.items() if hasattr(value, "size")}


def _is_trained(module: nn.Module, weight: Any) -> bool:
    """Whether a weight is trained once the module has run.

    What `torch.nn.utils.spectral_norm` makes of ``weight_orig`` before every run is, if that is.
    """
    original = module._parameters.get("weight_orig")
    if original is None or "weight" in module._parameters:
        return bool(weight.requires_grad)
    return original.requires_grad


def _layer(call: ModuleCall, number: int, batch_size: int) -> LayerSummary:
    module = call.module
    if not call.args or not _has_rank(call.args[0]):
        raise _refusal(call, "is not given a tensor by position")
    if any(is_parametrized(module, name) for name in ("weight", "bias")):
        raise NetledgerError(
            f"torchsummary adds rows for the parametrizations of '{call.path}' whenever it looks "
            "at the weight, which is not reproduced here; use netledger.count"
        )
    weights = _weights(module)
    return LayerSummary(
        f"{_class_name(module)}-{number}",
        _output_shape(call, batch_size),
        sum(value.numel() for value in weights.values()),
        _is_trained(module, weights["weight"]) if "weight" in weights else None,
    )


def _output_shape(call: ModuleCall, batch_size: int) -> list[Any]:
    output = call.output
    if isinstance(output, list | tuple) and not isinstance(output, TensorShape):
        if not all(isinstance(entry, TensorShape) for entry in output):
            raise _refusal(call, "returns something that is neither a tensor nor several")
        # The batch size that was asked for is forgotten here.
        return [[-1, *entry.shape[1:]] for entry in output]
    if not _has_rank(output):
        raise _refusal(call, "returns something that is neither a tensor nor several")
    return [batch_size, *output.shape[1:]]


def _has_rank(value: Any) -> bool:
    return isinstance(value, TensorShape) and len(value.shape) > 0


def _refusal(call: ModuleCall, reason: str) -> NetledgerError:
    return NetledgerError(
        f"torchsummary fails on '{call.path}' ({_class_name(call.module)}), which {reason}; use "
        "netledger.count"
    )


def _class_name(module: nn.Module) -> str:
    return str(type(module)).split(".")[-1].split("'")[0]


def _product(shape: Sequence[Any], name: str) -> Any:
    """The product of all sizes in a list, also of several shapes, which makes no sense of them."""
    try:
        return np.prod(shape)
    except ValueError:
        raise NetledgerError(
            f"torchsummary fails on {name}: several tensors of different rank; use netledger.count"
        ) from None
