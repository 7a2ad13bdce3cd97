"""Where a layer came from: what tools that hook modules or patch functions look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from netledger._torch_names import FUNCTION_OF_OP, MODULES_OF_OP, OPS_OF_MODULE

__all__ = [
    "Composite",
    "FunctionCall",
    "Origin",
    "Origins",
    "ScopeOrigin",
    "built",
    "layer_class",
]


@dataclass(frozen=True, slots=True)
class Origin:
    """How a layer came to be in a network.

    Attributes:
        kind: ``"module"``, the work of a module of torch.nn that is there for this op, as a relu in
            an ``nn.ReLU``; ``"function"``, the call of a public function in another module's
            forward, as of ``F.relu``; ``"operator"``, anything else: an operator (``x + y``), a
            method, or what torch does by itself. ``"composite"`` is a module that is counted as a
            whole although its parts are layers too, as an ``nn.MultiheadAttention``; it is only
            shown to rules that ask for it.
        function: the public function that was called, as ``"F.relu"``, ``"torch.add"`` or
            ``"Tensor.add"``; of a module the one that its forward calls; else "".
        arguments: what that function was given besides tensors, by position or name.
        ancestry: the class of the module that the layer ran in and what it derives from, by their
            full names, nearest first; empty if the layer was built without a module.
        exact: whether that class is torch's own, not one derived from it.
        call: which call of that module this is, from 0.
        calls: how often the module was called.
        occurrences: in how many places of the tree of modules it stands; 0 for one that is held
            outside of it, as in a list.
        batch: the first size of the network's first input by position; None without one.
        inside: ops of the composites that the layer is part of, the outermost first.
        fusible: whether torch would run one of those as a single operation if it needed no
            gradients.
        source: the layer that made the first input; None if that is an input or a weight.
        is_read: whether an output of the network depends on the layer; of a network without marked
            outputs all are.
        training: whether a tool that looks at the mode of the module found it in training mode; a
            ledger is that of a model in evaluation mode.
        root: whether that module is the model itself.
        leaf: whether that module has no modules in it.
    """

    kind: str = "module"
    function: str = ""
    arguments: Mapping[int | str, Any] = field(default_factory=dict)
    ancestry: tuple[str, ...] = ()
    exact: bool = True
    call: int = 0
    calls: int = 1
    occurrences: int = 1
    batch: Any = 1
    inside: tuple[str, ...] = ()
    training: bool = False
    root: bool = False
    leaf: bool = True
    fusible: bool = False
    source: Source | None = None
    is_read: bool = True

    @property
    def class_name(self) -> str:
        """The name of the module's class, "" without a module."""
        return self.ancestry[0].rpartition(".")[2] if self.ancestry else ""

    @property
    def torch_classes(self) -> tuple[str, ...]:
        """The names of the classes of torch.nn that the module's class is or derives from."""
        return _torch_classes(self.ancestry)


@cache
def _torch_classes(ancestry: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        name.rpartition(".")[2] for name in ancestry if name.startswith("torch.nn.modules.")
    )


class Source(NamedTuple):
    """The layer that made a tensor.

    Attributes:
        op: its kind.
        bias: whether it has a bias.
        readers: how many layers read the tensor; being an output of the network is one more.
        source: the layer that made its own first input, in the same way.
    """

    op: str
    bias: bool
    readers: int
    source: Source | None = None


@cache
def built(op: str) -> Origin:
    """The origin of a layer of a network that was built layer by layer.

    It is taken for the module of torch.nn that there is for its op; for a function or an operator
    where there is no module.
    """
    function = FUNCTION_OF_OP.get(op, "")
    if op in MODULES_OF_OP:
        return Origin("module", function)
    return Origin("function" if function else "operator", function)


class ScopeOrigin(NamedTuple):
    """What is known of one call of a module.

    Attributes:
        ancestry: its class and what that derives from, by their full names, nearest first.
        layer_class: the name of the class of torch.nn that it is or derives from, if that class is
            there for an op; else "".
        exact: whether it is that very class.
        training: whether the module was in training mode when it was given.
        occurrences: in how many places of the tree of modules it stands.
        leaf: whether there are no modules in it.
    """

    ancestry: tuple[str, ...] = ()
    layer_class: str = ""
    exact: bool = False
    training: bool = False
    occurrences: int = 1
    leaf: bool = True


@cache
def ancestry_of(module_class: Any) -> tuple[str, ...]:
    """A class and what it derives from, by their full names, nearest first."""
    names = [f"{kind.__module__}.{kind.__qualname__}" for kind in module_class.__mro__]
    if module_class.__module__ == _MUTABLES:
        # A layer whose sizes are chosen stands for torch's own.
        names = _torch_ancestry(module_class.__name__) + names
    return tuple(names)


def _torch_ancestry(name: str) -> list[str]:
    import torch

    kind = getattr(torch.nn, name, None)
    return [] if kind is None else list(ancestry_of(kind))


_MUTABLES = "netledger.torch.mutables"


@cache
def layer_class(module_class: Any) -> tuple[str, bool]:
    """The class of torch.nn that a class is or derives from, and whether it is that very class."""
    for ancestor in module_class.__mro__:
        ours = ancestor.__module__ == _MUTABLES
        theirs = ancestor.__module__.startswith("torch.nn.modules.")
        if (ours or theirs) and ancestor.__name__ in OPS_OF_MODULE:
            return ancestor.__name__, ancestor is module_class
    return "", False


class FunctionCall(NamedTuple):
    """A call of a public function: its name, and what it was given besides tensors."""

    name: str
    arguments: dict[int | str, Any]


class Composite(NamedTuple):
    """A call of a module that some tools count as a whole, and the rows of its parts."""

    op: str
    scope: int
    first_row: int
    end_row: int
    attributes: dict[str, Any]
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    fusible: bool = False


class Origins(NamedTuple):
    """Where the layers of a traced module came from.

    Attributes:
        scopes: of every module call, by its number.
        functions: the public function that made a row, by the row's number.
        composites: in the order of their calls.
        batch: the first size of the first input by position, None without one.
        is_whole: whether composites are known; those of a space are not kept with a saved one.
    """

    scopes: list[ScopeOrigin]
    functions: dict[int, FunctionCall]
    composites: list[Composite]
    batch: int | None
    is_whole: bool = True

    def without_code(self) -> Origins:
        """The same as plain data, without quantities and objects of the user's."""
        return self._replace(
            functions={
                row: call._replace(arguments=_plain(call.arguments))
                for row, call in self.functions.items()
            },
            composites=[],
            is_whole=self.is_whole and not self.composites,
        )


def _plain(arguments: Mapping[int | str, Any]) -> dict[int | str, Any]:
    kinds = (int, float, str, bool, type(None), tuple, list)
    return {place: value for place, value in arguments.items() if isinstance(value, kinds)}
