"""`netledger compare`: the conventions of a model, and why two differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MACS = 256 * 27


def test_all_conventions(run: Callable[..., Any], folder: Path) -> None:
    result = run("compare", "graphs.py:network")
    assert (result.code, result.err) == (0, "")
    lines = {line.split()[0]: line for line in result.out.splitlines() if line}
    assert result.out.startswith("graphs.py:network\n")
    assert f"{MACS:,}" in lines["macs"]
    assert {"textbook", "fvcore", "thop@0.0.31", "ptflops@0.7.5"} <= set(lines)


def test_two_conventions(run: Callable[..., Any], folder: Path) -> None:
    result = run("compare", "graphs.py:network", "xautodl", "macs")
    assert result.out.endswith(
        "graphs.py:network, xautodl against macs: 7,168 - 6,912 = +256\n"
        "  conv2d (1 layer): multiply-accumulates, and 1 per output element for the bias instead "
        "of multiply-accumulates: +256\n"
        "  nothing else\n"
    )


def test_json(run: Callable[..., Any], folder: Path) -> None:
    found = json.loads(run("compare", "graphs.py:network", "xautodl", "macs", "--json").out)
    assert found["figures"] == {"xautodl": 7168, "macs": 6912}
    (difference,) = found["differences"]
    assert difference["total"] == sum(cause["difference"] for cause in difference["causes"]) == 256


def test_unknown_convention(run: Callable[..., Any], folder: Path) -> None:
    result = run("compare", "graphs.py:network", "papers")
    assert result.code == 1
    assert "unknown convention 'papers'; there are textbook, macs" in result.err


def test_a_metric_in_a_convention(run: Callable[..., Any], folder: Path) -> None:
    options = ("--metric", "flops@xautodl", "--metric", "macs@thop@0.1.1")
    assert run("count", "graphs.py:network", *options).out == "7168\n6912\n"
    unknown = run("count", "graphs.py:network", "--metric", "acts@thop")
    assert unknown.code == 2
    assert "convention 'thop@0.1.1' does not define 'acts'" in unknown.err
