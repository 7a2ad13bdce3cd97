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
        module_class: the class of the module that the layer ran in; None if it was built without,
            or comes from a space that was saved.
        class_name: the name of that class, else "".
        exact: whether that class is torch's own, not one derived from it.
        call: which call of that module this is, from 0.
        calls: how often the module was called.
        occurrences: in how many places of the tree of modules it stands; 0 for one that is held
            outside of it, as in a list.
        batch: the first size of the network's first input.
        inside: ops of the composites that the layer is part of, the outermost first.
        training: whether the module was in training mode when it was given.
        root: whether that module is the model itself.
    """

    kind: str = "module"
    function: str = ""
    arguments: Mapping[int | str, Any] = field(default_factory=dict)
    module_class: type | None = None
    class_name: str = ""
    exact: bool = True
    call: int = 0
    calls: int = 1
    occurrences: int = 1
    batch: Any = 1
    inside: tuple[str, ...] = ()
    training: bool = False
    root: bool = False


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
        module_class: its class; None for the graph itself.
        class_name: the name of that class.
        layer_class: the name of the class of torch.nn that it is or derives from, if that class is
            there for an op; else "".
        exact: whether it is that very class.
        training: whether the module was in training mode when it was given.
        occurrences: in how many places of the tree of modules it stands.
    """

    module_class: type | None = None
    class_name: str = ""
    layer_class: str = ""
    exact: bool = False
    training: bool = False
    occurrences: int = 1


@cache
def layer_class(module_class: type) -> tuple[str, bool]:
    """The class of torch.nn that a class is or derives from, and whether it is that very class."""
    for ancestor in module_class.__mro__:
        # A layer whose sizes are chosen stands for torch's own.
        ours = ancestor.__module__ == "netledger.torch.mutables"
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


class Origins(NamedTuple):
    """Where the layers of a traced module came from.

    Attributes:
        scopes: of every module call, by its number.
        functions: the public function that made a row, by the row's number.
        composites: in the order of their calls.
        batch: the first size of the first input, None without an input.
        is_whole: whether composites are known; those of a space are not kept with a saved one.
    """

    scopes: list[ScopeOrigin]
    functions: dict[int, FunctionCall]
    composites: list[Composite]
    batch: int | None
    is_whole: bool = True

    def without_code(self) -> Origins:
        """The same as plain data, without classes, which another process may not have."""
        return self._replace(
            scopes=[scope._replace(module_class=None) for scope in self.scopes],
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
