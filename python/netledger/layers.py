"""Every op of the rule book as a function of tensors: ``y = conv2d(x, out_channels=64, ...)``.

The functions have the signatures of `netledger.formulas`, with tensors of a graph where a formula
takes shapes, and three keywords more: ``name``, ``weights`` (explicit or shared ones, see
`Builder.add`) and ``dtype``. They are made from the formulas, so that neither can lack what the
other has; ``layers.pyi`` spells them out for type checkers.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from netledger.errors import LayerError, NetledgerError
from netledger.formulas._layer import OPERATIONS, Operation, arguments_of
from netledger.graph import Tensor

__all__ = list(OPERATIONS)


def _builder(operation: Operation) -> Callable[..., Any]:
    signature = inspect.signature(operation.rule)
    embeds = operation.family == "embedding"

    @functools.wraps(operation.rule)
    def layer(
        *args: Any,
        name: str = "",
        weights: Sequence[Tensor | None] | None = None,
        dtype: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> Any:
        try:
            inputs, attributes = arguments_of(signature, args, kwargs)
        except TypeError as error:
            message = f"{operation.name}: {error}"
            raise LayerError(message, name, operation.name, str(error)) from None
        attributes = {key: _plain(value) for key, value in attributes.items()}
        if not inputs or not isinstance(inputs[0], Tensor):
            raise NetledgerError(
                f"{operation.name} adds to the graph of its inputs, but got {inputs}: "
                "start from graph.input(...)"
            )
        if embeds and dtype is None:
            dtype = "float32"
        outputs = inputs[0].graph.add(
            operation.name,
            *inputs,
            attributes=attributes,
            weights=weights,
            dtype=dtype,
            name=name,
        )
        return outputs[0] if len(outputs) == 1 else outputs

    return layer


def _plain(value: Any) -> Any:
    """Nested pairs laid end to end, and -1 for a None inside a sequence (a size that is kept)."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    flat: list[Any] = []
    for entry in value:
        if isinstance(entry, Sequence) and not isinstance(entry, str):
            flat.extend(entry)
        else:
            flat.append(-1 if entry is None else entry)
    return tuple(flat)


for _operation in OPERATIONS.values():
    globals()[_operation.name] = _builder(_operation)
