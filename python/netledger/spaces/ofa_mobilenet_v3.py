"""Once-for-all MobileNetV3: elastic depth, kernel size, expansion and resolution.

Cai, Gan, Wang, Zhang and Han, "Once-for-All: Train One Network and Specialize it for Efficient
Deployment", ICLR 2020: the supernets ``ofa_mbv3_d234_e346_k357_w1.0`` and ``..._w1.2``. Five stages
of 2, 3 or 4 blocks; each block has a kernel size of 3, 5 or 7 and an expansion of 3, 4 or 6. A
stage of depth d uses its first d blocks, so (9^2 + 9^3 + 9^4)^5 = 7371^5 = 2.18e19 networks for
each resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

import netledger as nl

__all__ = ["OnceForAllMobileNetV3", "ofa_mobilenet_v3"]

KERNEL_SIZES = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
DEPTHS = (2, 3, 4)

#: Width at a width multiplier of 1, stride, activation and squeeze-and-excitation of each stage.
STAGES = (
    (24, 2, nl.relu, False),
    (40, 2, nl.relu, True),
    (80, 2, nl.hardswish, False),
    (112, 1, nl.hardswish, True),
    (160, 2, nl.hardswish, True),
)


class OnceForAllMobileNetV3(nl.Space):
    """The space that `ofa_mobilenet_v3` returns.

    Variables, in this order: ``d1`` to ``d5``, the depths of the stages; ``ks1`` to ``ks20`` and
    ``e1`` to ``e20``, kernel size and expansion of the blocks, four to a stage (those that the
    depth leaves out are inactive); ``r``, the resolution.
    """

    def __init__(self, width_mult: float, resolutions: Iterable[int], classes: int) -> None:
        super().__init__()
        depths = [self.choice(f"d{stage + 1}", DEPTHS) for stage in range(5)]
        blocks = [(block, depths[block // 4] > block % 4) for block in range(20)]
        kernel_sizes = [self.choice(f"ks{i + 1}", KERNEL_SIZES, when=used) for i, used in blocks]
        expansions = [self.choice(f"e{i + 1}", EXPANSIONS, when=used) for i, used in blocks]
        resolution = self.choice("r", resolutions)
        for i, depth in enumerate(depths):
            part = slice(4 * i, 4 * i + 4)
            self.link(depth, *kernel_sizes[part], *expansions[part])

        def width(channels: int) -> Any:
            return nl.make_divisible(channels * width_mult, 8)

        def stage(index: int, x: nl.Tensor) -> Any:
            channels, first_stride, activation, squeeze = STAGES[index]

            def block(i: int, x: nl.Tensor) -> nl.Tensor:
                return inverted_residual(
                    x,
                    width(channels),
                    kernel_sizes[4 * index + i],
                    first_stride if i == 0 else 1,
                    expansions[4 * index + i],
                    activation,
                    squeeze,
                )

            return self.repeat(depths[index], block, x)

        x = self.input(1, 3, resolution, resolution)
        x = nl.hardswish(convolution(x, width(16), 3, stride=2))
        x = inverted_residual(x, width(16), 3, 1, None, nl.relu, squeeze=False)
        for index in range(5):
            x = stage(index, x)
        x = nl.hardswish(convolution(x, width(960), 1))
        x = spatial_mean(x)
        x = nl.hardswish(nl.conv2d(x, width(1280), 1, bias=False))
        self.output(nl.linear(nl.flatten(x, 1), classes))

    def encode(self, config: Any) -> np.ndarray:
        """The code row of the authors' dict, or of a dict of values.

        Args:
            config: ``{"ks": 20 kernel sizes, "e": 20 expansions, "d": 5 depths, "r": resolution}``;
                ``r`` may be a list of one and may be called ``image_size``, as in the authors'
                programs. Genes of blocks that the depths leave out are ignored.
        """
        if isinstance(config, Mapping) and "ks" in config:
            genes = self.columns(config["ks"], config["e"], config["d"], resolution_of(config))
            used = [i for i in range(20) if genes[f"d{i // 4 + 1}"] > i % 4]
            names = ["r", *(f"d{i + 1}" for i in range(5))]
            names += [f"{gene}{i + 1}" for gene in ("ks", "e") for i in used]
            config = {name: int(genes[name]) for name in names}
        return super().encode(config)

    def decode(self, row: Any, inactive: bool = False) -> dict[str, Any]:
        """The authors' dict of a code row; genes of blocks that are left out are 0."""
        values = super().decode(row, inactive)
        return {
            "ks": [values.get(f"ks{i + 1}", 0) for i in range(20)],
            "e": [values.get(f"e{i + 1}", 0) for i in range(20)],
            "d": [values[f"d{i + 1}"] for i in range(5)],
            "r": values["r"],
        }

    @staticmethod
    def columns(ks: Any, e: Any, d: Any, r: Any) -> dict[str, Any]:
        """Many configs in the authors' genes, as columns by name for `sweep`.

        Args:
            ks: kernel sizes, of shape (configs, 20).
            e: expansions, of shape (configs, 20).
            d: depths, of shape (configs, 5).
            r: resolutions, of shape (configs,).
        """
        ks, e, d = np.asarray(ks), np.asarray(e), np.asarray(d)
        for name, genes, count in (("ks", ks, 20), ("e", e, 20), ("d", d, 5)):
            if genes.shape[-1:] != (count,):
                raise nl.SpaceError(f"{name} has {count} genes, got an array of {genes.shape}")
        return {
            **{f"d{i + 1}": d[..., i] for i in range(5)},
            **{f"ks{i + 1}": ks[..., i] for i in range(20)},
            **{f"e{i + 1}": e[..., i] for i in range(20)},
            "r": r,
        }


