"""DARTS: a normal and a reduction cell of four nodes with two inputs each.

Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019. Each node adds two
operations, out of 7, on two different earlier states: C(2,2) C(3,2) C(4,2) C(5,2) 7^8 =
1,037,664,180 cells, and that squared for a pair of them. The networks are the ones that the authors
train at the end, without the auxiliary head.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import netledger as nl

__all__ = ["OPERATIONS", "Darts", "Genotype", "darts"]

OPERATIONS = (
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)

NODES = (2, 3, 4, 5)


class Genotype(NamedTuple):
    """The authors' notation: (operation, state) twice for each node; states 0 and 1 are inputs."""

    normal: Sequence[tuple[str, int]]
    normal_concat: Sequence[int]
    reduce: Sequence[tuple[str, int]]
    reduce_concat: Sequence[int]


class Darts(nl.Space):
    """The space that `darts` returns.

    Variables of each cell (``normal`` and ``reduce``) and node (2 to 5): ``normal_2_inputs``, the
    pair of states that it reads; ``normal_2_first`` and ``normal_2_second``, the operations on the
    lower and on the higher of them.
    """

    def __init__(self, channels: int, layers: int, classes: int, imagenet: bool) -> None:
        super().__init__()
        normal, reduce = self.cell("normal"), self.cell("reduce")
        if imagenet:
            x = self.input(1, 3, 224, 224)
            x = nl.relu(convolution(x, channels // 2, 3, stride=2))
            s0 = convolution(x, channels, 3, stride=2)
            s1 = convolution(nl.relu(s0), channels, 3, stride=2)
        else:
            s0 = s1 = convolution(self.input(1, 3, 32, 32), 3 * channels, 3)
        after_reduction = imagenet
        for layer in range(layers):
            reduction = layer in (layers // 3, 2 * layers // 3)
            channels *= 2 if reduction else 1
            x = factorized_reduce(s0, channels) if after_reduction else squeeze(s0, channels)
            states = [x, squeeze(s1, channels)]
            for node in reduce if reduction else normal:
                states.append(self.add_node(states, *node, reduction))
            s0, s1 = s1, nl.concat(*states[2:], dim=1)
            after_reduction = reduction
        x = nl.flatten(nl.adaptive_avg_pool2d(s1, 1), 1)
        self.output(nl.linear(x, classes))

    def cell(self, name: str) -> list[tuple[Any, Any, Any]]:
        """Declare the choices of a cell: two inputs and two operations for each node."""
        return [
            (
                self.choice(f"{name}_{node}_inputs", list(itertools.combinations(range(node), 2))),
                self.choice(f"{name}_{node}_first", OPERATIONS),
                self.choice(f"{name}_{node}_second", OPERATIONS),
            )
            for node in NODES
        ]

    def add_node(
        self, states: list[nl.Tensor], inputs: Any, first: Any, second: Any, reduction: bool
    ) -> nl.Tensor:
        """The sum of two operations on two states; those on the inputs of a reduction halve it."""
        terms = []
        for operation, state in ((first, inputs.map(min)), (second, inputs.map(max))):
            halves = state < 2 if reduction else False
            branches = self.branches(halves)
            terms.append(self.switch(operation, branches, self.pick(state, states)))
        return nl.add(*terms)

    def branches(self, halves: Any) -> dict[str, Any]:
        """The operations by name, with stride 2 where `halves`."""
        stride = nl.where(halves, 2, 1)

        def skip(x: nl.Tensor) -> Any:
            if isinstance(halves, int):  # the same for all pairs of inputs
                return factorized_reduce(x, x.shape[1]) if halves else x
            with self.when(halves):
                reduced = factorized_reduce(x, x.shape[1])
            return self.pick(halves, [x, reduced])

        return {
            "max_pool_3x3": lambda x: nl.max_pool2d(x, 3, stride=stride, padding=1),
            "avg_pool_3x3": lambda x: nl.avg_pool2d(
                x, 3, stride=stride, padding=1, count_include_pad=False
            ),
            "skip_connect": skip,
            "sep_conv_3x3": lambda x: separable(separable(x, 3, stride), 3, 1),
            "sep_conv_5x5": lambda x: separable(separable(x, 5, stride), 5, 1),
            "dil_conv_3x3": lambda x: separable(x, 3, stride, dilation=2),
            "dil_conv_5x5": lambda x: separable(x, 5, stride, dilation=2),
        }

    def encode(self, config: Any) -> np.ndarray:
        """The code row of a genotype (a named tuple or a dict), or of a dict of values."""
        if not isinstance(config, Mapping) and hasattr(config, "_asdict"):
            config = config._asdict()
        if isinstance(config, Mapping) and "normal_concat" in config:
            genotype, config = config, {}
            for cell in ("normal", "reduce"):
                edges = genotype[cell]
                if tuple(genotype[f"{cell}_concat"]) != NODES or len(edges) != 2 * len(NODES):
                    raise nl.SpaceError(
                        f"a cell of DARTS has 2 edges for each of the nodes {NODES} and "
                        f"concatenates them, got {edges} and {genotype[f'{cell}_concat']}"
                    )
                for i, node in enumerate(NODES):
                    low, high = sorted(edges[2 * i : 2 * i + 2], key=lambda edge: edge[1])
                    config[f"{cell}_{node}_inputs"] = (low[1], high[1])
                    config[f"{cell}_{node}_first"] = low[0]
                    config[f"{cell}_{node}_second"] = high[0]
        return super().encode(config)

    def decode(self, row: Any, inactive: bool = False) -> Genotype:
        """The genotype of a code row, the edges of each node in the order of their states."""
        values = super().decode(row, inactive)

        def edges(cell: str) -> list[tuple[str, int]]:
            return [
                (values[f"{cell}_{node}_{operation}"], state)
                for node in NODES
                for operation, state in zip(
                    ("first", "second"), values[f"{cell}_{node}_inputs"], strict=True
                )
            ]

        return Genotype(edges("normal"), list(NODES), edges("reduce"), list(NODES))


def darts(
    dataset: str = "cifar10",
    channels: int | None = None,
    layers: int | None = None,
    classes: int | None = None,
) -> Darts:
    """The cells of DARTS in the networks that the authors evaluate.

    Args:
        dataset: ``"cifar10"`` (32x32) or ``"imagenet"`` (224x224).
        channels: of the first cells; 36 for CIFAR-10 and 48 for ImageNet if left out. It is 16 in
            the authors' search and 32 in NAS-Bench-301.
        layers: number of cells; 20 or 14 if left out. It is 8 in search and in NAS-Bench-301.
        classes: outputs of the classifier; 10 or 1000 if left out.

    MACs of convolutions and linear layers, with biases, are the FLOPs of
    ``conventions="xautodl"``.
    """
    if dataset not in ("cifar10", "imagenet"):
        raise nl.SpaceError(f"DARTS has cifar10 and imagenet, got {dataset!r}")
    imagenet = dataset == "imagenet"
    return Darts(
        channels=channels or (48 if imagenet else 36),
        layers=layers or (14 if imagenet else 20),
        classes=classes or (1000 if imagenet else 10),
        imagenet=imagenet,
    )


def convolution(x: nl.Tensor, channels: int, kernel_size: int, stride: int = 1) -> nl.Tensor:
    """Convolution without bias, batch norm."""
    x = nl.conv2d(x, channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
    return nl.batch_norm(x)


def squeeze(x: nl.Tensor, channels: int) -> nl.Tensor:
    """ReLU, 1x1 convolution, batch norm."""
    return convolution(nl.relu(x), channels, 1)


def factorized_reduce(x: nl.Tensor, channels: int) -> nl.Tensor:
    """ReLU, two 1x1 convolutions of stride 2, the second shifted by a pixel, batch norm."""
    x = nl.relu(x)
    shifted = nl.slice(nl.slice(x, 2, start=1), 3, start=1)
    halves = [nl.conv2d(y, channels // 2, 1, stride=2, bias=False) for y in (x, shifted)]
    return nl.batch_norm(nl.concat(*halves, dim=1))


def separable(x: nl.Tensor, kernel_size: int, stride: Any, dilation: int = 1) -> nl.Tensor:
    """ReLU, depthwise convolution, 1x1 convolution, batch norm."""
    channels = x.shape[1]
    x = nl.conv2d(
        nl.relu(x),
        channels,
        kernel_size,
        stride=stride,
        padding=dilation * (kernel_size // 2),
        dilation=dilation,
        groups=channels,
        bias=False,
    )
    return convolution(x, channels, 1)
