"""AlexNet in torch: torchvision's one-tower network, and a wider one without convolution biases.

    python examples/alexnet.py
    netledger count examples/alexnet.py:alexnet --input 1,3,224,224

The last table shows what the input changes. Parameters do not depend on it; operations grow with
the batch exactly, but slower than the image, because the classifier sees 6x6 features at any size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import netledger as nl

FLOAT32_BYTES = 4


def convolutions(widths: tuple[int, int, int, int, int], *, bias: bool) -> nn.Sequential:
    """The five convolutions, whose output channels are `widths`, and the pooling between them."""
    first, second, third, fourth, fifth = widths
    return nn.Sequential(
        nn.Conv2d(3, first, kernel_size=11, stride=4, padding=2, bias=bias),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(first, second, kernel_size=5, padding=2, bias=bias),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
        nn.Conv2d(second, third, kernel_size=3, padding=1, bias=bias),
        nn.ReLU(inplace=True),
        nn.Conv2d(third, fourth, kernel_size=3, padding=1, bias=bias),
        nn.ReLU(inplace=True),
        nn.Conv2d(fourth, fifth, kernel_size=3, padding=1, bias=bias),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),
    )


def fully_connected(in_features: int, num_classes: int) -> nn.Sequential:
    """The classifier: nearly all of the parameters, and a small part of the operations."""
    return nn.Sequential(
        nn.Dropout(0.5),
        nn.Linear(in_features, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, num_classes),
    )


class AlexNet(nn.Module):
    """torchvision's layout: adaptive pooling lets it take images of any size from 63x63 on."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = convolutions((64, 192, 384, 256, 256), bias=True)
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = fully_connected(256 * 6 * 6, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.avgpool(self.features(image))
        scores: Tensor = self.classifier(torch.flatten(features, 1))
        return scores


class AlexNetWithoutConvolutionBias(nn.Module):
    """Wider in front, no biases in the convolutions, no adaptive pooling: for 224x224 images."""

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = convolutions((96, 192, 384, 256, 256), bias=False)
        self.classifier = fully_connected(256 * 6 * 6, num_classes)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.classifier(torch.flatten(self.features(image), 1))
        return scores


def alexnet(num_classes: int = 1000) -> nn.Module:
    """61,100,840 parameters and 714,188,480 multiply-accumulates for 1000 classes at 224x224."""
    return AlexNet(num_classes)


def alexnet_without_convolution_bias(num_classes: int = 1000) -> nn.Module:
    """61,264,904 parameters and 861,301,280 multiply-accumulates for 1000 classes at 224x224."""
    return AlexNetWithoutConvolutionBias(num_classes)


def main() -> None:
    for network in (alexnet(), alexnet_without_convolution_bias()):
        ledger = nl.count(network, (1, 3, 224, 224))
        size = FLOAT32_BYTES * ledger.params
        print(ledger)
        print(f"float32 weights: {size:,} bytes = {size / 2**20:.2f} MiB\n")

    network = alexnet()
    print(f"{'AlexNet on':>18} {'params':>12} {'macs':>14} {'flops':>15}")
    for shape in ((1, 3, 224, 224), (1, 3, 512, 512), (8, 3, 224, 224)):
        ledger = nl.count(network, shape)
        print(f"{shape!s:>18} {ledger.params:>12,} {ledger.macs:>14,} {ledger.flops:>15,}")


if __name__ == "__main__":
    main()
