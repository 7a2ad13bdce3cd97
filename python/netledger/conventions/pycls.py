"""``pycls``: as the design spaces of RegNet and AnyNet count, for one image.

Multiply-accumulates of convolutions and linear layers, and one per output *channel* with a bias;
``acts`` are the outputs of convolutions, linear layers and pooling windows, but not of the global
pooling.

Source: facebookresearch/pycls, pycls/models/blocks.py (the functions that end in ``_cx``).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Convention, Rules

if TYPE_CHECKING:
    from netledger.metrics import LayerView


def _bias_channels(layer: LayerView, channels: str) -> Any:
    return layer.attributes[channels] if layer.attributes["bias"] else 0


def _convolution(layer: LayerView) -> Any:
    attributes = layer.attributes
    kernel = attributes["kernel_size"]
    window = prod(kernel) if isinstance(kernel, tuple) else kernel * kernel
    channels = layer.inputs[0][-3] * attributes["out_channels"] // attributes["groups"]
    return window * channels * prod(layer.outputs[0][-2:]) + _bias_channels(layer, "out_channels")


def _linear(layer: LayerView) -> Any:
    products = layer.inputs[0][-1] * layer.attributes["out_features"]
    return products + _bias_channels(layer, "out_features")


def _image(layer: LayerView) -> Any:
    return prod(layer.outputs[0][-3:])


def _features(layer: LayerView) -> Any:
    return layer.attributes["out_features"]


_TEXT = "multiply-accumulates of one image, and 1 per output channel for the bias"
FLOPS = Rules({"conv2d": (_TEXT, _convolution), "linear": (_TEXT, _linear)})
ACTS = Rules(
    {
        ("conv2d", "max_pool2d", "avg_pool2d"): ("outputs of one image", _image),
        "linear": ("outputs of one image", _features),
    }
)

CONVENTION = Convention(
    "pycls", {"flops": FLOPS, "params": "params", "activations": ACTS, "acts": ACTS}
)
