"""``paddle``: as ``paddle.flops`` counts a network: what hooks on its innermost layers see.

Multiply-accumulates and biases of convolutions, products of linear layers, 2 per element of a 2-d
batch norm, little else, for a batch of 1; other batch norms, layer norms, attention and recurrent
layers count nothing, nor do functions, operators, derived classes and a network of a single layer.
A transposed convolution counts as many products per *output* element as a convolution. A layer that
stands in n places gets n hooks, each of which counts every call.

Parameters are those of innermost layers that are called. The running statistics of a batch norm are
parameters in Paddle, and so they are here.

Source: PaddlePaddle/Paddle, python/paddle/hapi/dynamic_flops.py; python/paddle/nn/layer/norm.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.sizes import CONVOLUTIONS, TRANSPOSED, per_input, per_output
from netledger.conventions.thop import (
    ADAPTIVE,
    AVERAGING,
    FLOOR_OF_OUTPUT_SHAPE,
    OUTPUT_SIZED_AND_BIAS,
    PRODUCTS,
    PRODUCTS_AND_BIAS,
    Terms,
    below_root,
    class_name,
    hooked,
    in_turn,
)
from netledger.errors import NetledgerError

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTION", "HOOKED", "PER_CALL"]

#: Classes of torch.nn of which Paddle's counterpart has a rule.
HOOKED: dict[str, str] = {
    name: name
    for name in (
        *(
            f"{kind}{rank}d"
            for kind in ("Conv", "ConvTranspose", "AvgPool", "AdaptiveAvgPool")
            for rank in (1, 2, 3)
        ),
        "BatchNorm2d",
        "ReLU",
        "ReLU6",
        "LeakyReLU",
        "Linear",
        "Dropout",
    )
}

_TERMS: Terms = {
    CONVOLUTIONS: PRODUCTS_AND_BIAS,
    TRANSPOSED: OUTPUT_SIZED_AND_BIAS,
    "linear": PRODUCTS,
    "batch_norm": per_input(2),
    "leaky_relu": per_input(1),
    AVERAGING: per_output(1),
    ADAPTIVE: FLOOR_OF_OUTPUT_SHAPE,
}

#: Modules with children, whose parts are modules too: hooks are on those.
_CONTAINERS = frozenset(("MultiheadAttention",))


def _two_dimensional(layer: LayerView, term: Term) -> Term:
    """Of a batch norm that was built without a module, the input tells the class."""
    if layer.op == "batch_norm" and not layer.origin.class_name and len(layer.inputs[0]) != 4:
        return Term("nothing: only 2-d batch norms have a rule", NOTHING.cost)
    return term


def _every_hook(layer: LayerView, term: Term) -> Term:
    """Paddle's mistake with a module in n places: n hooks on it, each of which counts each call."""
    times = layer.origin.occurrences
    if times == 1 or term.cost is NOTHING.cost:
        return term
    return Term(
        f"{term.text}, {times} times as the module stands in so many places",
        lambda layer: times * term.cost(layer),
    )


_SEEN = (hooked(HOOKED), _two_dimensional)

#: What one hook adds in one call of a module.
PER_CALL = Rules(_TERMS, adapted=in_turn(*_SEEN))

_FLOPS = Rules(_TERMS, adapted=in_turn(*_SEEN, below_root, _every_hook))


def _held(layer: LayerView) -> Any:
    """Parameters of a module, and a batch norm's running statistics, at its first call."""
    if layer.origin.call:
        return 0
    statistics = 0
    if layer.op == "batch_norm" and layer.attributes["track_running_stats"]:
        statistics = 2 * layer.inputs[0][1]
    return layer.held_params + statistics


def _of_unknown_module(layer: LayerView) -> Any:
    if layer.op == "uncalled" or not layer.held_params or not layer.origin.class_name:
        return 0
    raise NetledgerError(
        f"paddle counts the parameters of modules without children, and whether "
        f"{layer.origin.class_name} ('{layer.name}') has any is not known here: call "
        "netledger.compat.paddle.flops"
    )


_HELD = Term("parameters of innermost modules, running statistics among them", _held)
_UNKNOWN = Term("parameters of modules without children", _of_unknown_module)


def _of_innermost(layer: LayerView, term: Term) -> Term:
    if class_name(layer) in _CONTAINERS:
        return Term("nothing: hooks are on the module's children", NOTHING.cost)
    # A derived class may have children.
    return _HELD if layer.origin.kind == "module" and layer.origin.exact else _UNKNOWN


CONVENTION = Convention(
    "paddle",
    {"flops": _FLOPS, "params": Rules({}, adapted=in_turn(_of_innermost, below_root))},
)
