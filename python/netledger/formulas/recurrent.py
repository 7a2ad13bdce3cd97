"""Recurrent networks over sequences, and their cells, which take one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netledger.formulas._contraction import Arithmetic, affine_map
from netledger.formulas._layer import Layer, Shape, Weight, elements, operation, refuse, require

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn", "rnn_cell"]

Nonlinearity = Literal["tanh", "relu"]


@dataclass(frozen=True)
class _Recurrence:
    """What a kind of cell computes, `pointwise` per unit besides dot products and their biases."""

    gates: int
    pointwise: int
    memory: bool = False  # has a second state, c


# a is what the input gives, b what the state gives:
# h = tanh(a + b): an addition and a nonlinearity.
_RNN = _Recurrence(gates=1, pointwise=2)
# 4 gates of a sum and a nonlinearity, c = f c + i g (3), h = o tanh(c) (2).
_LSTM = _Recurrence(gates=4, pointwise=13, memory=True)
# r and z, a sum and a nonlinearity each (4), n = tanh(a + r b) (3), h = (1 - z) n + z h (4).
_GRU = _Recurrence(gates=3, pointwise=11)


@dataclass(frozen=True)
class _Cell:
    """A cell; `proj_size` 0 where the hidden state is not projected."""

    recurrence: _Recurrence
    hidden_size: int
    bias: bool
    proj_size: int = 0

    def check(self) -> None:
        require(self.hidden_size > 0, f"hidden_size must be positive, got {self.hidden_size}")
        require(
            0 <= self.proj_size < self.hidden_size,
            "proj_size must be 0 or positive and smaller than hidden_size "
            f"{self.hidden_size}, got {self.proj_size}",
        )

    @property
    def state_size(self) -> int:
        """The size of the state that recurs."""
        return self.proj_size or self.hidden_size

    def weights(self, input_size: int) -> list[Weight]:
        gates = self.recurrence.gates * self.hidden_size
        weights = [Weight((gates, input_size)), Weight((gates, self.state_size))]
        if self.bias:
            weights += [Weight((gates,)), Weight((gates,))]
        if self.proj_size:
            weights.append(Weight((self.proj_size, self.hidden_size)))
        return weights

    def steps(self, steps: int, input_size: int) -> Arithmetic:
        """Steps of this cell, over all samples and positions."""
        gates = self.recurrence.gates * self.hidden_size
        arithmetic = (
            affine_map(steps, input_size, gates, self.bias)
            + affine_map(steps, self.state_size, gates, self.bias)
            + Arithmetic(flops=steps * self.hidden_size * self.recurrence.pointwise)
        )
        if self.proj_size:
            arithmetic += affine_map(steps, self.hidden_size, self.proj_size, False)
        return arithmetic


def _require_input_size(input_size: int) -> None:
    require(input_size > 0, f"input_size must be positive, got {input_size}")


def _require_states(
    cell: _Cell, h0: Shape | None, c0: Shape | None, hidden: Shape, memory: Shape
) -> None:
    """The states that are given have the shapes of the states that the layer returns."""
    if h0 is None:
        return
    if cell.recurrence.memory and c0 is None:
        refuse("h0 and c0 are given together or not at all")
    require(h0 == hidden, f"h0 must have shape {hidden}, got {h0}")
    if c0 is not None:
        require(c0 == memory, f"c0 must have shape {memory}, got {c0}")


def _run_sequence(
    input: Shape,
    h0: Shape | None,
    c0: Shape | None,
    cell: _Cell,
    num_layers: int,
    batch_first: bool,
    bidirectional: bool,
) -> Layer:
    cell.check()
    rank = len(input)
    require(
        rank in (2, 3),
        f"the input must have 3 or 2 dimensions, (L, N, I), (N, L, I) or (L, I), got {rank}",
    )
    require(num_layers > 0, f"num_layers must be positive, got {num_layers}")
    input_size = input[-1]
    _require_input_size(input_size)
    length = input[1 if rank == 3 and batch_first else 0]
    require(length > 0, f"the sequence must have a positive length, got {length}")

    directions = 2 if bidirectional else 1
    output_size = directions * cell.state_size
    batch = (input[0 if batch_first else 1],) if rank == 3 else ()
    states = (num_layers * directions, *batch)
    hidden, memory = (*states, cell.state_size), (*states, cell.hidden_size)
    _require_states(cell, h0, c0, hidden, memory)

    weights = directions * cell.weights(input_size)
    weights += (num_layers - 1) * directions * cell.weights(output_size)
    steps = elements(input[:-1]) * directions
    arithmetic = cell.steps(steps, input_size)
    arithmetic += cell.steps(steps * (num_layers - 1), output_size)
    output = (*input[:-1], output_size)
    return Layer(
        shapes=(output, hidden, memory) if cell.recurrence.memory else (output, hidden),
        weights=tuple(weights),
        macs=arithmetic.macs,
        flops=arithmetic.flops,
    )


def _run_cell(input: Shape, h0: Shape | None, c0: Shape | None, cell: _Cell) -> Layer:
    rank = len(input)
    require(
        rank in (1, 2),
        f"the input must have 2 or 1 dimensions, (N, I) or (I,), got {rank}",
    )
    cell.check()
    _require_input_size(input[-1])
    hidden = (*input[:-1], cell.hidden_size)
    _require_states(cell, h0, c0, hidden, hidden)
    arithmetic = cell.steps(elements(input[:-1]), input[-1])
    return Layer(
        shapes=(hidden, hidden) if cell.recurrence.memory else (hidden,),
        weights=tuple(cell.weights(input[-1])),
        macs=arithmetic.macs,
        flops=arithmetic.flops,
    )


@operation(contraction=True)
def rnn(
    input: Shape,
    h0: Shape | None = None,
    /,
    *,
    hidden_size: int,
    num_layers: int = 1,
    nonlinearity: Nonlinearity = "tanh",
    bias: bool = True,
    batch_first: bool = False,
    bidirectional: bool = False,
) -> Layer:
    """Elman network: (L, N, I) -> (L, N, D * H), h_n, with H = hidden_size.

    Also (N, L, I) with `batch_first`, and unbatched (L, I). D is 2 if bidirectional, else 1; h0 and
    h_n are (D * num_layers, N, H). The first layer reads I features, the others D * H. Per layer
    and direction, with I the features that the layer reads:

    * params = H * I + H * H, and 2 * H more with bias: torch has two, one beside each weight
    * macs per sample and step = H * (I + H)
    * flops per sample and step = H * (2 * I - 1) + H * (2 * H - 1) for the two products, H to add
      them, H for the nonlinearity, and 2 * H more with bias

    Source: torch.nn.RNN (equation, shapes, params).
    """
    cell = _Cell(_RNN, hidden_size, bias)
    return _run_sequence(input, h0, None, cell, num_layers, batch_first, bidirectional)


@operation(contraction=True)
def lstm(
    input: Shape,
    h0: Shape | None = None,
    c0: Shape | None = None,
    /,
    *,
    hidden_size: int,
    num_layers: int = 1,
    bias: bool = True,
    batch_first: bool = False,
    bidirectional: bool = False,
    proj_size: int = 0,
) -> Layer:
    """Long short-term memory: (L, N, I) -> (L, N, D * R), h_n, c_n, with H = hidden_size.

    R, the size of the state that recurs, is P = proj_size if that is not 0, else H. Shapes as in
    `rnn`: h0 and h_n are (D * num_layers, N, R), c0 and c_n (D * num_layers, N, H). The first layer
    reads I features, the others D * R. Per layer and direction, with I the features that the layer
    reads:

    * params = 4 * H * (I + R) + P * H, and 8 * H more with bias
    * macs per sample and step = 4 * H * (I + R) + P * H
    * flops per sample and step = 4 * H * (2 * I - 1) + 4 * H * (2 * R - 1) for the products, 4 * H
      to add them, 4 * H for three sigmoids and a tanh, 3 * H for c = f * c + i * g, 2 * H for
      h = o * tanh(c), P * (2 * H - 1) for the projection, and 8 * H more with bias

    Source: torch.nn.LSTM (equations, shapes, params).
    """
    cell = _Cell(_LSTM, hidden_size, bias, proj_size)
    return _run_sequence(input, h0, c0, cell, num_layers, batch_first, bidirectional)


@operation(contraction=True)
def gru(
    input: Shape,
    h0: Shape | None = None,
    /,
    *,
    hidden_size: int,
    num_layers: int = 1,
    bias: bool = True,
    batch_first: bool = False,
    bidirectional: bool = False,
) -> Layer:
    """Gated recurrent unit: (L, N, I) -> (L, N, D * H), h_n, with H = hidden_size.

    Shapes as in `rnn`. The first layer reads I features, the others D * H. Per layer and
    direction, with I the features that the layer reads:

    * params = 3 * H * (I + H), and 6 * H more with bias
    * macs per sample and step = 3 * H * (I + H)
    * flops per sample and step = 3 * H * (2 * I - 1) + 3 * H * (2 * H - 1) for the products, 2 * H
      to add those of r and z, 2 * H for a + r * b within n, 3 * H for two sigmoids and a tanh,
      4 * H for h = (1 - z) * n + z * h, and 6 * H more with bias

    Source: torch.nn.GRU (equations, shapes, params).
    """
    cell = _Cell(_GRU, hidden_size, bias)
    return _run_sequence(input, h0, None, cell, num_layers, batch_first, bidirectional)


@operation(contraction=True)
def rnn_cell(
    input: Shape,
    h0: Shape | None = None,
    /,
    *,
    hidden_size: int,
    bias: bool = True,
    nonlinearity: Nonlinearity = "tanh",
) -> Layer:
    """A step of an Elman network: (N, I) or (I,) -> (N, hidden_size). Counts as a step of `rnn`.

    Source: torch.nn.RNNCell.
    """
    return _run_cell(input, h0, None, _Cell(_RNN, hidden_size, bias))


@operation(contraction=True)
def lstm_cell(
    input: Shape,
    h0: Shape | None = None,
    c0: Shape | None = None,
    /,
    *,
    hidden_size: int,
    bias: bool = True,
) -> Layer:
    """A step of an LSTM: (N, I) or (I,) -> h and c, (N, hidden_size). Counts as a step of `lstm`.

    Source: torch.nn.LSTMCell.
    """
    return _run_cell(input, h0, c0, _Cell(_LSTM, hidden_size, bias))


@operation(contraction=True)
def gru_cell(
    input: Shape, h0: Shape | None = None, /, *, hidden_size: int, bias: bool = True
) -> Layer:
    """A step of a GRU: (N, I) or (I,) -> (N, hidden_size). Counts as a step of `gru`.

    Source: torch.nn.GRUCell.
    """
    return _run_cell(input, h0, None, _Cell(_GRU, hidden_size, bias))
