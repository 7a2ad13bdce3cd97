"""A folder with models in it, and the command line run in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from netledger.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GRAPHS = '''
"""Graphs, and things that are none."""
import netledger as nl


def network():
    graph = nl.Graph()
    x = graph.input(1, 3, 8, 8)
    graph.output(nl.conv2d(x, out_channels=4, kernel_size=3, padding=1))
    return graph


def counted():
    return network().count()


def refused():
    graph = nl.Graph()
    nl.conv2d(graph.input(1, 3, 8, 8), out_channels=4, kernel_size=9)


def broken():
    return {}["missing"]


def with_arguments(width, depth=3):
    return network()


def number():
    return 3


constant = 3
instance = network()
'''

MODULES = '''
"""Torch modules."""
import torch
from torch import nn


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 8)

    def forward(self, ids, mask=None):
        x = self.embedding(ids)
        return x if mask is None else x * mask


class Masked(Classifier):
    def forward(self, ids, mask):
        return super().forward(ids, None if bool(mask.all()) else mask)


def stored():
    """Cannot be built on the meta device: it looks at a value."""
    module = network()
    assert float(module[0].weight.detach().abs().sum()) > 0
    return module


instance = network()
'''


@dataclass
class Result:
    """What a run of the command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with graphs.py and modules.py."""
    (tmp_path / "graphs.py").write_text(GRAPHS, encoding="utf-8")
    (tmp_path / "modules.py").write_text(MODULES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path
