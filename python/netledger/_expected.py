"""The expected cost of a space where every variable is chosen at random, with its gradient."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby
from math import prod
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netledger._journal import Journal
from netledger.costs import chosen_threads
from netledger.errors import SpaceError
from netledger.graph import Builder

Floats = npt.NDArray[np.float64]

#: Batches of fewer rows run in one thread unless told otherwise.
FEW_ROWS = 1024


class Layout:
    """Where the probabilities of each variable are in a row of all of them."""

    def __init__(self, declared: Sequence[tuple[str, str, tuple[Any, ...]]]) -> None:
        #: All plans of the space as it is now; and by metric those that were asked for.
        self.source: Any = None
        self.plans: dict[str, Any] = {}
        for name, kind, _ in declared:
            if kind == "free":
                raise SpaceError(
                    f"variable '{name}' is free: it has values, and no choices with probabilities"
                )
        self.sizes = {name: len(values) for name, _, values in declared}
        self.lengths = list(self.sizes.values())
        self.columns = sum(self.lengths)
        #: Variables in a row that have as many values: their number, and how many values.
        self.runs = [(len(list(run)), size) for size, run in groupby(self.lengths)]
        ends = accumulate(self.lengths)
        self.places = {
            name: (..., slice(end - size, end))
            for (name, size), end in zip(self.sizes.items(), ends, strict=True)
        }
        self.uniform = np.array([1 / size for size in self.lengths for _ in range(size)])
        self._in_order = itemgetter(*self.sizes) if len(self.sizes) > 1 else None

    def require_known(self, given: Mapping[str, Any]) -> None:
        """Refuse names of no variable."""
        for name in given:
            if name not in self.sizes:
                known = ", ".join(self.sizes) or "none"
                raise SpaceError(f"unknown variable {name!r}; the space has {known}")

    def batch(self, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
        """The common shape of some batches of distributions, by name."""
        for name, shape in shapes.items():
            size = self.sizes[name]
            if not shape or shape[-1] != size:
                raise SpaceError(
                    f"the probabilities of '{name}' are an array (..., {size}), got shape {shape}"
                )
        try:
            return np.broadcast_shapes(*{shape[:-1] for shape in shapes.values()})
        except ValueError:
            described = ", ".join(f"'{name}' {shape}" for name, shape in shapes.items())
            raise SpaceError(
                f"the batches of the probabilities do not fit together: {described}"
            ) from None

    def joined(self, given: Mapping[str, Any]) -> Floats:
        """Distributions by name as one array (..., columns); uniform where nothing is given."""
        self.require_known(given)
        arrays = {name: _floats(array) for name, array in given.items()}
        batch = self.batch({name: array.shape for name, array in arrays.items()})
        result = np.empty((*batch, self.columns))
        result[...] = self.uniform
        for name, array in arrays.items():
            result[self.places[name]] = array
        return result

    def joined_at_once(self, given: Mapping[str, Any]) -> Floats | None:
        """The same of one array for each variable, of one distribution; None if it is not that."""
        if self._in_order is None or len(given) != len(self.sizes):
            return None
        try:
            arrays = self._in_order(given)
            if set(map(type, arrays)) != {np.ndarray} or list(map(len, arrays)) != self.lengths:
                return None
            joined = np.concatenate(arrays)
        except (KeyError, TypeError, ValueError):
            return None
        # All have as many dimensions as the result.
        return joined if joined.ndim == 1 and joined.dtype == np.float64 else None

    def split(self, joined: Floats) -> dict[str, Floats]:
        """Parts of an array (..., columns) by name."""
        parts: list[Floats] = []
        end = 0
        for count, size in self.runs:
            start, end = end, end + count * size
            run = joined[..., start:end].reshape(*joined.shape[:-1], count, size)
            parts.extend(run if run.ndim == 2 else np.moveaxis(run, -2, 0))
        return dict(zip(self.sizes, parts, strict=True))

    def rows(self, shape: Sequence[int]) -> int:
        """How many rows an array of all probabilities holds."""
        if not shape or shape[-1] != self.columns:
            raise SpaceError(
                f"probabilities in one array are (..., {self.columns}), one for each code of each "
                f"variable, got shape {tuple(shape)}"
            )
        return prod(shape[:-1])


class ExpectedCosts(Builder):
    """What a space is expected to cost."""

    engine: Journal
    _declared: list[tuple[str, str, tuple[Any, ...]]]
    _plans: dict[tuple[str, ...], Any]
    _plans_version: int
    _layout: Layout | None = None

    if TYPE_CHECKING:

        def _plan(self, metrics: tuple[str, ...]) -> Any: ...
        def _named(self, metrics: Sequence[str] | None, conventions: Any) -> dict[str, str]: ...

    def expected(
        self,
        metric: str,
        probabilities: Any,
        *,
        gradient: bool = False,
        conventions: Any = None,
        check: bool = True,
        threads: int | None = None,
    ) -> Any:
        """The exact expected cost where every variable is chosen at random, independently.

        That is the sum over all rows of codes of the product of their probabilities times the cost:
        as exact as doubles are, without drawing or enumerating. The choice of an inactive variable
        does not matter. Where the space refuses configurations, it is the expected cost under the
        condition that the network is accepted.

        >>> import netledger as nl
        >>> space = nl.Space()
        >>> kernel = space.choice("kernel", [3, 5])
        >>> width = space.choice("width", [8, 16])
        >>> x = space.input(1, 3, 32, 32)
        >>> space.output(nl.conv2d(x, width, kernel, padding=kernel // 2, bias=False))
        >>> space.expected("params", {"kernel": [0.75, 0.25], "width": [0.5, 0.5]})
        468.0
        >>> value, gradient = space.expected("params", {"kernel": [0.75, 0.25]}, gradient=True)
        >>> gradient["kernel"]
        array([324., 900.])

        Args:
            metric: what is counted, integers or reals.
            probabilities: a mapping from variables to arrays (..., number of values), in the order
                of the values; a variable that is left out is uniform. Or one array (..., total)
                with those of all variables, one after the other in the order of `variables`, which
                is the fastest. Leading dimensions are a batch; those of several arrays are
                broadcast. With torch tensors among them the result is a tensor that autograd
                differentiates (once), of their dtype (float32 or float64) and on their device; all
                is computed in doubles on the CPU.
            gradient: whether to return the gradient too.
            conventions: as in `sweep`.
            check: whether each variable's probabilities must be a distribution: not negative, their
                sum within 1e-6 of 1. They are then scaled to the sum 1. Without it any finite
                numbers are taken as they are, as finite differences need.
            threads: how many to run; left out, all for large batches.

        Returns:
            The expected cost: a float, or an array of the shape of the batch. With `gradient` the
            pair of it and of its derivatives by each probability, in a mapping (of all variables)
            or an array as the probabilities are: float64 (..., number of values), of every row of
            the batch. They are those of the multilinear sum above: by the probability of a code,
            the expected cost of the networks that have it. Where configurations are refused, they
            are those of the quotient of two such sums, the costs and the probability of acceptance.

        Raises:
            SpaceError: no distribution (naming the variable and the row of the batch, counted in C
                order); no network that the probabilities allow is accepted; the cost is not a sum
                of small tables, of which ``space.sweep_random(n)`` gives an estimate.
        """
        layout = self._layout
        if (
            layout is None
            or layout.source is not self._plans
            or self._plans_version != self.engine.version
        ):
            layout = self._layout = Layout(self._declared)
        plan, name = (conventions is None and layout.plans.get(metric)) or self._plan_of_metric(
            layout, metric, conventions
        )
        is_mapping = isinstance(probabilities, Mapping)
        joined = layout.joined_at_once(probabilities) if is_mapping else None
        if joined is None:
            if _has_tensors(probabilities.values() if is_mapping else (probabilities,)):
                from netledger._expected_torch import expected

                return expected(plan, name, layout, probabilities, gradient, check, threads)
            joined = layout.joined(probabilities) if is_mapping else _floats(probabilities)
        count = layout.rows(joined.shape)
        values, gradients = plan.expected(
            name,
            np.ascontiguousarray(joined.reshape(count, layout.columns)),
            gradient,
            threads_for(threads, count),
            check,
        )
        batch = joined.shape[:-1]
        value = values.reshape(batch) if batch else float(values[0])
        if not gradient:
            return value
        gradients = gradients.reshape(joined.shape)
        return value, layout.split(gradients) if is_mapping else gradients

    def _plan_of_metric(self, layout: Layout, metric: str, conventions: Any) -> tuple[Any, str]:
        """A plan of one metric, and its name in the plan."""
        ((_, name),) = self._named((metric,), conventions).items()
        plan = self._plan((name,))
        if layout.source is not self._plans:
            layout.source, layout.plans = self._plans, {}
        if conventions is None:
            layout.plans[metric] = plan, name
        return plan, name


def threads_for(threads: int | None, count: int) -> int:
    """How many threads a batch gets."""
    if threads is not None:
        return chosen_threads(threads, count)
    return 1 if count < FEW_ROWS else os.cpu_count() or 1


def _floats(probabilities: Any) -> Floats:
    """Probabilities as an array of doubles."""
    if type(probabilities) is np.ndarray and probabilities.dtype == np.float64:
        return probabilities
    try:
        array = np.asarray(probabilities)
        if array.dtype.kind in "biufO":
            return array.astype(np.float64)
    except (TypeError, ValueError):
        pass
    raise SpaceError(f"probabilities are numbers, got {probabilities!r}")


def _has_tensors(values: Any) -> bool:
    """Whether one of them is a tensor of torch, which nobody need have imported."""
    torch = sys.modules.get("torch")
    return torch is not None and any(
        issubclass(kind, torch.Tensor) for kind in set(map(type, values))
    )