def ofa_mobilenet_v3(
    width_mult: float = 1.0,
    resolutions: Iterable[int] = range(128, 225, 4),
    classes: int = 1000,
) -> OnceForAllMobileNetV3:
    """Once-for-all MobileNetV3, as published with width multipliers 1.0 and 1.2.

    Args:
        width_mult: multiplies the widths, which are then rounded to multiples of 8.
        resolutions: widths of the square input images.
        classes: outputs of the classifier.

    The authors' FLOPs are those of ``conventions="ofa"``.
    """
    return OnceForAllMobileNetV3(width_mult, resolutions, classes)


def resolution_of(config: Mapping[str, Any]) -> Any:
    """The resolution in the authors' dict, which is a list of one in some of their programs."""
    resolution = config["r"] if "r" in config else config["image_size"]
    return resolution[0] if isinstance(resolution, Sequence) else resolution


def convolution(
    x: nl.Tensor, channels: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> nl.Tensor:
    """Convolution without bias, batch norm."""
    return nl.batch_norm(
        nl.conv2d(
            x,
            channels,
            kernel_size,
            stride=stride,
            padding=kernel_size // 2,
            groups=groups,
            bias=False,
        )
    )


def inverted_residual(
    x: nl.Tensor,
    out_channels: int,
    kernel_size: Any,
    stride: int,
    expansion: Any,
    activation: Any,
    squeeze: bool,
) -> nl.Tensor:
    """1x1 expansion, depthwise convolution, squeeze-and-excitation, 1x1 projection, shortcut."""
    in_channels, y = x.shape[1], x
    if expansion is not None:
        y = activation(convolution(y, nl.make_divisible(in_channels * expansion, 8), 1))
    channels = y.shape[1]
    y = activation(convolution(y, channels, kernel_size, stride, groups=channels))
    if squeeze:
        y = squeeze_and_excitation(y)
    y = convolution(y, out_channels, 1)
    return nl.add(y, x) if stride == 1 and in_channels == out_channels else y


def squeeze_and_excitation(x: nl.Tensor) -> nl.Tensor:
    """Channels scaled by what two 1x1 convolutions make of their means."""
    channels = x.shape[1]
    y = spatial_mean(x)
    y = nl.relu(nl.conv2d(y, nl.make_divisible(channels // 4, 8), 1))
    y = nl.hardsigmoid(nl.conv2d(y, channels, 1))
    return nl.mul(x, y)


def spatial_mean(x: nl.Tensor) -> nl.Tensor:
    """The mean of each channel, over columns and then over rows as the authors take it."""
    return nl.mean(nl.mean(x, dim=3, keepdim=True), dim=2, keepdim=True)
