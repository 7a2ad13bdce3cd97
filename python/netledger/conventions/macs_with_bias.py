"""``macs_with_bias``: multiply-accumulates, and one for every bias that is added to an output.

Of a layer with a bias that means:

* convolutions, transposed convolutions, linear and bilinear layers: one per output element;
* recurrent layers and cells: two per gate, unit and step in each layer and direction, for the bias
  of the input and that of the state (torch keeps both);
* multi-head attention: one per element of the projected queries, keys and values, and one per
  output element.

The bias of a normalization is none of these. What `torch.addmm` adds to a product is an addition
of its own in a trace, and counts nothing here.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import Convention, Rules, Term
from netledger.conventions.sizes import CONVOLUTIONS, TRANSPOSED, bias_outputs, products

if TYPE_CHECKING:
    from netledger.metrics import LayerView

#: Gates of a recurrent layer, and of its cell.
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def _affine(layer: LayerView) -> Any:
    return layer.macs + bias_outputs(layer)


def _recurrent(layer: LayerView) -> Any:
    attributes = layer.attributes
    if not attributes["bias"]:
        return layer.macs
    cells = attributes.get("num_layers", 1) * (2 if attributes.get("bidirectional", False) else 1)
    units = GATES[layer.op.removesuffix("_cell")] * attributes["hidden_size"]
    return layer.macs + 2 * units * cells * prod(layer.inputs[0][:-1])


def _attention(layer: LayerView) -> Any:
    if not layer.attributes["bias"]:
        return layer.macs
    queries = prod(layer.inputs[0])
    keys = prod(layer.inputs[1][:-1]) * layer.inputs[0][-1]
    return layer.macs + queries + 2 * keys + queries


#: The term of every op that may have a bias; other contractions have none.
FLOPS = Rules(
    {
        (*CONVOLUTIONS, *TRANSPOSED, "linear", "bilinear"): Term(
            "multiply-accumulates, and one per output element for the bias", _affine
        ),
        ("rnn", "lstm", "gru", "rnn_cell", "lstm_cell", "gru_cell"): Term(
            "multiply-accumulates, and two per gate, unit and step for the biases", _recurrent
        ),
        "multi_head_attention": Term(
            "multiply-accumulates, and one per element of queries, keys, values and output for the "
            "biases",
            _attention,
        ),
    },
    otherwise=Term("multiply-accumulates", products),
)

CONVENTION = Convention(
    "macs_with_bias", {"flops": FLOPS, "macs": FLOPS, "params": "params"}, "MACs"
)
