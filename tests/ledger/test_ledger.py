"""The rows and sums of a ledger."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from netledger._implementation import Engine
from netledger._results import COLUMNS
from netledger.errors import NetledgerError
from netledger.ledger import METRICS, Ledger

if TYPE_CHECKING:
    from pathlib import Path

CONV_PARAMS = 4 * 3 * 9 + 4
BLOCK_PARAMS = 4 * 4 * 9
HEAD_PARAMS = 256 * 10 + 10


class TestTotals:
    def test_each_parameter_is_counted_once(self, small: Ledger) -> None:
        assert small.params == CONV_PARAMS + 2 * 4 + BLOCK_PARAMS + HEAD_PARAMS == 2834
        assert small.frozen_params == 2560
        assert small.trainable_params == 274
        assert small.buffers == 2 * 4 + 1

    def test_arithmetic(self, small: Ledger) -> None:
        conv, block, head = 256 * 27, 256 * 36, 2560
        assert small.macs == conv + 2 * block + head == 27_904
        arithmetic = 256 * (2 * 27 - 1 + 1) + 2 * 256 + 256 + 2 * (256 * (2 * 36 - 1) + 256)
        assert small.flops == arithmetic + 10 * (2 * 256 - 1 + 1) == 56_576
        assert small.activations == 3 * 256 + 10

    def test_every_column_is_the_sum_of_the_rows(self, small: Ledger) -> None:
        for column in COLUMNS:
            assert small.total(column) == sum(getattr(row, column) for row in small), column

    def test_totals_are_python_integers_of_any_size(self) -> None:
        engine = Engine()
        for _ in range(4):
            engine.add("opaque", [], {"shapes": (), "flops": 2**62})
        ledger = Ledger(engine, engine.count())
        assert ledger.flops == 2**64
        assert ledger.by_op()["opaque"]["flops"] == ledger.by_module()[""]["flops"] == 2**64
        assert json.loads(ledger.to_json())["totals"]["flops"] == 2**64
        assert type(ledger.rows[0].flops) is int

    def test_peak_memory_is_not_a_column(self, small: Ledger) -> None:
        assert small.total("peak_memory") == small.peak_memory > 0
        assert "peak_memory" not in small.by_module()[""]

    def test_unknown_metric(self, small: Ledger) -> None:
        with pytest.raises(NetledgerError, match="unknown metric 'mac'; the metrics are params, "):
            small.total("mac")

    def test_nothing_is_read_of_the_graph_before_rows_are_asked_for(self, small: Ledger) -> None:
        class Sealed:
            def __len__(self) -> int:
                return 7

            def __getattr__(self, name: str) -> object:
                raise AssertionError(name)

        ledger = Ledger(Sealed(), small._counts)  # type: ignore[arg-type]
        assert ledger.macs == small.macs
        assert repr(ledger) == "<Ledger of 7 rows: params=2834, macs=27904, flops=56576>"
        with pytest.raises(AssertionError, match="shape"):
            _ = ledger.rows


class TestRows:
    def test_fields(self, small: Ledger) -> None:
        row = small.rows[5]
        assert (row.index, row.path, row.name) == (5, "blocks.0.conv", "blocks.0.conv")
        assert (row.module_class, row.op, row.call) == ("Conv2d", "conv2d", 1)
        assert row.input_shapes == row.output_shapes == ((1, 4, 8, 8),)
        assert row.attributes["out_channels"] == 4
        assert row.params == 0
        assert row.macs == 256 * 36
        assert not row.inplace
        assert small.rows[2].inplace

    def test_names(self, small: Ledger) -> None:
        assert [row.name for row in small][-3:] == ["blocks.0", "flatten_7", "head"]

    def test_length_and_iteration(self, small: Ledger) -> None:
        assert len(small) == len(small.rows) == 9
        assert list(small) == list(small.rows)


class TestByModule:
    def test_paths_are_in_order_with_parents_first(self, small: Ledger) -> None:
        assert list(small.by_module()) == [
            "", "stem", "stem.0", "stem.1", "stem.2", "blocks", "blocks.0", "blocks.0.conv", "head",
        ]  # fmt: skip
        assert list(small.by_module(depth=1)) == ["", "stem", "blocks", "head"]
        assert list(small.by_module(depth=0)) == [""]

    def test_a_module_contains_what_is_below_it(self, small: Ledger) -> None:
        sums = small.by_module()
        assert sums["blocks"] == sums["blocks.0"]
        assert sums["blocks"]["params"] == sums["blocks.0.conv"]["params"] == BLOCK_PARAMS
        assert sums["blocks"]["flops"] - sums["blocks.0.conv"]["flops"] == 2 * 256
        assert sums[""] == {column: small.total(column) for column in COLUMNS}

    def test_parts_add_up(self, small: Ledger) -> None:
        sums = small.by_module(depth=1)
        direct = [row for row in small if row.path == ""]
        for column in COLUMNS:
            parts = sum(sums[path][column] for path in ("stem", "blocks", "head"))
            assert parts + sum(getattr(row, column) for row in direct) == small.total(column)

    def test_classes_and_calls(self, small: Ledger) -> None:
        modules = small.modules
        assert modules[""].module_class == small.title == "Net"
        assert (modules["blocks"].module_class, modules["blocks"].calls) == ("", 0)
        assert (modules["blocks.0"].module_class, modules["blocks.0"].calls) == ("Block", 2)
        assert modules["head"].calls == 1

    def test_the_result_is_a_copy(self, small: Ledger) -> None:
        small.by_module()[""]["macs"] = 0
        assert small.by_module()[""]["macs"] == small.macs


class TestByOp:
    def test_costliest_first(self, small: Ledger) -> None:
        sums = small.by_op()
        assert list(sums) == ["conv2d", "linear", "add", "batch_norm", "relu", "flatten"]
        assert {op: total["rows"] for op, total in sums.items()} == {
            "conv2d": 3, "linear": 1, "batch_norm": 1, "add": 2, "relu": 1, "flatten": 1,
        }  # fmt: skip

    def test_adds_up(self, small: Ledger) -> None:
        for column in COLUMNS:
            assert sum(total[column] for total in small.by_op().values()) == small.total(column)


class TestUnsupported:
    def test_names_with_times(self, incomplete: Ledger) -> None:
        assert incomplete.unsupported == {"aten.<one>.default": 2, "aten.two.default": 1}

    def test_a_declared_cost_is_not_missing(self, incomplete: Ledger) -> None:
        assert incomplete.flops == 100
        assert "a kernel of ours" not in incomplete.unsupported

    def test_nothing_missing(self, small: Ledger) -> None:
        assert not small.unsupported


class TestLeaving:
    def test_json_says_what_the_ledger_says(self, small: Ledger, tmp_path: Path) -> None:
        text = small.to_json()
        content = json.loads(text)
        assert content["title"] == "Net"
        assert content["totals"] == {metric: small.total(metric) for metric in METRICS}
        assert content["unsupported"] == {}
        assert [row["macs"] for row in content["rows"]] == [row.macs for row in small]
        assert content["rows"][0]["input_shapes"] == [[1, 3, 8, 8]]
        small.to_json(tmp_path / "ledger.json")
        assert (tmp_path / "ledger.json").read_text(encoding="utf-8") == text

    def test_pandas(self, small: Ledger) -> None:
        pytest.importorskip("pandas")
        frame = small.to_pandas()
        assert list(frame.index) == list(range(9))
        assert int(frame["macs"].sum()) == small.macs
        assert frame.groupby("op")["flops"].sum()["conv2d"] == small.by_op()["conv2d"]["flops"]

    def test_without_pandas(self, small: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(NetledgerError, match="pip install pandas"):
            small.to_pandas()

    def test_title(self, small: Ledger) -> None:
        small.title = "mine"
        assert small.title == small.to_dict()["title"] == "mine"

    def test_an_empty_graph(self) -> None:
        engine = Engine()
        ledger = Ledger(engine, engine.count())
        assert len(ledger) == ledger.flops == 0
        assert list(ledger.by_module()) == [""]
        assert ledger.title == "model"
        assert "model: 0 params, 0 MACs, 0 FLOPs" in str(ledger)
