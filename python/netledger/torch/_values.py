"""Values that are chosen, and what follows from them: integers in eager torch, trees below."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from netledger.errors import SpaceError
from netledger.quantity import (
    ARITHMETIC,
    MOST_COMBINATIONS,
    Quantity,
    Rational,
    RationalChoice,
    _by_position,
    _Chosen,
)

__all__ = [
    "FOLLOWING",
    "Choice",
    "Expression",
    "Variable",
    "current",
    "evaluate",
    "values_of",
    "variables_of",
]


# -- who asks --------------------------------------------------------------------------------------


class _Following(threading.local):
    """The trace that runs in this thread, or None: modules then tell it what they are.

    Attributes:
        trace: the tracer.
        call: what answers the calls of modules.
    """

    trace: Any = None
    call: Callable[..., Any] | None = None


FOLLOWING = _Following()


# -- values ----------------------------------------------------------------------------------------


class Variable:
    """What is chosen, by name: the values that there are, and the position of the current one."""

    __slots__ = ("code", "default", "name", "values")

    def __init__(self, name: str, values: Sequence[Any], default: Any = None) -> None:
        if type(name) is not str or not name:
            raise SpaceError(f"a choice's name is a text, got {name!r}")
        self.name = name
        self.values = tuple(values)
        if not self.values:
            raise SpaceError(f"choice '{name}' has no values")
        if len(set(self.values)) < len(self.values):
            raise SpaceError(f"choice '{name}' lists a value twice: {list(self.values)}")
        self.default = 0 if default is None else self.position(default)
        self.code = self.default

    def position(self, value: Any) -> int:
        """The position of a value."""
        # True and 1 are the same to Python, but not the same choice.
        for position, known in enumerate(self.values):
            if known == value and (type(known) is bool) == (type(value) is bool):
                return position
        raise SpaceError(
            f"choice '{self.name}' has no value {value!r}; its values are {list(self.values)}"
        )

    @property
    def value(self) -> Any:
        """The current value."""
        return self.values[self.code]


class Operation:
    """An operation on integers, variables and other operations.

    Attributes:
        opcode: one of `netledger.quantity.ARITHMETIC`, "select", or "lookup" (index, values).
        operands: what it takes.
    """

    __slots__ = ("opcode", "operands")

    def __init__(self, opcode: str, operands: tuple[Any, ...]) -> None:
        self.opcode = opcode
        self.operands = operands


class _Expressions:
    """Makes expressions out of choices; the engine of every `Expression`."""

    values_are_needed = False

    def expression(self, opcode: str, *operands: Any) -> Expression:
        return Expression(self, Operation(opcode, tuple(map(_tree, operands))))

    def lookup(self, index: Any, values: Sequence[int]) -> Expression:
        return Expression(self, Operation("lookup", (_tree(index), tuple(values))))

    def condition(self, quantity: Quantity) -> Expression:
        is_zero = self.expression("equal", quantity, 0)
        return self.expression("subtract", 1, is_zero)

    def describe(self, quantity: Quantity) -> str:
        return str(current(quantity))

    def __reduce__(self) -> str:
        return "EXPRESSIONS"


EXPRESSIONS = _Expressions()


def _tree(operand: Any) -> Any:
    if isinstance(operand, Expression):
        return operand.expression
    if isinstance(operand, Quantity):
        raise SpaceError(f"{operand!r} belongs to a space, and not to the choices of a module")
    return int(operand)


class Expression(Quantity):
    """An integer that follows from choices: usable where the modules here take a size.

    In eager torch it is an int wherever Python or torch wants one. While a supernet is converted it
    has no single value; `value` is then what stands for it in ``view``, ``reshape`` and the like.
    """

    __slots__ = ()

    # Not a number here, but what it stands for.
    expression: Any

    def __init__(self, engine: Any, expression: Any) -> None:
        super().__init__(engine, expression)

    @property
    def value(self) -> Any:
        """The current value: an int; while a space is made of the module, a ``torch.SymInt``."""
        trace = FOLLOWING.trace
        return current(self) if trace is None else trace.value(self)

    def __index__(self) -> int:  # type: ignore[override]
        return int(self.value)

    __int__ = __index__  # type: ignore[assignment]

    def __float__(self) -> float:  # type: ignore[override]
        return float(self.value)

    def __bool__(self) -> bool:  # type: ignore[override]
        return bool(self.value)

    def __format__(self, specification: str) -> str:
        return format(self.value, specification)

    def __repr__(self) -> str:
        return f"Expression(now {current(self)})"

    def __reduce__(self) -> Any:
        return Expression, (self.engine, self.expression)


def _with_symbolic_sizes(name: str) -> None:
    """Let an operator of expressions take a size of a tensor, while a space is made."""
    plain = getattr(Quantity, name)

    def operator(self: Expression, other: Any) -> Any:
        if isinstance(other, torch.SymInt):
            return getattr(other, _mirrored(name))(self.value)
        return plain(self, other)

    setattr(Expression, name, operator)


def _mirrored(name: str) -> str:
    comparisons = {"__lt__": "__gt__", "__le__": "__ge__", "__gt__": "__lt__", "__ge__": "__le__"}
    if name in comparisons:
        return comparisons[name]
    if name in ("__eq__", "__ne__"):
        return name
    return f"__{name[3:]}" if name.startswith("__r") else f"__r{name[2:]}"


for _name in ("add", "sub", "mul", "floordiv", "mod"):
    _with_symbolic_sizes(f"__{_name}__")
    _with_symbolic_sizes(f"__r{_name}__")
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _with_symbolic_sizes(f"__{_name}__")


class Choice(_Chosen, Expression):
    """One of several numbers, under a name.

    Choices of the same name and values are the same variable wherever they stand. Integers make a
    size; other numbers make factors: ``nl.make_divisible(width * ratio)``, ``nl.floor(...)`` and
    their kin give sizes again.

    >>> from netledger import torch as nlt
    >>> width = nlt.Choice("width", [16, 24, 32], default=32)
    >>> int(width), int(width * 6 // 4)
    (32, 48)

    Args:
        name: the name of the variable.
        values: what it may be.
        default: what it is at first; the first value if left out.

    Raises:
        SpaceError: no values, one of them twice, a default that is none of them, or something that
            is not a number: `LayerChoice` chooses among layers.
    """

    __slots__ = ("index", "name", "values")

    index: Any
    name: str
    values: tuple[Any, ...]

    def __new__(cls, name: str, values: Iterable[Any], default: Any = None) -> Any:
        """An integer choice, or a `RationalChoice` where the values are not all integers."""
        listed = [value.item() if isinstance(value, np.number) else value for value in values]
        for value in listed:
            if type(value) not in (int, float, Fraction):
                raise SpaceError(
                    f"choice '{name}': a value is a number, got {value!r}; LayerChoice chooses "
                    "among layers"
                )
        if isinstance(default, np.number):
            default = default.item()
        return _chosen(Variable(name, listed, default))

    # What __new__ returns is complete.
    def __init__(self, name: str, values: Iterable[Any], default: Any = None) -> None:
        pass

    def __repr__(self) -> str:
        return f"Choice({self.name!r}, {list(self.values)}, now {current(self)})"

    def __reduce__(self) -> Any:
        return _chosen, (self.expression.operands[0],)


def _chosen(variable: Variable) -> Any:
    """The choice of a variable."""
    index = Expression(EXPRESSIONS, variable)
    if not all(type(value) is int for value in variable.values):
        value = _by_position(EXPRESSIONS, index, variable.values)
        return RationalChoice(value, EXPRESSIONS, variable.name, variable.values, index)
    choice: Choice = object.__new__(Choice)
    choice.engine = EXPRESSIONS
    choice.expression = Operation("lookup", (variable, variable.values))
    choice.name = variable.name
    choice.values = variable.values
    choice.index = index
    return choice


# -- what values are -------------------------------------------------------------------------------


def evaluate(
    tree: Any,
    code_of: Callable[[Variable], Any],
    operations: Mapping[str, Callable[..., Any]],
    known: dict[int, tuple[Any, Any]] | None = None,
) -> Any:
    """What a tree of operations comes to.

    Args:
        tree: an `Operation`, a `Variable`, or an int.
        code_of: the code of a variable.
        operations: a function for every opcode.
        known: what parts have come to, with the parts, by their identity.
    """
    known = {} if known is None else known
    if isinstance(tree, Variable):
        return code_of(tree)
    if not isinstance(tree, Operation):
        return tree
    found = known.get(id(tree))
    if found is not None:
        return found[1]
    if tree.opcode == "lookup":
        index = evaluate(tree.operands[0], code_of, operations, known)
        value = operations["lookup"](index, tree.operands[1])
    else:
        operands = [evaluate(operand, code_of, operations, known) for operand in tree.operands]
        value = operations[tree.opcode](*operands)
    known[id(tree)] = tree, value
    return value


#: The operations on plain integers.
PLAIN: dict[str, Callable[..., Any]] = {
    **ARITHMETIC,
    "select": lambda condition, yes, no: yes if condition else no,
    "lookup": lambda index, values: values[index],
}


def current(value: Any) -> Any:
    """The current value of an expression; anything else as it is."""
    if isinstance(value, Rational):
        exact = Fraction(current(value.numerator), value.denominator)
        return exact.numerator if exact.denominator == 1 else exact
    if not isinstance(value, Expression):
        return value
    return evaluate(value.expression, lambda variable: variable.code, PLAIN)


def variables_of(value: Any) -> list[Variable]:
    """The variables that a value, or a container of values, depends on."""
    found: dict[int, Variable] = {}
    seen: dict[int, Any] = {}

    def visit(tree: Any) -> None:
        if isinstance(tree, Variable):
            found[id(tree)] = tree
        elif isinstance(tree, Expression):
            visit(tree.expression)
        elif isinstance(tree, Rational):
            visit(tree.numerator)
        elif isinstance(tree, Operation | list | tuple | dict) and id(tree) not in seen:
            seen[id(tree)] = tree
            if isinstance(tree, Operation):
                entries: Iterable[Any] = tree.operands
            else:
                entries = tree.values() if isinstance(tree, dict) else tree
            for entry in entries:
                visit(entry)

    visit(value)
    return list(found.values())


def values_of(value: Any) -> list[int]:
    """The values that an expression takes, ascending."""
    if not isinstance(value, Expression):
        return [value]
    # Variables of one name are one.
    variables = {variable.name: variable for variable in variables_of(value)}
    count = math.prod(len(variable.values) for variable in variables.values())
    if count > MOST_COMBINATIONS:
        raise SpaceError(
            f"a size depends on {', '.join(variables)} with {count:,} combinations; it may have "
            f"at most {MOST_COMBINATIONS:,}"
        )
    ranges = [range(len(variable.values)) for variable in variables.values()]
    found = set()
    for codes in itertools.product(*ranges):
        codes_by_name = dict(zip(variables, codes, strict=True))
        found.add(evaluate(value.expression, lambda v: codes_by_name[v.name], PLAIN))  # noqa: B023
    return sorted(found)


def _largest(value: Any) -> int:
    return values_of(value)[-1]
