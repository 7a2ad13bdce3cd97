"""ShuffleNetV2's guidelines: memory access of 1x1 convolutions, groups, branches, element-wise."""

from __future__ import annotations

import numpy as np
import pytest

from articles.example_modules import example
from netledger import formulas

AREA = 56 * 56


@pytest.mark.parametrize(
    ("height", "width", "c1", "c2", "groups", "expected"),
    [
        (56, 56, 128, 128, 1, 819_200),
        (56, 56, 64, 256, 1, 1_019_904),
        (7, 9, 24, 40, 1, 4_992),
        (7, 9, 24, 40, 4, 4_272),
        (28, 28, 120, 240, 3, 291_840),
    ],
)
def test_pointwise_convolution(
    height: int, width: int, c1: int, c2: int, groups: int, expected: int
) -> None:
    cost = formulas.conv2d(
        (1, c1, height, width), out_channels=c2, kernel_size=1, groups=groups, bias=False
    )
    assert cost.memory_access == expected
    assert cost.memory_access == height * width * (c1 + c2) + c1 * c2 // groups
    # The count called FLOPs in the paper is one per multiply-accumulate.
    assert cost.macs == height * width * c1 * c2 // groups


def test_a_batch_reads_the_weights_once() -> None:
    cost = formulas.conv2d((4, 24, 7, 9), out_channels=40, kernel_size=1, bias=False)
    assert cost.memory_access == 4 * 63 * (24 + 40) + 24 * 40 == 17_088


def test_equal_channels_minimise_memory_access_at_equal_macs() -> None:
    c1 = np.array([c for c in range(1, 14_401) if 14_400 % c == 0])
    c2 = 14_400 // c1
    cost = formulas.conv2d((1, c1, 56, 56), out_channels=c2, kernel_size=1, bias=False)
    assert len(c1) == 63
    assert set(cost.macs.tolist()) == {14_400 * AREA}
    best = int(np.argmin(cost.memory_access))
    assert (c1[best], c2[best]) == (120, 120)
    # access >= 2 sqrt(h w macs) + macs / (h w), with equality only at c1 == c2; in integers:
    excess = (cost.memory_access - 14_400) ** 2 - 4 * AREA * cost.macs
    assert (excess >= 0).all()
    assert np.flatnonzero(excess == 0).tolist() == [best]


def test_unequal_channels() -> None:
    pointwise = example("memory_access").pointwise
    ledgers = [
        pointwise(c1, c2).count() for c1, c2 in ((128, 128), (64, 256), (32, 512), (16, 1024))
    ]
    assert [ledger.macs for ledger in ledgers] == [51_380_224] * 4
    assert [ledger.memory_access for ledger in ledgers] == [
        819_200,
        1_019_904,
        1_722_368,
        3_277_824,
    ]
    # float32
    assert ledgers[0].memory_access_bytes == 3_276_800


def test_groups_increase_memory_access_at_equal_macs() -> None:
    groups = np.array([1, 2, 4, 8])
    cost = formulas.conv2d(
        (1, 128, 56, 56), out_channels=128 * groups, kernel_size=1, groups=groups, bias=False
    )
    assert cost.macs.tolist() == [51_380_224] * 4
    assert cost.memory_access.tolist() == [819_200, 1_220_608, 2_023_424, 3_629_056]
    # h w c1 + macs g / c1 + macs / (h w)
    rule = AREA * 128 + 51_380_224 * groups // 128 + 51_380_224 // AREA
    assert cost.memory_access.tolist() == rule.tolist()


def test_groups_decrease_memory_access_at_equal_channels() -> None:
    # "More groups, more memory access" holds at equal operations. At equal channels more groups
    # mean fewer weights, and less of both.
    groups = np.array([1, 2, 4, 8])
    cost = formulas.conv2d(
        (1, 128, 56, 56), out_channels=128, kernel_size=1, groups=groups, bias=False
    )
    assert cost.macs.tolist() == [51_380_224, 25_690_112, 12_845_056, 6_422_528]
    assert cost.memory_access.tolist() == [819_200, 811_008, 806_912, 804_864]


def test_branches_increase_memory_access_at_equal_macs() -> None:
    ledgers = [example("memory_access").fragments(branches).count() for branches in (1, 2, 4)]
    assert [ledger.macs for ledger in ledgers] == [51_380_224] * 3
    assert [ledger.params for ledger in ledgers] == [16_384] * 3
    assert [len(ledger.rows) for ledger in ledgers] == [1, 3, 5]
    assert [ledger.memory_access for ledger in ledgers] == [819_200, 2_023_424, 2_826_240]


def test_element_wise_operations_cost_memory_and_no_macs() -> None:
    bottleneck = example("memory_access").bottleneck
    plain = bottleneck(relu=False, shortcut=False).count()
    relu = bottleneck(relu=True, shortcut=False).count()
    shortcut = bottleneck(relu=False, shortcut=True).count()
    both = bottleneck().count()
    assert plain.macs == relu.macs == shortcut.macs == both.macs == 54_591_488

    assert plain.flops == 108_580_864
    assert relu.flops - plain.flops == 602_112
    assert shortcut.flops - plain.flops == 401_408
    assert both.flops == 108_580_864 + 602_112 + 401_408

    # One operation in a hundred, two of three memory accesses.
    assert plain.memory_access == 1_221_632
    assert relu.memory_access - plain.memory_access == 2 * 602_112
    assert shortcut.memory_access - plain.memory_access == 3 * 401_408
    assert both.memory_access == 3_630_080
