"""Supernets: the space that they become against the networks that their choices stand for."""

from __future__ import annotations

import copy
import io
import itertools
import math
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional as F

import netledger as nl
from netledger import torch as nlt
from netledger._results import COLUMNS


def counts(module: Any, *inputs: Any) -> dict[str, int]:
    """Every metric of a module, or of its current choices."""
    ledger = nl.count(module, *inputs)
    return {metric: getattr(ledger, metric) for metric in COLUMNS}


def configurations(space: Any) -> Iterator[dict[str, Any]]:
    """Every configuration of a space: the values of its active variables."""
    for row in space.enumerate():
        yield space.decode(row)


def check(supernet: Any, inputs: tuple[int, ...], built: Any, sample: int | None = None) -> Any:
    """Compare a supernet's space with networks built by hand, and with the supernet itself.

    Args:
        supernet: a module with choices.
        inputs: the shape of its input.
        built: makes the network of a configuration.
        sample: how many configurations, all of them if left out.
    """
    space = nl.from_torch(supernet, inputs)
    chosen = list(configurations(space))
    if sample is not None:
        chosen = random.Random(1).sample(chosen, sample)
    rows = np.array([space.encode(config) for config in chosen])
    costs = space.sweep(rows, metrics=COLUMNS)
    assert costs.valid.all()
    for number, config in enumerate(chosen):
        found = {metric: int(costs[metric][number]) for metric in COLUMNS}
        assert found == counts(built(config), inputs), config
        nlt.set_choices(supernet, config)
        assert found == counts(supernet, inputs), config
        assert nlt.choices(supernet) == config
        check_graph(space, config, supernet, inputs)
    return space


def check_graph(space: Any, config: dict[str, Any], supernet: Any, *inputs: Any) -> None:
    """Compare the graph of a configuration with the module: also what is alive at once."""
    graph = space.graph(config).count()
    ledger = nl.count(supernet, *inputs)
    assert {metric: getattr(graph, metric) for metric in COLUMNS} == counts(supernet, *inputs)
    assert graph.peak_memory == ledger.peak_memory


# -- once-for-all ----------------------------------------------------------------------------------


class ElasticBlock(nn.Module):
    """An inverted residual block of elastic kernel and expansion."""

    def __init__(self, name: str, inputs: Any, outputs: Any, stride: int) -> None:
        super().__init__()
        kernel = nlt.Choice(f"{name}.kernel", [3, 5], 5)
        expand = nlt.Choice(f"{name}.expand", [1, 2.5], 2.5)
        width = nl.make_divisible(inputs * expand)
        self.expand = nlt.Conv2d(inputs, width, 1, bias=False)
        self.expand_norm = nlt.BatchNorm2d(width)
        self.depth = nlt.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
        self.depth_norm = nlt.BatchNorm2d(width)
        self.project = nlt.Conv2d(width, outputs, 1, bias=False)
        self.project_norm = nlt.BatchNorm2d(outputs)
        self.residual = stride == 1

    def forward(self, x: Any) -> Any:
        y = F.relu6(self.expand_norm(self.expand(x)))
        y = F.relu6(self.depth_norm(self.depth(y)))
        y = self.project_norm(self.project(y))
        return x + y if self.residual else y


class ElasticNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        width = nlt.Choice("width", [8, 16], 16)
        self.stem = nlt.Conv2d(3, width, 3, 2, 1, bias=False)
        self.norm = nlt.BatchNorm2d(width)
        self.first = ElasticBlock("first", width, 24, 2)
        depth = nlt.Choice("depth", [0, 1, 2], 2)
        self.rest = nlt.Repeat(lambda index: ElasticBlock(f"rest{index}", 24, 24, 1), depth)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Any) -> Any:
        x = self.rest(self.first(F.relu(self.norm(self.stem(x)))))
        return self.head(x.mean((2, 3)))


