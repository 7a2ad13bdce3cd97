"""RegNet by the parameters of its generator, and AnyNet stage by stage.

Radosavovic, Kosaraju, Girshick, He and Dollar, "Designing Network Design Spaces", CVPR 2020, with
the ranges and the rounding of the authors' sampler. Block j of a RegNet would have the width
u_j = w_0 + w_a j; it is quantized to w_0 w_m^k, k = round(log(u_j / w_0) / log(w_m)), and then to a
multiple of 8. The blocks of one width are a stage.

k never falls from block to block. So the stages before stage m end at the first block whose u_j
reaches a threshold, which depends on w_0 and w_m alone: a table. Two such tables, one of thresholds
and one of widths, are all that is left of the logarithms and powers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

import netledger as nl

__all__ = ["AnyNet", "RegNet", "anynet", "regnet"]

STAGES = 4

#: What the authors' sampler draws w_a and w_m from: 8 to 256 and 2 to 3.
SLOPES = tuple(tenths / 10 for tenths in range(80, 2561))
FACTORS = tuple(thousandths / 1000 for thousandths in range(2000, 3001))

#: The authors' names of the generator's parameters, and those of the variables.
GENERATOR = {
    "DEPTH": "depth",
    "W0": "w_0",
    "WA": "w_a",
    "WM": "w_m",
    "GROUP_W": "group_width",
}
#: The authors' names of the lists with one entry for each stage, and those of the variables.
STAGE = {
    "DEPTHS": "depth",
    "WIDTHS": "width",
    "BOT_MULS": "bottleneck",
    "GROUP_WS": "group_width",
}


class RegNet(nl.Space):
    """The space that `regnet` returns.

    Variables: ``depth`` (number of blocks), ``w_0`` (initial width), ``w_a`` (slope), ``w_m``
    (multiplier) and ``group_width``. Parameters that do not form four stages are refused.
    """

    def __init__(
        self,
        depth: Iterable[int],
        w_0: Iterable[int],
        w_a: Iterable[float],
        w_m: Iterable[float],
        group_width: Iterable[int],
        se_ratio: float,
        classes: int,
    ) -> None:
        super().__init__()
        depths, starts, slopes, factors = list(depth), list(w_0), list(w_a), list(w_m)
        if any(start % 8 for start in starts) or min(starts) <= 0 or min(factors) <= 1:
            raise nl.SpaceError(
                f"w_0 is a multiple of 8 and w_m above 1, got w_0 from {starts} and w_m from "
                f"{min(factors)}"
            )
        blocks = self.choice("depth", depths)
        start = self.choice("w_0", starts)
        slope = self.choice("w_a", slopes)
        factor = self.choice("w_m", factors)
        group = self.choice("group_width", group_width)

        unit = math.lcm(*(Fraction(str(value)).denominator for value in slopes))
        step = slope.map(lambda value: int(Fraction(str(value)) * unit))
        ends: list[Any] = [0]
        for level in range(1, STAGES + 1):
            steps = thresholds(starts, factors, level, unit)
            end = nl.ceil_divide(nl.tabulate(steps, start, factor), step)
            for values, difference in ties(starts, slopes, factors, level, unit, max(depths)):
                end += difference * (
                    (start == values[0]) & (slope == values[1]) & (factor == values[2])
                )
            ends.append(nl.minimum(blocks, end))
        self.require(
            (ends[1] < ends[2]) & (ends[2] < ends[3]) & (ends[3] < ends[4]) & (ends[4] == blocks),
            f"the blocks form {STAGES} stages, without a gap between their widths",
        )

        table = np.array([widths(starts, factors, level) for level in range(STAGES)])
        differ = np.all(np.diff(table, axis=0) > 0, axis=0)
        if not differ.all():  # a small w_m
            self.require(nl.tabulate(differ, start, factor), "the stages differ in width")
        stages = []
        for level in range(STAGES):
            width = nl.tabulate(table[level], start, factor)
            fitting = nl.minimum(group, width)
            width = nl.maximum(fitting, nl.round_to(width, fitting))
            stages.append((ends[level + 1] - ends[level], width, width, fitting))
        network(self, stages, se_ratio, classes)

    def encode(self, config: Any) -> np.ndarray:
        """The code row of ``{"DEPTH", "W0", "WA", "WM", "GROUP_W"}``, or of a dict of values."""
        if isinstance(config, Mapping) and "DEPTH" in config:
            config = {GENERATOR.get(name, name): value for name, value in config.items()}
        return super().encode(config)

    def decode(self, row: Any, inactive: bool = False) -> dict[str, Any]:
        """The authors' parameters of a code row: ``{"DEPTH", "W0", "WA", "WM", "GROUP_W"}``."""
        values = super().decode(row, inactive)
        return {name: values[variable] for name, variable in GENERATOR.items()}


