"""NAS-Bench-101: modules of up to 7 vertices and 9 edges, 423,624 of them unique.

Ying, Klein, Real, Christiansen, Murphy and Hutter, "NAS-Bench-101: Towards Reproducible Neural
Architecture Search", ICML 2019. A module is an upper-triangular matrix of edges between an input,
up to five vertices with an operation each, and an output. The network has three stacks of three
modules.

A point of the space is a module as its authors keep it: the vertices that are not on a path from
input to output are pruned, and those that are left are numbered on. Isomorphic modules are
different points.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

import netledger as nl

__all__ = ["OPERATIONS", "NasBench101", "nas_bench_101"]

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
INPUT, INTERIOR, OUTPUT = 0, range(1, 6), 6
PAIRS = [(start, end) for start in range(OUTPUT) for end in range(start + 1, OUTPUT + 1)]
MAX_EDGES = 9


class NasBench101(nl.Space):
    """The space that `nas_bench_101` returns.

    Variables: ``vertices``, 7 to 2, input and output included; ``edge_0_1``, ``edge_0_2``, ...
    ``edge_5_6``, the upper triangle of the matrix row by row (0 or 1), where 6 is the output of
    modules with fewer vertices too; ``op_1`` to ``op_5``. Edges and operations of vertices that the
    module does not have are inactive.
    """

    def __init__(self) -> None:
        super().__init__()
        vertices = self.choice("vertices", range(7, 1, -1))
        exists: dict[int, Any] = {v: vertices > v + 1 for v in INTERIOR} | {INPUT: 1, OUTPUT: 1}
        edges = {}
        for start, end in PAIRS:
            both = exists[start] & exists[end]
            edge = self.choice(f"edge_{start}_{end}", (0, 1), when=both)
            edges[start, end] = (edge == 1) & both
        operations = {v: self.choice(f"op_{v}", OPERATIONS, when=exists[v]) for v in INTERIOR}
        used = on_paths(edges)
        self.require(
            all_of(used[v] | ~exists[v] for v in INTERIOR) & used[INPUT],
            "every vertex is on a path from input to output",
        )
        self.require(sum(edges.values()) <= MAX_EDGES, f"there are at most {MAX_EDGES} edges")

        x = convolution(self.input(1, 3, 32, 32), 128, 3)
        for channels in (128, 256, 512):
            if channels > 128:
                x = nl.max_pool2d(x, 2)
            x = self.repeat(3, Module(self, exists, edges, operations, channels), x)
        self.output(nl.linear(nl.mean(x, dim=(2, 3)), 10))

    def encode(self, config: Any) -> np.ndarray:
        """The code row of (matrix, operations), or of a dict of values.

        Args:
            config: an upper-triangular matrix of 2 to 7 vertices, and the labels of the vertices,
                beginning with ``"input"`` and ending with ``"output"``. Vertices that are not on a
                path from input to output are pruned.
        """
        if not isinstance(config, Mapping):
            matrix, labels = np.asarray(config[0]), list(config[1])
            count = len(labels)
            if matrix.shape != (count, count) or not 2 <= count <= 7 or np.tril(matrix).any():
                raise nl.SpaceError(
                    "a module has an upper-triangular matrix and as many labels as vertices, 2 to "
                    f"7; got {count} labels and a matrix of {matrix.shape}:\n{matrix}"
                )
            place = [*range(count - 1), OUTPUT]
            written = dict.fromkeys(PAIRS, 0)
            for start, end in np.argwhere(matrix).tolist():
                written[place[start], place[end]] = 1
            used = on_paths(written)
            if not used[INPUT]:
                raise nl.SpaceError(f"no path leads from input to output:\n{matrix}")
            kept = [v for v in INTERIOR if used[v]]
            number = {v: i for i, v in enumerate([INPUT, *kept])} | {OUTPUT: OUTPUT}
            config = {"vertices": len(kept) + 2}
            for start, end in PAIRS:
                if start in number and end in number:
                    pair = f"edge_{number[start]}_{number[end]}"
                    config[pair] = written[start, end]
            config |= {f"op_{number[v]}": labels[v] for v in kept}
        return super().encode(config)

    def decode(self, row: Any, inactive: bool = False) -> tuple[list[list[int]], list[str]]:
        """The matrix and the labels of a code row."""
        values = super().decode(row, inactive)
        interior = range(1, values["vertices"] - 1)
        kept = [INPUT, *interior, OUTPUT]
        matrix = [[values.get(f"edge_{start}_{end}", 0) for end in kept] for start in kept]
        return matrix, ["input", *(values[f"op_{v}"] for v in interior), "output"]


class Module:
    """The layers of a module with a number of output channels, as a function of a tensor."""

    def __init__(
        self,
        space: nl.Space,
        exists: dict[int, Any],
        edges: dict[tuple[int, int], Any],
        operations: dict[int, Any],
        channels: int,
    ) -> None:
        self.space = space
        self.exists = exists
        self.edges = edges
        self.operations = operations
        self.channels = channels
        self.widths = vertex_widths(edges, channels)

    def __call__(self, x: nl.Tensor) -> Any:
        space, edges = self.space, self.edges
        outputs: list[nl.Tensor] = []
        with contextlib.ExitStack() as stack:
            for v in INTERIOR:  # a module that has vertex v has those before it
                stack.enter_context(space.when(self.exists[v]))
                outputs.append(self.vertex(x, v, outputs))

        feeding = [edges[v, OUTPUT] for v in INTERIOR]
        count = sum(feeding)
        only = feeding[1] + 2 * feeding[2] + 3 * feeding[3] + 4 * feeding[4]
        with space.when(count > 0):
            with space.when(count > 1):
                none = nl.slice(x, 1, 0, 0)
                parts = [space.pick(f, [none, y]) for f, y in zip(feeding, outputs, strict=True)]
                joined = nl.concat(*parts, dim=1)
            y = space.pick(nl.where(count > 1, 5, only), [*outputs, joined])
            # A view that states what the widths add up to.
            y = nl.reshape(y, (1, self.channels, *x.shape[2:]))
            with space.when(edges[INPUT, OUTPUT]):
                added = nl.add(y, convolution(x, self.channels, 1))
            y = space.pick(edges[INPUT, OUTPUT], [y, added])
        with space.when(count == 0):
            projected = convolution(x, self.channels, 1)
        return space.pick(count > 0, [projected, y])

    def vertex(self, x: nl.Tensor, v: int, outputs: list[nl.Tensor]) -> Any:
        """The operation of a vertex on the sum of what it reads."""
        space, width = self.space, self.widths[v]
        reads = [self.edges[source, v] for source in range(v)]
        earlier = [any_of([0, *reads[:source]]) for source in range(v)]

        def term(source: int) -> nl.Tensor:
            if source == INPUT:
                return convolution(x, width, 1)
            return nl.slice(outputs[source - 1], 1, 0, width)

        firsts, position = [], 0
        for source in range(v):
            is_first = reads[source] & ~earlier[source] if source else reads[source]
            with space.when(is_first):
                firsts.append(term(source))
            position = position + source * is_first
        total = space.pick(position, firsts)
        for source in range(1, v):
            is_next = reads[source] & earlier[source]
            with space.when(is_next):
                added = nl.add(total, term(source))
            total = space.pick(is_next, [total, added])
        return space.switch(
            self.operations[v],
            {
                "conv3x3-bn-relu": lambda y: convolution(y, width, 3),
                "conv1x1-bn-relu": lambda y: convolution(y, width, 1),
                "maxpool3x3": lambda y: nl.max_pool2d(y, 3, stride=1, padding=1),
            },
            total,
        )


def nas_bench_101() -> NasBench101:
    """NAS-Bench-101, at 32x32 pixels and 10 classes.

    ``params`` is the benchmark's ``trainable_parameters``; its authors count no FLOPs.
    """
    return NasBench101()


def on_paths(edges: Mapping[tuple[int, int], Any]) -> dict[int, Any]:
    """Which vertices are on a path from input to output.

    Args:
        edges: 0 or 1 for each pair of vertices, as integers or as conditions of a space.
    """
    reached: dict[int, Any] = {INPUT: 1}
    for v in range(1, OUTPUT + 1):
        reached[v] = any_of(edges[u, v] & reached[u] for u in range(v))
    leading: dict[int, Any] = {OUTPUT: 1}
    for v in range(OUTPUT - 1, -1, -1):
        leading[v] = any_of(edges[v, u] & leading[u] for u in range(v + 1, OUTPUT + 1))
    return {v: reached[v] & leading[v] for v in range(OUTPUT + 1)}


def vertex_widths(edges: Mapping[tuple[int, int], Any], channels: int) -> dict[int, Any]:
    """Channels of the interior vertices.

    Those that feed the output share its channels, the first ones taking one more where they do not
    divide; the others have as many as the widest vertex that they feed. A vertex that feeds none
    has one, but it is in no module.
    """
    count = nl.maximum(sum(edges[v, OUTPUT] for v in INTERIOR), 1)
    shares, before = {}, 0
    for v in INTERIOR:
        shares[v] = channels // count + nl.where(before < channels % count, 1, 0)
        before = before + edges[v, OUTPUT]
    widths: dict[int, Any] = {}
    for v in reversed(INTERIOR):
        fed = [nl.where(edges[v, u], widths[u], 1) for u in range(v + 1, OUTPUT)]
        widths[v] = nl.where(edges[v, OUTPUT], shares[v], nl.maximum(1, *fed))
    return widths


def any_of(conditions: Iterable[Any]) -> Any:
    """1 where one of the conditions holds, otherwise 0."""
    return functools.reduce(lambda one, other: one | other, conditions)


def all_of(conditions: Iterable[Any]) -> Any:
    """1 where all of the conditions hold, otherwise 0."""
    return functools.reduce(lambda one, other: one & other, conditions)


def convolution(x: nl.Tensor, channels: Any, kernel_size: int) -> nl.Tensor:
    """Convolution without bias, batch norm, ReLU."""
    x = nl.conv2d(x, channels, kernel_size, padding=kernel_size // 2, bias=False)
    return nl.relu(nl.batch_norm(x))
