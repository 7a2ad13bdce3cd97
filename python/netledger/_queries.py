"""What is asked of a whole space: how many, the least and greatest, distributions, samples."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from netledger import _index_file
from netledger._answers import (
    NO_CONFIGURATION,
    PLAIN,
    Answers,
    Band,
    Kept,
    Options,
    Shown,
    Where,
    band_of,
    common,
    in_words,
    is_empty,
    is_within,
    pair_of,
    shown_permille,
)
from netledger._limits import lower_limit, upper_limit
from netledger.costs import Budget, chosen_threads
from netledger.distribution import (
    MOST_BINS,
    BinnedDistribution,
    Column,
    Distribution,
    Extremum,
    Front,
    Sample,
    edges_of,
    integers,
    limits_of,
    part,
    variance_of,
)
from netledger.errors import SpaceError
from netledger.formulas._layer import LARGEST, LOWEST
from netledger.graph import Builder

if TYPE_CHECKING:
    from netledger._journal import Journal

__all__ = ["Index", "Queries", "QueryExplanation"]

#: Of rows that are drawn and looked at so many at a time.
FEWEST_DRAWN, MOST_DRAWN = 2**12, 2**18
#: Draws that are given up after so many, unless told otherwise.
MOST_DRAWS = 10**8


class Queries(Builder):
    """The questions that a space answers about all of its configurations at once.

    They have much in common:

    * The law says what one configuration is. ``"architectures"``: each distinct network, once.
      ``"genes"``: each row of codes, inactive variables included, whose network is accepted.
    * Budgets, as ``macs=(None, 300_000_000)``, leave out what lies outside; None leaves an end
      open. ``budgets=`` takes them as a mapping, for names that are no Python words
      (``"flops@ofa"``).
    * ``where`` leaves out more: a mapping from variables to a value or a list of values (None among
      them admits configurations in which the variable is inactive), a condition (a comparison of
      this space's variables, in which inactive ones count with their first value), or a list of
      these.
    * ``memory`` is how many bytes tables may take, 2 GiB if left out. What would take more is
      refused before it is made.
    * Every number is exact. Where the cost of a space is not a sum of tables over few variables,
      `SpaceError` says so.
    """

    engine: Journal
    _variables: dict[str, Any]
    _plans: dict[tuple[str, ...], Any]
    _plans_version: int
    _kept: Kept

    if TYPE_CHECKING:

        def _plan(self, metrics: tuple[str, ...]) -> Any: ...
        def _named(self, metrics: Sequence[str] | None, conventions: Any) -> dict[str, str]: ...
        def _require_coded(self) -> None: ...
        def decode(self, row: Any, inactive: bool = False) -> Any: ...

    # -- how many ---------------------------------------------------------------------------------

    def count(
        self,
        *,
        where: Any = None,
        law: str = "architectures",
        budgets: Mapping[str, Budget] | None = None,
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
        **more_budgets: Budget,
    ) -> int:
        """How many configurations lie within at most two budgets, exactly.

        >>> import netledger as nl
        >>> space = nl.Space()
        >>> width = space.choice("width", [8, 16, 24])
        >>> space.output(nl.linear(space.input(1, 10), width, bias=False))
        >>> space.count(), space.count(params=(None, 200))
        (3, 2)

        Args:
            where: which configurations; see `Queries`.
            law: what one configuration is: ``"architectures"`` or ``"genes"``.
            budgets: budgets by the metric's name.
            conventions: as in `sweep`.
            memory: how many bytes tables may take.
            threads: how many to run; left out, all where it takes long.
            progress: whether to show it (with tqdm); left out, only where it takes long and there
                is a terminal.
            more_budgets: budgets as keywords.

        Raises:
            SpaceError: the cost is no sum of tables, or the tables do not fit the memory.
        """
        if (
            len(more_budgets) == 1
            and where is None
            and budgets is None
            and conventions is None
            and self._plans_version == self.engine.version
        ):
            for metric, budget in more_budgets.items():
                answers = self._kept.at_once.get((metric, law))
                found = None if answers is None else answers.known_count(band_of(metric, budget))
                if found is not None:
                    return found
        bands = self._bands(budgets, more_budgets)
        return self._counted(bands, Options(law, where, conventions, memory, threads, progress))

    def _counted(
        self,
        bands: dict[str, Band],
        options: Options,
    ) -> int:
        self._require_few(bands, 2, "count takes at most two budgets")
        answers = self._answers(tuple(bands), options)
        limits = list(bands.values())
        if any(map(is_empty, limits)):
            return 0
        if not limits:
            return answers.size
        if len(limits) == 2:
            return answers.joint(limits[0], limits[1], options)
        found = answers.count(limits[0], options)
        if options.where is None and options.conventions is None:
            self._kept.at_once[answers.metrics[0], options.law] = answers
        self._kept.drop_oldest()
        return found

    # -- least and greatest -----------------------------------------------------------------------

    def minimum(
        self,
        metric: str,
        *,
        where: Any = None,
        law: str = "architectures",
        budgets: Mapping[str, Budget] | None = None,
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
        **more_budgets: Budget,
    ) -> Extremum:
        """The least value of a metric, and a configuration that has it.

        Args:
            metric: one that is counted in integers.
            where, law, budgets, conventions, memory, threads, progress: as in `count`.
            more_budgets: a budget on the metric itself or on one other: the fewest parameters among
                networks of at least 300 million MACs are
                ``minimum("params", macs=(300_000_000, None))``.

        Raises:
            SpaceError: nothing lies within the budget; the text has the nearest feasible values.
        """
        bands = self._bands(budgets, more_budgets)
        options = Options(law, where, conventions, memory, threads, progress)
        return self._extremum(metric, False, bands, options)

    def maximum(
        self,
        metric: str,
        *,
        where: Any = None,
        law: str = "architectures",
        budgets: Mapping[str, Budget] | None = None,
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
        **more_budgets: Budget,
    ) -> Extremum:
        """The greatest value of a metric, and a configuration that has it; see `minimum`."""
        bands = self._bands(budgets, more_budgets)
        options = Options(law, where, conventions, memory, threads, progress)
        return self._extremum(metric, True, bands, options)

    def _extremum(
        self,
        metric: str,
        largest: bool,
        bands: dict[str, Band],
        options: Options,
    ) -> Extremum:
        which = "maximum" if largest else "minimum"
        self._require_few(
            bands, 1, f"{which} takes one budget, on the metric itself or on one other"
        )
        names = self._named([metric, *bands], options.conventions)
        own: Band = (None, None)
        for name, band in bands.items():
            if names[name] != names[metric]:
                return self._best(metric, largest, name, band, options)
            own = band
        answers = self._answers((metric,), options)
        limit = own[1] if largest else own[0]
        if limit is None:
            extreme = answers.query.extreme(largest)
            if extreme is not None and is_within(extreme[0], own):
                return self._attained(metric, *extreme)
            raise answers.infeasible(own, options)
        value = None
        if not is_empty(own):
            value = answers.nearest(limit, options)[0 if largest else 1]
        if value is None or not is_within(value, own):
            raise answers.infeasible(own, options)
        return self._with_value(answers, metric, value, options)

    def _best(
        self,
        metric: str,
        largest: bool,
        other: str,
        band: Band,
        options: Options,
    ) -> Extremum:
        """The least or greatest value of a metric within a budget on another."""
        answers = self._answers((other, metric), options)
        found = None
        if not is_empty(band):
            with answers.running("best", options) as how:
                found = answers.query.best(largest, *band, *how)
        if found is None:
            alone = self._answers((other,), options)
            raise alone.infeasible(band, options)
        value, cost, codes = found
        return Extremum(value, codes, self.decode(codes), {metric: value, other: cost})

    def nearest(
        self,
        metric: str,
        target: float,
        *,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
    ) -> Extremum:
        """The attained value nearest to a target, of two the lower, and a configuration with it.

        Args:
            metric: one that is counted in integers.
            target: any number.
            where, law, conventions, memory, threads, progress: as in `count`.
        """
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers((metric,), options)
        return self._nearest(answers, target, options)

    def _nearest(self, answers: Answers, target: float, options: Options) -> Extremum:
        (metric,) = answers.metrics
        if isinstance(target, np.generic):
            target = target.item()
        low, high = (
            min(max(limit, LOWEST), LARGEST) for limit in (lower_limit(target), upper_limit(target))
        )
        below, above = answers.nearest(low, options)
        if high != low:
            above = answers.nearest(high, options)[1]
        found = [value for value in (below, above) if value is not None]
        if not found:
            raise SpaceError(NO_CONFIGURATION)
        exact = Fraction(target) if math.isfinite(target) else Fraction(low)
        value = min(found, key=lambda value: abs(value - exact))
        return self._with_value(answers, metric, value, options)

    def _with_value(self, answers: Answers, metric: str, value: int, options: Options) -> Extremum:
        with answers.running("count", options) as how:
            codes = answers.query.find(value, *how)
        return self._attained(metric, value, codes)

    def _attained(self, metric: str, value: int, codes: Column) -> Extremum:
        return Extremum(value, codes, self.decode(codes), {metric: value})

    # -- distributions ----------------------------------------------------------------------------

    def distribution(
        self,
        metric: str,
        *,
        bin_width: int | None = None,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
    ) -> Any:
        """How many configurations have each value of a metric, exactly.

        Args:
            metric: one that is counted in integers.
            bin_width: count in bins that are so wide and begin at its multiples; the counts are
                exact, but which values occur inside of bins is not known.
            where, law, conventions, memory, threads, progress: as in `count`.

        Returns:
            A `netledger.distribution.Distribution`; with `bin_width` a `BinnedDistribution`.

        Raises:
            SpaceError: every value takes more than the memory; a bin width that fits is named.
        """
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers((metric,), options)
        if bin_width is not None:
            return self._binned(answers, bin_width, options)
        return self._distribution(answers, options)

    def _distribution(self, answers: Answers, options: Options) -> Distribution:
        (metric,) = answers.metrics
        if not answers.size:
            raise SpaceError(NO_CONFIGURATION)
        with answers.running("distribution", options) as how:
            found = answers.query.distribution(*how)
        self._kept.drop_oldest()
        return Distribution(metric, found, answers.query.moments())

    def _binned(self, answers: Answers, width: Any, options: Options) -> BinnedDistribution:
        if isinstance(width, bool) or not isinstance(width, int | np.integer) or width <= 0:
            raise SpaceError(f"bin_width must be a positive integer, got {width!r}")
        width = int(width)
        least, most = self._limits(answers)
        start = least // width * width
        count = (most - start) // width + 1
        return self._in_bins(answers, start, width, count, options)

    def _in_bins(
        self,
        answers: Answers,
        start: int,
        width: int,
        count: int,
        options: Options,
    ) -> BinnedDistribution:
        if count > MOST_BINS:
            raise SpaceError(f"there must be from 1 to {MOST_BINS:,} bins, got {count:,}")
        with answers.running("bins", options) as how:
            counts = answers.query.bins(start, width, count, *how)
        edges = integers([start + width * i for i in range(count + 1)])
        return BinnedDistribution(answers.metrics[0], edges, counts)

    def _limits(self, answers: Answers) -> tuple[int, int]:
        """The least and the greatest value."""
        extremes: list[Any] = [answers.query.extreme(largest) for largest in (False, True)]
        if extremes[0] is None:
            raise SpaceError(NO_CONFIGURATION)
        return extremes[0][0], extremes[1][0]

    def histogram(
        self,
        metric: str,
        bins: int | Sequence[float] | Column = 100,
        *,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
    ) -> BinnedDistribution:
        """How many configurations lie in each of some bins, exactly.

        Args:
            metric: one that is counted in integers.
            bins: how many, of equal width from the least to the greatest value; or their edges.
            where, law, conventions, memory, threads, progress: as in `count`.
        """
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers((metric,), options)
        least, most = self._limits(answers)
        edges = edges_of(bins, least, most)
        if isinstance(bins, int | np.integer):
            width = int(edges[1]) - int(edges[0])
            return self._in_bins(answers, least, width, int(bins), options)
        # All at once: values outside of 64 bits are none.
        limits = [min(max(limit, LOWEST), LARGEST) for limit in limits_of(edges)]
        reached = list(answers.cumulative(limits, options))
        return BinnedDistribution.between(metric, edges, reached, answers.size)

    def cdf(
        self,
        metric: str,
        value: float,
        *,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
    ) -> Fraction:
        """Which part of the configurations has at most this value, exactly."""
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers((metric,), options)
        return _cdf(answers, value, options)

    def quantile(
        self,
        metric: str,
        q: float,
        *,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
    ) -> int:
        """The least value that at least a part of the configurations does not exceed.

        Args:
            metric: one that is counted in integers.
            q: the part, from 0 to 1: 0.5 for the (lower) median. A float counts as the decimal
                number that it prints as.
            where, law, conventions, memory, threads, progress: as in `count`.
        """
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers((metric,), options)
        found = _quantile(answers, q, options)
        self._kept.drop_oldest()
        return found

    def mean(
        self,
        metric: str,
        *,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
    ) -> Fraction:
        """The mean of a metric over all configurations, exactly."""
        count, total, _ = self._moments(metric, Options(law, where, conventions, memory))
        return Fraction(total, count)

    def variance(
        self,
        metric: str,
        *,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
    ) -> Fraction:
        """The variance of a metric over all configurations (the population's), exactly."""
        return variance_of(self._moments(metric, Options(law, where, conventions, memory)))

    def _moments(self, metric: str, options: Options) -> tuple[int, int, int]:
        answers = self._answers((metric,), options)
        moments: tuple[int, int, int] = answers.query.moments()
        if not moments[0]:
            raise SpaceError(NO_CONFIGURATION)
        return moments

    def pareto(
        self,
        metric_a: str,
        metric_b: str,
        *,
        maximise: Sequence[str] = (),
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
    ) -> Front:
        """Every pair of values that nothing in the space is better than, exactly.

        Args:
            metric_a, metric_b: two that are counted in integers.
            maximise: those of which more is better.
            where, law, conventions, memory, threads, progress: as in `count`.
        """
        for metric in maximise:
            if metric not in (metric_a, metric_b):
                raise SpaceError(
                    f"maximise names '{metric}', which is not among {(metric_a, metric_b)}"
                )
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers((metric_a, metric_b), options)
        signs = metric_a in maximise, metric_b in maximise
        with answers.running("pareto", options) as how:
            values, others, codes = answers.query.pareto(*signs, *how)
        return Front({metric_a: values, metric_b: others}, codes)

    def marginals(
        self,
        *,
        where: Any = None,
        law: str = "architectures",
        budgets: Mapping[str, Budget] | None = None,
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
        **more_budgets: Budget,
    ) -> dict[str, dict[Any, int]]:
        """How often each value of each variable occurs, exactly.

        Args:
            where, law, budgets, conventions, memory, threads, progress: as in `count`.
            more_budgets: at most one budget.

        Returns:
            Of every variable the number of configurations with each of its values, in which it is
            active; with None, of those in which it is inactive, where there can be such.
        """
        bands = self._bands(budgets, more_budgets)
        self._require_few(bands, 1, "marginals take at most one budget")
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers(tuple(bands), options)
        band: Band = next(iter(bands.values()), (None, None))
        counts: Sequence[Sequence[int]] = [
            [0] * (len(variable.values) + 1) for variable in self._variables.values()
        ]
        if not is_empty(band):
            with answers.running("marginals", options) as how:
                counts = answers.query.marginals(*band, *how)
        found: dict[str, dict[Any, int]] = {}
        for (name, variable), entry, known in zip(
            self._variables.items(), counts, self.engine.target.variables, strict=True
        ):
            values = dict(zip(variable.values, entry[:-1], strict=True))
            is_always_active = isinstance(known.condition, int) and bool(known.condition)
            if len(values) < len(variable.values) or (None in values and not is_always_active):
                raise SpaceError(
                    f"values of '{name}' cannot be told apart as keys: True and 1, or None, which "
                    "stands for inactive"
                )
            found[name] = values if is_always_active else {**values, None: entry[-1]}
        return found

    # -- samples ----------------------------------------------------------------------------------

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        where: Any = None,
        law: str = "architectures",
        rejection: bool = False,
        most_draws: int | None = None,
        budgets: Mapping[str, Budget] | None = None,
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
        **more_budgets: Budget,
    ) -> Sample:
        """Configurations within budgets, each exactly as likely as any other (with replacement).

        With no budget or one, nothing is thrown away. With two, configurations are drawn within
        the budget that fewer meet, and those that break the other are thrown away: every
        configuration within both is still as likely as any other, and how many were thrown away is
        reported as `Sample.acceptance`.

        Args:
            n: how many.
            seed: any integer. The same seed gives the same sample, with the same release and
                memory.
            where, law, budgets, conventions, memory, threads, progress: as in `count`.
            rejection: draw from the whole space (as `random`) and throw away what breaks a budget
                or `where`: for any number of budgets, and where the cost is no sum of tables.
            most_draws: give up after so many draws, 10**8 if left out.
            more_budgets: at most two budgets; with `rejection` any number.

        Returns:
            Codes, a row per configuration, with `population` and `acceptance`.

        Raises:
            SpaceError: nothing lies within the budgets (with the nearest feasible values), or too
                little to be found by drawing.
        """
        n, seed = _drawing(n, seed)
        options = Options(law, where, conventions, memory, threads, progress)
        limit = MOST_DRAWS if most_draws is None else most_draws
        if rejection:
            pairs = _merged_budgets(budgets, more_budgets)
            return self._rejected(n, seed, options, pairs, limit)
        bands = self._bands(budgets, more_budgets)
        self._require_few(bands, 2, "sample takes at most two budgets without rejection=True")
        asked = {metric: self._answers((metric,), options) for metric in bands}
        if len(bands) == 2:
            sample = self._accepted(n, seed, bands, asked, options, limit)
        else:
            answers = asked.get(next(iter(bands), "")) or self._answers((), options)
            band: Band = next(iter(bands.values()), (None, None))
            sample = _sampled(answers, n, seed, band, options)
        self._kept.drop_oldest()
        return sample

    def _accepted(
        self,
        n: int,
        seed: int,
        bands: dict[str, Band],
        asked: dict[str, Answers],
        options: Options,
        most_draws: int,
    ) -> Sample:
        """Drawn within one of two bands, kept within the other."""
        populations = {}
        for metric, band in bands.items():
            populations[metric] = asked[metric].count(band, options)
            if not populations[metric]:
                raise asked[metric].infeasible(band, options)
        exact, other = sorted(bands, key=lambda metric: populations[metric])
        both = self._answers((exact, other), options)
        with both.running("best", options) as how:
            least, most = (
                both.query.best(largest, *bands[exact], *how) for largest in (False, True)
            )
        if is_empty(common((least[0], most[0]), bands[other])):
            raise SpaceError(
                f"no configuration with {exact} {in_words(bands[exact])} has {other} "
                f"{in_words(bands[other])}: they have {other} from {least[0]:,} to {most[0]:,}"
            )
        answers = asked[exact]
        answers.prepare_if_affordable(options)
        quiet = replace(options, progress=False)
        internal = self._named([other], options.conventions)[other]
        plan = self._plan((internal,))

        def draw(count: int, number: int) -> tuple[Column, npt.NDArray[np.bool_]]:
            own = int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])
            with answers.running("sample", quiet) as how:
                codes = answers.query.sample(count, own, *bands[exact], *how)
            columns, _ = plan.sweep(codes, chosen_threads(options.threads, count))
            return codes, _is_within_band(columns[internal], bands[other])

        rows, acceptance = _kept_of_draws(n, draw, most_draws, options.progress)
        return Sample(rows, populations[exact], acceptance, exact)

    def _rejected(
        self, n: int, seed: int, options: Options, budgets: Mapping[str, Budget], most_draws: int
    ) -> Sample:
        """Drawn from the whole space, kept within all budgets."""
        self._require_coded()
        names = self._named(list(budgets), options.conventions)
        plan = self._plan(tuple(dict.fromkeys(names.values())))
        bands: list[tuple[str, Any]] = [
            (names[name], pair_of(name, budget))
            if names[name] in plan.real_metrics
            else (names[name], band_of(name, budget))
            for name, budget in budgets.items()
        ]
        wanted = self._where(options.where)
        drawn = 0

        def draw(count: int, number: int) -> tuple[Column, npt.NDArray[np.bool_]]:
            nonlocal drawn
            codes = plan.random(count, seed, options.law, drawn)
            drawn += count
            kept = wanted.met_by(plan, codes)
            if bands:
                columns, refusals = plan.sweep(codes, chosen_threads(options.threads, count))
                kept &= refusals == 0
                for internal, band in bands:
                    kept &= _is_within_band(columns[internal], band)
            return codes, kept

        rows, acceptance = _kept_of_draws(n, draw, most_draws, options.progress)
        return Sample(rows, None, acceptance)

    # -- what is kept -----------------------------------------------------------------------------

    def index(
        self,
        metric: str,
        *,
        cache: str | os.PathLike[str] | None = None,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
        threads: int | None = None,
        progress: Shown = None,
    ) -> Index:
        """Prepare everything for counts and samples within budgets on one metric, and keep it.

        Args:
            metric: one that is counted in integers.
            cache: a file to keep it in. If the file is there, it is loaded; else it is made and
                written. A file that is damaged, or of another space, metric, law or `where`, is
                refused and left alone.
            where, law, conventions, memory, threads, progress: as in `count`.

        Raises:
            SpaceError: it does not fit the memory, or the file is not what it should be.
        """
        options = Options(law, where, conventions, memory, threads, progress)
        answers = self._answers((metric,), options)
        path = None if cache is None else Path(cache)
        if path is None:
            answers.prepare(options)
        else:
            about = {
                "metric": self._named([metric], conventions)[metric],
                "law": law,
                "implementation": "pure" if "_pure" in type(answers.query).__module__ else "core",
                _index_file.FINGERPRINT: f"{answers.query.fingerprint:016x}",
            }
            _load_or_make(answers, path, about, options)
        self._kept.drop_oldest()
        return Index(self, answers, law)

    # -- explanations -----------------------------------------------------------------------------

    def explain_query(
        self,
        *metrics: str,
        where: Any = None,
        law: str = "architectures",
        conventions: Any = None,
        memory: int | None = None,
    ) -> QueryExplanation:
        """How questions about at most two metrics are answered, and what that takes, for ``print``.

        Nothing is run for it.
        """
        answers = self._answers(metrics, Options(law, where, conventions, memory))
        names = list(self._variables)
        found = dict(answers.predicted)
        for key in ("order", "given"):
            found[key] = [names[number] for number in found.get(key, ())]
        found["components"] = [
            (tuple(names[number] for number in numbers), values)
            for numbers, values in found.get("components", ())
        ]
        return QueryExplanation(
            {"metrics": list(metrics), "law": law, "memory": answers.memory, **found}
        )

    # -- inside -----------------------------------------------------------------------------------

    def _bands(
        self, budgets: Mapping[str, Budget] | None, more: Mapping[str, Budget]
    ) -> dict[str, Band]:
        """Budgets as integers, without those that say nothing."""
        bands = {
            metric: band_of(metric, budget)
            for metric, budget in _merged_budgets(budgets, more).items()
        }
        return {metric: band for metric, band in bands.items() if band != (None, None)}

    def _require_few(self, bands: Mapping[str, Band], most: int, text: str) -> None:
        if len(bands) > most:
            raise SpaceError(f"{text}, got {', '.join(bands)}")

    def _where(self, where: Any) -> Where:
        found = Where(self.engine, self._variables)
        found.add(where)
        return found

    def _answers(self, metrics: Sequence[str], options: Options) -> Answers:
        """What answers questions about some metrics: what is kept, else a new query."""
        self._require_coded()
        memory = options.most_bytes
        names = self._named(list(metrics), options.conventions)
        internal = [names[metric] for metric in metrics]
        if len(set(internal)) < len(internal):
            raise SpaceError(f"{' and '.join(metrics)} are the same metric")
        plan = self._plan_of(internal)
        for metric in metrics:
            if names[metric] in plan.real_metrics:
                raise SpaceError(
                    f"metric '{metric}' is of real numbers, which cannot be counted exactly: add "
                    "one of integers (space.add_metric with a rule that rounds, say to "
                    "microseconds)"
                )
        wanted = self._where(options.where)
        key = (tuple(internal), options.law, wanted.key)
        answers = self._kept.get(key, memory)
        if answers is None:
            query = plan.query(
                internal, options.law, wanted.restrictions, wanted.constraints, memory
            )
            answers = Answers(query, metrics, memory)
            self._kept.add(key, answers)
        return answers if answers.metrics == tuple(metrics) else answers.called(metrics)

    def _plan_of(self, internal: Sequence[str]) -> Any:
        """A plan of some metrics, in the order in which there is one."""
        backwards = tuple(reversed(internal))
        is_known = self._plans_version == self.engine.version and backwards in self._plans
        return self._plan(backwards if is_known else tuple(internal))


