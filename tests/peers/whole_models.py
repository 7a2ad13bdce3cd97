"""The models of golden/models.json, by their names there.

Every entry is a pair: a function that makes the model, and the shape of its input. A model comes
with several inputs as ``name``, ``name@b8`` (a batch of 8) and ``name@512`` (images of 512x512).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from torchvision_shim import torchvision

__all__ = ["MODELS"]

Shape = tuple[int, ...]
CLASSIFICATION = torchvision.models


class BiasFreeAlexNet(nn.Module):
    """The wider AlexNet of the articles: its convolutions have no bias."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4, padding=2, bias=False),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(96, 192, 5, padding=2, bias=False),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1, bias=False),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.features(x)
        return self.classifier(features.view(features.size(0), -1))


class SequenceClassifier(nn.Module):
    """Two bidirectional LSTM layers, and a linear layer of the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(128, 256, num_layers=2, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(512, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, _ = self.lstm(x)
        return self.classifier(steps[:, -1])


def two_convolutions(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two convolutions that keep the size, each with batch norm and relu."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class SmallUNet(nn.Module):
    """A U-Net of two levels, with transposed convolutions on the way up."""

    def __init__(self, in_channels: int = 3, out_channels: int = 2, width: int = 32) -> None:
        super().__init__()
        self.down1 = two_convolutions(in_channels, width)
        self.down2 = two_convolutions(width, 2 * width)
        self.middle = two_convolutions(2 * width, 4 * width)
        self.pool = nn.MaxPool2d(2)
        self.grow2 = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.up2 = two_convolutions(4 * width, 2 * width)
        self.grow1 = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.up1 = two_convolutions(2 * width, width)
        self.head = nn.Conv2d(width, out_channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        large = self.down1(x)
        small = self.down2(self.pool(large))
        middle = self.middle(self.pool(small))
        small = self.up2(torch.cat([self.grow2(middle), small], dim=1))
        large = self.up1(torch.cat([self.grow1(small), large], dim=1))
        return self.head(large)


IMAGE: Shape = (1, 3, 224, 224)
IMAGES: Shape = (8, 3, 224, 224)

MODELS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "alexnet": (CLASSIFICATION.alexnet, IMAGE),
    "alexnet@512": (CLASSIFICATION.alexnet, (1, 3, 512, 512)),
    "alexnet@b8": (CLASSIFICATION.alexnet, IMAGES),
    "custom_alexnet": (BiasFreeAlexNet, IMAGE),
    "lstm": (SequenceClassifier, (1, 64, 128)),
    "lstm@b8": (SequenceClassifier, (8, 64, 128)),
    "mobilenet_v2": (CLASSIFICATION.mobilenet_v2, IMAGE),
    "resnet18": (CLASSIFICATION.resnet18, IMAGE),
    "resnet50": (CLASSIFICATION.resnet50, IMAGE),
    "resnet50@b8": (CLASSIFICATION.resnet50, IMAGES),
    "unet": (SmallUNet, IMAGE),
    "vit_b_16": (CLASSIFICATION.vit_b_16, IMAGE),
}
