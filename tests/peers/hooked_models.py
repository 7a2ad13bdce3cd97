"""Models for counters that hook modules: whole ones, and what such counters stumble over.

Every entry is a pair: a function that makes the model, and one that makes its inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from torchvision_shim import torchvision

__all__ = ["HOOKED_MODELS"]

Tensor = torch.Tensor
VISION = torchvision.models


class GruClassifier(nn.Module):
    """Words, a recurrent network without biases, and a linear layer of the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 8)
        self.network = nn.GRU(8, 6, 2, bidirectional=True, bias=False)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.head(self.network(self.words(x))[0][-1]), -1)


class Functional(nn.Module):
    """Products by functions and operators, beside a few modules."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.project = nn.Linear(8, 24)
        self.softmax = nn.Softmax(-1)
        self.weight = nn.Parameter(torch.rand(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.project(self.norm(x)).chunk(3, -1)
        scores = self.softmax(torch.einsum("bid,bjd->bij", query, key))
        mixed = scores @ value
        mixed = F.linear(torch.bmm(mixed, self.weight.expand(len(x), 8, 8)), self.weight)
        mixed = mixed + torch.matmul(x, self.weight) + torch.mm(x[0], self.weight)
        mixed = mixed + torch.einsum("b...k,kd->b...d", x, self.weight)
        return mixed + F.scaled_dot_product_attention(query, key, value)


class AttentionByName(nn.Module):
    """An attention of several sizes, which is given its inputs by name and in another order."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(
            8, 2, kdim=6, vdim=4, add_bias_kv=True, add_zero_attn=True
        )

    def forward(self, x: Tensor) -> Tensor:
        key, value = torch.ones(5, 3, 6), torch.ones(5, 3, 4)
        return self.attention(key=key, value=value, query=x)[0]


class Sharing(nn.Module):
    """Modules in several places, a tied weight, frozen and unused layers, a subclass."""

    def __init__(self) -> None:
        super().__init__()
        relu, convolution = nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1)
        block = nn.Sequential(convolution, nn.BatchNorm2d(3), relu)
        self.first = nn.Sequential(block, convolution)
        self.blocks = nn.ModuleList([block, nn.Sequential(block, relu)])
        self.by_name = nn.ModuleDict({"again": convolution})
        self.frozen = nn.Conv2d(3, 5, 1).requires_grad_(False)
        self.norm = VISION.convnext.LayerNorm2d(5)
        self.leaky = nn.LeakyReLU()
        self.unused = nn.Linear(3, 3)
        self.tied = nn.Linear(5, 5)
        self.other = nn.Linear(5, 5)
        self.other.weight = self.tied.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks[1](self.blocks[0](self.first(x))) + self.by_name["again"](x)
        x = self.leaky(self.norm(self.frozen(x)))
        return self.other(self.tied(x.mean((2, 3))))


class NotItsOwn(nn.Module):
    """A linear layer in a list, which the model does not know as its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(4, 4)]
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers[0](x))


class Mixture(nn.Module):
    """Many kinds of layers with uncommon arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 6, 3, 2, 1),
            nn.InstanceNorm2d(6),
            nn.InstanceNorm2d(6, affine=True),
            nn.PReLU(6),
            nn.Upsample(scale_factor=1.5, mode="bilinear"),
            nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
            nn.AvgPool2d((2, 3), (1, 2), (1, 0)),
            nn.ConvTranspose2d(6, 4, 3, 2, 1, 1, groups=2),
            nn.GroupNorm(2, 4),
            nn.Softmax2d(),
            nn.Softmin(1),
            nn.LogSoftmax(2),
            nn.AdaptiveAvgPool2d((3, 7)),
            nn.Upsample(scale_factor=2, mode="nearest-exact"),
            nn.UpsamplingNearest2d(scale_factor=2),
            nn.UpsamplingBilinear2d(scale_factor=2),
            nn.ReflectionPad2d(1),
            nn.Dropout2d(),
            nn.AdaptiveMaxPool2d(5),
            nn.Flatten(),
        )
        self.both = nn.Bilinear(100, 100, 3)
        self.signal = nn.Conv1d(3, 2, 2)
        self.volume = nn.Upsample(scale_factor=2, mode="trilinear")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.layers(x)
        y = self.both(y, y).expand(2, 3, 3).contiguous()
        return self.signal(y), self.volume(x[None, :, :2])