class QueryExplanation(dict[str, Any]):
    """How questions about a whole space are answered; ``print`` shows it.

    The entries are those of the implementation in use. Of the compiled core: ``order`` in which
    variables are eliminated, ``given`` those that are fixed first in each of ``slices``
    combinations, ``components`` of variables that are independent of each other with the number of
    values that each can come to; and for each of ``count``, ``distribution`` and ``prepare`` the
    predicted bytes, operations and seconds of one thread, as ``count_bytes``.
    """

    #: Of components so many are printed.
    MOST_LINES = 12

    def __str__(self) -> str:
        about = " and ".join(self["metrics"]) or "how many"
        lines = [f"{about}, law '{self['law']}', at most {self['memory']:,} bytes"]
        lines.append(f"order: {' '.join(self['order']) or 'nothing to eliminate'}")
        if self["given"]:
            slices = self["slices"]
            lines.append(f"given: {' '.join(self['given'])}, {slices:,} combinations")
        components = self["components"]
        for names, values in components[: self.MOST_LINES]:
            size = "" if values is None else f": {values:,} value{'s' * (values != 1)}"
            lines.append(f"  {' '.join(names)}{size}")
        if len(components) > self.MOST_LINES:
            lines.append(f"  and {len(components) - self.MOST_LINES} more components")
        if "bins" in self:
            lines.append(f"values in steps of {self['step']:,}: {self['bins']:,} at most")
        lines += [
            f"{what}: about {self[f'{what}_bytes']:,} bytes, {_seconds(self[f'{what}_seconds'])}"
            for what in ("count", "distribution", "prepare")
            if f"{what}_bytes" in self
        ]
        return "\n".join(lines)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


