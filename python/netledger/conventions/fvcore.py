"""``fvcore``: as fvcore 0.1.5 counts the operations of a traced graph.

Its ``flops`` are multiply-accumulates where an operation multiplies and adds (a fused pair is one),
without bias, but scalar operations where it normalizes or resamples. Activations, pooling windows,
additions, products by element, softmax and recurrent layers count nothing; neither does
``F.scaled_dot_product_attention``, so that of a ``nn.MultiheadAttention`` only the projections
remain unless it is asked for its weights. A batch norm in training mode counts as one.

``activations`` are the outputs of convolutions, linear layers and matrix products.

Source: facebookresearch/fvcore, fvcore/nn/flop_count.py, activation_count.py and jit_handles.py.
"""

from __future__ import annotations

from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.sizes import (
    CONVOLUTIONS,
    TRANSPOSED,
    inputs,
    outputs,
    per_input,
    per_output,
    products,
)
from netledger.errors import SpaceError
from netledger.quantity import Quantity

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = [
    "ACTIVATIONS",
    "CONVENTION",
    "FLOPS",
    "MATRIX_PRODUCTS",
    "attention_scores",
    "einsum_cost",
    "is_batched_product",
    "is_of_products",
    "is_padded_by_name",
    "is_read",
    "is_vector_product",
    "projections",
]

#: Functions of torch that are the traced operation ``aten::matmul`` or ``aten::mm``; a product of
#: any other origin with a vector is ``aten::mv``, ``aten::dot`` or ``aten::addmv``.
MATRIX_PRODUCTS = frozenset(
    f"{home}.{name}" for home in ("torch", "Tensor") for name in ("matmul", "mm", "__matmul__")
)
#: Functions made of matrix products that are operations of their own in a trace.
_OF_PRODUCTS = frozenset(
    f"{home}.{name}"
    for home in ("torch", "Tensor", "torch.linalg")
    for name in ("baddbmm", "addbmm", "tensordot", "inner", "chain_matmul", "multi_dot")
)
_MM = frozenset(("torch.mm", "Tensor.mm"))


# -- sizes that several conventions need -----------------------------------------------------------


def is_padded_by_name(layer: LayerView) -> bool:
    """Whether a convolution is padded by a word: it is ``aten::_convolution_mode`` in a trace.

    Tools that know ``aten::_convolution`` alone then count nothing.
    """
    return isinstance(layer.attributes["padding"], str) and (
        layer.attributes.get("padding_mode", "zeros") == "zeros"
    )


def is_read(layer: LayerView) -> bool:
    """Whether a layer's outcome is read on the way to an output: a trace is without it if not."""
    return layer.origin.is_read


def is_vector_product(layer: LayerView) -> bool:
    """Whether the second factor of a matrix product is a vector."""
    return len(layer.inputs[1]) == 1


def is_of_products(layer: LayerView) -> bool:
    """Whether a matrix product is part of another operation, as ``torch.addbmm``."""
    return layer.origin.function in _OF_PRODUCTS


def _queries_and_keys(layer: LayerView) -> tuple[Any, Any, Any]:
    """Of a multi-head attention: its queries and keys, over the batch, and the keys of one sample.

    The last holds what `add_bias_kv` and `add_zero_attn` append.
    """
    query, key = layer.inputs[0], layer.inputs[1]
    batch_first = layer.attributes["batch_first"] and len(key) == 3
    length = key[1] if batch_first else key[0]
    appended = layer.attributes["add_bias_kv"] + layer.attributes["add_zero_attn"]
    return prod(query[:-1]), prod(key[:-1]), length + appended


def attention_scores(layer: LayerView) -> Any:
    """Multiply-accumulates of one product within a multi-head attention: queries with keys."""
    queries, _, keys = _queries_and_keys(layer)
    return queries * keys * layer.inputs[0][-1]


def projections(layer: LayerView) -> Any:
    """Multiply-accumulates of the four linear layers of a multi-head attention."""
    return layer.macs - 2 * attention_scores(layer)


# -- flops -----------------------------------------------------------------------------------------


def _convolution(layer: LayerView) -> Any:
    return 0 if is_padded_by_name(layer) else products(layer)


def _matrix_product(layer: LayerView) -> Any:
    """The peer multiplies the sizes of the first factor and the last of the second.

    Where the second has batch dimensions that the first lacks, they are left out; ``baddbmm``,
    ``mv``, ``dot`` and their like are not known to it.
    """
    if is_of_products(layer):
        return 0
    if is_vector_product(layer):
        if layer.origin.function in MATRIX_PRODUCTS:
            raise SpaceError(
                "convention 'fvcore' has no rule for torch.matmul with a vector as its second "
                "factor: fvcore fails on it"
            )
        return 0
    return inputs(layer) * layer.inputs[1][-1]


#: Einsums that the peer knows as batched products of matrices, with the dimension of the second
#: operand that is not in the first.
_BATCHED_PRODUCTS = {"abc,abd->acd": 2, "abc,adc->adb": 1}


def is_batched_product(equation: str) -> bool:
    """Whether an einsum is one of those that the peer counts exactly."""
    return _relabelled(equation) in _BATCHED_PRODUCTS


def _relabelled(equation: str) -> str:
    """The equation with its letters renamed to a, b, c, ... in the order in which they appear."""
    equation = equation.replace(" ", "")
    letters: dict[str, str] = {}
    for letter in equation:
        if letter.isalpha() and letter not in letters:
            letters[letter] = chr(ord("a") + len(letters))
    return "".join(letters.get(letter, letter) for letter in equation)


