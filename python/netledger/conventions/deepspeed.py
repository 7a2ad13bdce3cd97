"""``deepspeed``: as DeepSpeed's flops profiler counts: operations, and multiply-accumulates.

It replaces functions of torch, those that modules call too, and hooks recurrent modules alone. A
product counts two operations for each multiply-accumulate; activations, poolings, sums and products
of tensors one per element; norms one to five. Operators other than ``x @ y`` are not seen. What a
module's functions count is counted again in every further place that it has in the tree.

Multiply-accumulates (``"macs"``) are counted for products of matrices, linear layers, convolutions
and attention, but not for ``torch.einsum`` and recurrent layers.

The profiler leaves ``Tensor.__matmul__`` and ``F.scaled_dot_product_attention`` patched behind, so
that in one process its second profile counts them twice, the third three times; the numbers here
are those of the first.

Where all parameters before and in an ``nn.MultiheadAttention`` are frozen, torch computes it in one
piece that calls no function; the numbers here are those of the usual attention.

A recurrent layer or cell that is given a single sample counts as one with a batch of 1, while the
profiler fails on the cell, and takes the features of the layer for its steps.

Source: DeepSpeed 0.16.9, deepspeed/profiling/flops_profiler/profiler.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netledger.conventions.base import NOTHING, Convention, Rule, Rules, Term
from netledger.conventions.patched import (
    RECURRENT,
    Functions,
    fails,
    interpolation,
    left_aligned,
    matrix_product,
    pooling_terms,
    projected,
    recurrent,
    repeated,
    scores,
    term_of_function,
)
from netledger.conventions.sizes import inputs, per_input

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTION", "COUNTS", "Tables", "convention", "profiler_rules", "tables"]

_PROFILER = "the profiler of deepspeed and calflops"


# -- products --------------------------------------------------------------------------------------


def _sizes_of(value: Any, spatial: int) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,) * spatial


def _expected_outputs(layer: LayerView, padding: tuple[Any, ...]) -> list[Any]:
    """Spatial sizes of a convolution's output, of these inputs, by the usual formula."""
    attributes, shape = layer.attributes, layer.inputs[0]
    spatial = int(layer.op[-2])
    if len(shape) != spatial + 2:
        fails(_PROFILER, f"it takes the second size of the input {shape} for the channels")
    kernels, strides, dilations = (
        _sizes_of(attributes[name], spatial) for name in ("kernel_size", "stride", "dilation")
    )
    return [
        (size + 2 * pad - (dilation * (kernel - 1) + 1)) // stride + 1
        for size, pad, kernel, stride, dilation in zip(
            shape[2:], padding, kernels, strides, dilations, strict=True
        )
    ]


