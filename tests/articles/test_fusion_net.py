"""FusionNet: residual blocks, transposed convolutions, activations shared by many blocks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

import netledger as nl
from articles import tool_figures
from articles.example_modules import example

if TYPE_CHECKING:
    from torch import nn

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    network: nn.Module = example("fusion_net").fusion_net()
    return network


@pytest.fixture(scope="module")
def ledger(model: nn.Module) -> nl.Ledger:
    """6 channels in, 2 out."""
    return nl.count(model, (1, 6, 256, 256))


@pytest.fixture(scope="module")
def grey() -> nl.Ledger:
    """1 channel in, 1 out."""
    return nl.count(example("fusion_net").fusion_net(1, 1), (1, 1, 256, 256))


def test_totals(ledger: nl.Ledger) -> None:
    assert ledger.params == 19_646_690
    assert ledger.macs == 26_726_105_088
    assert ledger.flops == 53_614_936_064
    assert ledger.activations == 44_040_192


def test_totals_with_one_channel(grey: nl.Ledger) -> None:
    assert grey.params == 19_644_961
    assert grey.macs == 26_612_858_880
    assert grey.flops == 53_388_443_648


def test_parameters_of_the_first_block(grey: nl.Ledger) -> None:
    # Five convolutions with bias, each with the scale and shift of a normalisation.
    by_hand = (1 * 32 * 9 + 32 + 2 * 32) + 4 * (32 * 32 * 9 + 32 + 2 * 32)
    assert by_hand == 37_632
    rows = [row for row in grey.rows if row.path.startswith("down_1.")]
    assert sum(row.params for row in rows) == 37_632


def test_operations_by_kind_of_layer(ledger: nl.Ledger) -> None:
    flops: Counter[str] = Counter()
    number: Counter[str] = Counter()
    for row in ledger.rows:
        flops[row.op] += row.flops
        number[row.op] += 1
    assert flops == {
        "conv2d": 51_036_291_072,
        "conv_transpose2d": 2_419_851_264,
        "batch_norm": 87_818_240,
        "leaky_relu": 32_505_856,  # two per element: a comparison and a product
        "relu": 19_660_800,
        "max_pool2d": 2_949_120,
        "add": 11_927_552,
        "div": 3_932_160,
    }
    assert number == {
        "conv2d": 46,
        "conv_transpose2d": 4,
        "batch_norm": 49,
        "leaky_relu": 20,
        "relu": 20,
        "max_pool2d": 4,
        "add": 13,
        "div": 4,
    }


def test_transposed_convolutions(ledger: nl.Ledger) -> None:
    rows = [row for row in ledger.rows if row.op == "conv_transpose2d"]
    assert [row.path for row in rows] == [f"deconv_{i}.0" for i in range(1, 5)]
    for level, row in enumerate(rows):
        channels, size = 512 >> level, 16 << level
        assert row.input_shapes[0] == (1, channels, size, size)
        # (size - 1) * stride - 2 * padding + kernel + output_padding
        assert (size - 1) * 2 - 2 + 3 + 1 == 2 * size
        assert row.output_shapes == ((1, channels // 2, 2 * size, 2 * size),)
        assert row.params == channels * channels // 2 * 9 + channels // 2
        # Each *input* element is multiplied with a kernel per output channel.
        assert row.macs == channels * size**2 * channels // 2 * 9 == 301_989_888
        assert row.flops == 2 * row.macs + row.outputs


def test_a_shared_activation_has_a_row_per_call(ledger: nl.Ledger) -> None:
    calls = [row.call for row in ledger.rows if row.op == "leaky_relu"]
    assert len(calls) == 20
    assert len(set(calls)) == 20
    assert len({row.path for row in ledger.rows if row.op == "leaky_relu"}) == 1


def test_thop(ledger: nl.Ledger) -> None:
    # The old version hooks the shared LeakyReLU 20 times and sums it 20 times, 400 times too much;
    # both count transposed convolutions by their output, 4 times too much.
    assert ledger.total("flops", "thop@0.0.31") == 36_983_013_376
    assert ledger.total("flops", "thop@0.1.1") == 30_525_620_224


def test_ptflops(ledger: nl.Ledger) -> None:
    # 31.2 GMac, of which 3.6 are the transposed convolutions' excess, 0.7 the shared activations'.
    assert ledger.total("flops", "ptflops@0.6.9") == 31_204_048_896


def test_torchstat_does_not_support_transposed_convolutions(ledger: nl.Ledger) -> None:
    # It has no Flops and no traffic for them, and one record for each shared activation.
    assert ledger.total("flops", "torchstat") == 25_652_232_192
    assert ledger.total("madd", "torchstat") == 53_632_892_928
    assert tool_figures.torchstat_traffic_bytes(ledger) == 779_058_184


def test_counting_leaves_the_network_as_it_was() -> None:
    network = example("fusion_net").fusion_net().train()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    nl.count(network, (1, 6, 256, 256))
    assert network.training
    assert network.state_dict().keys() == state.keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name])
