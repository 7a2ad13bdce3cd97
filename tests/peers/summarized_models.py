"""The models that counters are compared with which look at modules: whole ones, and odd ones.

Every entry is a pair: a function that makes the model, and one that makes its input.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from torchvision_shim import torchvision

__all__ = ["SUMMARIZED_MODELS"]

Tensor = torch.Tensor
MODELS = torchvision.models


class RecurrentClassifier(nn.Module):
    """Two bidirectional GRU layers over an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 12)
        self.layers = nn.GRU(12, 8, num_layers=2, bidirectional=True, batch_first=True)
        self.cell = nn.LSTMCell(16, 5)
        self.head = nn.Linear(5, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        steps, _ = self.layers(self.embedding(tokens))
        answer: Tensor = self.head(self.cell(steps[:, -1])[0])
        return answer


class Encoder(nn.Module):
    """Two transformer encoder layers with positions of the model's own."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(1, 6, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 24, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.encoder(x + self.positions).mean(1))
        return answer


class PaddedConvolution(nn.Conv2d):
    """A convolution that pads its input itself, and whose name does not tell what it is."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (1, 1, 1, 1)))


class Kernel(PaddedConvolution):
    """The same under a name that no tool takes for a convolution's."""


class Scales(nn.Module):
    """A module without children that holds weights: one by the usual name, one by another."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight * self.gamma


class Odd(nn.Module):
    """Shared, tied, frozen, unused, repeated and derived modules, and containers of every kind."""

    def __init__(self, kernel: type[nn.Conv2d] = PaddedConvolution) -> None:
        super().__init__()
        self.padded = kernel(3, 4, 3)
        self.stem = nn.Sequential(
            nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        )
        self.again = nn.Sequential(self.stem[0], nn.Sequential(), nn.MaxPool2d(2, ceil_mode=True))
        self.layers = nn.ModuleList([nn.Conv2d(4, 4, 1, bias=False) for _ in range(3)])
        self.scales = Scales(4)
        self.activation = nn.PReLU(4)
        self.grow = nn.Upsample(scale_factor=2, mode="bilinear")
        self.transposed = nn.ConvTranspose2d(4, 4, 3, stride=2, groups=2)
        self.pool = nn.AvgPool2d((2, 1))
        self.named = nn.ModuleDict({"dropout": nn.Dropout(), "nothing": nn.Identity()})
        self.offset = nn.Parameter(torch.zeros(4))
        self.tied = nn.Linear(4, 4, bias=False)
        self.head = nn.Linear(4, 4)
        self.head.weight = self.tied.weight
        self.softmax = nn.Softmax(-1)
        self.unused = nn.Linear(3, 3)
        self.tied.weight.requires_grad = False
        self.stem[1].weight.requires_grad = False
        for parameter in self.layers[1].parameters():
            parameter.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.stem(self.padded(x)))
        for layer in self.layers:
            x = self.activation(layer(x))
        x = self.pool(self.transposed(self.grow(self.scales(self.layers[1](x)))))
        x = self.named["nothing"](self.named["dropout"](x.mean((2, 3)) + self.offset))
        answer: Tensor = self.softmax(self.head(self.tied(F.relu(x))))
        return answer


class Attention(nn.Module):
    """An attention that returns its weights as well."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x).flatten(2).transpose(1, 2)
        answer: Tensor = self.head(self.attention(x, x, x)[0][:, 0])
        return answer


class Several(nn.Module):
    """A module that returns a tuple, or a dictionary."""

    def __init__(self, names: bool) -> None:
        super().__init__()
        self.names = names
        self.layer = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor] | dict[str, Tensor]:
        y = self.layer(x)
        return {"first": y, "second": x} if self.names else (y, y)


class Branches(nn.Module):
    """A network around such a module."""

    def __init__(self, names: bool) -> None:
        super().__init__()
        self.branches = Several(names)
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = self.branches(x)
        answer: Tensor = self.head(next(iter(found.values() if isinstance(found, dict) else found)))
        return answer


class Functional(nn.Module):
    """Functions and operators where others have modules."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(6, 3, 3, 3))
        self.norm = nn.GroupNorm(2, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(F.relu(F.conv2d(x, self.kernel)))
        x = x.flatten(2)
        return torch.matmul(x, x.transpose(1, 2)).softmax(-1) @ x


def _pruned() -> nn.Module:
    """A convolution of which a mask leaves half."""
    from torch.nn.utils import prune

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    prune.custom_from_mask(model[0], "weight", torch.arange(108).reshape(4, 3, 3, 3) % 2)
    return model


def _normed() -> nn.Module:
    """A convolution whose weight is made of two others."""
    layer = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    return nn.Sequential(layer, nn.ReLU())


def _swin() -> nn.Module:
    model: nn.Module = MODELS.SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[2, 1], num_heads=[2, 4], window_size=[4, 4]
    )
    return model


def _convnext() -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig

    model: nn.Module = MODELS.ConvNeXt([CNBlockConfig(8, 16, 2), CNBlockConfig(16, None, 1)])
    return model


def _vision_transformer() -> nn.Module:
    model: nn.Module = MODELS.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32
    )
    return model


def _images(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.rand(shape)


SMALL = _images(1, 3, 64, 64)

SUMMARIZED_MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "mobilenet_v3_small": (MODELS.mobilenet_v3_small, SMALL),
    "densenet121": (MODELS.densenet121, SMALL),
    "shufflenet_v2_x0_5": (MODELS.shufflenet_v2_x0_5, SMALL),
    "squeezenet1_1": (MODELS.squeezenet1_1, SMALL),
    "efficientnet_b0": (MODELS.efficientnet_b0, SMALL),
    "resnet18 of 2": (MODELS.resnet18, _images(2, 3, 64, 64)),
    "googlenet": (partial(MODELS.googlenet, init_weights=False, aux_logits=False), SMALL),
    "swin": (_swin, _images(1, 3, 32, 32)),
    "convnext": (_convnext, _images(1, 3, 32, 32)),
    "vision transformer": (_vision_transformer, _images(1, 3, 32, 32)),
    "recurrent": (RecurrentClassifier, lambda: torch.ones(2, 5, dtype=torch.int64)),
    "encoder": (Encoder, _images(2, 6, 16)),
    "odd": (Odd, _images(1, 3, 8, 8)),
    "odd kernel": (partial(Odd, Kernel), _images(1, 3, 8, 8)),
    "attention": (Attention, _images(1, 4, 6, 6)),
    "tuple": (partial(Branches, False), _images(1, 3, 6, 6)),
    "dictionary": (partial(Branches, True), _images(1, 3, 6, 6)),
    "functional": (Functional, _images(1, 3, 8, 8)),
    "pruned": (_pruned, _images(1, 3, 8, 8)),
    "normed": (_normed, _images(1, 3, 8, 8)),
}
