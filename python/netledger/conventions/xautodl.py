"""``xautodl``: as NAS-Bench-201 and NATS-Bench count: multiply-accumulates, and one per bias.

Convolutions (1-d and 2-d) and linear layers count; pooling is looked at but not added up, batch
norms, activations and additions count nothing. For a batch of one image, as the authors count;
their function divides by the number of images.

Source: D-X-Y/AutoDL-Projects, xautodl/utils/flop_benchmark.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Convention
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView


def flops(layer: LayerView) -> Any:
    """Multiply-accumulates of a convolution or linear layer, and one per output with a bias."""
    if layer.op == "linear" and len(layer.inputs[0]) != 2:
        raise SpaceError(
            "convention 'xautodl' has no rule for a linear layer of other inputs than "
            f"(N, features): its counter fails on {len(layer.inputs[0])} dimensions"
        )
    if layer.op in ("conv1d", "conv2d", "linear"):
        return layer.macs + (layer.output_elements if layer.attributes["bias"] else 0)
    return 0


CONVENTION = Convention("xautodl", {"flops": flops, "params": "params"})
