"""Interpolation and grid sampling."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.torch.aten.registry import maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


def _resized(input: Tensor, output_size: Any, scale_factors: Any) -> list[int]:
    """The spatial sizes after interpolation: given, or the product with the scale, rounded down."""
    if output_size is not None:
        return list(output_size)
    sizes = input.shape[2:]
    return [floor(size * scale) for size, scale in zip(sizes, scale_factors, strict=True)]


def _upsample(name: str, mode: str, aligned: bool) -> None:
    def vector(trace: Tracer, input: Tensor, output_size: Any, *rest: Any) -> Any:
        align_corners = bool(rest[0]) if aligned else False
        size = _resized(input, output_size, rest[-1])
        return trace.add(
            "interpolate",
            (input,),
            {"size": size, "mode": mode, "align_corners": align_corners},
        )

    def sized(trace: Tracer, input: Tensor, output_size: Any, *rest: Any) -> Any:
        align_corners = bool(rest[0]) if aligned else False
        return trace.add(
            "interpolate",
            (input,),
            {"size": output_size, "mode": mode, "align_corners": align_corners},
        )

    maps(f"{name}.vec")(vector)
    maps(f"{name}.default")(sized)


for _spatial, _mode in ((1, "linear"), (2, "bilinear"), (3, "trilinear")):
    _upsample(f"upsample_{_mode}{_spatial}d", _mode, True)
    _upsample(f"upsample_nearest{_spatial}d", "nearest", False)
    _upsample(f"_upsample_nearest_exact{_spatial}d", "nearest-exact", False)
_upsample("upsample_bicubic2d", "bicubic", True)
_upsample("_upsample_bilinear2d_aa", "bilinear", True)
_upsample("_upsample_bicubic2d_aa", "bicubic", True)


@maps("grid_sampler", "grid_sampler_2d", "grid_sampler_3d")
def _grid_sample(
    trace: Tracer,
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Any:
    return trace.add(
        "grid_sample",
        (input, grid),
        {
            "mode": ("bilinear", "nearest", "bicubic")[interpolation_mode],
            "padding_mode": ("zeros", "border", "reflection")[padding_mode],
            "align_corners": align_corners,
        },
    )