class AnyNet(nl.Space):
    """The space that `anynet` returns.

    Variables of each stage, 1 to 4: ``depth_1``, ``width_1``, ``bottleneck_1`` (width of the 3x3
    convolution as a part of the stage's) and ``group_width_1``. A stage is refused whose groups do
    not divide its bottleneck.
    """

    def __init__(
        self,
        depths: Iterable[int],
        widths: Iterable[int],
        bottlenecks: Iterable[float],
        group_widths: Iterable[int],
        se_ratio: float,
        classes: int,
    ) -> None:
        super().__init__()
        domains = [list(domain) for domain in (depths, widths, bottlenecks, group_widths)]
        stages = []
        for stage in range(1, STAGES + 1):
            depth, width, bottleneck, group = (
                self.choice(f"{name}_{stage}", domain)
                for name, domain in zip(STAGE.values(), domains, strict=True)
            )
            stages.append((depth, width, nl.round_to(width * bottleneck), group))
        network(self, stages, se_ratio, classes)

    def encode(self, config: Any) -> np.ndarray:
        """The code row of ``{"DEPTHS", "WIDTHS", "BOT_MULS", "GROUP_WS"}``, or of values."""
        if isinstance(config, Mapping) and "DEPTHS" in config:
            config = {
                f"{STAGE.get(name, name)}_{stage}": value
                for name, values in config.items()
                for stage, value in enumerate(values, 1)
            }
        return super().encode(config)

    def decode(self, row: Any, inactive: bool = False) -> dict[str, Any]:
        """The authors' lists of a code row: ``{"DEPTHS", "WIDTHS", "BOT_MULS", "GROUP_WS"}``."""
        values = super().decode(row, inactive)
        return {
            name: [values[f"{variable}_{stage}"] for stage in range(1, STAGES + 1)]
            for name, variable in STAGE.items()
        }


def regnet(
    depth: Iterable[int] = range(12, 29),
    w_0: Iterable[int] = range(8, 257, 8),
    w_a: Iterable[float] = SLOPES,
    w_m: Iterable[float] = FACTORS,
    group_width: Iterable[int] = range(8, 129, 8),
    se_ratio: float = 0,
    classes: int = 1000,
) -> RegNet:
    """RegNetX by the parameters of its generator, with the ranges of the authors' sampler.

    Args:
        depth: numbers of blocks.
        w_0: initial widths, multiples of 8.
        w_a: slopes; 8 to 256 in steps of 0.1 if left out.
        w_m: width multipliers, above 1; 2 to 3 in steps of 0.001 if left out.
        group_width: widths of the groups of the 3x3 convolutions.
        se_ratio: width of squeeze-and-excitation as a part of the block's input; 0.25 is RegNetY.
        classes: outputs of the classifier.

    The sampler draws depth uniformly and the others log-uniformly, which `Space.random` does not;
    the published networks have slopes in hundredths: give ``w_a=[36.44]`` and so on for them.
    FLOPs and activations in the paper are those of ``conventions="pycls"``.

    The levels k are computed in floating point, as the authors do it; where log(u_j / w_0) /
    log(w_m) is a half, for w_m = 2.25, 2.56 or 2.89, they decide on the last bit, and so does this.
    """
    return RegNet(depth, w_0, w_a, w_m, group_width, se_ratio, classes)


def anynet(
    depths: Iterable[int] = range(1, 17),
    widths: Iterable[int] = range(8, 1025, 8),
    bottlenecks: Iterable[float] = (1, 0.5, 0.25),
    group_widths: Iterable[int] = (1, 2, 4, 8, 16, 32),
    se_ratio: float = 0,
    classes: int = 1000,
) -> AnyNet:
    """AnyNetX: four stages, each with a depth, a width, a bottleneck and a group width.

    Args:
        depths: numbers of blocks of a stage.
        widths: widths of a stage.
        bottlenecks: width of the 3x3 convolution as a part of the stage's width.
        group_widths: widths of the groups of the 3x3 convolution.
        se_ratio: width of squeeze-and-excitation as a part of the block's input; 0: without.
        classes: outputs of the classifier.
    """
    return AnyNet(depths, widths, bottlenecks, group_widths, se_ratio, classes)


def levels(u: Any, w_0: Any, w_m: Any) -> Any:
    """k, as the authors compute it."""
    return np.round(np.log(u / w_0) / np.log(w_m))


