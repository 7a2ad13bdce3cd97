"""The networks of the catalogue, walked through layer by layer in plain Python.

Each function adds up what one network costs from its config in the authors' notation, with the
formulas of their papers and counters, and without netledger.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np


@dataclass
class Tally:
    """What was counted so far.

    Attributes:
        params: weights of convolutions, linear layers and normalizations.
        macs: multiply-accumulates of contractions.
        biases: outputs to which a bias is added.
        flops: every operation, as in the textbooks.
        activations: outputs of contractions.
    """

    params: int = 0
    macs: int = 0
    biases: int = 0
    flops: int = 0
    activations: int = 0

    def conv(
        self, c_in: int, c_out: int, k: int, size: int, groups: int = 1, bias: bool = False
    ) -> None:
        """A square convolution with outputs of size x size."""
        outputs, terms = c_out * size * size, k * k * c_in // groups
        self.params += c_out * terms + c_out * bias
        self.macs += outputs * terms
        self.biases += outputs * bias
        self.flops += outputs * (2 * terms - 1 + bias)
        self.activations += outputs

    def conv_norm(self, c_in: int, c_out: int, k: int, size: int, groups: int = 1) -> None:
        """A convolution without bias and a batch norm."""
        self.conv(c_in, c_out, k, size, groups)
        self.norm(c_out, size)

    def norm(self, channels: int, size: int) -> None:
        """A batch norm in inference."""
        self.params += 2 * channels
        self.each(2, channels, size)

    def each(self, operations: int, channels: int, size: int) -> None:
        """So many operations for each of channels x size x size elements."""
        self.flops += operations * channels * size * size

    def spatial_mean(self, channels: int, size: int) -> None:
        """The mean of each column, and the mean of these."""
        self.flops += channels * (size * size + size)

    def linear(self, c_in: int, c_out: int, rows: int = 1) -> None:
        """A linear layer with bias."""
        self.params += c_in * c_out + c_out
        self.macs += rows * c_in * c_out
        self.biases += rows * c_out
        self.flops += rows * c_out * 2 * c_in
        self.activations += rows * c_out

    def matmul(self, rows: int, terms: int, columns: int, times: int = 1) -> None:
        """Products of two activations."""
        outputs = times * rows * columns
        self.macs += outputs * terms
        self.flops += outputs * (2 * terms - 1)
        self.activations += outputs

    @property
    def macs_and_biases(self) -> int:
        """The FLOPs of xautodl and pycls."""
        return self.macs + self.biases


def make_divisible(value: float) -> int:
    """A width as a multiple of 8."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


# -- NAS-Bench-201 ---------------------------------------------------------------------------------

NAS_BENCH_201_DATASETS = {"cifar10": (32, 10), "cifar100": (32, 100), "ImageNet16-120": (16, 120)}


def operations_of(arch: str) -> list[str]:
    """The operations of an architecture string."""
    entries = arch.replace("+", "").split("|")
    return [entry.split("~")[0] for entry in entries if entry]


def nas_bench_201(arch: str, dataset: str) -> Tally:
    """Fifteen cells between a stem, two residual blocks and a classifier."""
    tally = Tally()
    size, classes = NAS_BENCH_201_DATASETS[dataset]
    tally.conv_norm(3, 16, 3, size)
    for channels in (16, 32, 64):
        if channels > 16:
            half = channels // 2
            tally.each(1, half, size)
            size //= 2
            tally.conv_norm(half, channels, 3, size)
            tally.each(1, channels, size)
            tally.conv_norm(channels, channels, 3, size)
            tally.each(4, half, size)  # the mean of 2x2
            tally.conv(half, channels, 1, size)
            tally.each(1, channels, size)
        for _ in range(5):
            for operation in operations_of(arch):
                if operation.startswith("nor_conv"):
                    tally.each(1, channels, size)
                    tally.conv_norm(channels, channels, int(operation[-1]), size)
                else:
                    tally.each({"none": 1, "skip_connect": 0}.get(operation, 9), channels, size)
            tally.each(6, channels, size)  # 1 + 2 + 3 sums in the nodes, which begin with 0
    tally.norm(64, size)
    tally.each(1 + 1, 64, size)  # ReLU, mean
    tally.linear(64, classes)
    return tally


