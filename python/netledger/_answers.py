"""Queries of the engine on behalf of a space: what is asked, and what is kept of it."""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from netledger._journal import NO_VALUE, Journal
from netledger._limits import lower_limit, upper_limit
from netledger.costs import _bars, chosen_threads
from netledger.errors import SpaceError
from netledger.formulas._layer import LARGEST, LOWEST
from netledger.quantity import Quantity, Selection, as_condition

#: A least and a greatest integer, both included; None leaves an end open.
Band = tuple[int | None, int | None]
Progress = Callable[[int], None]
Shown = bool | None

#: How many bytes the tables of one query take, unless told otherwise; and those of all together.
MEMORY = 2 * 2**30
#: A condition is known by its values for at most so many combinations of variables.
MOST_COMBINATIONS = 2**18
#: So many counts are remembered where they are not looked up.
MOST_KNOWN = 4096
#: Seconds. What takes less is done by one thread.
SHORT = 0.05
#: Seconds after which progress is shown where a terminal is there.
PATIENCE = 2.0


# -- budgets ---------------------------------------------------------------------------------------


def pair_of(metric: str, budget: Any) -> tuple[Any, Any]:
    """A budget as its two limits."""
    try:
        low, high = budget
    except (TypeError, ValueError):
        low = high = ""
    if isinstance(low, str | bytes) or isinstance(high, str | bytes):
        raise SpaceError(
            f"a budget is a pair, ({metric} at least, {metric} at most), got {budget!r}"
        )
    return low, high


def band_of(metric: str, budget: Any) -> Band:
    """The integers within a budget: limits rounded inwards, open where they say nothing."""
    low, high = pair_of(metric, budget)
    for limit, nothing in ((low, -math.inf), (high, math.inf)):
        if isinstance(limit, float) and not math.isfinite(limit) and limit != nothing:
            raise SpaceError(f"the budget of '{metric}' is {limit}")
    try:
        least = None if low is None else upper_limit(low)
        most = None if high is None else lower_limit(high)
    except TypeError:
        raise SpaceError(
            f"a budget is a pair, ({metric} at least, {metric} at most), got {budget!r}"
        ) from None
    return (
        None if least is None or least <= LOWEST else least,
        None if most is None or most >= LARGEST else most,
    )


def is_empty(band: Band) -> bool:
    """Whether no integer of 64 bits lies within a band."""
    low, high = band
    return (LOWEST if low is None else low) > (LARGEST if high is None else high)


def is_within(value: int, band: Band) -> bool:
    """Whether a value lies within a band."""
    low, high = band
    return (low is None or value >= low) and (high is None or value <= high)


def common(one: Band, other: Band) -> Band:
    """What lies within both of two bands."""
    lows = [low for low in (one[0], other[0]) if low is not None]
    highs = [high for high in (one[1], other[1]) if high is not None]
    return max(lows, default=None), min(highs, default=None)


def in_words(band: Band) -> str:
    """A band, for messages."""
    low, high = band
    if low is not None and high is not None:
        return f"from {low:,} to {high:,}"
    if low is not None:
        return f"of at least {low:,}"
    return "of any size" if high is None else f"of at most {high:,}"


# -- conditions on variables -----------------------------------------------------------------------

#: (variable, codes, whether it may be inactive), as the engine takes it.
Restriction = tuple[int, tuple[int, ...], bool]
#: (variables, flags), as the engine takes it.
Constraint = tuple[tuple[int, ...], bytes]


