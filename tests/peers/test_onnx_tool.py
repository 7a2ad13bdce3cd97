"""onnx-tool: its golden figures, and its figures for other exported models."""

from __future__ import annotations

from collections.abc import Callable
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
    assert nl.count(*golden_model(model)).total("flops", "onnx_tool") == figures["macs"]


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


def _blocks() -> dict[str, tuple[Callable[[], nn.Module], Callable[[], Any]]]:
    """Batch norms that are folded and not, and operations that the golden models are without."""

    class Read(nn.Module):
        def __init__(self, *layers: nn.Module, function: Callable[..., Any]) -> None:
            super().__init__()
            self.layers = nn.ModuleList(layers)
            self.function = function

        def forward(self, x: torch.Tensor) -> Any:
            return self.function(x, *self.layers)

    def image() -> Any:
        return torch.rand(2, 4, 8, 9)

    def steps() -> Any:
        return torch.rand(2, 4, 6)

    def of(*layers: Any) -> Callable[[], nn.Module]:
        return lambda: nn.Sequential(*layers)

    def reads(function: Callable[..., Any], *layers: nn.Module) -> Callable[[], nn.Module]:
        return lambda: Read(*layers, function=function)

    def twice(x: torch.Tensor, conv: nn.Module, norm: nn.Module) -> torch.Tensor:
        x = conv(x)
        answer: torch.Tensor = norm(x) + x
        return answer

    return {
        **{
            f"{kind}, bias={bias}": (of(layer(4, 6, 3, bias=bias), nn.BatchNorm2d(6)), image)
            for kind, layer in (("conv", nn.Conv2d), ("transposed", nn.ConvTranspose2d))
            for bias in (True, False)
        },
        "grouped": (of(nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.BatchNorm2d(6)), image),
        "before": (of(nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3)), image),
        "after linear": (of(nn.Flatten(), nn.Linear(288, 5), nn.BatchNorm1d(5)), image),
        "two readers": (reads(twice, nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), image),
        "own statistics": (
            of(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, track_running_stats=False)),
            image,
        ),
        "running instances": (of(nn.InstanceNorm2d(4, track_running_stats=True)), image),
        "volumes": (of(nn.MaxPool3d(2), nn.AvgPool3d(2)), lambda: torch.rand(2, 3, 8, 8, 9)),
        "softshrink": (of(nn.Softshrink(), nn.Hardshrink()), steps),
        "extremes": (reads(lambda x: x.max(-1)[0].clamp(min=0)), steps),
        "norms": (reads(lambda x: x.norm(dim=-1) + x.norm(3, dim=-1)), steps),
        "scale": (
            reads(lambda x: nn.functional.scaled_dot_product_attention(x, x, x, scale=0.5)),
            lambda: torch.rand(2, 3, 4, 6),
        ),
        "three projections": (
            reads(lambda x, layer: layer(x, x + 1, x)[0], nn.MultiheadAttention(6, 2)),
            steps,
        ),
        "a matrix for batches": (reads(lambda x: torch.eye(4) @ x), steps),
    }


_BLOCKS = _blocks()


def test_a_norm_counts_as_it_is_folded() -> None:
    made = 2 * 6 * 6 * 7
    figures = {
        name: nl.count(_BLOCKS[name][0]().eval(), _BLOCKS[name][1]()).total("flops", "onnx_tool")
        for name in ("conv, bias=True", "conv, bias=False", "two readers")
    }
    assert figures["conv, bias=True"] == figures["conv, bias=False"] == made * (4 * 9 + 1)
    assert figures["two readers"] == made * (4 * 9 + 1 + 31 + 1)


@pytest.mark.parametrize(
    "model",
    [nn.Conv3d(4, 4, 3, padding="same"), nn.Bilinear(5, 5, 3), nn.Unfold(3)],
)
def test_refuses_what_it_knows_no_rule_for(model: nn.Module) -> None:
    space = {nn.Conv3d: (2, 4, 5, 5, 5), nn.Unfold: (2, 3, 5, 5)}
    shapes = [space.get(type(model), (2, 5))] * (2 if isinstance(model, nn.Bilinear) else 1)
    with pytest.raises(SpaceError, match="has no rule for"):
        nl.count(model, *shapes).total("flops", "onnx_tool")


# -- onnx-tool itself ------------------------------------------------------------------------------


def _exported(model: nn.Module, given: Any, path: Path) -> int:
    onnx_tool = pytest.importorskip("onnx_tool")
    torch.onnx.export(model, (given,), str(path), dynamo=False, opset_version=17)
    graph = onnx_tool.Model(str(path), {"verbose": False}).graph
    graph.shape_infer()
    graph.profile()
    return int(graph.macs[0])


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", _BLOCKS)
def test_blocks_are_what_onnx_tool_says(name: str, tmp_path: Path) -> None:
    make, make_input = _BLOCKS[name]
    model, given = make().eval(), make_input()
    theirs = _exported(model, given, tmp_path / "model.onnx")
    assert nl.count(model, given).total("flops", "onnx_tool") == theirs


#: Models on which the export or onnx-tool fails.
_NOT_COMPARED = {"rmsnorm", "lrn", "act_SELU", "rnn", "adaavg_3x5(of 10x12)"}


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
        "densenet121",
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
