"""Convolutions and transposed convolutions in one, two and three spatial dimensions."""

from __future__ import annotations

from math import prod
from typing import Literal

from netledger.formulas._layer import (
    Layer,
    Padding,
    Shape,
    Sizes,
    Weight,
    elements,
    operation,
    per_dimension,
    require,
    sequence,
)

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


def _channel_dimension(input: Shape, spatial: int) -> int:
    """The dimension of the channels of (N, C, *) or of an unbatched (C, *)."""
    rank = len(input)
    require(
        rank in (spatial + 1, spatial + 2),
        f"the input must have {spatial + 2} or {spatial + 1} dimensions, (N, C, *) or (C, *), "
        f"got {rank}",
    )
    return rank - spatial - 1


def _require_channels(in_channels: int, out_channels: int, groups: int) -> None:
    require(in_channels > 0, f"in_channels must be positive, got {in_channels}")
    require(out_channels > 0, f"out_channels must be positive, got {out_channels}")
    require(groups > 0, f"groups must be positive, got {groups}")
    require(
        in_channels % groups == 0,
        f"in_channels {in_channels} is not divisible by groups {groups}",
    )
    require(
        out_channels % groups == 0,
        f"out_channels {out_channels} is not divisible by groups {groups}",
    )


def _require_window(kernel: int, stride: int, dilation: int) -> None:
    require(kernel > 0, f"kernel_size must be positive, got {kernel}")
    require(stride > 0, f"stride must be positive, got {stride}")
    require(dilation > 0, f"dilation must be positive, got {dilation}")


def _padding(
    padding: Padding, spatial: int, dimension: int, kernel: int, stride: int, dilation: int
) -> tuple[int, int]:
    """Padding before and after one spatial dimension."""
    if padding == "valid":
        return 0, 0
    if padding == "same":
        require(stride == 1, f"padding='same' needs stride 1, got {stride}")
        total = dilation * (kernel - 1)
        return total // 2, total - total // 2
    given = sequence(padding)
    require(
        len(given) in (1, spatial, 2 * spatial),
        f"padding must have 1, {spatial} or {2 * spatial} entries, got {given}",
    )
    before = after = given[0]
    if len(given) == 2 * spatial:
        before, after = given[2 * dimension : 2 * dimension + 2]
    elif len(given) == spatial:
        before = after = given[dimension]
    require(before >= 0, f"padding must not be negative, got {before}")
    require(after >= 0, f"padding must not be negative, got {after}")
    return before, after


