"""Views, copies, indexing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netledger.errors import TraceError
from netledger.torch._tensor import TracedTensor
from netledger.torch.aten.dtypes import arithmetic_dtype
from netledger.torch.aten.registry import all_or_some, data_dependent, maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


@maps("view.default", "reshape", "_unsafe_view", "_reshape_alias", "view_copy.default")
def _reshape(trace: Tracer, input: Tensor, shape: Any, *rest: Any) -> Any:
    return trace.add("reshape", (input,), {"shape": shape})


@maps("view.dtype")
def _view_dtype(trace: Tracer, input: Tensor, dtype: torch.dtype) -> Any:
    if dtype.itemsize != input.dtype.itemsize:
        raise TraceError(f"{trace.where()}: a view as a dtype of another size is not followed")
    return trace.add("identity", (input,), dtype=dtype)


@maps("flatten.using_ints")
def _flatten(trace: Tracer, input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Any:
    return trace.add("flatten", (input,), {"start_dim": start_dim, "end_dim": end_dim})


@maps("unflatten.int")
def _unflatten(trace: Tracer, input: Tensor, dim: int, sizes: Any) -> Any:
    return trace.add("unflatten", (input,), {"dim": dim, "sizes": sizes})


@maps("permute")
def _permute(trace: Tracer, input: Tensor, dims: Any) -> Any:
    return trace.add("permute", (input,), {"dims": dims})


@maps("transpose.int", "swapaxes", "swapdims")
def _transpose(trace: Tracer, input: Tensor, dim0: int, dim1: int) -> Any:
    return trace.add("transpose", (input,), {"dim0": dim0, "dim1": dim1})


@maps("numpy_T")
def _reverse(trace: Tracer, input: Tensor) -> Any:
    if input.ndim <= 2:
        return _t(trace, input)
    return trace.add("permute", (input,), {"dims": list(range(input.ndim))[::-1]})


@maps("t", "mT", "matrix_H", "mH", "adjoint")
def _t(trace: Tracer, input: Tensor) -> Any:
    if input.ndim < 2:
        return trace.add("identity", (input,))
    return trace.add("transpose", (input,), {"dim0": -2, "dim1": -1})


@maps("movedim.int", "movedim.intlist", "moveaxis")
def _movedim(trace: Tracer, input: Tensor, source: Any, destination: Any) -> Any:
    return trace.add("movedim", (input,), {"source": source, "destination": destination})


@maps("squeeze")
def _squeeze(trace: Tracer, input: Tensor, dim: Any = None) -> Any:
    return trace.add("squeeze", (input,), {"dim": dim})


@maps("unsqueeze")
def _unsqueeze(trace: Tracer, input: Tensor, dim: int) -> Any:
    return trace.add("unsqueeze", (input,), {"dim": dim})


@maps("expand")
def _expand(trace: Tracer, input: Tensor, sizes: Any, *, implicit: bool = False) -> Any:
    return trace.add("expand", (input,), {"sizes": sizes})


@maps("slice.Tensor")
def _slice(
    trace: Tracer,
    input: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Any:
    return trace.add(
        "slice",
        (input,),
        {"dim": dim, "start": 0 if start is None else start, "end": end, "step": step},
    )


@maps("select.int")
def _select(trace: Tracer, input: Tensor, dim: int, index: int) -> Any:
    return trace.add("select", (input,), {"dim": dim, "index": index})


@maps("split.Tensor", "unsafe_split.Tensor")
def _split(trace: Tracer, input: Tensor, split_size: int, dim: int = 0) -> Any:
    size = input.shape[dim]
    if split_size <= 0:
        raise TraceError(f"{trace.where()}: split_size must be positive, got {split_size}")
    sizes = [min(split_size, size - start) for start in range(0, size, split_size)] or [0]
    return _several(trace.add("split", (input,), {"sizes": sizes, "dim": dim}))


@maps("split.sizes", "split_with_sizes", "unsafe_split_with_sizes")
def _split_with_sizes(trace: Tracer, input: Tensor, sizes: Any, dim: int = 0) -> Any:
    return _several(trace.add("split", (input,), {"sizes": sizes, "dim": dim}))


@maps("chunk", "unsafe_chunk")
def _chunk(trace: Tracer, input: Tensor, chunks: int, dim: int = 0) -> Any:
    return _several(trace.add("chunk", (input,), {"chunks": chunks, "dim": dim}))


@maps("unbind.int")
def _unbind(trace: Tracer, input: Tensor, dim: int = 0) -> Any:
    return _several(trace.add("unbind", (input,), {"dim": dim}))


def _several(answer: Any) -> list[Any]:
    return [answer] if isinstance(answer, Tensor) else list(answer)


@maps("diagonal.default")
def _diagonal(trace: Tracer, input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    return trace.add("diagonal", (input,), {"offset": offset, "dim1": dim1, "dim2": dim2})


@maps("unfold")
def _unfold_dimension(trace: Tracer, input: Tensor, dimension: int, size: int, step: int) -> Any:
    return trace.add(
        "unfold_dimension", (input,), {"dimension": dimension, "size": size, "step": step}
    )


@maps(
    "alias",
    "contiguous",
    "detach",
    "detach_",
    "lift",
    "lift_fresh",
    "lift_fresh_copy",
    "positive",
    "resolve_conj",
    "resolve_neg",
    "requires_grad_",
    "to.device",
    "_conj",
)
def _unchanged(trace: Tracer, input: Tensor, *rest: Any, **options: Any) -> Any:
    dtype = next((value for value in rest if isinstance(value, torch.dtype)), None)
    return _cast(trace, input, dtype or options.get("dtype"))


@maps("to.dtype", "to.dtype_layout", "to.prim_dtype", "to.prim_Device")
def _to(trace: Tracer, input: Tensor, *rest: Any, **options: Any) -> Any:
    dtype = next((value for value in rest if isinstance(value, torch.dtype)), None)
    copies = options.get("copy") or (rest[-1:] == (True,) and len(rest) > 2 and rest[-1])
    return _cast(trace, input, dtype or options.get("dtype"), bool(copies))


@maps("_to_copy")
def _to_copy(trace: Tracer, input: Tensor, *, dtype: Any = None, **options: Any) -> Any:
    return _cast(trace, input, dtype, True)


@maps("to.other")
def _to_other(trace: Tracer, input: Tensor, other: Tensor, *rest: Any, **options: Any) -> Any:
    return _cast(trace, input, other.dtype)


@maps("type_as")
def _type_as(trace: Tracer, input: Tensor, other: Tensor) -> Any:
    return _cast(trace, input, other.dtype)


def _cast(trace: Tracer, input: Tensor, dtype: Any, copies: bool = False) -> Any:
    if isinstance(dtype, torch.dtype) and dtype != input.dtype:
        return trace.add("cast", (input,), dtype=dtype)
    return trace.add("copy", (input,)) if copies else input


@maps("clone")
def _clone(trace: Tracer, input: Tensor, **options: Any) -> Any:
    return trace.add("copy", (input,))


@maps("copy_")
def _copy_inplace(trace: Tracer, input: Tensor, source: Tensor, non_blocking: bool = False) -> Any:
    if source.shape != input.shape:
        source = trace.add("expand", (source,), {"sizes": tuple(input.shape)})
    trace.overwrite(input, trace.index(trace.add("copy", (source,), dtype=input.dtype)))
    return input


@maps("fill_", "zero_", "fill_diagonal_", "uniform_", "normal_", "bernoulli_", "random_")
def _fill_inplace(trace: Tracer, input: Tensor, *rest: Any, **options: Any) -> Any:
    # A tensor of given values is a constant, as those that zeros and ones make.
    if (rest and isinstance(rest[0], Tensor)) or (
        type(input) is not TracedTensor and not trace.is_known(input)
    ):
        trace.overwrite(input)
    return input


@maps("cat", "concat", "concatenate")
def _concat(trace: Tracer, tensors: list[Tensor], dim: int = 0) -> Any:
    return trace.add("concat", tensors, {"dim": dim}, dtype=arithmetic_dtype(tensors, tensors))


@maps("stack")
def _stack(trace: Tracer, tensors: list[Tensor], dim: int = 0) -> Any:
    return trace.add("stack", tensors, {"dim": dim}, dtype=arithmetic_dtype(tensors, tensors))


@maps("repeat")
def _repeat(trace: Tracer, input: Tensor, repeats: Any) -> Any:
    return trace.add("repeat", (input,), {"repeats": repeats})


@maps("tile")
def _tile(trace: Tracer, input: Tensor, dims: Any) -> Any:
    return trace.add("tile", (input,), {"dims": dims})


@maps("pad")
def _pad(
    trace: Tracer, input: Tensor, padding: Any, mode: str = "constant", value: Any = None
) -> Any:
    return trace.add("pad", (input,), {"padding": padding, "mode": mode})


@maps("constant_pad_nd")
def _constant_pad(trace: Tracer, input: Tensor, padding: Any, value: Any = 0) -> Any:
    return trace.add("pad", (input,), {"padding": padding, "mode": "constant"})


def _pad_mode(name: str, mode: str) -> None:
    def handler(trace: Tracer, input: Tensor, padding: Any) -> Any:
        return trace.add("pad", (input,), {"padding": padding, "mode": mode})

    maps(name)(handler)


for _spatial in (1, 2, 3):
    _pad_mode(f"reflection_pad{_spatial}d", "reflect")
    _pad_mode(f"replication_pad{_spatial}d", "replicate")
_pad_mode("_pad_circular", "circular")


@maps("roll")
def _roll(trace: Tracer, input: Tensor, shifts: Any, dims: Any = ()) -> Any:
    return trace.add("roll", (input,), {"shifts": shifts, "dims": all_or_some(dims)})


@maps("flip")
def _flip(trace: Tracer, input: Tensor, dims: Any) -> Any:
    return trace.add("flip", (input,), {"dims": dims})


@maps("pixel_shuffle")
def _pixel_shuffle(trace: Tracer, input: Tensor, upscale_factor: int) -> Any:
    return trace.add("pixel_shuffle", (input,), {"upscale_factor": upscale_factor})


@maps("pixel_unshuffle")
def _pixel_unshuffle(trace: Tracer, input: Tensor, downscale_factor: int) -> Any:
    return trace.add("pixel_unshuffle", (input,), {"downscale_factor": downscale_factor})


@maps("channel_shuffle", "native_channel_shuffle")
def _channel_shuffle(trace: Tracer, input: Tensor, groups: int) -> Any:
    return trace.add("channel_shuffle", (input,), {"groups": groups})


@maps("im2col")
def _unfold(
    trace: Tracer, input: Tensor, kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> Any:
    return trace.add(
        "unfold",
        (input,),
        {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride},
    )


@maps("col2im")
def _fold(
    trace: Tracer,
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any,
    padding: Any,
    stride: Any,
) -> Any:
    return trace.add(
        "fold",
        (input,),
        {
            "output_size": output_size,
            "kernel_size": kernel_size,
            "dilation": dilation,
            "padding": padding,
            "stride": stride,
        },
    )


@maps("gather")
def _gather(
    trace: Tracer, input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False
) -> Any:
    return trace.add("gather", (input, index), {"dim": dim})


@maps("index_select")
def _index_select(trace: Tracer, input: Tensor, dim: int, index: Tensor) -> Any:
    return trace.add("index_select", (input, index), {"dim": dim})


@maps("take_along_dim")
def _take_along_dim(trace: Tracer, input: Tensor, indices: Tensor, dim: int | None = None) -> Any:
    if dim is None:
        input, indices = (trace.add("flatten", (tensor,)) for tensor in (input, indices))
        dim = 0
    return trace.add("take_along_dim", (input, indices), {"dim": dim})


@maps("index.Tensor", "_unsafe_index.Tensor")
def _index(trace: Tracer, input: Tensor, indices: list[Tensor | None]) -> Any:
    dims, tensors = _positions(trace, indices)
    return trace.add("index", (input, *tensors), {"dims": dims}, dtype=input.dtype)


def _positions(trace: Tracer, indices: list[Tensor | None]) -> tuple[list[int], list[Tensor]]:
    """The indexed dimensions and a tensor of positions for each; a known mask is such positions."""
    dims: list[int] = []
    tensors: list[Tensor] = []
    dim = 0
    for index in indices:
        if index is None:
            dim += 1
        elif index.dtype in (torch.bool, torch.uint8):
            if not trace.is_known(index):
                raise data_dependent(trace, "indexing with a mask")
            for position in index.nonzero(as_tuple=True):
                dims.append(dim)
                tensors.append(position)
                dim += 1
        else:
            dims.append(dim)
            tensors.append(index)
            dim += 1
    return dims, tensors


@maps("index_put", "_unsafe_index_put")
def _index_put(
    trace: Tracer, input: Tensor, indices: Any, values: Tensor, *rest: Any, **options: Any
) -> Any:
    copied = trace.add("copy", (input,))
    return _index_put_inplace(trace, copied, indices, values)


@maps("index_put_", "_index_put_impl_")
def _index_put_inplace(
    trace: Tracer, input: Tensor, indices: Any, values: Tensor, *rest: Any, **options: Any
) -> Any:
    masks = [index for index in indices if index is not None and index.dtype == torch.bool]
    if len(masks) == len(indices) == 1 and values.numel() == 1:
        mask = masks[0]
        if mask.ndim < input.ndim:
            sizes = [*mask.shape, *(1 for _ in range(input.ndim - mask.ndim))]
            mask = trace.add("reshape", (mask,), {"shape": sizes})
        if type(input) is TracedTensor:
            return trace.add_inplace("masked_fill", [input, mask])
        trace.overwrite(input, trace.index(trace.add("masked_fill", (input, mask))))
        return input
    dims, tensors = _positions(trace, indices)
    shapes = [
        torch.empty(tuple(tensor.shape), dtype=torch.int64, device="meta") for tensor in tensors
    ]
    where: list[Any] = [slice(None)] * input.ndim
    for dim, shape in zip(dims, shapes, strict=True):
        where[dim] = shape
    written = torch.empty(tuple(input.shape), device="meta")[tuple(where)].shape
    if values.shape != written:
        values = trace.add("expand", (values,), {"sizes": tuple(written)})
    trace.add("copy", (values,))
    trace.overwrite(input)
    return input


def _scatter(name: str, op: str) -> None:
    def handler(
        trace: Tracer, input: Tensor, dim: int, index: Tensor, src: Any, *rest: Any, **options: Any
    ) -> Any:
        tensors = (input, index, src) if isinstance(src, Tensor) else (input, index)
        return trace.add(op, tensors, {"dim": dim})

    def inplace(
        trace: Tracer, input: Tensor, dim: int, index: Tensor, src: Any, *rest: Any, **options: Any
    ) -> Any:
        tensors = [input, index, src] if isinstance(src, Tensor) else [input, index]
        return trace.add_inplace(op, tensors, {"dim": dim})

    maps(name)(handler)
    maps(f"{name}_")(inplace)


_scatter("scatter", "scatter")
_scatter("scatter_add", "scatter_add")
_scatter("scatter_reduce", "scatter_add")


@maps("index_add")
def _index_add(
    trace: Tracer, input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1
) -> Any:
    return trace.add("index_add", (input, index, source), {"dim": dim})


@maps("index_add_")
def _index_add_inplace(
    trace: Tracer, input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Any = 1
) -> Any:
    return trace.add_inplace("index_add", [input, index, source], {"dim": dim})


@maps("one_hot")
def _one_hot(trace: Tracer, input: Tensor, num_classes: int = -1) -> Any:
    if num_classes < 0:
        raise data_dependent(trace, "one_hot without num_classes")
    column = trace.add("unsqueeze", (input,), {"dim": -1})
    return trace.add("eq", (column, torch.arange(num_classes)), dtype=torch.int64)


@maps("repeat_interleave.self_int")
def _repeat_interleave(
    trace: Tracer, input: Tensor, repeats: int, dim: int | None = None, *, output_size: Any = None
) -> Any:
    return trace.add("repeat_interleave", (input,), {"repeats": repeats, "dim": dim})


@maps("tril")
def _tril(trace: Tracer, input: Tensor, diagonal: int = 0) -> Any:
    return trace.add("tril", (input,), {"diagonal": diagonal})


@maps("triu")
def _triu(trace: Tracer, input: Tensor, diagonal: int = 0) -> Any:
    return trace.add("triu", (input,), {"diagonal": diagonal})


@maps("tril_")
def _tril_inplace(trace: Tracer, input: Tensor, diagonal: int = 0) -> Any:
    return trace.add_inplace("tril", [input], {"diagonal": diagonal})


@maps("triu_")
def _triu_inplace(trace: Tracer, input: Tensor, diagonal: int = 0) -> Any:
    return trace.add_inplace("triu", [input], {"diagonal": diagonal})
