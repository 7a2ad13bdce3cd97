"""The report as one HTML page: no script, no other file."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from netledger.report.numbers import measured, rounded
from netledger.report.text import missing, peak, summary
from netledger.report.tree import Line, operations, tree

if TYPE_CHECKING:
    from netledger.ledger import Ledger

METRICS = {
    "params": "params",
    "macs": "MACs",
    "flops": "FLOPs",
    "activations": "activations",
    "memory_access": "memory access",
}
#: Modules this far below the model are open when the page is.
OPEN_DEPTH = 1

STYLE = """
.netledger { --line: rgb(128 128 128 / .3); --bar: rgb(80 150 240 / .45); --warn: #d1401f;
  font: 14px/1.45 system-ui, sans-serif; }
.netledger h1 { font-size: 1.4em; margin: 0 0 .2em; }
.netledger h2 { font-size: 1.1em; margin: 1.6em 0 .4em; }
.netledger .facts { display: flex; flex-wrap: wrap; gap: .6em 2.4em; margin: 1em 0; }
.netledger .facts dt { opacity: .65; font-size: .85em; }
.netledger .facts dd { margin: 0; font-size: 1.2em; }
.netledger .missing { color: var(--warn); border-left: 4px solid; padding: .3em .8em;
  font-weight: 600; }
.netledger .sheet { overflow-x: auto; }
.netledger .row { display: grid; align-items: baseline; border-bottom: 1px solid var(--line);
  grid-template-columns: minmax(18em, 1fr) 10em repeat(5, 10em); min-width: 78em; }
.netledger .row > span { padding: .12em .5em; text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.netledger .row > span:first-child { text-align: left; overflow: hidden; text-overflow: ellipsis;
  padding-left: calc(1.1em * var(--depth) + .3em); }
.netledger .row > span:nth-child(2) { text-align: left; opacity: .65; }
.netledger .share { background: linear-gradient(to left, var(--bar) var(--part), transparent 0)
  no-repeat 0 100% / 100% 35%; }
.netledger .head, .netledger .sum { font-weight: 600; }
.netledger summary { cursor: pointer; list-style: none; }
.netledger summary::-webkit-details-marker { display: none; }
.netledger summary .name::before { content: "\\25B8\\00A0"; opacity: .65; }
.netledger details[open] > summary .name::before { content: "\\25BE\\00A0"; }
.netledger .leaf .name::before { content: "\\2002\\00A0"; }
.netledger .kind { opacity: .65; }
.netledger .note { color: var(--warn); }
""".strip()
PAGE_STYLE = ":root { color-scheme: light dark; }\nbody { margin: 2em; }"


def page(ledger: Ledger) -> str:
    """The whole page."""
    title = escape(ledger.title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{PAGE_STYLE}\n{STYLE}\n</style>\n</head>\n"
        f'<body>\n<div class="netledger">\n{_body(ledger)}\n</div>\n</body>\n</html>\n'
    )


def fragment(ledger: Ledger) -> str:
    """The same inside a page that exists, a notebook's."""
    return f'<div class="netledger">\n<style>\n{STYLE}\n</style>\n{_body(ledger)}\n</div>\n'


def _body(ledger: Ledger) -> str:
    parts = [f"<h1>{escape(ledger.title)}</h1>", f"<p>{escape(summary(ledger))}</p>"]
    if ledger.unsupported:
        parts.append(f'<p class="missing">{escape(missing(ledger))}</p>')
    parts.append(_facts(ledger))
    parts.append("<h2>By module</h2>")
    parts.append(_sheet(tree(ledger, None, tuple(METRICS)), "module"))
    parts.append("<h2>By operation</h2>")
    parts.append(_sheet(operations(ledger), "operation"))
    return "\n".join(parts)


def _facts(ledger: Ledger) -> str:
    facts = [(heading, f"{ledger.total(metric):,}") for metric, heading in METRICS.items()]
    facts.insert(1, ("frozen params", f"{ledger.frozen_params:,}"))
    facts.insert(2, ("buffers", f"{ledger.buffers:,}"))
    facts.append(("memory access in bytes", measured(ledger.memory_access_bytes, "B")))
    facts.append(("peak memory of activations", peak(ledger)))
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<dl class="facts">{items}</dl>'


def _sheet(root: Line, heading: str) -> str:
    """A tree of lines under a heading, the totals below."""
    names = [heading, "output", *METRICS.values()]
    head = "".join(f"<span>{name}</span>" for name in names)
    lines = [f'<div class="row head" style="--depth:0">{head}</div>']
    for line in root.children:
        _write(line, root.totals, lines)
    total = _cells("<span>total</span><span></span>", root, root.totals)
    lines.append(f'<div class="row sum" style="--depth:0">{total}</div>')
    return '<div class="sheet">\n' + "\n".join(lines) + "\n</div>"


def _write(line: Line, totals: dict[str, int], lines: list[str]) -> None:
    name = " ".join(
        f'<span class="{style}">{escape(text)}</span>'
        for style, text in (("word", line.name), ("kind", line.kind), ("note", line.note))
        if text
    )
    cells = _cells(f'<span class="name">{name}</span><span>{line.output_text}</span>', line, totals)
    style = f'style="--depth:{line.depth - 1}"'
    if not line.children:
        lines.append(f'<div class="row leaf" {style}>{cells}</div>')
        return
    opened = " open" if line.depth <= OPEN_DEPTH else ""
    lines.append(f'<details{opened}><summary class="row" {style}>{cells}</summary>')
    for child in line.children:
        _write(child, totals, lines)
    lines.append("</details>")


def _cells(start: str, line: Line, totals: dict[str, int]) -> str:
    """Exact counts, each above a bar for its share of the total."""
    cells = [start]
    for metric in METRICS:
        value, total = line.totals[metric], totals[metric]
        text = f"{value:,}" if value else "-"
        if value and totals is not line.totals:
            tenths = rounded(value, total, 1000)
            share = f"{tenths // 10}.{tenths % 10}%"
            cells.append(
                f'<span class="share" style="--part:{share}" title="{share}">{text}</span>'
            )
        else:
            cells.append(f"<span>{text}</span>")
    return "".join(cells)