def plain_block(config: dict[str, Any], name: str, inputs: int, outputs: int, stride: int) -> Any:
    kernel = config[f"{name}.kernel"]
    width = nl.make_divisible(inputs * config[f"{name}.expand"])
    return nn.Sequential(
        nn.Conv2d(inputs, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
        nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU6(),
        nn.Conv2d(width, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Residual(nn.Module):
    def __init__(self, block: Any) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Any) -> Any:
        return x + self.block(x)


class Mean(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mean((2, 3))


def plain_net(config: dict[str, Any]) -> Any:
    width = config["width"]
    rest = [
        Residual(plain_block(config, f"rest{index}", 24, 24, 1)) for index in range(config["depth"])
    ]
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        plain_block(config, "first", width, 24, 2),
        *rest,
        Mean(),
        nn.Linear(24, 10),
    )


def test_elastic_kernel_width_and_depth() -> None:
    space = check(ElasticNet(), (2, 3, 16, 16), plain_net)
    # Two widths, four first blocks; no, one or two more blocks of four kinds each.
    assert space.size == 2 * 4 * (1 + 4 + 16)
    assert list(space.variables) == [
        "width",
        "first.expand",
        "first.kernel",
        "depth",
        "rest0.expand",
        "rest0.kernel",
        "rest1.expand",
        "rest1.kernel",
    ]


def test_resolution_is_a_choice_too() -> None:
    resolution = nlt.Choice("resolution", [16, 17, 24])
    net = ElasticNet()
    space = nl.from_torch(net, (1, 3, resolution, resolution))
    assert space.size == 3 * 168
    nlt.set_choices(net, {"depth": 1, "rest0.kernel": 3})
    for size in (16, 17, 24):
        expected = counts(net, (1, 3, size, size))
        config = {"resolution": size, **nlt.choices(net)}
        assert space.cost(config, metrics=COLUMNS) == expected
    assert nl.count(net, (1, 3, resolution, resolution)).macs == counts(net, (1, 3, 16, 16))["macs"]
    inputs = nl.Input((1, 3, resolution, resolution))
    assert nl.from_torch(net, inputs).size == space.size


# -- cells -----------------------------------------------------------------------------------------


def candidates(channels: int) -> dict[str, nn.Module]:
    return {
        "skip": nn.Identity(),
        "pool": nn.AvgPool2d(3, 1, 1),
        "conv": nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU6(inplace=True),
        ),
        "relu": nn.ReLU(inplace=True),
    }


class Cell(nn.Module):
    """A cell of two nodes: every node sums two edges, the second node chooses one input."""

    def __init__(self) -> None:
        super().__init__()
        # The operations are chosen once for all cells.
        self.edges = nn.ModuleList(
            nlt.LayerChoice(candidates(4), f"edge{edge}") for edge in range(3)
        )
        self.source = nlt.InputChoice(2, "source", 1)

    def forward(self, x: Any, y: Any) -> Any:
        node = self.edges[0](x) + self.edges[1](y)
        other = self.edges[2](self.source(x, node))
        return torch.cat([node, other], 1)


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.one = Cell()
        self.squeeze = nn.Conv2d(8, 4, 1)
        self.two = Cell()

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        y = self.squeeze(self.one(x, x.clone()))
        return self.two(x, y)


class PlainCell(nn.Module):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.edges = nn.ModuleList(candidates(4)[config[f"edge{edge}"]] for edge in range(3))
        self.source = config["source"]

    def forward(self, x: Any, y: Any) -> Any:
        node = self.edges[0](x) + self.edges[1](y)
        other = self.edges[2](node if self.source else x)
        return torch.cat([node, other], 1)


def plain_cells(config: dict[str, Any]) -> Any:
    cells = Cells()
    cells.one, cells.two = PlainCell(config), PlainCell(config)  # type: ignore[assignment]
    return cells


def test_cells_of_layer_choices() -> None:
    space = check(Cells(), (1, 3, 6, 6), plain_cells)
    assert space.size == 4**3 * 2
    assert list(space.variables) == ["edge0", "edge1", "edge2", "source"]


# -- attention -------------------------------------------------------------------------------------


class ElasticAttention(nn.Module):
    """Heads of 8 features each, as in AutoFormer: the width of q, k and v follows the heads."""

    def __init__(self, dim: Any, heads: Any) -> None:
        super().__init__()
        self.heads = heads
        self.project = nlt.Linear(dim, heads * 24)
        self.out = nlt.Linear(heads * 8, dim)

    def forward(self, x: Any) -> Any:
        batch, tokens, _ = x.shape
        q, k, v = self.project(x).reshape(batch, tokens, 3, -1, 8).permute(2, 0, 3, 1, 4)
        scale = q.shape[-1] ** -0.5
        weights = ((q @ k.transpose(-2, -1)) * scale).softmax(-1)
        mixed = (weights @ v).transpose(1, 2)
        return self.out(mixed.reshape(batch, tokens, self.heads.value * 8))


class ElasticEncoder(nn.Module):
    def __init__(self, name: str, dim: Any) -> None:
        super().__init__()
        heads = nlt.Choice(f"{name}.heads", [2, 3])
        hidden = nl.floor(dim * nlt.Choice(f"{name}.ratio", [2, 3.5]))
        self.norm1 = nlt.LayerNorm(dim)
        self.attention = ElasticAttention(dim, heads)
        self.norm2 = nlt.LayerNorm(dim)
        self.mlp = nn.Sequential(nlt.Linear(dim, hidden), nn.GELU(), nlt.Linear(hidden, dim))

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ElasticTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        dim = nlt.Choice("dim", [16, 24, 32], 24)
        self.patches = nlt.Conv2d(3, dim, 4, 4)
        self.blocks = nlt.Repeat(
            [ElasticEncoder(f"block{index}", dim) for index in range(3)],
            nlt.Choice("depth", [1, 2, 3], 2),
        )
        self.norm = nlt.LayerNorm(dim)
        self.head = nlt.Linear(dim, 5)

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([x.new_zeros(x.shape[0], 1, x.shape[2]), x], 1)
        return self.head(self.norm(self.blocks(x))[:, 0])


class PlainAttention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(dim, heads * 24)
        self.out = nn.Linear(heads * 8, dim)

    def forward(self, x: Any) -> Any:
        q, k, v = self.project(x).reshape(2, 17, 3, self.heads, 8).permute(2, 0, 3, 1, 4)
        weights = ((q @ k.transpose(-2, -1)) * 8**-0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(2, 17, self.heads * 8))


class PlainEncoder(nn.Module):
    def __init__(self, config: dict[str, Any], name: str) -> None:
        super().__init__()
        dim = config["dim"]
        hidden = int(dim * config[f"{name}.ratio"])
        self.norm1 = nn.LayerNorm(dim)
        self.attention = PlainAttention(dim, config[f"{name}.heads"])
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: Any) -> Any:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PlainTransformer(nn.Module):
    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        dim = config["dim"]
        self.patches = nn.Conv2d(3, dim, 4, 4)
        blocks = [PlainEncoder(config, f"block{index}") for index in range(config["depth"])]
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 5)

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([x.new_zeros(2, 1, x.shape[2]), x], 1)
        return self.head(self.norm(self.blocks(x))[:, 0])


def test_elastic_transformer() -> None:
    space = check(ElasticTransformer(), (2, 3, 16, 16), PlainTransformer, sample=40)
    assert space.size == 3 * (4 + 16 + 64)


# -- layers ----------------------------------------------------------------------------------------

