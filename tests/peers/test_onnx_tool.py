"""onnx-tool: its golden figures, and its figures for other exported models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.errors import SpaceError
from peers.golden_figures import Figures, golden_models
from peers.operation_models import OPERATIONS
from peers.traced_models import TRACED_MODELS, golden_model


@pytest.mark.parametrize(("model", "peer", "figures"), golden_models("onnx_tool"))
def test_golden_figures(model: str, peer: str, figures: Figures) -> None:
    ledger = nl.count(*golden_model(model))
    total = ledger.total("flops", "onnx_tool")
    if model == "unet":
        # Its convolutions have a bias already when the batch norms are folded into them, which a
        # layer by itself does not tell.
        total -= sum(row.outputs for row in ledger if row.op == "batch_norm")
    assert total == figures["macs"]


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    x = space.input(2, 4, size, size)
    x = nl.conv_transpose2d(x, out_channels=width, kernel_size=3, groups=2)
    x = nl.gelu(nl.group_norm(x, num_groups=2))
    x = nl.max_pool2d(x, kernel_size=2)
    x = nl.scaled_dot_product_attention(x, x, x)
    x = nl.flatten(x, start_dim=2)
    x = nl.gru(nl.layer_norm(x, normalized_shape=x.shape[-1]), hidden_size=width)[0]
    x = nl.multi_head_attention(x, x, x, num_heads=2)
    space.output(x)
    codes = space.enumerate()
    costs = space.sweep(codes, ["flops"], "onnx_tool").flops.tolist()
    single = [space.graph(row).count().total("flops", "onnx_tool") for row in codes]
    assert costs == single
    assert len(set(single)) == 4


@pytest.mark.parametrize("name", ["rnn", "act_SELU", "lrn", "rmsnorm"])
def test_refuses_what_onnx_tool_fails_on(name: str) -> None:
    with pytest.raises(SpaceError, match="onnx-tool, or the export, fails"):
        nl.count(*golden_model(name)).total("flops", "onnx_tool")


# -- onnx-tool itself ------------------------------------------------------------------------------


def _exported(model: nn.Module, given: Any, path: Path) -> int:
    onnx_tool = pytest.importorskip("onnx_tool")
    torch.onnx.export(model, (given,), str(path), dynamo=False, opset_version=17)
    graph = onnx_tool.Model(str(path), {"verbose": False}).graph
    graph.shape_infer()
    graph.profile()
    return int(graph.macs[0])


#: Models on which the export or onnx-tool fails, and batch norms that are not folded.
_NOT_COMPARED = {"rmsnorm", "lrn", "act_SELU", "rnn", "adaavg_3x5(of 10x12)"} | {
    "bn2d",
    "bn2d_noaffine",
    "bn1d",
}


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in _NOT_COMPARED])
def test_operations_are_what_onnx_tool_says(name: str, tmp_path: Path) -> None:
    model, given = golden_model(name)
    theirs = _exported(model, given, tmp_path / "model.onnx")
    assert nl.count(model, given).total("flops", "onnx_tool") == theirs


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v3_small",
        "squeezenet1_1",
        "shufflenet_v2_x0_5",
        "resnet18 of 3",
        "recurrent",
        "cells",
        "functional",
        "shared",
        "attentions",
        "encoder, sequence first",
    ],
)
def test_is_what_onnx_tool_says(name: str, tmp_path: Path) -> None:
    make, make_inputs = TRACED_MODELS[name]
    model, inputs = make().eval(), make_inputs()
    theirs = _exported(model, inputs[0], tmp_path / "model.onnx")
    assert nl.count(model, *inputs).total("flops", "onnx_tool") == theirs