def nas_bench_201_closed_form(arch: str, dataset: str) -> tuple[int, int]:
    """FLOPs of xautodl and parameters, from how many 1x1 and 3x3 convolutions a cell has."""
    size, classes = NAS_BENCH_201_DATASETS[dataset]
    ones, threes = arch.count("nor_conv_1x1"), arch.count("nor_conv_3x3")
    stages = [(16, size), (32, size // 2), (64, size // 4)]
    flops = 27 * 16 * size**2 + 64 * classes + classes
    params = 432 + 32 + 128 + 65 * classes
    for c, h in stages:
        flops += 5 * (ones + 9 * threes) * c**2 * h**2
        params += 5 * (ones * (c**2 + 2 * c) + threes * (9 * c**2 + 2 * c))
    for (a, _), (b, h) in itertools.pairwise(stages):
        flops += (9 * a * b + 9 * b**2 + a * b) * h**2
        params += 9 * a * b + 9 * b**2 + a * b + 4 * b
    return flops, params


# -- once-for-all MobileNetV3 ----------------------------------------------------------------------


def ofa_mobilenet_v3(
    ks: Sequence[int],
    e: Sequence[int],
    d: Sequence[int],
    r: int,
    width_mult: float = 1.0,
) -> Tally:
    """The subnet of the first d blocks of each stage."""
    widths = [
        make_divisible(width * width_mult) for width in (16, 16, 24, 40, 80, 112, 160, 960, 1280)
    ]
    tally, size = Tally(), (r + 1) // 2
    relu, swish = 1, 5
    tally.conv_norm(3, widths[0], 3, size)
    tally.each(swish, widths[0], size)
    tally.conv_norm(widths[0], widths[0], 3, size, groups=widths[0])
    tally.each(relu, widths[0], size)
    tally.conv_norm(widths[0], widths[1], 1, size)
    tally.each(widths[0] == widths[1], widths[1], size)
    channels = widths[1]
    activations = (relu, relu, swish, swish, swish)
    stages = zip(widths[2:7], (2, 2, 2, 1, 2), activations, (0, 1, 0, 1, 1), strict=True)
    for stage, (width, first_stride, activation, squeeze) in enumerate(stages):
        for i in range(4 * stage, 4 * stage + d[stage]):
            middle = make_divisible(channels * e[i])
            tally.conv_norm(channels, middle, 1, size)
            tally.each(activation, middle, size)
            stride = first_stride if i % 4 == 0 else 1
            size = (size - 1) // stride + 1
            tally.conv_norm(middle, middle, ks[i], size, groups=middle)
            tally.each(activation, middle, size)
            if squeeze:
                inner = make_divisible(middle // 4)
                tally.spatial_mean(middle, size)
                tally.conv(middle, inner, 1, 1, bias=True)
                tally.each(relu, inner, 1)
                tally.conv(inner, middle, 1, 1, bias=True)
                tally.each(4, middle, 1)  # hard sigmoid
                tally.each(1, middle, size)
            tally.conv_norm(middle, width, 1, size)
            tally.each(stride == 1 and channels == width, width, size)
            channels = width
    tally.conv_norm(channels, widths[7], 1, size)
    tally.each(swish, widths[7], size)
    tally.spatial_mean(widths[7], size)
    tally.conv(widths[7], widths[8], 1, 1)
    tally.each(swish, widths[8], 1)
    tally.linear(widths[8], 1000)
    return tally


# -- DARTS -----------------------------------------------------------------------------------------


def darts(genotype: Any, dataset: str, channels: int, layers: int, classes: int) -> Tally:
    """The network of a genotype, without auxiliary head."""
    tally = Tally()
    if dataset == "imagenet":
        tally.conv_norm(3, channels // 2, 3, 112)
        tally.each(1, channels // 2, 112)
        tally.conv_norm(channels // 2, channels, 3, 56)
        tally.each(1, channels, 56)
        tally.conv_norm(channels, channels, 3, 28)
        inputs = [(channels, 56), (channels, 28)]
    else:
        tally.conv_norm(3, 3 * channels, 3, 32)
        inputs = [(3 * channels, 32)] * 2
    c = channels
    for layer in range(layers):
        reduction = layer in (layers // 3, 2 * layers // 3)
        c *= 1 + reduction
        size = inputs[1][1]
        for width, input_size in inputs:  # a halving one has two convolutions of half the outputs
            tally.each(1, width, input_size)
            tally.conv_norm(width, c, 1, size)
        out = size // 2 if reduction else size
        edges = genotype.reduce if reduction else genotype.normal
        for operation, state in edges:
            _darts_operation(tally, operation, c, size if state < 2 else out, out)
        tally.each(len(edges) // 2, c, out)
        inputs = [inputs[1], (4 * c, out)]
    width, size = inputs[1]
    tally.each(1, width, size)  # mean
    tally.linear(width, classes)
    return tally


def _darts_operation(tally: Tally, operation: str, c: int, size: int, out: int) -> None:
    if operation in ("max_pool_3x3", "avg_pool_3x3"):
        tally.each(8 if operation == "max_pool_3x3" else 9, c, out)
    elif operation == "skip_connect":
        if size != out:
            tally.each(1, c, size)
            tally.conv_norm(c, c, 1, out)
    else:
        kind, _, kernel = operation.split("_")
        for read in (size, out) if kind == "sep" else (size,):
            tally.each(1, c, read)
            tally.conv(c, c, int(kernel[0]), out, groups=c)
            tally.conv_norm(c, c, 1, out)


# -- AutoFormer ------------------------------------------------------------------------------------


def autoformer(
    embed_dim: int, mlp_ratio: Sequence[float], num_heads: Sequence[int]
) -> tuple[Tally, int]:
    """The network, and what the authors' ``get_complexity(196)`` returns."""
    tally, n, e = Tally(), 197, embed_dim
    tally.conv(3, e, 16, 14, bias=True)
    tally.params += e + n * e  # class token, positions
    tally.flops += n * e
    complexity = e + 196 * 768 * e + Fraction(n * e, 2) + n * 1000 * e
    for ratio, heads in zip(mlp_ratio, num_heads, strict=True):
        q, hidden = 64 * heads, int(e * ratio)
        tally.params += 4 * e + 2 * 2 * 30 * 64
        tally.flops += 2 * (n * (5 * e + 2) + 2 * n * e)  # two layer norms
        tally.linear(e, 3 * q, n)
        tally.matmul(n, 64, n, heads)  # queries and keys
        tally.matmul(n, 64, n, heads)  # queries and relative positions
        tally.matmul(n, n, 64, heads)  # weights and values
        tally.matmul(n, n, 64, heads)  # weights and relative positions
        tally.flops += 2 * n * n * 64  # rows plus columns, for keys and for values
        tally.flops += 2 * heads * n * n + heads * n * n  # both scaled, added
        tally.flops += heads * n * (3 * n - 1)  # softmax
        tally.flops += n * q  # the values of the two added
        tally.linear(q, e, n)
        tally.linear(e, hidden, n)
        tally.flops += 2 * n * hidden  # GELU
        tally.linear(hidden, e, n)
        tally.flops += 2 * n * e  # residuals
        m = 198
        complexity += 2 * m * e + m * 3 * q * e + 2 * m * m * q + m * q * e + 2 * m * e * hidden
        complexity += 28 * m * m + Fraction(m * m, 2) + Fraction(m * q, 2)
    tally.params += 2 * e
    tally.flops += n * (5 * e + 2) + 2 * n * e
    tally.linear(e, 1000)
    assert complexity.denominator == 1
    return tally, int(complexity)


# -- RegNet and AnyNet -----------------------------------------------------------------------------


def regnet_stages(
    depth: int, w_0: int, w_a: float, w_m: float, group_width: int
) -> list[tuple[int, int, int, int]] | None:
    """Depth, width, bottleneck width and group width of the four stages; None if there are not 4.

    In floating point, operation by operation as the authors' generator has it.
    """
    u = np.arange(depth) * w_a + w_0
    k = np.round(np.log(u / w_0) / np.log(w_m))
    quantized = np.round(w_0 * np.power(w_m, k) / 8).astype(int) * 8
    widths = sorted(set(quantized.tolist()))
    if not len(widths) == k.max() + 1 == 4:
        return None
    stages = []
    for width in widths:
        group = min(group_width, width)
        adjusted = max(group, round(width / group) * group)
        stages.append((int((quantized == width).sum()), adjusted, adjusted, group))
    return stages


def anynet(stages: Sequence[tuple[int, int, int, int]], se_ratio: float = 0) -> Tally:
    """A network of residual bottlenecks on images of 224x224."""
    tally, size, channels = Tally(), 112, 32
    tally.conv_norm(3, 32, 3, size)
    tally.each(1, 32, size)
    for depth, width, inner, group in stages:
        for i in range(depth):
            out = size if i else (size - 1) // 2 + 1
            if i == 0:
                tally.conv_norm(channels, width, 1, out)
            tally.conv_norm(channels, inner, 1, size)
            tally.each(1, inner, size)
            tally.conv_norm(inner, inner, 3, out, groups=inner // group)
            tally.each(1, inner, out)
            squeezed = round(channels * se_ratio)
            if squeezed:
                tally.each(1 + 1, inner, out)  # mean, scaling
                tally.conv(inner, squeezed, 1, 1, bias=True)
                tally.each(1, squeezed, 1)
                tally.conv(squeezed, inner, 1, 1, bias=True)
                tally.each(1, inner, 1)
            tally.conv_norm(inner, width, 1, out)
            tally.each(1 + 1, width, out)  # the sum and its ReLU
            size, channels = out, width
    tally.each(1, channels, size)  # mean
    tally.linear(channels, 1000)
    return tally


# -- NAS-Bench-101 ---------------------------------------------------------------------------------


def pruned(matrix: Any, labels: Sequence[str]) -> tuple[Any, list[str]] | None:
    """A module without the vertices that are not on a path from input to output."""
    paths = np.array(matrix, dtype=bool)
    count = len(paths)
    closure = paths | np.eye(count, dtype=bool)
    for _ in range(count):
        closure = closure @ closure
    if not closure[0, -1]:
        return None
    kept = [v for v in range(count) if closure[0, v] and closure[v, -1]]
    return np.array(matrix)[np.ix_(kept, kept)], [labels[v] for v in kept]


def nas_bench_101(matrix: Any, labels: Sequence[str]) -> Tally | None:
    """Three stacks of three modules; None if the module is not in the benchmark."""
    module = pruned(matrix, labels)
    if module is None or module[0].sum() > 9 or len(module[1]) > 7:
        return None
    tally = Tally()
    tally.conv_norm(3, 128, 3, 32)
    tally.each(1, 128, 32)
    size, channels = 32, 128
    for width in (128, 256, 512):
        if width > 128:
            size //= 2
            tally.each(3, channels, size)  # the maximum of 2x2
        for _ in range(3):
            _module(tally, *module, channels, width, size)
            channels = width
    tally.each(1, channels, size)  # mean
    tally.linear(channels, 10)
    return tally


def _module(tally: Tally, matrix: Any, labels: Sequence[str], c_in: int, c: int, size: int) -> None:
    last = len(labels) - 1

    def projection(width: int) -> None:
        tally.conv_norm(c_in, width, 1, size)
        tally.each(1, width, size)

    widths = dict.fromkeys(range(1, last), 0)
    feeding = [v for v in widths if matrix[v, last]]
    for position, v in enumerate(feeding):
        widths[v] = c // len(feeding) + (position < c % len(feeding))
    for v in reversed(widths):
        if v not in feeding:
            widths[v] = max(widths[u] for u in widths if u > v and matrix[v, u])
    for v, width in widths.items():
        if matrix[0, v]:
            projection(width)
        tally.each(int(matrix[:, v].sum()) - 1, width, size)
        if labels[v] == "maxpool3x3":
            tally.each(8, width, size)
        else:
            tally.conv_norm(width, width, int(labels[v][4]), size)
            tally.each(1, width, size)
    if matrix[0, last]:
        projection(c)
        tally.each(bool(feeding), c, size)


def combinations_of_depths(per_block: int, depths: Sequence[int]) -> int:
    """How many stages there are of so many options for each block."""
    return sum(per_block**depth for depth in depths)


def darts_cells() -> int:
    """How many cells there are: a pair of earlier states and two of 7 operations for each node."""
    return math.prod(math.comb(node, 2) * 7**2 for node in (2, 3, 4, 5))
