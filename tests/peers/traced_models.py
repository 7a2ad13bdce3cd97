"""The models that counters are compared with which see operations: golden ones, and others.

Every entry is a pair: a function that makes the model, and one that makes its inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from peers.golden_figures import golden_model
from torchvision_shim import torchvision

__all__ = ["TRACED_MODELS", "golden_model"]

Tensor = torch.Tensor


class RecurrentClassifier(nn.Module):
    """Two bidirectional GRU layers over an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 12)
        self.layers = nn.GRU(12, 8, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        steps, _ = self.layers(self.embedding(tokens))
        answer: Tensor = self.head(steps[:, -1])
        return answer


class Cells(nn.Module):
    """A step of each recurrent cell."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTMCell(6, 5)
        self.second = nn.GRUCell(5, 4)
        self.third = nn.RNNCell(4, 3, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.third(self.second(self.first(x)[0]))
        return answer


class Functional(nn.Module):
    """Functions and operators where others have modules."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(6, 3, 3, 3))
        self.weight = nn.Parameter(torch.rand(5, 6))
        self.scale = nn.Parameter(torch.rand(6))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, self.kernel, stride=2, padding=1))
        x = F.layer_norm(x.permute(0, 2, 3, 1), (6,), self.scale)
        x = F.leaky_relu(x).permute(0, 3, 1, 2) * 2
        x = F.interpolate(x, scale_factor=2, mode="bilinear") + F.interpolate(x, scale_factor=2)
        x = F.avg_pool2d(x, 2).flatten(2).transpose(1, 2)
        scores = torch.bmm(x, x.transpose(1, 2)).softmax(-1) @ x
        return torch.einsum("bnc,oc->bno", scores, self.weight).mean(1)


class Shared(nn.Module):
    """A layer in two places, tied weights, a frozen layer, an unused one and a subclass."""

    class Projection(nn.Linear):
        """A linear layer of another class."""

    def __init__(self) -> None:
        super().__init__()
        shared = nn.Linear(8, 8)
        self.left = nn.Sequential(shared, nn.ReLU())
        self.right = nn.Sequential(shared, nn.Tanh(), nn.Identity())
        self.tied = nn.Linear(8, 8, bias=False)
        self.tied.weight = shared.weight
        self.frozen = self.Projection(8, 4).requires_grad_(False)
        self.unused = nn.Linear(3, 3)
        self.many = nn.ModuleList([nn.Linear(4, 4), nn.GELU()])

    def forward(self, x: Tensor) -> Tensor:
        x = self.frozen(self.tied(self.right(self.left(x)) + x))
        for layer in self.many:
            x = layer(x)
        return x


class Attentions(nn.Module):
    """Attention of several kinds: of one tensor, of two, and without its module."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.MultiheadAttention(16, 4, batch_first=True)
        self.other = nn.MultiheadAttention(16, 2, kdim=12, vdim=12)
        self.weights = nn.MultiheadAttention(16, 4, bias=False, batch_first=True)
        self.memory = nn.Parameter(torch.rand(7, 2, 12))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.own(x, x, x, need_weights=False)[0]
        x = x + self.weights(x, x, x)[0]
        query = x.transpose(0, 1)
        x = x + self.other(query, self.memory, self.memory, need_weights=False)[0].transpose(0, 1)
        heads = x.unflatten(-1, (4, 4)).transpose(1, 2)
        return F.scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).flatten(2)


class Decoder(nn.Module):
    """Padded, grouped and transposed convolutions, and norms of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding="same"),
            nn.GroupNorm(2, 8),
            nn.Conv2d(8, 8, 3, padding=1, groups=8, padding_mode="circular"),
            nn.InstanceNorm2d(8, affine=True),
            nn.LeakyReLU(0.1, inplace=True),
            nn.ConvTranspose2d(8, 12, 3, stride=2, groups=2),
            nn.BatchNorm2d(12, track_running_stats=False),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose2d(12, 12, 2, stride=2, bias=False),
            nn.PReLU(),
            nn.AdaptiveAvgPool2d(4),
        )

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.body(x)
        return answer


def _images(*sizes: int) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: (torch.rand(*sizes),)


def _encoder(batch_first: bool) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=batch_first)
        return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    return make


_IMAGE = _images(1, 3, 32, 32)

TRACED_MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Any, ...]]]] = {
    **{
        name: (getattr(torchvision.models, name), _IMAGE)
        for name in (
            "mobilenet_v3_small",
            "densenet121",
            "shufflenet_v2_x0_5",
            "convnext_tiny",
            "squeezenet1_1",
            "efficientnet_b0",
            "swin_t",
        )
    },
    "resnet18 of 3": (torchvision.models.resnet18, _images(3, 3, 32, 32)),
    "recurrent": (RecurrentClassifier, lambda: (torch.randint(30, (2, 5)),)),
    "cells": (Cells, _images(3, 6)),
    "functional": (Functional, _images(2, 3, 16, 16)),
    "shared": (Shared, _images(2, 8)),
    "attentions": (Attentions, _images(2, 5, 16)),
    "decoder": (Decoder, _images(2, 3, 16, 16)),
    "encoder": (_encoder(True), _images(2, 6, 16)),
    "encoder, sequence first": (_encoder(False), _images(6, 2, 16)),
}