def _convolution_outputs(layer: LayerView) -> Any:
    """Positions of the output, of all images.

    Padding 'same' pads both sides alike here, which makes an output too small where the window
    needs an odd number of elements.
    """
    attributes, spatial = layer.attributes, int(layer.op[-2])
    padding = attributes["padding"]
    if padding == "same":
        kernels = _sizes_of(attributes["kernel_size"], spatial)
        dilations = _sizes_of(attributes["dilation"], spatial)
        pads = tuple(d * (k - 1) // 2 for d, k in zip(dilations, kernels, strict=True))
    else:
        pads = (0,) * spatial if padding == "valid" else _sizes_of(padding, spatial)
    return layer.inputs[0][0] * prod(_expected_outputs(layer, pads))


def _convolution_macs(layer: LayerView) -> Any:
    positions = layer.outputs[0][0] * prod(layer.outputs[0][2:])
    return layer.macs // positions * _convolution_outputs(layer)


def _convolution_flops(layer: LayerView) -> Any:
    attributes = layer.attributes
    bias = attributes["out_channels"] * _convolution_outputs(layer) if attributes["bias"] else 0
    return 2 * _convolution_macs(layer) + bias


def _transposed_macs(layer: LayerView) -> Any:
    """Products, but their channels are divided by the groups twice."""
    width = layer.attributes["out_channels"] // layer.attributes["groups"]
    return layer.macs // width * (width // layer.attributes["groups"])


def _transposed_flops(layer: LayerView) -> Any:
    """The bias counts for the channels of one group, and for the output of a usual convolution."""
    attributes, spatial = layer.attributes, int(layer.op[-2])
    sizes = _expected_outputs(layer, _sizes_of(attributes["padding"], spatial))
    width = attributes["out_channels"] // attributes["groups"]
    bias = width * layer.inputs[0][0] * prod(sizes) if attributes["bias"] else 0
    return 2 * _transposed_macs(layer) + bias


def _attention(layer: LayerView) -> Any:
    """Products of all queries, however keys and values are broadcast."""
    query, key, value = layer.inputs[:3]
    return prod(query) * key[-2] + prod(query[:-1]) * key[-2] * value[-1]


def _einsum(layer: LayerView) -> int:
    """What numpy prints for the best order, which has four digits; a term of its own may be in it.

    Needs plain integers.
    """
    equation = layer.attributes["equation"].replace(" ", "")
    empty = [np.broadcast_to(np.float64(0), shape) for shape in layer.inputs]
    report = np.einsum_path(equation, *empty, optimize="optimal")[1]
    line = next(line for line in report.splitlines() if "optimized flop" in line.lower())
    return int(float(line.split(":")[-1]))


# -- everything else -------------------------------------------------------------------------------


def _batch_norm(layer: LayerView) -> Any:
    """Cheap with running statistics; without them it is in training mode for the profiler too."""
    given, attributes = layer.origin.arguments, layer.attributes
    training = given.get(5, given.get("training", not attributes["track_running_stats"]))
    return inputs(layer) * ((4 if training else 1) + (1 if attributes["affine"] else 0))


def _norm(attribute: str) -> Term:
    return Term(
        "4 per input element, 5 if the norm has weights",
        lambda layer: inputs(layer) * (5 if layer.attributes[attribute] else 4),
    )


def _added(layer: LayerView) -> Any:
    return prod(layer.inputs[1])


def _interpolated(layer: LayerView) -> Any:
    """The output size of one channel; or inputs times the factor to the power of the batch."""
    size, factor = interpolation(layer)
    if size is not None:
        return prod(size) if isinstance(size, tuple | list) else size
    batch = layer.inputs[0][0]
    if isinstance(factor, tuple) and len(factor) == batch:
        return inputs(layer) * int(prod(factor))
    if isinstance(factor, tuple | list):
        fails(_PROFILER, f"it raises the factor {factor} of F.interpolate to a power")
    return inputs(layer) * factor**batch


class Tables(NamedTuple):
    """What functions count: operations, and multiply-accumulates."""

    flops: Functions
    macs: Functions


_PRODUCTS = "multiply-accumulates"
_TWICE = "2 per multiply-accumulate"


def _doubled(macs: Rule) -> Term:
    return Term(_TWICE, lambda layer: 2 * macs(layer))


def _linear_macs(layer: LayerView) -> Any:
    return layer.macs


def _interpolate_terms(term: Term) -> dict[str, Term | Mapping[str, Term]]:
    """The terms of interpolation, which is an adaptive pooling in mode "area".

    ``F.upsample`` calls ``F.interpolate``, and both are counted.
    """
    poolings = [f"adaptive_avg_pool{spatial}d" for spatial in (1, 2, 3)]
    pooled = Term(
        f"{term.text}, and 1 per input element", lambda layer: term.cost(layer) + inputs(layer)
    )
    twice = Term(f"twice {term.text}", lambda layer: 2 * term.cost(layer))
    twice_pooled = Term(
        f"twice {term.text}, and 1 per input element",
        lambda layer: 2 * term.cost(layer) + inputs(layer),
    )
    return {
        "F.interpolate": {"interpolate": term, **dict.fromkeys(poolings, pooled)},
        "F.upsample": {"interpolate": twice, **dict.fromkeys(poolings, twice_pooled)},
    }


def tables(products: tuple[str, ...], interpolated: Term, *, is_deepspeed: bool) -> Tables:
    """The terms of a profiler of this kind.

    Args:
        products: the functions that are products of matrices for it.
        interpolated: the term of an interpolation.
        is_deepspeed: whether it counts fused attention, ``einops.einsum`` besides the
            ``torch.einsum`` in it, and, of networks built layer by layer, ``x @ y``.
    """
    each = per_input(1)
    elementwise = Term("1 per element of the result, its sizes aligned from the left", left_aligned)
    matrix = Term("1 per element of the matrix that is added", _added)
    added = dict.fromkeys(("add", "add_scaled"), elementwise)
    einsum = Term("the operations that numpy prints for the best order", _einsum)
    sums = ("torch.addmm", "torch.baddbmm", "Tensor.addmm")
    softmax = Term("1 per score, if weights are returned", _softmax_of_weights)
    attention_macs = _visible_macs if is_deepspeed else _visible_projections
    seen = "attention and projections" if is_deepspeed else "the projections"
    flops: dict[str, Term | Mapping[str, Term]] = {
        "F.linear": {"linear": _doubled(_linear_macs)},
        **{
            f"F.conv{spatial}d": {
                f"conv{spatial}d": Term(
                    f"{_TWICE} and 1 per output for the bias", _convolution_flops
                )
            }
            for spatial in (1, 2, 3)
        },
        **{
            f"F.conv_transpose{spatial}d": {
                f"conv_transpose{spatial}d": Term(
                    f"{_TWICE}, divided by the groups once more, and 1 for the "
                    "bias per output of a convolution that is not transposed",
                    _transposed_flops,
                )
            }
            for spatial in (1, 2, 3)
        },
        **{
            f"F.{name}": each
            for name in (
                "relu",
                "prelu",
                "elu",
                "leaky_relu",
                "relu6",
                "silu",
                "gelu",
                "softmax",
            )
        },
        **pooling_terms(each),
        "F.batch_norm": Term(
            "1 per input element, 4 without running statistics, 1 more with weights", _batch_norm
        ),
        "F.layer_norm": _norm("elementwise_affine"),
        "F.group_norm": _norm("affine"),
        "F.instance_norm": _norm("affine"),
        **_interpolate_terms(interpolated),
        **{name: {"matmul": _doubled(matrix_product)} for name in products},
        **{
            name: {"matmul": _doubled(matrix_product), "add": matrix, "add_scaled": matrix}
            for name in sums
        },
        **{f"{home}.mul": {"mul": elementwise} for home in ("torch", "Tensor")},
        **{f"{home}.add": added for home in ("torch", "Tensor")},
        "torch.einsum": {"einsum": einsum},
        **(
            {"einops.einsum": {"einsum": Term(f"twice {einsum.text}", lambda x: 2 * _einsum(x))}}
            if is_deepspeed
            else {"einops.einsum": {"einsum": einsum}}
        ),
        "F.multi_head_attention_forward": {
            "multi_head_attention": Term(
                f"2 per multiply-accumulate of {seen}, and {softmax.text}",
                lambda layer: 2 * attention_macs(layer) + softmax.cost(layer),
            )
        },
    }
    macs: dict[str, Term | Mapping[str, Term]] = {
        "F.linear": {"linear": Term(_PRODUCTS, _linear_macs)},
        **{
            f"F.conv{spatial}d": {f"conv{spatial}d": Term(_PRODUCTS, _convolution_macs)}
            for spatial in (1, 2, 3)
        },
        **{
            f"F.conv_transpose{spatial}d": {
                f"conv_transpose{spatial}d": Term(
                    "multiply-accumulates, divided by the groups once more", _transposed_macs
                )
            }
            for spatial in (1, 2, 3)
        },
        **{name: {"matmul": Term(_PRODUCTS, matrix_product)} for name in (*products, *sums)},
        "F.multi_head_attention_forward": {
            "multi_head_attention": Term(f"multiply-accumulates of {seen}", attention_macs)
        },
    }
    if is_deepspeed:
        attention = "scaled_dot_product_attention"
        flops[f"F.{attention}"] = {attention: _doubled(_attention)}
        macs[f"F.{attention}"] = {attention: Term(_PRODUCTS, _attention)}
    return Tables(flops, macs)


def _softmax_of_weights(layer: LayerView) -> Any:
    return scores(layer) if layer.attributes["need_weights"] else 0


def _visible_macs(layer: LayerView) -> Any:
    return layer.macs


def _visible_projections(layer: LayerView) -> Any:
    return projected(layer)


# -- the rules -------------------------------------------------------------------------------------


def _recurrent(layer: LayerView) -> Any:
    return recurrent(layer, _PROFILER, per_product=2, per_gate=1)


_RECURRENT = Term(
    "2 per multiply-accumulate of the weights but the first of each row, their biases, and 1 "
    "(RNN), 7 (GRU) or 10 (LSTM) per hidden unit, for each step",
    _recurrent,
)


def _rules(functions: Functions, recurrent_term: Term) -> Rules:
    def adapted(layer: LayerView, term: Term) -> Term:
        if layer.op in RECURRENT:
            # The only modules that have hooks.
            return term if layer.origin.kind == "module" and layer.origin.exact else NOTHING
        if layer.op == "matmul" and not layer.origin.ancestry:
            # Built layer by layer, it is the operator: x @ y.
            found = functions.get("Tensor.__matmul__", NOTHING)
            return found if isinstance(found, Term) else found["matmul"]
        return term_of_function(functions, layer)

    return Rules({RECURRENT: recurrent_term}, adapted=adapted)


def profiler_rules(found: Tables) -> dict[str, Rules]:
    """What one call of a layer counts: ``"flops"`` and ``"macs"``."""
    return {"flops": _rules(found.flops, _RECURRENT), "macs": _rules(found.macs, NOTHING)}


def _in_all_places(rules: Rules) -> Rules:
    return Rules({}, adapted=lambda layer, _: repeated(rules.term(layer), layer))


def convention(name: str, rules: Mapping[str, Rules], params: str) -> Convention:
    """A convention of such rules: every place that a module has in the tree counts."""
    metrics: dict[str, Rule | str] = {
        metric: _in_all_places(rule) for metric, rule in rules.items()
    }
    return Convention(name, {**metrics, "params": params}, figure="FLOPs")


_INTERPOLATED = Term(
    "1 per position of the output, or inputs times the factor to the power of the batch",
    _interpolated,
)
_TABLES = tables(
    (
        "Tensor.__matmul__",
        *(f"{home}.{name}" for home in ("torch", "Tensor") for name in ("matmul", "mm", "bmm")),
    ),
    _INTERPOLATED,
    is_deepspeed=True,
)


#: What one call of a layer counts, before places in the tree multiply it.
COUNTS: dict[str, Rules] = profiler_rules(_TABLES)

CONVENTION = convention("deepspeed", COUNTS, "params")
