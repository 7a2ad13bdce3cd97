"""Pooling and unpooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.torch.aten.registry import maps, with_indices

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


def _pooling(spatial: int) -> None:
    def max_pool(
        trace: Tracer,
        input: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        return trace.add(
            f"max_pool{spatial}d",
            (input,),
            {
                "kernel_size": kernel_size,
                "stride": stride or None,
                "padding": padding,
                "dilation": dilation,
                "ceil_mode": ceil_mode,
            },
        )

    def max_pool_with_indices(
        trace: Tracer,
        input: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        return with_indices(
            trace,
            f"max_pool{spatial}d",
            (input,),
            {
                "kernel_size": kernel_size,
                "stride": stride or None,
                "padding": padding,
                "dilation": dilation,
                "ceil_mode": ceil_mode,
                "return_indices": True,
            },
        )

    def avg_pool(
        trace: Tracer,
        input: Tensor,
        kernel_size: Any,
        stride: Any = (),
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        attributes = {
            "kernel_size": kernel_size,
            "stride": stride or None,
            "padding": padding,
            "ceil_mode": ceil_mode,
            "count_include_pad": count_include_pad,
        }
        if divisor_override is not None:
            attributes["divisor_override"] = divisor_override
        return trace.add(f"avg_pool{spatial}d", (input,), attributes)

    def adaptive_avg_pool(trace: Tracer, input: Tensor, output_size: Any) -> Any:
        return trace.add(f"adaptive_avg_pool{spatial}d", (input,), {"output_size": output_size})

    def adaptive_max_pool(trace: Tracer, input: Tensor, output_size: Any) -> Any:
        return with_indices(
            trace,
            f"adaptive_max_pool{spatial}d",
            (input,),
            {"output_size": output_size, "return_indices": True},
        )

    maps(f"max_pool{spatial}d")(max_pool)
    maps(f"max_pool{spatial}d_with_indices")(max_pool_with_indices)
    maps(f"avg_pool{spatial}d")(avg_pool)
    maps(f"adaptive_avg_pool{spatial}d", f"_adaptive_avg_pool{spatial}d")(adaptive_avg_pool)
    maps(f"adaptive_max_pool{spatial}d")(adaptive_max_pool)


for _spatial in (1, 2, 3):
    _pooling(_spatial)


@maps("fractional_max_pool2d", "fractional_max_pool3d")
def _fractional_max_pool(
    trace: Tracer, input: Tensor, kernel_size: Any, output_size: Any, random_samples: Any
) -> Any:
    op = f"fractional_max_pool{len(kernel_size)}d"
    return with_indices(
        trace,
        op,
        (input,),
        {"kernel_size": kernel_size, "output_size": output_size, "return_indices": True},
    )


@maps("max_unpool2d", "max_unpool3d")
def _max_unpool(trace: Tracer, input: Tensor, indices: Tensor, output_size: Any, *rest: Any) -> Any:
    # ATen states the output, so the kernel size does not matter any more.
    op = f"max_unpool{len(output_size)}d"
    kernel = [
        max(1, -(-out // size))
        for out, size in zip(output_size, input.shape[-len(output_size) :], strict=True)
    ]
    return trace.add(op, (input, indices), {"kernel_size": kernel, "output_size": output_size})
