"""torchsummary: its golden figures and its printed text."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

from netledger.compat import torchsummary as compat
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.operation_models import OPERATIONS
from peers.summarized_models import SUMMARIZED_MODELS
from peers.whole_models import MODELS


def _golden(model: str) -> tuple[nn.Module, tuple[int, ...]]:
    if model in OPERATIONS:
        make, make_input = OPERATIONS[model]
        return make(), tuple(make_input().shape)
    make_whole, shape = MODELS[model]
    with torch.device("meta"):
        return make_whole(), shape


@pytest.mark.parametrize(
    ("model", "peer", "figures"), golden_operations("torchsummary") + golden_models("torchsummary")
)
def test_golden(
    model: str, peer: str, figures: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    module, shape = _golden(model)
    assert compat.summary(module, shape[1:], batch_size=shape[0], device="cpu") is None
    lines = capsys.readouterr().out.splitlines()
    printed = dict(line.split(": ") for line in lines if ": " in line)
    assert printed == figures["printed"]
    assert compat.figures(module, shape[1:]).total_params == figures["params"]


# -- the shim by itself ----------------------------------------------------------------------------


def test_the_model_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    compat.summary(module, (3, 8, 8))
    assert module.training
    assert not any(below._forward_hooks for below in module.modules())
    assert module.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("model", "shape", "reason"),
    [
        (OPERATIONS["lstm_bias1"][0], (7, 16), r"'layer' \(LSTM\), which returns something"),
        (OPERATIONS["act_ReLU"][0], (4, 10, 12), "no module has a weight or a bias"),
        (SUMMARIZED_MODELS["normed"][0], (3, 8, 8), "the parametrizations of '0'"),
    ],
)
def test_what_is_refused(model: Any, shape: tuple[int, ...], reason: str) -> None:
    with pytest.raises(NetledgerError, match=reason):
        compat.summary(model(), shape)


def test_wrong_arguments_are_refused() -> None:
    module = nn.Sequential(nn.Linear(3, 4))
    with pytest.raises(NetledgerError, match="not 'tpu'"):
        compat.summary(module, (3,), device="tpu")
    with pytest.raises(NetledgerError, match="a list of tuples"):
        compat.summary(module, [3])


class Sum(nn.Module):
    """Two inputs, of the same rank or not."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 2)
        self.right = nn.Linear(3, 2)

    def forward(self, left: Any, right: Any) -> Any:
        return self.left(left) + self.right(right)


def test_inputs_of_different_rank_are_refused() -> None:
    with pytest.raises(NetledgerError, match="several tensors of different rank"):
        compat.summary(Sum(), [(4,), (2, 3)])


# -- torchsummary itself ---------------------------------------------------------------------------


def _printed(summary: Any, capsys: pytest.CaptureFixture[str], *args: Any, **options: Any) -> str:
    capsys.readouterr()
    summary(*args, **options)
    return str(capsys.readouterr().out)


#: Whole networks, which take their time.
LARGE = ("densenet121", "efficientnet_b0", "googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5")
CASES = [
    (name, batch_size)
    for name in SUMMARIZED_MODELS
    for batch_size in ((-1,) if name in LARGE else (-1, 4))
    if name not in ("recurrent", "normed")
]


@pytest.mark.peers
@pytest.mark.parametrize(("name", "batch_size"), CASES)
def test_text(name: str, batch_size: int, capsys: pytest.CaptureFixture[str]) -> None:
    peer = pytest.importorskip("torchsummary")
    make, make_input = SUMMARIZED_MODELS[name]
    shape = tuple(make_input().shape[1:])
    try:
        theirs = _printed(peer.summary, capsys, make(), shape, batch_size, device="cpu")
    except (AttributeError, TypeError, ValueError):
        # Tuples and dictionaries, for the most part.
        with pytest.raises(NetledgerError, match="torchsummary fails on"):
            compat.summary(make(), shape, batch_size)
        assert name in ("densenet121", "encoder", "vision transformer", "dictionary")
    else:
        assert _printed(compat.summary, capsys, make(), shape, batch_size) == theirs


class Several(nn.Module):
    """Returns several tensors."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Any) -> Any:
        return (x * self.weight,) * self.number


class FirstOf(nn.Module):
    """The first of what a module returns."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Any) -> Any:
        return self.module(x)[0]


@pytest.mark.peers
@pytest.mark.parametrize("number", [4, 8, 9, 10, 17])
def test_sizes_of_several_outputs_wrap_around(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = pytest.importorskip("torchsummary")
    model = nn.Sequential(FirstOf(Several(number)), FirstOf(Several(number)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = _printed(peer.summary, capsys, model, (13, 11), device="cpu")
    assert _printed(compat.summary, capsys, model, (13, 11)) == theirs


@pytest.mark.peers
@pytest.mark.parametrize("is_trained", [False, True])
def test_a_weight_that_is_made_before_every_run(
    is_trained: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    peer = pytest.importorskip("torchsummary")

    def make() -> nn.Module:
        layer = nn.utils.spectral_norm(nn.Linear(4, 3))
        return nn.Sequential(layer, nn.Linear(3, 2)).requires_grad_(is_trained)

    theirs = _printed(peer.summary, capsys, make(), (4,), device="cpu")
    assert _printed(compat.summary, capsys, make(), (4,)) == theirs


@pytest.mark.peers
@pytest.mark.parametrize("size", [[(4,), (3,)], [[2, 4], [2, 3]]])
def test_several_inputs(size: Any, capsys: pytest.CaptureFixture[str]) -> None:
    peer = pytest.importorskip("torchsummary")
    theirs = _printed(peer.summary, capsys, Sum(), size, 8, device="cpu")
    assert _printed(compat.summary, capsys, Sum(), size, 8) == theirs
