"""Candidates of a space: random numbers, digits, hashes, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15

GENES, ARCHITECTURES, MUTATE, CROSSOVER = 1, 2, 3, 4
PURPOSES = {"genes": GENES, "architectures": ARCHITECTURES}

#: How often a candidate is drawn anew before the space is taken to have too few.
MOST_ATTEMPTS = 10_000
ATTEMPT_STEP = 2**40

#: A gene group has at most so many combinations, so many variables.
MOST_GROUP_COMBINATIONS = 65_536
MOST_GROUP_VARIABLES = 8


def mix(z: int) -> int:
    """64 bits, each depending on every bit of z."""
    z ^= z >> 30
    z = z * 0xBF58476D1CE4E5B9 & MASK
    z ^= z >> 27
    z = z * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def draw(key: int, counter: int) -> int:
    """The random number of a counter."""
    return mix(key + (counter + 1) * GOLDEN & MASK)


def key_of(seed: int, purpose: int) -> int:
    """The key of a stream of random numbers."""
    return mix(mix(seed & MASK) + purpose * GOLDEN & MASK)


def bounded(key: int, counter: int, bound: int) -> int:
    """A random integer below a bound, each as likely as the others."""
    x = draw(key, counter)
    while True:
        product = x * bound
        if product & MASK >= 2**64 % bound:
            return product >> 64
        x = mix(x + GOLDEN & MASK)


def below(key: int, counter: int, bound: int) -> int:
    """The same for a bound of up to 128 bits: above 64, low bits of two draws until they fit."""
    if bound < 2**64:
        return bounded(key, counter, bound)
    mask = (1 << (bound - 1).bit_length()) - 1
    high = draw(key, counter)
    while True:
        low = mix(high + GOLDEN & MASK)
        drawn = (high << 64 | low) & mask
        if drawn < bound:
            return drawn
        high = mix(low + GOLDEN & MASK)


#: Some variables, ascending, and what must hold for their codes in a row.
Rule = tuple[tuple[int, ...], Callable[[Sequence[int]], bool]]


class Completions:
    """In how many ways the first codes of some variables can be completed to meet the rules."""

    def __init__(self, sizes: Mapping[int, int], rules: Sequence[Rule]) -> None:
        self.variables = sorted(sizes)
        self._sizes = sizes
        # A rule can be checked as soon as its last variable has a code.
        self._rules = {
            variable: [holds for scope, holds in rules if scope[-1] == variable]
            for variable in self.variables
        }
        # What is asked of the variables before a place by rules that come from there on.
        self._read = [
            sorted(
                {
                    variable
                    for scope, _ in rules
                    if scope[-1] >= first
                    for variable in scope
                    if variable < first
                }
            )
            for first in self.variables
        ]
        self._known: dict[tuple[int, ...], int] = {}

    def weights(self, place: int, row: Sequence[int]) -> list[int]:
        """The number of completions with each code of a variable, given those before it."""
        variable = self.variables[place]
        changed = list(row)
        found = []
        for code in range(self._sizes[variable]):
            changed[variable] = code
            accepted = all(holds(changed) for holds in self._rules[variable])
            found.append(self._count(place + 1, changed) if accepted else 0)
        return found

    def _count(self, place: int, row: Sequence[int]) -> int:
        if place == len(self.variables):
            return 1
        key = (place, *(row[variable] for variable in self._read[place]))
        if key not in self._known:
            self._known[key] = sum(self.weights(place, row))
        return self._known[key]


def hash_of(codes: Sequence[int]) -> int:
    """The hash of a canonical row."""
    h = 0
    for variable, code in enumerate(codes):
        h = mix(h ^ (code + (variable + 1) * GOLDEN & MASK))
    return h


def groups_of(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Variables cut into groups, in order, each small enough for one random number."""
    groups: list[list[int]] = []
    product = 0
    for variable, size in enumerate(sizes):
        product *= size
        if groups and product <= MOST_GROUP_COMBINATIONS and len(groups[-1]) < MOST_GROUP_VARIABLES:
            groups[-1].append(variable)
        else:
            groups.append([variable])
            product = size
    return [tuple(group) for group in groups]


def decoded(number: int, sizes: Sequence[int]) -> list[int]:
    """A mixed radix number as its digits, the last one fastest."""
    codes = []
    for size in reversed(sizes):
        number, code = divmod(number, size)
        codes.append(code)
    return codes[::-1]


def masked(
    x: int,
    thresholds: npt.NDArray[np.uint64],
    aliases: npt.NDArray[np.uint16],
    bits: int,
) -> int:
    """The mask that a random number picks by the alias method."""
    slot = x >> 64 - bits if bits else 0
    fraction = x & 2**56 - 1
    return slot if fraction < int(thresholds[slot]) else int(aliases[slot])
