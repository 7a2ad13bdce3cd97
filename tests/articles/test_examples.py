"""Every example runs as a script and from the command line, and those without torch need none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from articles.example_modules import EXAMPLES, example
from netledger.cli import main

WITH_TORCH = {
    "alexnet": ["61,100,840", "61,264,904", "3,707,333,312", "5,713,507,840"],
    "fusion_net": ["19,646,690", "26,726,105,088"],
    "resnet": ["11,689,512", "23,710,883"],
    "unet": ["31,036,481", "48,091,889,664"],
}
WITHOUT_TORCH = {
    "alexnet_graph": ["62,378,344", "1,135,256,096", "895,795,200"],
    "inception": ["163,328", "128,049,152"],
    "layer_formulas": ["462,422,016", "116,006,912"],
    "memory_access": ["3,630,080", "2,826,240"],
    "separable_convolution": ["614,656", "27,328", "281/6400"],
}
SEARCHES = {"budgeted_search", "evolution_search"}
METRICS = ("--metric", "params", "--metric", "macs")

#: (parameters, multiply-accumulates) of what the command line counts.
TARGETS = {
    "alexnet.py:alexnet": ("1,3,224,224", 61_100_840, 714_188_480),
    "alexnet.py:alexnet_without_convolution_bias": ("1,3,224,224", 61_264_904, 861_301_280),
    "fusion_net.py:fusion_net": ("1,6,256,256", 19_646_690, 26_726_105_088),
    "resnet.py:resnet18": ("1,3,224,224", 11_689_512, 1_814_073_344),
    "resnet.py:resnet50": ("1,3,224,224", 25_557_032, 4_089_184_256),
    "unet.py:unet": ("1,1,256,256", 31_036_481, 48_091_889_664),
}
#: The same for graphs, which have their input.
GRAPH_TARGETS = {
    "alexnet_graph.py:alexnet_graph": (62_378_344, 1_135_256_096),
    "inception.py:reduced_module": (163_328, 128_049_152),
    "memory_access.py:bottleneck": (17_408, 54_591_488),
    "separable_convolution.py:separable_convolution": (27_328, 19_665_504),
}

RUN_WITHOUT_TORCH = """
import runpy, sys
sys.modules["torch"] = None  # any import of it fails
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def test_every_example_is_listed() -> None:
    files = {path.stem for path in EXAMPLES.glob("*.py")}
    assert files == WITH_TORCH.keys() | WITHOUT_TORCH.keys() | SEARCHES


def test_evolution_search() -> None:
    script = str(EXAMPLES / "evolution_search.py")
    command = [sys.executable, script, "--generations", "20", "--budget", "250e6"]
    printed = [subprocess.check_output(command, text=True) for _ in range(2)]
    lines = printed[0].splitlines()
    assert lines[:-1] == printed[1].splitlines()[:-1]
    first, _, last = lines[0].split()[1:4]
    assert float(first) < float(last)
    flops = int(lines[2].split()[1].replace(",", ""))
    assert 240_000_000 < flops <= 250_000_000


def test_budgeted_search() -> None:
    script = str(EXAMPLES / "budgeted_search.py")
    command = [sys.executable, script, "--generations", "5"]
    printed = [subprocess.check_output(command, text=True) for _ in range(2)]
    assert printed[0] == printed[1]
    lines = printed[0].splitlines()
    assert lines[0].startswith("5,119,730,450,742 of 21,758,655,492,572,485,851 networks")
    first, _, last = lines[2].split()[1:4]
    assert float(first) < float(last)
    macs = int(lines[4].split()[-1].rstrip("}"))
    assert 195_000_000 <= macs <= 200_000_000
    infeasible = [sys.executable, script, "--low", "1e6", "--high", "2e6"]
    done = subprocess.run(infeasible, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the nearest feasible value is 121,278,672" in done.stderr


@pytest.mark.parametrize("name", WITH_TORCH)
def test_script(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    example(name).main()
    printed = capsys.readouterr().out
    for figure in WITH_TORCH[name]:
        assert figure in printed


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_script_without_torch(name: str) -> None:
    command = [sys.executable, "-c", RUN_WITHOUT_TORCH, str(EXAMPLES / f"{name}.py")]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert completed.returncode == 0, completed.stderr
    for figure in WITHOUT_TORCH[name]:
        assert figure in completed.stdout


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _own_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The command line lets a file import its neighbours; the other tests should not."""
        monkeypatch.setattr(sys, "path", list(sys.path))

    @pytest.mark.parametrize("target", TARGETS)
    def test_module(self, target: str, capsys: pytest.CaptureFixture[str]) -> None:
        pytest.importorskip("torch")
        shape, params, macs = TARGETS[target]
        assert main(["count", str(EXAMPLES / target), "--input", shape, *METRICS]) == 0
        assert capsys.readouterr().out.split() == [str(params), str(macs)]

    @pytest.mark.parametrize("target", GRAPH_TARGETS)
    def test_graph(self, target: str, capsys: pytest.CaptureFixture[str]) -> None:
        params, macs = GRAPH_TARGETS[target]
        assert main(["count", str(EXAMPLES / target), *METRICS]) == 0
        assert capsys.readouterr().out.split() == [str(params), str(macs)]
