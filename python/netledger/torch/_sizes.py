"""Sizes that depend on choices, as torch's Python sees them: ``torch.SymInt`` around a quantity.

torch knows integers without a value, for its own compiler: shapes, ``view``, ``reshape``, slices
and arithmetic take them, and hand them on to a dispatch mode as they are. A `SizeNode` answers for
one of them with the quantity of a space. Where a value is needed (a condition, a range, an index),
the space settles whether it is the same for all configurations.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch

from netledger import quantity as quantities
from netledger.quantity import Quantity

__all__ = ["plain", "symbolic"]

#: Finds the one value of a quantity, or raises; of None, a real number, it raises.
Settle = Callable[[Quantity | None], int]


def symbolic(value: Any, settle: Settle) -> Any:
    """A size as torch takes it: an int, or a ``torch.SymInt`` for a quantity."""
    if not isinstance(value, Quantity):
        return value
    return torch.SymInt(SizeNode(value, settle))  # type: ignore[no-untyped-call]


def plain(value: Any) -> Any:
    """A size, or a nesting of sizes, as a space takes it: quantities again."""
    if isinstance(value, torch.SymInt):
        node = value.node
        return node.value if isinstance(node, SizeNode) else int(value)
    if isinstance(value, torch.SymBool | torch.SymFloat):
        return value.node.settled()
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    return value


def _number(other: Any) -> Any:
    """The value of a node, or a number as it is."""
    return other.value if isinstance(other, SizeNode | RealNode) else other


def _is_real(other: Any) -> bool:
    return isinstance(other, RealNode | float)


class SizeNode:
    """What a ``torch.SymInt`` or ``torch.SymBool`` asks; its names are torch's.

    Attributes:
        value: an int, or a quantity; of a condition 0 or 1.
        settle: finds the one value of a quantity, or raises.
        is_condition: whether it is that of a ``torch.SymBool``.
    """

    def __init__(self, value: Any, settle: Settle, is_condition: bool = False) -> None:
        self.value = value
        self.settle = settle
        self.is_condition = is_condition

    # -- what it is -------------------------------------------------------------------------------

    def is_int(self) -> bool:
        return not self.is_condition

    def is_bool(self) -> bool:
        return self.is_condition

    def is_float(self) -> bool:
        return False

    def is_nested_int(self) -> bool:
        return False

    def nested_int(self) -> None:
        return None

    def is_symbolic(self) -> bool:
        return isinstance(self.value, Quantity)

    def is_constant(self) -> bool:
        return not isinstance(self.value, Quantity)

    def maybe_as_int(self) -> int | None:
        return None if isinstance(self.value, Quantity) else int(self.value)

    def maybe_as_bool(self) -> bool | None:
        return None if isinstance(self.value, Quantity) else bool(self.value)

    constant_int = maybe_as_int
    constant_bool = maybe_as_bool

    def has_hint(self) -> bool:
        return False

    def clone(self) -> SizeNode:
        return self

    def wrap_int(self, number: int) -> SizeNode:
        return SizeNode(number, self.settle)

    def wrap_bool(self, truth: bool) -> SizeNode:
        return SizeNode(int(truth), self.settle, True)

    def wrap_float(self, number: float) -> RealNode:
        return RealNode(_exact(number), self.settle)

    def str(self) -> str:
        # Used as a key, the text of one quantity is not that of another.
        if isinstance(self.value, Quantity):
            return f"<{self.value.engine.describe(self.value)}, #{self.value.expression}>"
        return repr(self.value)

    __str__ = __repr__ = _graph_repr = str

    # -- where a value is needed ------------------------------------------------------------------

    def settled(self) -> Any:
        """The value that it has in all configurations."""
        value = self.settle(self.value) if isinstance(self.value, Quantity) else int(self.value)
        return bool(value) if self.is_condition else value

    def guard_int(self, *_: Any) -> Any:
        return self.settled()

    int_ = bool_ = evaluate = guard_bool = expect_true = guard_size_oblivious = guard_int
    guard_or_false = guard_or_true = guard_int

    def guard_float(self, *_: Any) -> float:
        return self.sym_float().guard_float()

    def statically_known_true(self, *_: Any) -> bool:
        return not isinstance(self.value, Quantity) and bool(self.value)

    # -- arithmetic -------------------------------------------------------------------------------

    def _size(self, value: Any) -> SizeNode:
        return SizeNode(value, self.settle)

    def _truth(self, value: Any) -> SizeNode:
        return SizeNode(value, self.settle, True)

    def add(self, other: Any) -> Any:
        if _is_real(other):
            return self.sym_float().add(other)
        return self._size(self.value + _number(other))

    def sub(self, other: Any) -> Any:
        if _is_real(other):
            return self.sym_float().sub(other)
        return self._size(self.value - _number(other))

    def mul(self, other: Any) -> Any:
        if _is_real(other):
            return self.sym_float().mul(other)
        return self._size(self.value * _number(other))

    def floordiv(self, other: Any) -> SizeNode:
        return self._size(self.value // _number(other))

    int_floordiv = floordiv

    def mod(self, other: Any) -> SizeNode:
        return self._size(self.value % _number(other))

    def neg(self) -> SizeNode:
        return self._size(0 - self.value)

    def pos(self, *_: Any) -> SizeNode:
        return self

    floor = ceil = trunc = round = sym_int = pos

    def abs(self) -> SizeNode:
        return self._size(quantities.maximum(self.value, 0 - self.value))

    def pow_by_natural(self, other: Any) -> SizeNode:
        exponent = SizeNode(_number(other), self.settle).settled()
        power: Any = 1
        for _ in range(exponent):
            power = power * self.value
        return self._size(power)

    pow = pow_by_natural

    def sym_max(self, other: Any) -> SizeNode:
        return self._size(quantities.maximum(self.value, _number(other)))

    def sym_min(self, other: Any) -> SizeNode:
        return self._size(quantities.minimum(self.value, _number(other)))

    def sym_sum(self, others: Sequence[Any]) -> SizeNode:
        total: Any = 0
        for other in others:
            total = total + _number(other)
        return self._size(total)

    def eq(self, other: Any) -> SizeNode:
        return self._truth(self.value == _number(other))

    def ne(self, other: Any) -> SizeNode:
        return self._truth(self.value != _number(other))

    def lt(self, other: Any) -> SizeNode:
        return self._truth(self.value < _number(other))

    def le(self, other: Any) -> SizeNode:
        return self._truth(self.value <= _number(other))

    def gt(self, other: Any) -> SizeNode:
        return self._truth(self.value > _number(other))

    def ge(self, other: Any) -> SizeNode:
        return self._truth(self.value >= _number(other))

    def sym_and(self, other: Any) -> SizeNode:
        return self._truth(quantities.both(self.value, _number(other)))

    def sym_or(self, other: Any) -> SizeNode:
        return self._truth(quantities.either(self.value, _number(other)))

    and_, or_ = sym_and, sym_or

    def sym_not(self) -> SizeNode:
        return self._truth(quantities.negation(self.value))

    def sym_ite(self, yes: Any, no: Any) -> SizeNode:
        return self._size(quantities.where(self.value, _number(yes), _number(no)))

    # -- real numbers -----------------------------------------------------------------------------

    def sym_float(self) -> RealNode:
        return RealNode(self.value, self.settle)

    def int_truediv(self, other: Any) -> RealNode:
        return self.sym_float().float_truediv(other)

    def truediv(self, other: Any) -> RealNode:
        return self.sym_float().float_truediv(other)

    def float_pow(self, _: Any) -> RealNode:
        return RealNode(None, self.settle)

    # -- layouts in memory ------------------------------------------------------------------------

    # Stand-ins are laid out one element after the other.
    def is_contiguous(self, *_: Any) -> SizeNode:
        return self._truth(1)

    def is_non_overlapping_and_dense(self, *_: Any) -> SizeNode:
        return self._truth(1)

    def is_non_overlapping_and_dense_indicator(self, *_: Any) -> SizeNode:
        return self._size(1)

    def is_channels_last_contiguous_2d(self, *_: Any) -> SizeNode:
        return self._truth(0)

    is_channels_last_contiguous_3d = is_channels_last_contiguous_2d
    is_channels_last_strides_2d = is_channels_last_contiguous_2d
    is_channels_last_strides_3d = is_channels_last_contiguous_2d


def _exact(number: float) -> Any:
    """An integral float as the int that it is."""
    return int(number) if number.is_integer() else None


class RealNode:
    """What a ``torch.SymFloat`` asks: a real number that depends on choices.

    Only where it stays integral is its value known; the scale of an attention costs nothing,
    whatever it is.

    Attributes:
        value: an int or a quantity; None where it is not known.
        settle: finds the one value of a quantity, or raises.
    """

    def __init__(self, value: Any, settle: Settle) -> None:
        self.value = value
        self.settle = settle

    def is_int(self) -> bool:
        return False

    is_bool = is_nested_int = is_constant = is_int

    def is_float(self) -> bool:
        return True

    def is_symbolic(self) -> bool:
        return True

    def maybe_as_float(self) -> float | None:
        return None

    maybe_as_int = nested_int = constant_int = constant_bool = maybe_as_bool = maybe_as_float

    def has_hint(self) -> bool:
        return False

    def clone(self) -> RealNode:
        return self

    def wrap_int(self, number: int) -> SizeNode:
        return SizeNode(number, self.settle)

    def wrap_float(self, number: float) -> RealNode:
        return RealNode(_exact(number), self.settle)

    def str(self) -> str:
        return "<a real number that depends on choices>"

    __str__ = __repr__ = _graph_repr = str

    def settled(self) -> float:
        """The value that it has in all configurations."""
        return float(self._whole().settled())

    def guard_float(self, *_: Any) -> float:
        return self.settled()

    def _whole(self) -> SizeNode:
        """The same as an integer, where it is known to be one."""
        if self.value is None:
            self.settle(None)
        return SizeNode(self.value, self.settle)

    def floor(self, *_: Any) -> SizeNode:
        return self._whole()

    ceil = trunc = sym_int = round = floor

    def guard_int(self, *_: Any) -> Any:
        return self._whole().settled()

    int_ = guard_int

    def sym_float(self) -> RealNode:
        return self

    def _both(self, other: Any, function: Callable[[Any, Any], Any]) -> RealNode:
        left, right = self.value, _number(other)
        if isinstance(right, float):
            right = _exact(right)
        known = left is not None and right is not None
        return RealNode(function(left, right) if known else None, self.settle)

    def add(self, other: Any) -> RealNode:
        return self._both(other, lambda left, right: left + right)

    def sub(self, other: Any) -> RealNode:
        return self._both(other, lambda left, right: left - right)

    def mul(self, other: Any) -> RealNode:
        return self._both(other, lambda left, right: left * right)

    def neg(self) -> RealNode:
        return RealNode(None if self.value is None else 0 - self.value, self.settle)

    def float_truediv(self, other: Any) -> RealNode:
        return self._both(other, self._quotient)

    truediv = int_truediv = float_truediv

    def _quotient(self, left: Any, right: Any) -> Any:
        """A quotient, where it is integral in all configurations."""
        if isinstance(right, int) and not isinstance(left, Quantity):
            exact = Fraction(left, right) if right else Fraction(1, 2)
            return exact.numerator if exact.denominator == 1 else None
        remainder = left % right
        return None if isinstance(remainder, Quantity) or remainder else left // right

    def float_pow(self, _: Any) -> RealNode:
        return RealNode(None, self.settle)

    pow = pow_by_natural = float_pow

    def _unknown(self, *_: Any) -> RealNode:
        return RealNode(None, self.settle)

    sqrt = sym_sqrt = sym_log2 = sym_exp = sym_max = sym_min = _unknown

    def _compare(self, other: Any, relation: Callable[[Any, Any], Any]) -> SizeNode:
        right = _number(other)
        if isinstance(right, float):
            right = _exact(right)
        if right is None:
            self.settle(None)
        return SizeNode(relation(self._whole().value, right), self.settle, True)

    def eq(self, other: Any) -> SizeNode:
        return self._compare(other, operator.eq)

    def ne(self, other: Any) -> SizeNode:
        return self._compare(other, operator.ne)

    def lt(self, other: Any) -> SizeNode:
        return self._compare(other, operator.lt)

    def le(self, other: Any) -> SizeNode:
        return self._compare(other, operator.le)

    def gt(self, other: Any) -> SizeNode:
        return self._compare(other, operator.gt)

    def ge(self, other: Any) -> SizeNode:
        return self._compare(other, operator.ge)
