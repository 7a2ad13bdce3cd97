"""The lines of a report: modules, and the operations in a module's own forward."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netledger._results import COLUMNS
from netledger.ledger import Ledger, Row, Shape, depth_of, is_unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


NO_RULE = "(no rule)"


@dataclass
class Line:
    """One line: a module, or the operations of one kind in a module's own forward.

    Attributes:
        name: name of the module in its parent, or of the operation if it has one of its own.
        kind: class of the module, or the op.
        note: what else to say: calls of a shared module, modules never called.
        depth: how far below the model.
        output: shape of the one output, if all the calls have the same.
        totals: the sums over everything that the line stands for.
        children: lines that add up to this one; none if it is not broken down.
    """

    name: str
    kind: str
    note: str
    depth: int
    output: Shape | None
    totals: dict[str, int]
    children: list[Line] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Name, kind and note, those that are there."""
        return " ".join(part for part in (self.name, self.kind, self.note) if part)

    @property
    def output_text(self) -> str:
        """The shape as ``1x64x56x56``, "" if there is none to show."""
        if self.output is None:
            return ""
        return "x".join(map(str, self.output)) or "scalar"

    def below(self) -> Iterator[Line]:
        """Every line below this one, a parent before its children."""
        for child in self.children:
            yield child
            yield from child.below()


def tree(ledger: Ledger, depth: int | None, metrics: Sequence[str]) -> Line:
    """The model as lines, down to a depth.

    Operations that cost nothing in any of the metrics (views of a tensor) get no line of their own.
    """
    rows: dict[str, list[Row]] = {path: [] for path in ledger.modules}
    for row in ledger.rows:
        rows[row.path].append(row)
    children: dict[str, list[str]] = {path: [] for path in ledger.modules}
    for path in ledger.modules:
        if path:
            children[path.rpartition(".")[0]].append(path)
    flat = len(ledger.modules) == 1
    start = _first_rows(ledger.rows)
    lacking = _first_rows(filter(is_unsupported, ledger.rows))

    def line(path: str) -> Line:
        module = ledger.modules[path]
        made = Line(
            name=path.rpartition(".")[2],
            kind=module.module_class,
            note=_module_note(module.calls, rows[path]),
            depth=depth_of(path),
            output=None if children[path] else _common_output(rows[path]),
            totals=module.totals,
        )
        if depth is None or made.depth < depth:
            places = [(start[child], line(child)) for child in children[path]]
            groups = list(_groups(rows[path], collect=not flat))
            visible = [
                (group[0].index, _operation(group, made.depth + 1))
                for group in groups
                if _is_visible(group, metrics)
            ]
            if places or len(visible) > 1 or path == "":
                places += visible
                made.children = [child for _, child in sorted(places, key=lambda item: item[0])]
        if not made.children and path in lacking:
            made.note = f"{made.note} {NO_RULE}".strip()
        return made

    return line("")


def operations(ledger: Ledger) -> Line:
    """The model as one line for each kind of layer, the costliest first."""
    root = Line("", "", "", 0, None, ledger.modules[""].totals)
    for op, totals in ledger.by_op().items():
        note = f"(x{totals['rows']})" if totals["rows"] > 1 else ""
        root.children.append(Line("", op, note, 1, None, totals))
    return root


def _first_rows(rows: Iterable[Row]) -> dict[str, int]:
    """The index of the first of the rows at or below each module that has any."""
    first: dict[str, int] = {}
    for row in rows:
        path = row.path
        while path not in first:
            first[path] = row.index
            path = path.rpartition(".")[0]
    return first


def _groups(rows: Iterable[Row], *, collect: bool) -> Iterable[list[Row]]:
    """The rows in a module's own forward, those of one kind and name together if so wished."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        key = (row.op, _declared_label(row), _own_name(row), None if collect else row.index)
        groups.setdefault(key, []).append(row)
    return groups.values()


def _is_visible(group: Sequence[Row], metrics: Sequence[str]) -> bool:
    return any(
        is_unsupported(row) or any(value_of(row_totals(row), metric) for metric in metrics)
        for row in group
    )


def _operation(group: Sequence[Row], depth: int) -> Line:
    first = group[0]
    notes = [f"(x{len(group)})"] if len(group) > 1 else []
    notes += [NO_RULE] if is_unsupported(first) else []
    return Line(
        name=_own_name(first),
        kind=_declared_label(first) or first.op,
        note=" ".join(notes),
        depth=depth,
        output=_common_output(group),
        totals={column: sum(getattr(row, column) for row in group) for column in COLUMNS},
    )


def _declared_label(row: Row) -> str:
    return str(row.attributes["label"]) if row.op == "opaque" else ""


def _own_name(row: Row) -> str:
    """The name that the row was given, "" if it is only that of its module or op."""
    return "" if row.name in (row.path, f"{row.op}_{row.index}") else row.name


def _module_note(calls: int, rows: Sequence[Row]) -> str:
    if rows and all(row.op == "uncalled" for row in rows):
        return "(never called)"
    return f"(x{calls})" if calls > 1 else ""


def _common_output(rows: Sequence[Row]) -> Shape | None:
    """The shape of the one output, if the rows are of one kind and all have the same."""
    kinds = {(row.op, row.output_shapes) for row in rows}
    if len(kinds) != 1:
        return None
    ((_, outputs),) = kinds
    return outputs[0] if len(outputs) == 1 else None


def row_totals(row: Row) -> dict[str, int]:
    """The counts of one row by column."""
    return {column: getattr(row, column) for column in COLUMNS}


def value_of(totals: dict[str, int], metric: str) -> int:
    """A metric of a module or an op, from its columns."""
    if metric == "frozen_params":
        return totals["params"] - totals["trainable_params"]
    return totals[metric]
