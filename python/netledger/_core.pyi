# Written by scripts/stubs.py: run `make stubs` after a change to the bindings.
"""
The compiled core: shape propagation and cost accounting over layer graphs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netledger._results import Cost, Counts, Node, Scope
from netledger.formulas._layer import Shape

class Graph:
    """
    Layers in topological order; every layer is propagated and counted as it is added.
    """

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
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
        """
        Add a layer: propagate its shapes, count it, return the indices of its outputs.
        """

    def adder(self) -> Callable[..., tuple[Any, ...]]:
        """
        A function that adds layers with positional arguments only (op, inputs, attributes, weights, dtype, scope, inplace) and returns the index and the shape of each output, one after the other.
        """

    def claim(self, tensor: int, node: int) -> None:
        """
        Count a parameter or buffer that no layer reads at this node.
        """

    def count(self) -> Counts:
        """
        The account of every layer, exact totals, and the peak memory.
        """

    def dtype(self, tensor: int) -> str:
        """
        The element type of a tensor.
        """

    def is_claimed(self, tensor: int) -> bool:
        """
        Whether a parameter or buffer is counted at some node already.
        """

    def kind(self, tensor: int) -> str:
        """
        What a tensor is: input, parameter, buffer, constant or activation.
        """

    def node(self, index: int) -> Node:
        """
        The node of that index.
        """

    def node_scopes(self) -> list[int]:
        """
        The scope of every node.
        """

    def output(self, *tensors: int) -> None:
        """
        Mark tensors as outputs of the model: they stay alive until the end.
        """

    def scope(self, parent: int, path: str, module_class: str, call: int = 0) -> int:
        """
        Enter one call of a module, inside another scope; 0 is the root.
        """

    def scope_at(self, index: int) -> Scope:
        """
        The scope of that index.
        """

    def shape(self, tensor: int) -> Shape:
        """
        The sizes of a tensor.
        """

    def tensor(
        self,
        kind: str,
        shape: Sequence[int],
        dtype: str = "float32",
        name: str = "",
        trainable: bool = True,
    ) -> int:
        """
        Add a tensor that no layer makes and return its index.
        """

    def tensor_name(self, tensor: int) -> str:
        """
        The name a tensor was given.
        """

    def tensors(self, given: Sequence[tuple[str, Sequence[int], str, str, bool]]) -> list[int]:
        """
        Add many tensors at once: (kind, shape, dtype, name, trainable) of each.
        """

    def unclaimed(self) -> list[int]:
        """
        The parameters and buffers that no node counts.
        """

    @property
    def outputs(self) -> tuple[int, ...]:
        """
        The tensors marked as outputs.
        """

def build_config() -> dict[str, str]:
    """
    How this implementation was built.
    """

def evaluate_layer(op: str, inputs: Sequence[Sequence[Any]], attributes: Mapping[str, Any]) -> Cost:
    """
    The cost of one layer that owns its weights; sizes and attributes may be arrays.
    """

def operations() -> dict[str, dict[str, Any]]:
    """
    Every op by name: family, inputs, flags, and its attributes with kind, default, words.
    """
