"""Where layers came from: what tools that hook modules or patch functions look at."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F
from torch import nn

import netledger as nl
from netledger.torch.recording import TensorShape, record


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.derived = type("Derived", (nn.Conv2d,), {})(4, 4, 1)
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(self.act(self.derived(self.act(self.conv(x)))))
        x = F.relu(x) + torch.relu(x)
        x = torch.add(x, x).mul(2)
        x = F.interpolate(x, scale_factor=2)
        return torch.matmul(x, x.transpose(-1, -2)) @ x


def views(module: nn.Module, *shape: int) -> list:
    return [place.view for place in nl.count(module, shape)._places]


def test_modules_functions_and_operators() -> None:
    found = [
        (view.op, view.origin.kind, view.origin.function, view.origin.exact)
        for view in views(Functional(), 2, 3, 10, 10)
        if view.op not in ("transpose", "reshape")
    ]
    assert found == [
        ("conv2d", "module", "F.conv2d", True),
        ("relu", "module", "F.relu", True),
        ("conv2d", "module", "F.conv2d", False),
        ("relu", "module", "F.relu", True),
        ("max_pool2d", "module", "F.max_pool2d", True),
        ("relu", "function", "F.relu", False),
        ("relu", "operator", "", False),
        ("add", "operator", "", False),
        ("add", "function", "torch.add", False),
        ("mul", "function", "Tensor.mul", False),
        ("interpolate", "function", "F.interpolate", False),
        ("matmul", "function", "torch.matmul", False),
        ("matmul", "function", "Tensor.__matmul__", False),
    ]


def test_calls_and_arguments() -> None:
    by_op: dict[str, list] = {}
    for view in views(Functional(), 2, 3, 10, 10):
        by_op.setdefault(view.op, []).append(view.origin)
    first, second, *_ = by_op["relu"]
    assert (first.call, first.calls, second.call, second.calls) == (0, 2, 1, 2)
    assert by_op["interpolate"][0].arguments == {"scale_factor": 2}
    assert by_op["mul"][0].arguments == {1: 2}
    assert {origin.batch for origins in by_op.values() for origin in origins} == {2}
    assert not first.training
    recorded = record(Functional(), ((2, 3, 10, 10),)).ledger
    assert recorded._places[0].view.origin.training
    assert not record(Functional().eval(), ((2, 3, 10, 10),)).ledger._places[0].view.origin.training


def test_a_module_in_several_places() -> None:
    shared = nn.Conv2d(4, 4, 1)
    model = nn.Sequential(nn.Sequential(shared), nn.Sequential(shared), nn.ReLU())
    origins = [view.origin for view in views(model, 1, 4, 5, 5)]
    assert [origin.occurrences for origin in origins] == [2, 2, 1]
    # Two names in one module are one child of it.
    nested = nn.Sequential(nn.Sequential(shared, shared), nn.Sequential(shared), shared)
    assert views(nested, 1, 4, 5, 5)[0].origin.occurrences == 3


def test_a_module_outside_of_the_tree() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = [nn.ReLU()]
            self.shown = nn.ReLU()

        def forward(self, x):
            return self.shown(self.hidden[0](x))

    origins = [view.origin for view in views(Hidden(), 1, 4)]
    assert [origin.occurrences for origin in origins] == [0, 1]


def test_inputs_of_composites_are_in_the_order_of_forward() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, kdim=4, vdim=6, batch_first=True)

        def forward(self, x):
            return self.attention(value=x[..., :6], key=x[..., :4], query=x)[0]

    (attention,) = [view for view in views(Named(), 1, 5, 8) if view.op == "multi_head_attention"]
    assert attention.inputs == ((1, 5, 8), (1, 5, 4), (1, 5, 6))


def test_composites_come_before_their_parts() -> None:
    found = views(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3, 5, 8)
    assert [view.op for view in found[:2]] == ["transformer_encoder_layer", "multi_head_attention"]
    layer, attention = found[:2]
    assert layer.origin.inside == ()
    assert attention.origin.kind == "composite"
    assert attention.origin.inside == ("transformer_encoder_layer",)
    assert attention.inputs == ((3, 5, 8),) * 3
    assert attention.attributes["need_weights"] is False
    assert attention.macs == attention.flops == 0
    parts = [view for view in found if "multi_head_attention" in view.origin.inside]
    assert {"linear", "scaled_dot_product_attention"} <= {view.op for view in parts}
    assert found[-1].origin.inside == ("transformer_encoder_layer",)
    assert [view.origin.kind for view in found if view.op == "layer_norm"] == ["module"] * 2


def test_totals_do_not_see_composites() -> None:
    ledger = nl.count(nn.MultiheadAttention(8, 2, batch_first=True), *[(1, 5, 8)] * 3)
    one_each = nl.conventions.Convention("one each", {"flops": lambda layer: 1})
    assert ledger.total("flops", one_each) == len(ledger)


def test_a_trace_leaves_torch_as_it_was() -> None:
    before = (F.relu, torch.matmul, torch.Tensor.add, "add" in vars(torch.Tensor))
    nl.count(Functional(), (1, 3, 10, 10))
    with pytest.raises(nl.LayerError):
        nl.count(Functional(), (1, 5, 10, 10))
    assert before == (F.relu, torch.matmul, torch.Tensor.add, "add" in vars(torch.Tensor))


def test_built_networks() -> None:
    graph = nl.Graph()
    x = nl.add(nl.relu(graph.input(7, 4)), graph.input(7, 4))
    graph.output(nl.linear(x, out_features=2))
    origins = [place.view.origin for place in graph.count()._places]
    assert [origin.kind for origin in origins] == ["module", "operator", "module"]
    assert [origin.function for origin in origins] == ["F.relu", "", "F.linear"]
    assert {origin.batch for origin in origins} == {7}


def test_layers_added_to_a_traced_graph() -> None:
    graph = nl.from_torch(nn.Conv2d(3, 4, 3), (1, 3, 8, 8))
    with graph.module("after", "Head"):
        nl.relu(nl.Tensor(graph, graph.engine.outputs[0]))
    assert [place.view.origin.kind for place in graph.count()._places] == ["module", "module"]


def test_parameters_that_a_layer_holds() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    first, second = views(model, 1, 4)
    assert (first.params, second.params) == (20, 4)
    assert (first.held_params, second.held_params) == (20, 20)


def test_a_recording_has_every_module_call() -> None:
    model = Functional()
    recording = record(model, ((2, 3, 10, 10),))
    assert [call.path for call in recording.calls] == [
        "",
        "conv",
        "act",
        "derived",
        "act",
        "pool",
    ]
    assert recording.finished[-1] is recording.calls[0]
    assert recording.calls[0].children == recording.calls[1:]
    pool = recording.calls[-1]
    assert pool.module is model.pool
    assert pool.args == (TensorShape((2, 4, 8, 8), torch.float32),)
    assert pool.output == TensorShape((2, 4, 4, 4), torch.float32)
    assert [recording.ledger.rows[row].op for row in pool.rows] == ["max_pool2d"]
    assert recording.calls[0].rows == range(len(recording.ledger))
    assert recording.ledger.macs == nl.count(model, (2, 3, 10, 10)).macs


def test_outputs_that_are_not_tensors() -> None:
    recording = record(nn.LSTM(4, 3, batch_first=True), (torch.empty(2, 5, 4, device="meta"),))
    output, (hidden, cell) = recording.calls[0].output
    assert (output.shape, hidden.shape, cell.elements) == ((2, 5, 3), (1, 2, 3), 6)


def test_a_layer_that_holds_modules_is_no_leaf() -> None:
    class NormAct(nn.BatchNorm2d):
        def __init__(self, channels: int) -> None:
            super().__init__(channels)
            self.act = nn.ReLU()

        def forward(self, x):
            return self.act(super().forward(x))

    norm, act = views(NormAct(4), 1, 4, 5, 5)
    assert (norm.op, norm.origin.kind, norm.origin.exact, norm.origin.leaf) == (
        "batch_norm",
        "module",
        False,
        False,
    )
    assert act.origin.leaf
    ledger = nl.count(NormAct(4), (1, 4, 5, 5))
    assert ledger.total("flops", "torchinfo") == 0
    # The activation alone.
    assert ledger.total("flops", "torchstat") == 100


def test_the_batch_is_that_of_the_first_input_by_position() -> None:
    model = nn.Linear(4, 3)
    assert nl.count(model, (2, 4))._places[0].view.origin.batch == 2
    assert nl.count(model, input=(2, 4))._places[0].view.origin.batch is None
    # ptflops takes what it is given by name for one image.
    assert nl.count(model, (2, 4)).total("flops", "ptflops") == 15
    assert nl.count(model, input=(2, 4)).total("flops", "ptflops") == 30
