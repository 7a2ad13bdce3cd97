"""The tables and texts that fvcore prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import nn

from netledger.errors import NetledgerError

__all__ = ["annotated_model", "parameter_rows", "statistics_rows", "table"]

#: Of every module, or parameter, its figures by name of the column.
Statistics = dict[str, dict[str, Any]]

#: Above the first number, in units of the second, with this letter.
_UNITS = ((1e14, 1e15, "P"), (1e11, 1e12, "T"), (1e8, 1e9, "G"), (1e5, 1e6, "M"), (1e2, 1e3, "K"))


def table(rows: list[Any], headers: list[str]) -> str:
    """Rows of text as a table."""
    try:
        import tabulate  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise NetledgerError("fvcore's tables need tabulate: pip install tabulate") from error
    kept, tabulate.PRESERVE_WHITESPACE = tabulate.PRESERVE_WHITESPACE, True
    try:
        return str(tabulate.tabulate(rows, headers=headers, tablefmt="pipe"))
    finally:
        tabulate.PRESERVE_WHITESPACE = kept


def _rounded(number: Any, digits: int) -> str:
    """A figure in a unit that suits it, without zeros at its end."""
    for least, unit, letter in _UNITS:
        if abs(number) > least:
            return f"{number / unit:.{digits}f}".rstrip("0").rstrip(".") + letter
    return str(number)


def _coarse(number: int) -> str:
    """A number of parameters with one digit."""
    for least, unit, letter in _UNITS[2:]:
        if number > least:
            return f"{number / unit:.1f}{letter}"
    return str(number)


def parameter_rows(
    counts: Mapping[str, int], shapes: Mapping[str, tuple[int, ...]], depth: int
) -> list[tuple[str, str]]:
    """The rows of ``parameter_count_table``."""

    def below(level: int, parent: str) -> Iterator[tuple[str, str]]:
        if level >= depth:
            return
        indent = " " * (level + 1)
        for name in children.get(parent, ()):
            if name in shapes:
                yield indent + name, indent + str(shapes[name])
            else:
                yield indent + name, indent + _coarse(counts[name])
                yield from below(level + 1, name)

    children = _children(counts)
    return [("model", _coarse(counts[""])), *below(0, "")]


# -- statistics by module --------------------------------------------------------------------------


def _by_module(columns: Mapping[str, Mapping[str, Any]]) -> Statistics:
    statistics: Statistics = {}
    for column, figures in columns.items():
        for name, figure in figures.items():
            statistics.setdefault(name, {})[column] = figure
    return statistics


def _children(names: Iterable[str]) -> dict[str, list[str]]:
    """The names directly below each name, in their order."""
    below: dict[str, list[str]] = {}
    for name in names:
        if name:
            below.setdefault(name.rpartition(".")[0], []).append(name)
    return below


def _without_zeros(
    statistics: Statistics, kept: frozenset[str], *, with_parents: bool
) -> Statistics:
    """Only those that have a figure, children before parents.

    Args:
        statistics: what there is.
        kept: names that stay in any case.
        with_parents: whether a module stays because of what is below it.
    """
    left: Statistics = {}
    children = _children(statistics)

    def keep(name: str) -> None:
        empty = True
        for child in children.get(name, ()):
            keep(child)
            empty = empty and child not in left
        figures = statistics[name]
        if any(figures.values()) or name in kept or (with_parents and not empty):
            left[name] = dict(figures)

    keep("")
    return left


def _spelled(statistics: Statistics, digits: int) -> dict[str, dict[str, str]]:
    return {
        name: {column: _rounded(figure, digits) for column, figure in figures.items()}
        for name, figures in statistics.items()
    }


def statistics_rows(
    columns: Mapping[str, Mapping[str, Any]],
    uncalled: Mapping[str, set[str]],
    shapes: Mapping[str, tuple[int, ...]],
    depth: int,
    *,
    show_shapes: bool,
) -> list[list[str]]:
    """The rows of ``flop_count_table``.

    Args:
        columns: the figures of each column by module; the first holds parameters by name as well.
        uncalled: of each column the modules that were not called.
        shapes: the shapes of the parameters.
        depth: how many levels are shown.
        show_shapes: whether parameters have rows, with their shapes.
    """
    numbers = _without_zeros(_by_module(columns), frozenset({""}), with_parents=True)
    spelled = _spelled(numbers, 3)
    for column, names in uncalled.items():
        for name in names & spelled.keys():
            spelled[name][column] = ""
    first = next(iter(columns))
    for name in shapes.keys() & spelled.keys():
        if show_shapes:
            spelled[name][first] = str(shapes[name])
        else:
            del spelled[name]
    return _indented(spelled, list(columns), depth)


def _indented(
    statistics: dict[str, dict[str, str]], columns: list[str], depth: int
) -> list[list[str]]:
    def row(name: str, figures: dict[str, str], level: int) -> list[str]:
        indent = " " * level
        cells = [indent + figures[column] if column in figures else "" for column in columns]
        return [indent + name, *cells]

    def below(level: int, parent: str) -> Iterator[list[str]]:
        if level > depth:
            return
        for name in children.get(parent, ()):
            last, figures = _merged(name, statistics, children)
            yield row(last.removeprefix(root), figures, level)
            yield from below(level + 1, last)

    children = _children(statistics)
    top, figures = _merged("", statistics, children)
    root = f"{top}." if top else ""
    return [row(top or "model", figures, 0), *below(1, top)]


def _merged(
    name: str, statistics: dict[str, dict[str, str]], children: dict[str, list[str]]
) -> tuple[str, dict[str, str]]:
    """A module and its only child in one row, as long as their figures do not differ."""
    while True:
        figures = statistics[name]
        below = children.get(name, [])
        if len(below) != 1:
            return name, figures
        child = statistics[below[0]]
        if child.keys() != figures.keys():
            return name, figures
        if any(
            figure and child[column] and figure != child[column]
            for column, figure in figures.items()
        ):
            return name, figures
        both = {column: figure or child[column] for column, figure in figures.items()}
        name = below[0]
        statistics[name] = both


# -- the model's text ------------------------------------------------------------------------------


def annotated_model(
    model: nn.Module,
    columns: Mapping[str, Mapping[str, Any]],
    uncalled: Mapping[str, set[str]],
) -> str:
    """The text of ``flop_count_str``: the model as it prints itself, with figures."""
    names = [name for name, _ in model.named_modules()]
    filled = {
        column: {**figures, **{name: 0 for name in names if name not in figures}}
        for column, figures in columns.items()
    }
    anywhere = frozenset().union(*uncalled.values())
    numbers = _without_zeros(_by_module(filled), anywhere or frozenset({""}), with_parents=False)
    spelled = _spelled(numbers, 2)
    for column, found in uncalled.items():
        for name in found:
            spelled.setdefault(name, {})[column] = "N/A"
    note = (
        "N/A indicates a possibly missing statistic due to how the module was called. Missing "
        "values are still included in the parent's total.\n"
        if anywhere
        else ""
    )
    return note + _annotated(model, "", spelled)


def _annotated(module: nn.Module, name: str, statistics: dict[str, dict[str, str]]) -> str:
    lines = module.extra_repr().split("\n") if module.extra_repr() else []
    figures = ", ".join(f"{column}: {text}" for column, text in statistics.get(name, {}).items())
    if figures:
        lines.append(figures)
    children = []
    for key, child in module._modules.items():
        if child is None:
            continue
        text = _annotated(child, f"{name}.{key}" if name else key, statistics)
        children.append(f"({key}): " + text.replace("\n", "\n  "))
    title = str(module._get_name())  # type: ignore[no-untyped-call]
    if not lines and not children:
        return f"{title}()"
    if len(lines) == 1 and not children:
        return f"{title}({lines[0]})"
    return f"{title}(\n  " + "\n  ".join([*lines, *children]) + "\n)"
