"""``ptflops``: as ptflops counts with its usual backend, 'pytorch': multiply-accumulates.

It hooks modules of torch.nn, of exactly these classes, and adds the biases, two operations per
element of a norm with weights, one per element of activations and poolings. What the hooks find is
divided by the first size of the input, and counted again in every further place that a module has
in the tree.

Since 0.7 it also replaces functions of torch. Modules call them too, so that activations, poolings,
upsampling, and attention that returns its weights are counted twice; and what functions count is
not divided by the batch. Operators (``x @ y``), ``torch.einsum``, ``F.linear``, ``F.conv2d`` and
``F.scaled_dot_product_attention`` are not seen.

Where all parameters before and in an ``nn.MultiheadAttention`` are frozen, ptflops takes torch's
fused attention, which calls no function; the numbers here are those of the usual attention.

A recurrent layer or cell that is given a single sample counts as one with a batch of 1, while
ptflops fails on the cell, and takes the features of the layer for its steps.

Source: ptflops 0.7.5 and 0.6.9, ptflops/pytorch_ops.py and ptflops/pytorch_engine.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

from netledger._torch_names import MODULES_OF_OP
from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.patched import (
    POOLS,
    RECURRENT,
    Functions,
    fails,
    interpolation,
    left_aligned,
    matrix_product,
    pooling_terms,
    recurrent,
    repeated,
    score_products,
    scores,
    term_of_function,
)
from netledger.conventions.sizes import (
    CONVOLUTIONS,
    TRANSPOSED,
    bias_outputs,
    inputs,
    per_input,
    per_output,
)
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTIONS", "FUNCTIONS", "MODULES", "hooked_classes"]


# -- what the hooks on modules count ---------------------------------------------------------------


def _is_unbatched(layer: LayerView) -> bool:
    return len(layer.inputs[0]) == int(layer.op[-2]) + 1


def _convolution(layer: LayerView) -> Any:
    """Products and biases; without a batch, the channels are taken for it, and a size is lost."""
    if _is_unbatched(layer):
        channels, shape = layer.inputs[0][0], layer.outputs[0]
        bias = channels * prod(shape[1:]) if layer.attributes["bias"] else 0
        return layer.macs // shape[1] * channels + bias
    return layer.macs + bias_outputs(layer)


def _convolution_with_lost_size(layer: LayerView) -> Any:
    """Up to 0.7.4: without a batch the bias loses a size as the products do."""
    if _is_unbatched(layer):
        return (layer.macs + bias_outputs(layer)) // layer.outputs[0][1] * layer.inputs[0][0]
    return layer.macs + bias_outputs(layer)


def _transposed(layer: LayerView) -> Any:
    """Products, one kernel for each input position, and biases; unbatched as convolutions."""
    if _is_unbatched(layer):
        channels, shape = layer.inputs[0][0], layer.inputs[0]
        bias = channels * prod(layer.outputs[0][1:]) if layer.attributes["bias"] else 0
        return layer.macs // shape[1] * channels + bias
    return layer.macs + bias_outputs(layer)


def _transposed_by_output(layer: LayerView) -> Any:
    """Up to 0.7.4: a kernel for each output position, which is too many where there is a stride."""
    start = 1 if _is_unbatched(layer) else 2
    first, made = layer.inputs[0], layer.outputs[0]
    products = layer.macs // prod(first[start:]) * prod(made[start:])
    bias = bias_outputs(layer)
    if start == 1:
        channels = first[0]
        products = products // made[1] * channels
        bias = bias // made[1] * channels
    return products + bias


def _linear(layer: LayerView) -> Any:
    return layer.macs + bias_outputs(layer)


def _linear_with_one_bias(layer: LayerView) -> Any:
    """Up to 0.6: the bias counts for one row, however many there are."""
    return layer.macs + (layer.outputs[0][-1] if layer.attributes["bias"] else 0)


def _norm(layer: LayerView) -> Any:
    return inputs(layer) * (2 if layer.attributes["affine"] else 1)


def _one_sample(layer: LayerView) -> Any:
    """Outputs of the first sample only, although they are divided by the batch later."""
    return prod(layer.outputs[0][1:])


def _recurrent(layer: LayerView) -> Any:
    return recurrent(layer, "ptflops", per_product=1, per_gate=0)


def _multi_head_attention(layer: LayerView) -> Any:
    """Scaled queries, projections, attention with its softmax, output projection with a bias.

    A key of another width than the query is taken to be projected to its own width.
    """
    attributes = layer.attributes
    query, key, value = layer.inputs[:3]
    if len(query) != 3:
        fails("ptflops", f"it looks for a third size in the input {query} of an attention")
    sequence = 1 if attributes["batch_first"] else 0
    heads, (width, key_width, value_width) = attributes["num_heads"], (query[2], key[2], value[2])
    queries, keys, values = query[sequence], key[sequence], value[sequence]
    cost = queries * width
    cost += queries * width * width + keys * key_width * key_width
    cost += values * value_width * value_width
    if attributes["bias"]:
        cost += (queries + keys + values) * width
    cost += heads * queries * keys * (width // heads + 1 + value_width // heads)
    cost += queries * value_width * (value_width + 1)
    return query[1 - sequence] * cost


def _timm_attention(layer: LayerView) -> Any:
    """Scaled queries and attention with its softmax; the projections are lost."""
    shape = layer.inputs[0]
    if len(shape) != 3:
        fails("ptflops", f"it looks for three sizes in the input {shape} of timm's attention")
    batch, length, _ = shape
    heads, width = layer.attributes["num_heads"], layer.attributes["head_dim"]
    return batch * heads * (length * width + length * length * (2 * width + 1))


_PRODUCTS_AND_BIAS = "multiply-accumulates and one per output for the bias"
_SAME_IN_ALL: dict[str | tuple[str, ...], Term] = {
    CONVOLUTIONS: Term(_PRODUCTS_AND_BIAS, _convolution),
    ("relu", "prelu", "elu", "leaky_relu", "relu6", "gelu", "gelu_tanh"): per_output(1),
    POOLS: per_input(1),
    ("batch_norm", "instance_norm", "group_norm"): Term(
        "1 per input element, 2 if the norm has weights", _norm
    ),
    "interpolate": Term("1 per output element of the first sample", _one_sample),
    RECURRENT: Term(
        "multiply-accumulates of the weights, their biases, and 1 (RNN), 7 (GRU) or 10 (LSTM) per "
        "hidden unit, for each step",
        _recurrent,
    ),
    "multi_head_attention": Term(
        "multiply-accumulates, biases, the scaled queries and one per score for the softmax",
        _multi_head_attention,
    ),
}
_TERMS: dict[str, dict[str | tuple[str, ...], Term]] = {
    "0.7.5": {
        **_SAME_IN_ALL,
        TRANSPOSED: Term(_PRODUCTS_AND_BIAS, _transposed),
        "linear": Term(_PRODUCTS_AND_BIAS, _linear),
        "layer_norm": per_input(1),
        "timm_attention": Term(
            "multiply-accumulates of the attention, the scaled queries and one per score for the "
            "softmax; the projections in it count nothing",
            _timm_attention,
        ),
    },
    "0.6.9": {
        **_SAME_IN_ALL,
        CONVOLUTIONS: Term(_PRODUCTS_AND_BIAS, _convolution_with_lost_size),
        TRANSPOSED: Term(
            "multiply-accumulates as if there were a kernel for each output position, and one per "
            "output for the bias",
            _transposed_by_output,
        ),
        "linear": Term("multiply-accumulates and the bias of a single row", _linear_with_one_bias),
    },
}

#: Classes of torch.nn that do what a hooked one does, and are not hooked.
_NOT_HOOKED = ("SyncBatchNorm", "UpsamplingNearest2d", "UpsamplingBilinear2d")


#: The attention of timm's vision transformer, the only one with a hook.
_TIMMS = ("timm.layers.attention.Attention", "timm.models.vision_transformer.Attention")


def _hooked(layer: LayerView, term: Term) -> Term:
    """The term of a module that is hooked, and whose hook's count is not thrown away."""
    origin = layer.origin
    if origin.class_name in _NOT_HOOKED:
        return NOTHING
    if origin.kind == "composite":
        is_hooked = origin.ancestry[0] in _TIMMS or (
            layer.op == "multi_head_attention" and origin.exact
        )
        return term if is_hooked else NOTHING
    return term if origin.kind == "module" and origin.exact else NOTHING


