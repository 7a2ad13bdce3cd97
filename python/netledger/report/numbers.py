"""Counts as people read them, with integer arithmetic only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIXES = ("", "K", "M", "G", "T", "P", "E", "Z", "Y")


def measured(value: int, unit: str) -> str:
    """A count with its unit, two decimals and an SI prefix, as "4.09 GMACs"; exact below 1000."""
    power = 0
    while power < len(PREFIXES) - 1 and _hundredths(value, power) >= 100_000:
        power += 1
    whole, rest = divmod(_hundredths(value, power), 100)
    number = f"{whole:,}.{rest:02}" if power else f"{value}"
    return f"{number} {PREFIXES[power]}{unit}"


def _hundredths(value: int, power: int) -> int:
    unit: int = 1000**power
    return (200 * value + unit) // (2 * unit)


@dataclass(frozen=True)
class Unit:
    """How the counts of one column are printed: in units of 1000**power, with so many decimals."""

    power: int = 0
    decimals: int = 0

    @property
    def prefix(self) -> str:
        """The SI prefix."""
        return PREFIXES[self.power]

    @property
    def step(self) -> tuple[int, int]:
        """One in the last printed digit, as numerator and denominator of a count."""
        return 1000**self.power, int(10**self.decimals)

    def text(self, steps: int, value: int) -> str:
        """A printed number of so many steps; "-" only if the count itself is 0."""
        if value == 0 and steps == 0:
            return "-"
        if self.decimals == 0:
            return f"{steps:,}"
        scale = 10**self.decimals
        return f"{steps // scale:,}.{steps % scale:0{self.decimals}}"


def unit_for(total: int) -> Unit:
    """The unit that shows a total with five digits, two to four of them before the point.

    Totals below a million stay exact: they would hardly get shorter.
    """
    if total < 1_000_000:
        return Unit()
    power = 1
    while power < len(PREFIXES) - 1 and total >= 10 * 1000 ** (power + 1):
        power += 1
    return Unit(power, max(5 - len(str(total // 1000**power)), 0))


def rounded(value: int, numerator: int, denominator: int) -> int:
    """`value` in steps of numerator/denominator, to the nearest, halves up."""
    return (2 * value * denominator + numerator) // (2 * numerator) if numerator else 0


def apportion(total: int, values: Sequence[int], numerator: int, denominator: int) -> list[int]:
    """Round values to steps so that they add up to a total that was rounded before.

    Each is rounded up or down, those with the largest remainders up. `total` must be the sum of the
    values rounded up or down itself, so that this is always possible.
    """
    if numerator == 0:
        return [0] * len(values)
    parts = [divmod(value * denominator, numerator) for value in values]
    steps = [whole for whole, _ in parts]
    largest = sorted(range(len(values)), key=lambda place: -parts[place][1])
    for place in largest[: total - sum(steps)]:
        steps[place] += 1
    return steps
