"""An evolutionary search within a band of MACs, which starts from exact samples of it.

Once-for-all MobileNetV3 at 224 pixels. How many of its 7371^5 subnets lie in the band is counted
first; the population is drawn from exactly those, each as likely as any other, so that no candidate
is thrown away before the search begins and a band that nothing fits is known at once. A generation
keeps its best, fills up with their mutants and crossovers that lie in the band, and with some new
samples. A trained predictor of accuracy is not here: `score` stands in for it, and is the one thing
to replace.

    python examples/budgeted_search.py
    python examples/budgeted_search.py --low 195e6 --high 200e6
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt

import netledger as nl

POPULATION = 200
GENERATIONS = 30
PARENTS = 50
#: New samples of the band in each generation.
NEW = 20
#: Mutants, and crossovers, that are tried in each generation.
TRIED = 400
GENE_RATE = 0.1

Codes = npt.NDArray[np.integer]


class BudgetedSearch:
    """One search among the networks with a number of multiply-accumulates from low to high."""

    def __init__(self, low: float, high: float, seed: int) -> None:
        self.space = nl.spaces.ofa_mobilenet_v3(1.0, [224])
        self.low, self.high = low, high
        self._random = np.random.default_rng(seed)

    def samples(self, count: int) -> nl.distribution.Sample:
        """Networks of the band, each as likely as any other."""
        return self.space.sample(count, macs=(self.low, self.high), seed=self._seed())

    def score(self, codes: Codes) -> npt.NDArray[np.floating]:
        """How good candidates are: a stand-in for a predictor of accuracy.

        Later stages gain more from depth and expansion, early ones from large kernels.
        """
        names = list(self.space.variables)
        score = np.zeros(len(codes))
        for stage in range(5):
            depth = codes[:, names.index(f"d{stage + 1}")]
            score += (stage + 2) * depth
            for block in range(4):
                number = 4 * stage + block + 1
                is_there = block < depth + 2
                kernel, expansion = (
                    codes[:, names.index(f"{kind}{number}")] for kind in ("ks", "e")
                )
                score += is_there * (
                    (5 - stage) * np.sqrt(kernel) + (stage + 1) * np.sqrt(expansion)
                )
        return score

    def children(self, parents: Codes) -> tuple[Codes, int]:
        """Mutants and crossovers of the parents that lie in the band, and how many were tried."""
        one, other = self._random.integers(len(parents), size=(2, TRIED))
        tried = np.concatenate(
            [
                self.space.mutate(parents[one], rate=GENE_RATE, seed=self._seed()),
                self.space.crossover(parents[one], parents[other], seed=self._seed()),
            ]
        )
        macs = self.space.sweep(tried, metrics=["macs"])["macs"]
        return tried[(macs >= self.low) & (macs <= self.high)], len(tried)

    def run(self, population: Codes, generations: int) -> tuple[Codes, list[float], int, int]:
        """The best candidate, the best score of each generation, children kept and tried."""
        best: list[float] = []
        kept = tried = 0
        for generation in range(generations + 1):
            scores = self.score(population)
            population = population[np.argsort(-scores, kind="stable")]
            best.append(float(scores.max()))
            if generation == generations:
                break
            children, number = self.children(population[:PARENTS])
            kept, tried = kept + len(children), tried + number
            population = np.concatenate([population[:PARENTS], children, self.samples(NEW)])
        return population[0], best, kept, tried

    def _seed(self) -> int:
        return int(self._random.integers(2**63))


def main() -> None:
    """Search, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--low", type=float, default=195e6, help="fewest MACs")
    parser.add_argument("--high", type=float, default=200e6, help="most MACs")
    parser.add_argument("--generations", type=int, default=GENERATIONS)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    search = BudgetedSearch(arguments.low, arguments.high, arguments.seed)
    space = search.space
    try:
        start = search.samples(POPULATION)
    except nl.SpaceError as error:
        raise SystemExit(str(error)) from None
    print(f"{start.population:,} of {space.size:,} networks are in the band:")
    print(f"one of {space.size / start.population:,.0f} uniform draws")
    row, best, kept, tried = search.run(np.asarray(start), arguments.generations)
    print(f"score {best[0]:.2f} -> {best[-1]:.2f} in {arguments.generations} generations")
    print(f"{kept:,} of {tried:,} children were in the band")
    print(f"best: {space.cost(row)}")
    for name, genes in space.decode(row).items():
        print(f"  {name}: {genes}")


if __name__ == "__main__":
    main()
