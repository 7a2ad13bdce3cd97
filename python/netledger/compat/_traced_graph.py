"""What is left of a model in a graph that ``torch.jit`` traces: operations by torch's names."""

from __future__ import annotations

from typing import Any, NamedTuple

from netledger._views import Place
from netledger.compat._fused import fused_calls
from netledger.conventions.fvcore import MATRIX_PRODUCTS, is_padded_by_name, is_vector_product
from netledger.conventions.torchprofile import products_of_sizes
from netledger.metrics import LayerView
from netledger.torch.recording import Recording

__all__ = ["TracedOperation", "traced_operations"]

#: Operations that have another name than the layer.
_NAMES = {
    **{f"conv{spatial}d": "_convolution" for spatial in (1, 2, 3)},
    **{f"conv_transpose{spatial}d": "_convolution" for spatial in (1, 2, 3)},
    "relu6": "hardtanh",
    "gelu_tanh": "gelu",
    "concat": "cat",
    "copy": "clone",
    "cast": "to",
    "rnn": "rnn_tanh",
    "grid_sample": "grid_sampler",
    "logsigmoid": "log_sigmoid",
    "max_with_indices": "max",
    "min_with_indices": "min",
    "add_scaled": "add",
    "dropout1d": "feature_dropout",
    "dropout2d": "feature_dropout",
    "dropout3d": "feature_dropout",
}

#: Layers that are several operations: the first stands for the layer, the others are beside it.
_SEVERAL: dict[str, dict[str, int]] = {
    "lstm_cell": {"add_": 2, "mul": 3, "sigmoid_": 3, "tanh": 1, "tanh_": 1, "unsafe_chunk": 1},
    "gru_cell": {
        "add": 1,
        "add_": 3,
        "mul_": 2,
        "sigmoid_": 2,
        "sub": 1,
        "tanh_": 1,
        "unsafe_chunk": 2,
    },
    "rnn_cell": {"add_": 1, "tanh": 1},
    "local_response_norm": {"add": 1, "avg_pool3d": 1, "div": 1, "mul": 2, "pad": 1, "pow": 1},
    "softmin": {"neg": 1, "softmax": 1},
    "tanhshrink": {"sub": 1, "tanh": 1},
    **{
        f"lp_pool{spatial}d": {
            f"avg_pool{spatial}d": 1,
            "pow": 2,
            "sign": 1,
            "abs": 1,
            "relu": 1,
            "mul": 2,
        }
        for spatial in (1, 2, 3)
    },
}

#: Functions that are one operation in a trace, and the layers that they are here beside a product.
_FUSED_SUMS = ("addmm", "baddbmm", "addbmm", "addmv")
_PARTS = ("add", "add_scaled", "mul", "sum")

_CELLS = ("rnn_cell", "lstm_cell", "gru_cell")


class TracedOperation(NamedTuple):
    """A layer as an operation of a traced graph.

    Attributes:
        place: the layer.
        kind: the operation that does its arithmetic, as ``"aten::linear"``; "" if there is none.
        beside: the other operations that belong to it, and how often they are there.
        counted: whether it is an operation of its own, not a part of a fused one.
    """

    place: Place
    kind: str
    beside: dict[str, int]
    counted: bool = True


def traced_operations(recording: Recording, *, hooked: bool) -> list[TracedOperation]:
    """The operations of a model, without those whose outcome nobody reads.

    Args:
        recording: the model.
        hooked: whether the tool that is imitated hooks every module.
    """
    alive = _alive(recording)
    fused = {row: call for call in fused_calls(recording, hooked=hooked) for row in call.rows}
    first_rows = {call.rows.start for call in fused.values()}
    rows = recording.ledger.rows
    operations = []
    for place in recording.ledger._places:
        call = fused.get(place.row)
        view = place.view
        if call is not None:
            if place.row in first_rows and view.origin.kind != "composite":
                name = (
                    "_native_multi_head_attention"
                    if hasattr(call.module, "in_proj_weight")
                    else "_transformer_encoder_layer_fwd"
                )
                at = Place(place.row, call.path, view)
                operations.append(TracedOperation(at, "", {f"aten::{name}": 1}, False))
            continue
        if view.origin.kind == "composite":
            if view.op == "multi_head_attention":
                beside = {"aten::mul": products_of_sizes(view), "aten::div": 1}
                operations.append(TracedOperation(place, "", beside))
        elif alive[place.row]:
            operations.append(_operation(place, rows[place.row].inplace))
    return operations


def _operation(place: Place, inplace: bool) -> TracedOperation:
    view = place.view
    if view.op in _CELLS:
        beside = dict(_SEVERAL[view.op])
        if view.attributes.get("nonlinearity") == "relu":
            beside["relu"] = beside.pop("tanh")
        return TracedOperation(place, "aten::linear", _aten(beside))
    if view.op in _SEVERAL:
        return TracedOperation(place, "", _aten(_SEVERAL[view.op]))
    if view.op == "uncalled":
        return TracedOperation(place, "", {})
    sizes = products_of_sizes(view)
    beside = {"aten::mul": sizes} if sizes else {}
    return TracedOperation(place, f"aten::{_name(view)}{'_' if inplace else ''}", beside)


def _aten(times: dict[str, int]) -> dict[str, int]:
    return {f"aten::{name}": number for name, number in times.items()}


def _name(view: LayerView) -> str:
    op, function = view.op, view.origin.function
    if op == "matmul":
        return _name_of_product(view)
    if op == "interpolate":
        return _name_of_interpolation(view)
    if op == "rnn" and view.attributes["nonlinearity"] == "relu":
        return "rnn_relu"
    if op == "opaque":
        return str(view.attributes["label"]).removeprefix("aten::").partition(".")[0]
    if op.startswith("conv") and op != "concat" and is_padded_by_name(view):
        return "_convolution_mode"
    if op in _PARTS and function.endswith(_FUSED_SUMS):
        return "contiguous"  # part of that operation: nothing of its own
    return _NAMES.get(op, op)


def _name_of_product(view: LayerView) -> str:
    function = view.origin.function
    if function in MATRIX_PRODUCTS:
        return "mm" if function.endswith(".mm") else "matmul"
    for name in ("baddbmm", "addbmm", "addmm", "addmv", "bmm", "tensordot", "inner"):
        if function.endswith(f".{name}"):
            return name
    if is_vector_product(view):
        return "mv" if len(view.inputs[0]) == 2 else "dot"
    return "matmul"


def _name_of_interpolation(view: LayerView) -> str:
    mode = view.attributes["mode"]
    spatial = len(view.inputs[0]) - 2
    if mode == "nearest-exact":
        return f"_upsample_nearest_exact{spatial}d"
    if view.origin.arguments.get("antialias"):
        return f"_upsample_{mode}2d_aa"
    return f"upsample_{mode}{spatial if mode != 'trilinear' else 3}d"


def _alive(recording: Recording) -> list[bool]:
    """Of every row, whether its outcome is read on the way to an output of the model.

    What writes to a tensor in place is, as other names of that tensor may be read.
    """
    engine: Any = recording.ledger._engine
    needed = set(engine.outputs)
    alive = [False] * len(engine)
    for index in reversed(range(len(engine))):
        node = engine.node(index)
        if node.inplace or not needed.isdisjoint(node.outputs):
            alive[index] = True
            needed.update(node.inputs)
            needed.update(weight for weight in node.weights if weight is not None)
    return alive
