"""Modules of which something is left to choose: sizes, layers, depth.

A `Choice` stands where a module below takes a size; arithmetic on it gives further sizes. In eager
torch every module runs its current choice: weights are held at their largest sizes and sliced, as
once-for-all does, so that one set of weights serves and trains all of them. `netledger.from_torch`
makes a design space of the whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netledger.errors import NetledgerError, SpaceError
from netledger.quantity import Rational
from netledger.torch._values import FOLLOWING, Expression, Variable, current, values_of

__all__ = [
    "Alternatives",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Embedding",
    "GroupNorm",
    "InputChoice",
    "LayerChoice",
    "LayerNorm",
    "Linear",
    "MutableLayer",
    "Repeat",
]


# -- sizes -----------------------------------------------------------------------------------------


def _largest(value: Any) -> int:
    return values_of(value)[-1]


def _size(name: str, value: Any) -> Any:
    """A size that a module is given: an int or an expression."""
    if isinstance(value, Expression):
        return value
    if isinstance(value, Rational):
        raise SpaceError(
            f"{name} must be an integer, got {value!r}: make one of it with nl.floor, nl.ceil, "
            "nl.round_to or nl.make_divisible"
        )
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise SpaceError(f"{name} must be an int or a Choice, got {value!r}")
    return int(value)


def _sizes(name: str, value: Any, count: int) -> tuple[Any, ...]:
    """One size for every dimension."""
    if not isinstance(value, list | tuple):
        return (_size(name, value),) * count
    if len(value) != count:
        raise SpaceError(f"{name} must be one size or {count}, got {value!r}")
    return tuple(_size(name, entry) for entry in value)


def resolved(value: Any) -> Any:
    """A size, or a tuple of sizes, as torch and the running trace take it."""
    if isinstance(value, tuple):
        return tuple(map(resolved, value))
    return value.value if isinstance(value, Expression) else value


# -- layers ----------------------------------------------------------------------------------------


class MutableLayer(nn.Module):
    """A layer whose sizes may be choices; its weights are as large as the largest of them."""

    def forward(self, input: Tensor) -> Tensor:
        trace = FOLLOWING.trace
        if trace is not None:
            op, attributes, weights = self._layer()
            given = {name: resolved(value) for name, value in attributes.items()}
            recorded: Tensor = trace.mutable_layer(op, input, given, weights)
            return recorded
        return self._compute(input)

    def weight_sizes(self) -> dict[str, tuple[Any, ...]]:
        """The sizes, choices among them, of every parameter and buffer."""
        raise NotImplementedError

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        """The layer of the rule book: op, attributes, weights in its order."""
        raise NotImplementedError

    def _compute(self, input: Tensor) -> Tensor:
        raise NotImplementedError

    def _take(self, largest: nn.Module) -> None:
        """The parameters and buffers of torch's own layer of the largest sizes."""
        for name, parameter in largest._parameters.items():
            self.register_parameter(name, parameter)
        for name, buffer in largest._buffers.items():
            self.register_buffer(name, buffer)

    def _sliced(self, name: str) -> Tensor:
        """The first entries of a weight, as many as are chosen in every dimension."""
        weight: Tensor = getattr(self, name)
        for dim, size in enumerate(self.weight_sizes()[name]):
            wanted = current(size)
            if wanted != weight.shape[dim]:
                weight = weight.narrow(dim, 0, wanted)
        return weight

    def _optional(self, name: str) -> Tensor | None:
        return None if getattr(self, name) is None else self._sliced(name)

    def _shown(self) -> Iterator[tuple[str, Any]]:
        """What ``print`` says of the layer."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self._shown())


class _Convolution(MutableLayer):
    """What convolutions share."""

    _SPATIAL = 2
    _TRANSPOSED = False
    _LARGEST: type[nn.Module] = nn.Conv2d

    weight: Tensor
    bias: Tensor | None

    def _prepare(
        self,
        in_channels: Any,
        out_channels: Any,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: Any,
        bias: bool,
        factory: dict[str, Any],
    ) -> None:
        count = self._SPATIAL
        self.in_channels = _size("in_channels", in_channels)
        self.out_channels = _size("out_channels", out_channels)
        self.kernel_size = _sizes("kernel_size", kernel_size, count)
        self.stride = _sizes("stride", stride, count)
        self.padding = padding if isinstance(padding, str) else _sizes("padding", padding, count)
        self.dilation = _sizes("dilation", dilation, count)
        self.groups = _size("groups", groups)
        # A filter reads, or a transposed one writes, the channels of its group.
        one, other = self.in_channels, self.out_channels
        self._in_group = (other if self._TRANSPOSED else one) // self.groups
        sizes = _largest(self._in_group), _largest(one if self._TRANSPOSED else other)
        kernel = tuple(map(_largest, self.kernel_size))
        given = sizes[::-1] if self._TRANSPOSED else sizes
        self._take(self._LARGEST(*given, kernel, bias=False, **factory))
        if bias:
            # As torch does, within 1 / sqrt of what a filter reads.
            bound = 1 / math.sqrt(max(1, math.prod(self.weight.shape[1:])))
            largest = torch.empty(_largest(self.out_channels), **factory)
            self.bias = nn.Parameter(nn.init.uniform_(largest, -bound, bound))
        else:
            self.register_parameter("bias", None)

    def weight_sizes(self) -> dict[str, tuple[Any, ...]]:
        first = self.in_channels if self._TRANSPOSED else self.out_channels
        return {
            "weight": (first, self._in_group, *self.kernel_size),
            "bias": (self.out_channels,),
        }

    def _filters(self) -> Tensor:
        """The first channels, and the middle of the largest kernel."""
        sizes = [current(size) for size in self.weight_sizes()["weight"]]
        weight = self.weight
        for dim, size in enumerate(sizes):
            if size != weight.shape[dim]:
                start = 0 if dim < 2 else (weight.shape[dim] - size) // 2
                weight = weight.narrow(dim, start, size)
        return weight

    def _attributes(self) -> dict[str, Any]:
        return {
            "out_channels": self.out_channels,
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
            "bias": self.bias is not None,
        }

    def _shown(self) -> Iterator[tuple[str, Any]]:
        yield "in_channels", self.in_channels
        yield from self._attributes().items()

    def _require_channels(self, input: Tensor) -> None:
        channels = input.shape[-1 - self._SPATIAL]
        if channels != current(self.in_channels):
            raise NetledgerError(
                f"{type(self).__name__} reads {current(self.in_channels)} channels "
                f"(in_channels={self.in_channels!r}), but the input has shape {tuple(input.shape)}"
            )


class _PlainConvolution(_Convolution):
    """Convolutions.

    Args:
        in_channels: an int or a `Choice`, as all sizes here.
        out_channels: likewise.
        kernel_size: one size, or one for every dimension. A kernel smaller than the largest is the
            middle of it.
        stride: likewise.
        padding: likewise, or ``"same"`` or ``"valid"``.
        dilation: likewise.
        groups: divides both numbers of channels.
        bias: whether there is one.
    """

    def __init__(
        self,
        in_channels: Any,
        out_channels: Any,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: Any = 1,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        factory = {"device": device, "dtype": dtype}
        sizes = in_channels, out_channels, kernel_size, stride, padding, dilation, groups
        self._prepare(*sizes, bias, factory)

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        weights = [self.weight] if self.bias is None else [self.weight, self.bias]
        return f"conv{self._SPATIAL}d", self._attributes(), list(weights)

    def _compute(self, input: Tensor) -> Tensor:
        self._require_channels(input)
        function = getattr(F, f"conv{self._SPATIAL}d")
        padding = self.padding if isinstance(self.padding, str) else resolved(self.padding)
        output: Tensor = function(
            input,
            self._filters(),
            self._optional("bias"),
            resolved(self.stride),
            padding,
            resolved(self.dilation),
            resolved(self.groups),
        )
        return output


class Conv1d(_PlainConvolution):
    __doc__ = f"``torch.nn.Conv1d``, sizes may be choices. {_PlainConvolution.__doc__}"
    _SPATIAL = 1
    _LARGEST = nn.Conv1d


class Conv2d(_PlainConvolution):
    __doc__ = f"``torch.nn.Conv2d``, sizes may be choices. {_PlainConvolution.__doc__}"
    _SPATIAL = 2
    _LARGEST = nn.Conv2d


class Conv3d(_PlainConvolution):
    __doc__ = f"``torch.nn.Conv3d``, sizes may be choices. {_PlainConvolution.__doc__}"
    _SPATIAL = 3
    _LARGEST = nn.Conv3d


class _TransposedConvolution(_Convolution):
    """Transposed convolutions.

    Args:
        in_channels: an int or a `Choice`, as all sizes here.
        out_channels: likewise.
        kernel_size: one size, or one for every dimension. A kernel smaller than the largest is the
            middle of it.
        stride: likewise.
        padding: likewise.
        output_padding: likewise.
        groups: divides both numbers of channels.
        bias: whether there is one.
        dilation: one size, or one for every dimension.
    """

    _TRANSPOSED = True

    def __init__(
        self,
        in_channels: Any,
        out_channels: Any,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: Any = 1,
        bias: bool = True,
        dilation: Any = 1,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(padding, str):
            raise SpaceError(f"a transposed convolution takes padding in numbers, got {padding!r}")
        self.output_padding = _sizes("output_padding", output_padding, self._SPATIAL)
        factory = {"device": device, "dtype": dtype}
        sizes = in_channels, out_channels, kernel_size, stride, padding, dilation, groups
        self._prepare(*sizes, bias, factory)

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        weights = [self.weight] if self.bias is None else [self.weight, self.bias]
        attributes = {**self._attributes(), "output_padding": self.output_padding}
        return f"conv_transpose{self._SPATIAL}d", attributes, list(weights)

    def _compute(self, input: Tensor) -> Tensor:
        self._require_channels(input)
        function = getattr(F, f"conv_transpose{self._SPATIAL}d")
        output: Tensor = function(
            input,
            self._filters(),
            self._optional("bias"),
            resolved(self.stride),
            resolved(self.padding),
            resolved(self.output_padding),
            resolved(self.groups),
            resolved(self.dilation),
        )
        return output


class ConvTranspose1d(_TransposedConvolution):
    __doc__ = (
        f"``torch.nn.ConvTranspose1d``, sizes may be choices. {_TransposedConvolution.__doc__}"
    )
    _SPATIAL = 1
    _LARGEST = nn.ConvTranspose1d


class ConvTranspose2d(_TransposedConvolution):
    __doc__ = (
        f"``torch.nn.ConvTranspose2d``, sizes may be choices. {_TransposedConvolution.__doc__}"
    )
    _SPATIAL = 2
    _LARGEST = nn.ConvTranspose2d


class ConvTranspose3d(_TransposedConvolution):
    __doc__ = (
        f"``torch.nn.ConvTranspose3d``, sizes may be choices. {_TransposedConvolution.__doc__}"
    )
    _SPATIAL = 3
    _LARGEST = nn.ConvTranspose3d


class Linear(MutableLayer):
    """``torch.nn.Linear``, sizes may be choices.

    Args:
        in_features: an int or a `Choice`.
        out_features: likewise.
        bias: whether there is one.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_features: Any,
        out_features: Any,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = _size("in_features", in_features)
        self.out_features = _size("out_features", out_features)
        sizes = _largest(self.in_features), _largest(self.out_features)
        self._take(nn.Linear(*sizes, bias=bias, device=device, dtype=dtype))

    def weight_sizes(self) -> dict[str, tuple[Any, ...]]:
        return {"weight": (self.out_features, self.in_features), "bias": (self.out_features,)}

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        attributes = {"out_features": self.out_features, "bias": self.bias is not None}
        weights = [self.weight] if self.bias is None else [self.weight, self.bias]
        return "linear", attributes, list(weights)

    def _compute(self, input: Tensor) -> Tensor:
        return F.linear(input, self._sliced("weight"), self._optional("bias"))

    def _shown(self) -> Iterator[tuple[str, Any]]:
        yield "in_features", self.in_features
        yield "out_features", self.out_features
        yield "bias", self.bias is not None


