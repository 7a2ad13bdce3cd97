"""``ptflops_aten``: as ptflops counts with its backend 'aten', which sees what torch dispatches.

Multiply-accumulates of convolutions, linear layers and products of matrices, one per output for a
bias, on the CPU and with gradients on; everything else counts nothing. Nothing is divided by the
batch. What a product becomes in torch decides what is seen of it: fused attention of four
dimensions, LSTMs, and products of a matrix with a vector are not. Attention is not fused where its
mask needs gradients, which only `netledger.compat.ptflops` knows.

torch adds the bias of a linear layer by itself, unseen, where the input has three or more
dimensions and is not contiguous in memory. The rules know of one such case, the projections of an
``nn.MultiheadAttention`` with the batch first; recurrent layers with the batch first are another.
Other transposed inputs are taken to be contiguous, which `netledger.compat.ptflops` does not.

Source: ptflops 0.7.5, ptflops/aten_ops.py and ptflops/aten_engine.py; torch,
aten/src/ATen/native/Linear.cpp.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.patched import CELLS, gates, projected, score_products
from netledger.conventions.sizes import (
    CONVOLUTIONS,
    TRANSPOSED,
    bias_outputs,
    outputs,
    products,
)

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTIONS", "taken_apart"]


def _with_bias(layer: LayerView) -> Any:
    return layer.macs + bias_outputs(layer)


def _matmul(layer: LayerView) -> Any:
    """Products of two matrices, and of a vector with a matrix, which becomes a row.

    That of a matrix, or a row of them, with a vector is another operation, that is not seen.
    """
    first, second = (len(shape) for shape in layer.inputs[:2])
    return 0 if second == 1 or (first == 1 and second > 2) else layer.macs


def _attention(layer: LayerView) -> Any:
    """Fused attention is not seen; torch takes it apart where heads have no dimension of their own.

    It does so too where keys and values have different widths, where batches or heads are
    broadcast, and where a mask has three dimensions.
    """
    query, key, value = layer.inputs[:3]
    if len(query) != 4 or any(len(mask) == 3 for mask in layer.inputs[3:]):
        return layer.macs
    if query[-1] == value[-1] and query[:2] == key[:2] == value[:2]:
        return 0
    return layer.macs


def _lost_biases(layer: LayerView) -> Any:
    """Biases of the input projections that torch adds unseen: outputs of those not contiguous."""
    attributes, width = layer.attributes, layer.inputs[0][-1]
    if not (attributes["bias"] and attributes["batch_first"]) or len(layer.inputs[0]) != 3:
        return 0
    lost = 0
    for batch, length, _ in layer.inputs[:3]:
        if batch > 1 and length > 1:
            lost += batch * length * width
    return lost


def _multi_head_attention(layer: LayerView) -> Any:
    """All of a built layer; of a module only what its parts count too much."""
    if layer.origin.kind == "composite":
        return -_lost_biases(layer)
    attributes, width = layer.attributes, layer.inputs[0][-1]
    cost = projected(layer) - _lost_biases(layer)
    if attributes["need_weights"]:
        cost += score_products(layer)
    if attributes["bias"]:
        first = layer.inputs[0]
        cost += sum(prod(shape[:-1]) for shape in (first, *layer.inputs[:3])) * width
    return cost


def _cell(layer: LayerView) -> Any:
    """Two linear layers."""
    rows = prod(layer.inputs[0][:-1])
    return layer.macs + (2 * rows * gates(layer) if layer.attributes["bias"] else 0)


def taken_apart(layer: LayerView, *, loses_biases: bool) -> Any:
    """A recurrent layer as products: one of all steps, one for each step, and their biases.

    Args:
        layer: the layer, all its cells and directions.
        loses_biases: whether torch adds the biases of the first cells' inputs by itself, unseen.
    """
    attributes = layer.attributes
    if not attributes["bias"]:
        return layer.macs
    directions = 2 if attributes["bidirectional"] else 1
    outputs_of_one = prod(layer.inputs[0][:-1]) * gates(layer)
    linears = 2 * attributes["num_layers"] - (1 if loses_biases else 0)
    return layer.macs + directions * linears * outputs_of_one


def _recurrent(layer: LayerView) -> Any:
    """Input that is transposed, as it is where the batch comes first, is not contiguous."""
    attributes, shape = layer.attributes, layer.inputs[0]
    transposed = attributes["bias"] and attributes["batch_first"] and len(shape) == 3
    return taken_apart(layer, loses_biases=transposed and shape[0] > 1 and shape[1] > 1)


def _lstm(layer: LayerView) -> Any:
    """Computed in one piece that is not seen, unless it has projections.

    So it is of 32-bit floats; of 64-bit floats torch takes it apart, which a layer does not tell.
    """
    return _recurrent(layer) if layer.attributes["proj_size"] else 0


_PRODUCTS = Term("multiply-accumulates", products)
_PRODUCTS_AND_BIAS = "multiply-accumulates and one per output for the bias"

#: Sums with a product that are other operations for torch, which are not seen.
_UNSEEN = ("baddbmm", "addbmm", "addmv")


def _adapted(layer: LayerView, term: Term) -> Term:
    name = layer.origin.function.partition(".")[2]
    if layer.op == "matmul" and name in _UNSEEN:
        return NOTHING
    if layer.op == "matmul" and name == "addmm":
        return _SUM
    if layer.origin.kind == "composite" and layer.op == "multi_head_attention":
        return _CORRECTION
    return term


_SUM = Term(
    "multiply-accumulates and one per output for the matrix that is added",
    lambda layer: layer.macs + outputs(layer),
)
_CORRECTION = Term(
    "one less for each bias of an input projection that torch adds by itself",
    _multi_head_attention,
)
_RULE = Rules(
    {
        (*CONVOLUTIONS, *TRANSPOSED): Term(_PRODUCTS_AND_BIAS, _with_bias),
        "linear": Term(_PRODUCTS_AND_BIAS, _with_bias),
        "matmul": Term("multiply-accumulates, unless of a matrix with a vector", _matmul),
        "einsum": _PRODUCTS,
        "scaled_dot_product_attention": Term(
            "nothing, or multiply-accumulates where torch takes the attention apart", _attention
        ),
        "multi_head_attention": Term(
            "multiply-accumulates and one per bias of the projections, and of the attention if "
            "weights are returned",
            _multi_head_attention,
        ),
        CELLS: Term("multiply-accumulates and one per gate for each of two biases", _cell),
        ("rnn", "gru"): Term(
            "multiply-accumulates and one per gate for each of two biases", _recurrent
        ),
        "lstm": Term(
            "nothing, or with projections multiply-accumulates and one per gate for two biases",
            _lstm,
        ),
    },
    adapted=_adapted,
    composites=True,
)
CONVENTIONS: dict[str, Convention] = {
    "0.7.5": Convention(
        "ptflops_aten@0.7.5",
        {"flops": _RULE, "macs": _RULE, "params": "trainable_params"},
        figure="MACs",
    )
}
