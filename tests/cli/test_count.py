"""`netledger count` on graphs: what it prints and writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MACS = 256 * 27


def test_table(run: Callable[..., Any], folder: Path) -> None:
    result = run("count", "graphs.py:network")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("graphs.py:network: 112 params, 6.91 KMACs, 13.82 KFLOPs\n")
    assert f"{MACS:,}" in result.out


@pytest.mark.parametrize("name", ["network", "counted", "instance"])
def test_graphs_and_ledgers(run: Callable[..., Any], folder: Path, name: str) -> None:
    assert run("count", f"graphs.py:{name}", "--metric", "macs").out == f"{MACS}\n"


def test_metrics_come_one_per_line(run: Callable[..., Any], folder: Path) -> None:
    metrics = ("params", "peak_memory", "frozen_params")
    options = [part for metric in metrics for part in ("--metric", metric)]
    # 3 and 4 channels of 64 pixels are alive together, 4 bytes each.
    assert run("count", "graphs.py:network", *options).out == f"112\n{7 * 64 * 4}\n0\n"


def test_json_on_the_terminal(run: Callable[..., Any], folder: Path) -> None:
    content = json.loads(run("count", "graphs.py:network", "--json").out)
    assert content["totals"]["macs"] == MACS
    assert content["title"] == "graphs.py:network"


def test_files(run: Callable[..., Any], folder: Path) -> None:
    result = run("count", "graphs.py:network", "--json", "a.json", "--html", "a.html")
    assert result.code == 0
    assert "total" in result.out
    assert json.loads((folder / "a.json").read_text(encoding="utf-8"))["totals"]["macs"] == MACS
    assert f"{MACS:,}" in (folder / "a.html").read_text(encoding="utf-8")


def test_by_op(run: Callable[..., Any], folder: Path) -> None:
    assert "\nop " in run("count", "graphs.py:network", "--by-op").out


def test_depth(run: Callable[..., Any], folder: Path) -> None:
    assert "conv2d" not in run("count", "graphs.py:network", "--depth", "0").out
    for depth in ("1", "all"):
        assert "conv2d" in run("count", "graphs.py:network", "--depth", depth).out


def test_a_module_of_a_package(run: Callable[..., Any], folder: Path) -> None:
    package = folder / "a_package_of_models"
    package.mkdir()
    (package / "__init__.py").touch()
    (folder / "graphs.py").rename(package / "inner.py")
    assert run("count", "a_package_of_models.inner:network", "--metric", "macs").out == f"{MACS}\n"
    result = run("count", "a_package_of_models.iner:network")
    assert (
        "no module 'a_package_of_models.iner'; did you mean a_package_of_models.inner?"
        in result.err
    )


def test_as_a_module_of_python_into_a_closed_pipe(folder: Path) -> None:
    command = [sys.executable, "-m", "netledger", "count", "graphs.py:network"]
    whole = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "total" in whole.stdout
    reader, writer = os.pipe()
    os.close(reader)
    closed = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (closed.returncode, closed.stderr) == (0, "")


@pytest.mark.usefixtures("folder")
class TestErrors:
    """One line on stderr, nothing on stdout, 2 for usage and targets, 1 for counting."""

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("count", "the following arguments are required: TARGET"),
            ("count graphs.py:network --metric mac", "argument --metric: 'mac' is none of params"),
            (
                "count graphs.py:network --input 1,x",
                "'1,x' is not a shape; write sizes as 1,3,224,",
            ),
            ("count graphs.py:network --input a=", "'a=' is not a shape"),
            ("count graphs.py:network --input=-1,3", "is not a shape"),
            (
                "count graphs.py:network --depth deep",
                "'deep' is neither a number of levels nor 'all'",
            ),
            ("count graphs.py:network --metric macs --json", "--json and --metric both print"),
            (
                "count graphs.py:network --json no/such/folder",
                "cannot write no/such/folder: No such",
            ),
            (
                "count graphs.py:network --input 1,3",
                "graphs.py:network is a graph with inputs of its",
            ),
            ("count graphs", "'graphs' is not a target; a target is file.py:factory, package."),
            ("count :network", "':network' is not a target"),
            ("count graphs.py", "write graphs.py:NAME, with one of: network, counted, "),
            ("count graph.py:network", "there is no file 'graph.py'; did you mean graphs.py?"),
            ("count nowhere.py", "there is no file 'nowhere.py'; there are: graphs.py, modules.py"),
            ("count graphs.py:netwrk", "'graphs.py' has no 'netwrk'; did you mean network?"),
            (
                "count graphs.py:zzz",
                "'graphs.py' has no 'zzz'; there are: broken, counted, instance",
            ),
            ("count graphs.py:constant", "'graphs.py:constant' is of type int; a target names"),
            ("count graphs.py:number", "'graphs.py:number' returned of type int"),
            (
                "count graphs.py:broken",
                "cannot build graphs.py:broken: KeyError: 'missing' (graphs.py",
            ),
            (
                "count graphs.py:with_arguments",
                "without arguments (missing a required argument: 'wid",
            ),
            ("count no_such_module_at_all:f", "there is no module 'no_such_module_at_all'; "),
            (
                "count netledger.ledgr:f",
                "no module 'netledger.ledgr'; did you mean netledger.ledger",
            ),
            ("cuont graphs.py:network", "invalid choice: 'cuont'"),
        ],
    )
    def test_usage(self, run: Callable[..., Any], arguments: str, message: str) -> None:
        result = run(*arguments.split())
        assert result.code == 2
        assert result.out == ""
        assert result.err.startswith("netledger: error: ")
        assert result.err.count("\n") == 1
        assert message in result.err

    def test_a_layer_that_is_refused(self, run: Callable[..., Any]) -> None:
        result = run("count", "graphs.py:refused")
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("netledger: error: layer ")
        assert "(1, 3, 8, 8)" in result.err
        assert result.err.count("\n") == 1

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "import no_such_thing",
                "ModuleNotFoundError: No module named 'no_such_thing' (bad.py, line 1",
            ),
            ("x = 1\nx.y()", "AttributeError: 'int' object has no attribute 'y' (bad.py, line 2)"),
            ("def f(:", "SyntaxError: invalid syntax (bad.py, line 1)"),
            ("raise SystemExit(3)", "SystemExit: 3 (bad.py, line 1)"),
        ],
    )
    def test_a_file_that_does_not_run(
        self, run: Callable[..., Any], folder: Path, text: str, message: str
    ) -> None:
        (folder / "bad.py").write_text(text, encoding="utf-8")
        result = run("count", "bad.py:f")
        assert result.code == 2
        assert message in result.err
        assert result.err.count("\n") == 1

    def test_no_command(self, run: Callable[..., Any]) -> None:
        result = run()
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("usage: netledger")
