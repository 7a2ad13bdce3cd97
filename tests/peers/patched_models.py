"""Models for tools that replace functions of torch and hook modules: what either sees, or misses.

Every entry is a pair: a function that makes the model, and the shape of one image or sequence.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from torchvision_shim import torchvision

__all__ = ["IMAGE", "PATCHED_MODELS"]

Tensor = torch.Tensor
VISION = torchvision.models
#: The size of images, where they are large.
IMAGE = (3, 64, 64)


class Classifier(nn.Module):
    """Two bidirectional GRU layers between linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(8, 16)
        self.network = nn.GRU(16, 8, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Any:
        return self.head(self.network(self.embedding(x))[0][:, -1])


class Projected(nn.Module):
    """An LSTM with projections, and one of the usual kind without biases; cells of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LSTM(8, 16, 2, proj_size=4, batch_first=True)
        self.second = nn.LSTM(4, 5, bidirectional=True, bias=False)
        self.cells = nn.ModuleList([nn.GRUCell(10, 10), nn.RNNCell(10, 10, bias=False)])

    def forward(self, x: Tensor) -> Any:
        x = self.second(self.first(x)[0])[0][:, -1]
        for cell in self.cells:
            x = cell(x)
        return x


class Functional(nn.Module):
    """Functions and operators where others have modules."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.weight = nn.Parameter(torch.ones(36, 12))
        self.bias = nn.Parameter(torch.ones(12))
        self.power = nn.LPPool2d(2, 2)
        self.response = nn.LocalResponseNorm(3)

    def forward(self, x: Tensor) -> Any:
        x = F.elu(F.silu(F.relu6(F.relu(self.convolution(x)))))
        x = F.interpolate(self.response(self.power(x)), size=(9, 9), mode="area")
        x = F.interpolate(F.leaky_relu(x), scale_factor=1.5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = F.upsample(x, size=26)
        x = F.adaptive_max_pool2d(x, (3, 3))
        row = torch.addmm(self.bias, x.flatten(1), self.weight)
        row = torch.mul(row, 2).add(3).add(row)
        row = torch.add(row, row[:1], alpha=2)
        first = torch.baddbmm(torch.zeros(1, 1, 1), row.unsqueeze(1), row.unsqueeze(2))
        maps = x.flatten(2)
        second = maps.matmul(maps.transpose(1, 2))
        third = torch.einsum("bij, bjk -> bik", second, second)
        fourth = F.scaled_dot_product_attention(third, third, third)
        fifth = F.scaled_dot_product_attention(third[None], third[None], third[None])
        vector = torch.mv(self.weight.t()[:, :12], row[0])
        products = torch.bmm(third, third), third[0].mm(third[0]), third @ third
        return first, fourth, fifth, F.layer_norm(vector, (12,)), *products


class Shared(nn.Module):
    """A block in two places, upsampling of every kind, own and unused parameters, a frozen one."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())
        self.blocks = nn.ModuleList([block, nn.Sequential(block, nn.BatchNorm2d(3))])
        self.upsample = nn.Upsample(scale_factor=2)
        self.bilinear = nn.UpsamplingBilinear2d(scale_factor=2)
        self.area = nn.Upsample(size=(4, 4), mode="area")
        self.scale = nn.Parameter(torch.ones(3, 1, 1))
        self.unused = nn.Linear(3, 3)
        self.unused.weight.requires_grad = False

    def forward(self, x: Tensor) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.area(self.bilinear(self.upsample(x))) * self.scale


class Attentions(nn.Module):
    """An attention of a sequence with itself, under a mask, and with a part of it."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True, **options)

    def forward(self, x: Tensor) -> Any:
        x = self.norm(x)
        mask = torch.zeros(x.shape[1], x.shape[1])
        masked, _ = self.attention(x, x, x, attn_mask=mask)
        part, _ = self.attention(x, x[:, :3], x[:, :3])
        return masked, part, self.attention(x, x, x, need_weights=False)[0]


class Mixer(nn.Module):
    """Linear layers of transposed and cut tensors, one of which is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 5))
        self.channels = nn.Linear(16, 16)
        self.frozen = nn.Linear(16, 4).requires_grad_(False)
        self.last = nn.Linear(4, 2, bias=False)

    def forward(self, x: Tensor) -> Any:
        x = self.tokens(x.transpose(1, 2)).transpose(1, 2)
        x = self.channels(x + 1) + self.channels(torch.relu(x.transpose(0, 1)).transpose(0, 1))
        query, key = x.unflatten(2, (2, 8)).permute(2, 0, 1, 3).flatten(3).unbind(0)
        return self.last(self.frozen(torch.cat([query, key], 2)[:, 1:])), self.channels(x[:, ::2])


class Derived(nn.Conv2d):
    """A convolution of another class."""


def layers() -> nn.Module:
    """Layers with uncommon arguments, and classes that have no hook."""
    return nn.Sequential(
        Derived(3, 4, 3),
        nn.SyncBatchNorm(4),
        nn.BatchNorm2d(4, affine=False, track_running_stats=False),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.InstanceNorm2d(4, affine=True),
        nn.GroupNorm(2, 4),
        nn.Softmax2d(),
        nn.ReLU6(),
        nn.LeakyReLU(),
        nn.PReLU(4),
        nn.Hardswish(),
        nn.GELU(approximate="tanh"),
        nn.ConvTranspose2d(4, 4, 3, 2, 1, groups=2),
        nn.Conv2d(4, 8, (3, 1), padding="same", padding_mode="circular"),
        nn.Conv2d(8, 8, (2, 4), padding="same"),
        nn.Conv2d(8, 8, 3, padding="valid", stride=2),
        nn.Upsample(size=7),
        nn.AvgPool2d(2),
    )


def encoder(batch_first: bool = True, trained: bool = True) -> Callable[[], nn.Module]:
    """Makes two layers of a transformer."""

    def make() -> nn.Module:
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=batch_first)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return nn.TransformerEncoder(layer, 2).requires_grad_(trained)

    return make


PATCHED_MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mobilenet_v3_small": (VISION.mobilenet_v3_small, IMAGE),
    "densenet121": (VISION.densenet121, IMAGE),
    "shufflenet": (VISION.shufflenet_v2_x0_5, IMAGE),
    "swin_t": (VISION.swin_t, IMAGE),
    "convnext_tiny": (VISION.convnext_tiny, IMAGE),
    "squeezenet": (VISION.squeezenet1_1, IMAGE),
    "efficientnet_b0": (VISION.efficientnet_b0, IMAGE),
    "recurrent": (Classifier, (6, 8)),
    "projected": (Projected, (6, 8)),
    "functional": (Functional, (3, 13, 13)),
    "shared": (Shared, (3, 8, 8)),
    "attentions": (Attentions, (5, 16)),
    "attentions with biases": (
        lambda: Attentions(add_bias_kv=True, add_zero_attn=True),
        (5, 16),
    ),
    "frozen attentions": (lambda: Attentions().requires_grad_(False), (5, 16)),
    "mixer": (Mixer, (5, 16)),
    "layers": (layers, (3, 19, 19)),
    "encoder": (encoder(), (5, 16)),
    "encoder, sequence first": (encoder(batch_first=False), (5, 16)),
    "frozen encoder": (encoder(trained=False), (5, 16)),
}
