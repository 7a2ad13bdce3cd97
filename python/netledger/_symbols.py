"""Integers that remember how they came about: what a formula is printed from.

A rule of `netledger.formulas` that is given `Symbol` numbers runs as it always does, on the same
values; its results know the products, quotients and sums that they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Notation", "Symbol", "latex", "spelled"]

#: How tightly an expression binds, weakest first.
_SUM, _PRODUCT, _POWER, _ATOM = range(4)

#: What a quotient by one of these always is: whole, or the rule refuses the layer.
_DIVISORS = frozenset({"groups", "num_heads", "num_groups"})


class Symbol(int):
    """An integer with a name, or with the operation and the operands that it is the result of.

    Attributes:
        name: what it is called; "" for a result.
        operation: "+", "-", "*", "//", "%" or "**" for a result, "" for a name.
        operands: of the operation.
    """

    name: str
    operation: str
    operands: tuple[int, ...]

    def __new__(
        cls, value: int, name: str = "", operation: str = "", operands: tuple[int, ...] = ()
    ) -> Self:
        symbol = super().__new__(cls, value)
        symbol.name = name
        symbol.operation = operation
        symbol.operands = operands
        return symbol

    def __add__(self, other: int) -> Any:
        return _result("+", self, other)

    def __radd__(self, other: int) -> Any:
        return _result("+", other, self)

    def __sub__(self, other: int) -> Any:
        return _result("-", self, other)

    def __rsub__(self, other: int) -> Any:
        return _result("-", other, self)

    def __mul__(self, other: int) -> Any:
        return _result("*", self, other)

    def __rmul__(self, other: int) -> Any:
        return _result("*", other, self)

    def __floordiv__(self, other: int) -> Any:
        return _result("//", self, other)

    def __rfloordiv__(self, other: int) -> Any:
        return _result("//", other, self)

    def __mod__(self, other: int) -> Any:
        return _result("%", self, other)

    def __rmod__(self, other: int) -> Any:
        return _result("%", other, self)

    def __pow__(self, other: int, modulo: int | None = None) -> Any:
        return _result("**", self, other)

    def __neg__(self) -> Any:
        return _result("-", 0, self)

    def __pos__(self) -> Any:
        return self

    # A number that remembers is as equal as any: only what is calculated with it differs.
    __hash__ = int.__hash__


_CALCULATED: dict[str, Any] = {
    "+": int.__add__,
    "-": int.__sub__,
    "*": int.__mul__,
    "//": int.__floordiv__,
    "%": int.__mod__,
    "**": int.__pow__,
}


def _result(operation: str, left: Any, right: Any) -> Any:
    """A result; what changes nothing (x + 0, 1 * x) is left out."""
    if not isinstance(left, int) or not isinstance(right, int):
        return NotImplemented
    if not isinstance(left, Symbol) and left == {"+": 0, "*": 1}.get(operation):
        return right
    if not isinstance(right, Symbol):
        neutral = {"+": 0, "-": 0, "*": 1, "//": 1, "**": 1}.get(operation)
        if right == neutral:
            return left
    value: int = _CALCULATED[operation](int(left), int(right))
    return Symbol(value, "", operation, (left, right))


class Notation:
    """What is written for the parts of an expression.

    Args:
        named: names of results, by identity, as of the sizes of an output; they are written instead
            of what they are.
        numbers: whether values are written in place of names.
    """

    def __init__(self, named: Mapping[int, str], *, numbers: bool = False) -> None:
        self._named = named
        self._numbers = numbers

    def atom(self, value: int) -> str | None:
        """What is written for a value that is not taken apart; None for one that is."""
        name = self._named.get(id(value))
        if name is None and isinstance(value, Symbol):
            name = value.name or None
            if name is None:
                return None
        return str(int(value)) if name is None or self._numbers else name

    def with_names(self) -> Notation:
        """The same with names in place of values."""
        return Notation(self._named)

    def without(self, value: int) -> Notation:
        """The same, but this value is taken apart."""
        named = {key: name for key, name in self._named.items() if key != id(value)}
        return Notation(named, numbers=self._numbers)


def _terms(value: int, notation: Notation) -> list[tuple[bool, int]]:
    """The summands of a sum, each with whether it is taken away."""
    if not isinstance(value, Symbol):
        return [(value < 0, abs(value))]
    if notation.atom(value) is not None:
        return [(False, value)]
    if value.operation not in ("+", "-"):
        return [(False, value)]
    left, right = value.operands
    minus = value.operation == "-"
    found = [] if minus and left == 0 and not isinstance(left, Symbol) else _terms(left, notation)
    return found + [(negative != minus, term) for negative, term in _terms(right, notation)]


def _factors(value: int, notation: Notation) -> list[int]:
    """The factors of a product, numbers first."""
    if notation.atom(value) is None and isinstance(value, Symbol) and value.operation == "*":
        return [factor for operand in value.operands for factor in _factors(operand, notation)]
    return [value]


def _ordered(factors: list[int]) -> list[int]:
    constants = [factor for factor in factors if not isinstance(factor, Symbol)]
    return constants + [factor for factor in factors if isinstance(factor, Symbol)]


def _sum(
    terms: list[tuple[bool, int]],
    notation: Notation,
    writer: Callable[[int, Notation, int], str],
    times: str,
) -> str:
    """A sum; terms that are the same, name by name, are written once, with how many there are."""
    names = notation.with_names()
    alike: dict[tuple[bool, str], list[int]] = {}
    for negative, term in terms:
        alike.setdefault((negative, writer(term, names, _SUM)), []).append(term)
    text = ""
    for (negative, _), same in alike.items():
        if len(same) > 1:
            part = f"{len(same)}{times}{writer(same[0], notation, _POWER)}"
        else:
            # "-a // b" would be the quotient of -a.
            around = (_PRODUCT if text else _POWER) if negative else _SUM
            part = writer(same[0], notation, around)
        sign = "-" if negative else "+" if text else ""
        text = f"{text} {sign} {part}" if text else f"{sign}{part}"
    return text


def _is_whole(divisor: int) -> bool:
    return isinstance(divisor, Symbol) and divisor.name in _DIVISORS


def spelled(value: int, notation: Notation, around: int = _SUM) -> str:
    """An expression in plain text, which Python understands as well."""
    atom = notation.atom(value)
    if atom is not None:
        return f"({atom})" if atom.startswith("-") and around > _SUM else atom
    assert isinstance(value, Symbol)
    if value.operation in ("+", "-"):
        text, strength = _sum(_terms(value, notation), notation, spelled, " * "), _SUM
    elif value.operation == "*":
        factors = _ordered(_factors(value, notation))
        text, strength = " * ".join(spelled(each, notation, _POWER) for each in factors), _PRODUCT
    elif value.operation == "**":
        base, exponent = value.operands
        text = f"{spelled(base, notation, _ATOM)} ** {spelled(exponent, notation, _ATOM)}"
        strength = _POWER
    else:
        left, right = (spelled(operand, notation, _POWER) for operand in value.operands)
        text, strength = f"{left} {value.operation} {right}", _PRODUCT
    return f"({text})" if strength < around else text


def latex(value: int, notation: Notation, around: int = _SUM) -> str:
    """An expression in LaTeX's mathematical notation."""
    atom = notation.atom(value)
    if atom is not None:
        text = latex_name(atom)
        return rf"\left({text}\right)" if atom.startswith("-") and around > _SUM else text
    assert isinstance(value, Symbol)
    strength = _PRODUCT
    if value.operation in ("+", "-"):
        text, strength = _sum(_terms(value, notation), notation, latex, r" \cdot "), _SUM
    elif value.operation == "*":
        factors = _ordered(_factors(value, notation))
        text = r" \cdot ".join(latex(each, notation, _PRODUCT) for each in factors)
    elif value.operation == "**":
        base, exponent = value.operands
        text, strength = f"{latex(base, notation, _ATOM)}^{{{latex(exponent, notation)}}}", _POWER
    elif value.operation == "%":
        left, right = (latex(operand, notation, _POWER) for operand in value.operands)
        text = rf"{left} \bmod {right}"
    else:
        left, right = (latex(operand, notation) for operand in value.operands)
        text, strength = rf"\frac{{{left}}}{{{right}}}", _ATOM
        if not _is_whole(value.operands[1]):
            text = rf"\left\lfloor {text} \right\rfloor"
    return rf"\left({text}\right)" if strength < around else text


def latex_name(name: str) -> str:
    """A name of this project as LaTeX writes it: single letters in italics, words upright."""
    if name.lstrip("-").isdigit():
        return name
    base, bracket, index = name.partition("[")
    base = base.replace("_", r"\_")
    letters = base.rstrip("'")
    text = letters if len(letters) == 1 else rf"\mathrm{{{letters}}}"
    text += "'" * (len(base) - len(letters))
    return f"{text}_{{{index.rstrip(']')}}}" if bracket else text
