"""``torchstat``: as torchstat 0.0.7 counts the modules without children, each by its last call.

``flops`` are multiply-accumulates of convolutions (with bias) and linear layers (without), and one
or two per input element of some others; ``madd`` are multiplications and additions of one sample;
``mem_read`` and ``mem_write`` are bytes of inputs, weights and outputs. Only modules that have no
modules below them are looked at: functions, operators and what attention does by itself count
nothing. An element has 4 bytes: torchstat feeds a model 32-bit floats.

What takes the modules themselves to know is in `netledger.compat.torchstat` only: weights that are
not there for a layer of torch.nn, or are made of others (pruned or normalized ones), and whether a
frozen weight that several layers hold is read.

torchstat fails on linear layers of other inputs than (N, features) and on modules that return
several tensors; so do these rules.

Source: Swall0w/torchstat 0.0.7, compute_flops.py, compute_madd.py, compute_memory.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from netledger._torch_names import OPS_OF_MODULE
from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.sizes import bias_outputs, inputs, outputs, per_input
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger._origin import Origin
    from netledger.metrics import LayerView

__all__ = [
    "CONVENTION",
    "FLOAT_BYTES",
    "FLOPS_MODULES",
    "MADD_MODULES",
    "MEMORY_MODULES",
    "WRITTEN_MODULES",
    "term_of",
]

FLOAT_BYTES = 4

_NO_LEAF = Term("nothing, as the module holds other modules", NOTHING.cost)
_REPLACED = Term("nothing, as a later call of the module takes its place", NOTHING.cost)
#: Modules that return several tensors.
_SEVERAL = ("rnn", "lstm", "gru", "lstm_cell")


def term_of(origin: Origin, modules: Mapping[str, Term]) -> Term | None:
    """The term of a class, or of one that it derives from; None if torchstat has no rule for it."""
    return next((modules[name] for name in origin.torch_classes if name in modules), None)


def _samples(layer: LayerView) -> Any:
    return layer.inputs[0][0]


def _fails(layer: LayerView) -> Any:
    raise SpaceError(
        f"convention 'torchstat' has no rule for {layer.op} of {layer.inputs[0]}: torchstat fails "
        "on it"
    )


def _images(layer: LayerView) -> None:
    if len(layer.inputs[0]) != 4:
        _fails(layer)


def _rows(layer: LayerView) -> None:
    if len(layer.inputs[0]) != 2:
        _fails(layer)


def _rules(terms: Mapping[str, Term]) -> Rules:
    """The rules of modules without children, by the names of their classes."""

    def adapted(layer: LayerView, term: Term) -> Term:
        origin = layer.origin
        if origin.kind != "module":
            return NOTHING
        if not origin.leaf:
            return _NO_LEAF
        if origin.call != origin.calls - 1:
            return _REPLACED
        if layer.op == "batch_norm" and len(layer.inputs[0]) != 4:  # BatchNorm1d, BatchNorm3d
            return NOTHING
        if layer.op not in _SEVERAL and origin.ancestry:
            return term_of(origin, terms) or NOTHING
        return term

    by_op: dict[str | tuple[str, ...], Term] = {
        op: term for module, term in terms.items() for op in OPS_OF_MODULE[module]
    }
    fails = Term("nothing: torchstat fails on it", _fails)
    return Rules({**by_op, _SEVERAL: fails}, adapted=adapted)


def _of_each(names: tuple[str, ...], term: Term) -> dict[str, Term]:
    return dict.fromkeys(names, term)


# -- flops -----------------------------------------------------------------------------------------


def _convolution_flops(layer: LayerView) -> Any:
    _images(layer)
    return layer.macs + bias_outputs(layer)


def _linear_flops(layer: LayerView) -> Any:
    _rows(layer)
    return layer.macs


def _norm_flops(layer: LayerView) -> Any:
    return inputs(layer) * (2 if layer.attributes["affine"] else 1)


def _pool_flops(layer: LayerView) -> Any:
    _images(layer)
    return inputs(layer)


def _upsample_flops(layer: LayerView) -> Any:
    """The channels are left out: a mistake of torchstat's."""
    output = layer.outputs[0]
    return output[0] * prod(output[2:])


FLOPS_MODULES = {
    "Conv2d": Term(
        "multiply-accumulates, and one per output element for the bias", _convolution_flops
    ),
    "BatchNorm2d": Term("2 per input element, 1 without weights", _norm_flops),
    **_of_each(("AvgPool2d", "MaxPool2d"), Term("1 per input element", _pool_flops)),
    **_of_each(("ReLU", "ReLU6", "PReLU", "ELU", "LeakyReLU"), per_input(1)),
    "Upsample": Term("1 per output position, whatever the channels", _upsample_flops),
    "Linear": Term("multiply-accumulates", _linear_flops),
}


# -- multiplications and additions -----------------------------------------------------------------


def _both(layer: LayerView) -> Any:
    """Products of one sample and their sums, and the additions of the bias."""
    return (2 * layer.macs - outputs(layer) + bias_outputs(layer)) // _samples(layer)


def _convolution_madd(layer: LayerView) -> Any:
    _images(layer)
    return _both(layer)


