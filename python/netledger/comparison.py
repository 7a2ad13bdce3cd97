"""One model in many conventions, and what makes the difference between any two of them.

A difference is taken apart by cause: layers of one op for which both conventions have the same
pair of rules. The causes add up to the difference exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from netledger.conventions import Convention, Rules, Term, convention_of, conventions
from netledger.errors import NetledgerError
from netledger.report.numbers import measured

if TYPE_CHECKING:
    from netledger._views import Place
    from netledger.ledger import Ledger

__all__ = ["Cause", "Comparison", "Difference", "Figure", "compared"]

#: What the other figures are set against in the table.
REFERENCE = "macs"
#: Metrics of a convention that have a line of their own, where their rule is another.
_HEADLINES = ("flops", "macs", "madd")


@dataclass(frozen=True)
class Figure:
    """What a convention gives for a model.

    Attributes:
        convention: its name.
        metric: the metric, ``"flops"`` for what its authors print.
        called: what the authors call it.
        value: the total; None if the convention refuses the model.
        refusal: why it does, else "".
    """

    convention: str
    metric: str
    called: str
    value: int | None
    refusal: str = ""

    @property
    def label(self) -> str:
        """The convention, and the metric if it is not the usual one."""
        return self.convention if self.metric == "flops" else f"{self.metric}@{self.convention}"


@dataclass(frozen=True)
class Cause:
    """Part of the difference between two conventions: layers that they count differently.

    Attributes:
        op: kind of the layers.
        layers: how many there are.
        here: what the first convention counts of each, in words.
        there: what the second counts.
        difference: the first convention's sum over these layers minus the second's; a Fraction
            where a tool divides a layer's cost.
    """

    op: str
    layers: int
    here: str
    there: str
    difference: int | Fraction

    def __str__(self) -> str:
        """The cause in one sentence."""
        if not self.op:
            return f"{self.here}: {_signed(self.difference)}"
        times = f"{self.layers} layers" if self.layers > 1 else "1 layer"
        return (
            f"{self.op} ({times}): {self.here} instead of {self.there}: {_signed(self.difference)}"
        )


@dataclass(frozen=True)
class Difference:
    """How two conventions come to different figures for a model.

    Attributes:
        title: what the model is called.
        here: the first figure.
        there: the second.
        causes: the largest first; they add up to `total` exactly.
    """

    title: str
    here: Figure
    there: Figure
    causes: tuple[Cause, ...]

    @property
    def total(self) -> int:
        """The first figure minus the second."""
        assert self.here.value is not None
        assert self.there.value is not None
        return self.here.value - self.there.value

    def __str__(self) -> str:
        """The causes, a sentence each."""
        head = (
            f"{self.title}, {self.here.label} against {self.there.label}: "
            f"{self.here.value:,} - {self.there.value:,} = {_signed(self.total)}"
        )
        if not self.causes:
            return f"{head}; every layer counts the same"
        sentences = [f"  {cause}" for cause in self.causes]
        return "\n".join([head, *sentences, "  nothing else"])

    def to_dict(self) -> dict[str, Any]:
        """Figures and causes as plain Python objects."""
        return {
            "title": self.title,
            "here": self.here.label,
            "there": self.there.label,
            "total": self.total,
            "causes": [
                {
                    "op": cause.op,
                    "layers": cause.layers,
                    "here": cause.here,
                    "there": cause.there,
                    "difference": _plain(cause.difference),
                }
                for cause in self.causes
            ],
        }


class Comparison:
    """A model in many conventions.

    ``print`` shows a line for each; `between` takes the difference of two apart.

    Attributes:
        ledger: what the model costs.
        figures: what every convention gives, by label: a convention's name, or
            ``"macs@deepspeed"`` for another metric than the one that its authors print.
    """

    def __init__(self, ledger: Ledger, names: Sequence[str | Convention]) -> None:
        self.ledger = ledger
        self._conventions = {
            convention.name: convention for convention in map(convention_of, names)
        }
        self.figures: dict[str, Figure] = {}
        for convention in self._conventions.values():
            for figure in _figures(ledger, convention):
                self.figures[figure.label] = figure

    def between(self, here: str, there: str) -> Difference:
        """What makes the difference between two figures, by label.

        Raises:
            NetledgerError: a figure that is not there, or that its convention refuses.
        """
        first, second = self._figure(here), self._figure(there)
        for figure in (first, second):
            if figure.value is None:
                raise NetledgerError(
                    f"convention '{figure.convention}' gives nothing: {figure.refusal}"
                )
        causes = list(
            _causes(
                self.ledger,
                _Reading(self.ledger, self._conventions[first.convention], first.metric),
                _Reading(self.ledger, self._conventions[second.convention], second.metric),
            )
        )
        assert first.value is not None
        assert second.value is not None
        left = first.value - second.value - sum(cause.difference for cause in causes)
        if left:
            causes.append(Cause("", 0, "sums that are no integers, cut off", "", left))
        causes.sort(key=lambda cause: _size(cause.difference), reverse=True)
        return Difference(self.ledger.title, first, second, tuple(causes))

    def _figure(self, label: str) -> Figure:
        metric, _, name = label.partition("@")
        if label not in self.figures and (metric in _HEADLINES and name):
            name = convention_of(name).name
            label = name if metric == "flops" else f"{metric}@{name}"
        elif label not in self.figures:
            label = convention_of(label).name
        if label not in self.figures:
            raise NetledgerError(f"no figure '{label}' here; there are {', '.join(self.figures)}")
        return self.figures[label]

    def __str__(self) -> str:
        """A line for each figure, with what makes it differ most from plain MACs."""
        from netledger.report.comparison import table

        return table(self)

    def to_dict(self) -> dict[str, Any]:
        """Every figure by label, an int or why there is none, and the operations without a rule."""
        return {
            "title": self.ledger.title,
            "unsupported": dict(self.ledger.unsupported),
            "figures": {
                label: figure.refusal if figure.value is None else figure.value
                for label, figure in self.figures.items()
            },
        }

    @property
    def title(self) -> str:
        """What the model is called."""
        return self.ledger.title


def compared(ledger: Ledger, names: Sequence[str | Convention]) -> Comparison:
    """A model in some conventions; in all of them if none is named."""
    return Comparison(ledger, names or conventions())


def _figures(ledger: Ledger, convention: Convention) -> Iterator[Figure]:
    """A convention's headline figures; those of the same rule once."""
    seen: list[Any] = []
    for metric in _HEADLINES:
        rule = convention.rules.get(metric)
        if rule is None or any(rule is other for other in seen):
            continue
        if metric != "flops" and isinstance(rule, str):
            continue  # a column of the ledger
        seen.append(rule)
        called = convention.figure if metric == "flops" else _CALLED[metric]
        try:
            value = ledger.total(metric, convention)
        except NetledgerError as error:
            yield Figure(convention.name, metric, called, None, str(error))
        else:
            yield Figure(convention.name, metric, called, value)


