"""`netledger count` on the user's own torch modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import netledger as nl
from netledger._targets import resolve

torch = pytest.importorskip("torch")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MACS = 256 * 27
MYSTERIOUS = """
import torch

@torch.library.custom_op("netledger_tests::mystery", mutates_args=())
def mystery(x: torch.Tensor) -> torch.Tensor:
    return x.clone()

@mystery.register_fake
def _(x):
    return torch.empty_like(x)

class Mysterious(torch.nn.Module):
    def forward(self, x):
        return mystery(mystery(x) + 1)
"""


def device_of(module: object) -> str:
    return str(next(module.parameters()).device)  # type: ignore[attr-defined]


@pytest.mark.usefixtures("folder")
class TestOwnModules:
    @pytest.mark.parametrize("name", ["network", "instance", "stored"])
    def test_count(self, run: Callable[..., Any], name: str) -> None:
        options = ("--input", "1,3,8,8", "--metric", "macs")
        result = run("count", f"modules.py:{name}", *options)
        assert (result.code, result.out, result.err) == (0, f"{MACS}\n", "")

    def test_title_says_the_inputs(self, run: Callable[..., Any]) -> None:
        out = run("count", "modules.py:network", "--input", "2x3x8x8").out
        assert out.startswith("modules.py:network on 2x3x8x8: 112 params, ")

    def test_dtypes_and_names(self, run: Callable[..., Any]) -> None:
        # 5 rows of 8; the mask multiplies each of their elements.
        metric = ("--metric", "flops")
        inputs = ("--input", "1,5:int64", "--input", "mask=1,5,1")
        assert run("count", "modules.py:Classifier", *inputs, *metric).out == "40\n"
        assert (
            run("count", "modules.py:Classifier", "--input", "ids=1,5:int64", *metric).out == "0\n"
        )

    def test_values(self, run: Callable[..., Any]) -> None:
        def masked(mask: str) -> Any:
            inputs = ("--input", "1,5:int64", "--input", mask)
            return run("count", "modules.py:Masked", *inputs, "--metric", "flops")

        # Looking at the mask takes 4 operations, using it 40.
        assert masked("mask=1,5,1:bool:ones").out == "4\n"
        assert masked("mask=1,5,1:bool:zeros").out == "44\n"
        assert masked("1,5,1:zeros").out == "44\n"
        unknown = masked("mask=1,5,1:bool")
        assert unknown.code == 1
        assert "values" in unknown.err
        assert masked("mask=1,5,1:bol:ones").err == "netledger: error: torch has no dtype 'bol'\n"

    @pytest.mark.filterwarnings("default")
    def test_operations_without_a_rule(self, run: Callable[..., Any], folder: Path) -> None:
        (folder / "mysterious.py").write_text(MYSTERIOUS, encoding="utf-8")
        result = run("count", "mysterious.py:Mysterious", "--input", "2,4")
        assert result.code == 0
        assert "UNSUPPORTED: no rule for netledger_tests::mystery (x2)." in result.out
        assert result.err.startswith("netledger: warning: no rule for netledger_tests::mystery ")
        assert result.err.count("\n") == 1

    def test_built_on_the_meta_device_where_that_works(self) -> None:
        assert device_of(resolve("modules.py:network").build(meta=True)) == "meta"
        assert device_of(resolve("modules.py:network").build(meta=False)) == "cpu"
        assert device_of(resolve("modules.py:instance").build(meta=True)) == "cpu"
        with pytest.raises(nl.TargetError, match=r"cannot build modules\.py:stored: "):
            resolve("modules.py:stored").build(meta=True)

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (
                "count modules.py:network",
                2,
                "say what modules.py:network is called with, as --input",
            ),
            ("count modules.py:network --input 1,3,8,8:float33", 1, "float33"),
            ("count modules.py:network --input 1,4,8,8", 1, "(1, 4, 8, 8)"),
            ("count modules.py:network --input 1,3,8,8 --input 1", 1, "netledger: error: "),
        ],
    )
    def test_errors(self, run: Callable[..., Any], arguments: str, code: int, message: str) -> None:
        result = run(*arguments.split())
        assert (result.code, result.out) == (code, "")
        assert message in result.err
        assert result.err.count("\n") == 1
