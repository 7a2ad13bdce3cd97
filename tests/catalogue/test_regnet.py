"""RegNet and AnyNet: the published networks, the generator's quantization, and random tuples."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest

import netledger as nl
from catalogue import authors
from catalogue.candidates import assert_one_by_one, assert_textbook, codes_of, how_many
from netledger import spaces
from netledger.spaces.regnet import (
    FACTORS,
    GENERATOR,
    SLOPES,
    AnyNet,
    RegNet,
    thresholds,
    ties,
    widths,
)

#: Depth, w_0, w_a, w_m, group width; parameters, FLOPs and activations in the authors' model zoo.
REGNET_X = {
    "200MF": ((13, 24, 36.44, 2.49, 8), (2_684_792, 199_040_872, 2_164_056)),
    "400MF": ((22, 24, 24.48, 2.54, 16), (5_157_512, 397_678_568, 3_143_272)),
    "600MF": ((16, 48, 36.97, 2.24, 24), (6_196_040, 600_891_112, 3_975_096)),
    "800MF": ((16, 56, 35.73, 2.28, 16), (7_259_656, 799_700_712, 5_148_744)),
    "1.6GF": ((18, 80, 34.01, 2.25, 24), (9_190_136, 1_602_850_792, 7_933_512)),
    "3.2GF": ((25, 88, 26.31, 2.25, 48), (15_296_552, 3_176_622_952, 11_367_432)),
    "4.0GF": ((23, 96, 38.65, 2.43, 40), (22_118_248, 3_964_499_816, 12_201_608)),
    "6.4GF": ((17, 184, 60.83, 2.07, 56), (26_209_256, 6_460_292_264, 16_369_744)),
    "8.0GF": ((23, 80, 49.56, 2.88, 120), (39_572_648, 7_995_133_416, 14_059_688)),
    "12GF": ((19, 168, 73.36, 2.37, 112), (46_106_056, 12_086_679_016, 21_366_568)),
    "16GF": ((22, 216, 55.59, 2.1, 128), (54_278_536, 15_940_756_456, 25_515_496)),
    "32GF": ((23, 320, 69.86, 2.0, 168), (107_811_560, 31_735_930_792, 36_302_160)),
}
REGNET_Y = {
    "200MF": ((13, 24, 36.44, 2.49, 8), (3_162_996, 199_519_076, 2_168_052)),
    "400MF": ((16, 48, 27.89, 2.09, 8), (4_344_144, 401_849_056, 3_892_496)),
    "600MF": ((15, 48, 32.54, 2.32, 16), (6_055_160, 601_227_608, 4_334_296)),
    "800MF": ((14, 56, 38.84, 2.4, 16), (6_263_168, 797_183_328, 5_249_888)),
    "1.6GF": ((27, 48, 20.71, 2.65, 24), (11_202_430, 1_612_087_326, 8_044_814)),
    "3.2GF": ((21, 80, 42.63, 2.66, 24), (19_436_338, 3_176_496_162, 11_263_418)),
    "4.0GF": ((22, 96, 31.41, 2.24, 64), (20_646_656, 3_973_301_344, 12_287_200)),
    "6.4GF": ((25, 112, 33.22, 2.27, 72), (30_583_252, 6_355_221_876, 16_407_188)),
    "8.0GF": ((17, 192, 76.82, 2.19, 56), (39_180_068, 7_963_074_196, 17_968_916)),
    "12GF": ((19, 168, 73.36, 2.37, 112), (51_822_544, 12_092_395_504, 21_384_496)),
    "16GF": ((18, 200, 106.23, 2.48, 112), (83_590_140, 15_911_534_044, 23_041_228)),
    "32GF": ((20, 232, 115.89, 2.53, 232), (145_046_770, 32_279_583_362, 30_261_570)),
}


STARTS = list(range(8, 257, 8))


@pytest.fixture(scope="module")
def space() -> RegNet:
    return spaces.regnet()


def published(networks: dict[str, Any], se_ratio: float) -> RegNet:
    """A space that has the parameters of the published networks."""
    depth, w_0, w_a, w_m, group_width = (
        sorted(set(values))
        for values in zip(*(config for config, _ in networks.values()), strict=True)
    )
    return spaces.regnet(depth, w_0, w_a, w_m, group_width, se_ratio=se_ratio)


def config_of(*parameters: float) -> dict[str, float]:
    return dict(zip(GENERATOR, parameters, strict=True))


def tuples(count: int) -> list[tuple[int, int, float, float, int]]:
    """As the authors' sampler draws them: depth uniform, the rest log-uniform."""
    draw = random.Random(0)

    def log_uniform(low: int, high: int) -> float:
        return math.exp(draw.uniform(math.log(low), math.log(high)))

    return [
        (
            draw.randint(12, 28),
            8 * math.ceil(log_uniform(1, 32)),
            math.ceil(log_uniform(80, 2560)) / 10,
            math.ceil(log_uniform(2000, 3000)) / 1000,
            8 * math.ceil(log_uniform(1, 16)),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(("networks", "se_ratio"), [(REGNET_X, 0), (REGNET_Y, 0.25)])
def test_published(networks: dict[str, Any], se_ratio: float) -> None:
    space = published(networks, se_ratio)
    codes = codes_of(space, [config_of(*config) for config, _ in networks.values()])
    costs = space.sweep(codes, metrics=["params", "flops", "activations"], conventions="pycls")
    for row, (_, figures) in enumerate(networks.values()):
        assert tuple(costs[metric][row] for metric in ("params", "flops", "activations")) == figures
    tallies = [
        authors.anynet(authors.regnet_stages(*config) or [], se_ratio)
        for config, _ in networks.values()
    ]
    assert_textbook(space, codes, tallies)


def test_the_notation_goes_both_ways(space: RegNet) -> None:
    for parameters in tuples(50):
        config = config_of(*parameters)
        assert space.decode(space.encode(config)) == config


def test_random_tuples(space: RegNet) -> None:
    drawn = tuples(how_many(5_000, 60))
    codes = codes_of(space, [config_of(*parameters) for parameters in drawn])
    stages = [authors.regnet_stages(*parameters) for parameters in drawn]
    costs = space.sweep(codes)
    assert costs.valid.tolist() == [found is not None for found in stages]
    assert 0.05 < costs.valid.mean() < 0.95
    refused = int(np.flatnonzero(~costs.valid)[0])
    assert "4 stages" in costs.reason(refused)
    # One of the walks through the blocks takes longer than a thousand sweeps.
    some = np.flatnonzero(costs.valid)[: how_many(500, 10)]
    assert_textbook(space, codes[some], [authors.anynet(stages[row] or []) for row in some])


def test_the_tables_are_the_authors_floating_point() -> None:
    """Number of blocks below each level, for every w_0 and w_a and some w_m, those of ties first.

    A level is reached where log(u / w_0) / log(w_m) is a half, and then the last bit of w_a j + w_0
    decides, if w_m is 1.5, 1.6 or 1.7 squared. Eleven of them go against the table.
    """
    factors = [2.25, 2.56, 2.89, *random.Random(0).sample(FACTORS, 12)]
    tenths = np.arange(80, 2561)
    u = np.arange(28) * np.array(SLOPES)[:, None] + np.array(STARTS)[:, None, None]
    logarithms = np.log(u / np.array(STARTS)[:, None, None])
    corrections = 0
    for level in range(1, 5):
        table = thresholds(STARTS, factors, level, 10)
        found = ties(STARTS, SLOPES, factors, level, 10, 28)
        corrections += len(found)
        for column, w_m in enumerate(factors):
            below = np.minimum(28, -(-table[:, column, None] // tenths))
            for values, difference in found:
                if values[2] == w_m:
                    below[STARTS.index(values[0]), SLOPES.index(values[1])] += difference
            levels = np.round(logarithms / np.log(w_m))
            assert np.array_equal(below, (levels < level).sum(axis=2)), (level, w_m)
    assert corrections <= 40


def test_small_multipliers() -> None:
    """Levels that are rounded to the same width are no stages."""
    factors = [1.05, 1.2, 1.35, 1.5]
    space = spaces.regnet(range(4, 13), (8, 16, 40), (2.5, 4, 8.25), factors, [8])
    drawn = list(itertools.product(range(4, 13), (8, 16, 40), (2.5, 4, 8.25), factors, [8]))
    stages = [authors.regnet_stages(*parameters) for parameters in drawn]
    costs = space.sweep(codes_of(space, [config_of(*parameters) for parameters in drawn]))
    assert costs["params"].tolist() == [
        authors.anynet(found).params if found else -1 for found in stages
    ]
    assert 0 < costs.valid.sum() < len(drawn)
    reasons = {costs.reason(row) for row in np.flatnonzero(~costs.valid).tolist()}
    assert any("differ in width" in reason for reason in reasons)


def test_ties(space: RegNet) -> None:
    """Tuples whose blocks lie on the border between two levels."""
    drawn = [
        (depth, w_0, w_0 * tenths / 10, w_m, 16)
        for w_m, tenths in ((2.25, 5), (2.56, 6), (2.89, 7), (2.25, 1), (2.56, 2), (2.89, 1))
        for w_0 in (80, 88, 128, 144, 176, 216, 256)
        for depth in (20, 28)
        if 80 <= w_0 * tenths <= 2560 and w_0 * tenths / 10 in SLOPES
    ]
    for level in range(1, 5):
        for values, _ in ties(STARTS, SLOPES, FACTORS, level, 10, 28):
            drawn += [(depth, *values, 16) for depth in (12, 20, 28)]
    codes = codes_of(space, [config_of(*parameters) for parameters in drawn])
    stages = [authors.regnet_stages(*parameters) for parameters in drawn]
    costs = space.sweep(codes)
    assert costs.valid.tolist() == [found is not None for found in stages]
    expected = [authors.anynet(found).params if found else -1 for found in stages]
    assert costs["params"].tolist() == expected


def test_the_widths_are_the_authors_floating_point() -> None:
    for level in range(4):
        table = widths(STARTS, FACTORS, level)
        for row, w_0 in enumerate(STARTS):
            for column in range(0, 1001, 7):
                power = np.power(FACTORS[column], np.array([level], dtype=float))
                assert table[row, column] == np.round(w_0 * power / 8).astype(int)[0] * 8


def test_one_by_one(space: RegNet) -> None:
    valid = [parameters for parameters in tuples(60) if authors.regnet_stages(*parameters)]
    assert_one_by_one(space, codes_of(space, [config_of(*valid[row]) for row in range(3)]))


def test_what_the_generator_is_not_given(space: RegNet) -> None:
    config = config_of(13, 24, 36.4, 2.49, 8)
    space.encode(config)
    for wrong in ({"W0": 20}, {"WA": 36.44}, {"WM": 2.4995}, {"DEPTH": 11}, {"STEM_W": 32}):
        with pytest.raises(nl.SpaceError):
            space.encode({**config, **wrong})
    with pytest.raises(nl.SpaceError, match="w_0 is a multiple of 8"):
        spaces.regnet(w_0=[20])
    with pytest.raises(nl.SpaceError, match="w_m above 1"):
        spaces.regnet(w_m=[1.0])


# -- AnyNet ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def any_space() -> AnyNet:
    return spaces.anynet()


def stages_of(count: int) -> list[dict[str, list[Any]]]:
    draw = random.Random(0)
    domains = {
        "DEPTHS": range(1, 17),
        "WIDTHS": range(8, 1025, 8),
        "BOT_MULS": (1, 0.5, 0.25),
        "GROUP_WS": (1, 2, 4, 8, 16, 32),
    }
    return [
        {name: draw.choices(domain, k=4) for name, domain in domains.items()} for _ in range(count)
    ]


def walked(config: dict[str, list[Any]], se_ratio: float = 0) -> authors.Tally | None:
    """The network, None if a convolution's groups do not divide its channels."""
    stages = []
    for depth, width, bottleneck, group in zip(*config.values(), strict=True):
        inner = round(width * bottleneck)
        if inner < group or inner % (inner // group):
            return None
        stages.append((depth, width, inner, group))
    return authors.anynet(stages, se_ratio)


@pytest.mark.parametrize("se_ratio", [0, 0.25])
def test_any_networks(any_space: AnyNet, se_ratio: float) -> None:
    space = any_space if se_ratio == 0 else spaces.anynet(se_ratio=se_ratio)
    chosen = stages_of(how_many(400, 12))
    codes = codes_of(space, chosen)
    tallies = [walked(config, se_ratio) for config in chosen]
    costs = space.sweep(codes, metrics=["flops"], conventions="pycls")
    assert costs.valid.tolist() == [tally is not None for tally in tallies]
    assert costs["flops"].tolist() == [
        -1 if tally is None else tally.macs_and_biases for tally in tallies
    ]
    assert_textbook(space, codes[costs.valid], [tally for tally in tallies if tally is not None])


def test_the_notation_of_anynet_goes_both_ways(any_space: AnyNet) -> None:
    for config in stages_of(50):
        assert any_space.decode(any_space.encode(config)) == config


def test_the_raw_size_of_anynet(any_space: AnyNet) -> None:
    # Some of them are refused: this many positions there are at the least, and at the most.
    assert any_space.positions <= (16 * 128 * 3 * 6) ** 4
