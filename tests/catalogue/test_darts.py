"""DARTS: published genotypes and random ones, on CIFAR-10 and ImageNet."""

from __future__ import annotations

import random

import pytest

import netledger as nl
from catalogue import authors
from catalogue.candidates import assert_one_by_one, assert_textbook, codes_of, how_many
from netledger import spaces
from netledger.spaces.darts import NODES, OPERATIONS, Darts, Genotype

DARTS_V1 = Genotype(
    normal=[
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("skip_connect", 0),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("skip_connect", 2),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=[
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("avg_pool_3x3", 0),
    ],
    reduce_concat=[2, 3, 4, 5],
)

DARTS_V2 = Genotype(
    normal=[
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 0),
        ("sep_conv_3x3", 1),
        ("sep_conv_3x3", 1),
        ("skip_connect", 0),
        ("skip_connect", 0),
        ("dil_conv_3x3", 2),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=[
        ("max_pool_3x3", 0),
        ("max_pool_3x3", 1),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("skip_connect", 2),
        ("max_pool_3x3", 1),
    ],
    reduce_concat=[2, 3, 4, 5],
)

#: Channels, layers and classes of the networks that are evaluated.
NETWORKS = {"cifar10": (36, 20, 10), "imagenet": (48, 14, 1000)}


@pytest.fixture(scope="module", params=tuple(NETWORKS))
def dataset(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def space(dataset: str) -> Darts:
    return spaces.darts(dataset)


def genotypes(count: int) -> list[Genotype]:
    """The published ones, and random ones."""
    draw = random.Random(0)

    def cell() -> list[tuple[str, int]]:
        return [
            (draw.choice(OPERATIONS), state)
            for node in NODES
            for state in draw.sample(range(node), 2)
        ]

    drawn = [Genotype(cell(), NODES, cell(), NODES) for _ in range(count - 2)]
    return [DARTS_V1, DARTS_V2, *drawn]


def in_order(genotype: Genotype) -> Genotype:
    """The edges of each node in the order of their states."""
    normal, reduce = (
        [
            edge
            for i in range(0, 8, 2)
            for edge in sorted(edges[i : i + 2], key=lambda edge: edge[1])
        ]
        for edges in (genotype.normal, genotype.reduce)
    )
    return Genotype(normal, list(NODES), reduce, list(NODES))


def test_size(space: Darts) -> None:
    assert authors.darts_cells() == 1_037_664_180
    assert space.size == 1_037_664_180**2


def test_the_notation_goes_both_ways(space: Darts) -> None:
    for genotype in genotypes(50):
        row = space.encode(genotype)
        assert space.decode(row) == in_order(genotype)
        assert space.encode(genotype._asdict()).tolist() == row.tolist()


def test_genotypes(space: Darts, dataset: str) -> None:
    chosen = genotypes(how_many(500, 4))
    tallies = [authors.darts(genotype, dataset, *NETWORKS[dataset]) for genotype in chosen]
    codes = codes_of(space, chosen)
    assert_textbook(space, codes, tallies)
    costs = space.sweep(codes, metrics=["flops"], conventions="xautodl")
    assert costs["flops"].tolist() == [tally.macs_and_biases for tally in tallies]


def test_published(space: Darts, dataset: str) -> None:
    costs = space.sweep(codes_of(space, [DARTS_V2]))
    # The paper says 3.3 M and 4.7 M.
    assert costs["params"].tolist() == [{"cifar10": 3_349_342, "imagenet": 4_718_752}[dataset]]
    assert costs["macs"].tolist() == [{"cifar10": 528_359_040, "imagenet": 529_911_552}[dataset]]


def test_other_networks() -> None:
    space = spaces.darts(channels=16, layers=8, classes=100)
    chosen = genotypes(how_many(100, 3))
    tallies = [authors.darts(genotype, "cifar10", 16, 8, 100) for genotype in chosen]
    assert_textbook(space, codes_of(space, chosen), tallies)


def test_one_by_one(space: Darts) -> None:
    assert_one_by_one(space, codes_of(space, genotypes(4)[1:]))


def test_what_is_refused(space: Darts) -> None:
    with pytest.raises(nl.SpaceError, match="cifar10 and imagenet, got 'cifar100'"):
        spaces.darts("cifar100")
    for wrong in (
        DARTS_V2._replace(normal_concat=[2, 3, 4]),
        DARTS_V2._replace(reduce=DARTS_V2.reduce[:6]),
        DARTS_V2._replace(normal=[("none", 0), *DARTS_V2.normal[1:]]),
        DARTS_V2._replace(normal=[("sep_conv_3x3", 1), *DARTS_V2.normal[1:]]),  # 1 twice
        DARTS_V2._replace(normal=[("sep_conv_3x3", 2), *DARTS_V2.normal[1:]]),  # itself
    ):
        with pytest.raises(nl.SpaceError):
            space.encode(wrong)
