"""fvcore: its golden figures, its figures for other models, and its printed text."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from golden_figures import Figures, golden_models, golden_operations
from operation_models import OPERATIONS
from torch import nn

import netledger as nl
from netledger.compat import fvcore as compat
from netledger.errors import NetledgerError

# -- golden figures --------------------------------------------------------------------------------


def _built(file: str, model: str) -> tuple[nn.Module, Any]:
    if file == "operations":
        make, make_input = OPERATIONS[model]
        return make().eval(), make_input()
    from whole_models import MODELS

    make, shape = MODELS[model]
    with torch.device("meta"):
        return make().eval(), torch.empty(shape)


def _check_flops(module: nn.Module, given: Any, figures: Figures) -> None:
    assert nl.count(module, given).total("flops", "fvcore") == figures["macs"]
    assert nl.count(module, given).total("params", "fvcore") == figures["params"]
    analysis = compat.FlopCountAnalysis(module, given)
    assert analysis.total() == figures["macs"]
    assert analysis.by_operator() == figures["by_op"]
    assert analysis.unsupported_ops() == figures["unsupported"]
    assert compat.parameter_count(module)[""] == figures["params"]


def _check_activations(module: nn.Module, given: Any, figures: Figures) -> None:
    assert nl.count(module, given).total("activations", "fvcore") == figures["acts"]
    analysis = compat.ActivationCountAnalysis(module, given)
    assert analysis.total() == figures["acts"]
    assert analysis.by_operator() == figures["by_op"]


_CHECKS = {"fvcore_flops": _check_flops, "fvcore_acts": _check_activations}


@pytest.mark.parametrize(("model", "peer", "figures"), golden_operations(*_CHECKS))
def test_operation(model: str, peer: str, figures: Figures) -> None:
    _CHECKS[peer](*_built("operations", model), figures)


@pytest.mark.parametrize(("model", "peer", "figures"), golden_models(*_CHECKS))
def test_model(model: str, peer: str, figures: Figures) -> None:
    pytest.importorskip("torchvision")
    _CHECKS[peer](*_built("models", model), figures)


# -- spaces ----------------------------------------------------------------------------------------


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, out_channels=width, kernel_size=3, padding=1)
    x = nl.batch_norm(x)
    x = nl.interpolate(x, size=(12, 12))
    x = nl.flatten(x, start_dim=2)
    x = nl.einsum(x, x, equation="bij,bkj->bik")
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True)
    space.output(x)
    for metric in ("flops", "activations"):
        costs = space.evaluate(space.all(), [f"{metric}@fvcore"])[f"{metric}@fvcore"]
        single = [space.count(row).total(metric, "fvcore") for row in space.all()]
        assert costs.tolist() == single
        assert len(set(single)) == 4
