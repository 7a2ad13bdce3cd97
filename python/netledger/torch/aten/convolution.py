"""Convolutions and transposed convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.torch.aten.registry import HANDLERS, maps, overloads

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


def _each(value: Any, spatial: int) -> Any:
    """One number for every dimension, written out; torch's defaults come so."""
    return (value,) * spatial if type(value) is int else value


def _convolution(spatial: int) -> None:
    op = f"conv{spatial}d"

    def handler(
        trace: Tracer,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Any:
        shape = weight.shape
        return trace.add(
            op,
            (input,),
            {
                "out_channels": shape[0],
                "kernel_size": shape[2:],
                "stride": _each(stride, spatial),
                "padding": _each(padding, spatial),
                "dilation": _each(dilation, spatial),
                "groups": groups,
                "bias": bias is not None,
            },
            weights=[weight] if bias is None else [weight, bias],
        )

    maps(f"conv{spatial}d")(handler)


def _transposed_convolution(spatial: int) -> None:
    op = f"conv_transpose{spatial}d"

    def handler(
        trace: Tracer,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Any:
        return trace.add(
            op,
            (input,),
            {
                "out_channels": weight.shape[1] * groups,
                "kernel_size": weight.shape[2:],
                "stride": _each(stride, spatial),
                "padding": _each(padding, spatial),
                "output_padding": _each(output_padding, spatial),
                "groups": groups,
                "bias": bias is not None,
                "dilation": _each(dilation, spatial),
            },
            weights=[weight] if bias is None else [weight, bias],
        )

    maps(op)(handler)


for _spatial in (1, 2, 3):
    _convolution(_spatial)
    _transposed_convolution(_spatial)


@maps("convolution", "_convolution")
def _any_convolution(
    trace: Tracer,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
    *flags: bool,
) -> Any:
    spatial = weight.ndim - 2
    if transposed:
        handler = HANDLERS[next(iter(overloads(f"conv_transpose{spatial}d")))]
        return handler(
            trace, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    handler = HANDLERS[next(iter(overloads(f"conv{spatial}d")))]
    return handler(trace, input, weight, bias, stride, padding, dilation, groups)
