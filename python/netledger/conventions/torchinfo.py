"""``torchinfo``: the mult-adds of torchinfo 1.8.0: parameters, times how often it thinks they work.

Only modules of torch.nn count, and only by their weights and biases: each once per output position
in a convolution, once per sample and step in a recurrent layer, and once per sample in anything
else, so that a linear layer over a sequence counts as if it saw one position. What has no weights,
functions, operators and attention count nothing. Three things take the modules themselves to know,
which `netledger.compat.torchinfo` has and this rule has not: modules that hold weights and call
functions with them, weights that are made of others (pruned or normalized ones), and the rows that
torchinfo adds for a module with several parents.

``params`` counts a tensor that several modules hold for each of them.

Source: TylerYep/torchinfo 1.8.0, layer_info.py (``calculate_macs``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from netledger._torch_names import MODULES_OF_OP
from netledger.conventions.base import NOTHING, Convention, Rules, Term

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTION", "mult_adds"]


def mult_adds(class_name: str, output: Sequence[Any], parameters: Iterable[tuple[str, Any]]) -> Any:
    """What torchinfo counts of one call of a module.

    Args:
        class_name: the name of its class; one with "Conv" in it is taken for a convolution.
        output: the shape of its first output.
        parameters: the names of its parameters, and their elements.
    """
    total: Any = 0
    for name, elements in parameters:
        if name in ("weight", "bias"):
            if "Conv" in class_name:
                total += elements * prod([*output[:1], *output[2:]])
            else:
                total += elements * output[0]
        elif "weight" in name or "bias" in name:
            total += elements * prod(output[:2])
    return total


def _class_name(layer: LayerView) -> str:
    return layer.origin.class_name or MODULES_OF_OP[layer.op][0]


def _weights(layer: LayerView) -> Any:
    return mult_adds(_class_name(layer), layer.outputs[0], [("weight", layer.held_params)])


def _recurrent_weights(layer: LayerView) -> Any:
    """These are named by what they read and their layer."""
    return mult_adds(_class_name(layer), layer.outputs[0], [("weight_ih", layer.held_params)])


_POSITIONS = Term("every weight and bias, once per output position", _weights)
_SAMPLES = Term("every weight and bias, once per sample", _weights)


_NO_LEAF = Term("nothing, as the module holds other modules", NOTHING.cost)


def _adapted(layer: LayerView, term: Term) -> Term:
    if layer.origin.kind != "module":
        return NOTHING
    if not layer.origin.leaf:
        return _NO_LEAF
    if term is _SAMPLES and "Conv" in _class_name(layer):
        return _POSITIONS
    return term


MULT_ADDS = Rules(
    {
        ("rnn", "lstm", "gru"): Term(
            "every weight and bias, once per sample and step", _recurrent_weights
        ),
        ("rnn_cell", "lstm_cell", "gru_cell"): Term(
            "every weight and bias, once per element of the state", _recurrent_weights
        ),
        "multi_head_attention": NOTHING,
    },
    otherwise=_SAMPLES,
    adapted=_adapted,
)


def _params(layer: LayerView) -> Any:
    """Of a module all that it holds, at its first call."""
    if layer.origin.kind != "module":
        return layer.params
    return 0 if layer.origin.call else layer.held_params


CONVENTION = Convention(
    "torchinfo", {"flops": MULT_ADDS, "macs": MULT_ADDS, "params": _params}, "mult-adds"
)
