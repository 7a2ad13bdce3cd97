"""``ofa``: as once-for-all's own profiler counts: multiply-accumulates of convolutions and linears.

Biases, batch norms, activations, pooling and everything else count nothing. A linear layer counts
once, however many rows it is applied to; a convolution counts all images of the batch. The authors
add up in 32-bit floats, which the numbers here do not: theirs may be off by some tens.

Source: mit-han-lab/once-for-all, ofa/utils/flops_counter.py and ofa/utils/pytorch_utils.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Convention, Rules
from netledger.conventions.sizes import products
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView


def _one_row(layer: LayerView) -> Any:
    return layer.inputs[0][-1] * layer.attributes["out_features"]


def _refused(layer: LayerView) -> int:
    raise SpaceError(f"convention 'ofa' has no rule for {layer.op}: its profiler fails on it")


FLOPS = Rules(
    {
        "conv2d": ("multiply-accumulates", products),
        "linear": ("multiply-accumulates of one row", _one_row),
        ("conv1d", "conv3d"): ("nothing: it fails", _refused),
    }
)

CONVENTION = Convention(
    "ofa", {"flops": FLOPS, "macs": FLOPS, "params": "trainable_params"}, figure="MACs"
)
