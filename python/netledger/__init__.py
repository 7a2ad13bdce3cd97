"""netledger tells what a neural network costs, exactly.

`count` counts one torch module; `Graph` and the layer functions (`conv2d`, `linear`, ...) build a
network without torch; `Space` builds many networks at once, of which choices are left open, and
counts them by the million. `formulas` is the closed form of every layer. Every number is an int, in
the ``textbook`` convention unless another is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from netledger._implementation import build_config, operations
from netledger._version import __version__
from netledger.errors import (
    CountOverflowError,
    DataDependentError,
    LayerError,
    NetledgerError,
    SpaceError,
    TargetError,
    TraceError,
    UnsupportedWarning,
)

if TYPE_CHECKING:
    # Before the layers of these names: here they are functions of numbers and of tensors.
    from netledger.quantity import (
        ceil,
        ceil_divide,
        floor,
        greatest_common_divisor,
        make_divisible,
        maximum,
        minimum,
        round_to,
        tabulate,
        where,
    )

if TYPE_CHECKING:
    from netledger import compiled, conventions, formulas, metrics
    from netledger.advice import Device
    from netledger.explanation import why
    from netledger.graph import Graph, Tensor
    from netledger.layers import *  # type: ignore[assignment]  # noqa: F403
    from netledger.ledger import Ledger, Row
    from netledger.space import Space
    from netledger.torch import Input, count, from_torch

# Found when they are first asked for: importing netledger costs little more than numpy.
_HOMES = {
    "Device": "netledger.advice",
    "Graph": "netledger.graph",
    "Tensor": "netledger.graph",
    "Ledger": "netledger.ledger",
    "Row": "netledger.ledger",
    "Space": "netledger.space",
    **dict.fromkeys(
        (
            "ceil",
            "ceil_divide",
            "floor",
            "greatest_common_divisor",
            "make_divisible",
            "maximum",
            "minimum",
            "round_to",
            "tabulate",
            "where",
        ),
        "netledger.quantity",
    ),
    "Input": "netledger.torch",
    "count": "netledger.torch",
    "from_torch": "netledger.torch",
    "why": "netledger.explanation",
}
_MODULES = (
    "compiled",
    "conventions",
    "costs",
    "distribution",
    "formulas",
    "layers",
    "metrics",
    "quantity",
    "spaces",
)

__all__ = [
    "CountOverflowError",
    "DataDependentError",
    "Device",
    "Graph",
    "Input",
    "LayerError",
    "Ledger",
    "NetledgerError",
    "Row",
    "Space",
    "SpaceError",
    "TargetError",
    "Tensor",
    "TraceError",
    "UnsupportedWarning",
    "__version__",
    "build_config",
    "ceil",
    "ceil_divide",
    "compiled",
    "conventions",
    "count",
    "floor",
    "formulas",
    "from_torch",
    "greatest_common_divisor",
    "make_divisible",
    "maximum",
    "metrics",
    "minimum",
    "operations",
    "round_to",
    "tabulate",
    "where",
    "why",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"netledger.{name}")
    if name in _HOMES:
        found = getattr(importlib.import_module(_HOMES[name]), name)
    elif name.startswith("_"):
        raise AttributeError(f"module 'netledger' has no attribute {name!r}")
    else:
        layers = importlib.import_module("netledger.layers")
        if name not in layers.__all__:
            raise AttributeError(f"module 'netledger' has no attribute {name!r}")
        found = getattr(layers, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    layers = importlib.import_module("netledger.layers")
    return sorted({*__all__, *layers.__all__})
