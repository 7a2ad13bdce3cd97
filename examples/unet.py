"""U-Net in torch.

    python examples/unet.py
    netledger count examples/unet.py:unet --input 1,1,256,256

The convolutions are padded, so that the sizes stay, and batch-normalised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import netledger as nl


def double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """Twice: 3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Four levels; the skips are concatenated, the way up is a 2x2 transposed convolution."""

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList(
            double_convolution(before, after)
            for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        pairs = list(zip(widths[::-1], widths[-2::-1], strict=False))
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(below, level, kernel_size=2, stride=2) for below, level in pairs
        )
        self.up = nn.ModuleList(double_convolution(below, level) for below, level in pairs)
        self.out = nn.Conv2d(width, out_channels, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        x: Tensor = self.down[0](image)
        skips = []
        for block in self.down[1:]:
            skips.append(x)
            x = block(self.pool(x))
        for upsample, block, skip in zip(self.upsample, self.up, reversed(skips), strict=True):
            x = block(torch.cat([skip, upsample(x)], dim=1))
        output: Tensor = self.out(x)
        return output


def unet(in_channels: int = 1, out_channels: int = 1, width: int = 64) -> nn.Module:
    """Images whose sides are multiples of 16; `width` channels at full resolution."""
    return UNet(in_channels, out_channels, width)


def main() -> None:
    print(nl.count(unet(), (1, 1, 256, 256)))


if __name__ == "__main__":
    main()
