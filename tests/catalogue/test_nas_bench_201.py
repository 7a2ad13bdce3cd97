"""NAS-Bench-201: every cell on the three data sets."""

from __future__ import annotations

import pytest

import netledger as nl
from catalogue import authors
from catalogue.candidates import COMPILED, assert_one_by_one, assert_textbook, codes_of
from netledger import spaces
from netledger.spaces.nas_bench_201 import NasBench201, architectures

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")

#: As the benchmark's authors check them.
ORDER = {
    0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
    9: "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    123: "|avg_pool_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
}

#: FLOPs of architecture 0 in the benchmark, in units.
PUBLISHED = {"cifar10": 15_647_370, "cifar100": 15_653_220, "ImageNet16-120": 3_919_480}


@pytest.fixture(scope="module", params=DATASETS)
def dataset(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def space(dataset: str) -> NasBench201:
    return spaces.nas_bench_201(dataset)


def cells() -> list[str]:
    """All cells; for the twin, one for each number of 1x1 and of 3x3 convolutions and a sample."""
    every = architectures()
    if COMPILED:
        return list(every)
    of_a_kind = {(arch.count("1x1"), arch.count("conv_3x3")): arch for arch in every}
    return [*of_a_kind.values(), *every[:30]]


def test_size(space: NasBench201) -> None:
    assert space.size == 5**6 == 15_625


def test_the_index_of_the_benchmark(space: NasBench201) -> None:
    assert len(set(architectures())) == 15_625
    for index, arch in ORDER.items():
        assert architectures()[index] == arch
        assert space.encode(index).tolist() == space.encode(arch).tolist()


def test_the_notation_goes_both_ways(space: NasBench201) -> None:
    for arch in cells():
        assert space.decode(space.encode(arch)) == arch


def test_every_cell(space: NasBench201, dataset: str) -> None:
    archs = cells()
    codes = codes_of(space, archs)
    assert_textbook(space, codes, [authors.nas_bench_201(arch, dataset) for arch in archs])


def test_every_cell_as_the_benchmark_counts(space: NasBench201, dataset: str) -> None:
    archs = cells()
    costs = space.sweep(codes_of(space, archs), metrics=["flops", "params"], conventions="xautodl")
    counted = list(zip(costs["flops"].tolist(), costs["params"].tolist(), strict=True))
    assert counted == [authors.nas_bench_201_closed_form(arch, dataset) for arch in archs]
    # Only the numbers of 1x1 and of 3x3 convolutions matter: 1 + 2 + ... + 7 pairs.
    assert len(set(counted)) == 28


def test_published(space: NasBench201, dataset: str) -> None:
    codes = codes_of(space, [0])
    costs = space.sweep(codes, metrics=["flops"], conventions="xautodl")
    assert costs["flops"].tolist() == [PUBLISHED[dataset]]


def test_one_by_one(space: NasBench201) -> None:
    assert_one_by_one(space, codes_of(space, list(ORDER)))


def test_what_is_refused(space: NasBench201) -> None:
    with pytest.raises(nl.SpaceError, match="ImageNet16-120; got 'imagenet'"):
        spaces.nas_bench_201("imagenet")
    with pytest.raises(nl.SpaceError, match="indices 0 to 15,624, got 15625"):
        space.encode(15_625)
    for arch in (
        "",
        "nor_conv_1x1",
        ORDER[9].replace("none", "sep_conv_3x3"),
        ORDER[9].replace("~2", "~3"),
        ORDER[9].partition("+")[2],
    ):
        with pytest.raises(nl.SpaceError):
            space.encode(arch)


def test_the_notation_is_a_configuration() -> None:
    space = nl.spaces.nas_bench_201("cifar10")
    cell = "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|"
    row = space.encode(cell)
    assert space.cost(cell) == space.cost(row) == space.cost(list(row))
    assert space.graph(cell).count().params == space.cost(row)["params"]