class Index:
    """A metric of a space, prepared: counts and samples within budgets, in microseconds.

    It answers for the space as it was when the index was made.

    Attributes:
        metric: its name.
        law: what one configuration is.
    """

    def __init__(self, space: Queries, answers: Answers, law: str) -> None:
        self._space = space
        self._version = space.engine.version
        self._answers = answers
        (self.metric,) = answers.metrics
        self.law = law

    @property
    def size(self) -> int:
        """How many configurations there are."""
        return self._answers.size

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self._answers.held

    def count(self, low: float | None = None, high: float | None = None) -> int:
        """How many configurations have the metric from `low` to `high`, both included."""
        return self._answers.count(band_of(self.metric, (low, high)))

    def sample(
        self,
        n: int,
        low: float | None = None,
        high: float | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> Sample:
        """Configurations within limits, each exactly as likely as any other (with replacement)."""
        band = band_of(self.metric, (low, high))
        return _sampled(self._answers, *_drawing(n, seed), band, Options(threads=threads))

    def nearest(self, target: float) -> Extremum:
        """The attained value nearest to a target, of two the lower, and what attains it."""
        if self._space.engine.version != self._version:
            raise SpaceError("the space has changed since the index was made")
        return self._space._nearest(self._answers, target, PLAIN)

    def cdf(self, value: float) -> Fraction:
        """Which part of the configurations has at most this value."""
        return _cdf(self._answers, value, PLAIN)

    def quantile(self, q: float) -> int:
        """The least value that at least this part of the configurations does not exceed."""
        return _quantile(self._answers, q, PLAIN)

    def distribution(self) -> Distribution:
        """How many configurations have each value."""
        return self._space._distribution(self._answers, PLAIN)

    def __repr__(self) -> str:
        return f"Index({self.metric}: {self.size:,} configurations, {self.bytes:,} bytes)"


# -- what a space and an index share ---------------------------------------------------------------


def _drawing(n: Any, seed: Any) -> tuple[int, int]:
    """How many to draw, and the seed as 64 bits."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise SpaceError(f"n must be an integer that is not negative, got {n!r}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise SpaceError(f"seed must be an integer, got {seed!r}")
    return int(n), int(seed) % 2**64


def _sampled(answers: Answers, n: int, seed: int, band: Band, options: Options) -> Sample:
    """Drawn exactly within one band."""
    metric = answers.metrics[0] if answers.metrics else None
    if metric is not None:
        answers.prepare_if_affordable(options)
    population = 0 if is_empty(band) else answers.count(band, options)
    if not population:
        if metric is None:
            raise SpaceError(NO_CONFIGURATION)
        raise answers.infeasible(band, options)
    with answers.running("sample", options) as how:
        codes = answers.query.sample(n, seed, *band, *how)
    return Sample(codes, population, Fraction(1), metric)


def _cdf(answers: Answers, value: float, options: Options) -> Fraction:
    if not answers.size:
        raise SpaceError(NO_CONFIGURATION)
    band = band_of(answers.metrics[0], (None, value))
    return Fraction(answers.count(band, options), answers.size)


def _quantile(answers: Answers, q: float, options: Options) -> int:
    rank = max(math.ceil(part(q) * answers.size), 1)
    if not answers.size:
        raise SpaceError(NO_CONFIGURATION)
    return answers.quantile(rank, options)


def _load_or_make(
    answers: Answers,
    path: Path,
    about: Mapping[str, Any],
    options: Options,
) -> None:
    """Prepare a query, from a file if there is one, else to be kept in one."""
    if path.exists():
        size = path.stat().st_size
        if size > answers.memory:
            raise SpaceError(
                f"the index in {path} takes {size:,} bytes, more than the {answers.memory:,} that "
                "are allowed (memory=)"
            )
        tables = _index_file.read(path, about)
        if answers.is_prepared:
            return
        try:
            answers.query.restore(tables)
        except SpaceError as error:
            raise _index_file.refused(path, str(error)) from error
        return
    if not os.access(path.parent, os.W_OK):
        raise SpaceError(f"the folder of the cache is not there, or not to write to: {path.parent}")
    answers.prepare(options)
    _index_file.write(path, about, answers.query.tables())


def _merged_budgets(
    budgets: Mapping[str, Budget] | None, more: Mapping[str, Budget]
) -> dict[str, Budget]:
    both = set(budgets or ()) & set(more)
    if both:
        raise SpaceError(f"there are two budgets of '{both.pop()}'")
    return {**(budgets or {}), **more}


def _is_within_band(column: Column, band: tuple[Any, Any]) -> npt.NDArray[np.bool_]:
    low, high = band
    kept = np.ones(len(column), dtype=bool)
    if low is not None:
        kept &= column >= low
    if high is not None:
        kept &= column <= high
    return kept


def _kept_of_draws(n: int, draw: Any, most_draws: int, progress: Shown) -> tuple[Column, Fraction]:
    """Draw until enough is kept.

    Args:
        n: how many.
        draw: draws so many rows, those of a batch of a number, and says which to keep.
        most_draws: how many to draw before giving up.
        progress: whether to show it.

    Returns:
        The first n that were kept, in the order in which they were drawn; and which part was.
    """
    # A draw of none tells how rows look.
    parts: list[Column] = [draw(0, 0)[0]]
    kept = drawn = 0
    with shown_permille(progress) as shown:
        for number in itertools.count():
            if kept >= n:
                break
            if drawn >= most_draws:
                raise SpaceError(
                    f"{kept:,} of {drawn:,} draws lie within the budgets, too few to draw {n:,} "
                    "configurations: widen the budgets, or raise most_draws"
                )
            expected = (n - kept) * drawn // kept * 9 // 8 if kept else 4 * (n + drawn)
            count = min(max(expected, FEWEST_DRAWN), MOST_DRAWN, most_draws - drawn)
            codes, chosen = draw(count, number)
            parts.append(codes[chosen])
            drawn += count
            kept += len(parts[-1])
            if shown is not None:
                shown(min(kept * 1000 // n, 1000))
    return np.concatenate(parts)[:n], Fraction(kept, drawn) if drawn else Fraction(1)
