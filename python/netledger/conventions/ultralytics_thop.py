"""``ultralytics_thop``: as Ultralytics' continuation of thop counts, in two of its versions.

2.0.18 counts as thop 0.1.1 does, but a transposed convolution by its input, as it is computed.
2.2.3 also counts classes derived from torch's, attention, products that functions compute outside
of the modules that are counted, and every parameter of the model once; a shared module counts once
for each call. A class derived from torch's is taken to do what torch's does: only
`netledger.compat.thop` sees where it does not, and refuses it.

Source: ultralytics/thop, thop/profile.py, thop/vision/basic_hooks.py, thop/rnn_hooks.py; releases
2.0.18 and 2.2.3.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions import thop
from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.sizes import TRANSPOSED, inputs, outputs
from netledger.conventions.thop import (
    ADAPTIVE,
    AVERAGING,
    CHANNEL_NORMS,
    NORMALIZED,
    PRODUCTS,
    TERMS_0_1_1,
    Terms,
    by_mode,
    flops_of,
    hooked,
    in_turn,
    layers,
    one_cell,
    params_of,
    second_size,
    softmax,
    softmax_rows,
    spatial_dimensions,
    spelled_out,
    window_products,
)
from netledger.errors import NetledgerError

if TYPE_CHECKING:
    from netledger._origin import Origin
    from netledger.metrics import LayerView

__all__ = ["CONVENTIONS", "HOOKS", "PER_CALL", "PRODUCT_FUNCTIONS", "hook_of", "in_function"]

_TRANSPOSED_2_0_18 = {f"ConvTranspose{rank}d": "count_convtNd" for rank in (1, 2, 3)}

#: Classes of torch.nn that are hooked, with the name of the hook as it is printed, by version. Of
#: 2.2.3 all that derives from them is hooked too.
HOOKS: dict[str, dict[str, str]] = {
    "2.2.3": {
        "_ConstantPadNd": "zero_ops",
        "_ReflectionPadNd": "zero_ops",
        "_ReplicationPadNd": "zero_ops",
        "_CircularPadNd": "zero_ops",
        "_DropoutNd": "zero_ops",
        **{f"Conv{rank}d": "count_convNd" for rank in (1, 2, 3)},
        **_TRANSPOSED_2_0_18,
        "_NormBase": "count_normalization",
        "LayerNorm": "count_normalization",
        "GroupNorm": "count_normalization",
        "RMSNorm": "count_normalization",
        "PReLU": "count_prelu",
        "Softmax": "count_softmax",
        "LogSoftmax": "count_softmax",
        "Softmin": "count_softmax",
        "Softmax2d": "count_softmax",
        "ReLU": "zero_ops",
        "ReLU6": "zero_ops",
        "LeakyReLU": "zero_ops",
        **{f"MaxPool{rank}d": "zero_ops" for rank in (1, 2, 3)},
        **{f"AdaptiveMaxPool{rank}d": "zero_ops" for rank in (1, 2, 3)},
        "FractionalMaxPool2d": "zero_ops",
        "FractionalMaxPool3d": "zero_ops",
        "_MaxUnpoolNd": "zero_ops",
        **{f"AvgPool{rank}d": "count_avgpool" for rank in (1, 2, 3)},
        **{f"AdaptiveAvgPool{rank}d": "count_adap_avgpool" for rank in (1, 2, 3)},
        "Linear": "count_linear",
        "Bilinear": "count_bilinear",
        "Upsample": "count_upsample",
        "UpsamplingBilinear2d": "count_upsample",
        "UpsamplingNearest2d": "count_upsample",
        "RNNCell": "count_rnn_cell",
        "GRUCell": "count_gru_cell",
        "LSTMCell": "count_lstm_cell",
        "RNN": "count_rnn",
        "GRU": "count_gru",
        "LSTM": "count_lstm",
        "Sequential": "zero_ops",
        "ModuleList": "zero_ops",
        "ModuleDict": "zero_ops",
        "ParameterList": "zero_ops",
        "ParameterDict": "zero_ops",
        "Identity": "zero_ops",
        "Flatten": "zero_ops",
        "Unflatten": "zero_ops",
        "Unfold": "zero_ops",
        "PixelShuffle": "zero_ops",
        "PixelUnshuffle": "zero_ops",
        "ChannelShuffle": "zero_ops",
        "Embedding": "count_embedding",
        "MultiheadAttention": "count_multihead_attention",
    },
    "2.0.18": {**thop.HOOKS["0.1.1"], **_TRANSPOSED_2_0_18},
}

#: Functions whose products 2.2.3 counts where no counted module calls them.
PRODUCT_FUNCTIONS = frozenset(
    (
        "torch.matmul",
        "Tensor.matmul",
        "Tensor.__matmul__",
        "torch.bmm",
        "Tensor.bmm",
        "torch.einsum",
        "F.linear",
        "F.scaled_dot_product_attention",
    )
)

_ATTENTION_FUNCTION = "F.multi_head_attention_forward"


def hook_of(origin: Origin) -> str:
    """The hook of 2.2.3 for a module: that of the nearest class that has one; "" if none has."""
    hooks = HOOKS["2.2.3"]
    return next((hooks[name] for name in origin.torch_classes if name in hooks), "")


def in_function(layer: LayerView) -> bool:
    """Whether 2.2.3 sees a layer, if at all, as the call of a function and not of a module."""
    return layer.origin.kind in ("function", "operator") and not _is_softmin(layer)


def _is_softmin(layer: LayerView) -> bool:
    """An nn.Softmin is a softmax of the negated input, of which the softmax stands for it."""
    return layer.op == "softmax" and "Softmin" in layer.origin.torch_classes


# -- terms of 2.2.3 -------------------------------------------------------------------------------

BILINEAR = Term(
    "(first size + 1) times second size per output element",
    lambda layer: (layer.inputs[0][-1] + 1) * layer.inputs[1][-1] * outputs(layer),
)

LOG_SOFTMAX = Term(
    "3n for each sum of n elements", lambda layer: softmax(layer) + softmax_rows(layer)[0]
)

SOFTMIN = Term(
    "3n - 1 for each sum of n elements, and 1 per input element",
    lambda layer: softmax(layer) + inputs(layer),
)


def _each(sizes: Any, dimensions: int) -> tuple[Any, ...]:
    if not isinstance(sizes, tuple | list):
        return (sizes,) * dimensions
    return tuple(sizes) if len(sizes) == dimensions else tuple(sizes) * dimensions


def _averaged(layer: LayerView) -> Any:
    """Elements of all windows, padding among them if it is averaged over, and the outputs."""
    dimensions = spatial_dimensions(layer)
    attributes = layer.attributes
    kernels = _each(attributes["kernel_size"], dimensions)
    strides = kernels
    if attributes["stride"] is not None:
        strides = _each(attributes["stride"], dimensions)
    paddings = _each(attributes["padding"], dimensions)
    include = attributes["count_include_pad"]
    windows = prod(layer.inputs[0][:-dimensions])
    sizes, counts = layer.inputs[0][-dimensions:], layer.outputs[0][-dimensions:]
    for size, count, *window in zip(sizes, counts, kernels, strides, paddings, strict=True):
        windows *= _window_elements(size, count, *window, include=include)
    return windows + outputs(layer)


def _window_elements(
    size: Any, count: Any, kernel: Any, stride: Any, padding: Any, *, include: bool
) -> Any:
    """Elements of the windows over one dimension."""
    if not isinstance(count, int) or not isinstance(size, int):
        raise TypeError("the windows of a pooling are counted one by one, and need their values")
    first, end = (-padding, size + padding) if include else (0, size)
    total = 0
    for window in range(count):
        start = window * stride - padding
        total += max(min(start + kernel, end) - max(start, first), 0)
    return total


AVERAGED = Term("1 per element of every window, and 1 per output element", _averaged)

#: The textbook's operations of adaptive pooling are the elements of all windows.
ADAPTIVELY_AVERAGED = Term(AVERAGED.text, lambda layer: layer.flops + outputs(layer))


def _attention(layer: LayerView) -> Any:
    """Projections of queries, keys and values and of the output, both products, and the softmax."""
    attributes = layer.attributes
    query, key = layer.inputs[:2]
    embedding = query[-1]
    unbatched = len(query) == 2
    length_axis = -2 if attributes["batch_first"] or unbatched else 0
    batch = 1 if unbatched else query[0 if attributes["batch_first"] else 1]
    queries, keys = query[length_axis], key[length_axis]
    key_size, value_size = attributes["kdim"], attributes["vdim"]
    key_size = embedding if key_size is None else key_size
    value_size = embedding if value_size is None else value_size
    attended = keys + int(attributes["add_bias_kv"]) + int(attributes["add_zero_attn"])
    projections = embedding * (2 * queries * embedding + keys * (key_size + value_size))
    attention = 2 * queries * attended * embedding
    sums = attributes["num_heads"] * queries * (3 * attended - 1)
    return batch * (projections + attention + sums)


ATTENTION = Term(
    "products of the projections and of the attention, and 3n - 1 for each sum of n scores",
    _attention,
)

#: As many as torch computes, also of a projection and without a batch.
_RECURRENT_TEXT = "products, one addition per gate, biases and products of gates"
RECURRENT = Term(
    f"per step and sample the {_RECURRENT_TEXT}, and the projection",
    lambda layer: prod(layer.inputs[0][:-1]) * layers(layer, projected=True),
)
CELL = Term(
    f"per sample the {_RECURRENT_TEXT}",
    lambda layer: prod(layer.inputs[0][:-1]) * one_cell(layer),
)

_TERMS: dict[str, Terms] = {
    "2.2.3": {
        **TERMS_0_1_1,
        TRANSPOSED: PRODUCTS,
        (*CHANNEL_NORMS, "layer_norm", "group_norm", "rms_norm"): NORMALIZED,
        "softmax": Term("3n - 1 for each sum of n elements", softmax),
        "log_softmax": LOG_SOFTMAX,
        "softmin": SOFTMIN,
        "bilinear": BILINEAR,
        AVERAGING: AVERAGED,
        ADAPTIVE: ADAPTIVELY_AVERAGED,
        "interpolate": by_mode({"linear": 5, "bilinear": 11, "trilinear": 31, "bicubic": 259}),
        "multi_head_attention": ATTENTION,
        ("rnn", "gru", "lstm"): RECURRENT,
        ("rnn_cell", "gru_cell", "lstm_cell"): CELL,
    },
    "2.0.18": {
        **TERMS_0_1_1,
        TRANSPOSED: PRODUCTS,
        "interpolate": by_mode(
            {"nearest": 1, "linear": 5, "bilinear": 11, "trilinear": 31, "bicubic": 259}
        ),
    },
}

# -- what 2.2.3 sees ------------------------------------------------------------------------------


def _einsum(layer: LayerView) -> Any:
    """Products of an einsum of two operands; one multiplies nothing, more count nothing.

    An index that one operand lacks, or that is 1 there, is summed over in the other before any
    product, unless it is kept.
    """
    if len(layer.inputs) != 2:
        return 0
    left, arrow, kept = layer.attributes["equation"].replace(" ", "").partition("->")
    if not arrow:
        kept = "..." + "".join(index for index in left if left.count(index) == 1)
    sizes: list[dict[Any, Any]] = []
    for indices, shape in zip(left.split(","), layer.inputs, strict=True):
        head, _, tail = indices.partition("...")
        rest = len(shape) - len(head) - len(tail)
        # The dimensions of an ellipsis are numbered from the last, as they broadcast.
        names = (*head, *range(rest, 0, -1), *tail)
        sizes.append({n: size for n, size in zip(names, shape, strict=True) if _known(size) != 1})
    first, second = sizes
    total = 1
    for name in first.keys() | second.keys():
        is_kept = name in kept if isinstance(name, str) else "..." in kept
        if is_kept or (name in first and name in second):
            total *= first[name] if name in first else second[name]
    return total


def _known(size: Any) -> int:
    if not isinstance(size, int):
        raise TypeError(f"whether an index is 1 needs the value of {size}")
    return size


EINSUM = Term("products of two operands", _einsum)

_PRODUCT_OPS = frozenset(("linear", "matmul", "einsum", "scaled_dot_product_attention"))


def _refuse_unknown_function(layer: LayerView) -> Any:
    raise NetledgerError(
        f"ultralytics-thop 2.2.3 counts some functions and not others, and which one made "
        f"'{layer.name}' ({layer.op}) is not known: call it as torch.matmul, torch.einsum, "
        "F.linear, not by a name of its own"
    )


UNKNOWN_FUNCTION = Term("what the function that was called counts", _refuse_unknown_function)


def _seen(layer: LayerView, term: Term) -> Term:
    origin = layer.origin
    if origin.kind == "composite":
        return term
    if _is_softmin(layer):
        return SOFTMIN
    if origin.kind == "module":
        return term if origin.occurrences else _of_unknown_module(layer)
    if "multi_head_attention" in origin.inside:
        return _part("it is part of an attention that is counted as a whole")
    if origin.function == _ATTENTION_FUNCTION:
        raise NetledgerError(
            f"ultralytics-thop 2.2.3 counts a call of {_ATTENTION_FUNCTION} as a whole, of which "
            f"only the parts are known here ('{layer.name}'): call an nn.MultiheadAttention"
        )
    if hook_of(origin) not in ("", "zero_ops"):
        return _part("its module is counted as a whole")
    if not origin.function and layer.op in _PRODUCT_OPS:
        # A product that was built without a module is one that torch.matmul makes.
        return UNKNOWN_FUNCTION if origin.class_name else PRODUCTS
    if origin.function not in PRODUCT_FUNCTIONS:
        return NOTHING
    return EINSUM if layer.op == "einsum" else PRODUCTS


def _of_unknown_module(layer: LayerView) -> Term:
    """A module that is no other's child, as in a list of Python's: it has no hook."""
    return PRODUCTS if layer.origin.function in PRODUCT_FUNCTIONS else NOTHING


def _part(reason: str) -> Term:
    return Term(f"nothing: {reason}", NOTHING.cost)


_FLOPS_2_2_3 = Rules(_TERMS["2.2.3"], adapted=in_turn(spelled_out, _seen), composites=True)


# -- what 2.0.18 sees -----------------------------------------------------------------------------

SECOND_OUTPUT_SIZE = Term(
    "kernel elements times the output's second size by groups, for each input element",
    lambda layer: window_products(layer, inputs(layer), layer.outputs[0][1]),
)


def _second_size(layer: LayerView, term: Term) -> Term:
    """2.0.18's mistake without a batch: a second size is taken for the channels."""
    if term == PRODUCTS and layer.op in TRANSPOSED:
        batched = len(layer.inputs[0]) == spatial_dimensions(layer) + 2
        return term if batched else SECOND_OUTPUT_SIZE
    return second_size(layer, term)


_SEEN_2_0_18 = (hooked(HOOKS["2.0.18"]), _second_size)
_FLOPS_2_0_18 = flops_of(_TERMS["2.0.18"], *_SEEN_2_0_18)

#: What a call of one layer adds, by version: without what 2.0.18 makes of shared modules.
PER_CALL: dict[str, Rules] = {
    "2.2.3": _FLOPS_2_2_3,
    "2.0.18": Rules(_TERMS["2.0.18"], adapted=in_turn(*_SEEN_2_0_18)),
}

CONVENTIONS = {
    "2.2.3": Convention(
        "ultralytics_thop@2.2.3",
        {"flops": _FLOPS_2_2_3, "macs": _FLOPS_2_2_3, "params": "params"},
        "MACs",
    ),
    "2.0.18": Convention(
        "ultralytics_thop@2.0.18",
        {"flops": _FLOPS_2_0_18, "macs": _FLOPS_2_0_18, "params": params_of(HOOKS["2.0.18"])},
        "MACs",
    ),
}
