"""What a ledger says about the speed of a network: ShuffleNetV2's guidelines, and a roofline.

FLOPs alone do not tell how fast a network is. Ma et al. give four guidelines (ShuffleNet V2, 2018,
section 2), each of which is a figure here:

* G1: equal channel widths minimise memory access. Of a convolution or linear layer that reads |x|
  elements and writes |y|, the arithmetic depends on the product of the two widths only, and |x| +
  |y| is at least 2 * sqrt(|x| * |y|) for the same product.
* G2: group convolution raises memory access: a layer with groups is set against the dense one that
  has the same input and the same multiply-accumulates.
* G3: fragmentation lowers parallelism: of every module, its contractions and the longest chain of
  them; what is not in the chain stands in parallel branches.
* G4: element-wise operations count: their share of FLOPs and of memory access.

The roofline is Williams et al., Roofline, 2009: a layer takes the time of its arithmetic or of its
memory traffic, whichever is longer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from math import isqrt, prod
from typing import TYPE_CHECKING, Any

from netledger._implementation import evaluate_layer, operations
from netledger._results import Cost
from netledger.errors import LayerError, NetledgerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netledger.ledger import Ledger, Row

__all__ = ["Advice", "Branches", "Device", "ElementWise", "Hint", "LayerAdvice", "advise"]

_CONVOLUTIONS = ("conv1d", "conv2d", "conv3d")


@dataclass(frozen=True)
class Device:
    """What a device does at best.

    Attributes:
        name: what it is called.
        flops_per_second: scalar operations a second.
        bytes_per_second: bytes read from or written to memory a second.
    """

    name: str
    flops_per_second: float
    bytes_per_second: float

    def __post_init__(self) -> None:
        if not (self.flops_per_second > 0 and self.bytes_per_second > 0):
            raise NetledgerError(
                f"device '{self.name}': rates must be positive, got {self.flops_per_second} "
                f"operations and {self.bytes_per_second} bytes a second"
            )

    @property
    def ridge(self) -> float:
        """Operations per byte from which on arithmetic is what takes the time."""
        return self.flops_per_second / self.bytes_per_second


@dataclass(frozen=True)
class Hint:
    """Another way to write a convolution, with the same input and output.

    Attributes:
        text: the layers that would take its place.
        params: how many parameters that saves; negative if it takes more.
        macs: how many multiply-accumulates it saves.
    """

    text: str
    params: int
    macs: int


@dataclass(frozen=True)
class LayerAdvice:
    """One layer.

    Attributes:
        index: its row in the ledger.
        name: its name.
        op: its kind.
        flops: scalar operations.
        memory_access: elements read and written.
        memory_access_bytes: the same in bytes.
        least_memory_access: G1: the least for the same arithmetic with other widths, rounded up;
            None where there are no widths to choose, as with groups.
        dense_memory_access: G2: that of the dense layer with as many multiply-accumulates; None
            without groups.
        seconds: the roofline's estimate; None without a device.
        bound: "arithmetic" or "memory", whichever takes the time; "" without a device.
        hints: factorisations that save multiply-accumulates.
    """

    index: int
    name: str
    op: str
    flops: int
    memory_access: int
    memory_access_bytes: int
    least_memory_access: int | None
    dense_memory_access: int | None
    seconds: float | None
    bound: str
    hints: tuple[Hint, ...]

    @property
    def intensity(self) -> Fraction | None:
        """Scalar operations per byte of traffic; None without traffic."""
        if not self.memory_access_bytes:
            return None
        return Fraction(self.flops, self.memory_access_bytes)


@dataclass(frozen=True)
class Branches:
    """G3: a module some of whose contractions stand in parallel branches.

    Attributes:
        path: the module, "" for the model.
        contractions: how many contractions it has, over all calls.
        longest_chain: how many of them follow each other at most.
    """

    path: str
    contractions: int
    longest_chain: int


@dataclass(frozen=True)
class ElementWise:
    """G4: what element-wise operations take.

    Attributes:
        rows: how many there are.
        flops: their scalar operations.
        memory_access: elements that they read and write.
        total_flops: of the model.
        total_memory_access: of the model.
    """

    rows: int
    flops: int
    memory_access: int
    total_flops: int
    total_memory_access: int


@dataclass(frozen=True)
class Advice:
    """What the guidelines say about a model; ``print`` shows the worst of each.

    Attributes:
        title: what the model is called.
        device: what the estimates are for, or None.
        layers: every layer that moves or computes anything, in the order of execution.
        branches: modules with parallel branches, those with most contractions beside the longest
            chain first; a module within another stands by itself.
        element_wise: the share of element-wise operations.
        unsupported: operations without a rule, whose arithmetic is left out, with their numbers.
    """

    title: str
    device: Device | None
    layers: tuple[LayerAdvice, ...]
    branches: tuple[Branches, ...]
    element_wise: ElementWise
    unsupported: dict[str, int]

    @property
    def seconds(self) -> float | None:
        """The roofline's estimate for all layers, one after the other; None without a device."""
        if self.device is None:
            return None
        return sum(layer.seconds or 0.0 for layer in self.layers)

    def __str__(self) -> str:
        """The worst layers of each guideline."""
        from netledger.report.advice import report

        return report(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python objects."""
        return {**asdict(self), "seconds": self.seconds}


def advise(ledger: Ledger, device: Device | None = None) -> Advice:
    """Check a model against the guidelines; see `netledger.Ledger.advise`."""
    families = {op: facts["family"] for op, facts in operations().items()}
    moving = [row for row in ledger.rows if row.flops or row.memory_access]
    element_wise = [row for row in moving if families[row.op] == "elementwise"]
    return Advice(
        ledger.title,
        device,
        tuple(_layer(row, device) for row in moving),
        tuple(_branches(ledger)),
        ElementWise(
            len(element_wise),
            sum(row.flops for row in element_wise),
            sum(row.memory_access for row in element_wise),
            ledger.flops,
            ledger.memory_access,
        ),
        dict(ledger.unsupported),
    )


def _layer(row: Row, device: Device | None) -> LayerAdvice:
    seconds, bound = None, ""
    if device is not None:
        arithmetic = row.flops / device.flops_per_second
        memory = row.memory_access_bytes / device.bytes_per_second
        seconds = max(arithmetic, memory)
        bound = "arithmetic" if arithmetic > memory else "memory"
    groups = row.attributes.get("groups", 1) if row.op in _CONVOLUTIONS else 1
    return LayerAdvice(
        row.index,
        row.name,
        row.op,
        row.flops,
        row.memory_access,
        row.memory_access_bytes,
        _least_access(row) if row.op in (*_CONVOLUTIONS, "linear") and groups == 1 else None,
        _dense_access(row, groups) if groups > 1 else None,
        seconds,
        bound,
        tuple(_hints(row)) if row.op == "conv2d" and groups == 1 else (),
    )


def _least_access(row: Row) -> int:
    """G1: inputs and outputs at their least for the same product of widths; the weights stay."""
    read, written = prod(row.input_shapes[0]), prod(row.output_shapes[0])
    least = isqrt(4 * read * written)
    least += least * least < 4 * read * written
    return row.memory_access - read - written + least


def _dense_access(row: Row, groups: int) -> int:
    """G2: with fewer output channels instead of groups, the products are as many."""
    channels = row.attributes["out_channels"] // groups
    dense = {**row.attributes, "groups": 1, "out_channels": channels}
    return int(_cost(row.op, row.input_shapes[0], dense).memory_access)


def _cost(op: str, shape: Sequence[int], attributes: dict[str, Any]) -> Cost:
    cost: Cost = evaluate_layer(op, [tuple(shape)], attributes)
    return cost


# -- factorisations -------------------------------------------------------------------------------


def _hints(row: Row) -> Iterator[Hint]:
    """Layers in a row that a k x k convolution could be written as."""
    attributes = row.attributes
    height, width = _pair(attributes["kernel_size"])
    if isinstance(attributes["padding"], str) or height * width == 1:
        return
    stride, dilation = _pair(attributes["stride"]), _pair(attributes["dilation"])
    padding = _pair(attributes["padding"])
    channels = attributes["out_channels"]
    shared = {"bias": attributes["bias"], "dilation": dilation}
    if height > 1 and width > 1:
        row_first = [
            {
                "out_channels": channels,
                "kernel_size": (1, width),
                "stride": (1, stride[1]),
                "padding": (0, padding[1]),
                **shared,
            },
            {
                "out_channels": channels,
                "kernel_size": (height, 1),
                "stride": (stride[0], 1),
                "padding": (padding[0], 0),
                **shared,
            },
        ]
        yield from _hint(row, f"1x{width} and {height}x1", row_first)
    if height == width and height >= 5 and height % 2 and dilation == (1, 1):
        times = (height - 1) // 2
        small = [
            {
                "out_channels": channels,
                "kernel_size": 3,
                "stride": stride if number == 0 else 1,
                "padding": 1,
                **shared,
            }
            for number in range(times)
        ]
        words = {2: "two", 3: "three", 4: "four", 5: "five"}
        yield from _hint(row, f"{words.get(times, times)} 3x3", small)
    in_channels = row.input_shapes[0][-3]
    if in_channels > 1:
        separable = [
            {
                "out_channels": in_channels,
                "kernel_size": (height, width),
                "stride": stride,
                "padding": padding,
                "groups": in_channels,
                **shared,
            },
            {"out_channels": channels, "kernel_size": 1, "bias": attributes["bias"]},
        ]
        yield from _hint(row, f"depthwise {height}x{width} and 1x1", separable)


def _hint(row: Row, text: str, layers: Sequence[dict[str, Any]]) -> Iterator[Hint]:
    """A factorisation, if it gives the same output and saves products."""
    shape = row.input_shapes[0]
    params = macs = 0
    try:
        for attributes in layers:
            cost = _cost("conv2d", shape, attributes)
            params, macs = params + cost.params, macs + cost.macs
            shape = cost.shapes[0]
    except LayerError:
        return
    if shape == row.output_shapes[0] and macs < row.macs:
        whole = _cost("conv2d", row.input_shapes[0], row.attributes)
        yield Hint(text, whole.params - params, row.macs - macs)


def _pair(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)


# -- branches -------------------------------------------------------------------------------------


def _branches(ledger: Ledger) -> list[Branches]:
    """G3: modules of which some contraction is in no longest chain."""
    engine = ledger._engine
    # For each module the longest chain that ends in a tensor.
    chains: dict[str, dict[int, int]] = {}
    contractions: dict[str, int] = {}
    for row in ledger.rows:
        node = engine.node(row.index)
        counts = 1 if row.activations else 0
        for path in _around(row.path):
            chain = chains.setdefault(path, {})
            length = max((chain.get(tensor, 0) for tensor in node.inputs), default=0) + counts
            for tensor in node.outputs:
                chain[tensor] = length
            contractions[path] = contractions.get(path, 0) + counts
    found = [
        Branches(path, contractions[path], max(chain.values(), default=0))
        for path, chain in chains.items()
    ]
    found = [each for each in found if each.contractions > each.longest_chain]
    return sorted(found, key=lambda each: each.longest_chain - each.contractions)


def _around(path: str) -> list[str]:
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]
