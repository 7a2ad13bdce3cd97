"""ResNet-18 and ResNet-50 (99 classes): figures of thop, torchstat and torchsummary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import netledger as nl
from articles import tool_figures
from articles.example_modules import example

if TYPE_CHECKING:
    from torch import nn

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model18() -> nn.Module:
    network: nn.Module = example("resnet").resnet18()
    return network


@pytest.fixture(scope="module")
def model50() -> nn.Module:
    """99 classes."""
    network: nn.Module = example("resnet").resnet50(num_classes=99)
    return network


@pytest.fixture(scope="module")
def resnet18(model18: nn.Module) -> nl.Ledger:
    return nl.count(model18, (1, 3, 224, 224))


@pytest.fixture(scope="module")
def resnet50(model50: nn.Module) -> nl.Ledger:
    return nl.count(model50, (1, 3, 224, 224))


def test_resnet18(resnet18: nl.Ledger) -> None:
    assert resnet18.params == 11_689_512
    assert resnet18.macs == 1_814_073_344
    assert resnet18.flops == 3_635_321_856
    assert resnet18.activations == 2_484_712
    # Mean, variance and the count of batches of 20 normalisations over 4,800 channels.
    assert resnet18.buffers == 2 * 4_800 + 20


def test_resnet18_torchstat(model18: nn.Module, resnet18: nl.Ledger) -> None:
    # The second ReLU of each block and all additions are missing in these: one record per module,
    # none for functions.
    assert resnet18.total("flops", "torchstat") == 1_821_399_040
    assert resnet18.total("madd", "torchstat") == 3_638_757_912
    assert tool_figures.torchstat_traffic_bytes(resnet18) == 101_756_992
    assert tool_figures.torchstat_output_bytes(model18, (3, 224, 224)) == 26_900_384


def test_resnet18_thop(resnet18: nl.Ledger) -> None:
    assert resnet18.total("flops", "thop@0.0.31") == 1_819_066_368
    assert resnet18.total("flops", "thop@0.1.1") == 1_824_033_792


def test_ptflops(resnet18: nl.Ledger, resnet50: nl.Ledger) -> None:
    assert resnet18.total("flops", "ptflops@0.6.9") == 1_822_177_768
    assert resnet50.total("flops", "ptflops@0.6.9") == 4_120_078_947


def test_resnet18_residual_additions(resnet18: nl.Ledger) -> None:
    additions = [row for row in resnet18.rows if row.op == "add"]
    assert len(additions) == 8
    # One operation per element, but three memory accesses.
    elements = 2 * (64 * 56**2 + 128 * 28**2 + 256 * 14**2 + 512 * 7**2)
    assert sum(row.flops for row in additions) == elements == 752_640
    assert sum(row.memory_access for row in additions) == 3 * elements


def test_resnet50_with_99_classes(resnet50: nl.Ledger) -> None:
    assert resnet50.params == 23_710_883
    assert resnet50.macs == 4_087_339_008
    assert resnet50.flops == 8_202_626_048
    assert resnet50.activations == 11_114_083


def test_resnet50_differs_from_1000_classes_by_its_last_layer_only(resnet50: nl.Ledger) -> None:
    full = nl.count(example("resnet").resnet50(), (1, 3, 224, 224))
    assert full.params == 25_557_032
    assert full.macs == 4_089_184_256
    assert full.params - resnet50.params == 901 * (2048 + 1)
    assert full.macs - resnet50.macs == 901 * 2048
    assert full.flops - resnet50.flops == 901 * 2 * 2048


def test_resnet50_thop(model50: nn.Module, resnet50: nl.Ledger) -> None:
    # Called "FLOPS" where they are printed; they are neither a speed nor FLOPs but MACs, with 2 or
    # 4 per element of the normalisations. The FLOPs are twice as many.
    assert resnet50.total("flops", "thop@0.0.31") == 4_109_669_376
    assert resnet50.total("flops", "thop@0.1.1") == 4_131_897_344
    assert str(resnet50.params / 1000**2) + "M" == "23.710883M"


def test_resnet50_torchstat(resnet50: nl.Ledger) -> None:
    assert resnet50.total("flops", "torchstat") == 4_116_691_968
    assert resnet50.total("madd", "torchstat") == 8_215_947_677
    assert tool_figures.torchstat_traffic_bytes(resnet50) == 325_461_016