def hooked_classes(version: str) -> frozenset[str]:
    """The classes of torch.nn that have a hook."""
    return frozenset(
        name
        for op in Rules(_TERMS[version]).terms
        for name in MODULES_OF_OP.get(op, ())
        if name not in _NOT_HOOKED
    )


def _modules(version: str) -> Rules:
    terms = _TERMS[version]
    area = Rules(terms).terms["interpolate"]

    def adapted(layer: LayerView, term: Term) -> Term:
        # Upsampling of mode "area" is an adaptive pooling.
        if layer.op != "interpolate" and layer.origin.function == "F.interpolate":
            is_upsample = layer.origin.class_name == "Upsample"
            return area if is_upsample and layer.origin.exact else NOTHING
        return _hooked(layer, term)

    return Rules(terms, adapted=adapted, composites=True)


#: By version, what the hooks on modules count, before it is divided by the batch.
MODULES: dict[str, Rules] = {version: _modules(version) for version in _TERMS}


# -- what the patched functions count --------------------------------------------------------------


def _interpolated(layer: LayerView) -> Any:
    """Outputs as the arguments give them: fractional where a factor is."""
    size, factor = interpolation(layer)
    shape = layer.inputs[0]
    spatial = len(shape) - 2
    if size is not None:
        sizes = prod(size) if isinstance(size, tuple | list) else size**spatial
        return prod(shape[:2]) * sizes
    if isinstance(factor, tuple) and len(factor) == spatial:
        # The factors are cut off before they are multiplied.
        return inputs(layer) * prod(map(int, factor))
    if isinstance(factor, tuple | list):
        fails("ptflops", f"it raises the factor {factor} of F.interpolate to a power")
    return inputs(layer) * factor**spatial


