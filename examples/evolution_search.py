"""Once-for-all's evolutionary search, on the catalogue's space, with every candidate's exact cost.

The search of Cai et al. (ICLR 2020): a population of 100, 500 generations, a quarter of which are
parents; half of the children are mutants (the resolution drawn anew with probability 0.5, every
other gene with 0.1), half are crossovers; a child over the budget is drawn again. The authors rank
by a trained predictor of accuracy. That is not here: `score` stands in for it, and is the one thing
to replace.

    python examples/evolution_search.py
    python examples/evolution_search.py --budget 200e6 --generations 100
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

import netledger as nl

POPULATION = 100
GENERATIONS = 500
PARENTS = 0.25
MUTANTS = 0.5
GENE_RATE = 0.1
RESOLUTION_RATE = 0.5

#: Children are drawn in batches of so many, of which those within the budget are kept.
BATCH = 400
#: Batches without a single child within the budget after which the search gives up.
MOST_BATCHES = 1000

Codes = npt.NDArray[np.integer]


class Search:
    """One search under a budget of multiply-accumulates, in the convention of the authors."""

    def __init__(self, budget: float, seed: int) -> None:
        self.space = nl.spaces.ofa_mobilenet_v3()
        self.budget = budget
        self.seed = seed
        self.counted = 0
        self._rates = dict.fromkeys(self.space.variables, GENE_RATE)
        self._rates["r"] = RESOLUTION_RATE

    def score(self, codes: Codes) -> npt.NDArray[np.floating]:
        """How good candidates are: a stand-in for a predictor of accuracy.

        Depth, expansion, kernel size and resolution each help, and less the more there is of them.
        """
        costs = self.space.sweep(codes, metrics=("params", "macs"))
        return np.log(costs["params"]) + np.log(costs["macs"])

    def within(self, draw: Callable[[int], Codes], count: int) -> Codes:
        """`count` children within the budget, from as many batches as it takes."""
        kept: list[Codes] = []
        for _ in range(MOST_BATCHES):
            self.seed += 1
            children = draw(self.seed)
            self.counted += len(children)
            flops = self.space.sweep(children, conventions="ofa")["flops"]
            kept.append(children[flops <= self.budget])
            if sum(map(len, kept)) >= count:
                return np.concatenate(kept)[:count]
        raise SystemExit(f"no candidates within {self.budget:,.0f} FLOPs were found")

    def mutants(self, parents: Codes) -> Callable[[int], Codes]:
        """Draws parents with some genes drawn anew."""

        def draw(seed: int) -> Codes:
            rows = np.random.default_rng(seed).integers(len(parents), size=BATCH)
            return self.space.mutate(parents[rows], rate=self._rates, seed=seed)

        return draw

    def crossovers(self, parents: Codes) -> Callable[[int], Codes]:
        """Draws children of two parents."""

        def draw(seed: int) -> Codes:
            rows = np.random.default_rng(seed).integers(len(parents), size=(2, BATCH))
            return self.space.crossover(parents[rows[0]], parents[rows[1]], seed=seed)

        return draw

    def run(self, generations: int) -> tuple[Codes, list[float]]:
        """The best candidate, and the best score before each generation and after the last."""
        population = self.within(lambda seed: self.space.random(BATCH, seed=seed), POPULATION)
        best: list[float] = []
        for generation in range(generations + 1):
            scores = self.score(population)
            order = np.argsort(-scores, kind="stable")
            best.append(float(scores[order[0]]))
            if generation == generations:
                break
            parents = population[order[: int(PARENTS * POPULATION)]]
            children = int(MUTANTS * POPULATION)
            population = np.concatenate(
                [
                    parents,
                    self.within(self.mutants(parents), children),
                    self.within(self.crossovers(parents), POPULATION - children),
                ]
            )
        return population[order[0]], best


def main() -> None:
    """Search, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budget", type=float, default=300e6, help="most FLOPs (ofa: MACs)")
    parser.add_argument("--generations", type=int, default=GENERATIONS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    search = Search(arguments.budget, arguments.seed)
    start = time.perf_counter()
    row, best = search.run(arguments.generations)
    seconds = time.perf_counter() - start

    flops = search.space.cost(row, metrics=("flops",), conventions="ofa")["flops"]
    print(f"score {best[0]:.4f} -> {best[-1]:.4f} in {len(best) - 1} generations")
    print(f"{search.counted:,} candidates drawn and counted")
    print(f"best: {flops:,} FLOPs of {arguments.budget:,.0f}")
    for name, genes in search.space.decode(row).items():
        print(f"  {name}: {genes}")
    print(f"took {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
