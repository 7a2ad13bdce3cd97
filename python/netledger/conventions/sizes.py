"""Sizes of layers that the rules of conventions are made of."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Term

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = [
    "CONVOLUTIONS",
    "TRANSPOSED",
    "bias_outputs",
    "inputs",
    "outputs",
    "per_input",
    "per_output",
    "products",
]

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")
TRANSPOSED = ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def inputs(layer: LayerView) -> Any:
    """Elements of the first input."""
    return prod(layer.inputs[0])


def outputs(layer: LayerView) -> Any:
    """Elements of the first output."""
    return prod(layer.outputs[0])


def products(layer: LayerView) -> Any:
    """Multiply-accumulates, without bias."""
    return layer.macs


def bias_outputs(layer: LayerView) -> Any:
    """One for each output element if the layer has a bias."""
    return outputs(layer) if layer.attributes["bias"] else 0


def per_input(times: int) -> Term:
    """So many for each element of the input."""
    return Term(f"{times} per input element", lambda layer: times * inputs(layer))


def per_output(times: int) -> Term:
    """So many for each element of the output."""
    return Term(f"{times} per output element", lambda layer: times * outputs(layer))
