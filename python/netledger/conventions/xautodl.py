"""``xautodl``: as NAS-Bench-201 and NATS-Bench count: multiply-accumulates, and one per bias.

Convolutions (1-d and 2-d) and linear layers count; pooling is looked at but not added up, batch
norms, activations and additions count nothing. For a batch of one image, as the authors count;
their function divides by the number of images.

Source: D-X-Y/AutoDL-Projects, xautodl/utils/flop_benchmark.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Convention, Rules
from netledger.conventions.sizes import bias_outputs, products
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView

_TEXT = "multiply-accumulates, and 1 per output element for the bias"


def _with_bias(layer: LayerView) -> Any:
    return products(layer) + bias_outputs(layer)


def _linear(layer: LayerView) -> Any:
    if len(layer.inputs[0]) != 2:
        raise SpaceError(
            "convention 'xautodl' has no rule for a linear layer of other inputs than "
            f"(N, features): its counter fails on {len(layer.inputs[0])} dimensions"
        )
    return _with_bias(layer)


FLOPS = Rules({("conv1d", "conv2d"): (_TEXT, _with_bias), "linear": (_TEXT, _linear)})

CONVENTION = Convention("xautodl", {"flops": FLOPS, "params": "params"})
