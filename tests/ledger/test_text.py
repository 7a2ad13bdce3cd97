"""The printed table: what it shows, and that what it shows adds up."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netledger._implementation import Engine
from netledger.errors import NetledgerError
from netledger.ledger import Ledger
from netledger.report.tree import Line, tree

GOLDEN = Path(__file__).parent / "golden"


def body(text: str) -> tuple[list[str], list[str], str]:
    """Headings, lines and the totals of a printed table."""
    lines = text.splitlines()
    rules = [place for place, line in enumerate(lines) if line and set(line) == {"-"}]
    return (
        lines[lines.index("") + 1 : rules[0]],
        lines[rules[0] + 1 : rules[1]],
        lines[rules[1] + 1],
    )


def figures(line: str, columns: int) -> list[Fraction]:
    """The last entries of a line as exact numbers; what is printed as "-" is 0."""
    return [
        Fraction(0 if cell == "-" else cell.replace(",", "")) for cell in line.split()[-columns:]
    ]


def depth(line: str) -> int:
    return (len(line) - len(line.lstrip())) // 2


def check_sums(text: str, columns: int) -> None:
    """Every column: the totals are the sum of the top lines, and every line that of those below."""
    _, lines, total = body(text)
    parents: list[tuple[int, list[Fraction], list[list[Fraction]]]] = []
    stack = [(-1, figures(total, columns), [])]
    parents.append(stack[0])
    for line in lines:
        while stack[-1][0] >= depth(line):
            stack.pop()
        own = figures(line, columns)
        stack[-1][2].append(own)
        stack.append((depth(line), own, []))
        parents.append(stack[-1])
    for _, own, parts in parents:
        if parts:
            assert [sum(column) for column in zip(*parts, strict=True)] == own


class TestGolden:
    """Set NETLEDGER_OVERWRITE_GOLDEN=1 to write the files anew; the sums are checked either way."""

    @pytest.mark.parametrize(
        ("name", "options", "columns"),
        [
            ("small", {}, 6),
            ("small_depth_1", {"depth": 1}, 6),
            ("large_narrow", {"width": 70}, 6),
            (
                "small_by_op",
                {"by": "op", "metrics": ("params", "outputs", "memory_access_bytes")},
                4,
            ),
            ("incomplete", {}, 3),
        ],
    )
    def test_table(
        self,
        request: pytest.FixtureRequest,
        name: str,
        options: dict[str, object],
        columns: int,
    ) -> None:
        ledger: Ledger = request.getfixturevalue(name.split("_", maxsplit=1)[0])
        text = ledger.table(**options) + "\n"  # type: ignore[arg-type]
        check_sums(text, columns)
        file = GOLDEN / f"{name}.txt"
        if os.environ.get("NETLEDGER_OVERWRITE_GOLDEN"):
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")


class TestContent:
    def test_str_is_the_table(self, small: Ledger) -> None:
        assert str(small) == small.table()

    def test_summary(self, small: Ledger) -> None:
        assert str(small).startswith(
            "Net: 2.83 K params (2.56 K frozen), 27.90 KMACs, 56.58 KFLOPs\n"
        )

    def test_a_long_title_is_wrapped(self, small: Ledger) -> None:
        small.title = "a model of " + ", ".join(["one shape"] * 20)
        assert all(len(line) <= 100 for line in str(small).splitlines())

    def test_shared_modules_are_marked(self, small: Ledger) -> None:
        assert re.search(r"^  0 Block \(x2\)", str(small), re.MULTILINE)
        assert re.search(r"^    add \(x2\) +1x4x8x8 ", str(small), re.MULTILINE)

    def test_views_get_no_line(self, small: Ledger) -> None:
        assert "flatten" not in str(small)
        assert "flatten" in small.table(metrics=["outputs"])

    def test_deeper_modules_are_summed_into_their_parents(self, small: Ledger) -> None:
        assert "conv " not in small.table(depth=2)
        for levels in (0, 1, 2, 3, None):
            table = small.table(depth=levels, units="exact")
            assert " 27,904 " in body(table)[2]
        assert body(small.table(depth=0))[1] == []

    def test_what_is_missing_is_said(self, incomplete: Ledger) -> None:
        assert (
            "UNSUPPORTED: no rule for aten.<one>.default (x2), aten.two.default (x1)."
            in " ".join(str(incomplete).split())
        )
        assert "aten.<one>.default (x2) (no rule)" in str(incomplete)
        assert "auxiliary Linear (never called)" in str(incomplete)

    def test_graphs_without_modules_show_every_layer(self) -> None:
        engine = Engine()
        x = engine.tensor("input", (1, 8))
        for name in ("", "", "last"):
            (x,) = engine.add("linear", [x], {"out_features": 8}, name=name)
        lines = body(str(Ledger(engine, engine.count())))[1]
        assert [line.split("1x8")[0].strip() for line in lines] == [
            "linear",
            "linear",
            "last linear",
        ]

    def test_exact_until_the_table_is_too_wide(self, large: Ledger) -> None:
        wide = large.table(units="exact")
        assert wide == large.table(width=200)
        assert " 648,000,000,000 100.0  1,296,000,000,000  1,920,162,240" in wide
        narrow = large.table(width=80)
        headings, lines, total = body(narrow)
        assert headings[-1].split() == ["[G]", "[M]"]
        assert all(len(line) <= 80 for line in (*headings, *lines, total))
        assert " 648,000,000,000 100.0  1,296.0  1,920.2" in narrow
        assert "columns in [G], [M]: rounded up or down so that they add up" in narrow

    def test_a_module_says_what_is_hidden_in_it(self, incomplete: Ledger) -> None:
        assert "mystery Mystery  " in incomplete.table()
        assert "mystery Mystery (no rule)  " in incomplete.table(depth=1)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"metrics": ["peak_memory"]}, "no column 'peak_memory'; the columns are params, "),
            ({"by": "layer"}, "by must be 'module' or 'op', got 'layer'"),
            ({"units": "M"}, "units must be 'auto' or 'exact', got 'M'"),
            ({"depth": -1}, "depth must not be negative, got -1"),
        ],
    )
    def test_refusals(self, small: Ledger, options: dict[str, object], message: str) -> None:
        with pytest.raises(NetledgerError, match=re.escape(message)):
            small.table(**options)  # type: ignore[arg-type]


# Layers of any cost anywhere in a tree of modules three deep.
layers = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "b", "a.a", "a.b", "b.a", "a.a.a", "a.a.b", "c.c.c"]),
        st.integers(0, 10**12),
        st.integers(0, 10**6),
    ),
    max_size=20,
)


def drawn(costs: list[tuple[str, int, int]]) -> Ledger:
    engine = Engine()
    for place, (path, flops, macs) in enumerate(costs):
        scope = engine.scope(0, path, "Module")
        label = f"op{place % 3}" if flops else ""
        declared = {"shapes": (1, macs), "flops": flops, "macs": macs, "label": label}
        engine.add("opaque", [], declared, scope=scope)
    return Ledger(engine, engine.count())


@given(layers, st.integers(0, 4), st.sampled_from([20, 60, 80, 200]))
def test_printed_columns_add_up(costs: list[tuple[str, int, int]], levels: int, width: int) -> None:
    ledger = drawn(costs)
    metrics = ("outputs", "macs", "flops")
    text = ledger.table(levels, metrics, width=width)
    check_sums(text, 4 if ledger.macs else 3)
    check_sums(ledger.table(levels, metrics, by="op", width=width), 4 if ledger.macs else 3)


@given(layers, st.integers(0, 4))
def test_lines_add_up_exactly(costs: list[tuple[str, int, int]], levels: int) -> None:
    def check(line: Line) -> None:
        if line.children:
            for column, value in line.totals.items():
                assert sum(child.totals[column] for child in line.children) == value
        for child in line.children:
            check(child)

    root = tree(drawn(costs), levels, ("outputs", "macs", "flops", "memory_access"))
    check(root)
    assert all(line.depth <= levels for line in root.below())
