"""Numbers that depend on the variables of a design space, and the functions that take them.

A `Quantity` is an integer expression: ``width // 8 + 1`` where ``width`` is a choice of a `Space`.
Arithmetic that comes out the same for every configuration gives a plain int. The functions here
take ints, quantities and rationals alike, so that one piece of code serves a single network and a
whole space.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NoReturn, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from netledger.errors import SpaceError

__all__ = [
    "Choice",
    "Free",
    "Quantity",
    "Rational",
    "RationalChoice",
    "Selection",
    "ceil",
    "ceil_divide",
    "floor",
    "greatest_common_divisor",
    "make_divisible",
    "maximum",
    "minimum",
    "round_to",
    "tabulate",
    "where",
]

#: The most combinations of choices that `tabulate` evaluates a function for.
MOST_COMBINATIONS = 65_536


class Expressions(Protocol):
    """What makes expressions out of quantities: a space, or the engine below it."""

    def expression(self, opcode: str, /, *operands: Any) -> Any: ...
    def lookup(self, index: Any, values: Sequence[int], /) -> Any: ...


# -- arithmetic on plain integers ------------------------------------------------------------------


def _ceil_divide(left: int, right: int) -> int:
    return -(-left // right)


#: What each operation of an expression does to integers; ``select`` and ``lookup`` stand apart.
ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "floor_divide": operator.floordiv,
    "ceil_divide": _ceil_divide,
    "modulo": operator.mod,
    "minimum": min,
    "maximum": max,
    "greatest_common_divisor": math.gcd,
    "equal": lambda left, right: int(left == right),
    "less": lambda left, right: int(left < right),
    "less_equal": lambda left, right: int(left <= right),
}


# -- quantities ------------------------------------------------------------------------------------


class Quantity:
    """An integer that depends on the variables of a design space.

    It takes part in ``+ - * // %`` with ints, rationals and other quantities of the same space;
    comparisons give conditions, quantities of 0 and 1, which ``& | ~`` combine. It has no single
    value: ``if quantity > 3`` and ``int(quantity)`` raise `SpaceError`; write `where` instead.

    Attributes:
        engine: the space it belongs to.
        expression: its identity within the space.
    """

    __slots__ = ("engine", "expression")

    def __init__(self, engine: Any, expression: int) -> None:
        self.engine = engine
        self.expression = expression

    def __add__(self, other: Number) -> Any:
        return _binary("add", self, other)

    def __radd__(self, other: Number) -> Any:
        return _binary("add", other, self)

    def __sub__(self, other: Number) -> Any:
        return _binary("subtract", self, other)

    def __rsub__(self, other: Number) -> Any:
        return _binary("subtract", other, self)

    def __mul__(self, other: Number) -> Any:
        return _binary("multiply", self, other)

    def __rmul__(self, other: Number) -> Any:
        return _binary("multiply", other, self)

    def __floordiv__(self, other: Number) -> Any:
        return _binary("floor_divide", self, other)

    def __rfloordiv__(self, other: Number) -> Any:
        return _binary("floor_divide", other, self)

    def __mod__(self, other: Number) -> Any:
        return _binary("modulo", self, other)

    def __rmod__(self, other: Number) -> Any:
        return _binary("modulo", other, self)

    def __truediv__(self, other: Number) -> Any:
        return _true_divide(self, other)

    def __rtruediv__(self, other: Number) -> Any:
        return _true_divide(other, self)

    def __neg__(self) -> Any:
        return _binary("subtract", 0, self)

    def __pos__(self) -> Any:
        return self

    def __eq__(self, other: object) -> Any:
        return _binary("equal", self, other) if _is_number(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return negation(_binary("equal", self, other)) if _is_number(other) else NotImplemented

    def __lt__(self, other: Number) -> Any:
        return _binary("less", self, other)

    def __le__(self, other: Number) -> Any:
        return _binary("less_equal", self, other)

    def __gt__(self, other: Number) -> Any:
        return _binary("less", other, self)

    def __ge__(self, other: Number) -> Any:
        return _binary("less_equal", other, self)

    def __and__(self, other: Any) -> Any:
        return both(self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return either(self, other)

    __ror__ = __or__

    def __invert__(self) -> Any:
        return negation(self)

    def __hash__(self) -> int:
        if getattr(self.engine, "values_are_needed", False):
            self._refuse_value("a key", "nl.tabulate for a Python function of it")
        return hash((id(self.engine), self.expression))

    def __format__(self, specification: str) -> str:
        if getattr(self.engine, "values_are_needed", False):
            self._refuse_value("text", "nl.tabulate for a Python function of it")
        return format(repr(self), specification)

    def __bool__(self) -> NoReturn:  # noqa: PLE0304
        self._refuse_value("a condition", "nl.where, or space.when for layers")

    def __int__(self) -> NoReturn:
        self._refuse_value("an integer", "nl.where, or nl.tabulate for a Python function of it")

    __index__ = __int__
    __float__ = __int__

    def _refuse_value(self, what: str, instead: str) -> NoReturn:
        raise SpaceError(
            f"{self!r} depends on the configuration and has no single value as {what}: "
            f"use {instead}"
        )

    def __repr__(self) -> str:
        describe = getattr(self.engine, "describe", None)
        return f"Quantity({describe(self) if describe else self.expression})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Quantity belongs to its space: pickle the space")


class Free(Quantity):
    """A size that stays free: an integer from `minimum` to `maximum`, given by value.

    Attributes:
        name: its name.
        minimum: the least value.
        maximum: the greatest value.
    """

    __slots__ = ("maximum", "minimum", "name")

    def __init__(self, quantity: Quantity, name: str, minimum: int, maximum: int) -> None:
        super().__init__(quantity.engine, quantity.expression)
        self.name = name
        self.minimum = minimum
        self.maximum = maximum

    def __repr__(self) -> str:
        return f"Free({self.name!r}, {self.minimum}, {self.maximum})"


class Rational:
    """A quantity over a fixed positive integer: what a choice of 3.5 or 4 is.

    ``+ - *`` with numbers give rationals, ``//`` and ``%`` too; `floor`, `ceil`, `round_to` and
    `make_divisible` make integers of them. A float counts as the decimal number that it prints as.

    Attributes:
        numerator: an int or a quantity.
        denominator: a positive int.
    """

    __slots__ = ("denominator", "numerator")

    def __init__(self, numerator: int | Quantity, denominator: int) -> None:
        self.numerator = numerator
        self.denominator = denominator

    def __add__(self, other: Number) -> Any:
        return _binary("add", self, other)

    def __radd__(self, other: Number) -> Any:
        return _binary("add", other, self)

    def __sub__(self, other: Number) -> Any:
        return _binary("subtract", self, other)

    def __rsub__(self, other: Number) -> Any:
        return _binary("subtract", other, self)

    def __mul__(self, other: Number) -> Any:
        return _binary("multiply", self, other)

    def __rmul__(self, other: Number) -> Any:
        return _binary("multiply", other, self)

    def __floordiv__(self, other: Number) -> Any:
        return _binary("floor_divide", self, other)

    def __rfloordiv__(self, other: Number) -> Any:
        return _binary("floor_divide", other, self)

    def __mod__(self, other: Number) -> Any:
        return _binary("modulo", self, other)

    def __rmod__(self, other: Number) -> Any:
        return _binary("modulo", other, self)

    def __truediv__(self, other: Number) -> Any:
        return _true_divide(self, other)

    def __rtruediv__(self, other: Number) -> Any:
        return _true_divide(other, self)

    def __neg__(self) -> Any:
        return _binary("subtract", 0, self)

    def __eq__(self, other: object) -> Any:
        return _binary("equal", self, other) if _is_number(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return negation(_binary("equal", self, other)) if _is_number(other) else NotImplemented

    def __lt__(self, other: Number) -> Any:
        return _binary("less", self, other)

    def __le__(self, other: Number) -> Any:
        return _binary("less_equal", self, other)

    def __gt__(self, other: Number) -> Any:
        return _binary("less", other, self)

    def __ge__(self, other: Number) -> Any:
        return _binary("less_equal", other, self)

    def __hash__(self) -> int:
        return hash((self.numerator, self.denominator))

    def __bool__(self) -> NoReturn:  # noqa: PLE0304
        self._refuse_value()

    def __int__(self) -> NoReturn:
        self._refuse_value()

    __index__ = __int__
    __float__ = __int__

    def _refuse_value(self) -> NoReturn:
        raise SpaceError(
            f"{self!r} depends on the configuration and has no single value: make an integer of it "
            "with nl.floor, nl.ceil, nl.round_to or nl.make_divisible"
        )

    def __repr__(self) -> str:
        return f"Rational({self.numerator!r} / {self.denominator})"


# -- choices ---------------------------------------------------------------------------------------


class _Chosen:
    """What every choice has: the values it is one of, and the position of the one that it is."""

    __slots__ = ()

    engine: Any
    index: int | Quantity
    values: tuple[Any, ...]

    def map(self, outcome: Mapping[Any, Any] | Callable[[Any], Any]) -> Any:
        """What belongs to the value that is chosen.

        Args:
            outcome: for every value an int, a number, or anything else; as a mapping or a function.

        Returns:
            A `Quantity` of ints, a `Rational` of other numbers, a condition of True and False, a
            `Selection` of anything else; a plain value if it is the same for all.

        Raises:
            SpaceError: the mapping lacks a value.
        """
        if isinstance(outcome, Mapping):
            missing = [value for value in self.values if value not in outcome]
            if missing:
                raise SpaceError(f"the mapping has no entry for the value {missing[0]!r} of {self}")
            outcomes = [outcome[value] for value in self.values]
        else:
            outcomes = [outcome(value) for value in self.values]
        return _by_position(self.engine, self.index, outcomes)


class Choice(_Chosen, Quantity):
    """One of several integers: a `Quantity` that is a variable of its space.

    Attributes:
        name: the name of the variable.
        values: the integers.
        index: the position of the chosen one, as a quantity.
    """

    __slots__ = ("constant", "index", "name", "values")

    def __init__(
        self,
        value: int | Quantity,
        engine: Any,
        name: str,
        values: tuple[int, ...],
        index: int | Quantity,
    ) -> None:
        is_constant = not isinstance(value, Quantity)
        super().__init__(engine, -1 if isinstance(value, int) else value.expression)
        #: The value where there is only one; else None.
        self.constant = value if is_constant else None
        self.name = name
        self.values = values
        self.index = index

    def __repr__(self) -> str:
        return f"Choice({self.name!r}, {_listed(self.values)})"


class RationalChoice(_Chosen, Rational):
    """One of several numbers that are not all integers: a `Rational` that is a variable.

    Attributes:
        name: the name of the variable.
        values: the numbers.
        index: the position of the chosen one, as a quantity.
    """

    __slots__ = ("engine", "index", "name", "values")

    def __init__(
        self, value: Any, engine: Any, name: str, values: tuple[Any, ...], index: int | Quantity
    ) -> None:
        numerator, denominator = _parts(value)
        super().__init__(numerator, denominator)
        self.engine = engine
        self.name = name
        self.values = values
        self.index = index

    def __repr__(self) -> str:
        return f"RationalChoice({self.name!r}, {_listed(self.values)})"


class Selection(_Chosen):
    """One of several things that are not numbers: words, tuples, None, True and False.

    ``selection == value`` is a condition; `map` gives what belongs to each value.

    Attributes:
        name: the name of the variable, "" if it follows from others.
        values: the things.
        index: the position of the chosen one, as a quantity.
    """

    __slots__ = ("engine", "index", "name", "values")

    def __init__(
        self, engine: Any, index: int | Quantity, values: tuple[Any, ...], name: str = ""
    ) -> None:
        self.engine = engine
        self.index = index
        self.values = values
        self.name = name

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Selection):
            return NotImplemented
        if other not in self.values:
            raise SpaceError(f"{other!r} is not among the values of {self}")
        return self.map(lambda value: value == other)

    def __ne__(self, other: object) -> Any:
        if isinstance(other, Selection):
            return NotImplemented
        return negation(self == other)

    def __hash__(self) -> int:
        return hash((id(self.engine), self.index, self.values))

    def __and__(self, other: Any) -> Any:
        return both(self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return either(self, other)

    __ror__ = __or__

    def __invert__(self) -> Any:
        return negation(self)

    def __bool__(self) -> NoReturn:
        raise SpaceError(
            f"{self} depends on the configuration and has no single value: use its map, nl.where, "
            "or space.switch for layers"
        )

    def __repr__(self) -> str:
        return f"Selection({self.name!r}, {_listed(self.values)})"


#: What the functions of this module take.
Number: TypeAlias = int | float | Fraction | Quantity | Rational


def _listed(values: Sequence[Any]) -> str:
    shown = [*map(repr, values[:6]), "..."] if len(values) > 8 else map(repr, values)
    return f"[{', '.join(shown)}]"


def tabulate(function: Callable[..., Any] | npt.NDArray[Any], *choices: Any) -> Any:
    """A Python function of choices, evaluated once for every combination of their values.

    >>> import netledger as nl
    >>> space = nl.Space()
    >>> kernel = space.choice("kernel", [3, 5])
    >>> act = space.choice("act", ["relu", "gelu"])
    >>> cost = nl.tabulate(lambda k, a: k * k + (a == "gelu"), kernel, act)

    Args:
        function: takes one value of each choice; or an array of what it returns, with an axis for
            each choice.
        choices: choices of one space; anything else is handed on as it is.

    Returns:
        A `Quantity` of ints, a `Rational` of other numbers, a condition of True and False, a
        `Selection` of anything else; a plain value if it is the same for all.

    Raises:
        SpaceError: the choices have more than 65,536 combinations, or an array has other sizes.
    """
    lists = [choice.values if isinstance(choice, _Chosen) else (choice,) for choice in choices]
    count = math.prod(map(len, lists))
    if count > MOST_COMBINATIONS:
        raise SpaceError(
            f"the choices have {count:,} combinations; a function is tabulated for at most "
            f"{MOST_COMBINATIONS:,}"
        )
    if isinstance(function, np.ndarray):
        if function.shape != tuple(map(len, lists)):
            raise SpaceError(
                f"an array has an axis for each choice, of sizes {tuple(map(len, lists))}, got "
                f"{function.shape}"
            )
        outcomes = function.ravel().tolist()
    else:
        outcomes = [function(*values) for values in itertools.product(*lists)]
    index: Any = 0
    engine = None
    for choice in choices:
        if isinstance(choice, _Chosen):
            engine = choice.engine
            index = index * len(choice.values) + choice.index
    return _by_position(engine, index, outcomes)


def _by_position(engine: Any, index: Any, outcomes: Sequence[Any]) -> Any:
    """The outcome at a position, as the kind of number that the outcomes are."""
    if not isinstance(index, Quantity):
        return outcomes[index]
    if all(isinstance(outcome, bool | np.bool_) for outcome in outcomes):
        return engine.lookup(index, [int(outcome) for outcome in outcomes])
    if all(_is_plain_number(outcome) for outcome in outcomes):
        exact = [fraction(outcome) for outcome in outcomes]
        denominator = math.lcm(*(number.denominator for number in exact))
        return _rational(engine.lookup(index, [int(n * denominator) for n in exact]), denominator)
    if any(isinstance(outcome, Quantity | Rational) for outcome in outcomes):
        chosen = outcomes[-1]
        for position in reversed(range(len(outcomes) - 1)):
            chosen = where(index == position, outcomes[position], chosen)
        return chosen
    if all(outcome == outcomes[0] for outcome in outcomes):
        return outcomes[0]
    values = tuple(dict.fromkeys(outcomes))
    if len(values) < len(outcomes):
        index = engine.lookup(index, [values.index(outcome) for outcome in outcomes])
    return Selection(engine, index, values)


# -- numbers of any kind ---------------------------------------------------------------------------


def _is_plain_number(value: object) -> bool:
    return isinstance(value, int | float | Fraction | np.integer | np.floating) and not isinstance(
        value, bool
    )


def _is_number(value: object) -> bool:
    return isinstance(value, bool | Quantity | Rational) or _is_plain_number(value)


def fraction(value: Any) -> Fraction:
    """A number without a variable, exactly: a float is the decimal number that it prints as."""
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise SpaceError(f"{value} is not a number to calculate with")
        return Fraction(repr(float(value)))
    return Fraction(int(value)) if isinstance(value, np.integer) else Fraction(value)


def _parts(value: Any) -> tuple[int | Quantity, int]:
    """A number as numerator and positive denominator."""
    if isinstance(value, Quantity):
        return value, 1
    if isinstance(value, Rational):
        return value.numerator, value.denominator
    if isinstance(value, int):
        return int(value), 1
    if _is_plain_number(value):
        exact = fraction(value)
        return exact.numerator, exact.denominator
    raise SpaceError(f"expected a number or a quantity, got {value!r}")


def _rational(numerator: int | Quantity, denominator: int) -> Any:
    """A number from its parts: an int, a Fraction, a Quantity or a Rational."""
    if isinstance(numerator, Quantity):
        return numerator if denominator == 1 else Rational(numerator, denominator)
    exact = Fraction(numerator, denominator)
    return exact.numerator if exact.denominator == 1 else exact


def _integer(opcode: str, left: int | Quantity, right: int | Quantity) -> Any:
    """An operation on integers or quantities."""
    for operand in (left, right):
        if isinstance(operand, Quantity):
            return operand.engine.expression(opcode, left, right)
    return ARITHMETIC[opcode](left, right)  # type: ignore[arg-type]


def _binary(opcode: str, left: Any, right: Any) -> Any:
    """An operation on two numbers of any kind."""
    if not (_is_number(left) and _is_number(right)):
        return NotImplemented
    (a, p), (b, q) = _parts(left), _parts(right)
    if p == q == 1:
        return _integer(opcode, a, b)
    if opcode == "multiply":
        return _rational(_integer("multiply", a, b), p * q)
    # Over the common denominator.
    common = math.lcm(p, q)
    a = _integer("multiply", a, common // p)
    b = _integer("multiply", b, common // q)
    outcome = _integer(opcode, a, b)
    if opcode in ("add", "subtract", "modulo", "minimum", "maximum"):
        return _rational(outcome, common)
    return outcome


def _true_divide(left: Any, right: Any) -> Any:
    if isinstance(right, Quantity | Rational):
        raise SpaceError(f"{left!r} / {right!r}: dividing by a quantity is // or nl.ceil_divide")
    if not _is_plain_number(right):
        return NotImplemented
    return _binary("multiply", left, 1 / fraction(right))


# -- conditions ------------------------------------------------------------------------------------


def as_condition(value: Any) -> Any:
    """A condition as 0 or 1, or a quantity of 0 and 1."""
    if isinstance(value, Selection):
        if not all(isinstance(entry, bool) for entry in value.values):
            raise SpaceError(f"{value} is not a condition: compare it with one of its values")
        return value.map({True: True, False: False})
    if isinstance(value, Quantity):
        return value.engine.condition(value)
    if _is_number(value) and not isinstance(value, Rational):
        return int(value != 0)
    raise SpaceError(f"expected a condition, got {value!r}")


def both(left: Any, right: Any) -> Any:
    """Whether two conditions hold."""
    return _integer("multiply", as_condition(left), as_condition(right))


def either(left: Any, right: Any) -> Any:
    """Whether one of two conditions holds."""
    return _integer("maximum", as_condition(left), as_condition(right))


def negation(condition: Any) -> Any:
    """Whether a condition does not hold."""
    return _integer("subtract", 1, as_condition(condition))


# -- functions -------------------------------------------------------------------------------------


def _layer(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """The layer of that name where a tensor is given, else None."""
    from netledger.graph import Tensor

    if not any(isinstance(value, Tensor) for value in (*args, *kwargs.values())):
        if kwargs:
            raise TypeError(f"{name} of numbers takes no {next(iter(kwargs))!r}")
        return None
    from netledger import layers

    return getattr(layers, name)(*args, **kwargs)


def where(condition: Any, yes: Any, no: Any, **layer_arguments: Any) -> Any:
    """`yes` where the condition holds, `no` elsewhere; of tensors, the layer of that name."""
    layer = _layer("where", (condition, yes, no), layer_arguments)
    if layer is not None:
        return layer
    truth = as_condition(condition)
    if not isinstance(truth, Quantity):
        return yes if truth else no
    (a, p), (b, q) = _parts(yes), _parts(no)
    common = math.lcm(p, q)
    a, b = _integer("multiply", a, common // p), _integer("multiply", b, common // q)
    return _rational(truth.engine.expression("select", truth, a, b), common)


def _least(opcode: str, values: Iterable[Any]) -> Any:
    first, *others = values
    for other in others:
        first = _binary(opcode, first, other)
    return first


def minimum(*values: Any, **layer_arguments: Any) -> Any:
    """The least of several numbers; of tensors, the layer of that name."""
    layer = _layer("minimum", values, layer_arguments)
    return _least("minimum", values) if layer is None else layer


def maximum(*values: Any, **layer_arguments: Any) -> Any:
    """The greatest of several numbers; of tensors, the layer of that name."""
    layer = _layer("maximum", values, layer_arguments)
    return _least("maximum", values) if layer is None else layer


def floor(value: Any, **layer_arguments: Any) -> Any:
    """The greatest integer that is not above a number; of a tensor, the layer of that name."""
    layer = _layer("floor", (value,), layer_arguments)
    return _binary("floor_divide", value, 1) if layer is None else layer


def ceil(value: Any, **layer_arguments: Any) -> Any:
    """The least integer that is not below a number; of a tensor, the layer of that name."""
    layer = _layer("ceil", (value,), layer_arguments)
    return ceil_divide(value, 1) if layer is None else layer


def ceil_divide(value: Any, divisor: Any) -> Any:
    """A quotient, rounded up to an integer.

    >>> ceil_divide(7, 2)
    4
    """
    return _binary("ceil_divide", value, divisor)


def greatest_common_divisor(left: Any, right: Any) -> Any:
    """The greatest integer that divides two integers."""
    for value in (left, right):
        if _parts(value)[1] != 1:
            raise SpaceError(f"a greatest common divisor is of integers, got {value!r}")
    return _binary("greatest_common_divisor", left, right)


def round_to(value: Any, multiple: Any = 1) -> Any:
    """The nearest multiple of an integer, in a tie the even multiple, as Python's ``round``.

    >>> round_to(20, 8), round_to(2.5), round_to(3.5)
    (16, 2, 4)

    Args:
        value: any number.
        multiple: a positive integer or quantity.
    """
    numerator, denominator = _parts(value)
    step = _integer("multiply", denominator, multiple)
    doubled = _integer("add", _integer("multiply", 2, numerator), step)
    nearest = _integer("floor_divide", doubled, _integer("multiply", 2, step))
    tied = _integer("equal", _integer("modulo", doubled, _integer("multiply", 2, step)), 0)
    odd = _integer("modulo", nearest, 2)
    return multiple * (nearest - tied * odd)


def make_divisible(value: Any, divisor: int = 8, min_value: int | None = None) -> Any:
    """The multiple of `divisor` nearest to a width, at least 90 % of it.

    The rounding of channel counts in MobileNets: halves up, and one step up where rounding takes
    more than a tenth away. Calculated exactly, not in floats.

    >>> make_divisible(35), make_divisible(12 * 0.9), make_divisible(10, 8, 16)
    (32, 16, 16)

    Args:
        value: a number that is not negative.
        divisor: a positive integer.
        min_value: the least result; `divisor` if left out.
    """
    numerator, denominator = _parts(value)
    rounded = (2 * numerator + denominator * divisor) // (2 * denominator * divisor) * divisor
    rounded = maximum(rounded, divisor if min_value is None else min_value)
    too_small = 10 * denominator * rounded < 9 * numerator
    return where(too_small, rounded + divisor, rounded)
