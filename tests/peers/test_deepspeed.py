"""DeepSpeed's flops profiler 0.16.9: golden figures, and the release that is installed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat.deepspeed import get_model_profile
from netledger.errors import NetledgerError, SpaceError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.operation_models import OPERATIONS
from peers.patched_models import PATCHED_MODELS
from peers.peer_runs import capture, run_peer
from peers.whole_models import MODELS

PEER = "deepspeed_0.16.9"
GOLDEN = golden_operations(PEER) + golden_models(PEER)


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
    found = get_model_profile(module, args=[given], print_profile=False, as_string=False)
    assert found == (expected["flops"], expected["macs"], expected["params"])
    assert type(found[0]) is type(expected["flops"])


@pytest.mark.parametrize(("model", "peer", "expected"), GOLDEN)
def test_convention(model: str, peer: str, expected: Figures) -> None:
    ledger = nl.count(*golden(model))
    for metric in ("flops", "macs", "params"):
        assert ledger.total(metric, "deepspeed") == expected[metric]


# -- the release that is installed -----------------------------------------------------------------


@pytest.fixture(scope="module")
def peer() -> Callable[..., Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("deepspeed.profiling.flops_profiler", exc_type=ImportError)
    found: Callable[..., Any] = module.get_model_profile
    return found


def without_times(text: str) -> str:
    """A printed profile without what only a run tells."""
    text = re.sub(r"(fwd latency: ) .*", r"\1", text)
    text = re.sub(r"    fwd latency - .*", "    fwd latency -", text)
    latency = r"(latency not run|[-.\de]+ \w?s = [-.\de]+% latency)"
    return re.sub(rf"{latency}, (FLOPS not run|[-+.\de]+ \w?FLOPS)", "times", text)


def compare(peer: Callable[..., Any], model: nn.Module, **options: Any) -> Any:
    """The same is returned, in the same types, and printed but for times."""
    expected, expected_text = run_peer(lambda copy: peer(copy, **options), model)
    found, text = capture(lambda: get_model_profile(model, **options))
    assert found == expected
    assert list(map(type, found)) == list(map(type, expected))
    assert without_times(text) == without_times(expected_text)
    return found


@pytest.mark.peers
@pytest.mark.parametrize("name", PATCHED_MODELS)
def test_as_installed(peer: Callable[..., Any], name: str) -> None:
    make, shape = PATCHED_MODELS[name]
    model = make()
    state = [(key, id(value)) for module in model.modules() for key, value in vars(module).items()]
    compare(peer, model, input_shape=(1, *shape))
    after = [(key, id(value)) for module in model.modules() for key, value in vars(module).items()]
    assert after == state
    figures = compare(peer, model, input_shape=(2, *shape), as_string=False, detailed=False)
    if not name.startswith("frozen"):
        ledger = nl.count(model, (2, *shape))
        totals = tuple(ledger.total(metric, "deepspeed") for metric in ("flops", "macs", "params"))
        assert totals == figures


@pytest.mark.peers
@pytest.mark.parametrize(
    "options",
    [
        {"ignore_modules": [nn.Sequential, nn.Conv2d], "warm_up": 0},
        {"module_depth": 1, "top_modules": 3, "detailed": False},
        {"module_depth": 3, "top_modules": 2},
        {"module_depth": 0},
        {"print_profile": False, "as_string": False},
    ],
    ids=lambda options: next(iter(options)) + str(len(options)),
)
def test_options_as_installed(peer: Callable[..., Any], options: dict[str, Any]) -> None:
    make, shape = PATCHED_MODELS["shared"]
    compare(peer, make(), input_shape=(1, *shape), **options)


@pytest.mark.peers
def test_einops_as_installed(peer: Callable[..., Any]) -> None:
    einops = pytest.importorskip("einops")

    class Products(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(6, 6)

        def forward(self, x: Any) -> Any:
            x = self.linear(x)
            return einops.einsum(x, x, "a b, c b -> a c")

    model = Products()
    figures = compare(peer, model, input_shape=(5, 6), as_string=False)
    assert nl.count(model, (5, 6)).total("flops", "deepspeed") == figures[0]


# -- text ------------------------------------------------------------------------------------------


def test_prints_what_a_run_would_tell_as_not_run(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 2), nn.ReLU())
    path = tmp_path / "deeper" / "profile.txt"
    found, printed = capture(
        lambda: get_model_profile(model, (3, 4), output_file=str(path), detailed=True)
    )
    assert found == ("54 ", "24 MACs", "10")
    assert printed == ""
    text = path.read_text()
    assert "fwd latency:                                                            not run" in text
    assert "(0): Linear(10 = 100% Params, 24 MACs = 100% MACs, latency not run" in text


# -- refusals --------------------------------------------------------------------------------------


def test_refuses_what_cannot_be_known() -> None:
    model = nn.Sequential(nn.Linear(4, 2))
    with pytest.raises(NetledgerError, match="needs the model to run"):
        get_model_profile(model, (1, 4), mode="generate")
    with pytest.raises(NetledgerError, match="needs an input_shape"):
        get_model_profile(model)
    with pytest.raises(NetledgerError, match="tuple of sizes"):
        get_model_profile(model, ())
    with pytest.raises(NetledgerError, match="module_depth is at most"):
        get_model_profile(model, (1, 4), module_depth=7)


def test_refuses_models_that_the_profiler_fails_on() -> None:
    upsample = nn.Sequential(nn.Upsample(scale_factor=(2, 2)))
    with pytest.raises(SpaceError, match="to a power"):
        get_model_profile(upsample, (1, 1, 4, 4))
    flops, _, _ = get_model_profile(upsample, (2, 1, 4, 4), print_profile=False, as_string=False)
    assert flops == 4 * 32
    for layer, shape in ((nn.RNNCell(4, 4), (4,)), (nn.LSTM(4, 4), (3, 4))):
        with pytest.raises(NetledgerError, match="give it a batch"):
            get_model_profile(nn.Sequential(layer), shape)
