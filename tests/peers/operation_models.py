"""Small models of one operation each, by the names of golden/operations.json.

Every entry is a pair: a function that makes the module, and one that makes its input.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["OPERATIONS"]

Tensor = torch.Tensor


class Wrapped(nn.Module):
    """A layer below the root, so that the root is no layer itself."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        return self.layer(x)


class FirstOutput(Wrapped):
    """The first of a layer's outputs."""

    def forward(self, x: Tensor) -> Any:
        return self.layer(x)[0]


class Function(nn.Module):
    """A function of the input and of parameters, no module's work.

    The identity is there for tools that need a module.
    """

    def __init__(self, function: Callable[..., Tensor], *weights: Tensor) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList([nn.Parameter(weight) for weight in weights])
        self.identity = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.identity(x), *self.weights)


class SelfAttention(nn.Module):
    """An nn.MultiheadAttention of its input; `options` are given to its call."""

    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.options = options

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, **self.options)[0]


class CalledTwice(nn.Module):
    """One convolution that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(self.convolution(x))


class SharedByTwoParents(nn.Module):
    """One convolution that is a child of two modules, and called in each."""

    def __init__(self) -> None:
        super().__init__()
        convolution = nn.Conv2d(4, 4, 3, padding=1)
        self.first = nn.Sequential(convolution)
        self.second = nn.Sequential(convolution)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class TiedWeights(nn.Module):
    """Two linear layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(16, 16, bias=False)
        self.second = nn.Linear(16, 16, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class FrozenPart(nn.Module):
    """Two linear layers, of which the first is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(16, 16).requires_grad_(False)
        self.trained = nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.trained(self.frozen(x))


class UnusedLayer(nn.Module):
    """Two linear layers, of which the second is not called."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(16, 16)
        self.unused = nn.Linear(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


class OwnParameter(nn.Module):
    """A linear layer, and a parameter that belongs to the root."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 16)
        self.offset = nn.Parameter(torch.zeros(1, 16))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.offset


class OwnConvolution(nn.Conv2d):
    """A class of its own that does nothing else than nn.Conv2d."""


MakeModule = Callable[[], nn.Module]
MakeInput = Callable[[], Tensor]


def random(*shape: int) -> MakeInput:
    """Makes an input of this shape."""
    return lambda: torch.rand(*shape)


IMAGE = random(1, 4, 10, 12)
SIGNAL = random(1, 4, 20)
SEQUENCE = random(1, 7, 16)
TOKENS = random(1, 10, 32)
HEADS = random(1, 4, 10, 8)
FEATURES = random(1, 16)
STEPS = random(3, 16)

OPERATIONS: dict[str, tuple[MakeModule, MakeInput]] = {}


def layer(
    name: str,
    make: MakeModule,
    make_input: MakeInput = IMAGE,
    wrapper: Callable[[nn.Module], nn.Module] = Wrapped,
) -> None:
    """Adds a layer inside a wrapper."""
    OPERATIONS[name] = (lambda: wrapper(make())), make_input


def function(
    name: str,
    called: Callable[..., Tensor],
    make_input: MakeInput = IMAGE,
    *weights: tuple[int, ...],
) -> None:
    """Adds a function, with parameters of these shapes.

    It looks up torch's function when it is called: tools that patch functions would not see it
    otherwise.
    """
    OPERATIONS[name] = (lambda: Function(called, *map(torch.rand, weights))), make_input


def model(name: str, make: MakeModule, make_input: MakeInput = FEATURES) -> None:
    """Adds a module as it is."""
    OPERATIONS[name] = make, make_input


layer("conv2d_bias", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1))
layer("conv2d_nobias", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False))
layer("conv2d_bias@b2", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), random(2, 4, 10, 12))
layer("conv2d_groups2", lambda: nn.Conv2d(4, 6, 3, padding=1, groups=2))
layer("conv2d_dw", lambda: nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False))
layer("conv2d_same_dil2", lambda: nn.Conv2d(4, 6, 3, padding="same", dilation=2))
layer("conv1d", lambda: nn.Conv1d(4, 6, 3, padding=1), SIGNAL)
layer("conv3d", lambda: nn.Conv3d(2, 3, 3, padding=1), random(1, 2, 5, 6, 7))
layer("subclass_conv2d", lambda: OwnConvolution(4, 6, 3, stride=2, padding=1))
layer("convT2d_k2s2", lambda: nn.ConvTranspose2d(4, 6, 2, stride=2))
layer(
    "convT2d_k3s2p1op1_nobias",
    lambda: nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, bias=False),
)
layer("convT2d_groups2", lambda: nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2))
layer("convT2d_ci==co", lambda: nn.ConvTranspose2d(4, 4, 2, stride=2))

layer("linear2d_bias", lambda: nn.Linear(16, 8), FEATURES)
layer("linear2d_nobias", lambda: nn.Linear(16, 8, bias=False), FEATURES)
layer("linear3d_bias", lambda: nn.Linear(16, 8), random(1, 5, 16))
layer("linear3d@b2", lambda: nn.Linear(16, 8), random(2, 5, 16))
layer("linear4d", lambda: nn.Linear(16, 8), random(1, 3, 5, 16))

layer("bn2d", lambda: nn.BatchNorm2d(4))
layer("bn2d_noaffine", lambda: nn.BatchNorm2d(4, affine=False))
layer("bn1d", lambda: nn.BatchNorm1d(4), SIGNAL)
layer("ln", lambda: nn.LayerNorm(12))
layer("ln_noaffine", lambda: nn.LayerNorm(12, elementwise_affine=False))
layer("gn", lambda: nn.GroupNorm(2, 4))
layer("in2d_affine", lambda: nn.InstanceNorm2d(4, affine=True))
layer("in2d", lambda: nn.InstanceNorm2d(4))
layer("rmsnorm", lambda: nn.RMSNorm(12))
layer("lrn", lambda: nn.LocalResponseNorm(2))

for activation in (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
):
    layer(f"act_{activation.__name__}", activation)
layer("softmax_dim-1", lambda: nn.Softmax(dim=-1))
layer("logsoftmax", lambda: nn.LogSoftmax(dim=-1))

layer("maxpool_k3s2p1", lambda: nn.MaxPool2d(3, stride=2, padding=1))
layer("avgpool_k3s2p1", lambda: nn.AvgPool2d(3, stride=2, padding=1))
layer("adaavg_1", lambda: nn.AdaptiveAvgPool2d(1))
layer("adaavg_3x5(of 10x12)", lambda: nn.AdaptiveAvgPool2d((3, 5)))
layer("adaavg_identity", lambda: nn.AdaptiveAvgPool2d((10, 12)))
layer("adamax_1", lambda: nn.AdaptiveMaxPool2d(1))
layer("avgpool1d", lambda: nn.AvgPool1d(2), SIGNAL)
function("mean_dims", lambda x: x.mean((2, 3)))

for mode in ("nearest", "bilinear", "bicubic"):
    layer(f"upsample_{mode}", lambda mode=mode: nn.Upsample(scale_factor=2, mode=mode))
    layer(f"upsample_size_{mode}", lambda mode=mode: nn.Upsample(size=(20, 24), mode=mode))
function("F.interpolate_bilinear_size", lambda x: F.interpolate(x, size=(20, 24), mode="bilinear"))
function("F.interpolate_nearest_scale", lambda x: F.interpolate(x, scale_factor=2))

layer("pixelshuffle", lambda: nn.PixelShuffle(2))
layer("dropout", nn.Dropout)
layer("flatten", nn.Flatten)
layer("zeropad", lambda: nn.ZeroPad2d(1))
layer("identity", nn.Identity)

for bias in (True, False):
    layer(
        f"lstm_bias{int(bias)}",
        lambda bias=bias: nn.LSTM(16, 8, bias=bias, batch_first=True),
        SEQUENCE,
        FirstOutput,
    )
for name, sequence in (("lstm_2l_bi", SEQUENCE), ("lstm_2l_bi@b3", random(3, 7, 16))):
    layer(
        name,
        lambda: nn.LSTM(16, 8, num_layers=2, batch_first=True, bidirectional=True),
        sequence,
        FirstOutput,
    )
layer("lstm_seqfirst_b3", lambda: nn.LSTM(16, 8), random(7, 3, 16), FirstOutput)
layer("gru", lambda: nn.GRU(16, 8, batch_first=True), SEQUENCE, FirstOutput)
layer(
    "gru_2l_bi",
    lambda: nn.GRU(16, 8, num_layers=2, batch_first=True, bidirectional=True),
    SEQUENCE,
    FirstOutput,
)
layer("rnn", lambda: nn.RNN(16, 8, batch_first=True), SEQUENCE, FirstOutput)
layer("lstmcell", lambda: nn.LSTMCell(16, 8), STEPS, FirstOutput)
layer("grucell", lambda: nn.GRUCell(16, 8), STEPS)
layer("rnncell", lambda: nn.RNNCell(16, 8), STEPS)

model("mha_needweights", SelfAttention, TOKENS)
model("mha_noweights", lambda: SelfAttention(need_weights=False), TOKENS)
model("mha_noweights@b2", lambda: SelfAttention(need_weights=False), random(2, 10, 32))

function("F.sdpa", lambda x: F.scaled_dot_product_attention(x, x, x), HEADS)
function("matmul_@", lambda x: x @ x.transpose(-1, -2), HEADS)
function("torch.matmul", lambda x: torch.matmul(x, x.transpose(-1, -2)), HEADS)
function("torch.bmm", lambda x: torch.bmm(x, x.transpose(-1, -2)), random(4, 10, 8))
function("einsum", lambda x: torch.einsum("bhqd,bhkd->bhqk", x, x), HEADS)
function("add_op", lambda x: x + x)
function("torch.add", lambda x: torch.add(x, x))
function("mul_op", lambda x: x * x)
function("torch.mul", lambda x: torch.mul(x, x))
function("mul_bcast", lambda x: torch.mul(x, x[:, :, :1, :1]))
function("div_op", lambda x: x / 2)
function("F.relu", lambda x: F.relu(x, inplace=False))
function("F.softmax", lambda x: F.softmax(x, -1))
function("tensor.softmax", lambda x: x.softmax(-1))
function("F.linear", lambda x, weight: F.linear(x, weight, None), FEATURES, (8, 16))
function("F.conv2d", lambda x, weight: F.conv2d(x, weight, None), IMAGE, (6, 4, 3, 3))
function("cat", lambda x: torch.cat([x, x], 1))
function("F.adaptive_avg_pool2d", lambda x: F.adaptive_avg_pool2d(x, 1))
layer("embedding", lambda: nn.Embedding(50, 16), lambda: torch.full((1, 7), 3))

model("twice_called_conv", CalledTwice, IMAGE)
model("shared_by_two_parents", SharedByTwoParents, IMAGE)
model("tied_weights", TiedWeights)
model("frozen_part", FrozenPart)
model("unused_layer", UnusedLayer)
model("own_param", OwnParameter)
model("root_is_leaf_conv", lambda: nn.Conv2d(4, 6, 3, stride=2, padding=1), IMAGE)
model(
    "sequential_root",
    lambda: nn.Sequential(nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.ReLU()),
    IMAGE,
)
layer("encoder_layer", lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), TOKENS)
