"""AutoFormer: the published subnets and random ones."""

from __future__ import annotations

import random
from typing import Any

import pytest

import netledger as nl
from catalogue import authors
from catalogue.candidates import assert_one_by_one, assert_textbook, codes_of, how_many
from netledger import spaces
from netledger.spaces.autoformer import SIZES, AutoFormer

#: Embedding width, MLP ratios, heads and parameters of the published networks.
PUBLISHED = {
    "tiny": (
        192,
        [3.5, 3.5, 3, 3.5, 3, 3, 4, 4, 3.5, 4, 3.5, 4, 3.5],
        [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3],
        5_867_944,
    ),
    "small": (
        384,
        [3, 3.5, 3, 3.5, 4, 4, 4, 4, 4, 4, 4, 3.5, 4],
        [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
        22_891_432,
    ),
    "base": (
        576,
        [3.5, 3.5, 4, 3.5, 4, 3.5, 3.5, 3, 4, 4, 3, 4, 3, 3.5],
        [9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10],
        53_691_688,
    ),
}

NETWORKS = {
    "tiny": 1_056_964_608,
    "small": 3 * (9**12 + 9**13 + 9**14),
    "base": 3 * (6**14 + 6**15 + 6**16),
}


@pytest.fixture(scope="module", params=tuple(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def space(size: str) -> AutoFormer:
    return spaces.autoformer(size)


def config_of(width: int, ratios: list[float], heads: list[int]) -> dict[str, Any]:
    return {
        "layer_num": len(ratios),
        "embed_dim": [width] * len(ratios),
        "mlp_ratio": ratios,
        "num_heads": heads,
    }


def networks(size: str, count: int) -> list[tuple[int, list[float], list[int]]]:
    draw = random.Random(0)
    widths, depths, heads, ratios = SIZES[size]
    drawn = []
    for _ in range(count):
        depth = draw.choice(depths)
        drawn.append(
            (draw.choice(widths), draw.choices(ratios, k=depth), draw.choices(heads, k=depth))
        )
    return drawn


def test_size(space: AutoFormer, size: str) -> None:
    assert space.size == NETWORKS[size]


def test_the_notation_goes_both_ways(space: AutoFormer, size: str) -> None:
    for network in networks(size, 50):
        config = config_of(*network)
        row = space.encode(config)
        assert space.decode(row) == config
        assert space.encode({**config, "embed_dim": network[0]}).tolist() == row.tolist()


def test_networks(space: AutoFormer, size: str) -> None:
    chosen = networks(size, how_many(300, 4))
    expected = [authors.autoformer(*network) for network in chosen]
    codes = codes_of(space, [config_of(*network) for network in chosen])
    assert_textbook(space, codes, [tally for tally, _ in expected])
    costs = space.sweep(codes, metrics=["complexity"])
    assert costs["complexity"].tolist() == [complexity for _, complexity in expected]


def test_published(size: str) -> None:
    # The published AutoFormer-T has ratios that are not in the authors' file of its supernet.
    width, ratios, heads, params = PUBLISHED[size]
    space = spaces.autoformer(size, mlp_ratios=(3, 3.5, 4))
    codes = codes_of(space, [config_of(width, ratios, heads)])
    tally, _ = authors.autoformer(width, ratios, heads)
    assert tally.params == params
    assert_textbook(space, codes, [tally])


def test_one_by_one(space: AutoFormer, size: str) -> None:
    configs = [config_of(*network) for network in networks(size, 3)]
    assert_one_by_one(space, codes_of(space, configs))


def test_what_is_refused(space: AutoFormer, size: str) -> None:
    with pytest.raises(nl.SpaceError, match="tiny, small, base; got 'large'"):
        spaces.autoformer("large")
    config = config_of(*networks(size, 1)[0])
    depth = config["layer_num"]
    for wrong in (
        {"layer_num": depth + 1},
        {"num_heads": [*config["num_heads"][1:], 1]},
        {"mlp_ratio": [*config["mlp_ratio"][1:], 3.25]},
        {"embed_dim": 200},
        {"embed_dim": [192, 240]},
    ):
        with pytest.raises(nl.SpaceError):
            space.encode({**config, **wrong})
