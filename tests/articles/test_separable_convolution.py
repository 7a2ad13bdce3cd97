"""A 5x5 convolution from 96 to 256 channels at 27x27, against its depthwise separable form."""

from __future__ import annotations

from fractions import Fraction

import pytest

import netledger as nl
from articles.example_modules import example
from netledger import formulas

SHAPE = (1, 96, 27, 27)


@pytest.fixture(scope="module")
def standard() -> nl.Ledger:
    counted: nl.Ledger = example("separable_convolution").standard_convolution().count()
    return counted


@pytest.fixture(scope="module")
def separable() -> nl.Ledger:
    counted: nl.Ledger = example("separable_convolution").separable_convolution().count()
    return counted


def test_standard(standard: nl.Ledger) -> None:
    assert standard.params == 614_656
    assert standard.flops == 895_795_200
    assert standard.macs == 447_897_600


def test_separable(separable: nl.Ledger) -> None:
    assert [row.params for row in separable.rows] == [96 * (25 + 1), 256 * (96 + 1)]
    assert separable.params == 27_328
    assert separable.flops == 39_331_008
    assert separable.macs == 19_665_504


def test_ratio_is_exact(standard: nl.Ledger, separable: nl.Ledger) -> None:
    ratio = Fraction(1, 25) + Fraction(1, 256)
    assert Fraction(separable.macs, standard.macs) == ratio
    # With biases everywhere the FLOPs are twice the MACs, so that the ratio holds for them too.
    assert Fraction(separable.flops, standard.flops) == ratio
    assert Fraction(separable.params, standard.params) != ratio


def test_one_filter_over_all_channels_is_no_depthwise_convolution(separable: nl.Ledger) -> None:
    # Published are 27,233 parameters and 39,331,008 FLOPs for the separable form, computed with a
    # convolution from 96 channels to 1 for its depthwise part. That has the products of the
    # depthwise convolution, but sums them over the channels: it has one bias and not 96, and its
    # single channel is no input for the pointwise part. The FLOPs agree only thanks to the biases.
    single = formulas.conv2d(SHAPE, out_channels=1, kernel_size=5, padding=2)
    pointwise = formulas.conv2d(SHAPE, out_channels=256, kernel_size=1)
    assert single.params + pointwise.params == 27_233
    assert single.flops + pointwise.flops == 39_331_008
    assert single.shapes == ((1, 1, 27, 27),)

    depthwise = formulas.conv2d(SHAPE, out_channels=96, kernel_size=5, padding=2, groups=96)
    assert depthwise.params - single.params == 95
    assert depthwise.shapes == (SHAPE,)
    assert separable.params == depthwise.params + pointwise.params == 27_328

    def without_bias(out_channels: int, groups: int) -> int:
        return formulas.conv2d(
            SHAPE, out_channels, kernel_size=5, padding=2, groups=groups, bias=False
        ).flops

    assert without_bias(96, groups=96) == 69_984 * 49 == 3_429_216
    assert without_bias(1, groups=1) == 729 * 4_799 == 3_498_471


def test_the_depthwise_part_depends_on_the_input_channels() -> None:
    # K^2 C_out + C_in C_out is a published count of weights. A depthwise convolution keeps its
    # channels: it is K^2 C_in + C_in C_out. The two agree only where C_in == C_out.
    def weights(in_channels: int, out_channels: int) -> int:
        graph = example("separable_convolution").separable_convolution(in_channels, out_channels)
        params: int = graph.count().params
        return params - in_channels - out_channels

    assert weights(96, 256) == 25 * 96 + 96 * 256 == 26_976
    assert weights(96, 256) != 25 * 256 + 96 * 256
    assert weights(128, 128) == 25 * 128 + 128 * 128 == 19_584


def test_xception_width() -> None:
    module = example("separable_convolution")
    standard = module.standard_convolution(728, 728, 3, 19).count()
    separable = module.separable_convolution(728, 728, 3, 19).count()
    assert standard.macs == 1_721_918_016
    assert separable.macs == 193_689_496
    assert Fraction(separable.macs, standard.macs) == Fraction(1, 9) + Fraction(1, 728)


def test_one_dimension() -> None:
    ledger = example("separable_convolution").separable_convolution_1d().count()
    assert [row.op for row in ledger.rows] == ["conv1d", "conv1d"]
    assert ledger.params == 96 * (5 + 1) + 256 * (96 + 1) == 25_408
    assert ledger.macs == 100 * (96 * 5 + 96 * 256) == 2_505_600
    assert ledger.flops == 5_011_200


def test_mobilenet_block() -> None:
    ledger = example("separable_convolution").mobilenet_block().count()
    assert ledger.params == 96 * 9 + 2 * 96 + 96 * 256 + 2 * 256 == 26_144
    assert ledger.macs == 729 * (96 * 9 + 96 * 256) == 18_545_760
    assert ledger.flops == 37_604_736
    assert ledger.buffers == 2 * 96 + 1 + 2 * 256 + 1


def test_mobilenet_block_with_stride() -> None:
    ledger = example("separable_convolution").mobilenet_block(stride=2).count()
    # 27 -> 14: both parts work at the smaller size.
    assert ledger.rows[-1].output_shapes == ((1, 256, 14, 14),)
    assert ledger.macs == 196 * (96 * 9 + 96 * 256) == 4_986_240
