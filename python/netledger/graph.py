"""Graphs built layer by layer: what `netledger.conv2d` and its companions add to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from netledger._implementation import Engine
from netledger.errors import NetledgerError

if TYPE_CHECKING:
    from netledger._origin import Origins
    from netledger.explanation import Explanation
    from netledger.ledger import Ledger

__all__ = ["Graph", "Tensor"]


class Tensor:
    """A tensor of a graph: an input, a weight, or what a layer makes.

    Attributes:
        graph: the graph it belongs to.
        index: its position among the tensors of the graph.
    """

    __slots__ = ("graph", "index")

    def __init__(self, graph: Builder, index: int) -> None:
        self.graph = graph
        self.index = index

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the tensor; in a `Space` some of them are quantities."""
        shape: tuple[int, ...] = self.graph.engine.shape(self.index)
        return shape

    @property
    def dtype(self) -> str:
        """The element type, as ``"float32"``."""
        dtype: str = self.graph.engine.dtype(self.index)
        return dtype

    def __repr__(self) -> str:
        return f"Tensor(shape={self.shape}, dtype='{self.dtype}')"


class Builder:
    """What layers are added to: a `Graph` of one network, or a `Space` of many.

    Attributes:
        engine: what propagates and counts the layers.
    """

    _KIND = "graph"

    engine: Any

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self._scope = 0

    def input(self, *shape: Any, dtype: str = "float32", name: str = "") -> Tensor:
        """Add an input of the network.

        Args:
            shape: its sizes, as integers or as one sequence of them.
            dtype: element type.
            name: a name for error messages.
        """
        return self._tensor("input", shape, dtype, name)

    def parameter(
        self, *shape: Any, dtype: str = "float32", name: str = "", trainable: bool = True
    ) -> Tensor:
        """Add a parameter, to be used by one layer or shared by several; it is counted once."""
        return self._tensor("parameter", shape, dtype, name, trainable)

    def buffer(self, *shape: Any, dtype: str = "float32", name: str = "") -> Tensor:
        """Add a buffer: a tensor that is stored but not trained; it is counted once."""
        return self._tensor("buffer", shape, dtype, name)

    def constant(self, *shape: Any, dtype: str = "float32", name: str = "") -> Tensor:
        """Add a tensor that is neither stored nor computed, as the indices of an arange."""
        return self._tensor("constant", shape, dtype, name)

    def output(self, *tensors: Tensor) -> None:
        """Mark outputs of the network: they stay alive to the end in `Ledger.peak_memory`."""
        self.engine.output(*(self._index(tensor) for tensor in tensors))

    def add(
        self,
        op: str,
        *inputs: Tensor,
        attributes: Mapping[str, object] | None = None,
        weights: Sequence[Tensor | None] | None = None,
        dtype: str | Sequence[str] | None = None,
        name: str = "",
        inplace: bool = False,
    ) -> tuple[Tensor, ...]:
        """Add a layer of any op; the functions of `netledger.layers` call this.

        Args:
            op: kind of the layer, as ``"conv2d"``; `netledger.operations` lists them.
            inputs: the tensors it reads.
            attributes: under torch's names.
            weights: explicit weights in the rule's order, None for one that the layer goes
                without; left out, the layer owns its weights.
            dtype: element type of the outputs; that of the first input if left out.
            name: the layer's name in the ledger and in errors.
            inplace: whether the output takes the memory of the first input.

        Returns:
            The outputs of the layer.

        Raises:
            LayerError: the shapes or attributes break the op's rule.
            CountOverflowError: a count passes 64 bits.
        """
        chosen = None
        if weights is not None:
            chosen = [None if weight is None else self._index(weight) for weight in weights]
        outputs = self.engine.add(
            op,
            [self._index(tensor) for tensor in inputs],
            attributes,
            weights=chosen,
            dtype=dtype,
            name=name,
            scope=self._scope,
            inplace=inplace,
        )
        return tuple(Tensor(self, index) for index in outputs)

    def module(self, path: str, module_class: str = "") -> _ModuleScope:
        """Group the layers added inside a ``with`` block under a path, as torch's modules do."""
        return _ModuleScope(self, path, module_class)

    def __len__(self) -> int:
        return len(self.engine)

    def _tensor(self, kind: str, shape: tuple[Any, ...], *more: Any) -> Tensor:
        sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
        return Tensor(self, self.engine.tensor(kind, sizes, *more))

    def _index(self, tensor: Tensor) -> int:
        if not isinstance(tensor, Tensor):
            raise NetledgerError(f"a layer reads tensors of a graph, got {tensor!r}")
        if tensor.graph is not self:
            raise NetledgerError(f"{tensor} belongs to another {self._KIND}")
        return tensor.index


class Graph(Builder):
    """A network: layers in topological order, propagated and counted as they are added.

    >>> import netledger as nl
    >>> graph = nl.Graph()
    >>> x = graph.input(1, 3, 32, 32)
    >>> x = nl.conv2d(x, out_channels=16, kernel_size=3, padding=1)
    >>> graph.output(nl.relu(x))
    >>> graph.count().macs
    442368
    """

    engine: Engine

    def __init__(self, engine: Engine | None = None, origins: Origins | None = None) -> None:
        """Start a network, or go on with one that an engine holds.

        Args:
            engine: what holds the layers of a network.
            origins: where they came from, if they were traced.
        """
        super().__init__(Engine() if engine is None else engine)
        self._origins = origins

    def count(self, title: str = "") -> Ledger:
        """What the network costs."""
        from netledger.ledger import Ledger

        return Ledger(self.engine, self.engine.count(), title=title, origins=self._origins)

    def explain(self, layer: Tensor | int | str) -> Explanation | list[Explanation]:
        """Why a layer costs what it does: its formulas with the numbers put in.

        Args:
            layer: a tensor that the layer makes, the layer's index, its name or its path.

        Returns:
            The explanation; a list of them where several layers have that name.

        Raises:
            NetledgerError: there is no such layer.
        """
        if isinstance(layer, Tensor):
            made = self._index(layer)
            for index in range(len(self)):
                if made in self.engine.node(index).outputs:
                    return self.count().why(index)
            raise NetledgerError(f"{layer} is made by no layer: it is an input or a weight")
        return self.count().why(layer)

    def __repr__(self) -> str:
        return f"Graph({len(self)} layers)"


class _ModuleScope:
    """The ``with`` block of `Builder.module`."""

    def __init__(self, graph: Builder, path: str, module_class: str) -> None:
        self._graph = graph
        self._path = path
        self._class = module_class
        self._outer = 0

    def __enter__(self) -> None:
        graph = self._graph
        self._outer = graph._scope
        outer = graph.engine.scope_at(self._outer).path
        path = f"{outer}.{self._path}" if outer else self._path
        graph._scope = graph.engine.scope(self._outer, path, self._class)

    def __exit__(self, *exception: object) -> None:
        self._graph._scope = self._outer