class Where:
    """Which configurations a question is about, as the engine takes it."""

    def __init__(self, journal: Journal, variables: Mapping[str, Any]) -> None:
        """Take all of them at first."""
        self._journal = journal
        self._variables = variables
        self._numbers = {name: number for number, name in enumerate(variables)}
        self.restrictions: list[Restriction] = []
        self.constraints: list[Constraint] = []

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells different ones apart."""
        return (*self.restrictions, *self.constraints)

    def add(self, where: Any) -> None:
        """Take only what meets a mapping, a condition or each of a list of them."""
        if where is None:
            return
        if isinstance(where, Mapping):
            for name, wanted in where.items():
                self._restrict(name, wanted)
        elif isinstance(where, list | tuple):
            for entry in where:
                self.add(entry)
        elif isinstance(where, Quantity | Selection | bool | int | np.bool_):
            self._constrain(where)
        else:
            raise SpaceError(
                "where is a mapping from names of variables to values, a condition, or a list of "
                f"these, got {where!r}"
            )

    def _restrict(self, name: Any, wanted: Any) -> None:
        """A variable has one of some values; None among them: or is inactive."""
        if name not in self._numbers:
            known = ", ".join(self._variables) or "none"
            raise SpaceError(f"where: unknown variable {name!r}; the space has {known}")
        known_values = self._variables[name].values
        codes = {(type(value) is bool, value): code for code, value in enumerate(known_values)}
        chosen: dict[int, None] = {}
        inactive = False
        for value in _several(wanted, codes):
            code = codes.get(_key(value))
            if code is not None:
                chosen[code] = None
            elif value is None:
                inactive = True
            else:
                listed = ", ".join(map(repr, known_values[:20]))
                more = ", ..." if len(known_values) > 20 else ""
                raise SpaceError(
                    f"where: {value!r} is not among the values of '{name}': {listed}{more}"
                )
        self.restrictions.append((self._numbers[name], tuple(sorted(chosen)), inactive))

    def _constrain(self, condition: Any) -> None:
        """A condition holds, which has a flag for each combination of its variables."""
        holds = as_condition(condition)
        table = self._journal.tabulated([holds], MOST_COMBINATIONS)
        if table is None:
            raise SpaceError(
                "where: a condition depends on more than "
                f"{MOST_COMBINATIONS:,} combinations of choices. Add it as a metric "
                "(space.add_metric with a list of terms) and ask with a budget of that"
            )
        support, (values,) = table
        flags = (values != 0) & (values != NO_VALUE)
        if flags.all():
            return
        if support:
            self.constraints.append((support, flags.astype(np.uint8).tobytes()))
        elif self._variables:
            # Met by nothing: no code of the first variable will do.
            self.restrictions.append((0, (), False))
        else:
            self.constraints.append(((), b"\0"))

    def met_by(self, plan: Any, codes: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which rows of codes meet it."""
        met = np.ones(len(codes), dtype=bool)
        canonical = plan.canonical(codes)
        for variable, chosen, inactive in self.restrictions:
            exists = self._exists(variable, canonical)
            met &= np.where(exists, np.isin(canonical[:, variable], chosen), inactive)
        sizes = [len(variable.values) for variable in self._variables.values()]
        for variables, flags in self.constraints:
            entry = np.zeros(len(codes), dtype=np.int64)
            for variable in variables:
                entry = entry * sizes[variable] + canonical[:, variable]
            met &= np.frombuffer(flags, dtype=np.uint8)[entry] != 0
        return met

    def _exists(self, variable: int, canonical: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        condition = self._journal.target.variables[variable].condition
        if not isinstance(condition, Quantity):
            return np.full(len(canonical), bool(condition))
        (found,) = self._journal.target.evaluate([condition], canonical.astype(np.uint16), None)
        exists: npt.NDArray[np.bool_] = (found != 0) & (found != NO_VALUE)
        return exists


def _key(value: Any) -> tuple[bool, Any]:
    plain = value.item() if isinstance(value, np.generic) else value
    return type(plain) is bool, tuple(plain) if isinstance(plain, list) else plain


def _several(wanted: Any, codes: Mapping[tuple[bool, Any], int]) -> Iterable[Any]:
    """The values that are wanted: of a list that is no value itself, its entries."""
    try:
        if _key(wanted) in codes:
            return [wanted]
    except TypeError:
        # What is not hashable is no value.
        pass
    if isinstance(wanted, np.ndarray):
        return list(wanted.tolist()) if wanted.ndim else [wanted.item()]
    if isinstance(wanted, list | tuple | set | frozenset | range):
        return wanted
    return [wanted]


# -- queries ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """What a question may be asked with, as `Queries.count` takes it."""

    law: str = "architectures"
    where: Any = None
    conventions: Any = None
    memory: int | None = None
    threads: int | None = None
    progress: Shown = None

    @property
    def most_bytes(self) -> int:
        """How many bytes tables may take."""
        memory: Any = MEMORY if self.memory is None else self.memory
        if isinstance(memory, bool) or not isinstance(memory, int | np.integer) or memory <= 0:
            raise SpaceError(f"memory is a positive number of bytes, got {memory!r}")
        return int(memory)


PLAIN = Options()


class Answers:
    """A query of the engine, and what has been found with it.

    Attributes:
        query: the engine's.
        metrics: the names that its metrics were asked for by.
        memory: how many bytes its tables may take.
    """

    def __init__(self, query: Any, metrics: Sequence[str], memory: int) -> None:
        self.query = query
        self.metrics = tuple(metrics)
        self.memory = memory
        #: Counts up to a limit, and in two bands, where they are not looked up.
        self._known: dict[Any, int] = {}

    def called(self, metrics: Sequence[str]) -> Answers:
        """The same for metrics that were asked for by other names."""
        other = copy.copy(self)
        other.metrics = tuple(metrics)
        return other

    @cached_property
    def predicted(self) -> dict[str, Any]:
        """What the engine says of the query."""
        found: dict[str, Any] = self.query.explain()
        return found

    @property
    def is_prepared(self) -> bool:
        """Whether `prepare` was called, which takes one metric."""
        return len(self.metrics) == 1 and bool(self.query.prepared)

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return int(self.query.bytes) if len(self.metrics) == 1 else 0

    @property
    def is_affordable(self) -> bool:
        """Whether what `prepare` makes fits the memory."""
        needed = self.predicted.get("prepare_bytes")
        return needed is not None and needed <= self.memory

    def prepare(self, options: Options) -> None:
        """Make what answers further questions at once.

        Raises:
            SpaceError: it does not fit the memory.
        """
        if not self.query.prepared:
            with self.running("prepare", options) as how:
                self.query.prepare(*how)

    def prepare_if_affordable(self, options: Options) -> None:
        """The same where it fits; elsewhere the engine answers without."""
        if not self.query.prepared and self.is_affordable:
            self.prepare(options)

    def look_up_if_affordable(self, options: Options) -> None:
        """Make what answers counts at once, where it fits."""
        if self.query.answers_at_once or self.predicted["distribution_bytes"] > self.memory:
            return
        with self.running("distribution", options) as how:
            self.query.distribution(*how)

    def cumulative(self, limits: Sequence[int], options: Options) -> Sequence[int]:
        """For each limit how many have a metric of at most that."""
        if self.query.answers_at_once:
            found: Sequence[int] = self.query.cumulative(limits)
            return found
        missing = [limit for limit in limits if limit not in self._known]
        if missing:
            with self.running("count", options) as how:
                self._remember(missing, self.query.cumulative(missing, *how))
        return [self._known[limit] for limit in limits]

    def count(self, band: Band, options: Options = PLAIN) -> int:
        """How many have the metric within a band."""
        low, high = band
        if low is None:
            if high is None:
                return self.size
            return 0 if high < LOWEST else self.cumulative((high,), options)[0]
        if high is None:
            return self.size - self.cumulative((low - 1,), options)[0]
        if low > high or high < LOWEST:
            return 0
        below, reached = self.cumulative((low - 1, high), options)
        return reached - below

    @cached_property
    def size(self) -> int:
        """How many configurations there are."""
        size: int = self.query.size
        return size

    def known_count(self, band: Band) -> int | None:
        """The same where nothing has to be made for it; None elsewhere."""
        low, high = band
        if not self.query.answers_at_once and not (
            (low is None or low - 1 in self._known) and (high is None or high in self._known)
        ):
            return None
        return self.count(band)

    def joint(self, band: Band, other: Band, options: Options) -> int:
        """How many have both metrics within bands."""
        key = (*band, *other)
        if key not in self._known:
            with self.running("joint", options) as how:
                self._remember([key], [self.query.joint(*key, *how)])
        return self._known[key]

    def nearest(self, target: int, options: Options) -> tuple[int | None, int | None]:
        """The attained values next to a target: at most that, and at least that."""
        with self.running("count", options) as how:
            found: tuple[int | None, int | None] = self.query.nearest(target, *how)
        return found

    def quantile(self, rank: int, options: Options) -> int:
        """The least value that at least so many do not exceed; there are as many."""
        self.look_up_if_affordable(options)
        least, most = self.query.extreme(False), self.query.extreme(True)
        low, high = least[0] - 1, most[0]
        # Of `low` fewer do not exceed it, of `high` enough.
        parts = 2 if self.query.answers_at_once else 64
        while high - low > 1:
            limits = sorted({low + (high - low) * i // parts for i in range(1, parts)} - {low})
            for limit, reached in zip(limits, self.cumulative(limits, options), strict=True):
                if reached >= rank:
                    high = limit
                    break
                low = limit
        return int(high)

    def infeasible(self, band: Band, options: Options) -> SpaceError:
        """What says that nothing lies within a band, and what lies next to it."""
        (metric, *_) = self.metrics
        if not self.size:
            return SpaceError(NO_CONFIGURATION)
        low, high = band
        if low is not None and high is not None and low > high:
            return SpaceError(f"the budget of '{metric}' is empty: {low:,} is above {high:,}")
        below = above = None
        if low is not None:
            below = self.nearest(min(low, LARGEST), options)[0]
        if high is not None:
            above = self.nearest(max(high, LOWEST), options)[1]
        nearest = [f"{value:,}" for value in (below, above) if value is not None]
        text = f"values are {' and '.join(nearest)}" if nearest[1:] else f"value is {nearest[0]}"
        return SpaceError(
            f"no configuration has {metric} {in_words(band)}: the nearest feasible {text}"
        )

    @contextmanager
    def running(self, what: str, options: Options) -> Iterator[tuple[int, Progress | None]]:
        """How many threads something runs in, and what it tells of its progress."""
        seconds = self.predicted.get(f"{what}_seconds", math.inf)
        is_long = seconds > SHORT or options.threads is not None
        threads = chosen_threads(options.threads, 2**63) if is_long else 1
        with shown_permille(options.progress) as shown:
            yield threads, shown

    def _remember(self, keys: Sequence[Any], counts: Sequence[int]) -> None:
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        self._known.update(zip(keys, counts, strict=True))


NO_CONFIGURATION = "there is no configuration: the space refuses every one, or none meets `where`"


class Kept:
    """The queries of a space, the oldest dropped first where they take too much memory."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[Any, ...], Answers] = {}
        #: What answers counts without a look at anything else, by metric and law.
        self.at_once: dict[tuple[str, str], Answers] = {}

    def get(self, key: tuple[Any, ...], memory: int) -> Answers | None:
        """What is kept of a question; None where it has to be asked anew, with other memory."""
        answers = self._by_key.get(key)
        if answers is None:
            return None
        is_small = answers.is_prepared and answers.held <= memory
        if answers.memory != memory and not is_small:
            return None
        # The last one to be dropped.
        self._by_key[key] = self._by_key.pop(key)
        return answers

    def add(self, key: tuple[Any, ...], answers: Answers) -> None:
        """Keep what was asked."""
        self._drop(key)
        self._by_key[key] = answers

    def drop_oldest(self) -> None:
        """Keep no more than is allowed."""
        total = sum(answers.held for answers in self._by_key.values())
        while total > MEMORY or len(self._by_key) > MOST_QUERIES:
            total -= self._drop(next(iter(self._by_key)))

    def _drop(self, key: tuple[Any, ...]) -> int:
        """Forget a question; returns how much memory that frees."""
        dropped = self._by_key.pop(key, None)
        if dropped is None:
            return 0
        self.at_once = {
            name: answers
            for name, answers in self.at_once.items()
            if answers.query is not dropped.query
        }
        return dropped.held


#: So many queries of a space are kept.
MOST_QUERIES = 256


# -- progress --------------------------------------------------------------------------------------


class _Bar:
    """A progress bar, made when it is first needed."""

    def __init__(self, patience: float) -> None:
        self._bar: Any = None
        self._shown_from = time.monotonic() + patience

    def __call__(self, done: int) -> None:
        if self._bar is None:
            if time.monotonic() < self._shown_from:
                return
            bars = _bars()
            if bars is None:
                self._shown_from = math.inf
                return
            self._bar = bars(total=1000, bar_format="{percentage:3.0f}%|{bar}| {elapsed}")
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


@contextmanager
def shown_permille(wanted: Shown) -> Iterator[Progress | None]:
    """What tells of progress in thousandths; None where nobody wants to know.

    Left open (None), it is shown only where it takes long and a terminal is there.
    """
    if wanted and _bars() is None:
        raise SpaceError("progress is shown with tqdm, which is not installed")
    is_terminal = hasattr(sys.stderr, "isatty") and sys.stderr.isatty()
    if wanted is False or (wanted is None and not is_terminal):
        yield None
        return
    bar = _Bar(0.0 if wanted else PATIENCE)
    try:
        yield bar
    finally:
        bar.close()