def _transposed_madd(layer: LayerView) -> Any:
    """As of a convolution with as many positions as the input has: torchstat's way."""
    _images(layer)
    sums = layer.attributes["out_channels"] * prod(layer.inputs[0][-2:])
    bias = sums if layer.attributes["bias"] else 0
    return 2 * layer.macs // _samples(layer) - sums + bias


def _norm_madd(layer: LayerView) -> Any:
    return 4 * prod(layer.inputs[0][1:])


def _window(layer: LayerView) -> Any:
    kernel = layer.attributes["kernel_size"]
    return prod(kernel) if isinstance(kernel, tuple) else kernel * kernel


def _max_pool_madd(layer: LayerView) -> Any:
    _images(layer)
    return (_window(layer) - 1) * prod(layer.outputs[0][1:])


def _avg_pool_madd(layer: LayerView) -> Any:
    _images(layer)
    return _window(layer) * prod(layer.outputs[0][1:])


def _relu_madd(layer: LayerView) -> Any:
    return prod(layer.inputs[0][1:])


def _softmax_madd(layer: LayerView) -> Any:
    if len(layer.inputs[0]) < 2:
        _fails(layer)
    return 3 * prod(layer.inputs[0][1:]) - 1


def _linear_madd(layer: LayerView) -> Any:
    """A bias is not counted."""
    _rows(layer)
    return (2 * layer.macs - outputs(layer)) // _samples(layer)


def _bilinear_madd(layer: LayerView) -> Any:
    _rows(layer)
    left, right = layer.inputs[0][1], layer.inputs[1][1]
    return layer.attributes["out_features"] * (2 * (left + 1) * right - 1)


MADD_MODULES = {
    "Conv2d": Term(
        "products and additions of one sample, with those of the bias", _convolution_madd
    ),
    "ConvTranspose2d": Term(
        "products of one sample and as many additions less one per input position and output "
        "channel, unless for the bias",
        _transposed_madd,
    ),
    "BatchNorm2d": Term("4 per element of a sample", _norm_madd),
    "MaxPool2d": Term("comparisons of one sample's windows", _max_pool_madd),
    "AvgPool2d": Term("additions and a division for each of one sample's windows", _avg_pool_madd),
    **_of_each(("ReLU", "ReLU6"), Term("1 per element of a sample", _relu_madd)),
    "Softmax": Term("3 per element of a sample, less 1", _softmax_madd),
    "Linear": Term("products and additions of one sample, without those of the bias", _linear_madd),
    "Bilinear": Term(
        "products and additions of one sample, without those of the bias", _bilinear_madd
    ),
}


# -- bytes -----------------------------------------------------------------------------------------


def _weights(layer: LayerView) -> Any:
    """Trained weights, once per sample: torchstat's way. Those that other layers hold are taken as
    trained.
    """
    return _samples(layer) * (layer.trainable_params + layer.held_params - layer.params)


def _read(layer: LayerView) -> Any:
    return FLOAT_BYTES * inputs(layer)


def _read_with_weights(layer: LayerView) -> Any:
    return FLOAT_BYTES * (inputs(layer) + _weights(layer))


def _read_convolution(layer: LayerView) -> Any:
    _images(layer)
    return _read_with_weights(layer)


def _read_linear(layer: LayerView) -> Any:
    _rows(layer)
    return _read_with_weights(layer)


def _read_norm(layer: LayerView) -> Any:
    """Two weights per channel are read, also where there are none."""
    return FLOAT_BYTES * (inputs(layer) + 2 * _samples(layer) * layer.inputs[0][1])


def _read_pool(layer: LayerView) -> Any:
    _images(layer)
    return _read(layer)


def _written(layer: LayerView) -> Any:
    return FLOAT_BYTES * outputs(layer)


_POINTWISE = ("ReLU", "ReLU6", "ELU", "LeakyReLU")
_WITH_WEIGHTS = "input, and trained weights once per sample"

MEMORY_MODULES = {
    **_of_each(_POINTWISE, Term("input", _read)),
    "PReLU": Term(_WITH_WEIGHTS, _read_with_weights),
    "Conv2d": Term(_WITH_WEIGHTS, _read_convolution),
    "BatchNorm2d": Term("input, and 2 weights per channel and sample", _read_norm),
    "Linear": Term(_WITH_WEIGHTS, _read_linear),
    **_of_each(("AvgPool2d", "MaxPool2d"), Term("input", _read_pool)),
}

WRITTEN_MODULES = {module: Term("output", _written) for module in MEMORY_MODULES}


# -- parameters ------------------------------------------------------------------------------------


def _held(layer: LayerView) -> Any:
    return layer.held_params


def _params_adapted(layer: LayerView, term: Term) -> Term:
    origin = layer.origin
    if origin.kind != "module" or layer.op == "multi_head_attention":
        return NOTHING
    return term if origin.call == origin.calls - 1 else _REPLACED


PARAMS = Rules(
    {_SEVERAL: Term("nothing: torchstat fails on it", _fails)},
    otherwise=Term("weights", _held),
    adapted=_params_adapted,
)

CONVENTION = Convention(
    "torchstat",
    {
        "flops": _rules(FLOPS_MODULES),
        "madd": _rules(MADD_MODULES),
        "mem_read": _rules(MEMORY_MODULES),
        "mem_write": _rules(WRITTEN_MODULES),
        "params": PARAMS,
    },
    "Flops",
)
