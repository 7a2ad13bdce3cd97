"""pytorch-model-summary: its golden figures and its text."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

from netledger.compat import pytorch_model_summary as compat
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_models
from peers.operation_models import OPERATIONS
from peers.summarized_models import SUMMARIZED_MODELS
from peers.whole_models import MODELS


@pytest.mark.parametrize(("model", "peer", "figures"), golden_models("pytorch_model_summary"))
def test_golden(model: str, peer: str, figures: Figures) -> None:
    make, shape = MODELS[model]
    with torch.device("meta"):
        module, given = make(), torch.empty(shape)
    text = compat.summary(module, given)
    assert [line for line in text.splitlines() if ": " in line] == figures["printed"]


# -- the shim by itself ----------------------------------------------------------------------------


def test_the_model_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    compat.summary(module, torch.rand(1, 3, 8, 8))
    assert module.training
    assert not any(below._forward_hooks for below in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_it_prints_only_if_asked(capsys: pytest.CaptureFixture[str]) -> None:
    module = nn.Sequential(nn.Linear(3, 4))
    text = compat.summary(module, torch.rand(1, 3))
    assert capsys.readouterr().out == ""
    assert compat.summary(module, torch.rand(1, 3), print_summary=True) == text
    assert capsys.readouterr().out == text + "\n"


def test_what_is_no_tensor_is_refused() -> None:
    make, make_input = SUMMARIZED_MODELS["dictionary"]
    with pytest.raises(NetledgerError, match=r"'branches' \(Several\)"):
        compat.summary(make(), make_input())


class Scaled(nn.Module):
    """A parameter without dimensions, and an input that may be left out."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Any, offsets: Any = ()) -> Any:
        x = self.layer(x) * self.scale
        for offset in offsets:
            x = x + offset
        return x


def test_a_tree_with_a_parameter_without_dimensions_is_refused() -> None:
    with pytest.raises(NetledgerError, match="'scale' of Scaled"):
        compat.summary(Scaled(), torch.rand(1, 3), show_hierarchical=True)


# -- pytorch-model-summary itself ------------------------------------------------------------------

SETTINGS: list[dict[str, Any]] = [
    {},
    {"max_depth": None, "show_parent_layers": True, "batch_size": 8},
    {"max_depth": 2, "show_input": True, "show_hierarchical": True},
    {"max_depth": 0, "show_hierarchical": True, "batch_size": 1200},
]


#: Whole networks, which take their time.
LARGE = ("densenet121", "efficientnet_b0", "googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5")
CASES = [
    (name, settings)
    for name in (*SUMMARIZED_MODELS, *OPERATIONS)
    for settings in (SETTINGS[1:3] if name in LARGE else SETTINGS)
]


@pytest.mark.peers
@pytest.mark.parametrize(("name", "settings"), CASES)
def test_text(name: str, settings: dict[str, Any]) -> None:
    peer = pytest.importorskip("pytorch_model_summary")
    make, make_input = {**SUMMARIZED_MODELS, **OPERATIONS}[name]
    module, given = make(), make_input()
    try:
        ours = compat.summary(module, given, **settings)
    except NetledgerError:
        with pytest.raises(Exception, match="Object not supported"):
            peer.summary(module, given, **settings)
    else:
        assert ours == peer.summary(module, given, **settings)


@pytest.mark.peers
def test_a_list_is_one_input() -> None:
    peer = pytest.importorskip("pytorch_model_summary")
    given = (torch.rand(1, 3), [torch.rand(1, 2), torch.rand(2)])
    for show_input in (False, True):
        settings = {"max_depth": 0, "show_input": show_input}
        ours = compat.summary(Scaled(), *given, **settings)
        assert ours == peer.summary(Scaled(), *given, **settings)
