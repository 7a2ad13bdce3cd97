"""``thop``: as thop counts, in three of its versions: what hooks on modules see, mostly products.

Only modules of torch.nn's own classes are hooked: functions, operators and classes derived from
torch's count nothing, nor do their parameters. A module that stands in n places of the tree of
modules gets n hooks, and its sum is added n times: all that it costs is counted n * n times. The
numbers include the batch.

* 0.0.31 counts biases of convolutions, 0.1.0 and 0.1.1 none. Those of linear layers never count.
* A transposed convolution counts as many products per *output* element as a convolution, which is
  too many by the product of its strides.
* 0.1.0 and 0.1.1 take dimension 1 of the input of a convolution for its channels, also where there
  is no batch, and of a recurrent layer the first two sizes for batch and steps.
* 0.1.0 fails on a LayerNorm: it is refused.

A layer does not tell all that thop sees. Only `netledger.compat.thop` knows that a recurrent module
was given an input without a batch, to which torch adds one of 1, and that a module of torch's has
children of its own, which thop then leaves out but for their parameters.

Source: Lyken17/pytorch-OpCounter, thop/profile.py, thop/vision/basic_hooks.py, thop/rnn_hooks.py;
releases 0.0.31.post2005241907, 0.1.0.post2206102148 and 0.1.1.post2209072238.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

from netledger._torch_names import MODULES_OF_OP
from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.sizes import (
    CONVOLUTIONS,
    TRANSPOSED,
    bias_outputs,
    outputs,
    per_input,
    per_output,
    products,
)
from netledger.errors import NetledgerError

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTIONS", "HOOKS", "PER_CALL"]

Terms: TypeAlias = dict[str | tuple[str, ...], Term]
Adapted: TypeAlias = Callable[["LayerView", Term], Term]

ADAPTIVE = ("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
AVERAGING = ("avg_pool1d", "avg_pool2d", "avg_pool3d")
CHANNEL_NORMS = ("batch_norm", "instance_norm")

# -- which classes are hooked ---------------------------------------------------------------------


def _ranked(hooks: Mapping[str, str]) -> dict[str, str]:
    """The classes of one, two and three dimensions, by their names without."""
    return {f"{name}{rank}d": hook for name, hook in hooks.items() for rank in (1, 2, 3)}


_HOOKS_0_0_31 = {
    "ZeroPad2d": "zero_ops",
    **_ranked(
        {
            "Conv": "count_convNd",
            "ConvTranspose": "count_convNd",
            "BatchNorm": "count_bn",
            "MaxPool": "zero_ops",
            "AdaptiveMaxPool": "zero_ops",
            "AvgPool": "count_avgpool",
            "AdaptiveAvgPool": "count_adap_avgpool",
        }
    ),
    "SyncBatchNorm": "count_bn",
    "ReLU": "zero_ops",
    "ReLU6": "zero_ops",
    "LeakyReLU": "count_relu",
    "Linear": "count_linear",
    "Dropout": "zero_ops",
    "Upsample": "count_upsample",
    "UpsamplingBilinear2d": "count_upsample",
    "UpsamplingNearest2d": "count_upsample",
    "RNNCell": "count_rnn_cell",
    "GRUCell": "count_gru_cell",
    "LSTMCell": "count_lstm_cell",
    "RNN": "count_rnn",
    "GRU": "count_gru",
    "LSTM": "count_lstm",
}
_HOOKS_0_1_0 = {
    **_HOOKS_0_0_31,
    **_ranked({"BatchNorm": "count_normalization", "InstanceNorm": "count_normalization"}),
    "SyncBatchNorm": "count_normalization",
    "LayerNorm": "count_normalization",
    "PReLU": "count_prelu",
    "Softmax": "count_softmax",
    "Sequential": "zero_ops",
}

#: Classes of torch.nn that are hooked, with the name of the hook as thop prints it, by version.
HOOKS: dict[str, dict[str, str]] = {
    "0.1.1": {**_HOOKS_0_1_0, "PixelShuffle": "zero_ops"},
    "0.1.0": _HOOKS_0_1_0,
    "0.0.31": _HOOKS_0_0_31,
}


def hooked(hooks: Mapping[str, str]) -> Adapted:
    """Leaves the terms of modules whose very class is hooked, and nothing of all others."""

    def adapted(layer: LayerView, term: Term) -> Term:
        origin = layer.origin
        if term.cost is NOTHING.cost:
            return term
        if origin.kind != "module":
            return _unseen("only modules are seen")
        if not origin.exact:
            return _unseen("the module's class only derives from torch's")
        name = class_name(layer)
        return term if name in hooks else _unseen(f"{name} has no rule")

    return adapted


def class_name(layer: LayerView) -> str:
    """The class of a layer's module; where it was built without one, the usual class for its op."""
    return layer.origin.class_name or MODULES_OF_OP.get(layer.op, ("",))[0]


