"""What a space costs, configuration by configuration, in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from netledger._pure import reductions
from netledger._pure.candidates import (
    ATTEMPT_STEP,
    CROSSOVER,
    MASK,
    MOST_ATTEMPTS,
    MUTATE,
    PURPOSES,
    Completions,
    Rule,
    below,
    bounded,
    decoded,
    draw,
    groups_of,
    hash_of,
    key_of,
    masked,
)
from netledger._pure.expectation import Expectation
from netledger._pure.expressions import Assignment, Expression, Operand, fits
from netledger._pure.query import Constraint, Query, Restriction
from netledger.errors import CountOverflowError, SpaceError
from netledger.formulas._layer import LARGEST, is_integer

if TYPE_CHECKING:
    from netledger._pure.space import Layer, Space, Step

#: Components of at most so many canonical combinations are one digit.
MOST_DIGIT = 65_536

#: The refusal of another spelling of a configuration that is counted elsewhere.
NOT_CANONICAL = 0xFFFFFFFF

Progress = Callable[[int], None]
Budget = tuple[str, Any, Any]


@dataclass(frozen=True)
class Digit:
    """Variables whose codes are counted together, and the combinations of them in order.

    Of a component that is too large, each variable is a digit without a list of combinations.
    """

    variables: tuple[int, ...]
    combinations: tuple[tuple[int, ...], ...] | None
    size: int
    component: int


@dataclass(frozen=True)
class Scope:
    """The variables on which it depends whether a step refuses, and the combinations it does."""

    variables: tuple[int, ...]
    refused: frozenset[tuple[int, ...]]

    def accepts(self, row: Sequence[int]) -> bool:
        """Whether the step accepts a row, by these variables."""
        return tuple(row[variable] for variable in self.variables) not in self.refused


class Plan:
    """A space made ready to count some metrics."""

    def __init__(self, space: Space, metrics: Sequence[str]) -> None:
        self._space = space
        self._program = space.program
        self._metrics = [name for name in metrics if name not in space.real_metrics]
        self._real_metrics = [name for name in metrics if name in space.real_metrics]
        self._steps = list(space.checks)
        sizes = space.program.sizes
        self._coded = [number for number, size in enumerate(sizes) if size is not None]
        self._sizes = [sizes[number] or 0 for number in self._coded]
        self._names = [space.variables[number].name for number in self._coded]
        self._is_free = len(self._coded) < len(space.program.sizes)
        self._expectations: dict[str, Expectation] = {}
        self._layer_terms = self._terms()
        self._given = self._given_tensors()
        for variable in self._coded:
            support = space.program.united((space.activity[variable],))
            if support and space.program.count(support, MOST_DIGIT) is None:
                raise SpaceError(
                    f"variable '{space.variables[variable].name}' is active under a condition on "
                    "too many variables"
                )
        self._require_bounded()

    @property
    def metrics(self) -> list[str]:
        """What is counted in integers."""
        return self._metrics

    @property
    def real_metrics(self) -> list[str]:
        """What is counted in floats."""
        return self._real_metrics

    @property
    def sizes(self) -> list[int]:
        """How many codes every variable has."""
        self._require_no_free()
        return self._sizes

    # -- costs ------------------------------------------------------------------------------------

    def _terms(self) -> dict[int, list[tuple[str, Any]]]:
        """Of every layer, and of none (-1), what the user's metrics add."""
        terms: dict[int, list[tuple[str, Any]]] = {}
        for name in self.metrics:
            if name in self._space.metrics:
                for node, cost in self._space.metrics[name]:
                    terms.setdefault(node, []).append((name, cost))
        for name in self.real_metrics:
            for node, index, values in self._space.real_metrics[name]:
                terms.setdefault(node, []).append((name, (index, values)))
        return terms

    def _given_tensors(self) -> list[tuple[int, list[Step]]]:
        """Parameters and buffers that were added on their own, and what reads them."""
        space = self._space
        given = []
        for number, tensor in enumerate(space.tensors):
            if tensor.kind in ("parameter", "buffer"):
                readers = [
                    step
                    for step in self._steps
                    if step.layer is not None
                    and number in (*step.layer.node.inputs, *(step.layer.weights or ()))
                ]
                given.append((number, readers))
        return given

    def _counts(self, number: int, metric: str) -> bool:
        """Whether a tensor is part of a metric."""
        tensor = self._space.tensors[number]
        if metric in self._space.metrics:
            return False
        if tensor.kind == "buffer":
            return metric == "buffers"
        return metric == "params" or (metric == "trainable_params" and tensor.trainable)

    def row(self, assignment: Assignment) -> tuple[int, dict[str, Any]]:
        """The refusal of a configuration, and its totals if there is none."""
        evaluate = self._program.evaluate
        totals: dict[str, Any] = dict.fromkeys(self.metrics, 0)
        totals.update(dict.fromkeys(self.real_metrics, 0.0))
        for number, step in enumerate(self._steps):
            present = evaluate(step.presence.present, assignment)
            if present == 0:
                continue
            if present is None or not self._add_step(step, assignment, totals):
                return number + 1, {}
        beyond = len(self._steps) + 1
        for number, readers in self._given:
            if any(evaluate(step.presence.present, assignment) for step in readers):
                tensor = self._space.tensors[number]
                sizes = [evaluate(size, assignment) for size in tensor.sizes]
                times = evaluate(tensor.times, assignment)
                if times is None or None in sizes:
                    return beyond, {}
                for name in self.metrics:
                    if self._counts(number, name):
                        totals[name] += times * prod(size for size in sizes if size is not None)
        if not self._add_terms(-1, 1, assignment, totals):
            return beyond, {}
        if not all(fits(totals[name]) for name in self.metrics):
            return beyond, {}
        return 0, totals

    def _add_step(self, step: Step, assignment: Assignment, totals: dict[str, Any]) -> bool:
        """Add what a step costs; False if it refuses the configuration."""
        evaluate = self._program.evaluate
        if step.layer is None:
            return bool(evaluate(step.condition, assignment))
        times = evaluate(step.presence.times, assignment)
        outcome = self._space.outcome(step.layer, assignment)
        if times is None or outcome is None or outcome.rule:
            return False
        assert self._space.is_as_learned(step.layer, outcome, assignment)
        for name in self.metrics:
            if name not in self._space.metrics:
                cost = times * outcome.account[name]
                if not fits(cost):
                    return False
                totals[name] += cost
        return self._add_terms(step.layer.node.index, times, assignment, totals)

    def _add_terms(
        self, node: int, times: int, assignment: Assignment, totals: dict[str, Any]
    ) -> bool:
        """Add what a layer adds to the user's metrics; False if that has no value."""
        evaluate = self._program.evaluate
        for name, cost in self._layer_terms.get(node, ()):
            if isinstance(cost, tuple):
                index, values = cost
                at = evaluate(index, assignment)
                if at is None or not 0 <= at < len(values):
                    return False
                totals[name] += times * values[at]
                continue
            value = evaluate(cost, assignment)
            if value is None or not fits(times * value):
                return False
            totals[name] += times * value
        return True

    def _require_bounded(self) -> None:
        """Refuse a space whose totals can pass 64 bits, as far as sums of the largest tell."""
        for name in self.metrics:
            if name in self._space.metrics:
                continue
            most = 0
            for step in self._steps:
                if step.layer is None or step.layer.outcomes is None:
                    continue
                accounts = [
                    outcome.account[name]
                    for outcome in step.layer.outcomes
                    if outcome is not None and not outcome.rule
                ]
                most += max(accounts, default=0) * self._most(step.presence.times)
            if most > LARGEST:
                raise CountOverflowError(
                    "the totals of this space do not fit: "
                    f"the total of '{name}' can pass 64 bits in this space"
                )

    def _most(self, operand: Operand) -> int:
        if not isinstance(operand, Expression):
            return operand
        if operand.table is None:
            return 1
        return max((value for value in operand.table if value is not None), default=0)

    # -- sweeps -----------------------------------------------------------------------------------

    @property
    def code_dtype(self) -> npt.DTypeLike:
        """The smallest type that holds every code."""
        return np.uint8 if max(self._sizes, default=1) <= 256 else np.uint16

    def sweep(
        self, codes: npt.NDArray[Any], threads: int = 1, progress: Progress | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """Costs of many configurations: a column for every metric, and the refusals."""
        return self.columns(self.codes_source(codes), threads, progress)

    def sweep_packed(
        self, packed: npt.NDArray[Any], threads: int = 1, progress: Progress | None = None
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """The same of packed codes."""
        return self.columns(self.packed_source(packed), threads, progress)

    def sweep_values(
        self,
        columns: Mapping[str, npt.NDArray[np.int64]],
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """The same of columns: codes of choices, values of free sizes, by name."""
        variables = self._space.variables
        count = len(next(iter(columns.values()), ()))
        coded = np.zeros((count, len(self._coded)), dtype=np.int64)
        free = []
        for number, variable in enumerate(variables):
            column = columns[variable.name]
            if variable.size is not None:
                coded[:, self._coded.index(number)] = column
                continue
            outside = np.flatnonzero((column < variable.minimum) | (column > variable.maximum))
            if len(outside):
                raise SpaceError(
                    f"row {outside[0]}: variable '{variable.name}' lies within {variable.minimum} "
                    f"and {variable.maximum}; got {column[outside[0]]}"
                )
            free.append(column)
        self._require_codes(coded)
        rows = (
            (self.canonical_row(assignment), 0)
            for assignment in self._space.assignments(coded, np.array(free).T if free else None)
        )
        return self._swept(rows, count, progress)

    def cost(self, codes: Any) -> dict[str, Any] | None:
        """Costs of one configuration, None if it is refused.

        Args:
            codes: a code for every variable: bytes, a tuple, a list or a 1-d array.
        """
        row = list(codes)
        for code in row:
            if not is_integer(code) or not 0 <= code < 2**16:
                raise SpaceError(f"a code is an integer from 0 to 65535, got {code!r}")
        self._require_no_free()
        self._require_columns(len(row))
        self._require_codes(np.array([row], dtype=np.int64).reshape(1, len(row)))
        refusal, totals = self.row(self.canonical_row([int(code) for code in row]))
        return None if refusal else totals

    def columns(
        self,
        source: Source,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        """Costs of every configuration of a source."""
        return self._swept(source.rows(), len(source), progress)

    def _swept(
        self, rows: Iterator[tuple[list[int], int]], count: int, progress: Progress | None
    ) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.uint32]]:
        columns: dict[str, npt.NDArray[Any]] = {
            **{name: np.full(count, -1, dtype=np.int64) for name in self.metrics},
            **{name: np.full(count, np.nan) for name in self.real_metrics},
        }
        refusals = np.zeros(count, dtype=np.uint32)
        for number, (_, refusal, totals) in enumerate(self._costs(rows)):
            refusals[number] = refusal
            if not refusal:
                for name, total in totals.items():
                    columns[name][number] = total
            if progress is not None and number % 1024 == 1023:
                progress(number + 1)
        if progress is not None:
            progress(count)
        return columns, refusals

    def _costs(
        self, rows: Iterator[tuple[list[int], int]]
    ) -> Iterator[tuple[list[int], int, dict[str, Any]]]:
        for assignment, refusal in rows:
            if refusal:
                yield assignment, refusal, {}
            else:
                yield assignment, *self.row(assignment)

    # -- checks -----------------------------------------------------------------------------------

    def _require_no_free(self) -> None:
        if self._is_free:
            name = next(entry.name for entry in self._space.variables if entry.size is None)
            raise SpaceError(
                f"variable '{name}' is free: it has values, not codes; give columns by name"
            )

    def _require_columns(self, count: int) -> None:
        if count != len(self._sizes):
            raise SpaceError(f"codes have {count} columns; expected {len(self._sizes)}")

    def _require_codes(self, codes: npt.NDArray[Any]) -> None:
        outside = np.argwhere((codes < 0) | (codes >= np.array(self._sizes, dtype=np.int64)))
        if len(outside):
            row, column = (int(entry) for entry in outside[0])
            raise SpaceError(
                f"row {row}: variable '{self._names[column]}' has {self._sizes[column]} choices, "
                f"coded 0 to {self._sizes[column] - 1}; got {int(codes[row, column])}"
            )

    def _checked(self, codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._require_no_free()
        if codes.dtype not in (np.uint8, np.uint16):
            raise SpaceError(f"codes are of dtype uint8 or uint16, got {codes.dtype}")
        if codes.ndim != 2:
            raise SpaceError(f"codes have two dimensions, (rows, variables), got {codes.ndim}")
        self._require_columns(codes.shape[1])
        self._require_codes(codes)
        return codes

    def _checked_packed(self, packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._require_no_free()
        if packed.dtype != np.uint16:
            raise SpaceError(f"packed codes are of dtype uint16, got {packed.dtype}")
        if packed.ndim != 2:
            raise SpaceError(f"packed codes have two dimensions, (rows, digits), got {packed.ndim}")
        if packed.shape[1] != len(self._digits):
            raise SpaceError(f"codes have {packed.shape[1]} columns; expected {len(self._digits)}")
        sizes = np.array([digit.size for digit in self._digits], dtype=np.int64)
        outside = np.argwhere(packed >= sizes)
        if len(outside):
            row, column = (int(entry) for entry in outside[0])
            raise SpaceError(
                f"row {row}: digit {column} has {sizes[column]} choices, coded 0 to "
                f"{sizes[column] - 1}; got {int(packed[row, column])}"
            )
        return packed

    # -- digits -----------------------------------------------------------------------------------

    @property
    def digits(self) -> list[tuple[tuple[int, ...], int]]:
        """The variables and the size of every digit."""
        return [(digit.variables, digit.size) for digit in self._digits]

    @property
    def exact_digits(self) -> bool:
        """Whether every position is one configuration: canonical, and not refused."""
        return all(digit.combinations is not None for digit in self._digits) and not self._crossing

    @cached_property
    def refusing_scopes(self) -> list[Scope | None]:
        """Of every step that can refuse, for which combinations; None where there are too many."""
        scopes: list[Scope | None] = []
        for step in self._steps:
            scope = self._scope(step)
            if scope is None or scope.refused:
                scopes.append(scope)
        return scopes

    def _scope(self, step: Step) -> Scope | None:
        program = self._program
        present = step.presence.present
        holds = self._accepting(step.layer) if step.layer is not None else step.condition
        if holds is None:
            return None
        support = program.united((present, holds))
        if program.count(support, MOST_DIGIT) is None:
            return None
        refused = []
        assignment = [0] * len(program.sizes)
        for codes in program.combinations(support):
            assignment = list(assignment)
            for variable, code in zip(support, codes, strict=True):
                assignment[variable] = code
            there = program.evaluate(present, assignment)
            refused.append(int(there != 0 and program.evaluate(holds, assignment) in (0, None)))
        support, table = program.without_irrelevant(support, tuple(refused))
        known = zip(program.combinations(support), table, strict=True)
        return Scope(support, frozenset(codes for codes, is_refused in known if is_refused))

    def _accepting(self, layer: Layer) -> Operand | None:
        """Where a layer accepts its sizes, when it is there."""
        if layer.outcomes is None:
            return None
        table = [int(outcome is not None and not outcome.rule) for outcome in layer.outcomes]
        return self._program.of_table(layer.support, table)

    @cached_property
    def _crossing(self) -> bool:
        """Whether a step can refuse that no digit accounts for."""
        inside = [set(digit.variables) for digit in self._digits if digit.combinations is not None]
        return any(
            scope is None or not any(set(scope.variables) <= part for part in inside)
            for scope in self.refusing_scopes
        )

    @cached_property
    def _digits(self) -> list[Digit]:
        self._require_no_free()
        component = {variable: {variable} for variable in self._coded}

        def joined(variables: Sequence[int]) -> set[int]:
            return set().union(*(component[variable] for variable in variables))

        def join(variables: set[int]) -> None:
            for variable in variables:
                component[variable] = variables

        for variable in self._coded:
            join(joined([variable, *self._condition_support(variable)]))
        scopes = (scope.variables for scope in self.refusing_scopes if scope is not None)
        for linked in filter(None, (*self._space.links, *scopes)):
            together = joined(linked)
            if self._canonical_combinations(sorted(together)) is not None:
                join(together)
        digits: list[Digit] = []
        for variables in {tuple(sorted(part)) for part in component.values()}:
            combinations = self._canonical_combinations(variables)
            if combinations is None:
                digits.extend(
                    Digit((variable,), None, self._program.sizes[variable] or 0, variables[0])
                    for variable in variables
                )
                continue
            within = [
                scope
                for scope in self.refusing_scopes
                if scope is not None and set(scope.variables) <= set(variables)
            ]
            accepted = tuple(
                codes
                for codes in combinations
                if not any(
                    tuple(codes[variables.index(variable)] for variable in scope.variables)
                    in scope.refused
                    for scope in within
                )
            )
            digits.append(Digit(variables, accepted, len(accepted), variables[0]))
        return sorted(digits, key=lambda digit: digit.variables[0])

    @cached_property
    def _large_components(self) -> list[Completions]:
        """Components that are too large to be one digit."""
        by_component: dict[int, list[int]] = {}
        for digit in self._digits:
            if digit.combinations is None:
                by_component.setdefault(digit.component, []).extend(digit.variables)
        large = []
        for variables in by_component.values():
            rules: list[Rule] = []
            for variable in variables:
                active = self._space.activity[variable]
                if isinstance(active, Expression):
                    rules.append(((*active.support, variable), self._is_canonical(variable)))
            rules.extend(
                (scope.variables, scope.accepts)
                for scope in self.refusing_scopes
                if scope is not None and scope.variables and set(scope.variables) <= set(variables)
            )
            sizes = {variable: self._program.sizes[variable] or 0 for variable in variables}
            large.append(Completions(sizes, rules))
        return large

    def _is_canonical(self, variable: int) -> Callable[[Assignment], bool]:
        active = self._space.activity[variable]
        return lambda row: not row[variable] or bool(self._program.evaluate(active, list(row)))

    def _condition_support(self, variable: int) -> tuple[int, ...]:
        return self._program.united((self._space.activity[variable],))

    def _canonical_combinations(self, variables: Sequence[int]) -> list[tuple[int, ...]] | None:
        """The canonical combinations of a component, in order; None if they are too many.

        A large component that is one variable is a digit all the same.
        """
        found: list[tuple[int, ...]] = []
        assignment = [0] * len(self._program.sizes)

        def extend(depth: int) -> bool:
            if depth == len(variables):
                found.append(tuple(assignment[variable] for variable in variables))
                return len(found) <= MOST_DIGIT
            variable = variables[depth]
            # A list of its own: what is known of a configuration is known by its list.
            active = self._program.evaluate(self._space.activity[variable], list(assignment))
            for code in range(self._program.sizes[variable] or 0 if active else 1):
                assignment[variable] = code
                if not extend(depth + 1):
                    return False
            assignment[variable] = 0
            return True

        return found if extend(0) else None

    def pack(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
        """Codes as one number for each digit."""
        rows = self._checked(codes)
        places = [
            None
            if digit.combinations is None
            else {combination: place for place, combination in enumerate(digit.combinations)}
            for digit in self._digits
        ]
        packed = np.zeros((len(rows), len(self._digits)), dtype=np.uint16)
        for number, row in enumerate(rows):
            canonical = self.canonical_row([int(code) for code in row])
            for column, (digit, place) in enumerate(zip(self._digits, places, strict=True)):
                part = tuple(canonical[variable] for variable in digit.variables)
                if place is None:
                    packed[number, column] = part[0]
                elif part in place:
                    packed[number, column] = place[part]
                else:
                    raise SpaceError(
                        f"row {number}: a step refuses the configuration by digit {column} alone; "
                        "it cannot be packed"
                    )
        return packed

    def unpack(self, packed: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Packed codes as codes."""
        rows = self._checked_packed(packed)
        codes = np.zeros((len(rows), len(self._sizes)), dtype=self.code_dtype)
        for number, row in enumerate(rows):
            codes[number] = self._from_digits([int(entry) for entry in row])
        return codes

    def _from_digits(self, values: Sequence[int]) -> list[int]:
        codes = [0] * len(self._program.sizes)
        for digit, value in zip(self._digits, values, strict=True):
            part = (value,) if digit.combinations is None else digit.combinations[value]
            for variable, code in zip(digit.variables, part, strict=True):
                codes[variable] = code
        return codes

    def enumerate(self, start: Sequence[int], count: int) -> npt.NDArray[Any]:
        """Codes of `count` positions from one on, which is given by its digits."""
        codes = np.zeros((count, len(self._sizes)), dtype=self.code_dtype)
        for number, values in enumerate(self._positions(start, count)):
            codes[number] = self._from_digits(values)
        return codes

    def _positions(self, start: Sequence[int], count: int) -> Iterator[list[int]]:
        sizes = [digit.size for digit in self._digits]
        first = 0
        for size, value in zip(sizes, start, strict=True):
            first = first * size + int(value)
        total = prod(sizes)
        if count < 0 or first + count > total:
            raise SpaceError(f"positions {first} to {first + count} are not all among the {total}")
        for position in range(first, first + count):
            yield decoded(position, sizes)

    # -- candidates -------------------------------------------------------------------------------

    @cached_property
    def groups(self) -> list[tuple[int, ...]]:
        """Variables that one random number decides together."""
        self._require_no_free()
        return groups_of(self._sizes)

    def canonical_row(self, codes: Sequence[int]) -> list[int]:
        """Codes with those of inactive variables set to 0."""
        row = list(codes)
        for variable, active in enumerate(self._space.activity):
            # A list of its own: what is known of a configuration is known by its list.
            if row[variable] and not self._program.evaluate(active, list(row)):
                row[variable] = 0
        return row

    def active(self, row: Sequence[int]) -> list[bool]:
        """Which variables are active in a canonical row."""
        # A list of its own: what is known of a configuration is known by its list.
        assignment = list(row)
        return [bool(self._program.evaluate(active, assignment)) for active in self._space.activity]

    def canonical(self, codes: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Codes with those of inactive variables set to 0."""
        rows = self._checked(codes)
        result = np.zeros(rows.shape, dtype=rows.dtype)
        for number, row in enumerate(rows):
            result[number] = self.canonical_row([int(code) for code in row])
        return result

    def hash(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
        """A number for every configuration, the same for each of its spellings."""
        canonical = self.canonical(codes)
        return np.array(
            [hash_of([int(code) for code in row]) for row in canonical], dtype=np.uint64
        )

    def unique(self, codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Where each configuration stands for the first time."""
        first: dict[tuple[int, ...], int] = {}
        for number, row in enumerate(self.canonical(codes)):
            first.setdefault(tuple(row.tolist()), number)
        return np.array(list(first.values()), dtype=np.int64)

    def random(self, n: int, seed: int, law: str, start: int = 0) -> npt.NDArray[Any]:
        """Candidates `start` to `start + n` of a random sequence."""
        if law not in PURPOSES:
            raise SpaceError(f"law is 'genes' or 'architectures', got '{law}'")
        codes = np.zeros((n, len(self._sizes)), dtype=self.code_dtype)
        key = key_of(seed, PURPOSES[law])
        if n and any(digit.size == 0 for digit in self._digits):
            _refuse_empty()
        for number in range(n):
            codes[number] = self._candidate(key, law, start + number)
        return codes

    def _candidate(self, key: int, law: str, number: int) -> list[int]:
        for attempt in range(MOST_ATTEMPTS):
            base = number + attempt * ATTEMPT_STEP
            row = self._drawn_genes(key, base) if law == "genes" else self._drawn_digits(key, base)
            if not self._refused(self.canonical_row(row)):
                return row
        raise SpaceError(
            f"candidate {number}: {MOST_ATTEMPTS} attempts in a row were refused; the space's "
            "constraints leave too few configurations to draw them this way"
        )

    def _refused(self, assignment: Assignment) -> bool:
        """Whether a layer or a constraint refuses a configuration."""
        evaluate = self._program.evaluate
        for step in self._steps:
            present = evaluate(step.presence.present, assignment)
            if present == 0:
                continue
            if present is None:
                return True
            if step.layer is None:
                if not evaluate(step.condition, assignment):
                    return True
                continue
            outcome = self._space.outcome(step.layer, assignment)
            if outcome is None or outcome.rule:
                return True
        return False

    def _drawn_genes(self, key: int, number: int) -> list[int]:
        row: list[int] = []
        for place, group in enumerate(self.groups):
            sizes = [self._sizes[variable] for variable in group]
            counter = number * len(self.groups) + place
            row.extend(decoded(bounded(key, counter & MASK, prod(sizes)), sizes))
        return row

    def _drawn_digits(self, key: int, number: int) -> list[int]:
        values = []
        for place, digit in enumerate(self._digits):
            counter = number * len(self._digits) + place
            values.append(bounded(key, counter & MASK, digit.size))
        row = self._from_digits(values)
        for large in self._large_components:
            for place, variable in enumerate(large.variables):
                weights = large.weights(place, row)
                counter = number * len(self._digits) + self._digit_of[variable]
                if sum(weights) == 0:
                    _refuse_empty()
                drawn = below(key, counter & MASK, sum(weights))
                code = 0
                while drawn >= weights[code]:
                    drawn -= weights[code]
                    code += 1
                row[variable] = code
        return row

    @cached_property
    def _digit_of(self) -> dict[int, int]:
        return {
            variable: place
            for place, digit in enumerate(self._digits)
            for variable in digit.variables
        }

    def mutate(
        self,
        codes: npt.NDArray[Any],
        seed: int,
        tables: Sequence[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint16]]],
    ) -> npt.NDArray[Any]:
        """Codes of which some are drawn anew; `tables` pick which, for every group."""
        rows = self._checked(codes)
        key = key_of(seed, MUTATE)
        result = rows.astype(self.code_dtype)
        count = len(self.groups)
        for number in range(len(rows)):
            for place, (group, table) in enumerate(zip(self.groups, tables, strict=True)):
                counter = 2 * (number * count + place)
                mask = masked(draw(key, counter), *table, bits=len(group))
                sizes = [self._sizes[variable] for variable in group]
                drawn = decoded(bounded(key, counter + 1, prod(sizes)), sizes)
                for bit, variable in enumerate(group):
                    if mask >> bit & 1:
                        result[number, variable] = drawn[bit]
        return result

    def crossover(self, a: npt.NDArray[Any], b: npt.NDArray[Any], seed: int) -> npt.NDArray[Any]:
        """Codes that take every variable from one of two parents."""
        first, second = self._checked(a), self._checked(b)
        if len(first) != len(second):
            raise SpaceError(f"parents come in pairs, got {len(first)} rows and {len(second)} rows")
        key = key_of(seed, CROSSOVER)
        words = -(-len(self._sizes) // 64)
        result = first.astype(self.code_dtype)
        for number in range(len(first)):
            for variable in range(len(self._sizes)):
                bits = draw(key, number * words + variable // 64)
                if bits >> 63 - variable % 64 & 1:
                    result[number, variable] = second[number, variable]
        return result

    # -- sources ----------------------------------------------------------------------------------

    def codes_source(self, codes: npt.NDArray[Any]) -> Source:
        """The configurations of a matrix of codes."""
        rows = self._checked(codes)

        def read() -> Iterator[tuple[list[int], int]]:
            for row in rows:
                yield self.canonical_row([int(code) for code in row]), 0

        return Source(len(rows), read)

    def packed_source(self, packed: npt.NDArray[Any]) -> Source:
        """The configurations of packed codes."""
        rows = self._checked_packed(packed)

        def read() -> Iterator[tuple[list[int], int]]:
            for row in rows:
                yield self._spelled([int(entry) for entry in row])

        return Source(len(rows), read)

    def range_source(self, start: Sequence[int], count: int) -> Source:
        """The configurations of positions one after the other."""

        def read() -> Iterator[tuple[list[int], int]]:
            for values in self._positions(start, count):
                yield self._spelled(values)

        return Source(count, read)

    def random_source(self, n: int, seed: int, law: str, start: int = 0) -> Source:
        """Random configurations, as `random` makes them."""

        def read() -> Iterator[tuple[list[int], int]]:
            for number in range(n):
                row = self.random(1, seed, law, start + number)[0]
                yield self.canonical_row([int(code) for code in row]), 0

        return Source(n, read)

    def _spelled(self, values: Sequence[int]) -> tuple[list[int], int]:
        row = self._from_digits(values)
        return row, 0 if self.canonical_row(row) == row else NOT_CANONICAL

    # -- reductions -------------------------------------------------------------------------------

    def _kept(
        self, source: Source, budgets: Sequence[Budget], progress: Progress | None
    ) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Position, refusal and totals of everything within the budgets."""
        for position, (_, refusal, totals) in enumerate(self._costs(source.rows())):
            if progress is not None and position % 1024 == 1023:
                progress(position + 1)
            if refusal or all(
                (low is None or totals[name] >= low) and (high is None or totals[name] <= high)
                for name, low, high in budgets
            ):
                yield position, refusal, totals
        if progress is not None:
            progress(len(source))

    def histogram(
        self,
        source: Source,
        metric: str,
        edges: npt.NDArray[Any],
        budgets: Sequence[Budget] = (),
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], int, int, int]:
        """How many configurations lie in each bin [edges[i], edges[i + 1]).

        Returns:
            The counts; how many lie below the first edge; how many at or above the last; how many
            are refused.
        """
        return reductions.histogram(self._kept(source, budgets, progress), metric, edges)

    def top_k(
        self,
        source: Source,
        metric: str,
        k: int,
        largest: bool = False,
        budgets: Sequence[Budget] = (),
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Positions and values of the least (or greatest) k; of equal ones the first positions."""
        return reductions.top_k(
            self._kept(source, budgets, progress), metric, k, largest, self._dtype(metric)
        )

    def pareto(
        self,
        source: Source,
        metrics: Sequence[str],
        maximise: Sequence[bool],
        budgets: Sequence[Budget] = (),
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[Any]]]:
        """Positions and values of what nothing is better than, best first by the first metric.

        Of configurations with equal values the first is taken.
        """
        return reductions.pareto(
            self._kept(source, budgets, progress),
            metrics,
            maximise,
            {name: self._dtype(name) for name in metrics},
        )

    def filter(
        self,
        source: Source,
        budgets: Sequence[Budget],
        limit: int | None = None,
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> npt.NDArray[np.int64]:
        """Positions of the first `limit` configurations within the budgets."""
        return reductions.within(self._kept(source, budgets, progress), limit)

    def extremes(
        self,
        source: Source,
        metrics: Sequence[str],
        budgets: Sequence[Budget] = (),
        threads: int = 1,  # noqa: ARG002
        progress: Progress | None = None,
    ) -> dict[str, tuple[Any, int, Any, int]]:
        """Of every metric least value, its position, greatest value, its position; {} if none."""
        return reductions.extremes(self._kept(source, budgets, progress), metrics)

    # -- questions about the whole space ----------------------------------------------------------

    def query(
        self,
        metrics: Sequence[str],
        law: str,
        restrictions: Sequence[Restriction] = (),
        constraints: Sequence[Constraint] = (),
        memory: int = 2**31,
    ) -> Query:
        """A question about all configurations.

        Args:
            metrics: at most two that are counted in integers: the metric, and the other.
            law: "architectures" takes each accepted network once; "genes" each row of codes.
            restrictions: (variable, codes, inactive): the variable is active with one of these
                codes, or it is inactive and that is admitted.
            constraints: (variables, flags): a flag other than 0 for every combination of canonical
                codes of some variables, ascending, that is taken; the last one fastest.
            memory: how many bytes tables may take.
        """
        return Query(self, metrics, law, restrictions, constraints, memory)

    def expected(
        self,
        metric: str,
        probabilities: npt.NDArray[np.float64],
        gradient: bool = False,
        threads: int = 1,  # noqa: ARG002
        check: bool = True,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
        """Expected costs under independent choices, and their gradients.

        Args:
            metric: one of the plan's.
            probabilities: rows of them, (rows, codes of all variables one after the other).
            gradient: whether to find the gradients too.
            threads: the core's.
            check: whether each variable's must be a distribution; they are then scaled to sum 1.
        """
        if metric not in self._expectations:
            self._expectations[metric] = Expectation(self, self._names, metric)
        return self._expectations[metric].evaluate(probabilities, gradient=gradient, check=check)

    def _dtype(self, metric: str) -> npt.DTypeLike:
        return np.float64 if metric in self.real_metrics else np.int64

    def explain(self) -> dict[str, Any]:
        """What became of the space."""
        return {
            "implementation": "pure",
            "variables": len(self._space.variables),
            "layers": len(self._space),
            "steps": len(self._steps),
            "metrics": [*self.metrics, *self.real_metrics],
        }


def _refuse_empty() -> NoReturn:
    raise SpaceError("every configuration of the space is refused: there is nothing to draw")


class Source:
    """Configurations, one after the other: canonical values of the variables, and a refusal."""

    def __init__(self, count: int, read: Callable[[], Iterator[tuple[list[int], int]]]) -> None:
        self._count = count
        self.rows = read

    def __len__(self) -> int:
        return self._count
