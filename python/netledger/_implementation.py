"""Which implementation runs: the compiled core, or its plain-Python twin.

``NETLEDGER_IMPLEMENTATION=pure`` in the environment chooses the twin; both give the same numbers.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

_chosen = os.environ.get("NETLEDGER_IMPLEMENTATION", "core")

if TYPE_CHECKING:
    from netledger._core import Graph as Engine
    from netledger._core import build_config, evaluate_layer, operations
    from netledger._pure import Space as SpaceEngine
elif _chosen == "core":
    try:
        from netledger._core import Graph as Engine
        from netledger._core import build_config, evaluate_layer, operations
    except ImportError as error:
        error.args = (
            f"{error.args[0]}. The compiled core is missing: reinstall netledger, or set "
            "NETLEDGER_IMPLEMENTATION=pure to run on the plain-Python twin.",
        )
        raise
    try:
        from netledger._core import Space as SpaceEngine
    except ImportError:  # the core cannot yet count spaces
        from netledger._pure import Space as SpaceEngine
elif _chosen == "pure":
    from netledger._pure import Graph as Engine
    from netledger._pure import Space as SpaceEngine
    from netledger._pure import build_config, evaluate_layer, operations
else:
    raise ImportError(f"NETLEDGER_IMPLEMENTATION must be 'core' or 'pure', got {_chosen!r}")

__all__ = ["Engine", "SpaceEngine", "build_config", "evaluate_layer", "operations"]
