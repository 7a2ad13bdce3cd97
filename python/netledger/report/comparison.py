"""A comparison of conventions as plain text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from netledger.comparison import REFERENCE, short_causes
from netledger.report.text import missing

if TYPE_CHECKING:
    from netledger.comparison import Comparison

__all__ = ["table"]

_HEADS = ("convention", "calls it", "counts", f"/ {REFERENCE}", f"more or less than {REFERENCE}")
_GAP = "  "


def table(comparison: Comparison, width: int = 120) -> str:
    """A line for each figure: what it is called, its value, its ratio to plain MACs and why."""
    rows: list[tuple[str, str, str, str, str]] = []
    refused: list[str] = []
    base = comparison.figures.get(REFERENCE)
    for label, figure in comparison.figures.items():
        if figure.value is None:
            refused.append(f"{label} refuses the model: {figure.refusal}")
            continue
        ratio, causes = "", ""
        if base is not None and base.value:
            ratio = _ratio(figure.value, base.value)
            causes = short_causes(comparison.between(label, REFERENCE))
        rows.append((label, figure.called, f"{figure.value:,}", ratio, causes))
    used = [place for place in range(len(_HEADS)) if place < 3 or any(row[place] for row in rows)]
    widths = {
        place: max(len(_HEADS[place]), *(len(row[place]) for row in rows), 0) for place in used
    }

    def line(row: tuple[str, ...]) -> str:
        cells = [
            row[place].rjust(widths[place]) if place in (2, 3) else row[place].ljust(widths[place])
            for place in used
        ]
        return _cut(_GAP.join(cells).rstrip(), width)

    rule = "-" * min(width, sum(widths.values()) + len(_GAP) * (len(used) - 1))
    lines = [comparison.title, "", line(_HEADS), rule, *map(line, rows)]
    for text in (*refused, missing(comparison.ledger)):
        lines += textwrap.wrap(text, width)
    return "\n".join(lines)


def _ratio(value: int, base: int) -> str:
    """A ratio with three decimals, rounded to the nearest, halves up."""
    thousandths = (2000 * value + base) // (2 * base)
    return f"{thousandths // 1000}.{thousandths % 1000:03}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3].rstrip()}..."
