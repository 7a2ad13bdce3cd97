"""Candidates a second, in one process, against good numpy on the same candidates.

The once-for-all space (params and MACs, all 25 resolutions), its packed form, its enumeration;
RegNet by the parameters of its generator; random and mutated candidates; one candidate at a time.

Goals, one thread unless said: genes 10 times a numpy look-up and 35 M/s; packed codes 5 times numpy
tables of stages and 150 M/s; two threads 1.8 times one; enumeration with a histogram 300 M/s;
RegNet 2 M/s; random and mutate 30 M/s; `cost` 2 us; compiling 0.2 s. Checked first: the answers
agree. Times are the best of several rounds, which alternate between what is compared.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

import netledger as nl

Table = npt.NDArray[np.int64]

ROUNDS = 5
#: Rows that numpy works on together: its columns and indices then stay in the cache.
CHUNK = 1 << 15

#: Of a histogram with 100 bins.
EDGES = np.linspace(0, 1_000_000_000, 101)

WIDTHS = (16, 24, 40, 80, 112, 160)
STRIDES = (2, 2, 2, 1, 2)
SQUEEZES = (False, True, False, True, True)
KERNEL_SIZES = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
RESOLUTIONS = tuple(range(128, 225, 4))


# -- the space in closed form, for numpy -----------------------------------------------------------


def divisible(value: float) -> int:
    """The nearest multiple of 8 that is not below 90 % of the value."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def block_cost(stage: int, first: bool, size: int, kernel: int, expansion: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates of one block, for the size of its input."""
    inner, outer = (WIDTHS[stage] if first else WIDTHS[stage + 1]), WIDTHS[stage + 1]
    middle = divisible(round(inner * expansion))
    after = (size - 1) // (STRIDES[stage] if first else 1) + 1
    params = middle * (inner + kernel**2 + outer + 4) + 2 * outer
    macs = inner * middle * size**2 + middle * (kernel**2 + outer) * after**2
    if SQUEEZES[stage]:
        squeezed = divisible(middle // 4)
        params += 2 * middle * squeezed + squeezed + middle
        macs += 2 * middle * squeezed
    return params, macs


def block_tables() -> tuple[Table, Table]:
    """Cost of (resolution, block, depth, kernel, expansion), and of (resolution,)."""
    blocks = np.zeros((25, 20, 3, 3, 3, 2), np.int64)
    fixed = np.zeros((25, 2), np.int64)
    for r, resolution in enumerate(RESOLUTIONS):
        size = (resolution + 1) // 2
        params = 29 * 16 + 11 * 16 + 16 * 16 + 32 + 160 * 960 + 1920 + 960 * 1280 + 1281 * 1000
        macs = (27 * 16 + 9 * 16 + 16 * 16) * size**2 + 960 * 1280 + 1280 * 1000
        for stage in range(5):
            for i in range(4):
                for k, kernel in enumerate(KERNEL_SIZES):
                    for e, expansion in enumerate(EXPANSIONS):
                        cost = block_cost(stage, i == 0, size, kernel, expansion)
                        for d in range(3):
                            if i < d + 2:
                                blocks[r, 4 * stage + i, d, k, e] = cost
                if i == 0:
                    size = (size - 1) // STRIDES[stage] + 1
        fixed[r] = params, macs + 160 * 960 * size**2
    return blocks, fixed


class NumpyGenes:
    """A look-up of each block by resolution, depth and gene; columns of a chunk stay in cache."""

    def __init__(self, names: list[str]) -> None:
        blocks, self._fixed = block_tables()
        shape = (20, 25 * 27)
        self._params = blocks[..., 0].transpose(1, 0, 2, 3, 4).reshape(shape).copy()
        self._macs = blocks[..., 1].transpose(1, 0, 2, 3, 4).reshape(shape).copy()
        self._depths = [names.index(f"d{stage + 1}") for stage in range(5)]
        self._kernels = [names.index(f"ks{block + 1}") for block in range(20)]
        self._expansions = [names.index(f"e{block + 1}") for block in range(20)]
        self._resolution = names.index("r")

    def __call__(self, codes: npt.NDArray[np.uint8]) -> tuple[Table, Table]:
        params, macs = np.empty(len(codes), np.int64), np.empty(len(codes), np.int64)
        for start in range(0, len(codes), CHUNK):
            columns = np.ascontiguousarray(codes[start : start + CHUNK].T).astype(np.int16)
            at = slice(start, start + columns.shape[1])
            resolution = columns[self._resolution]
            params[at] = self._fixed[:, 0].take(resolution)
            macs[at] = self._fixed[:, 1].take(resolution)
            for stage in range(5):
                base = (resolution * 3 + columns[self._depths[stage]]) * 9
                for block in range(4 * stage, 4 * stage + 4):
                    index = base + columns[self._kernels[block]] * 3
                    index += columns[self._expansions[block]]
                    params[at] += self._params[block].take(index)
                    macs[at] += self._macs[block].take(index)
        return params, macs


class NumpyStages:
    """A look-up of each stage by resolution and the code of the stage."""

    def __init__(self, space: Any) -> None:
        names = list(space.variables)
        blocks, self._fixed = block_tables()
        digits = space.digits
        self._resolution = next(i for i, (names, _) in enumerate(digits) if names == ("r",))
        self._tables = []
        for position, (members, size) in enumerate(digits):
            if position == self._resolution:
                continue
            stage = next(int(name[1:]) - 1 for name in members if name[0] == "d")
            packed = np.zeros((size, len(digits)), np.uint16)
            packed[:, position] = np.arange(size)
            codes = space.unpack(packed)
            depth = codes[:, names.index(f"d{stage + 1}")]
            table = np.zeros((25, size, 2), np.int64)
            for block in range(4 * stage, 4 * stage + 4):
                kernel = codes[:, names.index(f"ks{block + 1}")]
                table += blocks[:, block][:, depth, kernel, codes[:, names.index(f"e{block + 1}")]]
            self._tables.append(
                (position, size, table[..., 0].ravel().copy(), table[..., 1].ravel().copy())
            )

    def __call__(self, packed: npt.NDArray[np.uint16]) -> tuple[Table, Table]:
        params, macs = np.empty(len(packed), np.int64), np.empty(len(packed), np.int64)
        for start in range(0, len(packed), CHUNK):
            columns = np.ascontiguousarray(packed[start : start + CHUNK].T).astype(np.int32)
            at = slice(start, start + columns.shape[1])
            resolution = columns[self._resolution]
            params[at] = self._fixed[:, 0].take(resolution)
            macs[at] = self._fixed[:, 1].take(resolution)
            for position, size, table_params, table_macs in self._tables:
                index = resolution * size + columns[position]
                params[at] += table_params.take(index)
                macs[at] += table_macs.take(index)
        return params, macs


# -- timing ----------------------------------------------------------------------------------------


def best_times(*calls: Callable[[], Any]) -> list[float]:
    """The shortest time of each call; the rounds alternate."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for index, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[index] = min(best[index], time.perf_counter() - start)
    return best


def rate(count: float, seconds: float) -> str:
    return f"{count / seconds / 1e6:8.1f} M/s"


def check(name: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"{name}: the answers differ")


def once_for_all(count: int) -> None:
    start = time.perf_counter()
    space = nl.spaces.ofa_mobilenet_v3()
    built = time.perf_counter()
    space.sweep(space.random(1))
    print(f"building {built - start:.3f} s, compiling {time.perf_counter() - built:.3f} s")

    genes = space.random(count, seed=1)
    numpy_genes = NumpyGenes(list(space.variables))
    costs = space.sweep(genes, threads=1)
    params, macs = numpy_genes(genes)
    check("genes", bool((params == costs["params"]).all() and (macs == costs["macs"]).all()))
    part = genes[: count // 8]
    ours, two, theirs = best_times(
        lambda: space.sweep(genes, threads=1),
        lambda: space.sweep(genes, threads=2),
        lambda: numpy_genes(part),
    )
    baseline = len(part) / theirs
    print(
        f"genes          {rate(count, ours)}  {count / ours / baseline:6.1f} times numpy "
        f"({baseline / 1e6:.2f} M/s); two threads {ours / two:.2f} times one"
    )

    packed = space.pack(space.canonical(genes))
    numpy_stages = NumpyStages(space)
    costs = space.sweep(packed, threads=1)
    params, macs = numpy_stages(packed.codes)
    check("packed", bool((params == costs["params"]).all() and (macs == costs["macs"]).all()))
    ours, two, theirs = best_times(
        lambda: space.sweep(packed, threads=1),
        lambda: space.sweep(packed, threads=2),
        lambda: numpy_stages(packed.codes[: count // 8]),
    )
    baseline = count // 8 / theirs
    print(
        f"packed         {rate(count, ours)}  {count / ours / baseline:6.1f} times numpy "
        f"({baseline / 1e6:.2f} M/s); two threads {ours / two:.2f} times one"
    )

    candidates = 200_000_000
    (seconds,) = best_times(
        lambda: space.sweep_range(0, candidates, threads=1).histogram("macs", bins=EDGES)
    )
    print(f"enumeration    {rate(candidates, seconds)}  with a histogram of the MACs")
    drawn, architectures, mutated = best_times(
        lambda: space.random(count, seed=2),
        lambda: space.random(count, seed=2, law="architectures"),
        lambda: space.mutate(genes, rate=0.1, seed=3),
    )
    print(f"random genes   {rate(count, drawn)}  (this and the next two: all processors)")
    print(f"random archs   {rate(count, architectures)}")
    print(f"mutate         {rate(count, mutated)}")
    rows = [genes[i] for i in range(2000)]
    (seconds,) = best_times(lambda: [space.cost(row) for row in rows])
    print(f"cost(config)   {seconds / len(rows) * 1e6:8.2f} us")


def fixed_resolution(count: int) -> None:
    space = nl.spaces.ofa_mobilenet_v3(resolutions=[224])
    genes = space.random(count, seed=1)
    packed = space.pack(space.canonical(genes))
    ours, theirs = best_times(
        lambda: space.sweep(genes, threads=1), lambda: space.sweep(packed, threads=1)
    )
    print(f"at 224 pixels: genes {rate(count, ours)}, packed {rate(count, theirs)}")


def generator(count: int) -> None:
    start = time.perf_counter()
    space = nl.spaces.regnet()
    codes = space.random(count, seed=1)
    space.sweep(codes[:1])
    print(f"RegNet: building and compiling {time.perf_counter() - start:.3f} s")
    (seconds,) = best_times(
        lambda: space.sweep(
            codes, metrics=("params", "flops", "activations"), conventions="pycls", threads=1
        )
    )
    print(f"RegNet         {rate(count, seconds)}")


def stream(count: int) -> None:
    space = nl.spaces.ofa_mobilenet_v3()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    histogram = space.sweep_range(0, count).histogram("macs", bins=EDGES)
    seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    check("stream", int(histogram.counts.sum()) == count)
    print(f"streaming {count:,}: {seconds:.1f} s on all processors, {grown:.0f} MB more")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=4_000_000, help="candidates in a sweep")
    count = parser.parse_args().count
    stream(1_000_000_000)
    once_for_all(count)
    fixed_resolution(count)
    generator(count // 8)


if __name__ == "__main__":
    main()
