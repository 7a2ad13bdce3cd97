"""``onnx_tool``: as onnx-tool 1.0.1 counts a model that ``torch.onnx.export`` (opset 17) wrote.

Its figure, called MACs, weighs scalar operations by what they cost on a CPU: an addition, a
multiplication and a comparison 1, a division 4, a square root 24, an exponential 32, a logarithm
43. So convolutions and linear layers count multiply-accumulates and biases, and everything that
computes counts.

The exporter folds a batch norm into the convolution before it, if nothing else reads what that
makes: the norm then counts nothing but the bias that the convolution has from it. After anything
else, a transposed convolution included, it counts 31 per output element; 36 if it takes the
statistics of its input.

The bytes and parameters that the peer prints are those of the exported file, with batch norms
folded, constants added and equal tensors merged; they are not defined here.

Source: ThanatosShinji/onnx-tool, onnx_tool/node.py; the operations that torch exports.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.fvcore import attention_scores, is_padded_by_name, is_read
from netledger.conventions.sizes import (
    CONVOLUTIONS,
    TRANSPOSED,
    bias_outputs,
    inputs,
    outputs,
    per_input,
    per_output,
    products,
)
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netledger._origin import Source
    from netledger.metrics import LayerView

__all__ = ["CONVENTION"]

_DIVISION, _ROOT, _EXPONENTIAL, _LOGARITHM, _SINE = 4, 24, 32, 43, 39
#: The peer takes a tanh for two operations, each an exponential, two additions and a division.
_TANH = 2 * (_EXPONENTIAL + 2 + _DIVISION)
_SOFTMAX = _EXPONENTIAL + _DIVISION
#: What a fused attention adds on scalars: three square roots and a division, to find its scale.
_SCALE = 3 * _ROOT + _DIVISION

#: Ops that count so much per output element.
_ELEMENTWISE: dict[str, int] = {
    **dict.fromkeys(("add", "sub", "rsub", "mul", "abs", "neg", "sign", "relu"), 1),
    **dict.fromkeys(("gt", "lt", "ge", "le", "eq", "ne", "maximum", "minimum", "floor"), 1),
    **dict.fromkeys(("ceil", "round", "threshold", "cumsum"), 1),
    **dict.fromkeys(("logical_and", "logical_or", "logical_xor", "logical_not"), 1),
    **dict.fromkeys(("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"), 1),
    **dict.fromkeys(("relu6", "hardtanh", "clamp", "leaky_relu", "prelu", "rrelu"), 2),
    **dict.fromkeys(("clamp_min", "clamp_max", "add_scaled"), 2),
    **dict.fromkeys(("hardshrink", "addcmul"), 3),
    **dict.fromkeys(("div", "floor_divide", "reciprocal", "hardsigmoid"), _DIVISION),
    **dict.fromkeys(("hardswish", "softshrink", "lerp"), 5),
    "softsign": 6,
    **dict.fromkeys(("gelu", "remainder"), 7),
    "sqrt": _ROOT,
    "rsqrt": _ROOT + _DIVISION,
    **dict.fromkeys(("exp", "sigmoid", "pow", "square"), _EXPONENTIAL),
    **dict.fromkeys(("silu", "glu"), _EXPONENTIAL + 1),
    "elu": _EXPONENTIAL + 3,
    "softmax": _SOFTMAX,
    "softmin": _SOFTMAX + 1,
    **dict.fromkeys(("sin", "cos"), _SINE),
    "log": _LOGARITHM,
    "log1p": _LOGARITHM + 1,
    **dict.fromkeys(("log2", "log10"), _LOGARITHM + _DIVISION),
    "logsigmoid": _EXPONENTIAL + _LOGARITHM,
    "softplus": _EXPONENTIAL + 1 + _LOGARITHM,
    "log_softmax": _SOFTMAX + 1 + _LOGARITHM,
    "tanh": _TANH,
    "tanhshrink": _TANH + 1,
    "gelu_tanh": _TANH + 8,
    "mish": _EXPONENTIAL + 1 + _LOGARITHM + _TANH + 1,
}


#: Ops that only move, choose or look up elements, or that an exported model is without.
_FREE = (
    *("uncalled", "identity", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
    *("feature_alpha_dropout", "cast", "copy", "where", "masked_fill", "erf", "embedding"),
    *("argmax", "argmin", "sort", "topk", "reshape", "flatten", "permute", "transpose", "movedim"),
    *("squeeze", "unsqueeze", "slice", "select", "split", "unbind", "concat", "stack", "repeat"),
    *("tile", "pad", "roll", "flip", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"),
    *("gather", "index_select", "take_along_dim", "index", "scatter", "repeat_interleave"),
    *("tril", "triu", "diagonal", "unfold_dimension"),
)


def _with_bias(layer: LayerView) -> Any:
    if layer.op == "conv3d" and is_padded_by_name(layer):
        raise SpaceError(
            "convention 'onnx_tool' has no rule for a conv3d that is padded by name: onnx-tool "
            "takes its output for another"
        )
    return products(layer) + bias_outputs(layer)


def _transposed(layer: LayerView) -> Any:
    """The peer goes by output elements, and by the output channels of a group."""
    attributes = layer.attributes
    spatial = int(layer.op[-2])
    kernel = attributes["kernel_size"]
    window = prod(kernel) if isinstance(kernel, tuple) else kernel**spatial
    channels = attributes["out_channels"] // attributes["groups"]
    return outputs(layer) * window * channels + bias_outputs(layer)


def _matrix_product(layer: LayerView) -> Any:
    """``baddbmm`` is exported with both of its factors.

    The peer takes the larger of two batches for that of the outcome, which may be larger yet: it
    then also counts what comes after for another size.
    """
    left, right = layer.inputs[:2]
    batch = layer.outputs[0][:-2]
    fails = len(left) < 2 or len(right) < 2
    if fails or (left[:-2] != batch and right[:-2] != batch):
        raise SpaceError(
            "convention 'onnx_tool' has no rule for a matrix product with a vector, or of batches "
            "that both are repeated: onnx-tool fails on it, or takes its output for another"
        )
    factors = 2 * outputs(layer) if layer.origin.function.endswith("baddbmm") else 0
    return products(layer) + factors


def _seen_window(sizes: Sequence[Any]) -> Any:
    """The peer looks at the first size of a window alone, except in images."""
    return prod(sizes) if len(sizes) == 2 else sizes[0]


def _window(layer: LayerView) -> Any:
    kernel = layer.attributes["kernel_size"]
    sizes = kernel if isinstance(kernel, tuple) else (kernel,) * int(layer.op[-2])
    return _seen_window(sizes) * outputs(layer)


def _adaptive(layer: LayerView) -> Any:
    """An average of everything is an operation of its own; else the windows are whole numbers."""
    spatial = int(layer.op[-2])
    read, made = layer.inputs[0][-spatial:], layer.outputs[0][-spatial:]
    if layer.op.startswith("adaptive_avg") and _is_global(layer, spatial):
        return inputs(layer) + _DIVISION * outputs(layer)
    windows = [large // small for large, small in zip(read, made, strict=True)]
    return _seen_window(windows) * outputs(layer)


def _is_global(layer: LayerView, spatial: int) -> bool:
    size = layer.attributes["output_size"]
    return all(one == 1 for one in (size if isinstance(size, tuple) else (size,) * spatial))


_NORMALIZED = 3 + _ROOT + _DIVISION
#: Mean and variance of the input, where a batch norm has no others.
_STATISTICS = 5

#: Layers that the exporter leaves out of the graph before it folds.
_LEFT_OUT = frozenset(("identity", "dropout", "dropout1d", "dropout2d", "dropout3d"))


def _batch_norm(layer: LayerView) -> Any:
    if not layer.attributes["track_running_stats"]:
        return (_NORMALIZED + _STATISTICS) * outputs(layer)
    convolution = _folding(layer.origin.source)
    if convolution is None:
        return _NORMALIZED * outputs(layer)
    return 0 if convolution.bias else outputs(layer)


def _folding(source: Source | None) -> Source | None:
    """The convolution that the exporter folds a batch norm into; None if there is none.

    What else reads a tensor in between keeps it from that.
    """
    folded_before = False
    while source is not None and source.readers == 1:
        if source.op in CONVOLUTIONS:
            return source._replace(bias=True) if folded_before else source
        if source.op == "batch_norm":
            folded_before = True  # if it is itself after a convolution, which then has a bias
        elif source.op not in _LEFT_OUT:
            return None
        source = getattr(source, "source", None)
    return None


def _instance_norm(layer: LayerView) -> Any:
    """With statistics of its own it is exported as a batch norm."""
    if layer.attributes.get("track_running_stats"):
        return _NORMALIZED * outputs(layer)
    return 7 * inputs(layer)


def _layer_norm(layer: LayerView) -> Any:
    """Roots and divisions are counted over the first normalized dimension alone."""
    shape = layer.attributes["normalized_shape"]
    rank = len(shape) if isinstance(shape, tuple) else 1
    sizes = list(layer.inputs[0])
    del sizes[-rank]
    return 7 * inputs(layer) + (1 + _ROOT + _DIVISION) * prod(sizes)


def _resampled(layer: LayerView) -> Any:
    mode = layer.attributes["mode"]
    weight = 8 if mode == "bicubic" else 0 if mode.startswith("nearest") else 4
    return weight * outputs(layer)


def _einsum(layer: LayerView) -> Any:
    """The product of the sizes of all letters of two operands."""
    operands = layer.attributes["equation"].replace(" ", "").split("->")[0].split(",")
    if len(operands) != 2 or "." in "".join(operands) or "->" not in layer.attributes["equation"]:
        raise SpaceError(
            "convention 'onnx_tool' has no rule for an einsum of other than two operands, with "
            "dots, or without an arrow: onnx-tool fails on it"
        )
    sizes: dict[str, Any] = {}
    for letters, shape in zip(operands, layer.inputs, strict=True):
        sizes.update(zip(letters, shape, strict=True))
    return prod(sizes.values())


def _attention(layer: LayerView) -> Any:
    """Queries and keys are scaled apart, by a scale that is computed."""
    query, key = layer.inputs[:2]
    scores = products(layer) // (query[-1] + layer.inputs[2][-1])
    masked = scores if len(layer.inputs) > 3 else 0
    if layer.attributes["is_causal"]:
        masked = scores + query[-2] * key[-2]  # the mask is computed
    given = layer.origin.arguments.get("scale", layer.origin.arguments.get(6))
    scale = _SCALE if given is None else 0
    return products(layer) + _SOFTMAX * scores + masked + prod(query) + prod(key) + scale


def _attention_module(layer: LayerView) -> Any:
    attributes = layer.attributes
    query, key = layer.inputs[0], layer.inputs[1]
    embedding = query[-1]
    read, given = prod(query[:-1]) * embedding, prod(key[:-1]) * embedding
    biases = 2 * read + 2 * given if attributes["bias"] else 0
    softmax = _SOFTMAX * attention_scores(layer) * attributes["num_heads"] // embedding
    scaled = read if attributes["need_weights"] else read + given + _SCALE
    return products(layer) + biases + softmax + scaled + _UNFLATTENED


#: Unflattening from the end computes a position: a remainder and an addition.
_UNFLATTENED = 2


def _expanded(layer: LayerView) -> int:
    """A size of every dimension is multiplied and compared, unless they are another tensor's."""
    if layer.origin.function.endswith("expand_as"):
        return 0
    return 2 * len(layer.outputs[0])


