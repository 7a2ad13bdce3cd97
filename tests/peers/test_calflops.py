"""calflops 0.3.2: golden figures, spaces, and the release that is installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat.calflops import (
    calculate_flops,
    flops_to_string,
    macs_to_string,
    params_to_string,
)
from netledger.errors import NetledgerError, SpaceError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.operation_models import OPERATIONS
from peers.patched_models import PATCHED_MODELS
from peers.peer_runs import capture, run_peer
from peers.whole_models import MODELS

GOLDEN = golden_operations("calflops") + golden_models("calflops")


def golden(name: str) -> tuple[nn.Module, Any]:
    """A model of the golden files, and its input; whole ones hold no data."""
    if name in OPERATIONS:
        make, given = OPERATIONS[name]
        return make(), given()
    make_whole, shape = MODELS[name]
    with torch.device("meta"):
        return make_whole(), torch.empty(shape)


# -- golden figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "peer", "expected"), GOLDEN)
def test_shim(model: str, peer: str, expected: Figures) -> None:
    module, given = golden(model)
    found = calculate_flops(module, args=[given], print_results=False, output_as_string=False)
    assert found == (expected["flops"], expected["macs"], expected["params"])


@pytest.mark.parametrize(("model", "peer", "expected"), GOLDEN)
def test_convention(model: str, peer: str, expected: Figures) -> None:
    ledger = nl.count(*golden(model))
    for metric in ("flops", "macs", "params"):
        assert ledger.total(metric, "calflops") == expected[metric]


# -- the release that is installed -----------------------------------------------------------------


@pytest.fixture(scope="module")
def peer() -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("calflops", exc_type=ImportError)
    found: Callable[..., Any] = module.calculate_flops
    return found


def compare(peer: Callable[..., Any], model: nn.Module, **options: Any) -> Any:
    """The same is returned, in the same types, and printed."""
    expected = run_peer(lambda copy: peer(copy, **options), model)
    found = capture(lambda: calculate_flops(model, **options))
    assert found == expected
    assert list(map(type, found[0])) == list(map(type, expected[0]))
    return found[0]


@pytest.mark.peers
@pytest.mark.parametrize("name", PATCHED_MODELS)
def test_as_installed(peer: Callable[..., Any], name: str) -> None:
    make, shape = PATCHED_MODELS[name]
    model = make()
    state = [(key, id(value)) for module in model.modules() for key, value in vars(module).items()]
    compare(peer, model, input_shape=(1, *shape))
    after = [(key, id(value)) for module in model.modules() for key, value in vars(module).items()]
    assert after == state
    figures = compare(
        peer, model, input_shape=(2, *shape), output_as_string=False, print_detailed=False
    )
    if not name.startswith("frozen"):
        ledger = nl.count(model, (2, *shape))
        totals = tuple(ledger.total(metric, "calflops") for metric in ("flops", "macs", "params"))
        assert totals == figures


@pytest.mark.peers
@pytest.mark.parametrize(
    "options",
    [
        {"ignore_modules": [nn.Sequential, nn.Conv2d]},
        {"include_backPropagation": True, "compute_bp_factor": 1.5, "print_detailed": False},
        {"output_unit": "M", "output_precision": 4},
        {"output_unit": "G", "output_as_string": True},
        {"print_results": False, "include_backPropagation": True, "output_as_string": False},
    ],
    ids=lambda options: next(iter(options)) + str(len(options)),
)
def test_options_as_installed(peer: Callable[..., Any], options: dict[str, Any]) -> None:
    make, shape = PATCHED_MODELS["shared"]
    compare(peer, make(), input_shape=(1, *shape), **options)


class Tokenizer:
    """Makes two tokens of an empty text."""

    pad_token_id = None

    def encode_plus(self, text: str, **_: Any) -> dict[str, list[int]]:
        assert text == ""
        return {"input_ids": [1, 2], "token_type_ids": [0, 0], "attention_mask": [1, 1]}


@pytest.mark.peers
def test_transformers_as_installed(peer: Callable[..., Any]) -> None:
    transformers = pytest.importorskip("transformers")
    small = {"vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 2}
    model = transformers.BertModel(
        transformers.BertConfig(**small, num_attention_heads=4, intermediate_size=64)
    )
    compare(peer, model, transformer_tokenizer=Tokenizer())
    compare(peer, model, input_shape=(2, 9), transformer_tokenizer=Tokenizer())
    tokens = torch.ones(2, 7, dtype=torch.long)
    compare(peer, model, kwargs={"input_ids": tokens, "attention_mask": tokens})


@pytest.mark.peers
def test_texts_as_installed(peer: Callable[..., Any]) -> None:
    from calflops import utils

    for number in (0, 0.0001, 0.5, 7, 999, 1000, 12_345, 10**6, 716_441_128, 10**9, 10**13):
        for precision in (0, 2, 5):
            for units in (None, "T", "G", "B", "M", "K", "m", "u", "x"):
                given = number, units, precision
                assert flops_to_string(*given) == utils.flops_to_string(*given)
                assert macs_to_string(*given) == utils.macs_to_string(*given)
                assert params_to_string(*given) == utils.params_to_string(*given)


# -- spaces ----------------------------------------------------------------------------------------


def small_space() -> nl.Space:
    """A convolutional network with a recurrent end, some sizes of which are free."""
    space = nl.Space()
    width = space.choice("width", [6, 12])
    size = space.choice("size", [16, 19])
    pooled = space.choice("pooled", [1, 3])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, width, space.choice("kernel", [1, 3]), padding=1, groups=3)
    x = nl.leaky_relu(nl.prelu(nl.instance_norm(nl.relu(nl.batch_norm(x)), affine=True)))
    x = nl.conv_transpose2d(x, width, 2, stride=2, groups=2)
    x = nl.group_norm(nl.avg_pool2d(x, 3, 2, 1), 2)
    x = nl.interpolate(x, size=(20, 21), mode="bilinear")
    x = nl.softmax(nl.adaptive_avg_pool2d(x, pooled), dim=1)
    x = nl.transpose(nl.flatten(x, 2), 1, 2)
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True)
    x = nl.einsum(x, x, equation="bij,bkj->bik")
    x = nl.matmul(x, x)
    x = nl.linear(x, width)
    x = nl.lstm(x, hidden_size=width, num_layers=2, batch_first=True, bidirectional=True)[0]
    space.output(nl.layer_norm(nl.linear(x, 10), 10))
    return space


@pytest.mark.parametrize("convention", ["calflops", "deepspeed"])
def test_counts_in_a_space_what_it_counts_of_each_network(convention: str) -> None:
    space = small_space()
    codes = space.enumerate()
    for metric in ("flops", "macs", "params"):
        costs = space.sweep(codes, [metric], convention)[metric].tolist()
        single = [space.graph(code).count().total(metric, convention) for code in codes]
        assert costs == single
        assert len(set(single)) > 1


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("convention", ["calflops", "deepspeed"])
def test_a_built_network_counts_as_the_modules(convention: str, need_weights: bool) -> None:
    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.network = nn.GRU(8, 4, batch_first=True)

        def forward(self, x: Any) -> Any:
            x = self.norm(x)
            x = self.network(self.attention(x, x, x, need_weights=need_weights)[0])[0]
            return x @ x.transpose(1, 2)

    space = nl.Space()
    x = nl.layer_norm(space.input(2, 5, 8), 8)
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True, need_weights=need_weights)
    x = x[0] if need_weights else x
    x = nl.gru(x, hidden_size=4, batch_first=True)[0]
    space.output(nl.matmul(x, nl.transpose(x, 1, 2)))
    built, traced = space.graph([]).count(), nl.count(Same(), (2, 5, 8))
    for metric in ("flops", "macs", "params"):
        assert built.total(metric, convention) == traced.total(metric, convention) > 0


# -- refusals --------------------------------------------------------------------------------------


def test_refuses_what_cannot_be_known() -> None:
    model = nn.Sequential(nn.Linear(4, 2))
    for options, words in (
        ({"is_sparse": True}, "no sparse models"),
        ({"forward_mode": "generate"}, "needs the model to run"),
        ({}, "an input_shape, or args"),
        ({"input_shape": (1, 4), "args": [torch.zeros(1, 4)]}, "beside an input_shape"),
        ({"input_shape": [1, 4]}, "tuple of sizes"),
    ):
        given: dict[str, Any] = {**options}
        if "input_shape" not in options and "no" in words:
            given["input_shape"] = (1, 4)
        with pytest.raises(NetledgerError, match=words):
            calculate_flops(model, **(given if words != "an input_shape, or args" else {}))
    with pytest.raises(NetledgerError, match="without parameters"):
        calculate_flops(nn.ReLU(), (1, 4))


def test_refuses_models_that_calflops_fails_on() -> None:
    upsample = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Upsample(scale_factor=(2, 2)))
    with pytest.raises(SpaceError, match="to a power"):
        calculate_flops(upsample, (1, 1, 4, 4))
    flops, _, _ = calculate_flops(
        upsample, (2, 1, 4, 4), print_results=False, output_as_string=False
    )
    assert flops == 3 * 32 + 32
    with pytest.raises(SpaceError, match="second size"):
        calculate_flops(nn.Sequential(nn.Conv2d(1, 1, 1)), (1, 4, 4))
    for layer, shape in ((nn.RNNCell(4, 4), (4,)), (nn.LSTM(4, 4), (3, 4))):
        with pytest.raises(NetledgerError, match="give it a batch"):
            calculate_flops(nn.Sequential(layer), shape)
