"""Random supernets: every configuration of their spaces against the module that it stands for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl
from netledger import torch as nlt
from netledger._results import COLUMNS

WIDTH = 4
SHAPE = (2, 3, WIDTH)


class Attention(nn.Module):
    def __init__(self, heads: Any) -> None:
        super().__init__()
        self.heads = heads
        self.project = nlt.Linear(WIDTH, heads * 6)
        self.out = nlt.Linear(heads * 2, WIDTH)

    def forward(self, x: Any) -> Any:
        batch, tokens, _ = x.shape
        q, k, v = self.project(x).view(batch, tokens, 3, self.heads.value, 2).permute(2, 0, 3, 1, 4)
        mixed = ((q @ k.transpose(-1, -2)) * k.shape[-1] ** -0.5).softmax(-1).matmul(v)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, -1))


class Sliced(nn.Module):
    def __init__(self, width: Any) -> None:
        super().__init__()
        self.width = width
        self.widen = nlt.Linear(WIDTH, width)
        self.positions = nn.Parameter(torch.zeros(1, 3, 4))
        self.narrow = nlt.Linear(width, WIDTH)

    def forward(self, x: Any) -> Any:
        x = self.widen(x)
        left, right = (x + self.positions[..., : self.width.value]).chunk(2, -1)
        return self.narrow(torch.cat([right, left], -1))


class Joined(nn.Module):
    def __init__(self, left: nn.Module, right: nn.Module, name: str) -> None:
        super().__init__()
        self.left = left
        self.right = right
        self.chosen = nlt.InputChoice(2, name)

    def forward(self, x: Any) -> Any:
        return self.chosen(self.left(x), self.right(x).mul_(2)) + x


class Halves(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mul_(0.5)


class Maker:
    """Makes a supernet: candidates, repeats and sizes nested at random, some of them shared."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._names: dict[tuple[int, ...], list[str]] = {}
        self._count = 0
        self._shared: list[nn.Module] = []

    def make(self) -> nn.Module:
        return nn.Sequential(self._module(3), self._module(3))

    def _name(self) -> str:
        self._count += 1
        return f"choice{self._count}"

    def _choice(self, *values: int) -> Any:
        known = self._names.setdefault(values, [])
        if not known or self._random.random() > 0.4:
            known.append(self._name())
            return nlt.Choice(known[-1], values)
        return nlt.Choice(self._random.choice(known), values)

    def _module(self, depth: int) -> nn.Module:
        kind = self._random.random()
        if depth == 0 or kind < 0.3:
            return self._random.choice(self._layers())()
        if kind < 0.55:
            count = self._random.randint(1, 3)
            return nlt.LayerChoice([self._module(depth - 1) for _ in range(count)], self._name())
        if kind < 0.75:
            depths = self._random.choice([(0, 1), (1, 2), (0, 2), (1,)])
            times = self._choice(*depths) if self._random.random() < 0.8 else self._choice(0, 1) * 2
            return nlt.Repeat([self._module(depth - 1) for _ in range(2)], times)
        if kind < 0.85:
            return Joined(self._module(depth - 1), self._module(depth - 1), self._name())
        return nn.Sequential(self._module(depth - 1), self._module(depth - 1))

    def _layers(self) -> list[Callable[[], nn.Module]]:
        return [
            nn.Identity,
            Halves,
            lambda: nn.ReLU(inplace=True),
            lambda: nn.Linear(WIDTH, WIDTH),
            lambda: Attention(self._choice(1, 2)),
            lambda: Sliced(self._choice(2, 4)),
            self._mlp,
            self._linear,
        ]

    def _mlp(self) -> nn.Module:
        width = self._choice(2, 3)
        return nn.Sequential(
            nlt.Linear(WIDTH, width),
            nn.ReLU(inplace=True),
            nlt.LayerNorm(width),
            nlt.Linear(width, WIDTH),
        )

    def _linear(self) -> nn.Module:
        """A layer that may stand in several places."""
        if not self._shared or self._random.random() > 0.7:
            self._shared.append(nlt.Linear(WIDTH, WIDTH))
        return self._random.choice(self._shared)


# With 1, nothing is left to choose.
@pytest.mark.parametrize("seed", [0, *range(2, 13)])
def test_random_supernets(seed: int) -> None:
    supernet = Maker(seed).make()
    space = nl.from_torch(supernet, SHAPE)
    assert len(space.variables) > 0
    rows = space.enumerate() if space.positions <= 40 else space.random(20, seed=seed)
    costs = space.sweep(rows, metrics=list(COLUMNS))
    for number, row in enumerate(rows):
        config = space.decode(row)
        nlt.set_choices(supernet, config)
        assert nlt.choices(supernet) == config
        ledger = nl.count(supernet, SHAPE)
        expected = {metric: getattr(ledger, metric) for metric in COLUMNS}
        assert {metric: int(costs[metric][number]) for metric in COLUMNS} == expected
        graph = space.graph(config).count()
        assert {metric: getattr(graph, metric) for metric in COLUMNS} == expected
        assert graph.peak_memory == ledger.peak_memory
        assert supernet(torch.zeros(SHAPE)).shape == SHAPE
