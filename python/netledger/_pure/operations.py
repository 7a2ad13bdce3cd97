"""The book of operations: what each op accepts, and its cost on its own."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from typing import Any

from netledger._results import Cost
from netledger.errors import NetledgerError
from netledger.formulas._layer import OPERATIONS, evaluate_arrays


def operations() -> dict[str, dict[str, Any]]:
    """Every op by name: family, inputs, flags, and its attributes with kind, default, words."""
    return {
        name: {
            "family": operation.family,
            "minimum_inputs": operation.minimum_inputs,
            "maximum_inputs": operation.maximum_inputs,
            "contraction": operation.contraction,
            "view": operation.view,
            "attributes": [
                (attribute.name, attribute.kind, attribute.default_or_required, attribute.choices)
                for attribute in operation.attributes
            ],
        }
        for name, operation in OPERATIONS.items()
    }


def evaluate_layer(op: str, inputs: Sequence[Sequence[Any]], attributes: Mapping[str, Any]) -> Cost:
    """The cost of one layer that owns its weights; sizes and attributes may be arrays.

    Args:
        op: kind of the layer.
        inputs: shapes of the inputs; every size an int or an integer array.
        attributes: the layer's attributes; ints or integer arrays.

    Returns:
        A `Cost` of ints, or of int64 arrays of the common broadcast shape.
    """
    if op not in OPERATIONS:
        raise NetledgerError(f"unknown op '{op}'")
    return evaluate_arrays(OPERATIONS[op], list(inputs), attributes)


def build_config() -> dict[str, str]:
    """How this implementation was built: nothing was, so the interpreter."""
    return {"implementation": "pure", "python": platform.python_version()}
