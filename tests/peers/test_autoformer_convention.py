"""The autoformer convention gives what the authors' get_complexity gives."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

import netledger as nl
from netledger import spaces
from netledger.errors import SpaceError
from netledger.spaces.autoformer import SIZES


def complexity(width: int, ratios: list[float], heads: list[int]) -> Fraction:
    """What ``get_complexity(196)`` adds up, part by part, halves kept."""
    patches, n = 196, 198  # a block is told of one token more, and adds another
    total = Fraction(patches * 3 * 16 * 16 * width + width)
    total += Fraction(197 * width, 2)
    for ratio, number in zip(ratios, heads, strict=True):
        channels = 64 * number
        total += n * width  # the norm before attention
        total += n * width * 3 * channels
        total += 2 * n * n * channels
        total += 14 * n * n + Fraction(n * n, 2)
        total += 14 * n * n + Fraction(n * channels, 2)
        total += n * channels * width
        total += n * width  # the norm before the MLP
        total += 2 * n * width * int(width * ratio)
    return total + 197 * 1000 * width


@pytest.mark.parametrize("size", SIZES)
def test_agrees_with_the_authors(size: str) -> None:
    space = spaces.autoformer(size)
    widths, depths, numbers, ratios = SIZES[size]
    draw = random.Random(size)
    configs = []
    for _ in range(100):
        depth = draw.choice(depths)
        configs.append(
            {
                "layer_num": depth,
                "embed_dim": [draw.choice(widths)] * depth,
                "mlp_ratio": draw.choices(ratios, k=depth),
                "num_heads": draw.choices(numbers, k=depth),
            }
        )
    codes = [space.encode(config) for config in configs]
    costs = space.sweep(codes, ["flops", "params", "complexity"], {"flops": "autoformer"})
    expected = [
        complexity(config["embed_dim"][0], config["mlp_ratio"], config["num_heads"])
        for config in configs
    ]
    assert costs["flops"].tolist() == expected
    assert costs["complexity"].tolist() == expected
    for row, count in list(zip(codes, expected, strict=True))[:3]:
        assert space.graph(row).count().total("flops", "autoformer") == count


def test_a_smaller_classifier_counts_less() -> None:
    thousand, ten = (
        spaces.autoformer("tiny", classes=classes).graph(
            {"depth": 12, "embed_dim": 192}
            | {f"mlp_ratio_{i + 1}": 4 for i in range(12)}
            | {f"num_heads_{i + 1}": 3 for i in range(12)}
        )
        for classes in (1000, 10)
    )
    counts = [graph.count().total("flops", "autoformer") for graph in (thousand, ten)]
    assert counts[0] - counts[1] == 197 * 990 * 192


def test_other_networks_are_refused() -> None:
    graph = nl.Graph()
    x = graph.input(1, 3, 8, 8)
    graph.output(nl.relu(nl.conv2d(x, out_channels=4, kernel_size=3)))
    with pytest.raises(SpaceError, match="no rule for relu"):
        graph.count().total("flops", "autoformer")
