"""Modules of torch.nn whose call is one layer: answered without running their Python.

Only for a module of exactly this class, without hooks and without a ``forward`` of its own; the
layer is the one that its forward would have recorded, at a fraction of the time. LPPool and
LocalResponseNorm, which torch composes of several operations, are one layer here, as they are in
the rule book.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from netledger.torch import aten

if TYPE_CHECKING:
    from netledger.torch._tensor import TracedTensor
    from netledger.torch.tracer import Tracer

__all__ = ["LEAVES"]

Leaf = Callable[["Tracer", Any, "TracedTensor"], Any]

#: From the exact class of a module to the layer that its call is.
LEAVES: dict[type[nn.Module], Leaf] = {}


def _convolution(spatial: int) -> Leaf:
    handler = aten.handler_of(f"conv{spatial}d.default")

    def leaf(trace: Tracer, module: Any, input: TracedTensor) -> Any:
        if module.padding_mode != "zeros":
            return module.forward(input)
        weights = module._parameters
        return handler(
            trace,
            input,
            weights["weight"],
            weights["bias"],
            module.stride,
            module.padding,
            module.dilation,
            module.groups,
        )

    return leaf


def _batch_norm(rank: tuple[int, ...]) -> Leaf:
    handler = aten.handler_of("batch_norm")

    def leaf(trace: Tracer, module: Any, input: TracedTensor) -> Any:
        if input.dim() not in rank:
            return module.forward(input)  # says what is wrong
        weights, buffers = module._parameters, module._buffers
        mean = buffers["running_mean"]
        return handler(
            trace,
            input,
            weights["weight"],
            weights["bias"],
            mean,
            buffers["running_var"],
            mean is None,
        )

    return leaf


def _linear(trace: Tracer, module: Any, input: TracedTensor) -> Any:
    weights = module._parameters
    return aten.linear.linear(trace, input, weights["weight"], weights["bias"])


def _layer_norm(trace: Tracer, module: Any, input: TracedTensor) -> Any:
    weights = module._parameters
    return aten.normalization.layer_norm(
        trace, input, module.normalized_shape, weights["weight"], weights["bias"]
    )


def _activation(op: str) -> Leaf:
    def leaf(trace: Tracer, module: Any, input: TracedTensor) -> Any:
        if getattr(module, "inplace", False):
            return trace.add_inplace(op, [input])
        return trace.add(op, (input,))

    return leaf


def _gelu(trace: Tracer, module: Any, input: TracedTensor) -> Any:
    return trace.add("gelu_tanh" if module.approximate == "tanh" else "gelu", (input,))


def _identity(trace: Tracer, module: Any, input: TracedTensor) -> Any:
    return input


def _lp_pool(spatial: int) -> Leaf:
    def leaf(trace: Tracer, module: Any, input: TracedTensor) -> Any:
        return trace.add(
            f"lp_pool{spatial}d",
            (input,),
            {
                "kernel_size": module.kernel_size,
                "stride": module.stride,
                "ceil_mode": module.ceil_mode,
            },
        )

    return leaf


def _local_response_norm(trace: Tracer, module: Any, input: TracedTensor) -> Any:
    return trace.add("local_response_norm", (input,), {"size": module.size})


LEAVES |= {
    nn.Conv1d: _convolution(1),
    nn.Conv2d: _convolution(2),
    nn.Conv3d: _convolution(3),
    nn.BatchNorm1d: _batch_norm((2, 3)),
    nn.BatchNorm2d: _batch_norm((4,)),
    nn.BatchNorm3d: _batch_norm((5,)),
    nn.Linear: _linear,
    nn.LayerNorm: _layer_norm,
    nn.GELU: _gelu,
    nn.Identity: _identity,
    nn.LPPool1d: _lp_pool(1),
    nn.LPPool2d: _lp_pool(2),
    nn.LPPool3d: _lp_pool(3),
    nn.LocalResponseNorm: _local_response_norm,
    nn.Dropout: _activation("dropout"),
    nn.ReLU: _activation("relu"),
    nn.ReLU6: _activation("relu6"),
    nn.SiLU: _activation("silu"),
    nn.Sigmoid: _activation("sigmoid"),
    nn.Tanh: _activation("tanh"),
    nn.Hardswish: _activation("hardswish"),
    nn.Hardsigmoid: _activation("hardsigmoid"),
}
