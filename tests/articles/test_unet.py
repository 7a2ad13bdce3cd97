"""U-Net on one channel at 256x256: totals and the sizes of torchsummary."""

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
def model() -> nn.Module:
    network: nn.Module = example("unet").unet()
    return network


@pytest.fixture(scope="module")
def ledger(model: nn.Module) -> nl.Ledger:
    return nl.count(model, (1, 1, 256, 256))


def test_totals(ledger: nl.Ledger) -> None:
    assert ledger.params == 31_036_481
    assert ledger.macs == 48_091_889_664
    assert ledger.flops == 96_261_505_024
    assert ledger.activations == 39_911_424


def test_concatenation_moves_memory_and_computes_nothing(ledger: nl.Ledger) -> None:
    rows = [row for row in ledger.rows if row.op == "concat"]
    assert [row.output_shapes[0] for row in rows] == [
        (1, 1024, 32, 32),
        (1, 512, 64, 64),
        (1, 256, 128, 128),
        (1, 128, 256, 256),
    ]
    for row in rows:
        assert row.flops == row.macs == 0
        assert row.memory_access == 2 * row.outputs


def test_torchsummary_sizes(model: nn.Module) -> None:
    assert tool_figures.torchsummary_sizes(model, (1, 256, 256)) == (
        "0.25",
        "807.50",
        "118.39",
        "926.14",
    )


def test_thop(ledger: nl.Ledger) -> None:
    assert ledger.total("flops", "thop@0.0.31") == 54_606_233_600
    assert ledger.total("flops", "thop@0.1.1") == 54_662_266_880


def test_ptflops(ledger: nl.Ledger) -> None:
    assert ledger.total("flops", "ptflops@0.6.9") == 54_646_079_488


def test_torchstat(ledger: nl.Ledger) -> None:
    # The pooling module is called four times and recorded once.
    assert ledger.total("flops", "torchstat") == 46_040_940_544
    assert ledger.total("madd", "torchstat") == 96_312_098_816
    assert tool_figures.torchstat_traffic_bytes(ledger) == 907_297_284
