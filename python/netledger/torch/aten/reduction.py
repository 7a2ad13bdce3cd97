"""Reductions, cumulative operations, sorting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netledger.torch.aten.dtypes import arithmetic_dtype, floating_dtype, same_dtype, summed_dtype
from netledger.torch.aten.registry import HANDLERS, all_or_some, maps, with_indices

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer

aten = torch.ops.aten


def _reduction(name: str, op: str, dtype_of: Callable[[Tensor, Any], torch.dtype]) -> None:
    def handler(
        trace: Tracer, input: Tensor, dim: Any = None, keepdim: bool = False, dtype: Any = None
    ) -> Any:
        if isinstance(dim, torch.dtype):
            dim, dtype = None, dim
        return trace.add(
            op,
            (input,),
            {"dim": all_or_some(dim), "keepdim": keepdim},
            dtype=dtype_of(input, dtype),
        )

    maps(name)(handler)


for _name_, _rule in {
    "sum": summed_dtype,
    "nansum": summed_dtype,
    "prod": summed_dtype,
    "mean": same_dtype,
    "amax": same_dtype,
    "amin": same_dtype,
    "logsumexp": lambda input, dtype: floating_dtype([input], [input]),
    "any": lambda input, dtype: torch.uint8 if input.dtype == torch.uint8 else torch.bool,
    "all": lambda input, dtype: torch.uint8 if input.dtype == torch.uint8 else torch.bool,
    "argmax": lambda input, dtype: torch.int64,
    "argmin": lambda input, dtype: torch.int64,
    "count_nonzero": lambda input, dtype: torch.int64,
}.items():
    _reduction(_name_, "sum" if _name_ == "nansum" else _name_, _rule)


def _extreme(name: str) -> None:
    def whole(trace: Tracer, input: Tensor) -> Any:
        return trace.add(name, (input,))

    def along(trace: Tracer, input: Tensor, dim: int, keepdim: bool = False) -> Any:
        values, indices = with_indices(
            trace, f"{name}_with_indices", (input,), {"dim": dim, "keepdim": keepdim}
        )
        return torch.return_types.__dict__[name]((values, indices))

    def other(trace: Tracer, input: Tensor, other: Tensor) -> Any:
        args = (input, other)
        return trace.add(f"{name}imum", args, dtype=arithmetic_dtype(list(args), args))

    packet = getattr(aten, name)
    HANDLERS[packet.default] = whole
    HANDLERS[packet.dim] = along
    HANDLERS[packet.other] = other


_extreme("max")
_extreme("min")


@maps("aminmax")
def _aminmax(trace: Tracer, input: Tensor, *, dim: Any = None, keepdim: bool = False) -> Any:
    return trace.add("aminmax", (input,), {"dim": dim, "keepdim": keepdim})


def _spread(name: str) -> None:
    def handler(
        trace: Tracer,
        input: Tensor,
        dim: Any = None,
        unbiased: Any = True,
        keepdim: bool = False,
        *,
        correction: Any = None,
    ) -> Any:
        if isinstance(dim, bool):  # var(x, unbiased)
            dim = None
        return trace.add(name, (input,), {"dim": all_or_some(dim), "keepdim": keepdim})

    maps(name)(handler)


for _name_ in ("var", "std", "var_mean", "std_mean"):
    _spread(_name_)


@maps("linalg_vector_norm")
def _vector_norm(
    trace: Tracer,
    input: Tensor,
    ord: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    return trace.add(
        _norm_op(ord),
        (input,),
        {"dim": all_or_some(dim), "keepdim": keepdim},
        dtype=same_dtype(input, dtype),
    )


@maps("norm")
def _norm(
    trace: Tracer,
    input: Tensor,
    p: Any = 2,
    dim: Any = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Any:
    return _vector_norm(trace, input, 2 if p is None else p, dim, keepdim, dtype=dtype)


def _norm_op(ord: Any) -> str:
    if ord == 2:
        return "norm"
    if ord == 1:
        return "norm_l1"
    return "norm_inf" if abs(ord) == float("inf") else "norm_p"


def _cumulative(name: str, two_outputs: bool) -> None:
    def handler(trace: Tracer, input: Tensor, dim: int, *, dtype: Any = None) -> Any:
        if two_outputs:
            return with_indices(trace, name, (input,), {"dim": dim})
        kind = summed_dtype(input, dtype)
        return trace.add(name, (input,), {"dim": dim}, dtype=kind)

    def inplace(trace: Tracer, input: Tensor, dim: int, *, dtype: Any = None) -> Any:
        return trace.add_inplace(name, [input], {"dim": dim})

    maps(name)(handler)
    if not two_outputs:
        maps(f"{name}_")(inplace)


for _name_, _two in {
    "cumsum": False,
    "cumprod": False,
    "logcumsumexp": False,
    "cummax": True,
    "cummin": True,
}.items():
    _cumulative(_name_, _two)


@maps("msort")
def _sort_first(trace: Tracer, input: Tensor) -> Any:
    return with_indices(trace, "sort", (input,), {"dim": 0})[0]


@maps("median.default", "nanmedian.default")
def _median(trace: Tracer, input: Tensor) -> Any:
    return trace.add("median", (input,))


@maps("median.dim", "nanmedian.dim")
def _median_along(trace: Tracer, input: Tensor, dim: int, keepdim: bool = False) -> Any:
    return torch.return_types.median(
        with_indices(trace, "median", (input,), {"dim": dim, "keepdim": keepdim})
    )


@maps("sort.default")
def _sort(trace: Tracer, input: Tensor, dim: int = -1, descending: bool = False) -> Any:
    return torch.return_types.sort(
        with_indices(trace, "sort", (input,), {"dim": dim, "descending": descending})
    )


@maps("sort.stable")
def _stable_sort(
    trace: Tracer, input: Tensor, *, stable: Any = None, dim: int = -1, descending: bool = False
) -> Any:
    return _sort(trace, input, dim, descending)


@maps("argsort.default")
def _argsort(trace: Tracer, input: Tensor, dim: int = -1, descending: bool = False) -> Any:
    return trace.add("argsort", (input,), {"dim": dim, "descending": descending}, dtype=torch.int64)


@maps("argsort.stable")
def _stable_argsort(
    trace: Tracer, input: Tensor, *, stable: bool, dim: int = -1, descending: bool = False
) -> Any:
    return _argsort(trace, input, dim, descending)


@maps("topk")
def _topk(
    trace: Tracer, input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Any:
    return torch.return_types.topk(
        with_indices(
            trace, "topk", (input,), {"k": k, "dim": dim, "largest": largest, "sorted": sorted}
        )
    )


@maps("kthvalue")
def _kthvalue(trace: Tracer, input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    return torch.return_types.kthvalue(
        with_indices(trace, "kthvalue", (input,), {"k": k, "dim": dim, "keepdim": keepdim})
    )
