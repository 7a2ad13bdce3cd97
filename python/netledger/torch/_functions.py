"""Notes which public function of torch made a layer, as tools that patch functions see it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from netledger._origin import FunctionCall
from netledger.torch._patches import SharedPatch
from netledger.torch._values import FOLLOWING

__all__ = ["noted_functions"]

_POOLS = [
    f"{kind}{spatial}d"
    for kind in ("avg_pool", "max_pool", "adaptive_avg_pool", "adaptive_max_pool")
    for spatial in (1, 2, 3)
]
_CONVOLUTIONS = [
    f"{kind}{spatial}d" for kind in ("conv", "conv_transpose") for spatial in (1, 2, 3)
]

_PRODUCTS = [
    *("matmul", "mm", "bmm", "addmm", "baddbmm", "addbmm", "addmv"),
    *("inner", "outer", "ger"),
]

#: Functions that some tool patches or knows in its graph, by the names that conventions use.
_NAMES: dict[str, tuple[Any, list[str]]] = {
    "F": (
        F,
        [
            *_CONVOLUTIONS,
            *_POOLS,
            "linear",
            "bilinear",
            "relu",
            "prelu",
            "elu",
            "leaky_relu",
            "relu6",
            "hardtanh",
            "silu",
            "gelu",
            "softmax",
            "batch_norm",
            "layer_norm",
            "instance_norm",
            "group_norm",
            "upsample",
            "interpolate",
            "embedding",
            "scaled_dot_product_attention",
            "multi_head_attention_forward",
        ],
    ),
    "torch": (torch, [*_PRODUCTS, "mul", "add", "einsum", "tensordot", "kron", "chain_matmul"]),
    "Tensor": (torch.Tensor, [*_PRODUCTS, "mul", "add", "__matmul__", "expand_as"]),
    "torch.linalg": (torch.linalg, ["multi_dot"]),
}

#: Functions that call others of these; their own name stands for both.
_OUTER = frozenset({"F.interpolate", "F.upsample", "einops.einsum"})


def _noted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """A function that tells the trace of its thread what was called."""
    outer = name in _OUTER

    @functools.wraps(original)
    def noted(*args: Any, **kwargs: Any) -> Any:
        trace = FOLLOWING.trace
        if trace is None or not trace.notes_origins:
            return original(*args, **kwargs)
        engine = trace.engine
        first = len(engine)
        answer = original(*args, **kwargs)
        end = len(engine)
        if end > first:
            functions = trace.functions
            call = None
            for row in range(first, end):
                if outer or row not in functions:
                    if call is None:
                        call = FunctionCall(name, _numbers(args, kwargs))
                    functions[row] = call
        return answer

    found: Any = noted
    found.label = name
    return noted


def _numbers(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[int | str, Any]:
    """The arguments that are not tensors."""
    given: dict[int | str, Any] = dict(enumerate(args))
    given.update(kwargs)
    return {
        place: value
        for place, value in given.items()
        if not isinstance(value, torch.Tensor) and not _holds_tensors(value)
    }


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(v, torch.Tensor) for v in value)


@functools.cache
def _wrappers() -> list[tuple[Any, str, Any, Any]]:
    """Of each function its home, its name, the wrapper, and what the home itself holds."""
    found = []
    for prefix, (home, names) in _NAMES.items():
        for name in names:
            original = getattr(home, name, None)
            if original is None:  # not in this release of torch
                continue
            own = vars(home).get(name)
            found.append((home, name, _noted(f"{prefix}.{name}", original), own))
    return found


@functools.cache
def _einops_wrapper(einops: Any) -> tuple[Any, str, Any, Any]:
    """The same of ``einops.einsum``, which calls ``torch.einsum``."""
    return einops, "einsum", _noted("einops.einsum", einops.einsum), einops.einsum


def _put_wrappers() -> Callable[[], None]:
    """Put the wrappers in place of the functions; returns what takes them away."""
    wrappers = _wrappers()
    einops = sys.modules.get("einops")
    if hasattr(einops, "einsum"):
        wrappers = [*wrappers, _einops_wrapper(einops)]
    replaced = []
    for home, name, wrapper, own in wrappers:
        now = vars(home).get(name)
        if now is not own and now is not wrapper.__wrapped__:
            # Somebody else's patch: it runs as before, and is noted too.
            setattr(home, name, _noted(wrapper.label, now))
        else:
            setattr(home, name, wrapper)
        replaced.append((home, name, now))

    def undo() -> None:
        for home, name, before in replaced:
            if before is None:
                delattr(home, name)
            else:
                setattr(home, name, before)

    return undo


#: In a ``with`` block, the functions tell the trace of their thread what was called.
noted_functions = SharedPatch(_put_wrappers)
