"""The dtypes that torch gives to results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = [
    "arithmetic_dtype",
    "bool_dtype",
    "floating_dtype",
    "given_dtype",
    "promoted",
    "same_dtype",
    "summed_dtype",
]


def promoted(values: Sequence[Any]) -> torch.dtype:
    """The dtype that torch gives to arithmetic on these tensors and numbers."""
    result: Any = None
    for value in values:
        if isinstance(value, Tensor):
            # A stand-in with memory: result_type reads dtypes, and which tensors have dimensions.
            stand_in: Any = torch.empty((1,) if value.ndim else (), dtype=value.dtype)
        elif isinstance(value, bool | int | float | complex):
            stand_in = value
        else:
            continue
        result = stand_in if result is None else _merged(result, stand_in)
    return result.dtype if isinstance(result, Tensor) else torch.get_default_dtype()


def _merged(left: Any, right: Any) -> Any:
    dtype = torch.result_type(left, right)
    dimensions = max(
        (value.ndim for value in (left, right) if isinstance(value, Tensor)), default=0
    )
    return torch.empty((1,) if dimensions else (), dtype=dtype)


def arithmetic_dtype(tensors: list[Tensor], args: Sequence[Any]) -> torch.dtype:
    """That of sums and products of tensors and numbers."""
    dtype = tensors[0].dtype
    for tensor in tensors:
        if tensor.dtype != dtype:
            return promoted(args)
    if dtype.is_floating_point or dtype.is_complex:
        for value in args:
            if isinstance(value, complex):
                return promoted(args)
        return dtype
    for value in args:
        if isinstance(value, float | complex | int):
            return promoted(args)
    return dtype


def floating_dtype(tensors: list[Tensor], args: Sequence[Any]) -> torch.dtype:
    """That of functions which make integers real."""
    dtype = arithmetic_dtype(tensors, args)
    if dtype.is_floating_point or dtype.is_complex:
        return dtype
    return torch.get_default_dtype()


def bool_dtype(tensors: list[Tensor], args: Sequence[Any]) -> torch.dtype:
    """That of comparisons."""
    return torch.bool


def given_dtype(dtype: Any, input: Tensor) -> torch.dtype:
    """The dtype of the argument, where the overload has one, else that of the input."""
    return dtype if isinstance(dtype, torch.dtype) else input.dtype


def same_dtype(input: Tensor, dtype: Any) -> torch.dtype:
    """That of the input unless another is asked for."""
    return input.dtype if dtype is None else dtype


def summed_dtype(input: Tensor, dtype: Any) -> torch.dtype:
    """That of sums: int64 for all integers."""
    if dtype is not None:
        return dtype  # type: ignore[no-any-return]
    integral = not (input.dtype.is_floating_point or input.dtype.is_complex)
    return torch.int64 if integral else input.dtype
