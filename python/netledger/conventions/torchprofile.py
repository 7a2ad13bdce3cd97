"""``torchprofile``: as torchprofile 0.1.0 counts the operations of a traced graph.

Multiply-accumulates of contractions without bias, scaled dot product attention and LSTM included,
and one per output element of products, norms with a weight, averages and leaky relus. GRU and RNN,
``torch.mm`` and everything else count nothing. Parameters are not counted.

A traced ``aten::mul`` of two sizes counts one as well. Here that is known of
``nn.MultiheadAttention``; what a model multiplies in its own forward is not.

Source: mit-han-lab/torchprofile, torchprofile/handlers.py and profile.py.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.fvcore import (
    is_of_products,
    is_padded_by_name,
    is_read,
    is_vector_product,
)
from netledger.conventions.sizes import (
    CONVOLUTIONS,
    TRANSPOSED,
    outputs,
    per_output,
    products,
)
from netledger.errors import SpaceError
from netledger.quantity import where

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTION", "MACS", "products_of_sizes"]

_POOLS = tuple(
    f"{kind}{spatial}d" for kind in ("avg_pool", "adaptive_avg_pool") for spatial in (1, 2, 3)
)
_LP_POOLS = ("lp_pool1d", "lp_pool2d", "lp_pool3d")
_NOT_KNOWN = frozenset(("torch.mm", "Tensor.mm"))

#: Products of sizes in the forward of ``nn.MultiheadAttention``: those that reshape queries, keys,
#: values and the outcome.
_PRODUCTS_OF_SIZES = 4

#: Functions that are made of a product by element, but are operations of their own in a trace.
_OF_ELEMENTS = ("torch.outer", "Tensor.outer", "torch.ger", "Tensor.ger", "torch.kron")

#: Classes whose own forward multiplies sizes, by module and name, with the layers that are made
#: from them: one product each.
_MULTIPLYING_SIZES = {
    "torchvision.models.vision_transformer.VisionTransformer": "reshape",
    "torchvision.models.swin_transformer.ShiftedWindowAttention": "linear",
}


def _convolution(layer: LayerView) -> Any:
    return 0 if is_padded_by_name(layer) else products(layer)


def _transposed(layer: LayerView) -> Any:
    """The peer takes the channels from the weight as if it were that of a convolution.

    It also goes by the size of the output, where every element of the input meets the window.
    """
    attributes = layer.attributes
    spatial = int(layer.op[-2])
    kernel = attributes["kernel_size"]
    window = prod(kernel) if isinstance(kernel, tuple) else kernel**spatial
    read, made = layer.inputs[0][-1 - spatial], attributes["out_channels"]
    channels = where(read == made, made // attributes["groups"], read)
    return outputs(layer) * channels * window


def _matrix_product(layer: LayerView) -> Any:
    """``torch.mm``, ``mv``, ``dot`` and what is made of products are not known to the peer."""
    function = layer.origin.function
    if function in _NOT_KNOWN:
        return 0
    if is_of_products(layer) and not function.endswith("baddbmm"):
        return 0
    if function.endswith("addmv"):
        return products(layer)
    if is_vector_product(layer) and not layer.origin.function.endswith("matmul__"):
        return products(layer) if layer.origin.function.endswith("matmul") else 0
    return products(layer)


def _attention(layer: LayerView) -> Any:
    """The peer takes the first size for the batch; heads may not be shared."""
    query, key, value = layer.inputs[:3]
    if query[:-2] != key[:-2] or query[:-2] != value[:-2]:
        raise SpaceError(
            "convention 'torchprofile' has no rule for attention whose query, key and value differ "
            "in their batches or heads: torchprofile fails on it"
        )
    if len(query) == 2:
        return query[0] * products(layer)
    return products(layer)


def _einsum(layer: LayerView) -> Any:
    """The product of the sizes of all letters; nothing where dots stand for dimensions."""
    equation = layer.attributes["equation"]
    if "..." in equation:
        return 0
    sizes: dict[str, Any] = {}
    operands = equation.split("->")[0].split(",")
    for letters, shape in zip(operands, layer.inputs, strict=True):
        sizes.update(zip(letters.replace(" ", ""), shape, strict=True))
    return prod(sizes.values())


def _norm(layer: LayerView) -> Any:
    attributes = layer.attributes
    affine = attributes["elementwise_affine" if layer.op == "layer_norm" else "affine"]
    return outputs(layer) if affine else 0


def _lstm(layer: LayerView) -> Any:
    """With a projection the peer takes the size of the state for the size of the cell."""
    attributes = layer.attributes
    if not attributes["proj_size"]:
        return products(layer)
    size = attributes["proj_size"]
    directions = 2 if attributes["bidirectional"] else 1
    steps = prod(layer.inputs[0][:-1]) * directions
    first = layer.inputs[0][-1] + size
    others = (attributes["num_layers"] - 1) * (size * directions + size)
    return steps * 4 * size * (first + others)


def _cell(times: int) -> Term:
    """The two linear layers, and products by element."""
    text = "multiply-accumulates"
    if times:
        text += f", and {times} per output element"
    return Term(text, lambda layer: products(layer) + times * outputs(layer))


def _sampled(layer: LayerView) -> Any:
    return {"bilinear": 4, "nearest": 0, "bicubic": 16}[layer.attributes["mode"]] * outputs(layer)


def products_of_sizes(layer: LayerView) -> int:
    """How many ``aten::mul`` of two sizes a layer stands for, as far as that is known."""
    if layer.op == "multi_head_attention":
        return _PRODUCTS_OF_SIZES + (1 if layer.attributes["add_zero_attn"] else 0)
    origin = layer.origin
    made_by = origin.ancestry[:1]
    multiplying = _MULTIPLYING_SIZES.get(made_by[0]) if made_by else None
    if layer.op == "unflatten" and origin.inside[-1:] == ("multi_head_attention",):
        return _products_of_packed(layer)
    return 1 if layer.op == multiplying else 0


def _products_of_packed(layer: LayerView) -> int:
    """Keys and values that are one tensor are projected at once, and then taken apart.

    The sizes of the parts are computed for the weights, and for the biases.
    """
    source = layer.origin.source
    if layer.attributes["sizes"][0] != 2 or source is None:
        return 0
    return 2 if source.bias else 1


def _multi_head_attention(layer: LayerView) -> Any:
    """With `need_weights` the queries are multiplied by a scale, one product per element."""
    scaled = outputs(layer) if layer.attributes["need_weights"] else 0
    return products(layer) + scaled + products_of_sizes(layer)


_SIZES_ONLY = Term("1 per product of sizes", products_of_sizes)
_LINEAR_AND_SIZES = Term(
    "multiply-accumulates, and 1 per product of sizes",
    lambda layer: products(layer) + products_of_sizes(layer),
)
_SIZES_BESIDE = {
    "reshape": _SIZES_ONLY,
    "unflatten": _SIZES_ONLY,
    "linear": _LINEAR_AND_SIZES,
}
_BILINEAR = per_output(4)


def _as_traced(layer: LayerView, term: Term) -> Term:
    """What the traced operation is, where the op does not tell."""
    op, origin = layer.op, layer.origin
    if not is_read(layer):
        return NOTHING
    if op == "interpolate":
        images = len(layer.inputs[0]) == 4 and not origin.arguments.get("antialias")
        return _BILINEAR if images and layer.attributes["mode"] == "bilinear" else NOTHING
    if op == "multi_head_attention" and origin.kind == "composite":
        return _SIZES_ONLY
    if op in _SIZES_BESIDE and products_of_sizes(layer):
        return _SIZES_BESIDE[op]
    if op == "leaky_relu" and (origin.arguments.get(2) or origin.arguments.get("inplace")):
        return NOTHING  # the peer knows the operation only where it is not in place
    if op == "mul" and origin.function.endswith(("addmm", "baddbmm", *_OF_ELEMENTS)):
        return NOTHING  # a factor of the sum, part of one operation
    return term


MACS = Rules(
    {
        CONVOLUTIONS: ("multiply-accumulates; nothing if padding is given by name", _convolution),
        TRANSPOSED: (
            "window times input channels per output element, of the weight as a convolution's",
            _transposed,
        ),
        "linear": ("multiply-accumulates", products),
        "matmul": ("multiply-accumulates; nothing for torch.mm", _matrix_product),
        "scaled_dot_product_attention": ("multiply-accumulates", _attention),
        "einsum": ("the product of the sizes of all letters", _einsum),
        "multi_head_attention": (
            "multiply-accumulates, the scale if its weights are wanted, and products of sizes",
            _multi_head_attention,
        ),
        "lstm": ("multiply-accumulates, a projection's size taken for the cell's", _lstm),
        "rnn_cell": _cell(0),
        "lstm_cell": _cell(3),
        "gru_cell": _cell(2),
        ("batch_norm", "instance_norm", "layer_norm", "group_norm"): (
            "1 per output element, nothing without weight",
            _norm,
        ),
        ("mul", "mean", "leaky_relu", *_POOLS): per_output(1),
        (*_LP_POOLS, "local_response_norm"): per_output(3),
        "interpolate": ("4 per output element of an image, bilinear only", outputs),
        "grid_sample": ("4 per output element, 0 (nearest) or 16 (bicubic)", _sampled),
    },
    adapted=_as_traced,
    composites=True,
)

CONVENTION = Convention("torchprofile", {"flops": MACS, "macs": MACS}, figure="MACs")
