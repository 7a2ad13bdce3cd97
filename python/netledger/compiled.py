"""The formulas of `netledger.formulas`, computed by the implementation in use.

Same names, same signatures, same results; arrays are evaluated by the compiled core in one pass.

>>> import numpy as np
>>> from netledger import compiled
>>> compiled.linear((1, 512), out_features=np.array([10, 100, 1000])).params
array([  5130,  51300, 513000])
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from netledger._implementation import evaluate_layer
from netledger._results import Cost
from netledger.formulas._layer import OPERATIONS, Operation, arguments_of

__all__ = list(OPERATIONS)


def _compiled(operation: Operation) -> Callable[..., Cost]:
    signature = inspect.signature(operation.rule)

    @functools.wraps(operation.rule)
    def formula(*args: Any, **kwargs: Any) -> Cost:
        inputs, attributes = arguments_of(signature, args, kwargs)
        return evaluate_layer(operation.name, inputs, attributes)

    return formula


for _operation in OPERATIONS.values():
    globals()[_operation.name] = _compiled(_operation)