def _unseen(reason: str) -> Term:
    return Term(f"nothing: {reason}", NOTHING.cost)


def in_turn(*steps: Adapted) -> Adapted:
    """One adaptation after the other."""

    def adapted(layer: LayerView, term: Term) -> Term:
        for step in steps:
            term = step(layer, term)
        return term

    return adapted


def shared(layer: LayerView, term: Term) -> Term:
    """thop's mistake with a module in n places: n hooks on it, and its sum added n times."""
    times = layer.origin.occurrences**2
    if times == 1 or term.cost is NOTHING.cost:
        return term
    return Term(
        f"{term.text}, {times} times as the module stands in {layer.origin.occurrences} places",
        lambda layer: times * term.cost(layer),
    )


def below_root(layer: LayerView, term: Term) -> Term:
    """Nothing of a model that is a single layer: what thop found for the root is not added."""
    return _unseen("the model's own layer is left out") if layer.origin.root else term


# -- convolutions ---------------------------------------------------------------------------------


def spatial_dimensions(layer: LayerView) -> int:
    """How many dimensions a windowed layer has, by its op."""
    return int(layer.op[-2])


def volume(sizes: Any, dimensions: int) -> Any:
    """The product of sizes, where one stands for all dimensions."""
    if not isinstance(sizes, tuple | list):
        return sizes**dimensions
    return prod(sizes) if len(sizes) == dimensions else sizes[0] ** dimensions


