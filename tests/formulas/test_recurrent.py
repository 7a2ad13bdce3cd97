"""The recurrent family: against torch, and counts by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings

from executed_operations import executed_operations
from netledger.errors import LayerError
from netledger.formulas._layer import OPERATIONS, cost_of
from netledger.formulas.recurrent import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
from strategies.recurrent import layers
from torch_agreement import TorchLayer, assert_agreement

torch = pytest.importorskip("torch")

MODULES = {
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn_cell": "RNNCell",
    "lstm_cell": "LSTMCell",
    "gru_cell": "GRUCell",
}


def torch_module(op: str, input_size: int, attributes: dict):
    return getattr(torch.nn, MODULES[op])(input_size, **attributes)


def run(module, tensors):
    """The module's outputs, laid out flat; an LSTM takes and gives its states as a pair."""
    if isinstance(module, torch.nn.LSTM | torch.nn.LSTMCell) and len(tensors) > 1:
        x, h0, c0 = tensors
        tensors = [x, (h0, c0)]
    outputs = module(*tensors)
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    return [part for output in outputs for part in (output if type(output) is tuple else [output])]


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    module = torch_module(op, shapes[0][-1], attributes)
    outputs = run(module, [torch.zeros(shape) for shape in shapes])
    return TorchLayer(
        tuple(tuple(output.shape) for output in outputs),
        tuple(tuple(weight.shape) for weight in module.parameters()),
    )


#: Cells without features or without a state.
STRICTER = (r"(input|hidden)_size must be positive, got 0",)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer, STRICTER)


@pytest.mark.parametrize(
    ("op", "bias", "bidirectional", "num_layers", "proj_size", "batch"),
    [
        configuration
        for configuration in product(
            ("rnn", "lstm", "gru"), (False, True), (False, True), (1, 3), (0, 2), (None, 5)
        )
        if configuration[0] == "lstm" or configuration[4] == 0
    ],
)
def test_sequences_count_what_torch_executes(
    monkeypatch, op, bias, bidirectional, num_layers, proj_size, batch
):
    attributes = {
        "hidden_size": 4,
        "num_layers": num_layers,
        "bias": bias,
        "bidirectional": bidirectional,
    }
    if proj_size:
        attributes["proj_size"] = proj_size
    shape = (6, 3) if batch is None else (6, batch, 3)
    cost = cost_of(OPERATIONS[op], [shape], attributes)
    module = torch_module(op, 3, attributes)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)  # fuses all steps into one kernel
    macs, flops = executed_operations(lambda: run(module, [torch.zeros(shape)]))
    if op == "gru":
        # torch computes (1 - z) * n + z * h as (h - n) * z + n, an operation less.
        flops += 6 * (batch or 1) * (1 + bidirectional) * num_layers * 4
    assert (cost.macs, cost.flops) == (macs, flops)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("op", ["rnn_cell", "lstm_cell", "gru_cell"])
def test_cells_count_what_torch_executes(op, bias, nonlinearity):
    attributes = {"hidden_size": 4, "bias": bias}
    if op == "rnn_cell":
        attributes["nonlinearity"] = nonlinearity
    cost = cost_of(OPERATIONS[op], [(5, 3)], attributes)
    module = torch_module(op, 3, attributes)
    macs, flops = executed_operations(lambda: run(module, [torch.zeros(5, 3)]))
    assert (cost.macs, cost.flops) == (macs, flops + (5 * 4 if op == "gru_cell" else 0))


def test_lstm_step_by_hand():
    cost = lstm((1, 1, 10), hidden_size=20)
    assert cost.shapes == ((1, 1, 20), (1, 1, 20), (1, 1, 20))
    assert cost.params == 4 * 20 * (10 + 20) + 2 * 4 * 20
    assert cost.macs == 4 * 20 * (10 + 20)
    assert cost.flops == (
        4 * 20 * (10 + 9)  # of the input
        + 4 * 20 * (20 + 19)  # of the state
        + 4 * 20 * (1 + 2)  # the two and both biases, added up
        + 4 * 20  # three sigmoids and a tanh
        + 20 * 3  # c = f * c + i * g
        + 20 * 2  # h = o * tanh(c)
    )
    assert cost.memory_access == 10 + cost.params + 3 * 20


def test_gru_step_by_hand():
    cost = gru((1, 1, 10), hidden_size=20)
    assert cost.params == 3 * 20 * (10 + 20) + 2 * 3 * 20
    assert cost.macs == 3 * 20 * (10 + 20)
    assert cost.flops == (
        3 * 20 * (10 + 9)  # of the input
        + 3 * 20 * (20 + 19)  # of the state
        + 3 * 20 * 2  # both biases
        + 2 * 20  # r and z: the two added
        + 20 * 2  # n: a + r * b
        + 3 * 20  # two sigmoids and a tanh
        + 20 * 4  # h = (1 - z) * n + z * h
    )


def test_rnn_step_by_hand():
    cost = rnn((1, 1, 10), hidden_size=20)
    assert cost.params == 20 * (10 + 20) + 2 * 20
    assert cost.macs == 20 * (10 + 20)
    # Of the input, of the state, both biases, the two added, tanh.
    assert cost.flops == 20 * (10 + 9) + 20 * (20 + 19) + 20 * 2 + 20 + 20
    assert rnn((1, 1, 10), hidden_size=20, nonlinearity="relu") == cost


