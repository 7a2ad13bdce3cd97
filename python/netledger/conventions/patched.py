"""What tools count that put functions of their own in place of torch's, and hook some modules.

Such a tool sees a call of ``F.relu`` or ``torch.matmul`` wherever it happens, within a module of
torch.nn too, but no operator (``x + y``) and no function that was taken out of torch before.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from netledger import quantity
from netledger.conventions.base import NOTHING, Term
from netledger.conventions.sizes import inputs, outputs
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = [
    "CELLS",
    "POOLS",
    "RECURRENT",
    "Functions",
    "fails",
    "gates",
    "interpolation",
    "left_aligned",
    "matrix_product",
    "pooling_terms",
    "projected",
    "recurrent",
    "repeated",
    "score_products",
    "scores",
    "term_of_function",
]

#: The term of a function by its name; by op too where a call makes several layers.
Functions: TypeAlias = Mapping[str, Term | Mapping[str, Term]]

POOLS = tuple(
    f"{kind}{spatial}d"
    for kind in ("avg_pool", "max_pool", "adaptive_avg_pool", "adaptive_max_pool")
    for spatial in (1, 2, 3)
)
CELLS = ("rnn_cell", "gru_cell", "lstm_cell")
RECURRENT = ("rnn", "gru", "lstm", *CELLS)

#: Rows of weights in a cell, and what all these tools count for the rest of it, per hidden unit.
_GATES = {"rnn": 1, "gru": 3, "lstm": 4}
_POINTWISE = {"rnn": 1, "gru": 7, "lstm": 10}


def fails(tool: str, why: str) -> NoReturn:
    """Refuse a layer that the tool itself fails on."""
    raise SpaceError(f"{tool} has no figure for this layer, it fails on it: {why}")


def term_of_function(functions: Functions, layer: LayerView) -> Term:
    """The term of the function that made a layer."""
    found = functions.get(layer.origin.function, NOTHING)
    return found if isinstance(found, Term) else found.get(layer.op, NOTHING)


def repeated(term: Term, layer: LayerView) -> Term:
    """The same for every place that the module has in the tree, as these tools add it up."""
    places = layer.origin.occurrences
    if places == 1 or term is NOTHING:
        return term
    return Term(
        f"{term.text}, once for each of the {places} places of the module",
        lambda view: places * term.cost(view),
    )


def left_aligned(layer: LayerView) -> Any:
    """Elements of a sum or product, its sizes broadcast from the left: the tools' mistake.

    torch aligns the sizes of two tensors from the right; the tools take the larger of the first
    sizes, of the second sizes and so on.
    """
    first, *others = layer.inputs
    if not others:
        return prod(first)
    second = others[0]
    length = max(len(first), len(second))
    padded = [(*shape, *(1,) * (length - len(shape))) for shape in (first, second)]
    return prod(quantity.maximum(*sizes) for sizes in zip(*padded, strict=True))


def matrix_product(layer: LayerView) -> Any:
    """Elements of the first matrix times the last size of the second, whatever is broadcast."""
    first, second = layer.inputs[:2]
    return prod(first) * second[-1]


def pooling_terms(term: Term) -> dict[str, Term | Mapping[str, Term]]:
    """The terms of everything that calls a pooling function, where that counts once per input.

    Power-average pooling and local response normalization are made of an average pooling and of
    other functions that all the tools count.
    """
    found: dict[str, Term | Mapping[str, Term]] = {f"F.{pool}": {pool: term} for pool in POOLS}
    powers = Term(
        "1 per input element and 2 per output element",
        lambda layer: inputs(layer) + 2 * outputs(layer),
    )
    for spatial in (1, 2, 3):
        found[f"F.lp_pool{spatial}d"] = {f"lp_pool{spatial}d": powers}
    found["F.local_response_norm"] = {
        "local_response_norm": Term(
            "4 per input element, and 1 per element that its pooling is padded with",
            _local_response_norm,
        )
    }
    return found


def _local_response_norm(layer: LayerView) -> Any:
    """Three products and sums of the input, and a pooling over its padded channels."""
    channels = layer.inputs[0][1]
    padded = inputs(layer) // channels * (channels + layer.attributes["size"] - 1)
    return 3 * inputs(layer) + padded


def interpolation(layer: LayerView) -> tuple[Any, Any]:
    """The size and the factor that ``F.interpolate`` was given.

    A layer that was built, or converted to a space, knows only its size.
    """
    given = layer.origin.arguments
    if not given:
        return layer.attributes["size"], None
    size = given.get(1, given.get("size"))
    return size, given.get(2, given.get("scale_factor"))


def recurrent(layer: LayerView, tool: str, per_product: int, per_gate: int) -> Any:
    """A recurrent layer or cell, as all these tools count: their formula has quirks of its own.

    A step costs the products of the weights, the biases, and so many operations for each hidden
    unit. The steps are the first size of the input times the second, of a cell the first alone,
    whatever these are. Projections are left out.

    Args:
        layer: the layer.
        tool: the name of the convention.
        per_product: how much a multiply-accumulate is.
        per_gate: what is subtracted for each row of the weights.
    """
    shape, attributes = layer.inputs[0], layer.attributes
    kind = layer.op.removesuffix("_cell")
    hidden = attributes["hidden_size"]
    if layer.op in CELLS:
        if len(shape) == 1:
            fails(tool, f"it looks for a second size in the input {shape} of a cell")
        cells, steps = 1, shape[0]
    else:
        cells = attributes["num_layers"] * (2 if attributes["bidirectional"] else 1)
        steps = shape[0] * shape[1]
    products = layer.macs // prod(shape[:-1])
    products -= cells * hidden * attributes.get("proj_size", 0)
    rows = gates(layer)
    biases = 2 * rows if attributes["bias"] else 0
    rest = cells * (_POINTWISE[kind] * hidden + biases - per_gate * 2 * rows)
    return steps * (per_product * products + rest)


def gates(layer: LayerView) -> Any:
    """Rows of the input weights of a recurrent layer's cell; as many of the hidden weights."""
    return _GATES[layer.op.removesuffix("_cell")] * layer.attributes["hidden_size"]


def _attention_sizes(layer: LayerView) -> tuple[Any, Any, Any]:
    """Batch, length of the queries, and of the keys with those that the module adds."""
    attributes = layer.attributes
    query, key = layer.inputs[:2]
    sequence = 1 if attributes["batch_first"] and len(query) == 3 else 0
    batch = query[1 - sequence] if len(query) == 3 else 1
    added = int(attributes["add_bias_kv"]) + int(attributes["add_zero_attn"])
    return batch, query[sequence], key[sequence] + added


def scores(layer: LayerView) -> Any:
    """Elements of the attention weights of a multi-head attention, all heads."""
    batch, queries, keys = _attention_sizes(layer)
    return batch * layer.attributes["num_heads"] * queries * keys


def score_products(layer: LayerView) -> Any:
    """Multiply-accumulates of queries with keys, and of attention weights with values."""
    batch, queries, keys = _attention_sizes(layer)
    return 2 * batch * queries * keys * layer.inputs[0][-1]


def projected(layer: LayerView) -> Any:
    """Multiply-accumulates of the projections of a multi-head attention."""
    return layer.macs - score_products(layer)
