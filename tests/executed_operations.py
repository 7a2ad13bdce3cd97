"""Holds counts against the scalar operations of the kernels that torch runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PRODUCTS = {"mm", "bmm", "mv", "dot"}
POINTWISE = {"mul", "add", "sub", "sigmoid", "tanh", "relu"}
MOVES = {
    "alias", "cat", "clone", "copy", "diagonal", "expand", "permute", "repeat", "select", "split",
    "squeeze", "stack", "t", "transpose", "unbind", "unsafe_chunk", "unsafe_split", "unsafe_view",
    "unsqueeze", "view", "zeros",
}  # fmt: skip


def macs_and_flops(kernel: str, arguments: tuple[Any, ...], outputs: Any) -> tuple[int, int]:
    """What one kernel computes; a kernel that is not listed here is an error."""
    if kernel in MOVES:
        return 0, 0
    count = outputs.numel()
    if kernel in PRODUCTS:
        length = arguments[0].shape[-1]
        return count * length, count * (2 * length - 1)
    if kernel == "addmm":
        length = arguments[1].shape[-1]
        return count * length, count * 2 * length
    if kernel in POINTWISE:
        return 0, count
    if kernel == "sum":
        return 0, arguments[0].numel() - count
    if kernel == "mean":
        return 0, arguments[0].numel()
    assert kernel in {"softmax", "safe_softmax"}, f"unknown kernel {kernel}"
    length = outputs.shape[-1]
    return 0, count // length * (3 * length - 1)


def executed_operations(call: Callable[[], object]) -> tuple[int, int]:
    """(macs, flops) of all kernels that torch runs in a call, without gradients."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    totals = [0, 0]

    class Counter(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            outputs = func(*args, **(kwargs or {}))
            kernel = func.overloadpacket.__name__.strip("_")
            for index, part in enumerate(macs_and_flops(kernel, args, outputs)):
                totals[index] += part
            return outputs

    with torch.no_grad(), Counter():
        call()
    return totals[0], totals[1]
