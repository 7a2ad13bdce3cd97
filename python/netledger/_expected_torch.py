"""The expected cost of a space for torch's autograd."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netledger._expected import threads_for
from netledger.errors import SpaceError

if TYPE_CHECKING:
    from netledger._expected import Layout


class _Expected(torch.autograd.Function):
    """(..., columns) probabilities to (...) costs, and the gradients if they are wanted."""

    @staticmethod
    def forward(
        ctx: Any,
        probabilities: torch.Tensor,
        plan: Any,
        name: str,
        rows: int,
        gradient: bool,
        check: bool,
        threads: int,
    ) -> Any:
        differentiable = ctx.needs_input_grad[0]
        shape, dtype, device = probabilities.shape, probabilities.dtype, probabilities.device
        array = probabilities.detach().to("cpu", torch.float64).numpy()
        values, gradients = plan.expected(
            name,
            np.ascontiguousarray(array.reshape(rows, shape[-1])),
            gradient or differentiable,
            threads,
            check,
        )
        value = torch.from_numpy(values.reshape(shape[:-1])).to(device, dtype)
        if gradients is None:
            return value, None
        derivative = torch.from_numpy(gradients.reshape(shape)).to(device, dtype)
        if differentiable:
            ctx.save_for_backward(probabilities, derivative)
        if not gradient:
            return value, None
        result = derivative.clone()
        ctx.mark_non_differentiable(result)
        return value, result

    @staticmethod
    def backward(ctx: Any, *outputs: Any) -> Any:
        probabilities, derivative = ctx.saved_tensors
        if torch.is_grad_enabled():
            product = _PRODUCT(probabilities, derivative, outputs[0])
        else:
            product = derivative * outputs[0].unsqueeze(-1)
        return (product, *(None,) * 6)


class _Product(torch.autograd.Function):
    """What `_Expected` goes back with. It depends on the probabilities, but nobody says how."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ARG004
        probabilities: torch.Tensor,  # noqa: ARG004
        derivative: torch.Tensor,
        output: torch.Tensor,
    ) -> torch.Tensor:
        return derivative * output.unsqueeze(-1)

    @staticmethod
    def backward(ctx: Any, *outputs: Any) -> Any:  # noqa: ARG004
        raise RuntimeError("Space.expected can be differentiated once, not twice")


#: (Calls of what torch has no types for.)
_EXPECTED: Any = _Expected.apply
_PRODUCT: Any = _Product.apply


def expected(
    plan: Any,
    name: str,
    layout: Layout,
    probabilities: Any,
    gradient: bool,
    check: bool,
    threads: int | None,
) -> Any:
    """What `Space.expected` returns for tensors."""
    is_mapping = isinstance(probabilities, Mapping)
    joined = _joined(layout, probabilities) if is_mapping else probabilities
    if not joined.is_floating_point():
        joined = joined.to(torch.float64)
    if joined.dtype not in (torch.float32, torch.float64):
        raise SpaceError(f"probabilities are tensors of float32 or float64, got {joined.dtype}")
    rows = layout.rows(joined.shape)
    value, derivative = _EXPECTED(
        joined, plan, name, rows, gradient, check, threads_for(threads, rows)
    )
    if not gradient:
        return value
    return value, _split(layout, derivative) if is_mapping else derivative


def _joined(layout: Layout, given: Mapping[str, Any]) -> torch.Tensor:
    """Distributions by name as one tensor (..., columns)."""
    like = next(value for value in given.values() if isinstance(value, torch.Tensor))
    dtype = like.dtype if like.is_floating_point() else torch.float64

    layout.require_known(given)
    tensors = []
    for name, size in layout.sizes.items():
        value = given.get(name)
        if name not in given:
            value = torch.full((size,), 1 / size, dtype=dtype, device=like.device)
        elif not isinstance(value, torch.Tensor):
            value = torch.as_tensor(value, dtype=dtype, device=like.device)
        tensors.append(value)
    shapes = [tuple(tensor.shape) for tensor in tensors]
    batch = layout.batch(dict(zip(layout.sizes, shapes, strict=True)))
    if any(shape[:-1] != batch for shape in shapes):
        tensors = [tensor.expand(*batch, tensor.shape[-1]) for tensor in tensors]
    return torch.cat(tensors, dim=-1)


def _split(layout: Layout, joined: torch.Tensor) -> dict[str, torch.Tensor]:
    """Parts of a tensor (..., columns) by name."""
    parts = torch.split(joined, layout.lengths, dim=-1)
    return dict(zip(layout.sizes, parts, strict=True))
