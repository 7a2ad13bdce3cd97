"""The HTML report: one page, escaped, with the numbers of the ledger."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from netledger.ledger import Ledger

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Checks that tags are closed in order; keeps tags, attributes and the text of each row."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)
        if "row" in (found.get("class") or "").split():
            self.rows.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.rows and "span" in self.open:
            self.rows[-1].append(data)


def total_rows(text: str) -> list[list[str]]:
    return [row for row in Reader(text).rows if row[0] == "total"]


def test_numbers_are_those_of_the_ledger(small: Ledger) -> None:
    metrics = ("params", "macs", "flops", "activations", "memory_access")
    expected = ["total", *(f"{small.total(metric):,}" for metric in metrics)]
    assert total_rows(small.to_html()) == [expected, expected]


def test_every_module_and_op_has_a_row(small: Ledger) -> None:
    names = ["".join(row) for row in Reader(small.to_html()).rows]
    for start in ("stem Sequential", "1 BatchNorm2d", "0 Block (x2)", "conv2d (x3)", "head Linear"):
        assert any(name.startswith(start) for name in names), start


def test_the_page_needs_nothing_else(small: Ledger, tmp_path: Path) -> None:
    small.to_html(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text == small.to_html()
    assert text.startswith("<!DOCTYPE html>")
    tags = Reader(text).tags
    assert {tag for tag, _ in tags}.isdisjoint({"script", "link", "img", "iframe"})
    assert not any({"src", "href", "onclick"} & set(attributes) for _, attributes in tags)
    assert "url(" not in text


def test_shares_are_of_the_total(small: Ledger) -> None:
    shares = re.findall(r'title="([\d.]+)%"', small.to_html())
    assert f"{100 * (256 * 27) / small.macs:.1f}" in shares


def test_everything_is_escaped(incomplete: Ledger) -> None:
    text = incomplete.to_html()
    assert "<one>" not in text
    assert "<incomplete>" not in text
    assert "aten.&lt;one&gt;.default" in text
    assert "&lt;incomplete&gt; &amp; co" in text


def test_what_is_missing_is_said(incomplete: Ledger, small: Ledger) -> None:
    assert "UNSUPPORTED: no rule for aten.&lt;one&gt;.default (x2)" in incomplete.to_html()
    assert "UNSUPPORTED" not in small.to_html()


def test_a_notebook_gets_the_same_without_the_page(small: Ledger) -> None:
    text = small._repr_html_()
    assert "<html" not in text
    assert total_rows(text) == total_rows(small.to_html())
    for rule in re.findall(r"^([^{}\n]+)\{", text, re.MULTILINE):
        assert rule.startswith(".netledger"), rule
