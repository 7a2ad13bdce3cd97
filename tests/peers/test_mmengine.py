"""mmengine.analysis: its golden figures, and that it counts as fvcore does."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

import netledger as nl
from netledger.conventions import convention_of
from peers.golden_figures import Figures, golden_models
from peers.traced_models import TRACED_MODELS, golden_model


@pytest.mark.parametrize(("model", "peer", "figures"), golden_models("mmengine"))
def test_golden_figures(model: str, peer: str, figures: Figures) -> None:
    ledger = nl.count(*golden_model(model))
    assert ledger.total("flops", "mmengine") == figures["macs"]
    assert ledger.total("activations", "mmengine") == figures["acts"]
    assert ledger.total("params", "mmengine") == figures["params"]


def test_counts_as_fvcore_does() -> None:
    assert convention_of("mmengine").rules == convention_of("fvcore").rules
    assert convention_of("mmengine").name == "mmengine"


@pytest.fixture
def peer() -> ModuleType:
    for needed in ("mmengine", "addict", "rich", "yapf", "cv2"):
        pytest.importorskip(needed)
    return importlib.import_module("mmengine.analysis")


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["squeezenet1_1", "functional", "attentions", "cells", "decoder"])
def test_is_what_mmengine_says(peer: Any, name: str) -> None:
    make, make_inputs = TRACED_MODELS[name]
    model, inputs = make().eval(), make_inputs()
    ledger = nl.count(model, *inputs)
    assert ledger.total("flops", "mmengine") == peer.FlopAnalyzer(model, inputs).total()
    assert ledger.total("activations", "mmengine") == peer.ActivationAnalyzer(model, inputs).total()
    assert ledger.total("params", "mmengine") == peer.parameter_count(model)[""]
