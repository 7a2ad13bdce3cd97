"""Which tensors of a traced model are not contiguous in memory."""

from __future__ import annotations

from typing import Any

import torch

from netledger.torch.recording import Recording

__all__ = ["folds", "strided_inputs"]

#: Operations of one element each: their outputs lie in memory as their inputs do.
_ELEMENTWISE = frozenset(
    {"add", "add_scaled", "sub", "mul", "div", "neg", "relu", "relu6", "leaky_relu", "elu", "selu"}
    | {"celu", "gelu", "gelu_tanh", "silu", "mish", "sigmoid", "tanh", "hardsigmoid", "hardswish"}
    | {"hardtanh", "softplus", "dropout", "cast", "exp", "log", "sqrt", "rsqrt", "pow", "abs"}
    | {"square", "clamp", "masked_fill", "where"}
)


def strided_inputs(recording: Recording) -> dict[int, torch.Tensor]:
    """Rows whose first input is not contiguous, with a meta tensor of its strides.

    Views, and what is computed of them element by element, are followed; everything else is taken
    to make tensors that are contiguous.
    """
    engine: Any = recording.ledger._engine
    known: dict[int, torch.Tensor] = {}
    found: dict[int, torch.Tensor] = {}

    def meta(tensor: int) -> torch.Tensor:
        if tensor in known:
            return known[tensor]
        return torch.empty(engine.shape(tensor), device="meta")

    for row in recording.ledger.rows:
        node = engine.node(row.index)
        if node.inputs and node.inputs[0] in known:
            found[row.index] = known[node.inputs[0]]
        made: tuple[torch.Tensor, ...] = ()
        if row.op in _VIEWS and (row.op not in _KEEPS_ORDER or node.inputs[0] in known):
            made = _VIEWS[row.op](meta(node.inputs[0]), row.attributes, row.output_shapes)
        elif row.op in _ELEMENTWISE and any(tensor in known for tensor in node.inputs):
            made = (sum(map(meta, node.inputs), torch.empty((), device="meta")),)
        known.update(
            (tensor, like)
            for tensor, like in zip(node.outputs, made, strict=False)
            if not like.is_contiguous()
        )
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
}
#: Views that leave a contiguous tensor contiguous.
_KEEPS_ORDER = ("reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
