"""The short cut for modules of torch.nn against the long way through their forward."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl
from netledger.torch.leaves import LEAVES
from torchvision_shim import torchvision

MODULES = [
    (nn.Conv1d(4, 6, 3, padding=1), (2, 4, 9)),
    (nn.Conv2d(4, 6, 3, 2, 1, groups=2, bias=False), (2, 4, 9, 9)),
    (nn.Conv2d(4, 6, 3, padding="same", dilation=2), (4, 9, 9)),
    (nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), (2, 4, 9, 9)),
    (nn.Conv3d(4, 6, 3), (2, 4, 5, 6, 7)),
    (nn.BatchNorm1d(4), (2, 4)),
    (nn.BatchNorm1d(4), (2, 4, 9)),
    (nn.BatchNorm2d(4, affine=False), (2, 4, 9, 9)),
    (nn.BatchNorm2d(4, track_running_stats=False), (2, 4, 9, 9)),
    (nn.BatchNorm3d(4), (2, 4, 5, 6, 7)),
    (nn.Linear(4, 5), (2, 4)),
    (nn.Linear(4, 5, bias=False), (4,)),
    (nn.LayerNorm(4), (2, 4)),
    (nn.LayerNorm((3, 4), bias=False), (2, 3, 4)),
    (nn.LayerNorm(4, elementwise_affine=False), (2, 4)),
    (nn.GELU(), (2, 4)),
    (nn.GELU("tanh"), (2, 4)),
    (nn.Identity(), (2, 4)),
    (nn.Dropout(), (2, 4)),
    (nn.Dropout(inplace=True), (2, 4)),
    (nn.ReLU(), (2, 4)),
    (nn.ReLU(inplace=True), (2, 4)),
    (nn.ReLU6(), (2, 4)),
    (nn.ReLU6(inplace=True), (2, 4)),
    (nn.SiLU(), (2, 4)),
    (nn.SiLU(inplace=True), (2, 4)),
    (nn.Sigmoid(), (2, 4)),
    (nn.Tanh(), (2, 4)),
    (nn.Hardswish(), (2, 4)),
    (nn.Hardswish(inplace=True), (2, 4)),
    (nn.Hardsigmoid(), (2, 4)),
    (nn.Hardsigmoid(inplace=True), (2, 4)),
]
#: One layer of the rule book, several operations in torch: shapes agree, totals need not.
COMPOSED = [
    (nn.LPPool1d(2, 3), (2, 4, 9)),
    (nn.LPPool2d(2, 3, stride=2), (2, 4, 9, 9)),
    (nn.LPPool3d(2, 2), (2, 4, 4, 4, 4)),
    (nn.LocalResponseNorm(3), (2, 4, 9, 9)),
]


class Inside(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x * 1)


def both_ways(
    monkeypatch: pytest.MonkeyPatch, model: nn.Module, shape: tuple[int, ...]
) -> tuple[nl.Ledger, nl.Ledger]:
    short = nl.count(model, shape)
    with monkeypatch.context() as patch:
        for kind in list(LEAVES):
            patch.delitem(LEAVES, kind)
        return short, nl.count(model, shape)


@pytest.mark.parametrize(("layer", "shape"), MODULES, ids=str)
def test_row_for_row(
    monkeypatch: pytest.MonkeyPatch, layer: nn.Module, shape: tuple[int, ...]
) -> None:
    short, long = both_ways(monkeypatch, Inside(layer), shape)
    assert short.rows == long.rows


@pytest.mark.parametrize(("layer", "shape"), COMPOSED, ids=str)
def test_composed_modules_are_one_layer(
    monkeypatch: pytest.MonkeyPatch, layer: nn.Module, shape: tuple[int, ...]
) -> None:
    short, long = both_ways(monkeypatch, Inside(layer), shape)
    assert len(short) == 2 < len(long)
    assert short.rows[-1].output_shapes == long.rows[-1].output_shapes


def test_every_leaf_is_tested() -> None:
    assert {type(layer) for layer, _ in [*MODULES, *COMPOSED]} == set(LEAVES)


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "convnext_tiny", "vit_b_32", "efficientnet_b0"]
)
def test_models_row_for_row(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with torch.device("meta"):
        model = torchvision.models.get_model(name, weights=None)
    short, long = both_ways(monkeypatch, model, (1, 3, 224, 224))
    assert short.rows == long.rows
    assert short.peak_memory == long.peak_memory


def test_a_module_that_is_not_plain_takes_the_long_way() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 2

    hooked = nn.Linear(4, 4)
    hooked.register_forward_hook(lambda module, args, output: output * 2)
    replaced = nn.Linear(4, 4)
    replaced.forward = lambda x: x * 2  # type: ignore[method-assign]
    assert [row.op for row in nl.count(Doubled(4, 4), (2, 4))] == ["linear", "mul"]
    assert [row.op for row in nl.count(hooked, (2, 4))] == ["linear", "mul"]
    assert [row.op for row in nl.count(replaced, (2, 4))] == ["mul"]
