"""Tables that pick one of several masks with given probabilities, by one random number."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

#: Probabilities are exact multiples of its inverse.
UNIT = 2**56


def mask_tables(
    rates: Sequence[float],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]:
    """The alias table over the masks of some variables, each set with a probability of its own.

    Slot s of 2**k is kept if the fraction drawn, of 2**56, is below ``thresholds[s]``, else it
    stands for ``aliases[s]``. All in integers: the same table on every machine.

    Args:
        rates: the probability of every bit, from 0 to 1; bit b of a mask is variable b.

    Returns:
        thresholds and aliases, of 2**len(rates) entries each.
    """
    count = 2 ** len(rates)
    exact = [Fraction(rate) for rate in rates]
    # Weights over `count * UNIT`: of the whole, each slot gets UNIT.
    weights = []
    for mask in range(count):
        probability = Fraction(1)
        for bit, rate in enumerate(exact):
            probability *= rate if mask >> bit & 1 else 1 - rate
        weights.append(int(probability * count * UNIT))
    # What rounding leaves over goes to the likeliest mask.
    likeliest = max(range(count), key=weights.__getitem__)
    weights[likeliest] += count * UNIT - sum(weights)

    thresholds = [UNIT] * count
    aliases = list(range(count))
    small = [mask for mask in range(count) if weights[mask] < UNIT]
    large = [mask for mask in range(count) if weights[mask] >= UNIT]
    while small and large:
        slot, donor = small.pop(), large[-1]
        thresholds[slot] = weights[slot]
        aliases[slot] = donor
        weights[donor] -= UNIT - weights[slot]
        if weights[donor] < UNIT:
            small.append(large.pop())
    return np.array(thresholds, dtype=np.uint64), np.array(aliases, dtype=np.uint16)
