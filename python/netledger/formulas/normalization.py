"""Normalizations: batch, layer, group, instance, root mean square, local response.

Statistics of n elements count as they are defined: the mean takes n - 1 additions and a division,
the variance n differences, n squares, n - 1 additions and a division, then one addition of epsilon
and one root; dividing the differences by it takes n divisions. Together 5n + 2 operations.
"""

from __future__ import annotations

from math import prod

from netledger.formulas._layer import (
    Layer,
    Shape,
    Sizes,
    Weight,
    elements,
    operation,
    require,
    sequence,
)

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "rms_norm",
]


def _require_channels(input: Shape) -> None:
    require(
        len(input) >= 2,
        f"the input must have at least 2 dimensions, (N, C, *), got {len(input)}",
    )
    require(input[1] > 0, f"the number of channels must be positive, got {input[1]}")


def _weights(channels: int, affine: bool, running: bool) -> tuple[Weight, ...]:
    """In the order of torch's state_dict: num_batches_tracked, never read here, comes last."""
    parameters = (Weight((channels,)),) * 2 if affine else ()
    statistics = (Weight((channels,), "buffer"),) * 2 + (Weight((), "buffer", read=False),)
    return parameters + (statistics if running else ())


def _standardized(rows: int, n: int, weights: int) -> int:
    """Operations for rows of n elements, each then scaled and shifted by the weights there are."""
    return rows * ((5 + weights) * n + 2)


@operation()
def batch_norm(input: Shape, /, affine: bool = True, track_running_stats: bool = True) -> Layer:
    """Batch normalization in inference: (N, C, *), kept.

    * params = 2C if affine: weight and bias
    * buffers = 2C + 1 if track_running_stats: running_mean, running_var, num_batches_tracked
    * flops with running statistics = 2 per element, whether affine or not: a product and an
      addition, with coefficients that do not depend on the input
    * flops without = 5n + 2 for each channel of n = N * prod(*) elements, n at least 2, and 2n more
      if affine

    Source: torch.nn.BatchNorm2d; Ioffe and Szegedy, Batch Normalization, 2015, algorithms 1 and 2.
    """
    _require_channels(input)
    batch, channels, *spatial = input
    if track_running_stats:
        flops = 2 * elements(input)
    else:
        n = batch * prod(spatial)
        require(n > 1, f"the statistics of a channel need more than one value, got {n}")
        flops = _standardized(channels, n, 2 * affine)
    weights = _weights(channels, affine, track_running_stats)
    return Layer(shapes=(input,), weights=weights, flops=flops)


@operation()
def instance_norm(
    input: Shape, /, affine: bool = False, track_running_stats: bool = False
) -> Layer:
    """Instance normalization in inference: (N, C, *), kept.

    An unbatched (C, *) takes a batch of 1 first, as torch's modules give it. Parameters, buffers
    and running statistics are those of `batch_norm`. Without running statistics flops = 5n + 2 for
    each channel of each sample, n = prod(*) at least 2, and 2n more if affine.

    Source: torch.nn.InstanceNorm2d; Ulyanov et al., Instance Normalization, 2016.
    """
    _require_channels(input)
    batch, channels, *spatial = input
    if track_running_stats:
        flops = 2 * elements(input)
    else:
        n = prod(spatial)
        require(n > 1, f"the statistics of a channel need more than one value, got {n}")
        flops = _standardized(batch * channels, n, 2 * affine)
    weights = _weights(channels, affine, track_running_stats)
    return Layer(shapes=(input,), weights=weights, flops=flops)


