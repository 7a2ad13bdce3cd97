"""Layers of the recurrent family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

positive = st.sampled_from([1, 2, 3, 5])
sizes = st.sampled_from([0, 1, 2, 4])


def sequence(draw: Callable) -> Drawn:
    op = draw(st.sampled_from(["rnn", "lstm", "gru"]))
    hidden_size, num_layers = draw(positive), draw(positive)
    attributes: dict[str, object] = {"hidden_size": hidden_size, "num_layers": num_layers}
    for flag in ("bias", "batch_first", "bidirectional"):
        if draw(st.booleans()):
            attributes[flag] = draw(st.booleans())
    state_size = hidden_size
    if op == "lstm" and draw(st.booleans()):
        attributes["proj_size"] = draw(st.integers(0, hidden_size - 1))
        state_size = attributes["proj_size"] or hidden_size
    if op == "rnn" and draw(st.booleans()):
        attributes["nonlinearity"] = draw(st.sampled_from(["tanh", "relu", "sigmoid"]))

    length, features = draw(positive), draw(positive)
    batch = draw(st.none() | sizes)
    if batch is None:
        x, states = (length, features), (num_layers,)
    elif attributes.get("batch_first"):
        x, states = (batch, length, features), (num_layers, batch)
    else:
        x, states = (length, batch, features), (num_layers, batch)
    if attributes.get("bidirectional"):
        states = (2 * num_layers, *states[1:])
    inputs = [x]
    if draw(st.booleans()):
        inputs.append((*states, state_size))
        if op == "lstm":
            inputs.append((*states, hidden_size))
    return op, inputs, attributes


def cell(draw: Callable) -> Drawn:
    op = draw(st.sampled_from(["rnn_cell", "lstm_cell", "gru_cell"]))
    hidden_size = draw(positive)
    attributes: dict[str, object] = {"hidden_size": hidden_size, "bias": draw(st.booleans())}
    if op == "rnn_cell" and draw(st.booleans()):
        attributes["nonlinearity"] = draw(st.sampled_from(["tanh", "relu", "sigmoid"]))
    batch = draw(st.sampled_from([(), (draw(sizes),)]))
    inputs = [(*batch, draw(positive))]
    if draw(st.booleans()):
        inputs += [(*batch, hidden_size)] * (2 if op == "lstm_cell" else 1)
    return op, inputs, attributes


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from([sequence, cell]))(draw)


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
