"""What each idea of the Inception networks saves."""

from __future__ import annotations

from fractions import Fraction

import pytest

from articles.example_modules import example


def test_reduced_module() -> None:
    ledger = example("inception").reduced_module().count()
    # The table of the GoogLeNet paper has 159 K parameters and 128 M operations (MACs) for it.
    assert ledger.params == 163_328
    assert ledger.params // 2**10 == 159
    assert ledger.macs == 128_049_152
    assert ledger.rows[-1].op == "concat"
    assert ledger.rows[-1].output_shapes == ((1, 64 + 128 + 32 + 32, 28, 28),)


def test_naive_module() -> None:
    ledger = example("inception").naive_module().count()
    assert ledger.params == 192 * (64 + 9 * 128 + 25 * 32) == 387_072
    assert ledger.macs == 387_072 * 28 * 28 == 303_464_448
    # The pooled branch keeps all channels, so that each module is wider than the one before.
    assert ledger.rows[-1].output_shapes == ((1, 64 + 128 + 32 + 192, 28, 28),)


def test_reduction_of_one_branch() -> None:
    module = example("inception")
    naive = {row.params: row.macs for row in module.naive_module().count().rows}
    reduced = {row.params: row.macs for row in module.reduced_module().count().rows}
    direct = naive[192 * 32 * 25]
    through_16_channels = reduced[192 * 16] + reduced[16 * 32 * 25]
    assert direct == 120_422_400
    assert through_16_channels == 12_443_648


def test_two_3x3_for_one_5x5() -> None:
    module = example("inception")
    square = module.square_kernel(5).count()
    stacked = module.stacked_kernels().count()
    assert square.params == 102_400
    assert stacked.params == 73_728
    assert square.macs == 80_281_600
    assert stacked.macs == 57_802_752
    assert Fraction(stacked.macs, square.macs) == Fraction(2 * 9, 25)
    assert stacked.rows[-1].output_shapes == square.rows[-1].output_shapes


@pytest.mark.parametrize(
    ("kernel_size", "square_macs", "factorised_macs"),
    [(3, 28_901_376, 19_267_584), (5, 80_281_600, 32_112_640), (7, 157_351_936, 44_957_696)],
)
def test_row_and_column_for_a_square(
    kernel_size: int, square_macs: int, factorised_macs: int
) -> None:
    module = example("inception")
    square = module.square_kernel(kernel_size).count()
    factorised = module.row_and_column(kernel_size).count()
    assert square.macs == square_macs
    assert factorised.macs == factorised_macs
    assert Fraction(factorised.params, square.params) == Fraction(2, kernel_size)
    assert factorised.rows[-1].output_shapes == square.rows[-1].output_shapes


def test_global_average_pooling_for_flattening() -> None:
    module = example("inception")
    flattened = module.flattened_classifier().count()
    pooled = module.pooled_classifier().count()
    assert flattened.params == 49 * 1024 * 1000 + 1000 == 50_177_000
    assert pooled.params == 1024 * 1000 + 1000 == 1_025_000
    assert flattened.macs == 50_176_000
    assert pooled.macs == 1_024_000
    assert flattened.flops == 100_352_000
    assert pooled.flops == 49 * 1024 + 2 * 1_024_000 == 2_098_176
