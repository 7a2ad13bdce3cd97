"""ShuffleNetV2's four guidelines in numbers, with netledger's builder (no framework).

    python examples/memory_access.py

The memory access of a 1x1 convolution is h w (c1 + c2) + c1 c2 / g elements: input, output,
weights. Equal multiply-accumulates do not mean equal memory access, and time follows both.
Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, 2018.
"""

from __future__ import annotations

import netledger as nl


def pointwise(in_channels: int, out_channels: int, size: int = 56, groups: int = 1) -> nl.Graph:
    """One 1x1 convolution."""
    graph = nl.Graph()
    x = graph.input(1, in_channels, size, size)
    graph.output(nl.conv2d(x, out_channels, 1, groups=groups, bias=False))
    return graph


def fragments(branches: int, channels: int = 128, size: int = 56) -> nl.Graph:
    """A 1x1 convolution, its output channels made by `branches` parallel convolutions."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    outputs = [nl.conv2d(x, channels // branches, 1, bias=False) for _ in range(branches)]
    graph.output(nl.concat(*outputs, dim=1) if branches > 1 else outputs[0])
    return graph


def bottleneck(
    relu: bool = True, shortcut: bool = True, channels: int = 128, size: int = 56
) -> nl.Graph:
    """1x1, 3x3, 1x1 convolutions through a quarter of the channels."""
    graph = nl.Graph()
    x = graph.input(1, channels, size, size)
    y = nl.conv2d(x, channels // 4, 1, bias=False)
    y = nl.relu(y) if relu else y
    y = nl.conv2d(y, channels // 4, 3, padding=1, bias=False)
    y = nl.relu(y) if relu else y
    y = nl.conv2d(y, channels, 1, bias=False)
    y = nl.add(x, y) if shortcut else y
    graph.output(nl.relu(y) if relu else y)
    return graph


def report(name: str, graph: nl.Graph) -> None:
    """One line: what it computes, what it moves."""
    ledger = graph.count()
    print(
        f"{name:<36} {ledger.macs:>12,} {ledger.flops:>12,} {ledger.memory_access:>12,}"
        f" {ledger.macs / ledger.memory_access:>8.1f}"
    )


def main() -> None:
    print(f"{'':<36} {'macs':>12} {'flops':>12} {'memory':>12} {'macs/mem':>8}")
    print("1. equal channel widths minimise memory access")
    for in_channels, out_channels in ((128, 128), (64, 256), (32, 512), (16, 1024)):
        report(f"   {in_channels} -> {out_channels}", pointwise(in_channels, out_channels))
    print("2. groups at equal macs increase memory access")
    for groups in (1, 2, 4, 8):
        report(
            f"   128 -> {128 * groups}, groups {groups}", pointwise(128, 128 * groups, 56, groups)
        )
    print("3. fragmentation reads the input again and again")
    for branches in (1, 2, 4):
        report(f"   {branches} in parallel", fragments(branches))
    print("4. element-wise operations cost memory, not macs")
    for relu, shortcut in ((False, False), (True, False), (False, True), (True, True)):
        name = " + ".join(["bottleneck", *["relu"] * relu, *["shortcut"] * shortcut])
        report(f"   {name}", bottleneck(relu, shortcut))


if __name__ == "__main__":
    main()
