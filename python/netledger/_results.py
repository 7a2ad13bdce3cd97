"""What the engine returns: the same classes whichever implementation runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: The counts of every layer, in the order of the columns.
COLUMNS = (
    "params",
    "trainable_params",
    "buffers",
    "macs",
    "flops",
    "activations",
    "outputs",
    "memory_access",
    "memory_access_bytes",
)


@dataclass(frozen=True)
class Cost:
    """What one layer costs: ints, or int64 arrays where an argument was an array.

    Attributes:
        shapes: shapes of the outputs.
        params: elements of the trained parameters.
        buffers: elements of the buffers.
        macs: multiply-accumulates of contractions, bias left aside.
        flops: scalar arithmetic operations.
        activations: output elements, of contractions only.
        outputs: output elements.
        memory_access: elements read and written, weights included.
    """

    shapes: tuple[tuple[Any, ...], ...]
    params: Any
    buffers: Any
    macs: Any
    flops: Any
    activations: Any
    outputs: Any
    memory_access: Any


@dataclass(frozen=True)
class Node:
    """One layer of a graph: an op applied to tensors.

    Attributes:
        index: position in the graph.
        op: kind of the layer.
        name: the name it was given, or "".
        scope: index of the module call it belongs to.
        inputs: indices of the tensors it reads.
        weights: indices of explicit weights, None for those it goes without; empty if it owns them.
        outputs: indices of the tensors it makes.
        attributes: attributes with defaults filled in.
        inplace: whether the output takes the memory of the first input.
    """

    index: int
    op: str
    name: str
    scope: int
    inputs: tuple[int, ...]
    weights: tuple[int | None, ...]
    outputs: tuple[int, ...]
    attributes: dict[str, Any]
    inplace: bool


@dataclass(frozen=True)
class Scope:
    """One call of a module: `call` counts the calls of the module at `path` from 0."""

    parent: int
    path: str
    module_class: str
    call: int


@dataclass(frozen=True)
class Counts:
    """What the layers of a graph cost.

    Attributes:
        columns: one int64 array per metric, with an entry per node.
        totals: exact sums, as ints of any size.
        peak_memory: largest sum of activations alive at once, in bytes.
    """

    columns: dict[str, npt.NDArray[np.int64]]
    totals: dict[str, int]
    peak_memory: int


@dataclass(frozen=True)
class Variable:
    """A variable of a space.

    Attributes:
        name: its name.
        size: how many codes it has; None if it is free, given by value.
        minimum: the least code or value.
        maximum: the greatest.
        condition: where it is active: an int or a quantity, not 0 there.
    """

    name: str
    size: int | None
    minimum: int
    maximum: int
    condition: Any