_CALLED = {"macs": "MACs", "madd": "MAdd"}


class _Reading:
    """A metric of a convention: what it counts of a layer, in words and as a number."""

    def __init__(self, ledger: Ledger, convention: Convention, metric: str) -> None:
        self._ledger = ledger
        self._rule: Any = convention.rule(metric)
        self._text = f"the rule of '{convention.name}'"
        if isinstance(self._rule, str):
            self._text = _TEXTS.get(self._rule, self._rule.replace("_", " "))

    def of(self, place: Place) -> tuple[str, Any]:
        """The words and the number for a layer."""
        view = place.view
        if isinstance(self._rule, str):
            # A column of the ledger: composites have none.
            cost = (
                0
                if view.origin.kind == "composite"
                else getattr(self._ledger.rows[place.row], self._rule)
            )
            return (self._text if cost else "nothing"), cost
        if view.origin.kind == "composite" and not getattr(self._rule, "composites", False):
            return "nothing", 0
        if isinstance(self._rule, Rules):
            term: Term = self._rule.term(view)
            return term.text, term.cost(view)
        cost = self._rule(view)
        return (self._text if cost else "nothing"), cost


_TEXTS = {"macs": "multiply-accumulates", "flops": "every scalar operation"}


def _causes(ledger: Ledger, here: _Reading, there: _Reading) -> Iterator[Cause]:
    sums: dict[tuple[str, str, str], list[Any]] = {}
    for place in ledger._places:
        (text, cost), (other_text, other_cost) = here.of(place), there.of(place)
        if cost != other_cost:
            entry = sums.setdefault((place.view.op, text, other_text), [0, 0])
            entry[0] += 1
            entry[1] += cost - other_cost
    for (op, text, other_text), (layers, difference) in sums.items():
        if difference:
            yield Cause(op, layers, text, other_text, _plain(difference))


def _size(number: int | Fraction) -> Fraction:
    return Fraction(max(number, -number))


def _plain(number: int | Fraction) -> int | Fraction:
    """A Fraction that is a whole number as an int."""
    if isinstance(number, Fraction) and number.denominator == 1:
        return number.numerator
    return number


def _signed(number: int | Fraction) -> str:
    if isinstance(number, Fraction):
        return f"{number.numerator:+,}/{number.denominator:,}"
    return f"{number:+,}"


def short_causes(difference: Difference, limit: int = 3) -> str:
    """The largest causes in a few words, as ``"batch_norm +22.23 M"``."""
    merged: dict[str, int | Fraction] = {}
    for cause in difference.causes:
        merged[cause.op] = merged.get(cause.op, 0) + cause.difference
    ordered = sorted(merged.items(), key=lambda item: _size(item[1]), reverse=True)
    parts = [
        f"{op or 'rounding'} {'+' if amount > 0 else '-'}{measured(abs(int(amount)), '').strip()}"
        for op, amount in ordered[:limit]
    ]
    if len(ordered) > limit:
        parts.append("...")
    return ", ".join(parts)