class Embedding(MutableLayer):
    """``torch.nn.Embedding``, sizes may be choices; fewer embeddings are the first ones.

    Args:
        num_embeddings: an int or a `Choice`.
        embedding_dim: likewise.
    """

    weight: Tensor

    def __init__(
        self, num_embeddings: Any, embedding_dim: Any, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_embeddings = _size("num_embeddings", num_embeddings)
        self.embedding_dim = _size("embedding_dim", embedding_dim)
        sizes = _largest(self.num_embeddings), _largest(self.embedding_dim)
        self._take(nn.Embedding(*sizes, device=device, dtype=dtype))

    def weight_sizes(self) -> dict[str, tuple[Any, ...]]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        return "embedding", dict(self._shown()), [self.weight]

    def _compute(self, input: Tensor) -> Tensor:
        return F.embedding(input, self._sliced("weight"))

    def _shown(self) -> Iterator[tuple[str, Any]]:
        yield "num_embeddings", self.num_embeddings
        yield "embedding_dim", self.embedding_dim


class _BatchNorm(MutableLayer):
    """Batch normalization of the first channels.

    Args:
        num_features: an int or a `Choice`.
        eps: added to the variance.
        momentum: of the running statistics; None for their plain mean.
        affine: whether there are weight and bias.
        track_running_stats: whether there are running statistics.
    """

    _LARGEST: type[nn.Module] = nn.BatchNorm2d
    _RANKS: tuple[int, ...] = (4,)

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: Any,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_features = _size("num_features", num_features)
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._take(
            self._LARGEST(
                _largest(self.num_features),
                affine=affine,
                track_running_stats=track_running_stats,
                device=device,
                dtype=dtype,
            )
        )

    def weight_sizes(self) -> dict[str, tuple[Any, ...]]:
        names = ("weight", "bias", "running_mean", "running_var")
        return {**dict.fromkeys(names, (self.num_features,)), "num_batches_tracked": ()}

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        attributes = {"affine": self.affine, "track_running_stats": self.track_running_stats}
        weights = [self.weight, self.bias] if self.affine else []
        if self.track_running_stats:
            # The third buffer, num_batches_tracked, is not read in inference.
            weights += [self.running_mean, self.running_var, None]
        return "batch_norm", attributes, weights

    def forward(self, input: Tensor) -> Tensor:
        """As torch's, of inputs of the ranks that torch's takes."""
        if input.dim() not in self._RANKS:
            ranks = " or ".join(map(str, self._RANKS))
            raise NetledgerError(
                f"{type(self).__name__} takes inputs of {ranks} dimensions, got shape "
                f"{tuple(input.shape)}"
            )
        return super().forward(input)

    def _compute(self, input: Tensor) -> Tensor:
        factor = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked)
        return F.batch_norm(
            input,
            self._optional("running_mean"),
            self._optional("running_var"),
            self._optional("weight"),
            self._optional("bias"),
            self.training or self.running_mean is None,
            factor,
            self.eps,
        )

    def _shown(self) -> Iterator[tuple[str, Any]]:
        yield "num_features", self.num_features
        yield "affine", self.affine
        yield "track_running_stats", self.track_running_stats


