"""Holds a rule against torch: which layers it accepts, their output shapes, their weights."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netledger.errors import LayerError
from netledger.formulas._layer import OPERATIONS, cost_of, normalise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from strategies.spoiling import Drawn

Shape = tuple[int, ...]

#: What torch raises for layers that it does not accept; a LayerError is a ValueError.
TORCH_REFUSES = (IndexError, RuntimeError, TypeError, ValueError, ZeroDivisionError)


@dataclass(frozen=True)
class TorchLayer:
    """The layer that torch makes: outputs, and weights in the order of the state_dict."""

    shapes: tuple[Shape, ...]
    parameters: tuple[Shape, ...] = ()
    buffers: tuple[Shape, ...] = ()


def called(layer: Callable[..., Any], *inputs: Any) -> TorchLayer:
    """What a torch function or module gives for its inputs."""
    result = layer(*inputs)
    outputs = result if isinstance(result, tuple) else (result,)
    weights = [
        tuple(tuple(weight.shape) for weight in getattr(layer, kind)())
        if hasattr(layer, kind)
        else ()
        for kind in ("parameters", "buffers")
    ]
    return TorchLayer(tuple(tuple(output.shape) for output in outputs), *weights)


def ours(op: str, shapes: Sequence[Shape], attributes: dict[str, object]) -> TorchLayer:
    """What the rule gives; its counts must belong to these weights."""
    cost = cost_of(OPERATIONS[op], shapes, attributes)
    rule = OPERATIONS[op].rule(*shapes, **normalise(OPERATIONS[op], attributes))
    weights = {
        kind: tuple(weight.shape for weight in rule.weights if weight.kind == kind)
        for kind in ("parameter", "buffer")
    }
    assert cost.flops >= 0
    assert cost.macs >= 0
    return TorchLayer(cost.shapes, weights["parameter"], weights["buffer"])


def outcome(
    layer: Callable[..., TorchLayer], op: str, shapes: list[Shape], attributes: dict[str, object]
) -> TorchLayer | Exception:
    """The layer, or the exception that refuses it."""
    try:
        return layer(op, shapes, attributes)
    except TORCH_REFUSES as refusal:
        return refusal


def assert_agreement(
    drawn: Drawn,
    torch_layer: Callable[[str, list[Shape], dict[str, object]], TorchLayer],
    stricter: Sequence[str] = (),
) -> bool:
    """Both accept the layer and give the same, or both refuse it; returns whether they accept.

    `stricter` are patterns of the refusals of layers that torch, all the same, accepts.
    """
    op, shapes, attributes = drawn
    given = outcome(ours, op, shapes, attributes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = outcome(torch_layer, op, shapes, attributes)
    if isinstance(expected, TorchLayer):
        if isinstance(given, LayerError):
            assert any(re.search(pattern, given.rule) for pattern in stricter), f"{drawn}: {given}"
            return False
        assert given == expected, drawn
        return True
    assert isinstance(given, LayerError), f"{drawn}: torch refuses it: {expected}"
    return False