def _chunks(layer: LayerView) -> int:
    """The size of the chunks is rounded up, and multiplied for each.

    What has one dimension is a bias, of which the exporter makes constants.
    """
    if len(layer.inputs[0]) == 1:
        return 0
    return 1 + _DIVISION + len(layer.outputs)


def _steps(layer: LayerView) -> Any:
    """Steps of all samples and layers, times the size of the state; directions are left out."""
    attributes = layer.attributes
    return prod(layer.inputs[0][:-1]) * attributes["num_layers"] * attributes["hidden_size"]


def _lstm(layer: LayerView) -> Any:
    directions = 2 if layer.attributes["bidirectional"] else 1
    biases = 8 * directions * _steps(layer) if layer.attributes["bias"] else 0
    return products(layer) + biases + (4 + 3 * _EXPONENTIAL + _TANH + 4) * _steps(layer)


def _gru(layer: LayerView) -> Any:
    directions = 2 if layer.attributes["bidirectional"] else 1
    biases = 6 * directions * _steps(layer) if layer.attributes["bias"] else 0
    return products(layer) + biases + (3 + 2 * _EXPONENTIAL + _TANH // 2 + 5) * _steps(layer)


_POINTWISE_OF_CELL = {
    "lstm_cell": (4, 4 + 3 * _EXPONENTIAL + 2 * _TANH + 4),
    "gru_cell": (3, 7 + 2 * _EXPONENTIAL + _TANH),
    "rnn_cell": (1, 1 + _TANH),
}


def _cell(layer: LayerView) -> Any:
    gates, pointwise = _POINTWISE_OF_CELL[layer.op]
    if layer.attributes.get("nonlinearity") == "relu":
        pointwise = 2
    biases = 2 * gates if layer.attributes["bias"] else 0
    return products(layer) + (biases + pointwise) * outputs(layer)


def _refused(layer: LayerView) -> Any:
    raise SpaceError(
        f"convention 'onnx_tool' has no rule for {layer.op}: onnx-tool, or the export, fails on it"
    )


def _unknown(layer: LayerView) -> Any:
    raise SpaceError(
        f"convention 'onnx_tool' has no rule for {layer.op}: what it is exported as is not known"
    )


_SUMMED = {"mul": NOTHING, "add_scaled": per_output(1)}


def _as_exported(layer: LayerView, term: Term) -> Term:
    """What nobody reads is left out; so is what a constant is made of."""
    if not is_read(layer):
        return NOTHING
    if layer.op in _SUMMED and layer.origin.function.endswith(".addmm"):
        return _SUMMED[layer.op]  # factors are attributes of that operation
    if layer.op == "chunk" and "multi_head_attention" in layer.origin.inside:
        return NOTHING  # of the weights
    return term


_RECURRENT = "multiply-accumulates, biases, and by element what the gates compute"

MACS = Rules(
    {
        (*CONVOLUTIONS, "linear"): (
            "multiply-accumulates, and 1 per output element for the bias",
            _with_bias,
        ),
        TRANSPOSED: (
            "window times output channels of a group per output element, and 1 for the bias",
            _transposed,
        ),
        "matmul": ("multiply-accumulates", _matrix_product),
        "einsum": ("the product of the sizes of all letters", _einsum),
        "scaled_dot_product_attention": (
            "multiply-accumulates, 36 per score, the scale and the mask",
            _attention,
        ),
        "multi_head_attention": (
            "multiply-accumulates, biases, 36 per score and the scale",
            _attention_module,
        ),
        "lstm": (_RECURRENT, _lstm),
        "gru": (_RECURRENT, _gru),
        ("lstm_cell", "gru_cell", "rnn_cell"): (_RECURRENT, _cell),
        "batch_norm": (
            "nothing but a bias where it is folded into a convolution, else 31 per output element",
            _batch_norm,
        ),
        "layer_norm": ("7 per input element and 29 per root", _layer_norm),
        "instance_norm": ("7 per input element, 31 with running statistics", _instance_norm),
        "group_norm": per_input(9),
        tuple(f"{kind}{spatial}d" for kind in ("max_pool", "avg_pool") for spatial in (1, 2, 3)): (
            "the window per output element",
            _window,
        ),
        tuple(
            f"adaptive_{kind}_pool{spatial}d" for kind in ("max", "avg") for spatial in (1, 2, 3)
        ): ("the window per output element; 1 per input and 4 per output if global", _adaptive),
        "interpolate": ("0 (nearest), 4 (linear) or 8 (cubic) per output element", _resampled),
        ("mean", "sum", "amax", "amin", "max", "min", "prod"): per_input(1),
        ("max_with_indices", "min_with_indices"): per_input(1),
        "norm_inf": per_input(2),
        "norm": per_input(1 + _ROOT),
        "norm_p": (
            "34 per input element and 32 per output element",
            lambda layer: (2 + _EXPONENTIAL) * inputs(layer) + _EXPONENTIAL * outputs(layer),
        ),
        "any": ("1 per element", lambda layer: inputs(layer) + outputs(layer)),
        "all": ("2 per element", lambda layer: 2 * (inputs(layer) + outputs(layer))),
        "unflatten": ("2 for the position", lambda _: _UNFLATTENED),
        "expand": ("2 per dimension", _expanded),
        "chunk": ("5, and 1 per chunk", _chunks),
        ("rnn", "local_response_norm", "selu", "celu", "rms_norm"): ("not exported", _refused),
        **{op: per_output(weight) for op, weight in _ELEMENTWISE.items()},
        _FREE: NOTHING,
    },
    otherwise=("not known", _unknown),
    adapted=_as_exported,
)

CONVENTION = Convention("onnx_tool", {"flops": MACS, "macs": MACS}, figure="MACs")
