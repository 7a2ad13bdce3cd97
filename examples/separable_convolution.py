"""A convolution against its depthwise separable form, with netledger's builder (no framework).

    python examples/separable_convolution.py

The depthwise part is a convolution with as many groups as channels; the pointwise part is 1x1.
With K x K kernels the pair costs 1/K^2 + 1/out_channels of the multiply-accumulates, exactly.
"""

from __future__ import annotations

from fractions import Fraction

import netledger as nl


def standard_convolution(
    in_channels: int = 96, out_channels: int = 256, kernel_size: int = 5, size: int = 27
) -> nl.Graph:
    """One convolution that keeps the `size` x `size` features' size (odd kernels)."""
    graph = nl.Graph()
    x = graph.input(1, in_channels, size, size)
    x = nl.conv2d(x, out_channels, kernel_size, padding=kernel_size // 2)
    graph.output(x)
    return graph


def separable_convolution(
    in_channels: int = 96, out_channels: int = 256, kernel_size: int = 5, size: int = 27
) -> nl.Graph:
    """The same shapes, as a depthwise and a pointwise convolution."""
    graph = nl.Graph()
    x = graph.input(1, in_channels, size, size)
    x = nl.conv2d(x, in_channels, kernel_size, padding=kernel_size // 2, groups=in_channels)
    x = nl.conv2d(x, out_channels, kernel_size=1)
    graph.output(x)
    return graph


def separable_convolution_1d(
    in_channels: int = 96, out_channels: int = 256, kernel_size: int = 5, length: int = 100
) -> nl.Graph:
    """The one-dimensional form, for sequences and sound."""
    graph = nl.Graph()
    x = graph.input(1, in_channels, length)
    x = nl.conv1d(x, in_channels, kernel_size, padding=kernel_size // 2, groups=in_channels)
    x = nl.conv1d(x, out_channels, kernel_size=1)
    graph.output(x)
    return graph


def mobilenet_block(
    in_channels: int = 96, out_channels: int = 256, size: int = 27, stride: int = 1
) -> nl.Graph:
    """MobileNet's use of it: 3x3, normalised and activated after both parts, hence no biases."""
    graph = nl.Graph()
    x = graph.input(1, in_channels, size, size)
    x = nl.conv2d(x, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False)
    x = nl.relu(nl.batch_norm(x))
    x = nl.conv2d(x, out_channels, kernel_size=1, bias=False)
    x = nl.relu(nl.batch_norm(x))
    graph.output(x)
    return graph


def main() -> None:
    standard = standard_convolution().count(title="standard 5x5, 96 -> 256 channels, 27x27")
    separable = separable_convolution().count(title="depthwise separable")
    ratio = Fraction(separable.macs, standard.macs)
    print(standard, separable, sep="\n\n")
    print(f"macs ratio: {ratio} = 1/25 + 1/256 = {float(ratio):.4f}\n")
    print(separable_convolution_1d().count(title="depthwise separable, 1-d, length 100"))
    print()
    print(mobilenet_block().count(title="MobileNet block"))


if __name__ == "__main__":
    main()
