"""Counts torch modules: their Python runs once on stand-ins, the engine propagates the shapes.

Modules of which something is left to choose, for supernets, are here too: `Choice`, `LayerChoice`,
`Repeat`, and layers whose sizes may be choices.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from netledger.errors import NetledgerError, UnsupportedWarning
from netledger.ledger import Ledger

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise NetledgerError(
        "counting a torch module needs torch: pip install torch (networks built with "
        "netledger.Graph do not)"
    ) from error

from netledger.torch._inputs import Input, read_inputs
from netledger.torch._layout import choices, is_supernet, set_choices
from netledger.torch._values import Choice, Expression
from netledger.torch.mutables import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    Embedding,
    GroupNorm,
    InputChoice,
    LayerChoice,
    LayerNorm,
    Linear,
    Repeat,
)

if TYPE_CHECKING:
    from torch import nn

    from netledger.graph import Graph
    from netledger.space import Space

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Choice",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Embedding",
    "GroupNorm",
    "Input",
    "InputChoice",
    "LayerChoice",
    "LayerNorm",
    "Linear",
    "Repeat",
    "choices",
    "count",
    "from_torch",
    "set_choices",
]


def from_torch(module: nn.Module, *inputs: Any, **keyword_inputs: Any) -> Graph | Space:
    """Convert a torch module to a graph of layers, for inputs of the given sizes.

    A supernet, in which a `Choice`, a `LayerChoice`, an `InputChoice` or a `Repeat` leaves
    something to choose, becomes a `Space` with one variable for every name; a choice may also stand
    for a size of an input. Its Python runs once for all choices: sizes that vary are
    ``torch.SymInt``, exact in ``view``, ``reshape`` and arithmetic, and where Python needs the
    value of one, it must be the same for all configurations.

    The space is compared with the module before it is returned: for the current choices, the
    extremes, configurations that show every value of every choice (up to 64, and as many for
    choices that exist only under conditions) and 16 at random, the module is counted as it then
    runs, and every metric must be the same; what the space refuses, the module must refuse. The
    module is left with its choices, weights and modes.

    Args:
        module: any module, on any device, the meta device included; it is traced in evaluation
            mode without computing anything on its tensors, and left exactly as it was.
        inputs: one per positional argument of forward: a shape such as ``(1, 3, 224, 224)``, an
            `Input` (shape and dtype), a tensor (a meta tensor too), or any other value, which is
            passed through. A single list or tuple of these, or a tuple ``(args, kwargs)``, is
            accepted as well. Shapes take the dtype of the module's first floating parameter.
            Integer and boolean tensors keep their values, so that forward may branch on them.
        keyword_inputs: the same, by name.

    Returns:
        A graph whose layers carry the path, class and call of the module they came from; of a
        supernet, a space of them.

    Raises:
        LayerError: shapes that a layer does not take, in no configuration of a supernet.
        DataDependentError: control flow that depends on the values of an input.
        TraceError: forward raised an exception; control flow of a supernet depends on its choices,
            or its space has other numbers than the module.
        SpaceError: choices of one name have different values.

    Warns:
        UnsupportedWarning: operations without a rule; they are opaque layers without cost, and
            `Ledger.unsupported` lists them.
    """
    from netledger.graph import Graph

    positional, named = _read(module, inputs, keyword_inputs)
    if is_supernet(module, (positional, named)):
        from netledger.torch.supernet import space_of

        space, unsupported = space_of(module, positional, named)
        _warn(unsupported, 3)
        return space
    tracer = _trace(module, positional, named)
    return Graph(tracer.engine, origins=tracer.origins)


def count(module: nn.Module | Graph, *inputs: Any, **keyword_inputs: Any) -> Ledger:
    """What a torch module costs, for inputs of the given sizes.

    Takes what `from_torch` takes, and raises what it raises; a `Graph` is counted as it is, and a
    supernet with its current choices: as if it were built of nothing else.

    >>> import torch, netledger as nl
    >>> nl.count(torch.nn.Linear(512, 1000), (1, 512)).macs
    512000
    """
    from netledger.graph import Graph

    if isinstance(module, Graph):
        return module.count()
    tracer = _trace(module, *_read(module, inputs, keyword_inputs))
    return Ledger(
        tracer.engine, tracer.engine.count(), title=type(module).__name__, origins=tracer.origins
    )


def _read(
    module: Any, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    from torch import nn

    if not isinstance(module, nn.Module):
        raise NetledgerError(
            f"expected a torch.nn.Module or a netledger.Graph, got {type(module).__name__}"
        )
    return read_inputs(
        tuple(map(_with_choices, inputs)),
        {name: _with_choices(value) for name, value in keyword_inputs.items()},
    )


def _with_choices(value: Any) -> Any:
    """An input; a shape with choices among its sizes is one."""
    if isinstance(value, list | tuple):
        if any(isinstance(size, Expression) for size in value):
            return Input(tuple(value))
        if type(value) in (list, tuple):
            return type(value)(map(_with_choices, value))
    return value


def _trace(module: nn.Module, positional: list[Any], named: dict[str, Any]) -> Any:
    from netledger.torch.tracer import trace

    tracer = trace(module, positional, named)
    _warn(tracer.unsupported, 4)
    return tracer


def _warn(unsupported: dict[str, int], level: int) -> None:
    if unsupported:
        listed = ", ".join(
            f"{name} ({times}x)" if times > 1 else name for name, times in unsupported.items()
        )
        warnings.warn(
            f"no rule for {listed}: counted as opaque layers without cost, see Ledger.unsupported",
            UnsupportedWarning,
            stacklevel=level,
        )
