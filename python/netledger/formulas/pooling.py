"""Pooling in one, two and three spatial dimensions, and max unpooling."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from netledger.formulas._layer import (
    Layer,
    Shape,
    Sizes,
    elements,
    operation,
    per_dimension,
    require,
    sequence,
)
from netledger.formulas._window import adaptive_window_total

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


def _channel_dimension(input: Shape, spatial: int) -> int:
    """The dimension of the channels of (N, C, *) or of an unbatched (C, *)."""
    rank = len(input)
    require(
        rank in (spatial + 1, spatial + 2),
        f"the input must have {spatial + 2} or {spatial + 1} dimensions, (N, C, *) or (C, *), "
        f"got {rank}",
    )
    channel = rank - spatial - 1
    for size in input[channel:]:
        require(size > 0, f"every size but the batch must be positive, got {size}")
    return channel


def _stride(stride: Sizes | None, kernels: tuple[int, ...], spatial: int) -> tuple[int, ...]:
    """A stride that is left out is the kernel size."""
    return kernels if stride is None else per_dimension(stride, spatial, "stride")


@dataclass(frozen=True)
class _Windows:
    """The windows that pooling lays over its input, one entry per spatial dimension."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool


def _window_count(size: int, windows: _Windows, d: int) -> int:
    """How many windows there are along one dimension of that size.

    Those that fit, and with ceil_mode one more that reaches beyond the end, if it starts inside the
    input or the padding before it.
    """
    kernel, stride = windows.kernel[d], windows.stride[d]
    padding, dilation = windows.padding[d], windows.dilation[d]
    require(kernel > 0, f"kernel_size must be positive, got {kernel}")
    require(stride > 0, f"stride must be positive, got {stride}")
    require(dilation > 0, f"dilation must be positive, got {dilation}")
    require(padding >= 0, f"padding must not be negative, got {padding}")
    require(
        2 * padding <= kernel, f"padding {padding} must be at most half of kernel_size {kernel}"
    )
    padded = size + 2 * padding
    reach = dilation * (kernel - 1) + 1
    if windows.ceil_mode:
        count = -((reach - padded) // stride) + 1
        if (count - 1) * stride >= size + padding:
            count -= 1
    else:
        count = (padded - reach) // stride + 1
    require(
        count > 0,
        f"the kernel reaches over {reach} elements but the padded input has only {padded}",
    )
    return count


def _pool(
    input: Shape, channel: int, windows: _Windows, operations: int, outputs: int = 1
) -> Layer:
    """`operations` for each output element, which its window gives."""
    spatial = [_window_count(size, windows, d) for d, size in enumerate(input[channel + 1 :])]
    output = (*input[: channel + 1], *spatial)
    return Layer(shapes=(output,) * outputs, flops=elements(output) * operations)


def _max_pool(
    spatial: int,
    input: Shape,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    return_indices: bool,
) -> Layer:
    channel = _channel_dimension(input, spatial)
    kernels = per_dimension(kernel_size, spatial, "kernel_size")
    windows = _Windows(
        kernels,
        _stride(stride, kernels, spatial),
        per_dimension(padding, spatial, "padding"),
        per_dimension(dilation, spatial, "dilation"),
        ceil_mode,
    )
    return _pool(input, channel, windows, prod(kernels) - 1, outputs=1 + return_indices)


def _require_covered(spatial: int, input: Shape, channel: int, kernels: tuple[int, ...]) -> None:
    """Averages in three dimensions refuse an input smaller than the kernel, padded or not.

    torch's averages in one and two dimensions do not.
    """
    if spatial == 3:
        for kernel, size in zip(kernels, input[channel + 1 :], strict=True):
            require(kernel <= size, f"kernel_size {kernel} is larger than the input, {size}")


def _avg_pool(
    spatial: int,
    input: Shape,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    divisor_override: int | None,
) -> Layer:
    channel = _channel_dimension(input, spatial)
    kernels = per_dimension(kernel_size, spatial, "kernel_size")
    windows = _Windows(
        kernels,
        _stride(stride, kernels, spatial),
        per_dimension(padding, spatial, "padding"),
        (1,) * spatial,
        ceil_mode,
    )
    require(divisor_override != 0, "divisor_override must not be zero")
    _require_covered(spatial, input, channel, kernels)
    return _pool(input, channel, windows, prod(kernels))


def _lp_pool(
    spatial: int, input: Shape, kernel_size: Sizes, stride: Sizes | None, ceil_mode: bool
) -> Layer:
    channel = _channel_dimension(input, spatial)
    kernels = per_dimension(kernel_size, spatial, "kernel_size")
    windows = _Windows(
        kernels,
        _stride(stride, kernels, spatial),
        (0,) * spatial,
        (1,) * spatial,
        ceil_mode,
    )
    _require_covered(spatial, input, channel, kernels)
    return _pool(input, channel, windows, 2 * prod(kernels))


def _adaptive_windows(spatial: int, input: Shape, output_size: Sizes) -> tuple[Shape, int]:
    """The output of adaptive pooling, and the elements of all its windows together."""
    channel = _channel_dimension(input, spatial)
    total = elements(input[: channel + 1])
    sizes = []
    for out, size in zip(
        per_dimension(output_size, spatial, "output_size"), input[channel + 1 :], strict=True
    ):
        require(
            out >= -1,
            f"output_size must not be negative, or -1 to keep the input's size, got {out}",
        )
        sizes.append(size if out == -1 else out)
        total *= adaptive_window_total(size, sizes[-1])
    return (*input[: channel + 1], *sizes), total


def _adaptive_avg_pool(spatial: int, input: Shape, output_size: Sizes) -> Layer:
    output, total = _adaptive_windows(spatial, input, output_size)
    return Layer(shapes=(output,), flops=total)


def _adaptive_max_pool(
    spatial: int, input: Shape, output_size: Sizes, return_indices: bool
) -> Layer:
    output, total = _adaptive_windows(spatial, input, output_size)
    return Layer(shapes=(output,) * (1 + return_indices), flops=total - elements(output))


def _fractional_max_pool(
    spatial: int, input: Shape, kernel_size: Sizes, output_size: Sizes, return_indices: bool
) -> Layer:
    channel = _channel_dimension(input, spatial)
    kernels = per_dimension(kernel_size, spatial, "kernel_size")
    sizes = per_dimension(output_size, spatial, "output_size")
    for kernel, out, size in zip(kernels, sizes, input[channel + 1 :], strict=True):
        require(kernel > 0, f"kernel_size must be positive, got {kernel}")
        require(out >= 0, f"output_size must not be negative, got {out}")
        # In three dimensions torch asks for one element more than the windows reach over.
        needed = out + kernel - (0 if spatial == 3 else 1)
        require(
            needed <= size,
            f"kernel_size {kernel} and output_size {out} need an input of at least {needed}, "
            f"got {size}",
        )
    output = (*input[: channel + 1], *sizes)
    return Layer(
        shapes=(output,) * (1 + return_indices), flops=elements(output) * (prod(kernels) - 1)
    )


def _unpooled_sizes(output_size: Sizes, spatial: int) -> tuple[int, ...]:
    """torch also takes the sizes of all dimensions; those of batch and channels are unused."""
    given = sequence(output_size)
    require(
        len(given) in (1, spatial, spatial + 2),
        f"output_size must have 1, {spatial} or {spatial + 2} entries, got {given}",
    )
    return given * spatial if len(given) == 1 else given[-spatial:]


def _max_unpool(
    spatial: int,
    input: Shape,
    indices: Shape,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sizes | None,
) -> Layer:
    channel = _channel_dimension(input, spatial)
    require(indices == input, f"the indices must have the input's shape {input}, got {indices}")
    kernels = per_dimension(kernel_size, spatial, "kernel_size")
    strides = _stride(stride, kernels, spatial)
    paddings = per_dimension(padding, spatial, "padding")
    chosen = None if output_size is None else _unpooled_sizes(output_size, spatial)
    sizes = []
    for d, size in enumerate(input[channel + 1 :]):
        require(kernels[d] > 0, f"kernel_size must be positive, got {kernels[d]}")
        require(strides[d] > 0, f"stride must be positive, got {strides[d]}")
        require(paddings[d] >= 0, f"padding must not be negative, got {paddings[d]}")
        out = (size - 1) * strides[d] - 2 * paddings[d] + kernels[d]
        if chosen is not None:
            low, high = out - strides[d], out + strides[d]
            out = chosen[d]
            require(
                low < out < high,
                f"output_size {out} must be more than {low} and less than {high}",
            )
        require(out > 0, f"there is no output: its size would be {out}")
        sizes.append(out)
    return Layer(shapes=((*input[: channel + 1], *sizes),))


@operation()
def max_pool1d(
    input: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Layer:
    """1-d max pooling: as `max_pool2d`, of (N, C, L)."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@operation()
def max_pool2d(
    input: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Layer:
    """2-d max pooling: (N, C, H, W) or (C, H, W) -> (N, C, H', W').

    * H' = floor((H + 2*padding - dilation*(kernel_size - 1) - 1) / stride) + 1; with ceil_mode the
      quotient is rounded up, unless the last window would start beyond input and left padding
    * flops = K - 1 comparisons per output element, K = prod(kernel_size)

    The stride defaults to the kernel size; padding is at most half of the kernel size. The indices
    are a second output.

    Source: torch.nn.MaxPool2d.
    """
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@operation()
def max_pool3d(
    input: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Layer:
    """3-d max pooling: as `max_pool2d`, of (N, C, D, H, W)."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@operation()
def avg_pool1d(
    input: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Layer:
    """1-d average pooling: as `avg_pool2d`, of (N, C, L)."""
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, None)


@operation()
def avg_pool2d(
    input: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Layer:
    """2-d average pooling: (N, C, H, W) or (C, H, W) -> (N, C, H', W').

    Sizes are those of `max_pool2d` without dilation. flops = K = prod(kernel_size) per output
    element, K - 1 additions and a division, whatever of the window is padding or is averaged over.

    Source: torch.nn.AvgPool2d.
    """
    return _avg_pool(2, input, kernel_size, stride, padding, ceil_mode, divisor_override)


@operation()
def avg_pool3d(
    input: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Layer:
    """3-d average pooling: as `avg_pool2d`, of (N, C, D, H, W)."""
    return _avg_pool(3, input, kernel_size, stride, padding, ceil_mode, divisor_override)


@operation()
def lp_pool1d(
    input: Shape, /, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Layer:
    """1-d power-average pooling: as `lp_pool2d`, of (N, C, L)."""
    return _lp_pool(1, input, kernel_size, stride, ceil_mode)


@operation()
def lp_pool2d(
    input: Shape, /, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Layer:
    """2-d power-average pooling: (N, C, H, W) or (C, H, W) -> (N, C, H', W').

    Sizes are those of `max_pool2d` without padding and dilation. flops = 2K per output element,
    K = prod(kernel_size): K powers, K - 1 additions and a root, whatever the norm.

    Source: torch.nn.LPPool2d.
    """
    return _lp_pool(2, input, kernel_size, stride, ceil_mode)


@operation()
def lp_pool3d(
    input: Shape, /, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Layer:
    """3-d power-average pooling: as `lp_pool2d`, of (N, C, D, H, W)."""
    return _lp_pool(3, input, kernel_size, stride, ceil_mode)


@operation()
def adaptive_avg_pool1d(input: Shape, /, output_size: Sizes) -> Layer:
    """1-d average pooling to a given size: as `adaptive_avg_pool2d`, of (N, C, L)."""
    return _adaptive_avg_pool(1, input, output_size)


@operation()
def adaptive_avg_pool2d(input: Shape, /, output_size: Sizes) -> Layer:
    """2-d average pooling to a given size: (N, C, H, W) or (C, H, W) -> (N, C, *output_size).

    An entry of -1 keeps the input's size. flops = the sum of all window sizes: window i of m over n
    elements runs from floor(i*n/m) to ceil((i + 1)*n/m), and together they hold n + m - gcd(n, m)
    elements; windows in two dimensions hold the product.

    Source: torch.nn.AdaptiveAvgPool2d.
    """
    return _adaptive_avg_pool(2, input, output_size)


@operation()
def adaptive_avg_pool3d(input: Shape, /, output_size: Sizes) -> Layer:
    """3-d average pooling to a given size: as `adaptive_avg_pool2d`, of (N, C, D, H, W)."""
    return _adaptive_avg_pool(3, input, output_size)


@operation()
def adaptive_max_pool1d(input: Shape, /, output_size: Sizes, return_indices: bool = False) -> Layer:
    """1-d max pooling to a given size: as `adaptive_max_pool2d`, of (N, C, L)."""
    return _adaptive_max_pool(1, input, output_size, return_indices)


@operation()
def adaptive_max_pool2d(input: Shape, /, output_size: Sizes, return_indices: bool = False) -> Layer:
    """2-d max pooling to a given size: (N, C, H, W) or (C, H, W) -> (N, C, *output_size).

    The windows are those of `adaptive_avg_pool2d`. flops = the sum of all window sizes, less one
    per output element. The indices are a second output.

    Source: torch.nn.AdaptiveMaxPool2d.
    """
    return _adaptive_max_pool(2, input, output_size, return_indices)


@operation()
def adaptive_max_pool3d(input: Shape, /, output_size: Sizes, return_indices: bool = False) -> Layer:
    """3-d max pooling to a given size: as `adaptive_max_pool2d`, of (N, C, D, H, W)."""
    return _adaptive_max_pool(3, input, output_size, return_indices)


@operation()
def fractional_max_pool2d(
    input: Shape, /, kernel_size: Sizes, output_size: Sizes, return_indices: bool = False
) -> Layer:
    """2-d max pooling with windows in random places: (N, C, H, W) -> (N, C, *output_size).

    flops = K - 1 comparisons per output element, K = prod(kernel_size). The indices are a second
    output.

    Source: torch.nn.FractionalMaxPool2d; Graham, Fractional Max-Pooling, 2014.
    """
    return _fractional_max_pool(2, input, kernel_size, output_size, return_indices)


@operation()
def fractional_max_pool3d(
    input: Shape, /, kernel_size: Sizes, output_size: Sizes, return_indices: bool = False
) -> Layer:
    """3-d max pooling with windows in random places: as `fractional_max_pool2d`."""
    return _fractional_max_pool(3, input, kernel_size, output_size, return_indices)


@operation()
def max_unpool1d(
    input: Shape,
    indices: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Layer:
    """1-d inverse of max pooling: as `max_unpool2d`, of (N, C, L)."""
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@operation()
def max_unpool2d(
    input: Shape,
    indices: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Layer:
    """2-d inverse of max pooling: values and their indices (N, C, H, W) -> (N, C, H', W').

    H' = (H - 1)*stride - 2*padding + kernel_size, or `output_size`, which differs from that by less
    than the stride. flops = 0: values are copied, the others are zero.

    Source: torch.nn.MaxUnpool2d.
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@operation()
def max_unpool3d(
    input: Shape,
    indices: Shape,
    /,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sizes | None = None,
) -> Layer:
    """3-d inverse of max pooling: as `max_unpool2d`, of (N, C, D, H, W)."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