def exact_thresholds(starts: Sequence[int], factors: Sequence[float], level: int) -> Any:
    """u - w_0 where k becomes `level`, for each w_0 (rows) and w_m (columns)."""
    return np.array(starts)[:, None] * (np.array(factors) ** (level - 0.5) - 1)


def thresholds(starts: Sequence[int], factors: Sequence[float], level: int, unit: int) -> Any:
    """The smallest u - w_0, in `unit` parts of 1, for which k reaches `level`."""
    w_0, w_m = np.array(starts)[:, None], np.array(factors)
    guess = np.ceil(unit * exact_thresholds(starts, factors, level)).astype(np.int64) - 1
    reached = [levels((guess + i) / unit + w_0, w_0, w_m) >= level for i in range(2)]
    return guess + np.where(reached[0], 0, np.where(reached[1], 1, 2))


def ties(
    starts: Sequence[int],
    slopes: Sequence[float],
    factors: Sequence[float],
    level: int,
    unit: int,
    depth: int,
) -> list[tuple[tuple[int, float, float], int]]:
    """Where the last bit of w_a j + w_0 decides against the table of thresholds.

    Returns:
        (w_0, w_a, w_m) and how many blocks more are below `level` than the table says: 1 or -1.
    """
    steps = {int(Fraction(str(slope)) * unit): slope for slope in slopes}
    table = thresholds(starts, factors, level, unit)
    exact = unit * exact_thresholds(starts, factors, level)
    found = []
    for row, column in np.argwhere(abs(exact - np.rint(exact)) < 1e-6).tolist():
        tie, w_0, w_m = round(exact[row, column]), starts[row], factors[column]
        for j in range(1, depth):
            if tie % j == 0 and tie // j in steps:
                w_a = steps[tie // j]
                reached = bool(levels(j * w_a + w_0, w_0, w_m) >= level)
                if reached != bool(tie >= table[row, column]):
                    found.append(((w_0, w_a, w_m), -1 if reached else 1))
    return found


def widths(starts: Sequence[int], factors: Sequence[float], level: int) -> Any:
    """w_0 w_m^level to a multiple of 8, for each w_0 (rows) and w_m (columns)."""
    continuous = np.array(starts)[:, None] * np.power(np.array(factors), float(level))
    return 8 * np.round(continuous / 8).astype(np.int64)


def network(
    space: nl.Space, stages: Sequence[tuple[Any, Any, Any, Any]], se_ratio: float, classes: int
) -> None:
    """Stem, stages of (depth, width, bottleneck width, group width), classifier."""
    x = nl.relu(convolution(space.input(1, 3, 224, 224), 32, 3, stride=2))
    for depth, width, inner, group in stages:
        block = functools.partial(
            bottleneck, width=width, inner=inner, group=group, se_ratio=se_ratio
        )
        first = block(x, stride=2)
        others = nl.maximum(depth - 1, 0)  # less only in a network that is refused
        x = space.repeat(others, lambda x, block=block: block(x, stride=1), first)
    x = nl.flatten(nl.adaptive_avg_pool2d(x, 1), 1)
    space.output(nl.linear(x, classes))


def bottleneck(
    x: nl.Tensor, stride: int, width: Any, inner: Any, group: Any, se_ratio: float
) -> nl.Tensor:
    """1x1, grouped 3x3 and 1x1 convolutions beside a shortcut, projected if the shape changes."""
    y = nl.relu(convolution(x, inner, 1))
    y = nl.relu(convolution(y, inner, 3, stride, groups=inner // group))
    if se_ratio:
        y = squeeze_and_excitation(y, nl.round_to(x.shape[1] * Fraction(str(se_ratio))))
    y = convolution(y, width, 1)
    shortcut = x if stride == 1 else convolution(x, width, 1, stride)
    return nl.relu(nl.add(shortcut, y))


def squeeze_and_excitation(x: nl.Tensor, width: Any) -> nl.Tensor:
    """Channels scaled by what two 1x1 convolutions make of their means."""
    y = nl.adaptive_avg_pool2d(x, 1)
    y = nl.conv2d(nl.relu(nl.conv2d(y, width, 1)), x.shape[1], 1)
    return nl.mul(x, nl.sigmoid(y))


def convolution(
    x: nl.Tensor, channels: Any, kernel_size: int, stride: int = 1, groups: Any = 1
) -> nl.Tensor:
    """Convolution without bias, batch norm."""
    padding = kernel_size // 2
    x = nl.conv2d(
        x, channels, kernel_size, stride=stride, padding=padding, groups=groups, bias=False
    )
    return nl.batch_norm(x)
