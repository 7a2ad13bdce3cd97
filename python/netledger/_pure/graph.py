"""The graph of layers and its accounts, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from netledger._pure.dtypes import itemsize
from netledger._results import COLUMNS, Counts, Node, Scope
from netledger.errors import CountOverflowError, LayerError, NetledgerError
from netledger.formulas._layer import (
    OPERATIONS,
    Layer,
    Operation,
    Refusal,
    Shape,
    check_inputs,
    checked_shape,
    describe_layer,
    elements,
    fits,
    normalise,
    refuse,
    require,
    traffic,
)

TensorKind = Literal["input", "parameter", "buffer", "constant", "activation"]
GIVEN_KINDS = ("input", "parameter", "buffer", "constant")


@dataclass
class Tensor:
    """A tensor of the graph; `storage` is the tensor whose memory it shares, itself if none."""

    kind: TensorKind
    shape: Shape
    dtype: str
    name: str
    trainable: bool
    storage: int
    claimed: bool = False

    @property
    def bytes(self) -> int:
        """Memory that the tensor takes, in bytes."""
        return elements(self.shape) * itemsize(self.dtype)


@dataclass
class Graph:
    """Layers in topological order; every layer is propagated and counted as it is added."""

    _tensors: list[Tensor] = field(default_factory=list)
    _nodes: list[Node] = field(default_factory=list)
    _costs: list[dict[str, int]] = field(default_factory=list)
    _scopes: list[Scope] = field(default_factory=lambda: [Scope(0, "", "", 0)])
    _outputs: list[int] = field(default_factory=list)

    # -- building ---------------------------------------------------------------------------------

    def tensor(
        self,
        kind: str,
        shape: Sequence[int],
        dtype: str = "float32",
        name: str = "",
        trainable: bool = True,
    ) -> int:
        """Add a tensor that no layer makes and return its index."""
        if kind not in GIVEN_KINDS:
            raise NetledgerError(
                f"unknown kind of tensor '{kind}'; the kinds are {', '.join(GIVEN_KINDS)}"
            )
        itemsize(dtype)
        try:
            sizes = checked_shape(shape)
            fits(elements(sizes))
        except Refusal as refusal:
            raise LayerError(f"tensor '{name}': {refusal}", name, kind, str(refusal)) from None
        except OverflowError as overflow:
            raise CountOverflowError(f"tensor '{name}': {overflow}") from None
        return self._new_tensor(kind, sizes, dtype, name, trainable)  # type: ignore[arg-type]

    def tensors(self, given: Sequence[tuple[str, Sequence[int], str, str, bool]]) -> list[int]:
        """Add many tensors at once: (kind, shape, dtype, name, trainable) of each."""
        return [self.tensor(*arguments) for arguments in given]

    def scope(self, parent: int, path: str, module_class: str, call: int = 0) -> int:
        """Enter one call of a module, inside another scope; 0 is the root."""
        self._check_scope(parent)
        self._scopes.append(Scope(parent, path, module_class, call))
        return len(self._scopes) - 1

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        attributes: Mapping[str, object] | None = None,
        *,
        weights: Sequence[int | None] | None = None,
        dtype: str | Sequence[str] | None = None,
        name: str = "",
        scope: int = 0,
        inplace: bool = False,
    ) -> tuple[int, ...]:
        """Add a layer: propagate its shapes, count it, return the indices of its outputs."""
        operation = OPERATIONS.get(op)
        if operation is None:
            raise NetledgerError(f"unknown op '{op}'")
        self._check_scope(scope)
        for index in (*inputs, *(weight for weight in weights or () if weight is not None)):
            self._check_tensor(index)
        shapes = [self._tensors[index].shape for index in inputs]
        label = name or self._scopes[scope].path or f"{op}_{len(self._nodes)}"
        try:
            check_inputs(operation, len(shapes))
            complete = normalise(operation, attributes or {})
            layer = operation.rule(*shapes, **complete)
            self._check_weights(layer, weights)
            dtypes = self._dtypes(layer, inputs, dtype)
            cost = self._account(operation, layer, inputs, weights, dtypes)
            fits(*cost.values())
        except Refusal as refusal:
            rule = str(refusal)
            raise LayerError(describe_layer(op, label, shapes, rule), label, op, rule) from None
        except OverflowError as overflow:
            raise CountOverflowError(describe_layer(op, label, shapes, str(overflow))) from None
        self._claim_all((*inputs, *(weights or ())))
        shared = self._tensors[inputs[0]].storage if inputs else None
        if not (operation.view or inplace):
            shared = None
        outputs = tuple(
            self._new_tensor("activation", shape, kind, "", True, shared)
            for shape, kind in zip(layer.shapes, dtypes, strict=True)
        )
        self._costs.append(cost)
        self._nodes.append(
            Node(
                len(self._nodes),
                op,
                name,
                scope,
                tuple(inputs),
                tuple(weights or ()),
                outputs,
                complete,
                inplace,
            )
        )
        return outputs

    def adder(self) -> Callable[..., tuple[Any, ...]]:
        """A function that adds layers with positional arguments only, for a tracer's inner loop.

        It takes op, inputs, attributes, weights, dtype, scope and inplace, and returns the index
        and the shape of each output, one after the other.
        """

        def add(
            op: str,
            inputs: Sequence[int],
            attributes: Mapping[str, object] | None,
            weights: Sequence[int | None] | None,
            dtype: str | Sequence[str] | None,
            scope: int,
            inplace: bool,
        ) -> tuple[Any, ...]:
            outputs = self.add(
                op, inputs, attributes, weights=weights, dtype=dtype, scope=scope, inplace=inplace
            )
            return tuple(entry for index in outputs for entry in (index, self.shape(index)))

        return add

    def claim(self, tensor: int, node: int) -> None:
        """Count a parameter or buffer that no layer reads at this node."""
        self._check_tensor(tensor)
        self._check_node(node)
        for metric, count in self._unclaimed([tensor]).items():
            self._costs[node][metric] += count
        self._tensors[tensor].claimed = True

    def output(self, *tensors: int) -> None:
        """Mark tensors as outputs of the model: they stay alive until the end."""
        for tensor in tensors:
            self._check_tensor(tensor)
        self._outputs.extend(tensors)

    # -- reading ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of nodes."""
        return len(self._nodes)

    def node(self, index: int) -> Node:
        """The node of that index."""
        self._check_node(index)
        return self._nodes[index]

    def scope_at(self, index: int) -> Scope:
        """The scope of that index."""
        self._check_scope(index)
        return self._scopes[index]

    def shape(self, tensor: int) -> Shape:
        """The sizes of a tensor."""
        self._check_tensor(tensor)
        return self._tensors[tensor].shape

    def dtype(self, tensor: int) -> str:
        """The element type of a tensor."""
        self._check_tensor(tensor)
        return self._tensors[tensor].dtype

    def kind(self, tensor: int) -> str:
        """What a tensor is: input, parameter, buffer, constant or activation."""
        self._check_tensor(tensor)
        return self._tensors[tensor].kind

    def tensor_name(self, tensor: int) -> str:
        """The name a tensor was given."""
        self._check_tensor(tensor)
        return self._tensors[tensor].name

    def is_claimed(self, tensor: int) -> bool:
        """Whether a parameter or buffer is counted at some node already."""
        self._check_tensor(tensor)
        return self._tensors[tensor].claimed

    def unclaimed(self) -> list[int]:
        """The parameters and buffers that no node counts."""
        return [
            index
            for index, tensor in enumerate(self._tensors)
            if tensor.kind in ("parameter", "buffer") and not tensor.claimed
        ]

    def node_scopes(self) -> list[int]:
        """The scope of every node."""
        return [node.scope for node in self._nodes]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The tensors marked as outputs."""
        return tuple(self._outputs)

    def count(self) -> Counts:
        """The account of every layer, exact totals, and the peak memory."""
        columns = {
            metric: np.array([cost[metric] for cost in self._costs], dtype=np.int64)
            for metric in COLUMNS
        }
        totals = {metric: sum(cost[metric] for cost in self._costs) for metric in COLUMNS}
        return Counts(columns, totals, self._peak_memory())

    # -- accounts ---------------------------------------------------------------------------------

    def _account(
        self,
        operation: Operation,
        layer: Layer,
        inputs: Sequence[int],
        weights: Sequence[int | None] | None,
        dtypes: Sequence[str],
    ) -> dict[str, int]:
        sizes = {"parameter": 0, "buffer": 0}
        if weights is None:
            for weight in layer.weights:
                sizes[weight.kind] += elements(weight.shape)
        claimed = self._unclaimed((*inputs, *(weights or ())))
        outputs = sum(elements(shape) for shape in layer.shapes)
        shapes = [self._tensors[index].shape for index in inputs]
        return {
            "params": sizes["parameter"] + claimed["params"],
            "trainable_params": sizes["parameter"] + claimed["trainable_params"],
            "buffers": sizes["buffer"] + claimed["buffers"],
            "macs": layer.macs,
            "flops": layer.flops,
            "activations": outputs if operation.contraction else 0,
            "outputs": outputs,
            "memory_access": 0 if operation.view else traffic(layer, shapes),
            "memory_access_bytes": (
                0 if operation.view else self._bytes(layer, inputs, weights, dtypes)
            ),
        }

    def _unclaimed(self, tensors: Sequence[int | None]) -> dict[str, int]:
        """Parameters and buffers among the tensors that no earlier layer has counted."""
        count = {"params": 0, "trainable_params": 0, "buffers": 0}
        seen = set()
        for index in tensors:
            if index is None or index in seen or self._tensors[index].claimed:
                continue
            seen.add(index)
            tensor = self._tensors[index]
            if tensor.kind == "parameter":
                count["params"] += elements(tensor.shape)
                count["trainable_params"] += elements(tensor.shape) if tensor.trainable else 0
            elif tensor.kind == "buffer":
                count["buffers"] += elements(tensor.shape)
        return count

    def _claim_all(self, tensors: Sequence[int | None]) -> None:
        for index in tensors:
            if index is not None:
                self._tensors[index].claimed = True

    def _bytes(
        self,
        layer: Layer,
        inputs: Sequence[int],
        weights: Sequence[int | None] | None,
        dtypes: Sequence[str],
    ) -> int:
        """Traffic in bytes; weights that a layer owns have the dtype of its first output."""
        total = 0
        for position, index in enumerate(inputs):
            read = elements(self._tensors[index].shape)
            if position == 0 and layer.input_reads is not None:
                read = layer.input_reads
            total += read * itemsize(self._tensors[index].dtype)
        for position, weight in enumerate(layer.weights):
            read = elements(weight.shape) if weight.read else 0
            if position == 0 and layer.weight_reads is not None:
                read = layer.weight_reads
            given = weights[position] if weights is not None else None
            dtype = dtypes[0] if given is None else self._tensors[given].dtype
            total += read * itemsize(dtype)
        for shape, dtype in zip(layer.shapes, dtypes, strict=True):
            total += elements(shape) * itemsize(dtype)
        return total

    def _dtypes(
        self, layer: Layer, inputs: Sequence[int], dtype: str | Sequence[str] | None
    ) -> list[str]:
        if dtype is None:
            dtype = self._tensors[inputs[0]].dtype if inputs else "float32"
        if isinstance(dtype, str):
            dtype = [dtype] * len(layer.shapes)
        require(
            len(dtype) == len(layer.shapes),
            f"{len(layer.shapes)} outputs but {len(dtype)} dtypes",
        )
        for kind in dtype:
            itemsize(kind)
        return list(dtype)

    def _check_weights(self, layer: Layer, weights: Sequence[int | None] | None) -> None:
        """Explicit weights must have the shapes that the rule expects."""
        if weights is None:
            return
        require(
            len(weights) == len(layer.weights),
            f"the layer has {len(layer.weights)} weights, got {len(weights)}",
        )
        for position, (index, weight) in enumerate(zip(weights, layer.weights, strict=True)):
            if index is None:
                continue
            given = self._tensors[index].shape
            if given != weight.shape:
                refuse(
                    f"its weight {position} has shape {given}, but the input needs {weight.shape}"
                )

    # -- liveness ---------------------------------------------------------------------------------

    def _peak_memory(self) -> int:
        """The largest sum of the activations alive at once, over the layers, in bytes.

        A storage lives from the layer that makes it (inputs: from the start) to the last layer
        that reads it or a view of it; outputs of the model live to the end. The tensors that a
        layer reads and writes are alive together.
        """
        last_use: dict[int, int] = {}
        first: dict[int, int] = {}
        for index, tensor in enumerate(self._tensors):
            if tensor.kind == "input":
                first[index] = last_use[index] = 0
        for node in self._nodes:
            for index in node.outputs:
                storage = self._tensors[index].storage
                if storage == index:
                    first[index] = node.index
                last_use[storage] = node.index
            for used in (*node.inputs, *node.weights):
                if used is not None:
                    last_use[self._tensors[used].storage] = node.index
        for index in self._outputs:
            last_use[self._tensors[index].storage] = len(self._nodes) - 1
        change = [0] * (len(self._nodes) + 2)
        for storage, start in first.items():
            change[start] += self._tensors[storage].bytes
            change[max(last_use[storage], start) + 1] -= self._tensors[storage].bytes
        peak = alive = 0
        for step in change:
            alive += step
            peak = max(peak, alive)
        return peak

    # -- identities -------------------------------------------------------------------------------

    def _new_tensor(
        self,
        kind: TensorKind,
        shape: Shape,
        dtype: str,
        name: str,
        trainable: bool,
        storage: int | None = None,
    ) -> int:
        index = len(self._tensors)
        self._tensors.append(
            Tensor(kind, shape, dtype, name, trainable, index if storage is None else storage)
        )
        return index

    def _check_tensor(self, index: int) -> None:
        if not 0 <= index < len(self._tensors):
            raise NetledgerError(f"the graph has no tensor {index}; it has {len(self._tensors)}")

    def _check_node(self, index: int) -> None:
        if not 0 <= index < len(self._nodes):
            raise NetledgerError(f"the graph has no node {index}; it has {len(self._nodes)}")

    def _check_scope(self, index: int) -> None:
        if not 0 <= index < len(self._scopes):
            raise NetledgerError(f"the graph has no scope {index}; it has {len(self._scopes)}")
