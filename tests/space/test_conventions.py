"""A convention means the same in a ledger, a sweep and a question about the whole space."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import netledger as nl
from netledger.conventions import conventions
from netledger.errors import SpaceError

#: Those that know only the networks of their authors.
SPECIAL = ("autoformer",)
NAMES = [name for name in conventions() if name not in SPECIAL]


def small_space() -> nl.Space:
    space = nl.Space()
    kernel = space.choice("kernel", [1, 3, 5])
    width = space.choice("width", [8, 12])
    size = space.choice("size", [16, 24])
    x = space.input(1, 3, size, size)
    x = nl.conv2d(x, out_channels=width, kernel_size=kernel, stride=2, padding=kernel // 2)
    x = nl.relu(nl.batch_norm(x))
    depth = space.choice("depth", [1, 2])

    def block(i, x):
        y = nl.conv2d(x, out_channels=width, kernel_size=3, padding=1, groups=4, bias=False)
        return nl.add(x, nl.hardswish(nl.batch_norm(y)))

    x = space.repeat(depth, block, x)
    x = nl.interpolate(nl.max_pool2d(x, kernel_size=2), size=(8, 8), mode="nearest")
    x = nl.avg_pool2d(x, kernel_size=2)
    x = nl.flatten(nl.adaptive_avg_pool2d(x, output_size=1), start_dim=1)
    space.output(nl.softmax(nl.linear(x, out_features=10), dim=-1))
    return space


@pytest.mark.parametrize("name", NAMES)
def test_sweeps_of_a_built_space(name: str) -> None:
    space = small_space()
    codes = space.enumerate() if hasattr(space, "enumerate") else space.random(24, seed=0)
    figures = space.sweep(codes, metrics=("flops",), conventions=name)["flops"]
    totals = [space.graph(row).count().total("flops", name) for row in codes]
    assert figures.tolist() == totals
    if len(set(totals)) > 1:
        budget = int(np.median(totals))
        counted = space.count(flops=(None, budget), conventions=name)
        every = space.sweep(all_codes(space), metrics=("flops",), conventions=name)["flops"]
        assert counted == int((every <= budget).sum())


def all_codes(space: nl.Space) -> np.ndarray:
    sizes = [len(variable) for variable in ([1, 3, 5], [8, 12], [16, 24], [1, 2])]
    return (
        np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), -1)
        .reshape(-1, 4)
        .astype(np.uint8)
    )


def test_several_images() -> None:
    space = nl.Space()
    width = space.choice("width", [8, 12])
    space.output(nl.relu(nl.linear(space.input(4, 16), out_features=width)))
    expected = [4 * 16 * width for width in (8, 12)]
    codes = np.array([[0], [1]], dtype=np.uint8)
    assert space.sweep(codes, ("flops",), conventions="macs")["flops"].tolist() == expected
    # Divides what modules do by the number of images, and not what functions do.
    expected = [16 * width + width + width + 4 * width for width in (8, 12)]
    assert space.sweep(codes, ("flops",), conventions="ptflops")["flops"].tolist() == expected
    assert [space.graph(row).count().total("flops", "ptflops") for row in codes] == expected


torch = pytest.importorskip("torch")

import torch.nn.functional as F
from torch import nn

import netledger.torch as nlt


class Net(nn.Module):
    """A supernet whose layers are modules, functions and operators."""

    def __init__(self) -> None:
        super().__init__()
        width = nlt.Choice("width", [8, 16])
        self.stem = nlt.Conv2d(3, width, 3, padding=1)
        self.norm = nlt.BatchNorm2d(width)
        self.act = nlt.LayerChoice({"relu": nn.ReLU(), "gelu": nn.GELU()}, "act")
        self.blocks = nlt.Repeat(lambda _: Block(width), nlt.Choice("depth", [1, 2]))
        self.head = nlt.Linear(width, 4)

    def forward(self, x):
        x = self.blocks(self.act(self.norm(self.stem(x))))
        x = F.avg_pool2d(F.relu(x), 2)
        x = torch.add(x, x) * 2
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return F.softmax(self.head(x), dim=-1)


class Block(nn.Module):
    def __init__(self, width) -> None:
        super().__init__()
        self.conv = nlt.Conv2d(width, width, 1, bias=False)

    def forward(self, x):
        return x + torch.relu(self.conv(x))


@pytest.mark.parametrize("name", NAMES)
def test_sweeps_of_a_supernet(name: str) -> None:
    model = Net()
    space = nl.from_torch(model, (1, 3, 8, 8))
    codes = space.random(8, seed=1)
    figures = space.sweep(codes, metrics=("flops",), conventions=name)["flops"].tolist()
    for row, figure in zip(codes, figures, strict=True):
        nlt.set_choices(model, space.decode(row))
        assert nl.count(model, (1, 3, 8, 8)).total("flops", name) == figure
    saved = pickle.loads(pickle.dumps(space))
    assert saved.sweep(codes, ("flops",), conventions=name)["flops"].tolist() == figures


def test_composites_of_a_supernet() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
            self.head = nlt.Linear(16, nlt.Choice("classes", [2, 3]))

        def forward(self, x):
            return self.head(self.attention(x, x, x)[0])

    model = Attention()
    space = nl.from_torch(model, (1, 5, 16))
    codes = space.random(4, seed=0)
    name = "ultralytics_thop@2.2.3"
    saved = pickle.loads(pickle.dumps(space))
    figures = space.sweep(codes, ("flops",), conventions=name)["flops"].tolist()
    for row, figure in zip(codes, figures, strict=True):
        nlt.set_choices(model, space.decode(row))
        assert nl.count(model, (1, 5, 16)).total("flops", name) == figure
    with pytest.raises(SpaceError, match="counts attention modules as a whole"):
        saved.sweep(codes, ("flops",), conventions=name)