def _convolution(
    spatial: int,
    input: Shape,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Padding,
    dilation: Sizes,
    groups: int,
    bias: bool,
) -> Layer:
    channel = _channel_dimension(input, spatial)
    in_channels = input[channel]
    _require_channels(in_channels, out_channels, groups)
    kernels = per_dimension(kernel_size, spatial, "kernel_size")
    strides = per_dimension(stride, spatial, "stride")
    dilations = per_dimension(dilation, spatial, "dilation")

    sizes = []
    for d in range(spatial):
        _require_window(kernels[d], strides[d], dilations[d])
        before, after = _padding(padding, spatial, d, kernels[d], strides[d], dilations[d])
        padded = input[channel + 1 + d] + before + after
        reach = dilations[d] * (kernels[d] - 1) + 1
        require(
            reach <= padded,
            f"the kernel reaches over {reach} elements but the padded input has only {padded}",
        )
        sizes.append((padded - reach) // strides[d] + 1)
    output = (*input[:channel], out_channels, *sizes)

    weights = [Weight((out_channels, in_channels // groups, *kernels))]
    if bias:
        weights.append(Weight((out_channels,)))
    products = in_channels // groups * prod(kernels)
    return Layer(
        shapes=(output,),
        weights=tuple(weights),
        macs=elements(output) * products,
        flops=elements(output) * (2 * products - 1 + bias),
    )


@operation(contraction=True)
def conv1d(
    input: Shape,
    /,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    bias: bool = True,
    padding_mode: PaddingMode = "zeros",
) -> Layer:
    """1-d convolution: (N, C, L) or (C, L) -> (N, out_channels, L'). Counts as `conv2d`."""
    return _convolution(
        1, input, out_channels, kernel_size, stride, padding, dilation, groups, bias
    )


@operation(contraction=True)
def conv2d(
    input: Shape,
    /,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    bias: bool = True,
    padding_mode: PaddingMode = "zeros",
) -> Layer:
    """2-d convolution: (N, C, H, W) or (C, H, W) -> (N, out_channels, H', W').

    With K = prod(kernel_size) and y the output:

    * H' = floor((H + padding - dilation*(kernel_size - 1) - 1) / stride) + 1
    * params = out_channels * C/groups * K, and out_channels more with bias
    * macs = |y| * C/groups * K
    * flops = |y| * (2 * C/groups * K - 1), and |y| more with bias: per output C/groups * K products
      and one addition less

    `padding` is an int, one int per dimension, a (before, after) pair per dimension laid end to
    end, "same" (stride 1) or "valid". The padding mode changes no count.

    Source: torch.nn.Conv2d (shapes, params); Molchanov et al., Pruning Convolutional Neural
    Networks for Resource Efficient Inference, 2017, appendix A.1 (operations).
    """
    return _convolution(
        2, input, out_channels, kernel_size, stride, padding, dilation, groups, bias
    )


@operation(contraction=True)
def conv3d(
    input: Shape,
    /,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Padding = 0,
    dilation: Sizes = 1,
    groups: int = 1,
    bias: bool = True,
    padding_mode: PaddingMode = "zeros",
) -> Layer:
    """3-d convolution: (N, C, D, H, W) -> (N, out_channels, D', H', W'). Counts as `conv2d`."""
    return _convolution(
        3, input, out_channels, kernel_size, stride, padding, dilation, groups, bias
    )


def _transposed_convolution(
    spatial: int,
    input: Shape,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    bias: bool,
    dilation: Sizes,
) -> Layer:
    channel = _channel_dimension(input, spatial)
    in_channels = input[channel]
    _require_channels(in_channels, out_channels, groups)
    kernels = per_dimension(kernel_size, spatial, "kernel_size")
    strides = per_dimension(stride, spatial, "stride")
    paddings = per_dimension(padding, spatial, "padding")
    output_paddings = per_dimension(output_padding, spatial, "output_padding")
    dilations = per_dimension(dilation, spatial, "dilation")

    sizes = []
    for d in range(spatial):
        _require_window(kernels[d], strides[d], dilations[d])
        require(paddings[d] >= 0, f"padding must not be negative, got {paddings[d]}")
        require(
            output_paddings[d] >= 0,
            f"output_padding must not be negative, got {output_paddings[d]}",
        )
        require(
            output_paddings[d] < max(strides[d], dilations[d]),
            f"output_padding {output_paddings[d]} must be smaller than stride {strides[d]} "
            f"or dilation {dilations[d]}",
        )
        size = input[channel + 1 + d]
        require(size > 0, f"every input size must be positive, got {size}")
        out = (
            (size - 1) * strides[d]
            - 2 * paddings[d]
            + dilations[d] * (kernels[d] - 1)
            + output_paddings[d]
            + 1
        )
        require(
            out > 0,
            f"the padding {paddings[d]} leaves no output: its size would be {out}",
        )
        sizes.append(out)
    output = (*input[:channel], out_channels, *sizes)

    weights = [Weight((in_channels, out_channels // groups, *kernels))]
    if bias:
        weights.append(Weight((out_channels,)))
    macs = elements(input) * (out_channels // groups) * prod(kernels)
    return Layer(
        shapes=(output,),
        weights=tuple(weights),
        macs=macs,
        flops=2 * macs + (elements(output) if bias else 0),
    )


@operation(contraction=True)
def conv_transpose1d(
    input: Shape,
    /,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    bias: bool = True,
    dilation: Sizes = 1,
) -> Layer:
    """1-d transposed convolution: (N, C, L) -> (N, out_channels, L'). As `conv_transpose2d`."""
    return _transposed_convolution(
        1,
        input,
        out_channels,
        kernel_size,
        stride,
        padding,
        output_padding,
        groups,
        bias,
        dilation,
    )


@operation(contraction=True)
def conv_transpose2d(
    input: Shape,
    /,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    bias: bool = True,
    dilation: Sizes = 1,
) -> Layer:
    """2-d transposed convolution: (N, C, H, W) -> (N, out_channels, H', W').

    With K = prod(kernel_size), x the input and y the output:

    * H' = (H - 1)*stride - 2*padding + dilation*(kernel_size - 1) + output_padding + 1
    * params = C * out_channels/groups * K, and out_channels more with bias
    * macs = |x| * out_channels/groups * K: every input element meets every weight of its channel
    * flops = 2 * macs, and |y| more with bias: each product is added into an output that starts
      at zero

    Source: torch.nn.ConvTranspose2d (shapes, params); Dumoulin and Visin, A guide to convolution
    arithmetic for deep learning, 2016, chapter 4.
    """
    return _transposed_convolution(
        2,
        input,
        out_channels,
        kernel_size,
        stride,
        padding,
        output_padding,
        groups,
        bias,
        dilation,
    )


@operation(contraction=True)
def conv_transpose3d(
    input: Shape,
    /,
    out_channels: int,
    kernel_size: Sizes,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    bias: bool = True,
    dilation: Sizes = 1,
) -> Layer:
    """3-d transposed convolution: (N, C, D, H, W) -> (N, out_channels, D', H', W')."""
    return _transposed_convolution(
        3,
        input,
        out_channels,
        kernel_size,
        stride,
        padding,
        output_padding,
        groups,
        bias,
        dilation,
    )
