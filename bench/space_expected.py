"""Expected costs a second, with gradient, in one process, against good numpy on the same rows.

The once-for-all space at 224 pixels (46 variables, 136 probabilities), by its MACs: one row as one
array, as a mapping and as torch tensors (with the backward pass); batches of 1,024 rows.

Goals: one row with its gradient 20,000 a second; a batch on two threads 200,000 rows a second.
Checked first: single networks cost what a sweep says, values and gradients are those of numpy.
Times are the best of several rounds, which alternate between what is compared.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

import netledger as nl
from space_sweep import block_tables

Floats = npt.NDArray[np.float64]

ROUNDS = 7
BATCH = 1024


class NumpyFormula:
    """The expectation as a sum over blocks, all blocks of all rows at once."""

    def __init__(self, names: list[str], columns: dict[str, int]) -> None:
        blocks, fixed = block_tables()
        # 224 pixels, MACs: (block, depth * kernel, expansion).
        self._tables = blocks[-1, ..., 1].astype(np.float64).reshape(20, 9, 3)
        self._fixed = float(fixed[-1, 1])
        self._turned = self._tables.transpose(0, 2, 1).copy()

        def places(names: list[str]) -> npt.NDArray[np.int64]:
            return np.array([[columns[name] + code for code in range(3)] for name in names])

        self._depths = places([f"d{block // 4 + 1}" for block in range(20)])
        self._kernels = places([f"ks{block + 1}" for block in range(20)])
        self._expansions = places([f"e{block + 1}" for block in range(20)])
        self._variables = [places([name])[0] for name in names if name != "r"]
        self._resolution = columns["r"]

    def __call__(self, rows: Floats) -> tuple[Floats, Floats]:
        """Values, and by each probability the expected cost of the networks that have the code."""
        depths = rows[:, self._depths].transpose(1, 0, 2)
        kernels = rows[:, self._kernels].transpose(1, 0, 2)
        expansions = rows[:, self._expansions].transpose(1, 0, 2)
        sums = (expansions @ self._turned).reshape(20, -1, 3, 3)
        by_depth = (sums * kernels[:, :, None, :]).sum(axis=3)
        values = self._fixed + (by_depth * depths).sum(axis=(0, 2))
        by_kernel = (sums * depths[..., None]).sum(axis=2)
        both = depths[..., None] * kernels[:, :, None, :]
        by_expansion = both.reshape(20, -1, 9) @ self._tables
        gradients = np.zeros(rows.shape)
        for stage in range(5):
            gradients[:, self._depths[4 * stage]] = by_depth[4 * stage : 4 * stage + 4].sum(axis=0)
        gradients[:, self._kernels] = by_kernel.transpose(1, 0, 2)
        gradients[:, self._expansions] = by_expansion.transpose(1, 0, 2)
        products = (rows * gradients)[:, np.array(self._variables)].sum(axis=2)
        gradients[:, np.array(self._variables)] += (values[:, None] - products)[..., None]
        gradients[:, self._resolution] = values
        return values, gradients


def best_times(count: int, *calls: Callable[[], Any]) -> list[float]:
    """The shortest time of each call, of `count` in a row; the rounds alternate."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for index, call in enumerate(calls):
            start = time.perf_counter()
            for _ in range(count):
                call()
            best[index] = min(best[index], (time.perf_counter() - start) / count)
    return best


def check(name: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"{name}: the answers differ")


def shown(name: str, seconds: float, rows: int, baseline: float) -> None:
    print(f"{name:22} {rows / seconds:12,.0f} rows/s {rows / seconds / baseline:7.1f} times numpy")


