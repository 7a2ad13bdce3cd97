"""``calflops``: as calflops counts: operations, and multiply-accumulates.

It is made of DeepSpeed's profiler (see `netledger.conventions.deepspeed`), and differs in what it
leaves out: ``x @ y``, ``torch.bmm``, ``torch.mm`` and ``F.scaled_dot_product_attention`` count
nothing, so that of most attention only the projections are left. Its parameters are those that are
trained.

Source: calflops 0.3.2, calflops/pytorch_ops.py.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Rules, Term
from netledger.conventions.deepspeed import convention, profiler_rules, tables
from netledger.conventions.patched import fails, interpolation
from netledger.conventions.sizes import inputs

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTION", "COUNTS"]


def _interpolated(layer: LayerView) -> Any:
    """The output size of one channel; or the inputs, whatever the factor."""
    size, factor = interpolation(layer)
    if size is not None:
        return prod(size) if isinstance(size, tuple | list) else size
    if isinstance(factor, tuple | list) and not (
        isinstance(factor, tuple) and len(factor) == layer.inputs[0][0]
    ):
        fails("calflops", f"it raises the factor {factor} of F.interpolate to a power")
    return inputs(layer)


#: What one call of a layer counts, before places in the tree multiply it.
COUNTS: dict[str, Rules] = profiler_rules(
    tables(
        ("torch.matmul", "Tensor.matmul"),
        Term("1 per position of the output if given its size, else 1 per input", _interpolated),
        is_deepspeed=False,
    )
)

CONVENTION = convention("calflops", COUNTS, "trainable_params")