A = {"a": [2, 4], "b": [4, 6], "k": [1, 3]}
LAYERS: list[tuple[Any, Any, tuple[int, ...]]] = [
    (
        lambda c: nlt.Conv1d(4, c("b"), c("k"), padding="same", groups=c("a")),
        lambda c: nn.Conv1d(4, c("b"), c("k"), padding="same", groups=c("a")),
        (2, 4, 9),
    ),
    (
        lambda c: nlt.Conv2d(4, c("b"), (c("k"), 3), (1, c("a")), (c("k") // 2, 0), bias=False),
        lambda c: nn.Conv2d(4, c("b"), (c("k"), 3), (1, c("a")), (c("k") // 2, 0), bias=False),
        (2, 4, 9, 9),
    ),
    (
        lambda c: nlt.Conv3d(4, c("b"), c("k"), dilation=c("a")),
        lambda c: nn.Conv3d(4, c("b"), c("k"), dilation=c("a")),
        (1, 4, 9, 9, 9),
    ),
    (
        lambda c: nlt.ConvTranspose1d(4, c("b"), c("k"), 2, output_padding=1),
        lambda c: nn.ConvTranspose1d(4, c("b"), c("k"), 2, output_padding=1),
        (2, 4, 9),
    ),
    (
        lambda c: nlt.ConvTranspose2d(4, c("b"), c("k"), c("a"), groups=2, bias=False),
        lambda c: nn.ConvTranspose2d(4, c("b"), c("k"), c("a"), groups=2, bias=False),
        (2, 4, 5, 5),
    ),
    (
        lambda c: nlt.ConvTranspose3d(4, c("b"), c("k")),
        lambda c: nn.ConvTranspose3d(4, c("b"), c("k")),
        (2, 4, 3, 3, 3),
    ),
    (
        lambda c: nn.Sequential(nlt.Linear(4, c("a")), nlt.Linear(c("a"), c("b") + 1, False)),
        lambda c: nn.Sequential(nn.Linear(4, c("a")), nn.Linear(c("a"), c("b") + 1, False)),
        (3, 5, 4),
    ),
    (
        lambda c: nn.Sequential(nlt.Linear(4, c("a")), nlt.BatchNorm1d(c("a"))),
        lambda c: nn.Sequential(nn.Linear(4, c("a")), nn.BatchNorm1d(c("a"))),
        (3, 4),
    ),
    (
        lambda c: nn.Sequential(
            nlt.Conv2d(4, c("a"), 1), nlt.BatchNorm2d(c("a"), affine=False), nn.ReLU()
        ),
        lambda c: nn.Sequential(
            nn.Conv2d(4, c("a"), 1), nn.BatchNorm2d(c("a"), affine=False), nn.ReLU()
        ),
        (3, 4, 2, 2),
    ),
    (
        lambda c: nn.Sequential(
            nlt.Conv3d(4, c("a"), 1), nlt.BatchNorm3d(c("a"), track_running_stats=False)
        ),
        lambda c: nn.Sequential(
            nn.Conv3d(4, c("a"), 1), nn.BatchNorm3d(c("a"), track_running_stats=False)
        ),
        (3, 4, 2, 2, 2),
    ),
    (
        lambda c: nn.Sequential(
            nlt.Linear(4, c("a")),
            nlt.LayerNorm((3, c("a"))),
            nlt.LayerNorm(c("a"), bias=False),
            nlt.LayerNorm(c("a"), elementwise_affine=False),
        ),
        lambda c: nn.Sequential(
            nn.Linear(4, c("a")),
            nn.LayerNorm((3, c("a"))),
            nn.LayerNorm(c("a"), bias=False),
            nn.LayerNorm(c("a"), elementwise_affine=False),
        ),
        (2, 3, 4),
    ),
    (
        lambda c: nn.Sequential(
            nlt.Conv1d(4, c("a") * 2, 1),
            nlt.GroupNorm(c("a"), c("a") * 2),
            nlt.GroupNorm(2, c("a") * 2, affine=False),
        ),
        lambda c: nn.Sequential(
            nn.Conv1d(4, c("a") * 2, 1),
            nn.GroupNorm(c("a"), c("a") * 2),
            nn.GroupNorm(2, c("a") * 2, affine=False),
        ),
        (2, 4, 5),
    ),
]


def copy_weights(supernet: Any, plain: Any) -> None:
    """The first entries of every weight, and the middle of every kernel."""
    largest = supernet.state_dict()
    for name, value in plain.state_dict().items():
        source = largest[name]
        for dim, size in enumerate(value.shape):
            spare = source.shape[dim] - size
            source = source.narrow(dim, spare // 2 if dim >= 2 else 0, size)
        value.copy_(source)


@pytest.mark.parametrize("case", range(len(LAYERS)))
def test_layers(case: int) -> None:
    """In eager torch and in the space, a layer is torch's own of the sizes that are chosen."""
    make, make_plain, shape = LAYERS[case]
    supernet = make(lambda name: nlt.Choice(name, A[name]))
    space = nl.from_torch(supernet, shape)
    x = torch.randn(shape)
    for values in itertools.product(*(A[name] for name in space.variables)):
        config = dict(zip(space.variables, values, strict=True))
        nlt.set_choices(supernet, config)
        if not space.sweep({name: [value] for name, value in config.items()}).valid[0]:
            with pytest.raises((RuntimeError, ValueError)):
                make_plain(config.__getitem__)(x)
            with pytest.raises((RuntimeError, ValueError)):
                supernet(x)
            continue
        plain = make_plain(config.__getitem__)
        assert space.cost(config, metrics=COLUMNS) == counts(plain, shape)
        assert counts(supernet, shape) == counts(plain, shape)
        with torch.no_grad():
            copy_weights(supernet, plain)
        for mode in (True, False):
            supernet.train(mode)
            plain.train(mode)
            assert torch.allclose(supernet(x), plain(x), atol=1e-6)


def test_embeddings() -> None:
    dim, words = nlt.Choice("dim", [4, 8]), nlt.Choice("words", [5, 10], 10)
    supernet = nn.Sequential(nlt.Embedding(words, dim), nlt.Linear(dim, 3))
    indices = torch.tensor([[1, 2, 3]])
    space = nl.from_torch(supernet, indices)
    for chosen in configurations(space):
        plain = nn.Sequential(
            nn.Embedding(chosen["words"], chosen["dim"]), nn.Linear(chosen["dim"], 3)
        )
        nlt.set_choices(supernet, chosen)
        with torch.no_grad():
            copy_weights(supernet, plain)
        assert torch.equal(supernet(indices), plain(indices))
        assert space.cost(chosen, metrics=COLUMNS) == counts(plain, indices)
    with pytest.raises(nl.LayerError, match="indices must be int64 or int32"):
        nl.from_torch(supernet, (1, 3))


def test_weights_keep_what_they_are() -> None:
    """Weights of half precision take half the bytes, frozen ones are not trained."""
    width = nlt.Choice("width", [4, 8])
    supernet = nn.Sequential(nlt.Linear(4, width, dtype=torch.bfloat16))
    supernet[0].bias.requires_grad_(False)
    space = nl.from_torch(supernet, (1, 4))
    for chosen in (4, 8):
        plain = nn.Sequential(nn.Linear(4, chosen, dtype=torch.bfloat16))
        plain[0].bias.requires_grad_(False)
        found = space.cost({"width": chosen}, metrics=COLUMNS)
        assert found == counts(plain, (1, 4))
        assert found["params"] - found["trainable_params"] == chosen


def test_modules_without_choices_are_graphs() -> None:
    module = nn.Sequential(nlt.Conv2d(3, 8, 3), nlt.Repeat([nn.ReLU()], 1))
    graph = nl.from_torch(module, (1, 3, 8, 8))
    assert isinstance(graph, nl.Graph)
    assert graph.count().params == 8 * 27 + 8


# -- eager torch -----------------------------------------------------------------------------------


def test_trains_what_is_chosen() -> None:
    width = nlt.Choice("width", [2, 4])
    supernet = nn.Sequential(nlt.Linear(3, width), nlt.Linear(width, 1))
    supernet(torch.randn(5, 3)).sum().backward()
    gradient = supernet[0].weight.grad
    assert gradient[:2].abs().sum() > 0
    assert gradient[2:].abs().sum() == 0
    nlt.set_choices(supernet, {"width": 4})
    supernet(torch.randn(5, 3)).sum().backward()
    assert gradient[2:].abs().sum() > 0


def test_running_statistics_of_what_is_chosen() -> None:
    width = nlt.Choice("width", [2, 4])
    norm = nlt.BatchNorm1d(width, momentum=None)
    norm(torch.randn(8, 2) + 3)
    assert norm.running_mean[:2].min() > 1
    assert norm.running_mean[2:].tolist() == [0, 0]
    assert norm.num_batches_tracked == 1


def test_values() -> None:
    width = nlt.Choice("width", [8, 12], 12)
    half = width // 2 + 1
    assert (int(half), f"{half:d}", range(half)[-1], half == 7, half != 7) == (
        7,
        "7",
        6,
        True,
        False,
    )
    assert torch.zeros(2, half).view(half, -1).shape == (7, 2)
    assert nl.make_divisible(width * nlt.Choice("ratio", [0.5, 2])).value == 8
    assert nl.where(width > 8, 1, 2).value == 1
    assert nlt.Choice("kind", [1, 2]).map({1: 10, 2: 20}).value == 10
    assert float(half) == 7.0
    assert nl.maximum(width, 20).value == 20
    assert math.sqrt(width * 3) == 6.0
    assert repr(width) == "Choice('width', [8, 12], now 12)"
    assert repr(half) == "Expression(now 7)"


def test_copies_have_their_own_choices() -> None:
    supernet = ElasticNet()
    for other in (copy.deepcopy(supernet), pickle.loads(pickle.dumps(supernet))):
        nlt.set_choices(other, {"width": 8, "depth": 1})
        assert nlt.choices(other)["width"] == 8
        assert nlt.choices(supernet)["width"] == 16
        assert counts(other, (1, 3, 16, 16)) == nl.from_torch(other, (1, 3, 16, 16)).cost(
            nlt.choices(other), metrics=COLUMNS
        )


def test_choices_that_matter() -> None:
    supernet = ElasticNet()
    nlt.set_choices(supernet, {"depth": 1})
    assert "rest1.kernel" not in nlt.choices(supernet)
    assert nlt.choices(supernet, inactive=True)["rest1.kernel"] == 5


def test_loads_weights_of_any_choice() -> None:
    supernet, other = ElasticNet().eval(), ElasticNet().eval()
    nlt.set_choices(supernet, {"width": 8})
    other.load_state_dict(supernet.state_dict())
    nlt.set_choices(other, {"width": 8})
    x = torch.randn(1, 3, 16, 16)
    assert torch.equal(supernet(x), other(x))


# -- what counts -----------------------------------------------------------------------------------


class Shared(nn.Module):
    """A layer that is called twice, a candidate that two edges share, a weight of the root."""

    def __init__(self) -> None:
        super().__init__()
        width = nlt.Choice("width", [4, 8])
        self.twice = nlt.Linear(8, 8)
        shared = nlt.Linear(8, 8)
        self.one = nlt.LayerChoice({"shared": shared, "none": nn.Identity()}, "one")
        self.two = nlt.LayerChoice({"shared": shared, "own": nlt.Linear(8, 8, False)}, "two")
        self.uncalled = nlt.Linear(8, width)
        self.scale = nn.Parameter(torch.ones(8))
        self.last = nlt.LayerChoice([Scaled(self), nn.BatchNorm1d(8)], "last")

    def forward(self, x: Any) -> Any:
        return self.last(self.two(self.one(self.twice(self.twice(x)))))


class Scaled(nn.Module):
    def __init__(self, owner: Any) -> None:
        super().__init__()
        self.owner = [owner]

    def forward(self, x: Any) -> Any:
        return x * self.owner[0].scale


def test_weights_count_once_and_where_they_are() -> None:
    supernet = Shared()
    space = nl.from_torch(supernet, (3, 8))
    for config in configurations(space):
        shared = config["one"] == "shared" or config["two"] == "shared"
        own = config["two"] == "own"
        norm = config["last"] == 1
        params = 72 + 72 * shared + 64 * own + 9 * config["width"] + 8 + 16 * norm
        found = space.cost(config, metrics=("params", "buffers"))
        assert found == {"params": params, "buffers": 17 * norm}
        nlt.set_choices(supernet, config)
        assert counts(supernet, (3, 8)) == space.cost(config, metrics=COLUMNS)
        check_graph(space, config, supernet, (3, 8))
        assert space.graph(config).count().params == params


class Tied(nn.Module):
    """A weight that a candidate has in common with a layer that is never called."""

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self.op = nlt.LayerChoice([linear(4, 4), nn.Identity()], "op")
        self.other = linear(4, 4)
        self.other.weight = self.op.candidates[0].weight

    def forward(self, x: Any) -> Any:
        return self.op(x)


@pytest.mark.parametrize("linear", [nn.Linear, nlt.Linear])
def test_weights_that_are_tied(linear: Any) -> None:
    supernet = Tied(linear)
    space = nl.from_torch(supernet, (3, 4))
    for chosen, params in ((0, 16 + 4 + 4), (1, 16 + 4)):
        nlt.set_choices(supernet, {"op": chosen})
        assert space.cost({"op": chosen}, metrics=COLUMNS) == counts(supernet, (3, 4))
        assert space.cost({"op": chosen})["params"] == params
        check_graph(space, {"op": chosen}, supernet, (3, 4))


class InPlace(nn.Module):
    """What a candidate writes to its input is there only where it is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nlt.LayerChoice({"none": nn.Identity(), "relu": nn.ReLU(inplace=True)}, "act")
        self.depth = nlt.Repeat([Halves(), Halves()], nlt.Choice("depth", [0, 1, 2]))

    def forward(self, x: Any) -> Any:
        y = self.act(x)
        z = self.depth(x)
        return x * y + z


class Halves(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mul_(0.5)


def test_candidates_that_write_in_place() -> None:
    supernet = InPlace()
    space = nl.from_torch(supernet, (2, 3))
    for config in configurations(space):
        nlt.set_choices(supernet, config)
        assert counts(supernet, (2, 3)) == space.cost(config, metrics=COLUMNS)
        check_graph(space, config, supernet, (2, 3))
        assert space.cost(config, metrics=("flops",))["flops"] == 6 * (
            2 + (config["act"] == "relu") + config["depth"]
        )


class Nested(nn.Module):
    """Choices inside of candidates exist only where the candidate is chosen."""

    def __init__(self) -> None:
        super().__init__()
        inner = nlt.LayerChoice(
            {"wide": nlt.Linear(4, 4), "deep": nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 4))},
            "inner",
        )
        hidden = nlt.Choice("hidden", [2, 3])
        mlp = nn.Sequential(nlt.Linear(4, hidden), nlt.Linear(hidden, 4))
        self.outer = nlt.LayerChoice([inner, mlp, nn.Identity()], "outer")

    def forward(self, x: Any) -> Any:
        return self.outer(x)


def test_choices_inside_of_candidates() -> None:
    supernet = Nested()
    space = nl.from_torch(supernet, (1, 4))
    assert space.size == 2 + 2 + 1
    params = [space.cost(config)["params"] for config in configurations(space)]
    assert sorted(params) == sorted([20, 10 + 12, 10 + 12, 15 + 16, 0])


def test_a_candidate_may_change_the_size() -> None:
    """What comes after reads the size of the candidate that is chosen."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nlt.LayerChoice([nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3, 2, 1)], "stem")

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            batch, channels, height, width = x.shape
            tokens = x.view(batch, channels, height * width).transpose(1, 2)
            half = tokens[:, : height * width // 2]
            return half @ half.transpose(1, 2) + torch.zeros(half.shape[1])

    space = nl.from_torch(Net(), (1, 3, 9, 9))
    assert space.cost({"stem": 0})["macs"] == 7 * 7 * 4 * 27 + 24 * 24 * 4
    assert space.cost({"stem": 1})["macs"] == 5 * 5 * 4 * 27 + 12 * 12 * 4


def test_conditions_that_hold_for_all() -> None:
    """Python may ask what is the same for all configurations that come there."""

    class Inner(nn.Module):
        def __init__(self, width: Any) -> None:
            super().__init__()
            self.linear = nlt.Linear(width, 4)

        def forward(self, x: Any) -> Any:
            assert x.shape[1] % 4 == 0
            assert x.shape[-1] == self.linear.in_features
            return self.linear(x)

    width = nlt.Choice("width", [4, 8])
    space = nl.from_torch(nn.Sequential(nlt.Linear(3, width), Inner(width)), (1, 3))
    assert space.size == 2


class Does(nn.Module):
    """A forward of its own over a linear layer of elastic width."""

    def __init__(self, forward: Any, **modules: Any) -> None:
        super().__init__()
        self.width = nlt.Choice("width", [6, 12])
        self.linear = nlt.Linear(4, self.width)
        self.position = nn.Parameter(torch.zeros(1, 5, 12))
        self.does = forward
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Any) -> Any:
        return self.does(self, self.linear(x))


def shuffled(module: Any, x: Any) -> Any:
    groups = x.view(2, 5, 2, module.width.value // 2)
    return groups.transpose(2, 3).contiguous().view(2, 5, -1)


def first_written(module: Any, x: Any) -> Any:
    x[..., 0] = 1
    return x


def attended(module: Any, x: Any) -> Any:
    q = x.view(2, 5, 3, -1).transpose(1, 2)
    return F.scaled_dot_product_attention(q, q, q, is_causal=True).transpose(1, 2).flatten(2)


FOLLOWED: dict[str, Any] = {
    "chunks": lambda m, x: x.chunk(3, -1)[0],
    "a part of the width": lambda m, x: x.split(m.width.value // 3, -1)[2],
    "parts": lambda m, x: x.split([2, x.shape[-1] - 2], -1)[1],
    "positions": lambda m, x: x + m.position[..., : m.width.value],
    "positions by shape": lambda m, x: x + m.position[:, : x.size(1), : x.size(2)],
    "a slice that may take all": lambda m, x: x[..., :8].exp(),
    "a slice from the end": lambda m, x: x[..., x.shape[-1] - 6 :],
    "a slice of less": lambda m, x: x[..., : -m.width.value // 2],
    "a choice and a size": lambda m, x: x.reshape(2, 5, x.shape[-1] // m.width * 2, -1),
    "a size and a choice": lambda m, x: x.reshape(2, 5, m.width // x.shape[-1] * 2, -1),
    "narrow": lambda m, x: x.narrow(-1, 0, 6),
    "the lesser": lambda m, x: x[..., : nl.minimum(m.width, 8).value],
    "the greater of two ints": lambda m, x: x[..., : max(m.width.value, 4)],
    "scale": lambda m, x: x * x.shape[-1] ** -0.5,
    "half": lambda m, x: x / (x.shape[-1] / 2),
    "interpolate": lambda m, x: F.interpolate(x, scale_factor=2.0),
    "interpolate to a size": lambda m, x: F.interpolate(x, size=m.width.value * 2),
    "pad": lambda m, x: F.pad(x, (0, 12 - x.shape[-1])),
    "arange": lambda m, x: x[..., torch.arange(m.width.value)],
    "mask": lambda m, x: x.masked_fill(torch.ones(5, m.width.value).triu().bool(), 0),
    "expand_as": lambda m, x: torch.zeros(1).expand_as(x) + x,
    "expand": lambda m, x: x.unsqueeze(0).expand(3, *x.shape),
    "new_zeros": lambda m, x: x.new_zeros(x.shape) + x,
    "zeros_like": lambda m, x: torch.zeros_like(x).fill_(3) * x,
    "numel": lambda m, x: x.reshape(x.numel()),
    "math.prod": lambda m, x: x.reshape(math.prod(x.shape)),
    "shuffle": shuffled,
    "attention": attended,
    "written": first_written,
    "in place": lambda m, x: x.add_(1).clamp_(0, 1),
    "einsum": lambda m, x: torch.einsum("bnd,bmd->bnm", x, x),
    "layer_norm": lambda m, x: F.layer_norm(x, x.shape[-1:]),
    "normalize": lambda m, x: F.normalize(x, dim=-1),
    "statistics": lambda m, x: x.mean(-1, keepdim=True) + x.std(-1, keepdim=True),
    "sort": lambda m, x: x.sort(-1)[0].topk(3)[0],
    "text": lambda m, x: x + len(f"{x.shape[0]} rows"),
    "cat": lambda m, x: torch.cat([x, x[..., :1]], -1),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_python_that_is_followed(name: str) -> None:
    supernet = Does(FOLLOWED[name])
    space = nl.from_torch(supernet, (2, 5, 4))
    for width in (6, 12):
        nlt.set_choices(supernet, {"width": width})
        expected = counts(supernet, (2, 5, 4))
        assert space.cost({"width": width}, metrics=COLUMNS) == expected
        check_graph(space, {"width": width}, supernet, (2, 5, 4))


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.attention(x, x, x, need_weights=False)[0]


class Two(nn.Module):
    def __init__(self, add: bool) -> None:
        super().__init__()
        self.add = add

    def forward(self, x: Any) -> Any:
        return {"one": x + x if self.add else x, "two": (x, x * 2)}


class Sums(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pair = nlt.LayerChoice({"add": Two(True), "not": Two(False)}, "pair")

    def forward(self, x: Any) -> Any:
        found = self.pair(x)
        return found["one"] + found["two"][1]


def doubled() -> nn.Module:
    module = nn.Sequential(nlt.Linear(4, nlt.Choice("width", [2, 3])))
    module[0].register_forward_hook(lambda module, given, made: made * 2)
    return module


STRUCTURES: dict[str, Any] = {
    "modules of torch": lambda: nlt.LayerChoice(
        [
            Attends(),
            nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
            nn.Sequential(nn.Linear(4, 6), nn.GLU(), nn.Linear(3, 4)),
        ],
        "op",
    ),
    "several tensors": Sums,
    "repeats in repeats": lambda: nlt.Repeat(
        lambda i: nlt.Repeat(lambda j: nlt.Linear(4, 4), nlt.Choice(f"inner{i}", [1, 2])),
        nlt.Choice("outer", [0, 2, 3]),
    ),
    "a depth that follows": lambda: nlt.Repeat(
        lambda i: nlt.Linear(4, 4), nlt.Choice("half", [1, 2]) * 2
    ),
    "one depth twice": lambda: nn.Sequential(
        nlt.Repeat(lambda i: nlt.Linear(4, 4), nlt.Choice("depth", [1, 2])),
        nlt.Repeat(lambda i: nn.Linear(4, 4), nlt.Choice("depth", [1, 2])),
    ),
    "a hook": doubled,
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structures(name: str) -> None:
    supernet = STRUCTURES[name]()
    space = nl.from_torch(supernet, (2, 5, 4))
    chosen = list(configurations(space))
    assert len(chosen) == space.size
    for config in chosen:
        nlt.set_choices(supernet, config)
        assert space.cost(config, metrics=COLUMNS) == counts(supernet, (2, 5, 4))
        check_graph(space, config, supernet, (2, 5, 4))


def test_sizes_of_inputs_alone() -> None:
    """Any module has a space of its input sizes."""
    from torchvision_shim import torchvision

    model = torchvision.models.resnet18(weights=None)
    batch, side = nlt.Choice("batch", [1, 8]), nlt.Choice("side", [64, 96, 100])
    space = nl.from_torch(model, (batch, 3, side, side))
    for config in configurations(space):
        shape = (config["batch"], 3, config["side"], config["side"])
        assert space.cost(config, metrics=COLUMNS) == counts(model, shape)


@pytest.mark.filterwarnings("ignore::netledger.UnsupportedWarning")
def test_operations_without_a_rule() -> None:
    supernet = Does(lambda m, x: torch.special.bessel_j0(x))
    with pytest.warns(nl.UnsupportedWarning, match="no rule for aten::special_bessel_j0") as found:
        space = nl.from_torch(supernet, (2, 5, 4))
    assert found[0].filename == __file__
    for width in (6, 12):
        nlt.set_choices(supernet, {"width": width})
        expected = counts(supernet, (2, 5, 4))
        assert space.cost({"width": width}, metrics=COLUMNS) == expected


def test_pickled_space() -> None:
    space = nl.from_torch(ElasticNet(), (1, 3, 16, 16))
    saved = pickle.dumps(space)
    needed = set()

    class Noting(pickle.Unpickler):
        def find_class(self, module, name):
            needed.add(module.partition(".")[0])
            return super().find_class(module, name)

    again = Noting(io.BytesIO(saved)).load()
    assert "netledger" in needed
    assert "torch" not in needed
    rows = space.random(50, seed=3)
    assert again.sweep(rows)["macs"].tolist() == space.sweep(rows)["macs"].tolist()


def test_leaves_the_module_alone() -> None:
    supernet = ElasticNet().train()
    supernet.head.eval()
    nlt.set_choices(supernet, {"width": 8, "depth": 1})
    chosen = nlt.choices(supernet, inactive=True)
    modes = [module.training for module in supernet.modules()]
    state = {
        name: (id(t), t.clone(), t._version)
        for name, t in supernet.state_dict(keep_vars=True).items()
    }
    nl.from_torch(supernet, (1, 3, 16, 16))
    assert nlt.choices(supernet, inactive=True) == chosen
    assert [module.training for module in supernet.modules()] == modes
    for name, tensor in supernet.state_dict(keep_vars=True).items():
        identity, values, version = state[name]
        assert (id(tensor), tensor._version) == (identity, version)
        assert torch.equal(tensor, values)


def test_leaves_the_module_alone_when_it_fails() -> None:
    supernet = Hides()
    nlt.set_choices(supernet, {"op": "b"})
    with pytest.raises(nl.TraceError):
        nl.from_torch(supernet, (3, 4))
    assert nlt.choices(supernet) == {"op": "b"}
    asks = Asks(lambda module, x: range(module.width))
    with pytest.raises(nl.TraceError):
        nl.from_torch(asks, (1, 3))
    # Nothing follows any more: in eager torch, a choice is its current value.
    assert asks(torch.zeros(1, 3)).shape == (1, 4)
    assert asks.width.value == 4


def test_meta_device() -> None:
    with torch.device("meta"):
        supernet = ElasticNet()
    on_cpu = nl.from_torch(ElasticNet(), (1, 3, 16, 16))
    on_meta = nl.from_torch(supernet, (1, 3, 16, 16))
    rows = on_cpu.random(20)
    assert on_meta.sweep(rows)["params"].tolist() == on_cpu.sweep(rows)["params"].tolist()


# -- errors ----------------------------------------------------------------------------------------


def test_candidates_of_different_ranks() -> None:
    supernet = nn.Sequential(nlt.LayerChoice({"flat": nn.Flatten(), "not": nn.ReLU()}, "op"))
    with pytest.raises(
        nl.TraceError,
        match=r"'op' chooses among tensors of as many dimensions .* candidate 'flat' gives shape "
        r"\(1, 12\) .* candidate 'not' gives shape \(1, 3, 4\)",
    ):
        nl.from_torch(supernet, (1, 3, 4))


def test_candidates_of_different_structure() -> None:
    class Pair(nn.Module):
        def forward(self, x: Any) -> Any:
            return x, x

    supernet = nn.Sequential(nlt.LayerChoice([nn.ReLU(), Pair()], "op"))
    with pytest.raises(nl.TraceError, match="'op' chooses among different things"):
        nl.from_torch(supernet, (1, 3))


def test_one_name_with_different_values() -> None:
    supernet = nn.Sequential(
        nlt.Linear(4, nlt.Choice("w", [2, 4])), nlt.Linear(nlt.Choice("w", [2, 8]), 3)
    )
    message = r"choice 'w' has the values \[2, 4\] in '0', but \[2, 8\] in '1'"
    for use in (
        lambda: nl.from_torch(supernet, (1, 4)),
        lambda: nlt.set_choices(supernet, {"w": 2}),
        lambda: nlt.choices(supernet),
    ):
        with pytest.raises(nl.SpaceError, match=message):
            use()


def test_one_name_is_one_variable() -> None:
    def width() -> Any:
        return nlt.Choice("w", [2, 4])

    supernet = nn.Sequential(nlt.Linear(4, width()), nlt.Linear(width(), 3))
    space = nl.from_torch(supernet, (1, 4))
    assert space.size == 2
    nlt.set_choices(supernet, {"w": 4})
    assert supernet(torch.zeros(1, 4)).shape == (1, 3)
    supernet[1].in_features = nlt.Choice("w", [2, 4], 2)
    with pytest.raises(nl.SpaceError, match="choice 'w' is 4 in one place and 2 in another"):
        nl.from_torch(supernet, (1, 4))


def test_unknown_choices() -> None:
    supernet = Cells()
    with pytest.raises(nl.SpaceError, match="no choice 'edge9'; its choices are edge0, edge1"):
        nlt.set_choices(supernet, {"edge9": "skip"})
    with pytest.raises(nl.SpaceError, match="choice 'edge0' has no value 'max'; its values are"):
        nlt.set_choices(supernet, {"source": 0, "edge0": "max"})
    assert nlt.choices(supernet)["source"] == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nlt.Choice("", [1]), "a choice's name is a text"),
        (lambda: nlt.Choice("w", []), "choice 'w' has no values"),
        (lambda: nlt.Choice("w", [1, 1]), "choice 'w' lists a value twice"),
        (lambda: nlt.Choice("w", [1, 2], 3), "choice 'w' has no value 3"),
        (lambda: nlt.Choice("w", ["a"]), "a value is a number, got 'a'; LayerChoice"),
        (lambda: nlt.Choice("w", [True]), "a value is a number, got True"),
        (lambda: nlt.Linear(nlt.Choice("w", [1, 2.5]) * 4, 3), "in_features must be an integer"),
        (lambda: nlt.Linear(2.5, 3), r"in_features must be an int or a Choice, got 2\.5"),
        (lambda: nlt.Conv2d(1, 2, (3, 3, 3)), "kernel_size must be one size or 2"),
        (lambda: nlt.LayerChoice([F.relu], "op"), "a candidate is a module"),
        (lambda: nlt.LayerChoice({}, "op"), "choice 'op' has no values"),
        (lambda: nlt.Repeat([nn.ReLU()], nlt.Choice("d", [1, 2])), "a depth of 2, but there are 1"),
        (lambda: nlt.Repeat(nn.ReLU(), 2), "identical blocks are made by lambda"),
        (lambda: nlt.Repeat([nn.ReLU()], nlt.Choice("d", [-1, 1])), "must not be negative"),
    ],
)
def test_bad_choices(make: Any, message: str) -> None:
    with pytest.raises(nl.SpaceError, match=message):
        make()


class Asks(nn.Module):
    """Asks Python something about a size that depends on a choice."""

    def __init__(self, question: Any) -> None:
        super().__init__()
        self.width = nlt.Choice("width", [4, 8])
        self.linear = nlt.Linear(3, self.width)
        self.question = question

    def forward(self, x: Any) -> Any:
        x = self.linear(x)
        self.question(self, x)
        return x


@pytest.mark.parametrize(
    "question",
    [
        lambda module, x: 1 if x.shape[1] > 4 else 2,
        lambda module, x: range(x.shape[1]),
        lambda module, x: 1 if module.width == 4 else 2,
        lambda module, x: range(module.width),
        lambda module, x: int(x.shape[1]),
        lambda module, x: [0] * x.shape[1],
        lambda module, x: x.view(module.width, -1),
        lambda module, x: {4: 1, 8: 2}[int(module.width)],
    ],
)
def test_python_that_depends_on_a_size(question: Any) -> None:
    with pytest.raises(nl.TraceError) as caught:
        nl.from_torch(Asks(question), (1, 3))
    assert "Only one way through forward is followed" in str(caught.value)
    assert "(4 or 8)" in str(caught.value) or "(0 or 1)" in str(caught.value)
    assert "the model (Asks)" in str(caught.value)


class Hides(nn.Module):
    """Does something that depends on a choice, in a way that no trace can see."""

    def __init__(self) -> None:
        super().__init__()
        self.op = nlt.LayerChoice({"a": nn.Identity(), "b": nn.ReLU()}, "op")

    def forward(self, x: Any) -> Any:
        x = self.op(x)
        return x.exp() if self.op.choice.value == "b" else x


def test_what_is_not_followed_is_found() -> None:
    with pytest.raises(
        nl.TraceError,
        match=r"for \(op='b'\) the module has flops 24, but its space 12\. They part at layer 1: "
        r"exp in '' of \(3, 4\) to \(3, 4\) of the module, no layer of the space",
    ):
        nl.from_torch(Hides(), (3, 4))


def test_choices_that_no_module_holds() -> None:
    hidden = nlt.Choice("hidden", [1, 2])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nlt.Linear(4, nlt.Choice("w", [2, 4]))

        def forward(self, x: Any) -> Any:
            return self.linear(x)[:, : hidden.value]

    with pytest.raises(nl.TraceError, match="uses the choice 'hidden', which no module holds"):
        nl.from_torch(Net(), (1, 4))


def test_choices_of_a_candidate_used_outside() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = [nlt.Linear(4, nlt.Choice("w", [2, 4]))]
            self.op = nlt.LayerChoice([self.hidden[0], nlt.Linear(4, 4)], "op")

        def forward(self, x: Any) -> Any:
            return self.op(x)[:, : self.hidden[0].out_features.value]

    with pytest.raises(nl.TraceError, match=r"held only by 'op\.candidates\.0'"):
        nl.from_torch(Net(), (1, 4))


def test_weights_read_from_outside() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nlt.Embedding(10, nlt.Choice("w", [2, 4]))

        def forward(self, x: Any) -> Any:
            return F.linear(self.embed(x), self.embed.weight)

    tokens = nl.Input((1, 4), "int64")
    for use in (nl.from_torch, nl.count):
        with pytest.raises(nl.TraceError, match="the weights of a mutable layer are as large"):
            use(Net(), tokens)


def test_refused_configurations() -> None:
    """What torch refuses for some choices, the space refuses for them."""
    groups = nlt.Choice("groups", [1, 2, 3])
    supernet = nn.Sequential(nlt.Conv2d(4, 4, 1, groups=groups))
    space = nl.from_torch(supernet, (1, 4, 5, 5))
    costs = space.sweep({"groups": [1, 2, 3]})
    assert costs.valid.tolist() == [True, True, False]
    assert costs["params"].tolist() == [20, 12, -1]
    with pytest.raises(nl.LayerError):
        nl.count(nn.Sequential(nlt.Conv2d(5, 4, 1)), (1, 4, 5, 5))
