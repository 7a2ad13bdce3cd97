"""The plain-Python twin of the compiled core: the same classes, errors and numbers, slow and plain.

Set ``NETLEDGER_IMPLEMENTATION=pure`` to run on it.
"""

from __future__ import annotations

from netledger._pure.graph import Graph
from netledger._pure.operations import build_config, evaluate_layer, operations
from netledger._pure.plan import Plan, Source
from netledger._pure.query import Query
from netledger._pure.space import Space

__all__ = [
    "Graph",
    "Plan",
    "Query",
    "Source",
    "Space",
    "build_config",
    "evaluate_layer",
    "operations",
]
