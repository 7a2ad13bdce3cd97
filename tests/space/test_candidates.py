"""Random, mutated and crossed candidates, positions, hashes: the same numbers on every machine."""

from __future__ import annotations

import itertools
import pickle
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

import netledger as nl
from netledger._alias import UNIT, mask_tables

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix(z: int) -> int:
    """The finaliser of splitmix64."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def splitmix(seed: int, count: int) -> list[int]:
    """Numbers of the well-known generator."""
    return [mix((seed + (i + 1) * GOLDEN) & MASK) for i in range(count)]


def key(seed: int, purpose: int) -> int:
    """The key of a stream."""
    return mix((mix(seed) + purpose * GOLDEN) & MASK)


def elastic() -> nl.Space:
    """A network of elastic depth: 3 + 9 + 27 configurations, of 3 * 27 rows of codes."""
    space = nl.Space()
    x = space.input(1, 4, 8, 8)

    def block(i: int, x: nl.Tensor) -> nl.Tensor:
        kernel = space.choice(f"kernel {i}", [1, 3, 5])
        return nl.conv2d(x, 4, kernel, padding=kernel // 2)

    space.output(space.repeat(space.choice("depth", [1, 2, 3]), block, x))
    return space


def test_splitmix_is_the_published_one() -> None:
    # The first numbers of splitmix64 with the seed 1234567.
    assert splitmix(1234567, 3) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_random_genes_are_multiplied_down() -> None:
    space = elastic()
    codes = space.random(2000, seed=7)
    assert codes.dtype == np.uint8
    stream = splitmix(key(7, 1), len(codes))
    # The high half of a 128-bit product; the rejection of a few of 2**64 does not show here.
    expected = [np.unravel_index(x * 81 >> 64, (3, 3, 3, 3)) for x in stream]
    assert np.array_equal(codes, np.array(expected))
    assert np.array_equal(space.random(500, seed=7), codes[:500])
    assert not np.array_equal(space.random(500, seed=8), codes[:500])
    assert np.array_equal(space.random(5, seed=-1), space.random(5, seed=2**64 - 1))


def test_groups_of_variables() -> None:
    space = nl.Space()
    for i in range(10):
        space.choice(f"bit {i}", [0, 1])
    for i in range(3):
        space.choice(f"byte {i}", range(256))
    space.choice("word", range(65_536))
    codes = space.random(300, seed=3)
    assert codes.dtype == np.uint16
    sizes = [(2,) * 8, (2, 2, 256), (256, 256), (65_536,)]
    stream = iter(splitmix(key(3, 1), 300 * len(sizes)))
    for row in codes.tolist():
        expected = [
            int(code)
            for group in sizes
            for code in np.unravel_index(next(stream) * int(np.prod(group)) >> 64, group)
        ]
        assert row == expected


def test_laws() -> None:
    space = elastic()
    count = 4000
    genes = Counter(space.random(count, seed=1)[:, 0].tolist())
    architectures = space.random(count, seed=1, law="architectures")
    assert np.array_equal(space.canonical(architectures), architectures)
    networks = Counter(architectures[:, 0].tolist())
    for depth in range(3):
        # Five standard deviations around what is expected.
        for found, probability in (
            (genes[depth], 1 / 3),
            (networks[depth], 3 ** (depth + 1) / 39),
        ):
            deviation = (count * probability * (1 - probability)) ** 0.5
            assert abs(found - count * probability) < 5 * deviation
    # The first kernel is a digit of its own, the depth and the other kernels are another.
    stream = iter(splitmix(key(1, 2), 200))
    positions = [(next(stream) * 13 >> 64) * 3 + (next(stream) * 3 >> 64) for _ in range(100)]
    expected = space.enumerate()[positions]
    assert np.array_equal(architectures[:100], expected)


def test_random_configurations_meet_the_constraints() -> None:
    space = elastic()
    total = sum(space.variables[f"kernel {i}"] for i in range(3))
    space.require(total <= 5, "small kernels")
    for law in ("genes", "architectures"):
        codes = space.random(300, seed=5, law=law)
        assert space.sweep(codes).valid.all()
        assert len(np.unique(codes, axis=0)) >= 9
        assert np.array_equal(space.random(40, seed=5, law=law), codes[:40])
    space = nl.Space()
    bits = [space.choice(f"bit {i}", [0, 1]) for i in range(20)]
    nl.linear(space.input(1, 3), 4)
    space.require(sum(bits) == 20, "all bits")
    with pytest.raises(nl.SpaceError, match="candidate 0: 10000 attempts in a row were refused"):
        space.random(1)


def test_positions_of_linked_variables() -> None:
    space = elastic()
    assert space.size == space.positions == 39
    codes = space.enumerate()
    # The first kernel is always there: a digit of its own, and the last one.
    expected = [
        (depth, first, *kernels, *(0,) * (2 - depth))
        for depth in range(3)
        for kernels in itertools.product(range(3), repeat=depth)
        for first in range(3)
    ]
    assert [tuple(row) for row in codes.tolist()] == expected
    assert np.array_equal(space.enumerate(5, 11), codes[5:11])
    packed = space.pack(codes)
    assert packed.codes.tolist() == [[i, j] for i in range(13) for j in range(3)]
    assert np.array_equal(space.unpack(packed), codes)
    some = space.random(50, seed=2)
    assert np.array_equal(space.unpack(space.pack(some)), space.canonical(some))


def test_positions_of_independent_variables() -> None:
    space = nl.Space()
    a, b = space.choice("a", [1, 2, 3]), space.choice("b", range(5))
    space.choice("c", ["x", "y"])
    space.require(a != 2, "not 2")
    nl.linear(space.input(1, a), b + 1)
    assert space.size == 2 * 5 * 2
    expected = [(a, b, c) for a in (0, 2) for b in range(5) for c in range(2)]
    assert [tuple(row) for row in space.enumerate().tolist()] == expected
    with pytest.raises(nl.SpaceError, match=r"row 1: a step refuses .* by digit 0 alone"):
        space.pack([[0, 0, 0], [1, 0, 0]])


def test_a_constraint_over_many_variables_stays_a_refusal() -> None:
    space = nl.Space()
    numbers = [space.choice(f"n{i}", range(10)) for i in range(6)]
    nl.linear(space.input(1, 1), 1)
    space.require(sum(numbers) >= 50, "large")
    assert space.positions == 10**6
    with pytest.raises(nl.SpaceError, match="the number of configurations is not known"):
        _ = space.size
    costs = space.sweep_range(999_000, 1_000_000).costs()
    assert costs.valid.sum() == sum(
        a + b + c >= 23 for a, b, c in itertools.product(range(10), repeat=3)
    )


def test_a_large_component_is_counted_variable_by_variable() -> None:
    space = nl.Space()
    depth = space.choice("depth", [1, 2])
    x = space.input(1, 4)
    with space.when(depth > 1):
        nl.linear(nl.linear(x, space.integer("w0", 1, 300)), space.integer("w1", 1, 300))
    assert space.positions == 2 * 300 * 300
    codes = space.random(200, seed=0, law="architectures")
    assert np.array_equal(space.canonical(codes), codes)
    found = space.sweep_range(89_998, 90_002).costs()
    assert found.refusals.tolist() == [0xFFFFFFFF, 0xFFFFFFFF, 0, 0]
    assert "another spelling" in found.reason(1)
    assert found.params.tolist() == [-1, -1, 5 + 2, 5 + 4]
    assert space.sweep_range(0, 1).costs().params.tolist() == [0]


def test_mutation_is_the_alias_method() -> None:
    space = elastic()
    parents = space.random(500, seed=1)
    rates = {"depth": 0.5, "kernel 1": 0.125}
    children = space.mutate(parents, rates, seed=9)
    thresholds, aliases = mask_tables([0.5, 0.0, 0.125, 0.0])
    stream = splitmix(key(9, 3), 2 * len(parents))
    for row, parent in enumerate(parents.tolist()):
        first, second = stream[2 * row : 2 * row + 2]
        slot, rest = first >> 60, first & (UNIT - 1)
        mask = slot if rest < int(thresholds[slot]) else int(aliases[slot])
        drawn = np.unravel_index(second * 81 >> 64, (3, 3, 3, 3))
        expected = [
            int(new) if mask >> bit & 1 else old
            for bit, (old, new) in enumerate(zip(parent, drawn, strict=True))
        ]
        assert children[row].tolist() == expected
    assert np.array_equal(children[:, [1, 3]], parents[:, [1, 3]])
    assert np.array_equal(space.mutate(parents, 0.0, seed=9), parents)
    anew = space.mutate(parents, 1.0, seed=9)
    assert 0.6 < np.mean(anew != parents) < 0.73
    assert np.array_equal(space.random(500, seed=1), parents)


@pytest.mark.parametrize(
    "rates", [[], [0.1], [0.0, 1.0], [0.5] * 3, [0.1, 0.02, 0.7, 1e-9], [1 / 3] * 8]
)
def test_alias_tables_have_the_exact_probabilities(rates: list[float]) -> None:
    thresholds, aliases = mask_tables(rates)
    count = 2 ** len(rates)
    assert len(thresholds) == len(aliases) == count
    weights = [0] * count
    for slot in range(count):
        weights[slot] += int(thresholds[slot])
        weights[int(aliases[slot])] += UNIT - int(thresholds[slot])
    assert sum(weights) == count * UNIT
    for mask, weight in enumerate(weights):
        exact = Fraction(1)
        for bit, rate in enumerate(rates):
            exact *= Fraction(rate) if mask >> bit & 1 else 1 - Fraction(rate)
        assert abs(weight - exact * count * UNIT) <= count


def test_crossover_takes_every_variable_from_a_parent() -> None:
    space = nl.Space()
    for i in range(70):
        space.choice(f"v{i}", range(4))
    a, b = space.random(200, seed=1), space.random(200, seed=2)
    children = space.crossover(a, b, seed=4)
    words = splitmix(key(4, 4), 400)
    for row in range(200):
        bits = [words[2 * row + v // 64] >> (63 - v % 64) & 1 for v in range(70)]
        expected = np.where(np.array(bits) == 1, b[row], a[row])
        assert np.array_equal(children[row], expected)


def test_hashes_and_duplicates() -> None:
    space = elastic()
    codes = np.array([[0, 1, 2, 2], [1, 1, 2, 0], [0, 1, 0, 1], [1, 1, 2, 1]], dtype=np.uint8)
    hashes = space.hash(codes)
    assert hashes.dtype == np.uint64
    expected = []
    for row in space.canonical(codes).tolist():
        h = 0
        for variable, code in enumerate(row):
            h = mix(h ^ ((code + (variable + 1) * GOLDEN) & MASK))
        expected.append(h)
    assert hashes.tolist() == expected
    assert hashes[0] == hashes[2]
    assert len(set(space.hash(space.enumerate()).tolist())) == 39
    assert space.unique(codes).tolist() == [0, 1]
    assert space.unique(np.concatenate([codes, space.enumerate()])).tolist() == [
        0,
        1,
        *(
            4 + i
            for i, row in enumerate(space.enumerate().tolist())
            if row not in ([0, 1, 0, 0], [1, 1, 2, 0])
        ),
    ]


def test_linked_variables_are_one_digit() -> None:
    space = nl.Space()
    first, second = space.choice("first", [1, 2, 3]), space.choice("second", [1, 2])
    third = space.choice("third", range(1, 301))
    space.output(nl.linear(space.input(1, first), second * third))
    codes = space.random(50, seed=1)
    separate = space.sweep(codes)["macs"]
    assert space.digits == ((("first",), 3), (("second",), 2), (("third",), 300))
    space.link(first, third)
    assert space.digits == ((("first", "third"), 900), (("second",), 2))
    assert space.size == 1800
    packed = space.pack(codes)
    assert np.array_equal(space.sweep(packed)["macs"], separate)
    assert np.array_equal(space.unpack(packed), codes)
    positions = space.enumerate()
    assert positions[:3].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert len(space.unique(positions)) == 1800
    assert pickle.loads(pickle.dumps(space)).digits == space.digits

    wide = [space.choice(f"wide{i}", range(1000)) for i in range(2)]
    space.link(*wide)
    assert space.digits[2:] == ((("wide0",), 1000), (("wide1",), 1000))
    with pytest.raises(nl.SpaceError, match="link takes variables of this space, got 7"):
        space.link(7)
    with pytest.raises(nl.SpaceError, match="link takes variables of this space"):
        nl.Space().link(first)
