"""Recurrent layers and cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.errors import TraceError
from netledger.torch.aten.registry import maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


def _recurrent(op: str, gates: int, name: str) -> None:
    def handler(
        trace: Tracer,
        input: Tensor,
        state: Any,
        params: list[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        states = [state] if isinstance(state, Tensor) else list(state)
        hidden_size = params[1].shape[0] // gates
        attributes: dict[str, Any] = {
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "bias": has_biases,
            "batch_first": batch_first,
            "bidirectional": bidirectional,
        }
        if op == "lstm" and params[1].shape[1] != hidden_size:
            attributes["proj_size"] = params[1].shape[1]
        if name == "rnn_relu":
            attributes["nonlinearity"] = "relu"
        return trace.add(op, [input, *states], attributes, weights=list(params))

    maps(f"{name}.input")(handler)


_recurrent("rnn", 1, "rnn_tanh")
_recurrent("rnn", 1, "rnn_relu")
_recurrent("lstm", 4, "lstm")
_recurrent("gru", 3, "gru")


@maps("lstm.data", "gru.data", "rnn_tanh.data", "rnn_relu.data", "_pack_padded_sequence")
def _packed(trace: Tracer, *args: Any, **kwargs: Any) -> Any:
    raise TraceError(
        f"{trace.where()}: the cost of a packed sequence depends on the lengths in it. Give the "
        "recurrent layer a padded tensor, or count it on its own with the sizes that matter."
    )


def _cell(op: str, gates: int, name: str) -> None:
    def handler(
        trace: Tracer,
        input: Tensor,
        state: Any,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor | None = None,
        bias_hh: Tensor | None = None,
    ) -> Any:
        states = [state] if isinstance(state, Tensor) else list(state)
        weights: list[Tensor | None] = [weight_ih, weight_hh]
        if bias_ih is not None:
            weights += [bias_ih, bias_hh]
        attributes: dict[str, Any] = {
            "hidden_size": weight_hh.shape[0] // gates,
            "bias": bias_ih is not None,
        }
        if name == "rnn_relu_cell":
            attributes["nonlinearity"] = "relu"
        return trace.add(op, [input, *states], attributes, weights=weights)

    maps(name)(handler)


_cell("rnn_cell", 1, "rnn_tanh_cell")
_cell("rnn_cell", 1, "rnn_relu_cell")
_cell("lstm_cell", 4, "lstm_cell")
_cell("gru_cell", 3, "gru_cell")
