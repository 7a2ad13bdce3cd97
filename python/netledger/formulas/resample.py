"""Layers that compute a tensor's values at other positions of its grid."""

from __future__ import annotations

from math import prod
from typing import Literal

from netledger.formulas._layer import Layer, Shape, Sizes, elements, operation, require, sequence
from netledger.formulas._window import adaptive_window_total

__all__ = ["grid_sample", "interpolate"]

InterpolateMode = Literal[
    "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"
]
GridSampleMode = Literal["bilinear", "nearest", "bicubic"]
PaddingMode = Literal["zeros", "border", "reflection"]

#: Spatial dimensions that a mode of interpolate is for, and the elements each output is made of.
MODES = {"linear": (1, 2), "bilinear": (2, 4), "trilinear": (3, 8), "bicubic": (2, 16)}


def _weighted_sum(outputs: int, taps: int) -> int:
    """Operations of outputs that are weighted sums of so many elements each."""
    return outputs * (2 * taps - 1)


@operation()
def interpolate(
    input: Shape,
    /,
    size: Sizes,
    mode: InterpolateMode = "nearest",
    align_corners: bool = False,
) -> Layer:
    """(N, C, *) -> (N, C, *size), 1 to 3 spatial dimensions; one size stands for all of them.

    With y the output, and the weights given:

    * "nearest", "nearest-exact": flops = 0
    * "linear" (1 spatial dimension), "bilinear" (2), "trilinear" (3), "bicubic" (2): each output
      is the weighted sum of T = 2, 4, 8, 16 elements: flops = |y| * (2*T - 1)
    * "area": each output is the mean of its window, as in adaptive average pooling: flops =
      N * C * prod(n + m - gcd(n, m)) over the spatial dimensions, of size n in the input and m in
      the output, the sum of the sizes of all windows

    Source: torch.nn.functional.interpolate.
    """
    spatial = len(input) - 2
    require(
        1 <= spatial <= 3, f"the input must have 3, 4 or 5 dimensions, (N, C, *), got {len(input)}"
    )
    dimensions, taps = MODES.get(mode, (spatial, 0))
    require(
        spatial == dimensions,
        f"mode '{mode}' is for {dimensions} spatial dimensions, the input has {spatial}",
    )
    require(taps > 0 or not align_corners, f"align_corners is for weighted modes, not for '{mode}'")
    sizes = sequence(size)
    require(len(sizes) in (1, spatial), f"size must have 1 or {spatial} entries, got {sizes}")
    if len(sizes) == 1:
        sizes *= spatial
    for n in input[1:]:
        require(n > 0, f"every size but the batch must be positive, got {input}")
    for m in sizes:
        require(m > 0, f"size must be positive, got {m}")
    output = (*input[:2], *sizes)
    if mode == "area":
        windows = (adaptive_window_total(n, m) for n, m in zip(input[2:], sizes, strict=True))
        flops = prod(input[:2]) * prod(windows)
    else:
        flops = _weighted_sum(elements(output), taps) if taps > 0 else 0
    return Layer(shapes=(output,), flops=flops)


@operation()
def grid_sample(
    input: Shape,
    grid: Shape,
    /,
    mode: GridSampleMode = "bilinear",
    padding_mode: PaddingMode = "zeros",
    align_corners: bool = False,
) -> Layer:
    """(N, C, H, W), grid (N, H', W', 2) -> (N, C, H', W'), or with three spatial dimensions.

    With the positions and the weights given, each output is the weighted sum of T elements: flops
    = |y| * (2*T - 1), with T = 4 for "bilinear", 8 for "bilinear" in three dimensions, 16 for
    "bicubic"; "nearest" has none. The padding mode changes no count.

    Source: torch.nn.functional.grid_sample.
    """
    spatial = len(input) - 2
    require(
        spatial in (2, 3),
        f"the input must have 4 or 5 dimensions, (N, C, H, W) or (N, C, D, H, W), got {len(input)}",
    )
    require(
        len(grid) == len(input),
        f"the grid must have as many dimensions as the input, {len(input)}, got {len(grid)}",
    )
    require(
        mode != "bicubic" or spatial == 2,
        f"mode 'bicubic' is for 2 spatial dimensions, the input has {spatial}",
    )
    require(grid[0] == input[0], f"the grid must have the batch size {input[0]}, got {grid[0]}")
    require(
        grid[-1] == spatial,
        f"the grid must have {spatial} coordinates in its last dimension, got {grid[-1]}",
    )
    for size in input[2:]:
        require(size > 0, f"every spatial size must be positive, got {size}")
    output = (*input[:2], *grid[1:-1])
    taps = {"nearest": 0, "bilinear": 2**spatial, "bicubic": 16}[mode]
    flops = _weighted_sum(elements(output), taps) if taps > 0 else 0
    return Layer(shapes=(output,), flops=flops)