def window_products(layer: LayerView, elements: Any, channels: Any) -> Any:
    """For each element the channels of one group under the kernel."""
    kernel = volume(layer.attributes["kernel_size"], spatial_dimensions(layer))
    return elements * (channels // layer.attributes["groups"]) * kernel


def _channels(layer: LayerView) -> Any:
    return layer.inputs[0][-spatial_dimensions(layer) - 1]


def _is_batched(layer: LayerView) -> bool:
    return len(layer.inputs[0]) == spatial_dimensions(layer) + 2


PRODUCTS = Term("multiply-accumulates", products)

PRODUCTS_AND_BIAS = Term(
    "multiply-accumulates, and one per output element with a bias",
    lambda layer: layer.macs + bias_outputs(layer),
)

#: The first three releases take a transposed convolution for one that is not.
OUTPUT_SIZED = Term(
    "kernel elements times input channels of a group, for each output element",
    lambda layer: window_products(layer, outputs(layer), _channels(layer)),
)

OUTPUT_SIZED_AND_BIAS = Term(
    "kernel elements times input channels of a group, and one with a bias, for each output element",
    lambda layer: OUTPUT_SIZED.cost(layer) + bias_outputs(layer),
)

SECOND_SIZE = Term(
    "kernel elements times the input's second size by groups, for each output element",
    lambda layer: window_products(layer, outputs(layer), layer.inputs[0][1]),
)


def second_size(layer: LayerView, term: Term) -> Term:
    """thop's mistake with an input without a batch: its second size is taken for its channels."""
    if term in (PRODUCTS, OUTPUT_SIZED) and layer.op in CONVOLUTIONS + TRANSPOSED:
        return term if _is_batched(layer) else SECOND_SIZE
    return term


# -- normalizations and activations ---------------------------------------------------------------


_WITH_WEIGHTS, _WITHOUT_WEIGHTS = per_input(4), per_input(2)


def _by_weights(layer: LayerView) -> Term:
    attributes = layer.attributes
    affine = attributes.get("affine") or attributes.get("elementwise_affine")
    return _WITH_WEIGHTS if affine else _WITHOUT_WEIGHTS


NORMALIZED = Term(
    "4 per input element with weights, 2 without", lambda layer: _by_weights(layer).cost(layer)
)


def spelled_out(layer: LayerView, term: Term) -> Term:
    """Which of its two figures a norm has."""
    return _by_weights(layer) if term == NORMALIZED else term


def _refuse_layer_norm(layer: LayerView) -> Any:
    raise NetledgerError(
        f"thop 0.1.0 fails on LayerNorm ('{layer.name}'): it looks for an attribute 'affine'; "
        "version 0.1.1 counts it"
    )


def softmax_rows(layer: LayerView) -> tuple[Any, Any]:
    """How many sums a softmax has, and of how many elements each."""
    shape = layer.inputs[0]
    dimension = layer.attributes["dim"] % len(shape)
    return prod(shape[:dimension]) * prod(shape[dimension + 1 :]), shape[dimension]


def softmax(layer: LayerView) -> Any:
    """n exponentials, n - 1 additions and n divisions for each sum."""
    rows, length = softmax_rows(layer)
    return rows * (3 * length - 1)


def _softmax_of_dimension(layer: LayerView) -> Any:
    if layer.origin.arguments.get(1, 0) is None:
        raise NetledgerError(f"thop fails on a Softmax without dim ('{layer.name}'): give it one")
    return softmax(layer)


SOFTMAX = Term("3n - 1 for each sum of n elements", _softmax_of_dimension)

# -- pooling and resizing -------------------------------------------------------------------------


def _floor_windows(sizes: Any, targets: Any) -> Any:
    """The product of the quotients; a single one stands for all, as in numpy."""
    count = max(len(sizes), len(targets))
    wide, narrow = (tuple(s) * count if len(s) == 1 else tuple(s) for s in (sizes, targets))
    return prod(size // target for size, target in zip(wide, narrow, strict=True))


def _floor_of_output_size(layer: LayerView) -> Any:
    given = layer.origin.arguments.get(1, 1)
    if given is None or (isinstance(given, tuple | list) and None in given):
        raise NetledgerError(
            f"thop 0.0.31 fails on an output size of None ('{layer.name}'): give the number"
        )
    targets = layer.attributes["output_size"]
    targets = targets if isinstance(targets, tuple | list) else (targets,)
    return (_floor_windows(layer.inputs[0][2:], targets) + 1) * outputs(layer)


def _floor_of_output_shape(layer: LayerView) -> Any:
    return (_floor_windows(layer.inputs[0][2:], layer.outputs[0][2:]) + 1) * outputs(layer)


_FLOOR_TEXT = "k + 1 per output element, k the product of input by output sizes rounded down"
FLOOR_OF_OUTPUT_SIZE = Term(_FLOOR_TEXT, _floor_of_output_size)
FLOOR_OF_OUTPUT_SHAPE = Term(_FLOOR_TEXT, _floor_of_output_shape)


def _true_ratio(layer: LayerView) -> Any:
    """The ratios as floats, as they are multiplied there: their product may be too small by a bit.

    Output sizes that are powers of two leave them exact.
    """
    sizes, targets = layer.inputs[0][2:], layer.outputs[0][2:]
    if all(isinstance(target, int) and target & (target - 1) == 0 for target in targets):
        return prod(sizes) * outputs(layer) // prod(targets) + outputs(layer)
    ratio = 1.0
    for size, target in zip(sizes, targets, strict=True):
        ratio *= _known(size) / _known(target)
    return int((ratio + 1) * _known(outputs(layer)))


def _known(size: Any) -> int:
    if not isinstance(size, int):
        raise TypeError(f"the rounding of a float needs the value of {size}")
    return size


TRUE_RATIO = Term("k + 1 per output element, k the product of input by output sizes", _true_ratio)


def by_mode(times: Mapping[str, int]) -> Term:
    """So many for each element of the output of a resize, by its mode; nothing of other modes."""
    listed = ", ".join(f"{mode} {number}" for mode, number in times.items())
    return Term(
        f"per output element, by mode: {listed}",
        lambda layer: times.get(layer.attributes["mode"], 0) * outputs(layer),
    )


# -- recurrent networks ---------------------------------------------------------------------------


def _gate(input_size: Any, state: Any, hidden: Any, bias: bool) -> Any:
    """Products of one gate, one addition and what the biases add."""
    return hidden * (input_size + state) + hidden + (2 * hidden if bias else 0)


def cell(op: str, input_size: Any, hidden: Any, bias: bool, projection: Any = 0) -> Any:
    """A step of one sample through one cell; the state that recurs may be a projection."""
    state = projection or hidden
    gate = _gate(input_size, state, hidden, bias)
    if op.startswith("rnn"):
        return gate
    if op.startswith("gru"):
        return 3 * gate + 4 * hidden
    return 4 * gate + 4 * hidden + hidden * projection


def layers(layer: LayerView, *, projected: bool) -> Any:
    """A step of one sample through all layers and directions."""
    attributes = layer.attributes
    hidden, bias = attributes["hidden_size"], attributes["bias"]
    projection = attributes.get("proj_size", 0) if projected else 0
    directions = 2 if attributes["bidirectional"] else 1
    first = cell(layer.op, layer.inputs[0][-1], hidden, bias, projection)
    further = cell(layer.op, directions * (projection or hidden), hidden, bias, projection)
    return directions * (first + (attributes["num_layers"] - 1) * further)


def one_cell(layer: LayerView) -> Any:
    """A step of one sample through a cell that is a module."""
    return cell(
        layer.op, layer.inputs[0][-1], layer.attributes["hidden_size"], layer.attributes["bias"]
    )


#: thop knows no projections, and takes the first two sizes for steps and batch.
RECURRENT = Term(
    "per step and sample the products, one addition per gate, biases and products of gates",
    lambda layer: prod(layer.inputs[0][:2]) * layers(layer, projected=False),
)
CELL = Term(
    "per sample the products, one addition per gate, biases and products of gates",
    lambda layer: layer.inputs[0][0] * one_cell(layer),
)

# -- the versions ---------------------------------------------------------------------------------

COMMON: Terms = {
    "linear": PRODUCTS,
    AVERAGING: per_output(1),
    ("rnn", "gru", "lstm"): RECURRENT,
    ("rnn_cell", "gru_cell", "lstm_cell"): CELL,
}

TERMS_0_1_1: Terms = {
    **COMMON,
    CONVOLUTIONS: PRODUCTS,
    TRANSPOSED: OUTPUT_SIZED,
    (*CHANNEL_NORMS, "layer_norm"): NORMALIZED,
    "prelu": per_input(1),
    "softmax": SOFTMAX,
    ADAPTIVE: TRUE_RATIO,
    "interpolate": by_mode({"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}),
}

_TERMS: dict[str, Terms] = {
    "0.1.1": TERMS_0_1_1,
    "0.1.0": {
        **TERMS_0_1_1,
        (*CHANNEL_NORMS, "layer_norm"): NORMALIZED,
        "layer_norm": Term("nothing: it fails on LayerNorm", _refuse_layer_norm),
        ADAPTIVE: FLOOR_OF_OUTPUT_SHAPE,
    },
    "0.0.31": {
        **COMMON,
        CONVOLUTIONS: PRODUCTS_AND_BIAS,
        TRANSPOSED: OUTPUT_SIZED_AND_BIAS,
        "batch_norm": per_input(2),
        "leaky_relu": per_input(1),
        ADAPTIVE: FLOOR_OF_OUTPUT_SIZE,
        "interpolate": by_mode({"linear": 5, "bilinear": 11, "bicubic": 259}),
    },
}


def _seen(version: str) -> tuple[Adapted, ...]:
    steps = (hooked(HOOKS[version]),)
    return steps if version == "0.0.31" else (*steps, second_size)


#: What one hook adds in one call of a module, by version: without what sharing does to it.
PER_CALL: dict[str, Rules] = {
    version: Rules(terms, adapted=in_turn(*_seen(version))) for version, terms in _TERMS.items()
}


def flops_of(terms: Terms, *steps: Adapted) -> Rules:
    """The figure that thop returns, from the terms of a call."""
    return Rules(terms, adapted=in_turn(spelled_out, *steps, shared))


def params_of(hooks: Mapping[str, str]) -> Rules:
    """Parameters of the modules that are hooked and called, once for each place they stand in."""
    seen = hooked(hooks)
    held = Term(
        "parameters of hooked modules, once for each place of a module",
        lambda layer: 0 if layer.origin.call else layer.held_params * layer.origin.occurrences,
    )
    return Rules({}, otherwise=held, adapted=in_turn(seen, below_root))


def _convention(version: str) -> Convention:
    root = (below_root,) if version == "0.0.31" else ()
    flops = flops_of(_TERMS[version], *_seen(version), *root)
    rules = {"flops": flops, "macs": flops, "params": params_of(HOOKS[version])}
    return Convention(f"thop@{version}", rules, "MACs")


CONVENTIONS = {version: _convention(version) for version in _TERMS}