class WithoutBatch(nn.Module):
    """Layers that are given a single sample."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 6, 3, padding=1)
        self.transposed = nn.ConvTranspose2d(6, 4, 2, 2)
        self.adaptive = nn.AdaptiveAvgPool2d((2, 3))
        self.average = nn.AvgPool2d(2)
        self.network = nn.LSTM(3, 5)
        self.cell = nn.GRUCell(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.adaptive(self.transposed(self.convolution(x)))
        x = self.average(x.repeat(1, 2, 2))[0, :, :1].expand(2, 3)
        return self.cell(self.network(x)[0][0])


class InputsByName(nn.Module):
    """Layers that are given their input by name, at which no hook looks."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2)
        self.relu = nn.ReLU()
        self.linear = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(input=self.relu(input=self.pool(input=x).flatten(1)))


class First(nn.Module):
    """The first of the outputs of a module."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x)[0]


class Extended(nn.Linear):
    """A derived class with a layer and a product of its own."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.inner = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(super().forward(x)) @ torch.ones(4, 4)


class ExtendedSequence(nn.Sequential):
    """A derived container with a product of its own."""

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = super().forward(x)
        return result @ torch.ones(4, 4)


def linear_with_child() -> nn.Module:
    """A linear layer that has another one below it, which is not called."""
    layer = nn.Linear(4, 4)
    layer.inner = nn.Linear(4, 5)
    return nn.Sequential(layer, nn.Linear(4, 4))


def encoder(**options: Any) -> nn.Module:
    """Two layers of a transformer."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, **options)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


MakeInputs = Callable[[], tuple[Tensor, ...]]


def random(*shape: int) -> MakeInputs:
    """Makes one input of this shape."""
    return lambda: (torch.rand(*shape),)


IMAGE = random(1, 3, 64, 64)
TOKENS = random(5, 2, 16)

HOOKED_MODELS: dict[str, tuple[Callable[[], nn.Module], MakeInputs]] = {
    "mobilenet_v3_small": (VISION.mobilenet_v3_small, IMAGE),
    "densenet121": (VISION.densenet121, random(2, 3, 64, 64)),
    "shufflenet": (VISION.shufflenet_v2_x0_5, IMAGE),
    "swin_t": (VISION.swin_t, IMAGE),
    "convnext_tiny": (VISION.convnext_tiny, IMAGE),
    "squeezenet": (VISION.squeezenet1_1, IMAGE),
    "efficientnet_b0": (VISION.efficientnet_b0, IMAGE),
    "vision_transformer": (
        lambda: VISION.VisionTransformer(64, 16, 2, 4, 32, 64, num_classes=10),
        IMAGE,
    ),
    "gru": (GruClassifier, lambda: (torch.ones(7, 3, dtype=torch.long),)),
    "functional": (Functional, random(2, 5, 8)),
    "attention_by_name": (AttentionByName, random(4, 3, 8)),
    "inputs_by_name": (InputsByName, random(2, 3, 2, 4)),
    "sharing": (Sharing, random(2, 3, 8, 8)),
    "not_its_own": (NotItsOwn, random(2, 4)),
    "mixture": (Mixture, random(1, 4, 9, 11)),
    "without_batch": (WithoutBatch, random(4, 6, 7)),
    "projected_lstm": (
        lambda: First(nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True)),
        random(4, 6, 3),
    ),
    "extended": (Extended, random(2, 4)),
    "extended_sequence": (lambda: ExtendedSequence(nn.Linear(4, 4)), random(2, 4)),
    "linear_with_child": (linear_with_child, random(2, 4)),
    "encoder": (encoder, TOKENS),
    "encoder_batch_first": (
        lambda: encoder(batch_first=True, norm_first=True, activation="gelu"),
        TOKENS,
    ),
    "weight_norm": (
        lambda: nn.Sequential(
            nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.Linear(4, 4)
        ),
        random(5, 4),
    ),
    "synchronized_norm": (
        lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.SyncBatchNorm(4)),
        random(5, 3, 4, 4),
    ),
    "upwards_pooling": (
        lambda: nn.Sequential(nn.AdaptiveAvgPool2d((9, 11)), nn.AdaptiveAvgPool2d((7, 3))),
        random(1, 5, 7, 5),
    ),
    "volume_pooling": (
        lambda: nn.Sequential(nn.AdaptiveAvgPool3d((3, 5, 7)), nn.AvgPool3d(2, 1)),
        random(1, 5, 7, 11, 13),
    ),
    "single_layer": (lambda: nn.Linear(4, 3), random(2, 4)),
}
