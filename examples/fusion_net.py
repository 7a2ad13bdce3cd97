"""FusionNet in torch: a residual U-Net that adds its skips and goes up by transposed convolutions.

    python examples/fusion_net.py
    netledger count examples/fusion_net.py:fusion_net --input 1,6,256,256

All encoder blocks share one activation module, and all decoder blocks another: the ledger has a
row for each call.
"""

from __future__ import annotations

from torch import Tensor, nn

import netledger as nl


def convolution_block(in_channels: int, out_channels: int, activation: nn.Module) -> nn.Sequential:
    """3x3 convolution, batch normalisation, activation; the size stays."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
        nn.BatchNorm2d(out_channels),
        activation,
    )


def upsampling_block(in_channels: int, out_channels: int, activation: nn.Module) -> nn.Sequential:
    """3x3 transposed convolution to twice the size, batch normalisation, activation."""
    return nn.Sequential(
        nn.ConvTranspose2d(
            in_channels, out_channels, kernel_size=3, stride=2, padding=1, output_padding=1
        ),
        nn.BatchNorm2d(out_channels),
        activation,
    )


class ResidualBlock(nn.Module):
    """Five convolutions; the middle three (the last of them not activated) are a residual."""

    def __init__(self, in_channels: int, out_channels: int, activation: nn.Module) -> None:
        super().__init__()
        self.head = convolution_block(in_channels, out_channels, activation)
        self.residual = nn.Sequential(
            convolution_block(out_channels, out_channels, activation),
            convolution_block(out_channels, out_channels, activation),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(out_channels),
        )
        self.tail = convolution_block(out_channels, out_channels, activation)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(x)
        output: Tensor = self.tail(x + self.residual(x))
        return output


class FusionNet(nn.Module):
    """Four levels down, a bridge, four levels up; a skip is the mean of both paths."""

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        down_activation = nn.LeakyReLU(0.2, inplace=True)
        up_activation = nn.ReLU()
        widths = [width * 2**level for level in range(4)]

        self.down_1 = ResidualBlock(in_channels, widths[0], down_activation)
        self.down_2 = ResidualBlock(widths[0], widths[1], down_activation)
        self.down_3 = ResidualBlock(widths[1], widths[2], down_activation)
        self.down_4 = ResidualBlock(widths[2], widths[3], down_activation)
        self.pool_1 = nn.MaxPool2d(2)
        self.pool_2 = nn.MaxPool2d(2)
        self.pool_3 = nn.MaxPool2d(2)
        self.pool_4 = nn.MaxPool2d(2)

        self.bridge = ResidualBlock(widths[3], 2 * widths[3], down_activation)

        self.deconv_1 = upsampling_block(2 * widths[3], widths[3], up_activation)
        self.deconv_2 = upsampling_block(widths[3], widths[2], up_activation)
        self.deconv_3 = upsampling_block(widths[2], widths[1], up_activation)
        self.deconv_4 = upsampling_block(widths[1], widths[0], up_activation)
        self.up_1 = ResidualBlock(widths[3], widths[3], up_activation)
        self.up_2 = ResidualBlock(widths[2], widths[2], up_activation)
        self.up_3 = ResidualBlock(widths[1], widths[1], up_activation)
        self.up_4 = ResidualBlock(widths[0], widths[0], up_activation)

        self.out = nn.Conv2d(widths[0], out_channels, kernel_size=3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        down_1 = self.down_1(image)
        down_2 = self.down_2(self.pool_1(down_1))
        down_3 = self.down_3(self.pool_2(down_2))
        down_4 = self.down_4(self.pool_3(down_3))
        x = self.bridge(self.pool_4(down_4))
        x = self.up_1((self.deconv_1(x) + down_4) / 2)
        x = self.up_2((self.deconv_2(x) + down_3) / 2)
        x = self.up_3((self.deconv_3(x) + down_2) / 2)
        x = self.up_4((self.deconv_4(x) + down_1) / 2)
        output: Tensor = self.out(x)
        return output


def fusion_net(in_channels: int = 6, out_channels: int = 2, width: int = 32) -> nn.Module:
    """Images whose sides are multiples of 16; `width` channels at full resolution."""
    return FusionNet(in_channels, out_channels, width)


def main() -> None:
    print(nl.count(fusion_net(), (1, 6, 256, 256)))


if __name__ == "__main__":
    main()
