"""NAS-Bench-101: modules with and without pruned vertices."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import netledger as nl
from catalogue import authors
from catalogue.candidates import assert_one_by_one, assert_textbook, codes_of, how_many
from netledger import spaces
from netledger.spaces.nas_bench_101 import OPERATIONS, NasBench101

CONV3, CONV1, POOL = OPERATIONS


def module(edges: str, *operations: str) -> tuple[Any, list[str]]:
    """A module from its edges, as ``"01 12"``."""
    labels = ["input", *operations, "output"]
    matrix = np.zeros((len(labels), len(labels)), dtype=int)
    for start, end in edges.split():
        matrix[int(start), int(end)] = 1
    return matrix, labels


#: Modules and the parameters of their networks.
KNOWN = {
    # The one that looks like Inception, in the benchmark's README.
    "inception": (
        module("01 02 03 05 16 26 34 46 56", CONV1, CONV3, CONV3, CONV3, POOL),
        2_694_282,
    ),
    "lightest": (module("01 12 13 14 15 25 35 45", POOL, POOL, POOL, POOL), 227_274),
    "heaviest": (
        module("01 02 03 04 12 23 34 45 56", CONV3, CONV3, CONV3, CONV3, CONV3),
        49_979_274,
    ),
    "input to output": (module("01"), 882_570),
}


@pytest.fixture(scope="module")
def space() -> NasBench101:
    return spaces.nas_bench_101()


def modules(count: int) -> list[tuple[Any, list[str]]]:
    """Random ones of 2 to 7 vertices, of all densities."""
    draw = random.Random(0)
    drawn = []
    for _ in range(count):
        vertices = draw.choice((2, 3, 4, 5, 6, 7, 7, 7, 7))
        density = draw.uniform(0.2, 0.7)
        matrix = np.triu(
            [[draw.random() < density for _ in range(vertices)] for _ in range(vertices)], 1
        ).astype(int)
        drawn.append((matrix, ["input", *draw.choices(OPERATIONS, k=vertices - 2), "output"]))
    return drawn


@pytest.mark.parametrize("name", KNOWN)
def test_known(space: NasBench101, name: str) -> None:
    chosen, params = KNOWN[name]
    tally = authors.nas_bench_101(*chosen)
    assert tally is not None
    assert tally.params == params
    assert_textbook(space, codes_of(space, [chosen]), [tally])


def test_random_modules(space: NasBench101) -> None:
    drawn = [chosen for chosen in modules(how_many(4_000, 60)) if authors.pruned(*chosen)]
    codes = codes_of(space, drawn)
    tallies = [authors.nas_bench_101(*chosen) for chosen in drawn]
    costs = space.sweep(codes)
    assert costs.valid.tolist() == [tally is not None for tally in tallies]
    assert 0.1 < costs.valid.mean() < 0.95
    for row in np.flatnonzero(~costs.valid).tolist():
        assert "at most 9 edges" in costs.reason(row)
    assert_textbook(space, codes[costs.valid], [tally for tally in tallies if tally is not None])


def test_modules_with_a_dead_end(space: NasBench101) -> None:
    # Vertex 2 leads nowhere; a row of codes can say so, the authors' notation cannot.
    values = {"vertices": 4, "op_1": CONV3, "op_2": POOL}
    edges = {"edge_0_1": 1, "edge_0_2": 1, "edge_0_6": 0, "edge_1_2": 0, "edge_1_6": 1}
    dead_end = space.encode({**values, **edges, "edge_2_6": 0})
    costs = space.sweep(np.stack([dead_end, space.encode({**values, **edges, "edge_2_6": 1})]))
    assert costs.valid.tolist() == [False, True]
    assert "every vertex is on a path" in costs.reason(0)


def test_the_notation_goes_both_ways(space: NasBench101) -> None:
    for chosen in modules(60):
        module = authors.pruned(*chosen)
        if module is None:
            with pytest.raises(nl.SpaceError, match="no path leads from input to output"):
                space.encode(chosen)
            continue
        row = space.encode(chosen)
        matrix, labels = space.decode(row)
        assert np.array_equal(matrix, module[0])
        assert labels == module[1]
        assert space.encode((matrix, labels)).tolist() == row.tolist()


def test_the_number_of_modules() -> None:
    """All matrices in which every vertex is on a path, with 3 operations for each inner vertex."""
    total = 0
    for count in range(2, 8):
        pairs = [(u, v) for u in range(count) for v in range(u + 1, count)]
        numbers = np.arange(2 ** len(pairs))
        edges = {pair: (numbers >> i) & 1 for i, pair in enumerate(pairs)}
        reached = {0: np.ones_like(numbers)}
        for v in range(1, count):
            reached[v] = np.bitwise_or.reduce([edges[u, v] & reached[u] for u in range(v)])
        leading = {count - 1: np.ones_like(numbers)}
        for v in reversed(range(count - 1)):
            later = range(v + 1, count)
            leading[v] = np.bitwise_or.reduce([edges[v, u] & leading[u] for u in later])
        valid = np.bitwise_and.reduce([reached[v] & leading[v] for v in range(count)])
        few = sum(edges.values(), np.zeros_like(numbers)) <= 9
        total += int((valid & few).sum()) * 3 ** (count - 2)
    assert total == 1_293_208


def test_one_by_one(space: NasBench101) -> None:
    assert_one_by_one(space, codes_of(space, [chosen for chosen, _ in KNOWN.values()]))


def test_what_is_refused(space: NasBench101) -> None:
    matrix, labels = KNOWN["inception"][0]
    for wrong in (
        (matrix.T, labels),
        (matrix[:6], labels),
        (matrix, labels[:-1]),
        (np.zeros((8, 8)), ["input", *[CONV3] * 6, "output"]),
        (matrix, [label.replace("conv1x1", "conv5x5") for label in labels]),
    ):
        with pytest.raises(nl.SpaceError):
            space.encode(wrong)