class BatchNorm1d(_BatchNorm):
    __doc__ = f"``torch.nn.BatchNorm1d``, its size may be a choice. {_BatchNorm.__doc__}"
    _LARGEST = nn.BatchNorm1d
    _RANKS = (2, 3)


class BatchNorm2d(_BatchNorm):
    __doc__ = f"``torch.nn.BatchNorm2d``, its size may be a choice. {_BatchNorm.__doc__}"
    _LARGEST = nn.BatchNorm2d
    _RANKS = (4,)


class BatchNorm3d(_BatchNorm):
    __doc__ = f"``torch.nn.BatchNorm3d``, its size may be a choice. {_BatchNorm.__doc__}"
    _LARGEST = nn.BatchNorm3d
    _RANKS = (5,)


class LayerNorm(MutableLayer):
    """``torch.nn.LayerNorm``, sizes may be choices.

    Args:
        normalized_shape: one size or several: an int or a `Choice` each.
        eps: added to the variance.
        elementwise_affine: whether there are weights.
        bias: whether there is a bias, if there are weights.
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        count = len(normalized_shape) if isinstance(normalized_shape, list | tuple) else 1
        self.normalized_shape = _sizes("normalized_shape", normalized_shape, count)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        largest = tuple(map(_largest, self.normalized_shape))
        self._take(nn.LayerNorm(largest, eps, elementwise_affine, bias, device, dtype))

    def weight_sizes(self) -> dict[str, tuple[Any, ...]]:
        return {"weight": self.normalized_shape, "bias": self.normalized_shape}

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        attributes = {
            "normalized_shape": self.normalized_shape,
            "elementwise_affine": self.weight is not None,
            "bias": self.bias is not None,
        }
        weights = [weight for weight in (self.weight, self.bias) if weight is not None]
        return "layer_norm", attributes, list(weights)

    def _compute(self, input: Tensor) -> Tensor:
        shape = list(resolved(self.normalized_shape))
        weights = self._optional("weight"), self._optional("bias")
        return F.layer_norm(input, shape, *weights, self.eps)

    def _shown(self) -> Iterator[tuple[str, Any]]:
        yield "normalized_shape", self.normalized_shape
        yield "elementwise_affine", self.elementwise_affine


class GroupNorm(MutableLayer):
    """``torch.nn.GroupNorm``, sizes may be choices.

    Args:
        num_groups: an int or a `Choice`.
        num_channels: likewise.
        eps: added to the variance.
        affine: whether there are weight and bias.
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        num_groups: Any,
        num_channels: Any,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_groups = _size("num_groups", num_groups)
        self.num_channels = _size("num_channels", num_channels)
        self.eps = eps
        self.affine = affine
        channels = _largest(self.num_channels)
        self._take(nn.GroupNorm(1, channels, eps, affine, device, dtype))

    def weight_sizes(self) -> dict[str, tuple[Any, ...]]:
        return {"weight": (self.num_channels,), "bias": (self.num_channels,)}

    def _layer(self) -> tuple[str, dict[str, Any], list[Tensor | None]]:
        attributes = {"num_groups": self.num_groups, "affine": self.affine}
        return "group_norm", attributes, [self.weight, self.bias] if self.affine else []

    def _compute(self, input: Tensor) -> Tensor:
        weights = self._optional("weight"), self._optional("bias")
        return F.group_norm(input, resolved(self.num_groups), *weights, self.eps)

    def _shown(self) -> Iterator[tuple[str, Any]]:
        yield "num_groups", self.num_groups
        yield "num_channels", self.num_channels
        yield "affine", self.affine


