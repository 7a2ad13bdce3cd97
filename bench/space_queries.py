"""Exact answers about whole spaces: how long they take, in one process, against good numpy.

The once-for-all space at 224 pixels (7371^5 subnets): an exact count under a budget, the exact
distributions of MACs and parameters, further counts, samples within a band, the best network, the
front, marginals; NAS-Bench-201, one question each; with --all the 25 resolutions together, which
takes minutes. Every part runs in a process of its own, whose peak memory is said.

Goals, two threads: a first count 1 s, the distribution of MACs 5 s, of parameters 0.5 s, a million
samples 1 s, NAS-Bench-201 10 ms each; all resolutions a minute in 2 GB. Checked first: the answers
are those of numpy, which multiplies the blocks of the five stages as polynomials (one array of
counts, a shifted addition for each choice of a block), for both laws and both published widths.
Times are the best of several rounds, each with a new space where the first answer counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

import netledger as nl
from space_sweep import block_tables

Costs = npt.NDArray[np.int64]
Counts = npt.NDArray[np.uint64]

ROUNDS = 3
STAGES, BLOCKS, CHOICES = 5, 4, 9
#: Fewest blocks of a stage.
FEWEST = 2
LAWS = ("architectures", "genes")
BUDGETS = (150_000_000, 200_000_000, 300_000_000, 353_000_000, 450_000_000)
BAND = (290_000_000, 300_000_000)
SAMPLES = 1_000_000
COUNT = "count up to 300 M MACs"


# -- the same with numpy ---------------------------------------------------------------------------


class NumpyPolynomials:
    """Counts by cost: what each block adds to each network is a polynomial of nine terms.

    Attributes:
        least: cost of the least network.
        step: all costs are `least` plus a multiple of it.
    """

    def __init__(self, space: Any, metric: str) -> None:
        names = list(space.variables)

        def costs(rows: list[dict[str, int]]) -> Costs:
            codes = np.zeros((len(rows), len(names)), np.uint8)
            for i, row in enumerate(rows):
                for name, code in row.items():
                    codes[i, names.index(name)] = code
            column: Costs = space.sweep(codes, metrics=[metric])[metric]
            return column

        self.least = int(costs([{}])[0])
        blocks = np.zeros((STAGES, BLOCKS, CHOICES), np.int64)
        for stage in range(STAGES):
            depth = f"d{stage + 1}"
            # Without the last block, and the one before it.
            shallow = costs([{depth: code} for code in range(3)])
            for block in range(BLOCKS):
                number = BLOCKS * stage + block + 1
                code = max(block + 1 - FEWEST, 0)
                before = shallow[code - 1] if code else self.least
                blocks[stage, block] = [
                    int(cost - before)
                    for cost in costs(
                        [
                            {depth: code, f"ks{number}": choice // 3, f"e{number}": choice % 3}
                            for choice in range(CHOICES)
                        ]
                    )
                ]
        self.step = int(np.gcd.reduce(blocks.ravel()))
        self._shifts = blocks // self.step

    def stages(self, first: int, end: int, law: str = "architectures") -> Counts:
        """How many ways there are for each cost of some stages, in steps above the least."""
        ways = np.ones(1, np.uint64)
        for stage in range(first, end):
            for block in range(FEWEST):
                ways = self._with_block(ways, stage, block)
            by_depth = [ways]
            for block in range(FEWEST, BLOCKS):
                by_depth.append(self._with_block(by_depth[-1], stage, block))
            total = np.zeros(max(map(len, by_depth)), np.uint64)
            for depth, part in enumerate(by_depth, FEWEST):
                # Of blocks that are not there, genes may be any.
                total[: len(part)] += part * np.uint64(
                    CHOICES ** (BLOCKS - depth) if law == "genes" else 1
                )
            ways = total
        return ways

    def distribution(self, law: str = "architectures") -> tuple[Costs, Counts]:
        """All costs that occur, and how many configurations have each."""
        ways = self.stages(0, STAGES, law)
        occurring = np.flatnonzero(ways)
        return self.least + self.step * occurring, ways[occurring]

    def count(self, limits: tuple[int, ...]) -> list[int]:
        """How many networks cost at most so much: a sum over one half, in sums of the other."""
        left, right = np.cumsum(self.stages(0, 3)), self.stages(3, STAGES)
        shifts = np.flatnonzero(right)
        ways = right[shifts]
        found = []
        for limit in limits:
            entries = np.minimum((limit - self.least) // self.step - shifts, len(left) - 1)
            reached = np.where(entries >= 0, left[entries], np.uint64(0))
            # In two parts, as the sum passes 64 bits.
            low, high = reached & np.uint64(0xFFFFF), reached >> np.uint64(20)
            found.append(int((low * ways).sum()) + (int((high * ways).sum()) << 20))
        return found

    def _with_block(self, ways: Counts, stage: int, block: int) -> Counts:
        shifts = self._shifts[stage, block]
        made = np.zeros(len(ways) + int(shifts.max()), np.uint64)
        for shift in shifts.tolist():
            made[shift : shift + len(ways)] += ways
        return made


# -- what agrees -----------------------------------------------------------------------------------


def check(name: str, holds: bool) -> None:
    if not holds:
        raise SystemExit(f"{name}: the answers differ")


def once_for_all(width: float = 1.0, resolution: int = 224) -> Any:
    """The space at one resolution, compiled."""
    space = nl.spaces.ofa_mobilenet_v3(width, [resolution])
    for metrics in (["macs"], ["params"], ["params", "macs"]):
        space.sweep(space.random(1), metrics=metrics)
    return space


def check_distribution(space: Any, metric: str, law: str, name: str) -> None:
    values, counts = NumpyPolynomials(space, metric).distribution(law)
    found = space.distribution(metric, law=law)
    same = np.array_equal(found.values, values) and np.array_equal(found.counts, counts)
    check(f"{name}, {metric}, {law}", same)
    check(f"{name}, size, {law}", found.total == space.count(law=law))


def check_answers() -> None:
    small = NumpyPolynomials(once_for_all(), "macs")
    blocks, _ = block_tables()
    # 224 pixels, first block, fewest blocks: MACs above the least choice.
    closed = (blocks[-1, 0, 0, ..., 1] - blocks[-1, 0, 0, 0, 0, 1]).ravel()
    check("blocks", bool((small._shifts[0, 0] * small.step == closed).all()))
    for width in (1.0, 1.2):
        low = once_for_all(width, 128)
        space = once_for_all(width)
        for law in LAWS:
            check_distribution(low, "macs", law, f"width {width}, 128 pixels")
            check_distribution(low, "params", law, f"width {width}")
        counted = [space.count(macs=(None, budget)) for budget in BUDGETS]
        check(f"counts, width {width}", counted == NumpyPolynomials(space, "macs").count(BUDGETS))
    check_distribution(once_for_all(), "macs", "architectures", "224 pixels")
    print("counts and distributions agree with numpy: both laws, both widths")


# -- timing ----------------------------------------------------------------------------------------


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def best_time(call: Callable[[Any], Any], make: Callable[[], Any]) -> float:
    """The shortest time of a call with something that is made anew for each round."""
    best = float("inf")
    for _ in range(ROUNDS):
        made = make()
        best = min(best, seconds_of(lambda made=made: call(made)))
    return best


def peak() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:,.0f} MB"


def shown(name: str, seconds: float, note: str = "") -> None:
    in_units = f"{seconds * 1e3:12,.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:12,.2f} us"
    print(f"{name:36}{in_units}{note}", flush=True)


def first_answers() -> None:
    """Each of a space that is compiled, and has answered nothing yet."""
    print(f"once-for-all at 224 pixels, first answers ({os.cpu_count()} processors)")
    high = BAND[1]
    questions: dict[str, Callable[[Any], Any]] = {
        COUNT: lambda s: s.count(macs=(None, high)),
        "distribution of macs": lambda s: s.distribution("macs"),
        "distribution of params": lambda s: s.distribution("params"),
        "least and greatest MACs": lambda s: (s.minimum("macs"), s.maximum("macs")),
        "mean and variance of MACs": lambda s: (s.mean("macs"), s.variance("macs")),
        "nearest to 300 M MACs": lambda s: s.nearest("macs", high),
        "fewest parameters from 300 M MACs": lambda s: s.minimum("params", macs=(high, None)),
        "most parameters up to 300 M MACs": lambda s: s.maximum("params", macs=(None, high)),
        "front of parameters and MACs": lambda s: s.pareto("params", "macs", maximise=["params"]),
        "marginals, 290 to 300 M MACs": lambda s: s.marginals(macs=BAND),
        "index of MACs": lambda s: s.index("macs"),
    }
    found = {name: best_time(ask, once_for_all) for name, ask in questions.items()}
    for name, seconds in found.items():
        shown(name, seconds)
    print(f"peak memory {peak()}")
    space = once_for_all()
    theirs = {COUNT: seconds_of(lambda: NumpyPolynomials(space, "macs").count((high,)))}
    for metric in ("macs", "params"):
        polynomials = NumpyPolynomials(space, metric)
        theirs[f"distribution of {metric}"] = seconds_of(polynomials.distribution)
    for name, seconds in theirs.items():
        print(f"{name}: numpy {seconds:.3f} s, {seconds / found[name]:.1f} times as long")


def further_answers() -> None:
    """What a space answers that has its tables."""
    print("once-for-all at 224 pixels, further answers")
    space = once_for_all()
    index = space.index("macs")
    limits = np.random.default_rng(0).integers(130_000_000, 560_000_000, 20_000).tolist()
    quantiles = [i / 1000 for i in range(1, 1000)]
    repeated: dict[str, tuple[int, Callable[[Any], Any]]] = {
        "count": (len(limits), lambda s: [s.count(macs=(None, limit)) for limit in limits]),
        "count of the index": (len(limits), lambda _: [index.count(None, most) for most in limits]),
        "quantile": (len(quantiles), lambda _: [index.quantile(q) for q in quantiles]),
        "nearest": (1000, lambda _: [index.nearest(limit) for limit in limits[:1000]]),
    }
    for name, (count, ask) in repeated.items():
        shown(name, best_time(ask, lambda: space) / count)
    bands = {"290 to 300 M": BAND, "up to 200 M": (None, BUDGETS[1])}
    drawn = {
        name: best_time(lambda s, band=band: s.sample(SAMPLES, seed=2, macs=band), lambda: space)
        for name, band in bands.items()
    }
    for name, seconds in drawn.items():
        shown(f"a million samples, {name}", seconds)
    print(f"the index takes {index.bytes / 1e6:,.0f} MB; peak memory {peak()}")

    def draw_all(_: Any) -> None:
        space.sweep(space.random(SAMPLES, seed=1, law="architectures"), metrics=["macs"])

    rate = SAMPLES / best_time(draw_all, int)
    for name, band in bands.items():
        draws = SAMPLES * space.size / space.count(macs=band)
        print(
            f"{name} by rejection: {draws:.3g} draws at {rate / 1e6:.1f} M/s take "
            f"{draws / rate:,.1f} s, {draws / rate / drawn[name]:,.1f} times as long"
        )


def cells() -> None:
    def compiled() -> Any:
        space = nl.spaces.nas_bench_201("cifar10")
        for metrics in (["macs"], ["params"], ["params", "macs"]):
            space.sweep(space.random(1), metrics=metrics)
        return space

    print("NAS-Bench-201, first answers")
    low, high = 20_000_000, 50_000_000
    questions: dict[str, Callable[[Any], Any]] = {
        "size": lambda s: s.size,
        "count": lambda s: s.count(macs=(low, high)),
        "count within two budgets": lambda s: s.count(macs=(low, high), params=(None, 300_000)),
        "minimum": lambda s: s.minimum("macs"),
        "minimum under a budget": lambda s: s.minimum("params", macs=(low, high)),
        "distribution": lambda s: s.distribution("macs"),
        "histogram": lambda s: s.histogram("macs"),
        "quantile": lambda s: s.quantile("macs", 0.5),
        "mean": lambda s: s.mean("macs"),
        "variance": lambda s: s.variance("macs"),
        "nearest": lambda s: s.nearest("macs", high),
        "pareto": lambda s: s.pareto("params", "macs", maximise=["params"]),
        "marginals": lambda s: s.marginals(macs=(low, high)),
        "sample of 1,000": lambda s: s.sample(1000, macs=(low, high)),
        "sample, two budgets": lambda s: s.sample(1000, macs=(low, high), params=(None, 300_000)),
        "index": lambda s: s.index("macs"),
    }
    for name, ask in questions.items():
        shown(name, best_time(ask, compiled))


def all_resolutions() -> None:
    def compiled() -> Any:
        space = nl.spaces.ofa_mobilenet_v3()
        space.sweep(space.random(1), metrics=["macs"])
        return space

    print("once-for-all, all 25 resolutions, first answers")
    questions: dict[str, Callable[[Any], Any]] = {
        COUNT: lambda s: s.count(macs=(None, BAND[1])),
        "distribution of MACs": lambda s: s.distribution("macs"),
        "MACs in bins of a million": lambda s: s.distribution("macs", bin_width=1_000_000),
        "1,000 samples, 290 to 300 M": lambda s: s.sample(1000, macs=BAND, memory=3 * 2**30),
    }
    for name, ask in questions.items():
        space = compiled()
        try:
            shown(
                name, seconds_of(lambda ask=ask, space=space: ask(space)), f"; peak memory {peak()}"
            )
        except nl.SpaceError as error:
            print(f"{name}: {error}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="all resolutions too; takes minutes")
    arguments = parser.parse_args()
    parts = [check_answers, first_answers, further_answers, cells]
    if arguments.all:
        parts.append(all_resolutions)
    for part in parts:
        process = multiprocessing.get_context("spawn").Process(target=part)
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(process.exitcode)


if __name__ == "__main__":
    main()
