"""Rounding: one that people read, and one that keeps sums."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netledger.report.numbers import Unit, apportion, measured, rounded, unit_for


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 MACs"),
        (999, "999 MACs"),
        (1000, "1.00 KMACs"),
        (4_089_184_256, "4.09 GMACs"),
        (999_994, "999.99 KMACs"),
        (999_995, "1.00 MMACs"),
        (10**18, "1.00 EMACs"),
        (123_456 * 10**24, "123,456.00 YMACs"),
    ],
)
def test_measured(value: int, text: str) -> None:
    assert measured(value, "MACs") == text


@pytest.mark.parametrize(
    ("total", "unit"),
    [
        (999_999, Unit()),
        (1_000_000, Unit(1, 1)),  # 1,000.0 K
        (9_999_999, Unit(1, 1)),  # 9,999.9 K
        (25_557_032, Unit(2, 3)),  # 25.557 M
        (8_206_316_544, Unit(2, 1)),  # 8,206.3 M
        (31_946_958_848, Unit(3, 3)),  # 31.947 G
        (10**30, Unit(8, 0)),
    ],
)
def test_unit_for(total: int, unit: Unit) -> None:
    assert unit_for(total) == unit


def test_unit_text() -> None:
    assert Unit(2, 3).text(25_557, 25_557_032) == "25.557"
    assert Unit(2, 3).text(7, 7_400) == "0.007"
    assert Unit(0, 0).text(1234567, 1234567) == "1,234,567"


def test_only_zero_is_printed_as_nothing() -> None:
    assert Unit(2, 3).text(0, 0) == "-"
    assert Unit(2, 3).text(0, 1) == "0.000"
    assert Unit(0, 0).text(0, 0) == "-"


@given(st.lists(st.integers(0, 10**20), max_size=12), st.integers(1, 10**20), st.integers(1, 1000))
def test_parts_add_up_and_are_next_to_their_values(
    values: list[int], numerator: int, denominator: int
) -> None:
    total = rounded(sum(values), numerator, denominator)
    parts = apportion(total, values, numerator, denominator)
    assert sum(parts) == total
    for part, value in zip(parts, values, strict=True):
        # The number printed, part * numerator / denominator, is less than one step away.
        assert abs(part * numerator - value * denominator) < numerator


@given(st.lists(st.integers(0, 10**20), max_size=12))
def test_exact_digits_stay(values: list[int]) -> None:
    assert apportion(sum(values), values, 1, 1) == values