# -- structure -------------------------------------------------------------------------------------


class Unchosen(NamedTuple):
    """A module that does not run now, by its container and its name there."""

    container: nn.Module
    name: str


class Alternatives(nn.Module):
    """A module of which some children run, and others do not."""

    def unchosen(self) -> list[Unchosen]:
        """The children that do not run now."""
        raise NotImplementedError


class LayerChoice(Alternatives):
    """One of several layers.

    Args:
        candidates: modules by label, or a list of them, whose labels are 0, 1, ...
        name: the name of the variable; those of one name and labels are one variable.
        default: the label that is chosen at first; the first if left out.

    Raises:
        SpaceError: no candidates, one that is no module, or a default that is none of the labels.
    """

    def __init__(
        self,
        candidates: Mapping[str, nn.Module] | Sequence[nn.Module],
        name: str,
        default: Any = None,
    ) -> None:
        super().__init__()
        by_label = isinstance(candidates, Mapping | nn.ModuleDict)
        pairs = list(candidates.items() if by_label else enumerate(candidates))  # type: ignore[union-attr]
        labels = [label for label, _ in pairs]
        given = [candidate for _, candidate in pairs]
        for candidate in given:
            if not isinstance(candidate, nn.Module):
                raise SpaceError(
                    f"layer choice '{name}': a candidate is a module, got {candidate!r}"
                )
        self.choice = Variable(name, labels, default)
        self.candidates: nn.Module
        if by_label:
            self.candidates = nn.ModuleDict(dict(zip(labels, given, strict=True)))
        else:
            self.candidates = nn.ModuleList(given)

    def labelled(self) -> list[nn.Module]:
        """The candidates, in the order of the labels."""
        # A container keeps None where an entry was taken out; there are none here.
        modules = self.candidates._modules
        return [modules[str(label)] for label in self.choice.values]  # type: ignore[misc]

    def unchosen(self) -> list[Unchosen]:
        """The candidates that are not chosen."""
        labels = self.choice.values
        others = [label for code, label in enumerate(labels) if code != self.choice.code]
        return [Unchosen(self.candidates, str(label)) for label in others]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the chosen candidate makes of the arguments."""
        trace = FOLLOWING.trace
        if trace is not None and trace.makes_space:
            return trace.layer_choice(self, args, kwargs)
        return self.labelled()[self.choice.code](*args, **kwargs)

    def extra_repr(self) -> str:
        return f"name={self.choice.name!r}, now {self.choice.value!r}"


class InputChoice(nn.Module):
    """One of several tensors.

    Args:
        count: of how many.
        name: the name of the variable, whose values are 0, 1, ...
        default: the position that is chosen at first.
    """

    def __init__(self, count: int, name: str, default: int = 0) -> None:
        super().__init__()
        self.choice = Variable(name, range(count), default)

    def forward(self, *inputs: Any) -> Any:
        """The chosen one; given as several arguments or as one list."""
        given = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], list | tuple) else inputs
        if len(given) != len(self.choice.values):
            raise NetledgerError(
                f"input choice '{self.choice.name}' chooses among {len(self.choice.values)} "
                f"tensors, got {len(given)}"
            )
        trace = FOLLOWING.trace
        if trace is not None and trace.makes_space:
            return trace.input_choice(self, list(given))
        return given[self.choice.code]

    def extra_repr(self) -> str:
        return f"name={self.choice.name!r}, now {self.choice.value!r}"


class Repeat(Alternatives):
    """The first blocks of several, one after the other.

    Args:
        blocks: the modules; or a function that makes the block of an index, called up to the
            largest depth.
        depth: how many of them run: an int, a `Choice`, or an expression of choices.

    Raises:
        SpaceError: a depth that is negative, or more than there are blocks.
    """

    def __init__(
        self, blocks: Callable[[int], nn.Module] | Iterable[nn.Module], depth: Any
    ) -> None:
        super().__init__()
        self.depth = _size("depth", depth)
        depths = values_of(self.depth)
        if depths[0] < 0:
            raise SpaceError(f"a depth must not be negative, got {depths[0]}")
        if isinstance(blocks, nn.Module) and not isinstance(blocks, nn.ModuleList | nn.Sequential):
            raise SpaceError(
                "a repeat takes a list of blocks or a function that makes one, got the module "
                f"{type(blocks).__name__}: identical blocks are made by lambda i: Block(...)"
            )
        given: Any = blocks
        if not isinstance(blocks, nn.Module) and callable(blocks):
            given = [blocks(index) for index in range(depths[-1])]
        self.blocks = nn.ModuleList(given)
        if depths[-1] > len(self.blocks):
            raise SpaceError(f"a depth of {depths[-1]}, but there are {len(self.blocks)} blocks")

    def unchosen(self) -> list[Unchosen]:
        """The blocks that are too deep."""
        last = len(self.blocks)
        return [Unchosen(self.blocks, str(i)) for i in range(current(self.depth), last)]

    def forward(self, input: Any, *args: Any, **kwargs: Any) -> Any:
        """The blocks in turn: each gets what the one before made, and the other arguments."""
        trace = FOLLOWING.trace
        if trace is not None and trace.makes_space:
            return trace.repeat(self, input, args, kwargs)
        for index in range(current(self.depth)):
            input = self.blocks[index](input, *args, **kwargs)
        return input

    def extra_repr(self) -> str:
        return f"depth={self.depth!r}"
