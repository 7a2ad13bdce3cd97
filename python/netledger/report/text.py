"""The report as plain text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netledger._results import COLUMNS
from netledger.errors import NetledgerError
from netledger.report.numbers import Unit, apportion, measured, rounded, unit_for
from netledger.report.tree import Line, operations, tree, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netledger.ledger import Ledger

#: What a column may show: everything that is a sum over the rows.
ADDITIVE = (*COLUMNS, "frozen_params")
#: Metrics that come with their share of the total.
SHARED = ("params", "macs")
#: The two lines of a heading, where they are not the name of the metric.
HEADINGS = {
    "trainable_params": ("trainable", "params"),
    "frozen_params": ("frozen", "params"),
    "macs": ("", "MACs"),
    "flops": ("", "FLOPs"),
    "memory_access": ("memory", "access"),
    "memory_access_bytes": ("memory", "bytes"),
}
INDENT = "  "
GAP = "  "


def report(
    ledger: Ledger,
    *,
    depth: int | None = 3,
    metrics: Sequence[str] = ("params", "macs", "flops", "memory_access"),
    by: str = "module",
    units: str = "auto",
    percent: bool = True,
    width: int = 100,
) -> str:
    """Summary, table, totals, unsupported operations, peak memory; see `Ledger.table`."""
    for metric in metrics:
        if metric not in ADDITIVE:
            raise NetledgerError(f"no column '{metric}'; the columns are {', '.join(ADDITIVE)}")
    if by not in ("module", "op"):
        raise NetledgerError(f"by must be 'module' or 'op', got {by!r}")
    if units not in ("auto", "exact"):
        raise NetledgerError(f"units must be 'auto' or 'exact', got {units!r}")
    if depth is not None and depth < 0:
        raise NetledgerError(f"depth must not be negative, got {depth}")
    root = tree(ledger, depth, metrics) if by == "module" else operations(ledger)
    chosen = _units(root, metrics, by, percent, width if units == "auto" else None)
    table = _draw(_columns(root, chosen, by, percent))
    head = textwrap.wrap(summary(ledger), width)
    return "\n".join([*head, "", *table, *_remarks(ledger, chosen.values(), width)])


def summary(ledger: Ledger) -> str:
    """One line: what the model is, its parameters, multiply-accumulates and operations."""
    frozen = f" ({measured(ledger.frozen_params, '').strip()} frozen)"
    return (
        f"{ledger.title}: {measured(ledger.params, ' params').replace('  ', ' ')}"
        f"{frozen if ledger.frozen_params else ''},"
        f" {measured(ledger.macs, 'MACs')}, {measured(ledger.flops, 'FLOPs')}"
    )


def peak(ledger: Ledger) -> str:
    """The peak memory, rounded and exact."""
    exact = f"{ledger.peak_memory:,} bytes"
    return exact if ledger.peak_memory < 1000 else f"{measured(ledger.peak_memory, 'B')} ({exact})"


def missing(ledger: Ledger) -> str:
    """What the figures leave out, or "" if nothing."""
    if not ledger.unsupported:
        return ""
    names = ", ".join(f"{name} (x{times})" for name, times in ledger.unsupported.items())
    return f"UNSUPPORTED: no rule for {names}. The figures leave out the arithmetic of these."


def _remarks(ledger: Ledger, units: Iterable[Unit], width: int) -> list[str]:
    remarks = [f"peak memory of activations: {peak(ledger)}"]
    if ledger.buffers:
        remarks.append(f"buffers: {ledger.buffers:,} elements")
    prefixes = dict.fromkeys(f"[{unit.prefix}]" for unit in units if unit.power)
    if prefixes:
        remarks.append(f"columns in {', '.join(prefixes)}: rounded up or down so that they add up")
    return [*textwrap.wrap(missing(ledger), width), *remarks]


@dataclass(frozen=True)
class _Column:
    heading: tuple[str, str, str]
    cells: list[str]
    left: bool = False
    gap: str = GAP

    @property
    def width(self) -> int:
        return max(len(text) for text in (*self.heading, *self.cells))

    def place(self, text: str) -> str:
        return self.gap + (text.ljust(self.width) if self.left else text.rjust(self.width))


def _units(
    root: Line, metrics: Sequence[str], by: str, percent: bool, width: int | None
) -> dict[str, Unit]:
    """Exact digits; while the table is too wide, columns from the last on get coarser units."""
    units = {metric: Unit() for metric in metrics}
    if width is None:
        return units
    for metric in reversed(metrics):
        columns = _columns(root, units, by, percent)
        if sum(column.width + len(column.gap) for column in columns) <= width:
            break
        units[metric] = unit_for(value_of(root.totals, metric))
    return units


def _columns(root: Line, units: Mapping[str, Unit], by: str, percent: bool) -> list[_Column]:
    """The columns; the last cell of each is the total."""
    lines = [*root.below(), root]
    labels = [INDENT * (line.depth - 1) + line.label for line in lines[:-1]]
    columns = [_Column(("", by, ""), [*labels, "total"], left=True, gap="")]
    outputs = [line.output_text for line in lines]
    if any(outputs):
        columns.append(_Column(("", "output", ""), outputs, left=True))
    for metric, unit in units.items():
        values = {id(line): value_of(line.totals, metric) for line in lines}
        steps = _steps(root, metric, *unit.step)
        top, bottom = HEADINGS.get(metric, ("", metric))
        heading = (top, bottom, f"[{unit.prefix}]" if unit.power else "")
        cells = [unit.text(steps[id(line)], values[id(line)]) for line in lines]
        columns.append(_Column(heading, cells))
        total = values[id(root)]
        if percent and metric in SHARED and total:
            share = Unit(decimals=1)
            steps = _steps(root, metric, total, 1000)
            cells = [share.text(steps[id(line)], values[id(line)]) for line in lines]
            columns.append(_Column(("", "%", ""), cells, gap=" "))
    return columns


def _steps(root: Line, metric: str, numerator: int, denominator: int) -> dict[int, int]:
    """A metric of every line, rounded to steps so that children add up to their parent."""
    steps = {id(root): rounded(value_of(root.totals, metric), numerator, denominator)}
    for line in (root, *root.below()):
        values = [value_of(child.totals, metric) for child in line.children]
        if values:
            parts = apportion(steps[id(line)], values, numerator, denominator)
            steps.update(zip(map(id, line.children), parts, strict=True))
    return steps


def _draw(columns: Sequence[_Column]) -> list[str]:
    def row(texts: Sequence[str]) -> str:
        return "".join(map(_Column.place, columns, texts)).rstrip()

    headings = [row([column.heading[place] for column in columns]) for place in range(3)]
    body = [row(cells) for cells in zip(*(column.cells for column in columns), strict=True)]
    rule = "-" * max(map(len, (*headings, *body)))
    return [*filter(None, headings), rule, *body[:-1], rule, body[-1]]