def check_answers(space: Any, sizes: dict[str, int], numpy_formula: NumpyFormula) -> None:
    codes = space.random(5000, seed=1)
    sure = np.concatenate([np.eye(n)[codes[:, i]] for i, n in enumerate(sizes.values())], axis=1)
    check("single networks", bool((space.expected("macs", sure) == space.sweep(codes).macs).all()))
    rows = distributions(sizes, 100)
    values, gradients = space.expected("macs", rows, gradient=True)
    wanted, derivatives = numpy_formula(rows)
    check("values", np.allclose(values, wanted, rtol=1e-13, atol=0))
    check("gradients", np.allclose(gradients, derivatives, rtol=1e-12, atol=0))


def distributions(sizes: dict[str, int], count: int) -> Floats:
    rng = np.random.default_rng(2)
    return np.concatenate([rng.dirichlet(np.ones(n), count) for n in sizes.values()], axis=1)


def single_rows(space: Any, sizes: dict[str, int], formula: NumpyFormula, count: int) -> None:
    row = distributions(sizes, 1)[0]
    ends = np.cumsum(list(sizes.values()))[:-1]
    mapping = dict(zip(sizes, (part.copy() for part in np.split(row, ends)), strict=True))
    joined, named, plain, theirs = best_times(
        count,
        lambda: space.expected("macs", row, gradient=True),
        lambda: space.expected("macs", mapping, gradient=True),
        lambda: space.expected("macs", row),
        lambda: formula(row[None]),
    )
    baseline = 1 / theirs
    print(f"numpy: {baseline:,.0f} rows/s with gradient, one by one")
    shown("one array", joined, 1, baseline)
    shown("a mapping", named, 1, baseline)
    shown("without gradient", plain, 1, baseline)
    try:
        import torch
    except ImportError:
        return
    tensor = torch.tensor(row, requires_grad=True)
    tensors = {name: torch.tensor(part, requires_grad=True) for name, part in mapping.items()}
    leaves = list(tensors.values())
    joined, named, bare = best_times(
        count // 4,
        lambda: torch.autograd.grad(space.expected("macs", tensor), tensor),
        lambda: torch.autograd.grad(space.expected("macs", tensors), leaves),
        lambda: torch.autograd.grad(torch.cat(leaves).sum(), leaves),
    )
    shown("torch, one tensor", joined, 1, baseline)
    shown("torch, a mapping", named, 1, baseline)
    print(f"{'(torch, cat and sum)':22} {1 / bare:12,.0f} rows/s")


def batches(space: Any, sizes: dict[str, int], formula: NumpyFormula) -> None:
    rows = distributions(sizes, BATCH)
    ends = np.cumsum(list(sizes.values()))[:-1]
    mapping = dict(zip(sizes, (part.copy() for part in np.split(rows, ends, 1)), strict=True))
    one, two, named, plain, theirs = best_times(
        20,
        lambda: space.expected("macs", rows, gradient=True, threads=1),
        lambda: space.expected("macs", rows, gradient=True, threads=2),
        lambda: space.expected("macs", mapping, gradient=True, threads=2),
        lambda: space.expected("macs", rows, threads=1),
        lambda: formula(rows),
    )
    baseline = BATCH / theirs
    print(f"batches of {BATCH:,}; numpy: {baseline:,.0f} rows/s with gradient")
    shown("one array", one, BATCH, baseline)
    shown("two threads", two, BATCH, baseline)
    shown("two threads, mapping", named, BATCH, baseline)
    shown("without gradient", plain, BATCH, baseline)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="single rows in a round")
    count = parser.parse_args().count
    space = nl.spaces.ofa_mobilenet_v3(1.0, [224])
    sizes = {name: len(variable.values) for name, variable in space.variables.items()}
    starts = np.cumsum([0, *sizes.values()])
    formula = NumpyFormula(list(sizes), dict(zip(sizes, starts.tolist(), strict=False)))
    start = time.perf_counter()
    space.expected("macs", {})
    print(f"compiling and preparing {time.perf_counter() - start:.3f} s")
    check_answers(space, sizes, formula)
    single_rows(space, sizes, formula, count)
    batches(space, sizes, formula)


if __name__ == "__main__":
    main()
