"""How the tensors of a traced model lie in memory, and which of them need gradients."""

from __future__ import annotations

from typing import Any

import torch

from netledger.torch.recording import Recording

__all__ = ["folds", "needing_gradients", "strides"]

#: Operations of one element each: their outputs lie in memory as their inputs do.
_ELEMENTWISE = frozenset(
    {"add", "add_scaled", "sub", "rsub", "mul", "div", "neg", "relu", "relu6", "leaky_relu"}
    | {"elu", "selu", "celu", "gelu", "gelu_tanh", "silu", "mish", "sigmoid", "tanh"}
    | {"hardsigmoid", "hardswish", "hardtanh", "softplus", "softsign", "tanhshrink", "hardshrink"}
    | {"softshrink", "threshold", "prelu", "dropout", "cast", "copy", "abs", "sign", "ceil"}
    | {"floor", "round", "trunc", "frac", "square", "sqrt", "rsqrt", "reciprocal", "exp", "exp2"}
    | {"expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "erf"}
    | {"erfc", "pow", "maximum", "minimum", "clamp", "clamp_min", "clamp_max", "masked_fill"}
    | {"where", "addcmul", "addcdiv", "flip", "sort", "eq", "ne", "lt", "le", "gt", "ge"}
)
#: Operations on images that keep the channels last where they are.
_KEEPS_CHANNELS_LAST = frozenset(
    {"conv2d", "conv3d", "batch_norm", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"}
    | {"interpolate", "group_norm"}
)


def strides(recording: Recording) -> dict[int, torch.Tensor]:
    """Of the tensors that do not lie in memory in their order, meta tensors that do as they do.

    Views, what is computed element by element, and images are followed; everything else is taken to
    make tensors in order. The copy that
    ``contiguous()`` makes is not seen, as it leaves no row.
    """
    engine: Any = recording.ledger._engine
    known: dict[int, torch.Tensor] = {}

    def meta(tensor: int) -> torch.Tensor:
        if tensor in known:
            return known[tensor]
        return torch.empty(engine.shape(tensor), device="meta")

    for row in recording.ledger.rows:
        inputs, op = engine.node(row.index).inputs, row.op
        made: tuple[torch.Tensor, ...] = ()
        if op in _VIEWS and (op not in _KEEPS_ORDER or inputs[0] in known):
            made = _VIEWS[op](meta(inputs[0]), row.attributes, row.output_shapes)
        elif op in _ELEMENTWISE and any(tensor in known for tensor in inputs):
            made = (sum(map(meta, inputs), torch.empty((), device="meta")),)
        elif op in _KEEPS_CHANNELS_LAST and inputs[0] in known:
            layout = torch._prims_common.suggest_memory_format(known[inputs[0]])
            shape = row.output_shapes[0]
            made = (torch.empty(shape, device="meta", memory_format=layout),)
        known.update(
            (tensor, like)
            for tensor, like in zip(engine.node(row.index).outputs, made, strict=False)
            if like.stride() != torch.empty(like.shape, device="meta").stride()
        )
    return known


def needing_gradients(recording: Recording) -> set[int]:
    """The tensors that need gradients, parameters among them; inputs of the model do not."""
    engine: Any = recording.ledger._engine
    trained = {
        name
        for name, parameter in recording.module.named_parameters(remove_duplicate=False)
        if parameter.requires_grad
    }
    found: set[int] = set()
    for index in range(len(engine)):
        node = engine.node(index)
        read = (*node.inputs, *(weight for weight in node.weights if weight is not None))
        found.update(
            tensor
            for tensor in read
            if engine.kind(tensor) == "parameter" and engine.tensor_name(tensor) in trained
        )
        if not found.isdisjoint(read):
            found.update(node.outputs)
    return found


def folds(tensor: torch.Tensor) -> bool:
    """Whether all sizes but the last can be seen as one without a copy."""
    shape, strides = tensor.shape, tensor.stride()
    return all(
        strides[place] == strides[place + 1] * shape[place + 1] for place in range(len(shape) - 2)
    )


def _sliced(tensor: torch.Tensor, given: Any, _: Any) -> tuple[torch.Tensor, ...]:
    places = [slice(None)] * tensor.dim()
    places[given["dim"]] = slice(given["start"], given["end"], given["step"])
    return (tensor[tuple(places)],)


def _reshaped(tensor: torch.Tensor, _: Any, shapes: Any) -> tuple[torch.Tensor, ...]:
    return (tensor.reshape(shapes[0]),)


def _pieces(tensor: torch.Tensor, given: Any, shapes: Any) -> tuple[torch.Tensor, ...]:
    return torch.split(tensor, [shape[given["dim"]] for shape in shapes], given["dim"])


def _recurrent(_: torch.Tensor, given: Any, shapes: Any) -> tuple[torch.Tensor, ...]:
    """The steps come first in what torch computes, whatever is asked for."""
    shape = shapes[0]
    if not given["batch_first"] or len(shape) != 3:
        return (torch.empty(shape, device="meta"),)
    return (torch.empty(shape[1], shape[0], shape[2], device="meta").transpose(0, 1),)


#: Views, and what makes tensors with an order of its own.
_VIEWS: dict[str, Any] = {
    "transpose": lambda x, given, _: (x.transpose(given["dim0"], given["dim1"]),),
    "permute": lambda x, given, _: (x.permute(given["dims"]),),
    "movedim": lambda x, given, _: (x.movedim(given["source"], given["destination"]),),
    "expand": lambda x, _, shapes: (x.expand(shapes[0]),),
    "select": lambda x, given, _: (x.select(given["dim"], given["index"]),),
    "slice": _sliced,
    "split": _pieces,
    "chunk": _pieces,
    "unbind": lambda x, given, _: x.unbind(given["dim"]),
    "reshape": _reshaped,
    "flatten": _reshaped,
    "unflatten": _reshaped,
    "squeeze": _reshaped,
    "unsqueeze": _reshaped,
    **dict.fromkeys(("rnn", "gru", "lstm"), _recurrent),
}
#: Views that leave a contiguous tensor contiguous.
_KEEPS_ORDER = ("reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