def test_projection():
    cost = lstm((1, 1, 10), hidden_size=20, proj_size=5, bias=False)
    plain = lstm((1, 1, 10), hidden_size=20, bias=False)
    assert cost.shapes == ((1, 1, 5), (1, 1, 5), (1, 1, 20))
    assert cost.macs == 4 * 20 * (10 + 5) + 5 * 20
    # The state has 15 elements less; 5 outputs of 20 elements are projected.
    assert cost.flops == plain.flops - 4 * 20 * 2 * 15 + 5 * (20 + 19)


@pytest.mark.parametrize("layer", [rnn, lstm, gru])
def test_steps_and_samples_count_alike(layer):
    once = layer((1, 1, 3), hidden_size=4)
    assert layer((6, 5, 3), hidden_size=4).flops == 6 * 5 * once.flops
    assert layer((6, 5, 3), hidden_size=4).params == once.params
    assert layer((5, 6, 3), hidden_size=4, batch_first=True).macs == 6 * 5 * once.macs
    assert layer((6, 3), hidden_size=4).flops == 6 * once.flops


@pytest.mark.parametrize("layer", [rnn, lstm, gru])
def test_layers_and_directions(layer):
    # The first layer reads 3 features, the second the 4 of both directions.
    first, second = layer((6, 5, 3), hidden_size=4), layer((6, 5, 8), hidden_size=4)
    cost = layer((6, 5, 3), hidden_size=4, num_layers=2, bidirectional=True)
    assert cost.shapes[:2] == ((6, 5, 8), (4, 5, 4))
    assert cost.params == 2 * first.params + 2 * second.params
    assert cost.macs == 2 * first.macs + 2 * second.macs
    assert cost.flops == 2 * first.flops + 2 * second.flops


@pytest.mark.parametrize(("cell", "layer"), [(rnn_cell, rnn), (lstm_cell, lstm), (gru_cell, gru)])
def test_a_cell_is_a_step(cell, layer):
    for bias in (False, True):
        one, step = (
            cell((5, 3), hidden_size=4, bias=bias),
            layer((1, 5, 3), hidden_size=4, bias=bias),
        )
        assert (one.params, one.macs, one.flops) == (step.params, step.macs, step.flops)


def test_states_are_read():
    plain = lstm((6, 5, 3), hidden_size=4)
    stateful = lstm((6, 5, 3), (1, 5, 4), (1, 5, 4), hidden_size=4)
    assert stateful.flops == plain.flops
    assert stateful.memory_access == plain.memory_access + 2 * 5 * 4


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "rule"),
    [
        (
            "lstm",
            [(3,)],
            {},
            "the input must have 3 or 2 dimensions, (L, N, I), (N, L, I) or (L, I), got 1",
        ),
        ("gru", [(6, 5, 3)], {"hidden_size": 0}, "hidden_size must be positive, got 0"),
        ("rnn", [(6, 5, 3)], {"num_layers": 0}, "num_layers must be positive, got 0"),
        ("rnn", [(6, 5, 0)], {}, "input_size must be positive, got 0"),
        ("rnn", [(0, 5, 3)], {}, "the sequence must have a positive length, got 0"),
        (
            "rnn",
            [(5, 0, 3)],
            {"batch_first": True},
            "the sequence must have a positive length, got 0",
        ),
        *(
            (
                "lstm",
                [(6, 5, 3)],
                {"proj_size": proj_size},
                f"proj_size must be 0 or positive and smaller than hidden_size 4, got {proj_size}",
            )
            for proj_size in (-1, 4)
        ),
        ("rnn", [(6, 5, 3), (5, 4)], {}, "h0 must have shape (1, 5, 4), got (5, 4)"),
        ("gru", [(6, 3), (1, 5, 4)], {}, "h0 must have shape (1, 4), got (1, 5, 4)"),
        (
            "lstm",
            [(6, 5, 3), (1, 5, 2), (1, 5, 2)],
            {"proj_size": 2},
            "c0 must have shape (1, 5, 4), got (1, 5, 2)",
        ),
        (
            "lstm",
            [(6, 5, 3), (1, 5, 4)],
            {},
            "h0 and c0 are given together or not at all",
        ),
        (
            "gru_cell",
            [(1, 5, 3)],
            {},
            "the input must have 2 or 1 dimensions, (N, I) or (I,), got 3",
        ),
        ("lstm_cell", [(5, 3)], {"hidden_size": -1}, "hidden_size must be positive, got -1"),
        ("rnn_cell", [(5, 0)], {}, "input_size must be positive, got 0"),
        ("rnn_cell", [(5, 3), (1, 4)], {}, "h0 must have shape (5, 4), got (1, 4)"),
        (
            "rnn_cell",
            [(5, 3)],
            {"nonlinearity": "sigmoid"},
            "attribute 'nonlinearity' must be one of 'tanh', 'relu', got 'sigmoid'",
        ),
    ],
)
def test_refusals(op, shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], shapes, {"hidden_size": 4, **attributes})
    assert caught.value.rule == rule
