"""``pycls``: as the design spaces of RegNet and AnyNet count, for one image.

Multiply-accumulates of convolutions and linear layers, and one per output *channel* with a bias;
``acts`` are the outputs of convolutions, linear layers and pooling windows, but not of the global
pooling.

Source: facebookresearch/pycls, pycls/models/blocks.py (the functions that end in ``_cx``).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Convention

if TYPE_CHECKING:
    from netledger.metrics import LayerView


def flops(layer: LayerView) -> Any:
    """Multiply-accumulates for one image, and the channels of the bias."""
    if layer.op == "conv2d":
        attributes = layer.attributes
        kernel = attributes["kernel_size"]
        window = prod(kernel) if isinstance(kernel, tuple) else kernel * kernel
        channels = layer.inputs[0][-3] * attributes["out_channels"] // attributes["groups"]
        bias = attributes["out_channels"] if attributes["bias"] else 0
        return window * channels * prod(layer.outputs[0][-2:]) + bias
    if layer.op == "linear":
        width = layer.attributes["out_features"]
        return layer.inputs[0][-1] * width + (width if layer.attributes["bias"] else 0)
    return 0


def acts(layer: LayerView) -> Any:
    """Outputs for one image."""
    if layer.op in ("conv2d", "max_pool2d", "avg_pool2d"):
        return prod(layer.outputs[0][-3:])
    return layer.attributes["out_features"] if layer.op == "linear" else 0


CONVENTION = Convention(
    "pycls", {"flops": flops, "params": "params", "activations": acts, "acts": acts}
)
