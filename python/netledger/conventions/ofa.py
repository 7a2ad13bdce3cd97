"""``ofa``: as once-for-all's own profiler counts: multiply-accumulates of convolutions and linears.

Biases, batch norms, activations, pooling and everything else count nothing. A linear layer counts
once, however many rows it is applied to; a convolution counts all images of the batch. The authors
add up in 32-bit floats, which the numbers here do not: theirs may be off by some tens.

Source: mit-han-lab/once-for-all, ofa/utils/flops_counter.py and ofa/utils/pytorch_utils.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Convention
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView


def flops(layer: LayerView) -> Any:
    """Multiply-accumulates of a 2-d convolution, or of one row of a linear layer."""
    if layer.op == "conv2d":
        return layer.macs
    if layer.op == "linear":
        return layer.inputs[0][-1] * layer.attributes["out_features"]
    if layer.op in ("conv1d", "conv3d"):
        raise SpaceError(f"convention 'ofa' has no rule for {layer.op}: its profiler fails on it")
    return 0


CONVENTION = Convention("ofa", {"flops": flops, "macs": flops, "params": "trainable_params"})
