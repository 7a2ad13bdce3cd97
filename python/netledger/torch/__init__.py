"""Counts torch modules: their Python runs once on stand-ins, the engine propagates the shapes."""

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

if TYPE_CHECKING:
    from torch import nn

    from netledger.graph import Graph

__all__ = ["Input", "count", "from_torch"]


def from_torch(module: nn.Module, *inputs: Any, **keyword_inputs: Any) -> Graph:
    """Convert a torch module to a graph of layers, for inputs of the given sizes.

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
        A graph whose layers carry the path, class and call of the module they came from.

    Raises:
        LayerError: shapes that a layer does not take.
        DataDependentError: control flow that depends on the values of an input.
        TraceError: forward raised an exception.

    Warns:
        UnsupportedWarning: operations without a rule; they are opaque layers without cost, and
            `Ledger.unsupported` lists them.
    """
    from netledger.graph import Graph

    graph = Graph()
    graph.engine = _trace(module, inputs, keyword_inputs).engine
    return graph


def count(module: nn.Module | Graph, *inputs: Any, **keyword_inputs: Any) -> Ledger:
    """What a torch module costs, for inputs of the given sizes.

    Takes what `from_torch` takes, and raises what it raises; a `Graph` is counted as it is.

    >>> import torch, netledger as nl
    >>> nl.count(torch.nn.Linear(512, 1000), (1, 512)).macs
    512000
    """
    from netledger.graph import Graph

    if isinstance(module, Graph):
        return module.count()
    tracer = _trace(module, inputs, keyword_inputs)
    return Ledger(tracer.engine, tracer.engine.count(), title=type(module).__name__)


def _trace(module: Any, inputs: tuple[Any, ...], keyword_inputs: dict[str, Any]) -> Any:
    from torch import nn

    from netledger.torch.tracer import trace

    if not isinstance(module, nn.Module):
        raise NetledgerError(
            f"expected a torch.nn.Module or a netledger.Graph, got {type(module).__name__}"
        )
    positional, named = read_inputs(inputs, keyword_inputs)
    tracer = trace(module, positional, named)
    if tracer.unsupported:
        listed = ", ".join(
            f"{name} ({times}x)" if times > 1 else name
            for name, times in tracer.unsupported.items()
        )
        warnings.warn(
            f"no rule for {listed}: counted as opaque layers without cost, see Ledger.unsupported",
            UnsupportedWarning,
            stacklevel=3,
        )
    return tracer
