"""AlexNet at 227x227 from the builder: parameters and FLOPs layer by layer, without a framework."""

from __future__ import annotations

import pytest

import netledger as nl
from articles.example_modules import example
from netledger import formulas


@pytest.fixture(scope="module")
def ledger() -> nl.Ledger:
    counted: nl.Ledger = example("alexnet_graph").alexnet_graph().count()
    return counted


@pytest.fixture(scope="module")
def convolutions(ledger: nl.Ledger) -> list[nl.Row]:
    return [row for row in ledger.rows if row.op == "conv2d"]


@pytest.fixture(scope="module")
def linear_layers(ledger: nl.Ledger) -> list[nl.Row]:
    return [row for row in ledger.rows if row.op == "linear"]


def test_totals(ledger: nl.Ledger) -> None:
    assert ledger.params == 62_378_344
    assert ledger.macs == 1_135_256_096
    assert ledger.flops == 2_272_150_176
    assert ledger.activations == 659_272


def test_parameters_of_the_convolutions(convolutions: list[nl.Row]) -> None:
    params = [row.params for row in convolutions]
    assert params == [34_944, 614_656, 885_120, 1_327_488, 884_992]


def test_flops_of_the_convolutions(convolutions: list[nl.Row]) -> None:
    assert [row.flops for row in convolutions] == [
        210_830_400,
        895_795_200,
        299_040_768,
        448_561_152,
        299_040_768,
    ]


def test_without_the_pooling_the_convolutions_would_cost_up_to_18_times_as_much() -> None:
    # A published list is [210830400, 3717120000, 5352652800, 8028979200, 5352652800]: it gives
    # all five convolutions 55x55 outputs, that is, forgets that pooling halves the sizes between.
    # Its parameters are right, for these do not depend on sizes.
    shape = (1, 3, 227, 227)
    flops = []
    for out_channels, kernel_size, stride, padding in (
        (96, 11, 4, 0),
        (256, 5, 1, 2),
        (384, 3, 1, 1),
        (384, 3, 1, 1),
        (256, 3, 1, 1),
    ):
        cost = formulas.conv2d(shape, out_channels, kernel_size, stride, padding)
        (shape,) = cost.shapes
        flops.append(cost.flops)
    assert flops == [210_830_400, 3_717_120_000, 5_352_652_800, 8_028_979_200, 5_352_652_800]
    assert shape == (1, 256, 55, 55)


def test_parameters_of_the_linear_layers(linear_layers: list[nl.Row]) -> None:
    assert [row.params for row in linear_layers] == [37_752_832, 16_781_312, 4_097_000]


def test_flops_of_the_linear_layers(linear_layers: list[nl.Row]) -> None:
    assert [row.flops for row in linear_layers] == [75_497_472, 33_554_432, 8_192_000]
    # The published [75493376, 33550336, 8191000] are (2I - 1) J: they leave out the additions of
    # the biases, although these are among the parameters, and among the FLOPs of convolutions.
    without = [row.flops - row.outputs for row in linear_layers]
    assert without == [75_493_376, 33_550_336, 8_191_000]
    features = [row.input_shapes[0][1] for row in linear_layers]
    assert [
        formulas.linear((1, size), row.outputs, bias=False).flops
        for size, row in zip(features, linear_layers, strict=True)
    ] == [75_493_376, 33_550_336, 8_191_000]


def test_shapes_for_a_batch_of_four() -> None:
    batch: nl.Ledger = example("alexnet_graph").alexnet_graph(batch=4).count()
    shapes = [(row.op, row.input_shapes[0], row.output_shapes[0]) for row in batch.rows]
    assert shapes == [
        ("conv2d", (4, 3, 227, 227), (4, 96, 55, 55)),
        ("relu", (4, 96, 55, 55), (4, 96, 55, 55)),
        ("max_pool2d", (4, 96, 55, 55), (4, 96, 27, 27)),
        ("conv2d", (4, 96, 27, 27), (4, 256, 27, 27)),
        ("relu", (4, 256, 27, 27), (4, 256, 27, 27)),
        ("max_pool2d", (4, 256, 27, 27), (4, 256, 13, 13)),
        ("conv2d", (4, 256, 13, 13), (4, 384, 13, 13)),
        ("relu", (4, 384, 13, 13), (4, 384, 13, 13)),
        ("conv2d", (4, 384, 13, 13), (4, 384, 13, 13)),
        ("relu", (4, 384, 13, 13), (4, 384, 13, 13)),
        ("conv2d", (4, 384, 13, 13), (4, 256, 13, 13)),
        ("relu", (4, 256, 13, 13), (4, 256, 13, 13)),
        ("max_pool2d", (4, 256, 13, 13), (4, 256, 6, 6)),
        ("flatten", (4, 256, 6, 6), (4, 9216)),
        ("linear", (4, 9216), (4, 4096)),
        ("relu", (4, 4096), (4, 4096)),
        ("dropout", (4, 4096), (4, 4096)),
        ("linear", (4, 4096), (4, 4096)),
        ("relu", (4, 4096), (4, 4096)),
        ("linear", (4, 4096), (4, 1000)),
    ]
    assert batch.params == 62_378_344
    assert batch.flops == 4 * 2_272_150_176
