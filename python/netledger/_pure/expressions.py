"""Expressions over the variables of a space, each with its table of values, in plain Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod

from netledger.errors import SpaceError
from netledger.formulas._layer import LARGEST, LOWEST
from netledger.quantity import ARITHMETIC

#: An expression over more combinations than this has no table; it is evaluated when asked for.
MOST_ENTRIES = 4096

#: One value for every variable: the code of a choice, the value of a free size.
Assignment = Sequence[int]

#: None stands where there is no value: a division by zero, more than 64 bits, an index outside.
Value = int | None


@dataclass(frozen=True, eq=False)
class Expression:
    """An integer that depends on variables.

    Attributes:
        number: its identity in the program.
        opcode: what it is of its operands; "given" if it is a table, "layer" if a layer makes it.
        operands: ints and expressions.
        support: the variables it depends on, ascending.
        table: its values for every combination of the support, the last variable fastest.
        values: the entries of a lookup.
        function: what evaluates an expression that a layer makes.
    """

    number: int
    opcode: str
    operands: tuple[Operand, ...]
    support: tuple[int, ...]
    table: tuple[Value, ...] | None = None
    values: tuple[int, ...] = ()
    function: Callable[[Assignment], Value] | None = None


Operand = int | Expression


def fits(value: int) -> bool:
    """Whether a value fits the 64 bits of the columns."""
    return LOWEST <= value <= LARGEST


def applied(opcode: str, operands: Sequence[Value], values: Sequence[int] = ()) -> Value:
    """One operation on values; None where it has no value."""
    if opcode == "select":
        condition, yes, no = operands
        return None if condition is None else yes if condition else no
    if any(operand is None for operand in operands):
        return None
    if opcode == "lookup":
        (index,) = operands
        assert index is not None
        return values[index] if 0 <= index < len(values) else None
    left, right = operands
    try:
        value = ARITHMETIC[opcode](left, right)  # type: ignore[arg-type]
    except ZeroDivisionError:
        return None
    return value if fits(value) else None


class Program:
    """The expressions of a space, each held once."""

    def __init__(self) -> None:
        #: How many codes each variable has; None if it is free.
        self.sizes: list[int | None] = []
        self.expressions: list[Expression] = []
        self._known: dict[tuple[object, ...], Expression] = {}
        # Tables of positions belong to these sizes, which do not change once a variable is there.
        self.positions = cache(self._positions_in)
        # What was found for the configuration that was asked for last.
        self._assignment: Assignment = ()
        self._found: dict[int, Value] = {}

    # -- making -----------------------------------------------------------------------------------

    def variable(self, size: int | None) -> Expression:
        """A new variable: its code, or the value of a free one."""
        self.sizes.append(size)
        support = (len(self.sizes) - 1,)
        table = None if size is None or size > MOST_ENTRIES else tuple(range(size))
        return self._kept(("variable", support), "variable", (), support, table)

    def add(self, opcode: str, operands: Sequence[Operand], values: Sequence[int] = ()) -> Operand:
        """An operation; an int if it has the same value for every configuration."""
        support = self.united(operands)
        if not support:
            value = applied(opcode, [int(operand) for operand in operands], values)  # type: ignore[arg-type]
            if value is None:
                raise SpaceError(f"{opcode} of {', '.join(map(str, operands))} has no 64-bit value")
            return value
        if self.count(support) is not None:
            columns = [self.column(operand, support) for operand in operands]
            table = [applied(opcode, entry, values) for entry in zip(*columns, strict=True)]
            return self.of_table(support, table)
        key = (opcode, tuple(map(_identity, operands)), tuple(values))
        return self._kept(key, opcode, tuple(operands), support, None, tuple(values))

    def of_table(self, support: tuple[int, ...], table: Sequence[Value]) -> Operand:
        """The quantity that has these values; where there is None, none is asked for."""
        known = {value for value in table if value is not None}
        if len(known) == 1 and None not in table:
            return known.pop()
        support, table = self.without_irrelevant(support, tuple(table))
        return self._kept(("given", support, table), "given", (), support, table)

    def of_layer(
        self, support: tuple[int, ...], function: Callable[[Assignment], Value]
    ) -> Expression:
        """What a layer makes of sizes that have too many values for a table."""
        return self._kept(
            ("layer", len(self.expressions)), "layer", (), support, None, (), function
        )

    def _kept(
        self,
        key: tuple[object, ...],
        opcode: str,
        operands: tuple[Operand, ...],
        support: tuple[int, ...],
        table: tuple[Value, ...] | None,
        values: tuple[int, ...] = (),
        function: Callable[[Assignment], Value] | None = None,
    ) -> Expression:
        if table is not None:
            key = (support, table)
        if key not in self._known:
            made = Expression(
                len(self.expressions), opcode, operands, support, table, values, function
            )
            self.expressions.append(made)
            self._known[key] = made
        return self._known[key]

    # -- tables -----------------------------------------------------------------------------------

    def united(self, operands: Iterable[Operand]) -> tuple[int, ...]:
        """The variables that any of the operands depends on, ascending."""
        found = {
            variable
            for operand in operands
            if isinstance(operand, Expression)
            for variable in operand.support
        }
        return tuple(sorted(found))

    def count(self, support: Sequence[int], most: int = MOST_ENTRIES) -> int | None:
        """How many combinations some variables have; None if a size is free or above `most`."""
        count = 1
        for variable in support:
            size = self.sizes[variable]
            if size is None:
                return None
            count *= size
            if count > most:
                return None
        return count

    def combinations(self, support: Sequence[int]) -> Iterable[tuple[int, ...]]:
        """Every combination of codes of some variables, the last one fastest."""
        return itertools.product(*(range(self.sizes[variable] or 0) for variable in support))

    def column(self, operand: Operand, support: tuple[int, ...]) -> list[Value]:
        """The values of an operand that has a table, for every combination of a larger support."""
        if not isinstance(operand, Expression):
            return [operand] * prod(self.sizes[variable] or 0 for variable in support)
        table = operand.table
        assert table is not None
        return [table[position] for position in self.positions(operand.support, support)]

    def _positions_in(self, part: tuple[int, ...], support: tuple[int, ...]) -> list[int]:
        where = [support.index(variable) for variable in part]
        positions = []
        for codes in self.combinations(support):
            position = 0
            for variable, at in zip(part, where, strict=True):
                position = position * (self.sizes[variable] or 0) + codes[at]
            positions.append(position)
        return positions

    def without_irrelevant(
        self, support: tuple[int, ...], table: tuple[Value, ...]
    ) -> tuple[tuple[int, ...], tuple[Value, ...]]:
        """A table without the variables that make no difference to it."""
        kept = list(support)
        for variable in support:
            at = kept.index(variable)
            size = self.sizes[variable] or 0
            inner = prod(self.sizes[other] or 0 for other in kept[at + 1 :])
            block = size * inner
            first = [table[start : start + inner] for start in range(0, len(table), block)]
            if all(
                table[start + code * inner : start + (code + 1) * inner] == part
                for start, part in zip(range(0, len(table), block), first, strict=True)
                for code in range(1, size)
            ):
                table = tuple(itertools.chain.from_iterable(first))
                kept.remove(variable)
        return tuple(kept), table

    def bounds(self, operand: Operand, limits: Sequence[tuple[int, int]]) -> tuple[int, int]:
        """What the values of an operand lie within; all of 64 bits where nothing is known.

        Args:
            operand: an int or an expression.
            limits: the least and the greatest value of every variable.
        """
        if not isinstance(operand, Expression):
            return operand, operand
        if operand.table is not None:
            known = [value for value in operand.table if value is not None]
            return (min(known), max(known)) if known else (LOWEST, LARGEST)
        if operand.opcode == "variable":
            return limits[operand.support[0]]
        if operand.opcode in ("equal", "less", "less_equal"):
            return 0, 1
        if operand.opcode == "lookup":
            return min(operand.values), max(operand.values)
        parts = [self.bounds(entry, limits) for entry in operand.operands]
        if operand.opcode == "select":
            return min(parts[1][0], parts[2][0]), max(parts[1][1], parts[2][1])
        if operand.opcode in ("add", "subtract", "multiply", "minimum", "maximum"):
            # Each is monotone in each operand: the extremes are at the corners.
            corners = [applied(operand.opcode, entry) for entry in itertools.product(*parts)]
            exact = [corner for corner in corners if corner is not None]
            if len(exact) == len(corners):
                return min(exact), max(exact)
        return LOWEST, LARGEST

    # -- evaluating -------------------------------------------------------------------------------

    def evaluate(self, operand: Operand, assignment: Assignment) -> Value:
        """The value for one configuration."""
        if not isinstance(operand, Expression):
            return operand
        if operand.table is not None:
            position = 0
            for variable in operand.support:
                position = position * (self.sizes[variable] or 0) + assignment[variable]
            return operand.table[position]
        if operand.opcode == "variable":
            return assignment[operand.support[0]]
        if assignment is not self._assignment:
            self._assignment, self._found = assignment, {}
        if operand.number not in self._found:
            value = self._computed(operand, assignment)
            # A layer evaluates expressions in between, of this configuration.
            self._found[operand.number] = value
        return self._found[operand.number]

    def _computed(self, operand: Expression, assignment: Assignment) -> Value:
        if operand.function is not None:
            return operand.function(assignment)
        if operand.opcode == "select":
            condition, yes, no = operand.operands
            truth = self.evaluate(condition, assignment)
            return None if truth is None else self.evaluate(yes if truth else no, assignment)
        found = [self.evaluate(entry, assignment) for entry in operand.operands]
        return applied(operand.opcode, found, operand.values)


def _identity(operand: Operand) -> tuple[str, int]:
    if isinstance(operand, Expression):
        return "expression", operand.number
    return "integer", operand
