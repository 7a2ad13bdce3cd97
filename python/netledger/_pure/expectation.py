"""The expected cost under independent choices, in exact fractions over all rows of codes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property, reduce
from math import isfinite, lcm, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger._pure.plan import Plan

#: A space with more rows of codes is refused.
MOST_ROWS = 2**20
#: How far the sum of a variable's probabilities may be from 1.
TOLERANCE = 1e-6

Floats = npt.NDArray[np.float64]
#: Exact numbers, one for each code of a variable.
Weights = list[Fraction]


class Expectation:
    """Expectations of one metric over one plan."""

    def __init__(self, plan: Plan, names: Sequence[str], metric: str) -> None:
        if metric not in (*plan.metrics, *plan.real_metrics):
            raise SpaceError(f"the plan has no metric '{metric}'")
        self._plan = plan
        self._names = names
        self._metric = metric
        self._sizes = plan.sizes
        rows = prod(self._sizes)
        if rows > MOST_ROWS:
            raise SpaceError(
                f"the space has {rows} rows of codes, and the twin goes through all of them: at "
                f"most {MOST_ROWS}"
            )

    @cached_property
    def _costs(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """By codes: the cost, 0 where it is refused; and 1 where it is accepted, else 0."""
        costs = np.zeros(self._sizes, dtype=object)
        accepted = np.zeros(self._sizes, dtype=object)
        for codes in itertools.product(*map(range, self._sizes)):
            refusal, totals = self._plan.row(self._plan.canonical_row(codes))
            if not refusal:
                cost = totals[self._metric]
                if not isfinite(cost):
                    raise SpaceError(
                        f"the cost '{self._metric}' is not finite in some configurations"
                    )
                costs[codes] = cost if isinstance(cost, int) else Fraction(cost)
                accepted[codes] = 1
        return costs, accepted

    def evaluate(
        self, probabilities: Floats, *, gradient: bool, check: bool
    ) -> tuple[Floats, Floats | None]:
        """Values, and gradients if they are wanted, of rows of probabilities."""
        if probabilities.ndim != 2 or probabilities.shape[1] != sum(self._sizes):
            raise SpaceError(
                f"probabilities are a matrix of {sum(self._sizes)} columns, one for each code of "
                "each variable"
            )
        values = np.zeros(len(probabilities))
        gradients = np.zeros(probabilities.shape) if gradient else None
        for number, row in enumerate(probabilities):
            weights = self._weights(number, row, check=check)
            cost, acceptance = self._sums(weights)
            if self._may_refuse and acceptance == 0:
                raise SpaceError(
                    f"row {number}: no network that these probabilities allow is accepted"
                )
            values[number] = cost / acceptance if self._may_refuse else cost
            if gradients is not None:
                gradients[number] = self._gradient(weights, cost, acceptance)
        return values, gradients

    @property
    def _may_refuse(self) -> bool:
        return not self._costs[1].all()

    def _weights(self, number: int, row: Floats, *, check: bool) -> list[Weights]:
        """The probabilities of every variable; scaled to the sum 1 if they have to be checked."""
        weights = []
        start = 0
        for size, name in zip(self._sizes, self._names, strict=True):
            part = [float(probability) for probability in row[start : start + size]]
            start += size
            _require_finite(number, name, part, check=check)
            exact = [Fraction(probability) for probability in part]
            scale = sum(exact) if check else 1
            weights.append([probability / scale for probability in exact])
        return weights

    def _sums(self, weights: list[Weights]) -> tuple[Fraction, Fraction]:
        """Over all rows of codes: the product of their weights, times the cost and as it is."""
        factors = [_integers(part) for part in weights]
        products = reduce(np.multiply.outer, [ints for ints, _ in factors], np.array(1, object))
        scale = prod(denominator for _, denominator in factors)
        costs, accepted = self._costs
        return (
            Fraction(np.sum(products * costs)) / scale,
            Fraction(np.sum(products * accepted)) / scale,
        )

    def _gradient(self, weights: list[Weights], cost: Fraction, acceptance: Fraction) -> Floats:
        """Both sums are linear in the weights of a variable: what they are for one code alone."""
        entries = []
        for variable, size in enumerate(self._sizes):
            for code in range(size):
                alone = [Fraction(int(other == code)) for other in range(size)]
                some, accepted = self._sums([*weights[:variable], alone, *weights[variable + 1 :]])
                if self._may_refuse:
                    some = (some - cost / acceptance * accepted) / acceptance
                entries.append(float(some))
        return np.array(entries)


def _integers(weights: Weights) -> tuple[npt.NDArray[Any], int]:
    """Fractions as integers over one denominator."""
    denominator = lcm(*(weight.denominator for weight in weights))
    return np.array([int(weight * denominator) for weight in weights], dtype=object), denominator


def _require_finite(number: int, name: str, probabilities: Sequence[float], *, check: bool) -> None:
    """Refuse what is no number; with `check`, what is no distribution."""
    for probability in probabilities:
        if not isfinite(probability) or (check and probability < 0):
            asked = "finite and not negative" if check else "finite"
            raise SpaceError(
                f"row {number}: a probability of '{name}' must be {asked}, got {probability:.9g}"
            )
    total = sum(probabilities)
    if check and abs(total - 1) > TOLERANCE:
        raise SpaceError(
            f"row {number}: the probabilities of '{name}' must sum to 1, got {total:.9g}"
        )