@cache
def _path_cost(equation: str, shapes: tuple[tuple[int, ...], ...]) -> int:
    """Half of the operations that numpy's path finder reports, of which it prints four digits."""
    # Of an operand only its shape is looked at.
    operands = [np.broadcast_to(np.zeros(()), shape) for shape in shapes]
    report = str(np.einsum_path(equation, *operands, optimize="optimal")[1])
    line = next(line for line in report.split("\n") if "optimized flop" in line.lower())
    return int(np.floor(float(line.split(":")[-1]) / 2))


def einsum_cost(layer: LayerView) -> Any:
    """What the peer gives for an einsum.

    Two batched products of matrices are exact. All others go through numpy's path finder, which
    prints its count of operations with four digits.
    """
    equation = _relabelled(layer.attributes["equation"])
    shapes = layer.inputs
    if equation in _BATCHED_PRODUCTS:
        return prod(shapes[0]) * shapes[1][_BATCHED_PRODUCTS[equation]]
    if any(isinstance(size, Quantity) for shape in shapes for size in shape):
        raise TypeError("the path of an einsum needs its sizes")
    return _path_cost(equation, shapes)


def _is_in_training(layer: LayerView) -> bool:
    """Whether a batch norm takes the statistics of its input."""
    return bool(layer.origin.training) or not layer.attributes["track_running_stats"]


def _batch_norm(layer: LayerView) -> Any:
    affine = 1 if layer.attributes["affine"] else 0
    return ((4 if _is_in_training(layer) else 1) + affine) * inputs(layer)


def _norm(layer: LayerView) -> Any:
    attributes = layer.attributes
    affine = attributes["elementwise_affine" if layer.op == "layer_norm" else "affine"]
    if not 2 <= len(layer.inputs[0]) <= 5:
        raise SpaceError(
            f"convention 'fvcore' has no rule for a {layer.op} of {len(layer.inputs[0])} "
            "dimensions: fvcore fails on it"
        )
    return (5 if affine else 4) * inputs(layer)


def _attention(layer: LayerView) -> Any:
    """Only with `need_weights` are there products of matrices; else torch fuses them into one."""
    products_there = 2 if layer.attributes["need_weights"] else 0
    return projections(layer) + products_there * attention_scores(layer)


def _as_traced(layer: LayerView, term: Term) -> Term:
    return term if is_read(layer) else NOTHING


def _resampled(layer: LayerView, term: Term) -> Term:
    """Only two kinds of interpolation are known, both of images."""
    term = _as_traced(layer, term)
    if term is NOTHING or layer.op != "interpolate":
        return term
    if len(layer.inputs[0]) != 4 or layer.origin.arguments.get("antialias"):
        return NOTHING
    return _INTERPOLATIONS.get(layer.attributes["mode"], NOTHING)


_INTERPOLATIONS = {"nearest": per_output(1), "bilinear": per_output(4)}

_NORM = "5 per input element, 4 without weight"

FLOPS = Rules(
    {
        CONVOLUTIONS: ("multiply-accumulates; nothing if padding is given by name", _convolution),
        (*TRANSPOSED, "linear", "rnn_cell", "lstm_cell", "gru_cell"): (
            "multiply-accumulates",
            products,
        ),
        "matmul": ("elements of the first factor times columns of the second", _matrix_product),
        "einsum": ("half of what numpy's path finder prints, with four digits", einsum_cost),
        "multi_head_attention": (
            "multiply-accumulates of the projections, and of attention if its weights are wanted",
            _attention,
        ),
        "batch_norm": (
            "2 per input element, 1 without weight; 5 and 4 in training mode",
            _batch_norm,
        ),
        ("layer_norm", "group_norm", "instance_norm"): (_NORM, _norm),
        "adaptive_avg_pool2d": per_input(1),
        "interpolate": ("1 (nearest) or 4 (bilinear) per output element of an image", outputs),
        "grid_sample": per_output(4),
    },
    adapted=_resampled,
)


# -- activations -----------------------------------------------------------------------------------


def _convolution_outputs(layer: LayerView) -> Any:
    return 0 if is_padded_by_name(layer) else outputs(layer)


def _product_outputs(layer: LayerView) -> Any:
    """``mm``, ``baddbmm``, ``mv`` and ``dot`` are not on the peer's list."""
    if layer.origin.function in _MM or is_of_products(layer):
        return 0
    if is_vector_product(layer) and layer.origin.function not in MATRIX_PRODUCTS:
        return 0
    return outputs(layer)


def _gates(layer: LayerView) -> Any:
    """The two linear layers of a cell."""
    gates = {"rnn_cell": 1, "lstm_cell": 4, "gru_cell": 3}[layer.op]
    return 2 * gates * outputs(layer)


def _attention_outputs(layer: LayerView) -> Any:
    queries, sources, keys = _queries_and_keys(layer)
    embedding = layer.inputs[0][-1]
    linears = 2 * queries * embedding + 2 * sources * embedding
    if not layer.attributes["need_weights"]:
        return linears
    return linears + queries * keys * layer.attributes["num_heads"] + queries * embedding


ACTIVATIONS = Rules(
    {
        CONVOLUTIONS: (
            "1 per output element; nothing if padding is given by name",
            _convolution_outputs,
        ),
        (*TRANSPOSED, "linear", "einsum"): per_output(1),
        "matmul": ("1 per output element", _product_outputs),
        ("rnn_cell", "lstm_cell", "gru_cell"): ("the outputs of both linear layers", _gates),
        "multi_head_attention": (
            "the outputs of the projections, and of attention if its weights are wanted",
            _attention_outputs,
        ),
    },
    adapted=_as_traced,
)

CONVENTION = Convention(
    "fvcore",
    {"flops": FLOPS, "macs": FLOPS, "activations": ACTIVATIONS, "params": "params"},
    figure="flops (MACs)",
)
