"""How the Inception networks save operations, with netledger's builder (no framework).

    python examples/inception.py

1x1 convolutions that reduce the channels before 3x3 and 5x5 ones, two 3x3 convolutions for a 5x5
one, a row and a column for a square kernel, global average pooling in front of the classifier.
"""

from __future__ import annotations

import netledger as nl


def naive_module(channels: int = 192, size: int = 28) -> nl.Graph:
    """Inception (3a) with 3x3 and 5x5 convolutions on all input channels."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    branches = [
        nl.conv2d(x, 64, 1, bias=False),
        nl.conv2d(x, 128, 3, padding=1, bias=False),
        nl.conv2d(x, 32, 5, padding=2, bias=False),
        nl.max_pool2d(x, 3, 1, padding=1),
    ]
    graph.output(nl.concat(*branches, dim=1))
    return graph


def reduced_module(channels: int = 192, size: int = 28) -> nl.Graph:
    """Inception (3a) as published: 1x1 convolutions reduce the channels first."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    pooled = nl.max_pool2d(x, 3, 1, padding=1)
    branches = [
        nl.conv2d(x, 64, 1, bias=False),
        nl.conv2d(nl.conv2d(x, 96, 1, bias=False), 128, 3, padding=1, bias=False),
        nl.conv2d(nl.conv2d(x, 16, 1, bias=False), 32, 5, padding=2, bias=False),
        nl.conv2d(pooled, 32, 1, bias=False),
    ]
    graph.output(nl.concat(*branches, dim=1))
    return graph


def square_kernel(kernel_size: int = 5, channels: int = 64, size: int = 28) -> nl.Graph:
    """One K x K convolution that keeps channels and size (odd K)."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    graph.output(nl.conv2d(x, channels, kernel_size, padding=kernel_size // 2, bias=False))
    return graph


def stacked_kernels(channels: int = 64, size: int = 28) -> nl.Graph:
    """Two 3x3 convolutions: together they see 5x5."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    x = nl.conv2d(x, channels, 3, padding=1, bias=False)
    graph.output(nl.conv2d(x, channels, 3, padding=1, bias=False))
    return graph


def row_and_column(kernel_size: int = 7, channels: int = 64, size: int = 28) -> nl.Graph:
    """A 1 x K and a K x 1 convolution: together they see K x K."""
    pad = kernel_size // 2
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    x = nl.conv2d(x, channels, [1, kernel_size], padding=[0, pad], bias=False)
    graph.output(nl.conv2d(x, channels, [kernel_size, 1], padding=[pad, 0], bias=False))
    return graph


def flattened_classifier(channels: int = 1024, size: int = 7, num_classes: int = 1000) -> nl.Graph:
    """A linear layer on all positions of all channels."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    graph.output(nl.linear(nl.flatten(x, 1), num_classes))
    return graph


def pooled_classifier(channels: int = 1024, size: int = 7, num_classes: int = 1000) -> nl.Graph:
    """Global average pooling, then a linear layer on the channels."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    x = nl.adaptive_avg_pool2d(x, 1)
    graph.output(nl.linear(nl.flatten(x, 1), num_classes))
    return graph


def main() -> None:
    rows = [
        ("module (3a), no reduction", naive_module()),
        ("module (3a), 1x1 reductions", reduced_module()),
        ("5x5", square_kernel(5)),
        ("3x3, 3x3", stacked_kernels()),
        ("7x7", square_kernel(7)),
        ("1x7, 7x1", row_and_column(7)),
        ("flatten, linear", flattened_classifier()),
        ("global average pooling, linear", pooled_classifier()),
    ]
    print(f"{'':<32} {'params':>12} {'macs':>14} {'flops':>14}")
    for name, graph in rows:
        ledger = graph.count()
        print(f"{name:<32} {ledger.params:>12,} {ledger.macs:>14,} {ledger.flops:>14,}")


if __name__ == "__main__":
    main()
