"""What may be given as the inputs of a module: shapes, tensors, or a mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from netledger.errors import NetledgerError

__all__ = ["Input", "read_inputs"]


@dataclass(frozen=True)
class Input:
    """An input given by its shape and element type.

    Attributes:
        shape: its sizes.
        dtype: element type, as ``"int64"`` or ``torch.int64``; that of the module's parameters if
            left out.
    """

    shape: Sequence[int]
    dtype: str | torch.dtype | None = None


def read_inputs(
    inputs: tuple[Any, ...], keywords: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The positional and keyword inputs among the ways of giving them.

    One input stands for itself; one list, or one tuple that is not a shape, holds several; one
    dictionary holds keyword inputs; a tuple of a sequence and a dictionary holds both.
    """
    positional = list(inputs)
    named = dict(keywords)
    if len(positional) == 1:
        only = positional[0]
        if isinstance(only, Mapping):
            positional, named = [], {**only, **named}
        elif (
            isinstance(only, tuple)
            and len(only) == 2
            and isinstance(only[1], Mapping)
            and isinstance(only[0], list | tuple)
            and not is_shape(only[0])
        ):
            positional, named = list(only[0]), {**only[1], **named}
        elif isinstance(only, list | tuple) and not is_shape(only):
            positional = list(only)
    return positional, named


def is_shape(value: Any) -> bool:
    """A tuple or list of numbers, or a torch.Size: the sizes of one tensor."""
    return isinstance(value, torch.Size) or (
        isinstance(value, list | tuple)
        and len(value) > 0
        and all(
            isinstance(size, int | float | str) and not isinstance(size, bool) for size in value
        )
    )


def check_shape(shape: Sequence[Any]) -> tuple[int, ...]:
    """The sizes of an input, or an error that says what is wrong with them."""
    for size in shape:
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            symbolic = "; symbolic sizes are not supported" if isinstance(size, str) else ""
            raise NetledgerError(
                f"an input size must be an integer, got {size!r} in {shape}{symbolic}"
            )
        if size <= 0:
            raise NetledgerError(f"an input size must be positive, got {size} in {tuple(shape)}")
    return tuple(int(size) for size in shape)


def torch_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """The torch dtype of that name."""
    if isinstance(dtype, torch.dtype):
        return dtype
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype):
        raise NetledgerError(f"torch has no dtype {dtype!r}")
    return found