@operation()
def group_norm(input: Shape, /, num_groups: int, affine: bool = True) -> Layer:
    """Group normalization: (N, C, *), kept. `num_groups` divides C.

    * params = 2C if affine
    * flops = 5n + 2 for each group of each sample, n = C / num_groups * prod(*) elements, and 2n
      more if affine

    A batch with a single value per group is refused, as torch does.

    Source: torch.nn.GroupNorm; Wu and He, Group Normalization, 2018.
    """
    _require_channels(input)
    batch, channels, *spatial = input
    require(num_groups > 0, f"num_groups must be positive, got {num_groups}")
    require(
        channels % num_groups == 0,
        f"the {channels} channels are not divisible by num_groups {num_groups}",
    )
    n = channels // num_groups * prod(spatial)
    require(n > 0, f"the statistics of a group need a value, got {n}")
    require(
        batch * n != 1,
        "the statistics of a group need more than one value in the batch, got 1",
    )
    return Layer(
        shapes=(input,),
        weights=_weights(channels, affine, running=False),
        flops=_standardized(batch * num_groups, n, 2 * affine),
    )


def _trailing_rows(input: Shape, normalized_shape: Sizes) -> tuple[int, int, Shape]:
    """Count and length of the rows that all elements of the last dimensions make."""
    shape = sequence(normalized_shape)
    require(len(shape) > 0, "normalized_shape must not be empty")
    require(
        len(shape) <= len(input),
        f"normalized_shape {shape} has more dimensions than the input, {len(input)}",
    )
    first = len(input) - len(shape)
    for d, size in enumerate(shape, first):
        require(
            input[d] == size,
            f"the input must end in normalized_shape {shape}, got {input[d]} in dimension {d}",
        )
    length = elements(shape)
    require(length > 0, f"normalized_shape {shape} holds no element")
    return elements(input[:first]), length, shape


@operation()
def layer_norm(
    input: Shape,
    /,
    normalized_shape: Sizes,
    elementwise_affine: bool = True,
    bias: bool = True,
) -> Layer:
    """Layer normalization over the last dimensions, which are `normalized_shape`: shape kept.

    With n = prod(normalized_shape):

    * params = n if elementwise_affine, and n more with bias, which has no meaning otherwise
    * flops = 5n + 2 for each row of n elements, n more for the weight, n more for the bias

    Source: torch.nn.LayerNorm; Ba et al., Layer Normalization, 2016.
    """
    rows, n, shape = _trailing_rows(input, normalized_shape)
    weights = elementwise_affine + (elementwise_affine and bias)
    return Layer(
        shapes=(input,),
        weights=(Weight(shape),) * weights,
        flops=_standardized(rows, n, weights),
    )


@operation()
def rms_norm(input: Shape, /, normalized_shape: Sizes, elementwise_affine: bool = True) -> Layer:
    """Division by the root mean square over the last dimensions, `normalized_shape`: shape kept.

    With n = prod(normalized_shape):

    * params = n if elementwise_affine
    * flops = 3n + 2 for each row of n elements: n squares, n - 1 additions and a division, epsilon
      and the root, n divisions; n more for the weight

    Source: torch.nn.RMSNorm; Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.
    """
    rows, n, shape = _trailing_rows(input, normalized_shape)
    return Layer(
        shapes=(input,),
        weights=(Weight(shape),) * elementwise_affine,
        flops=rows * ((3 + elementwise_affine) * n + 2),
    )


@operation()
def local_response_norm(input: Shape, /, size: int) -> Layer:
    """x / (k + alpha / size * sum of the squares of `size` channels) ** beta: (N, C, *), kept.

    flops = size + 5 per element: a square, size - 1 additions, a division by size, alpha, k, the
    power and the division. Neighbouring channels beyond the ends count as zeros, which are added.

    Source: torch.nn.LocalResponseNorm; Krizhevsky et al., ImageNet Classification with Deep
    Convolutional Neural Networks, 2012, section 3.3.
    """
    require(
        len(input) >= 3,
        f"the input must have at least 3 dimensions, (N, C, *), got {len(input)}",
    )
    require(size > 0, f"size must be positive, got {size}")
    return Layer(shapes=(input,), flops=elements(input) * (size + 5))