def _upsampled(layer: LayerView) -> Any:
    """``F.upsample`` calls ``F.interpolate``, and both are counted."""
    return 2 * _interpolated(layer)


def _weights_returned(layer: LayerView) -> Any:
    """The two products and the softmax that are function calls where weights are returned."""
    if not layer.attributes["need_weights"]:
        return 0
    return score_products(layer) + scores(layer)


def _added_matrix(layer: LayerView) -> Any:
    return prod(layer.inputs[1])


_EACH_INPUT = per_input(1)
_PRODUCT = Term("multiply-accumulates", matrix_product)
_ELEMENTWISE = Term("1 per element of the result, its sizes aligned from the left", left_aligned)
_INTERPOLATED = Term("1 per output element, by size or factor", _interpolated)
_MATRIX = Term("1 per element of the matrix that is added", _added_matrix)
_AREA = {
    f"adaptive_avg_pool{spatial}d": Term(
        "1 per output element, by size or factor, and 1 per input element",
        lambda layer: _interpolated(layer) + inputs(layer),
    )
    for spatial in (1, 2, 3)
}
_PATCHED: dict[str, Term | Mapping[str, Term]] = {
    **{
        f"F.{name}": _EACH_INPUT
        for name in ("relu", "prelu", "elu", "relu6", "gelu", "silu", "softmax")
    },
    **pooling_terms(_EACH_INPUT),
    "F.interpolate": {"interpolate": _INTERPOLATED, **_AREA},
    "F.upsample": {
        "interpolate": Term("2 per output element, by size or factor", _upsampled),
        **{
            op: Term(
                "2 per output element, by size or factor, and 1 per input element",
                lambda layer: _upsampled(layer) + inputs(layer),
            )
            for op in _AREA
        },
    },
    **{
        f"{home}.{name}": {"matmul": _PRODUCT}
        for home in ("torch", "Tensor")
        for name in ("matmul", "mm", "bmm")
    },
    **{
        name: {"matmul": _PRODUCT, "add": _MATRIX, "add_scaled": _MATRIX}
        for name in ("torch.addmm", "torch.baddbmm", "Tensor.addmm")
    },
    **{f"{home}.mul": {"mul": _ELEMENTWISE} for home in ("torch", "Tensor")},
    **{
        f"{home}.add": {"add": _ELEMENTWISE, "add_scaled": _ELEMENTWISE}
        for home in ("torch", "Tensor")
    },
    "F.multi_head_attention_forward": {
        "multi_head_attention": Term(
            "multiply-accumulates of the attention and one per score, if weights are returned",
            _weights_returned,
        )
    },
}
_PATCHED_BY_VERSION: dict[str, Functions] = {"0.7.5": _PATCHED, "0.6.9": {}}


def _functions(version: str) -> Rules:
    functions = _PATCHED_BY_VERSION[version]
    return Rules({}, adapted=lambda layer, _: term_of_function(functions, layer))


#: By version, what the patched functions count, which is not divided by the batch.
FUNCTIONS: dict[str, Rules] = {version: _functions(version) for version in _TERMS}


# -- together --------------------------------------------------------------------------------------


def _shared_out(term: Term, batch: Any) -> Term:
    """A part of a term: what is left of it for one image of the batch."""
    if term is NOTHING or batch is None or (isinstance(batch, int) and batch == 1):
        return term

    def cost(layer: LayerView) -> Any:
        whole = term.cost(layer)
        if not isinstance(batch, int) or not isinstance(whole, int | Fraction):
            raise SpaceError(
                "convention 'ptflops' divides by the batch, which has no integer for a total: "
                "count one image, an input whose first size is 1"
            )
        part = Fraction(whole, batch)
        return part.numerator if part.denominator == 1 else part

    return Term(f"{term.text}, divided by the batch of {batch}", cost)


def _together(version: str) -> Rules:
    modules, functions = MODULES[version], FUNCTIONS[version]
    has_timm = "timm_attention" in _TERMS[version]

    def adapted(layer: LayerView, _: Term) -> Term:
        hooked = NOTHING
        # Of timm's attention its own figure counts; those of the layers within are dropped.
        if not (has_timm and "timm_attention" in layer.origin.inside):
            hooked = repeated(_shared_out(modules.term(layer), layer.origin.batch), layer)
        called = functions.term(layer)
        if called is NOTHING or hooked is NOTHING:
            return called if hooked is NOTHING else hooked
        return Term(
            f"{hooked.text}, and in the function that it calls {called.text}",
            lambda view: hooked.cost(view) + called.cost(view),
        )

    return Rules({}, adapted=adapted, composites=True)


def _convention(version: str) -> Convention:
    rule = _together(version)
    name = f"ptflops@{version}"
    return Convention(
        name, {"flops": rule, "macs": rule, "params": "trainable_params"}, figure="MACs"
    )


CONVENTIONS: dict[str, Convention] = {version: _convention(version) for version in _TERMS}
