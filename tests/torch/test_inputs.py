"""The ways of giving inputs, and of giving back outputs."""

from __future__ import annotations

import warnings
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.linear = nn.Linear(4, 5)

    def forward(self, tokens: Any, scale: Any = None, *, times: int = 1) -> Any:
        x = self.embedding(tokens)
        for _ in range(times):
            x = x if scale is None else x * scale
        return self.linear(x)


TOKENS = torch.zeros(2, 3, dtype=torch.int64)
SHAPE = nl.Input((2, 3), "int64")


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ((SHAPE, (2, 3, 4)), {}),
        ((nl.Input([2, 3], torch.int64), [2, 3, 4]), {}),
        ((SHAPE, torch.Size((2, 3, 4))), {}),
        ((TOKENS, torch.zeros(2, 3, 4)), {}),
        ((TOKENS.to("meta"), torch.zeros(2, 3, 4, device="meta")), {}),
        (([SHAPE, (2, 3, 4)],), {}),
        (((SHAPE, (2, 3, 4)),), {}),
        ((((SHAPE,), {"scale": (2, 3, 4)}),), {}),
        ((([SHAPE, (2, 3, 4)], {"times": 1}),), {}),
        ((SHAPE, (2, 3, 4)), {"times": 1}),
        ((SHAPE,), {"scale": (2, 3, 4)}),
        ((), {"tokens": SHAPE, "scale": (2, 3, 4)}),
        (({"tokens": TOKENS, "scale": (2, 3, 4)},), {}),
        (((TOKENS, torch.zeros(2, 3, 4)),), {}),
    ],
)
def test_ways_of_giving_inputs(inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
    ledger = nl.count(Two(), *inputs, **named)
    assert [row.op for row in ledger] == ["embedding", "mul", "linear"]
    assert ledger.macs == 2 * 3 * 4 * 5


def test_other_values_are_passed_through() -> None:
    assert [row.op for row in nl.count(Two(), SHAPE, 2.0, times=3)].count("mul") == 3


def test_values_of_integer_tensors_steer_the_model() -> None:
    class Loop(nn.Module):
        def forward(self, x: Any, times: Any) -> Any:
            for _ in range(int(times)):
                x = x * 2
            return x

    assert len(nl.count(Loop(), (2, 3), torch.tensor(4))) == 4


@dataclass
class Answer:
    first: Any
    rest: Any = None


class Plain:
    def __init__(self, value: Any) -> None:
        self.value = value


Pair = namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda a, b: (a, b),
        lambda a, b: [a, [b]],
        lambda a, b: {"a": a, "b": {"c": (b,)}},
        Pair,
        lambda a, b: Answer(a, [b]),
        lambda a, b: Plain({"x": Answer(a, Plain(b))}),
        lambda a, b: (a, None, 3, "text", b, a),
    ],
)
def test_outputs(wrap: Any) -> None:
    class Wrapping(nn.Module):
        def forward(self, x: Any) -> Any:
            return wrap(x * 2, x.sum(-1))

    engine = nl.from_torch(Wrapping(), (2, 3)).engine
    assert [engine.shape(index) for index in engine.outputs] == [(2, 3), (2,)]


def test_model_outputs_of_transformers() -> None:
    pytest.importorskip("torchvision_shim")  # transformers imports torchvision
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=128,
    )  # fmt: skip
    engine = nl.from_torch(transformers.BertModel(config), nl.Input((2, 16), "int64")).engine
    assert [engine.shape(index) for index in engine.outputs] == [(2, 16, 64), (2, 64)]


def test_shared_modules_and_tied_weights_are_counted_once() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.inner = nn.Linear(4, 4)
            self.again = self.inner
            self.head = nn.Linear(4, 10, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, tokens: Any) -> Any:
            return self.head(self.again(self.inner(self.embedding(tokens))))

    ledger = nl.count(Shared(), SHAPE)
    assert ledger.params == 40 + 20
    assert [(row.path, row.call, row.params) for row in ledger] == [
        ("embedding", 0, 40), ("inner", 0, 20), ("inner", 1, 0), ("head", 0, 0),
    ]  # fmt: skip


def test_modules_in_lists_and_modules_never_called() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])
            self.table = nn.ModuleDict({"a": nn.Linear(4, 2)})
            self.unused = nn.BatchNorm1d(4)

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return self.table["a"](x)

    ledger = nl.count(Listed(), (2, 4))
    assert [(row.path, row.op) for row in ledger] == [
        ("layers.0", "linear"), ("layers.1", "linear"), ("table.a", "linear"),
        ("unused", "uncalled"),
    ]  # fmt: skip
    assert (ledger.rows[-1].params, ledger.rows[-1].buffers) == (8, 9)


def test_a_compiled_model_is_the_model() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch imports what it deprecates
        compiled = torch.compile(model)
    assert nl.count(compiled, (2, 4)).rows == nl.count(model, (2, 4)).rows


def test_a_scripted_model() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated
        scripted = torch.jit.script(nn.Sequential(nn.Linear(4, 5), nn.ReLU()))
    ledger = nl.count(scripted, (2, 4))
    assert (ledger.macs, ledger.params) == (2 * 4 * 5, 25)


def test_autocast_casts() -> None:
    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 5)

        def forward(self, x: Any) -> Any:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.linear(x)

    engine = nl.from_torch(Cast(), (2, 4)).engine
    assert engine.dtype(engine.outputs[0]) == "bfloat16"


def test_constants_and_known_masks() -> None:
    class Constants(nn.Module):
        def forward(self, x: Any) -> Any:
            keep = torch.arange(10) % 3 == 0
            assert keep.nonzero().flatten().tolist() == [0, 3, 6, 9]
            table = torch.zeros(4, 4)
            table[1:3][:, 2] = 5
            table[0].copy_(torch.arange(4))
            assert table.sum().item() == 16
            assert torch.div(torch.tensor(7), 2, rounding_mode="trunc").item() == 3
            return x[:, keep], x[:, :, table.long()]

    engine = nl.from_torch(Constants(), (2, 10, 16)).engine
    assert [engine.shape(index) for index in engine.outputs] == [(2, 4, 16), (2, 10, 4, 4)]


def test_views_of_parameters() -> None:
    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 16)

        def forward(self, x: Any) -> Any:
            weight, bias = self.linear.weight, self.linear.bias
            y = x @ weight[:4].T + bias[:4].view(1, -1).expand(10, -1)
            y = (
                y
                + weight.detach().contiguous().reshape(-1)[0]
                + weight.data.t().contiguous().mean()
            )
            return y + weight.view_as(weight).flatten()[0]

    engine = nl.from_torch(Views(), (2, 10, 16)).engine
    assert [engine.shape(index) for index in engine.outputs] == [(2, 10, 4)]
