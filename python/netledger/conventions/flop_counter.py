"""``flop_counter``: as ``torch.utils.flop_counter.FlopCounterMode`` of torch 2.13 counts.

Two per multiply-accumulate of convolutions, matrix products and attention, without bias; everything
else counts nothing. Which operations there are depends on the device, so there are versions:

* ``meta``: as on the meta device or an accelerator. Attention counts, a recurrent layer is taken
  apart into matrix products.
* ``cpu``: as on the CPU without gradients. There are no formulas for the fused kernels: attention
  (`F.scaled_dot_product_attention` of 4 dimensions), an LSTM in 32 bits, and the fast path of
  ``nn.MultiheadAttention`` and ``nn.TransformerEncoderLayer`` count nothing. Those modules are
  taken to be on it, as they are with ``batch_first`` where a tensor attends to itself; a layer by
  itself does not tell, but `netledger.compat.flop_counter` does.
* ``cpu_grad``: the same with gradients, where torch does not take the fast path.

Source: pytorch/pytorch, torch/utils/flop_counter.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from netledger.conventions.base import NOTHING, Convention, Rules, Term
from netledger.conventions.fvcore import attention_scores, is_vector_product
from netledger.conventions.sizes import CONVOLUTIONS, TRANSPOSED, products

if TYPE_CHECKING:
    from netledger.metrics import LayerView

__all__ = ["CONVENTIONS", "is_fused_on_cpu"]


def _twice(layer: LayerView) -> Any:
    return 2 * products(layer)


def _matrix_product(layer: LayerView) -> Any:
    """There is a formula for products of matrices only: a vector on the right is ``mv``.

    There is none for ``addbmm`` either.
    """
    if is_vector_product(layer) or layer.origin.function.endswith(".addbmm"):
        return 0
    return _twice(layer)


def is_fused_on_cpu(layer: LayerView) -> bool:
    """Whether an attention is one kernel on the CPU, of those that have no formula.

    Anything else is taken apart into two matrix products: other than 4 dimensions, batches or heads
    that broadcast, values of another size than keys, a mask of 3 dimensions, and dropout.
    """
    query, key, value = layer.inputs[:3]
    if len(query) != 4 or query[-1] != value[-1]:
        return False
    if query[0] != key[0] or key[0] != value[0] or key[1] != value[1]:
        return False
    if query[1] != key[1] and not layer.attributes["enable_gqa"]:
        return False
    return len(layer.inputs) < 4 or len(layer.inputs[3]) in (2, 4)


def _attention_on_cpu(layer: LayerView) -> Any:
    return 0 if is_fused_on_cpu(layer) else _twice(layer)


def _lstm_on_cpu(layer: LayerView) -> Any:
    return _twice(layer) if layer.attributes["proj_size"] else 0


def _attention_slow(layer: LayerView) -> Any:
    """The projections, and both products only where the weights are wanted."""
    fused = 0 if layer.attributes["need_weights"] else 2
    return _twice(layer) - fused * 2 * attention_scores(layer)


def _attention_module_on_cpu(layer: LayerView) -> Any:
    """A built attention: the fast path is open to one of a tensor with itself."""
    return 0 if _may_be_fast(layer) else _attention_slow(layer)


def _may_be_fast(layer: LayerView) -> bool:
    attributes = layer.attributes
    query, key, value = layer.inputs[:3]
    plain = not (attributes["add_bias_kv"] or attributes["add_zero_attn"])
    return (
        len(query) == 3
        and plain
        and attributes["batch_first"]
        and attributes["bias"]
        and attributes["num_heads"] % 2 == 0
        and query == key == value
    )


def _fast_path(layer: LayerView, term: Term) -> Term:
    """Layers within a module that torch runs as one operation count nothing."""
    return NOTHING if layer.origin.fusible else term


_TWICE = Term("2 per multiply-accumulate", _twice)
_Terms: TypeAlias = dict[str | tuple[str, ...], Term]
_EVERYWHERE: _Terms = {
    (*CONVOLUTIONS, *TRANSPOSED, "linear", "einsum"): _TWICE,
    ("rnn", "gru", "rnn_cell", "lstm_cell", "gru_cell"): _TWICE,
    "matmul": Term("2 per multiply-accumulate; nothing if the right is a vector", _matrix_product),
}
_ON_META: _Terms = {("lstm", "scaled_dot_product_attention", "multi_head_attention"): _TWICE}
_ON_CPU: _Terms = {
    "lstm": Term("nothing, as one kernel; 2 per multiply-accumulate if it projects", _lstm_on_cpu),
    "scaled_dot_product_attention": Term(
        "nothing where it is one kernel, else 2 per multiply-accumulate", _attention_on_cpu
    ),
}
_SLOW: _Terms = {
    "multi_head_attention": Term(
        "2 per multiply-accumulate of the projections, and of attention if its weights are wanted",
        _attention_slow,
    )
}
_FAST: _Terms = {
    "multi_head_attention": Term(
        "nothing on the fast path, else 2 per multiply-accumulate of the projections, and of "
        "attention if its weights are wanted",
        _attention_module_on_cpu,
    )
}


def _convention(version: str, flops: Rules) -> Convention:
    return Convention(f"flop_counter@{version}", {"flops": flops}, figure="FLOPs")


CONVENTIONS = {
    "meta": _convention("meta", Rules({**_EVERYWHERE, **_ON_META})),
    "cpu": _convention("cpu", Rules({**_EVERYWHERE, **_ON_CPU, **_FAST}, adapted=_fast_path)),
    "cpu_grad": _convention("cpu_grad", Rules({**_EVERYWHERE, **_ON_CPU, **_SLOW})),
}
