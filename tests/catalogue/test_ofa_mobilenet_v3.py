"""Once-for-all MobileNetV3: subnets of all depths, kernel sizes, expansions and resolutions."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import netledger as nl
from catalogue import authors
from catalogue.candidates import assert_one_by_one, assert_textbook, codes_of, how_many
from netledger import spaces
from netledger.spaces.ofa_mobilenet_v3 import OnceForAllMobileNetV3

RESOLUTIONS = range(128, 225, 4)


@pytest.fixture(scope="module", params=(1.0, 1.2))
def width_mult(request: pytest.FixtureRequest) -> float:
    value: float = request.param
    return value


@pytest.fixture(scope="module")
def space(width_mult: float) -> OnceForAllMobileNetV3:
    return spaces.ofa_mobilenet_v3(width_mult)


def configs(count: int) -> list[dict[str, Any]]:
    """The largest and the smallest subnet, and random ones."""
    draw = random.Random(0)
    drawn = [
        {
            "ks": draw.choices((3, 5, 7), k=20),
            "e": draw.choices((3, 4, 6), k=20),
            "d": draw.choices((2, 3, 4), k=5),
            "r": draw.choice(RESOLUTIONS),
        }
        for _ in range(count - 2)
    ]
    largest = {"ks": [7] * 20, "e": [6] * 20, "d": [4] * 5, "r": 224}
    smallest = {"ks": [3] * 20, "e": [3] * 20, "d": [2] * 5, "r": 128}
    return [largest, smallest, *drawn]


def without_inactive(config: dict[str, Any]) -> dict[str, Any]:
    used = [i % 4 < config["d"][i // 4] for i in range(20)]
    genes = {
        name: [value if on else 0 for value, on in zip(config[name], used, strict=True)]
        for name in ("ks", "e")
    }
    return {**config, **genes}


def test_size(space: OnceForAllMobileNetV3) -> None:
    stage = authors.combinations_of_depths(3 * 3, (2, 3, 4))
    assert stage == 7_371
    assert space.size == 25 * stage**5 == 25 * 21_758_655_492_572_485_851
    assert space.positions == space.size


def test_the_notation_goes_both_ways(space: OnceForAllMobileNetV3) -> None:
    for config in configs(50):
        row = space.encode(config)
        assert space.decode(row) == without_inactive(config)
        # Genes that the depth leaves out change nothing; `r` may be a list, and called image_size.
        assert space.encode(without_inactive(config)).tolist() == row.tolist()
        named = {name: value for name, value in config.items() if name != "r"}
        assert space.encode({**named, "r": [config["r"]]}).tolist() == row.tolist()
        assert space.encode({**named, "image_size": config["r"]}).tolist() == row.tolist()


def test_subnets(space: OnceForAllMobileNetV3, width_mult: float) -> None:
    chosen = configs(how_many(1_200, 12))
    tallies = [authors.ofa_mobilenet_v3(**config, width_mult=width_mult) for config in chosen]
    codes = codes_of(space, chosen)
    assert_textbook(space, codes, tallies)
    costs = space.sweep(codes, metrics=["flops"], conventions="ofa")
    assert costs["flops"].tolist() == [tally.macs for tally in tallies]


def test_the_largest_subnet() -> None:
    # 7.66 M parameters: the whole of the supernet's weights.
    tally = authors.ofa_mobilenet_v3([7] * 20, [6] * 20, [4] * 5, 224)
    space = spaces.ofa_mobilenet_v3(resolutions=[224])
    costs = space.sweep(codes_of(space, configs(2)[:1]))
    assert costs["params"].tolist() == [tally.params]
    assert costs["macs"].tolist() == [tally.macs]


def test_genes_as_columns(space: OnceForAllMobileNetV3) -> None:
    chosen = configs(how_many(200, 5))
    genes = [np.array([config[name] for config in chosen]) for name in ("ks", "e", "d", "r")]
    by_column = space.sweep(space.columns(*genes))
    by_row = space.sweep(codes_of(space, chosen))
    assert by_column["macs"].tolist() == by_row["macs"].tolist()
    with pytest.raises(nl.SpaceError, match="ks has 20 genes"):
        space.columns(genes[0][:, :19], *genes[1:])


def test_random_subnets(space: OnceForAllMobileNetV3, width_mult: float) -> None:
    for law in ("genes", "architectures"):
        codes = space.random(how_many(300, 4), seed=3, law=law)
        tallies = [
            authors.ofa_mobilenet_v3(**space.decode(row), width_mult=width_mult) for row in codes
        ]
        assert_textbook(space, codes, tallies)


def test_one_by_one(space: OnceForAllMobileNetV3) -> None:
    assert_one_by_one(space, codes_of(space, configs(4)))


def test_what_is_refused(space: OnceForAllMobileNetV3) -> None:
    config = configs(2)[0]
    for wrong in ({"r": 225}, {"d": [2] * 4}, {"ks": [4] * 20}, {"e": [6] * 21}, {"d": [5] * 5}):
        with pytest.raises(nl.SpaceError):
            space.encode({**config, **wrong})
