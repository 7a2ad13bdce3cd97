"""Linear layers and products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from netledger.torch.aten.registry import maps

if TYPE_CHECKING:
    from netledger.torch.tracer import Tracer


@maps("linear")
def linear(trace: Tracer, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    if weight.ndim == 1:
        answer = trace.add("matmul", (input, weight))
        return answer if bias is None else trace.add("add", (answer, bias))
    return trace.add(
        "linear",
        (input,),
        {"out_features": weight.shape[0], "bias": bias is not None},
        weights=[weight] if bias is None else [weight, bias],
    )


@maps("bilinear")
def _bilinear(
    trace: Tracer, left: Tensor, right: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Any:
    return trace.add(
        "bilinear",
        (left, right),
        {"out_features": weight.shape[0], "bias": bias is not None},
        weights=[weight] if bias is None else [weight, bias],
    )


@maps("matmul", "mm.default", "bmm.default", "mv", "dot", "vdot", "linalg_matmul")
def _matmul(trace: Tracer, left: Tensor, right: Tensor) -> Any:
    return trace.add("matmul", (left, right))


@maps("addmm.default", "baddbmm.default", "addmv.default")
def _addmm(
    trace: Tracer, input: Tensor, left: Tensor, right: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Any:
    return _added(trace, input, trace.add("matmul", (left, right)), beta, alpha)


def _added(trace: Tracer, input: Tensor, answer: Any, beta: Any, alpha: Any) -> Any:
    """``beta * input + alpha * answer``; a factor of 1 costs nothing, one of 0 leaves input out."""
    if alpha != 1:
        answer = trace.add("mul", (answer,))
    if beta == 0:
        return answer
    return trace.add("add" if beta == 1 else "add_scaled", (answer, input))


@maps("addmm_.default", "baddbmm_.default", "addmv_.default")
def _addmm_inplace(
    trace: Tracer, input: Tensor, left: Tensor, right: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Any:
    answer = _addmm(trace, input, left, right, beta=beta, alpha=alpha)
    trace.overwrite(input, trace.index(answer))
    return input


@maps("einsum")
def _einsum(trace: Tracer, equation: str, tensors: list[Tensor], *, path: Any = None) -> Any:
    return trace.add("einsum", tensors, {"equation": equation})


@maps("addbmm")
def _addbmm(
    trace: Tracer, input: Tensor, left: Tensor, right: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Any:
    products = trace.add("matmul", (left, right))
    answer = trace.add("sum", (products,), {"dim": 0})
    return _added(trace, input, answer, beta, alpha)


@maps("addr")
def _addr(
    trace: Tracer, input: Tensor, left: Tensor, right: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Any:
    column = trace.add("unsqueeze", (left,), {"dim": 1})
    return _added(trace, input, trace.add("mul", (column, right)), beta, alpha)
