"""Rows of a ledger that no formula stands behind: layers of declared cost, unused parameters."""

from __future__ import annotations

from netledger.formulas._layer import Layer, Shape, Sizes, operation, require, sequence

__all__ = ["opaque", "uncalled"]


@operation(minimum_inputs=0)
def opaque(*inputs: Shape, shapes: Sizes, macs: int = 0, flops: int = 0, label: str = "") -> Layer:
    """A layer whose outputs and costs are declared, not derived.

    `shapes` lists for every output its rank and then its sizes: (2, 8, 10, 1, 5) are the outputs
    (8, 10) and (5,). Its label says what it stands for.
    """
    flat = sequence(shapes)
    outputs: list[Shape] = []
    position = 0
    while position < len(flat):
        rank = flat[position]
        require(0 <= rank <= 16, f"the rank of an output must be 0 to 16, got {rank}")
        sizes = flat[position + 1 : position + 1 + rank]
        require(len(sizes) == rank, f"shapes must list a rank and its sizes per output, got {flat}")
        for size in sizes:
            require(size >= 0, f"a size must not be negative, got {size}")
        outputs.append(sizes)
        position += 1 + rank
    require(macs >= 0, f"macs must not be negative, got {macs}")
    require(flops >= 0, f"flops must not be negative, got {flops}")
    return Layer(shapes=tuple(outputs), macs=macs, flops=flops)


@operation(minimum_inputs=0, view=True)
def uncalled(*parameters: Shape) -> Layer:
    """Parameters of modules that were never called: no outputs, no operations, no traffic."""
    return Layer(shapes=())
