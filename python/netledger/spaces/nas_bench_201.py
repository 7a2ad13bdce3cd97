"""NAS-Bench-201, also the topology search space of NATS-Bench: 15,625 cells.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
ICLR 2020. A cell has four nodes and one operation on each of the six edges between them; the
network stacks 5 cells at each of three resolutions.

The network is the one that the authors run: every edge is built, whether or not its result reaches
the output, `none` multiplies by zero, and the sum of a node begins with zero.
"""

from __future__ import annotations

import functools
import itertools
import random
from typing import Any

import numpy as np

import netledger as nl

__all__ = ["OPERATIONS", "NasBench201", "architectures", "nas_bench_201"]

#: In the order in which the benchmark enumerates them.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

#: (node, the node it reads), in the order of the architecture string.
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))

#: Width and height of the images, and number of classes.
DATASETS = {"cifar10": (32, 10), "cifar100": (32, 100), "ImageNet16-120": (16, 120)}


class NasBench201(nl.Space):
    """The space that `nas_bench_201` returns.

    Variables: ``"1<-0"``, ``"2<-0"``, ``"2<-1"``, ``"3<-0"``, ``"3<-1"``, ``"3<-2"``, the operation
    on each edge.
    """

    def __init__(self, dataset: str) -> None:
        if dataset not in DATASETS:
            raise nl.SpaceError(f"NAS-Bench-201 has {', '.join(DATASETS)}; got {dataset!r}")
        super().__init__()
        size, classes = DATASETS[dataset]
        edges = {edge: self.choice("{}<-{}".format(*edge), OPERATIONS) for edge in EDGES}

        def cell(x: nl.Tensor) -> nl.Tensor:
            nodes = [x]
            for node in (1, 2, 3):
                terms = [
                    self.switch(edges[node, source], BRANCHES, nodes[source])
                    for source in range(node)
                ]
                nodes.append(functools.reduce(nl.add, terms[1:], nl.add(terms[0])))  # 0 + ...
            return nodes[-1]

        x = self.input(1, 3, size, size)
        x = nl.batch_norm(nl.conv2d(x, 16, 3, padding=1, bias=False))
        for channels in (16, 32, 64):
            if channels > 16:
                x = reduction(x, channels)
            x = self.repeat(5, cell, x)
        x = nl.relu(nl.batch_norm(x))
        x = nl.flatten(nl.adaptive_avg_pool2d(x, 1), 1)
        self.output(nl.linear(x, classes))

    def encode(self, config: Any) -> np.ndarray:
        """The code row of an architecture string, of its index, or of a dict of values."""
        if isinstance(config, int):
            if not 0 <= config < len(architectures()):
                raise nl.SpaceError(f"the architectures have indices 0 to 15,624, got {config}")
            config = architectures()[config]
        if isinstance(config, str):
            config = {
                f"{node}<-{source}": operation
                for node, inputs in enumerate(config.split("+"), 1)
                for operation, _, source in (one.partition("~") for one in inputs[1:-1].split("|"))
            }
        return super().encode(config)

    def decode(self, row: Any, inactive: bool = False) -> str:
        """The architecture string of a code row: ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
        values = super().decode(row, inactive)
        nodes = ["", "", "", ""]
        for node, source in EDGES:
            nodes[node] += f"|{values[f'{node}<-{source}']}~{source}"
        return "+".join(f"{node}|" for node in nodes[1:])


def nas_bench_201(dataset: str = "cifar10") -> NasBench201:
    """NAS-Bench-201: 5 operations on each of 6 edges, 15,625 cells.

    Args:
        dataset: ``"cifar10"`` (32x32, 10 classes), ``"cifar100"`` (32x32, 100 classes) or
            ``"ImageNet16-120"`` (16x16, 120 classes).

    The FLOPs in the benchmark are those of ``conventions="xautodl"``.
    """
    return NasBench201(dataset)


@functools.lru_cache(maxsize=1)
def architectures() -> tuple[str, ...]:
    """All architecture strings, each at its index in the benchmark."""
    texts = [
        "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*operations)
        for operations in itertools.product(OPERATIONS, repeat=6)
    ]
    random.Random(88).shuffle(texts)  # the order that the authors fixed
    return tuple(texts)


def convolution(x: nl.Tensor, channels: int, kernel_size: int, stride: int = 1) -> nl.Tensor:
    """ReLU, convolution without bias, batch norm."""
    x = nl.conv2d(
        nl.relu(x), channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False
    )
    return nl.batch_norm(x)


def reduction(x: nl.Tensor, channels: int) -> nl.Tensor:
    """A residual block that halves the resolution; its shortcut has no batch norm."""
    y = convolution(convolution(x, channels, 3, stride=2), channels, 3)
    return nl.add(nl.conv2d(nl.avg_pool2d(x, 2), channels, 1, bias=False), y)


#: What each operation does to its input.
BRANCHES = {
    "none": nl.mul,
    "skip_connect": lambda x: x,
    "nor_conv_1x1": lambda x: convolution(x, x.shape[1], 1),
    "nor_conv_3x3": lambda x: convolution(x, x.shape[1], 3),
    "avg_pool_3x3": lambda x: nl.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
}
