"""Stands in for ``torchprofile`` (0.1.0): ``profile_macs``.

    from netledger.compat.torchprofile import profile_macs

The figures are those of the convention ``torchprofile``. The model is not run and not traced by
``torch.jit``: meta tensors do as inputs. What is different:

* torchprofile counts one for every product of two sizes that a model computes where it reshapes, as
  ``height * width`` of a tensor. They are known here of ``nn.MultiheadAttention`` and of
  torchvision's ``VisionTransformer``; those of a model's own forward are missing, some tens at
  most.
* Operations without a handler are not warned of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from netledger.compat._fused import fused_calls
from netledger.compat._traced_graph import traced_operations
from netledger.conventions.torchprofile import MACS
from netledger.errors import NetledgerError
from netledger.torch.recording import Recording, record

__all__ = ["Node", "profile_macs"]


@dataclass(frozen=True, slots=True)
class Node:
    """An operation of a model: what stands for a node of the peer's graph.

    Attributes:
        index: its place among the operations.
        operator: its name, as ``"aten::linear"``; the layer's op where it is several operations.
        scope: the path of the module that it runs in.
        inputs: shapes of the tensors it reads, weights left aside.
        outputs: shapes of what it makes.
    """

    index: int
    operator: str
    scope: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]


def profile_macs(
    model: nn.Module,
    args: Any = (),
    kwargs: None = None,
    reduction: Callable[[Iterable[int]], Any] | None = sum,
) -> Any:
    """Stands in for ``torchprofile.profile_macs``: the multiply-accumulates of a model.

    Args:
        model: the module; it is not run and not changed.
        args: a tensor, or a tuple of them; meta tensors do.
        kwargs: None, as for the peer.
        reduction: what makes one number of those of the operations. With None they are returned by
            `Node`: a layer each, where the peer has a node of its graph each.

    Returns:
        What `reduction` returns, an int for `sum`; a dict from `Node` to int without it.

    Raises:
        NetledgerError: keyword arguments, a model that cannot be followed, or one on which
            torchprofile fails.
    """
    if kwargs is not None:
        raise NetledgerError("torchprofile takes no keyword arguments: give args by position")
    given = list(args) if isinstance(args, list | tuple) else [args]
    recording = record(model, (given,))
    _refuse_fused_attention(recording)
    macs: dict[Node, int] = {}
    for operation in traced_operations(recording, hooked=False):
        view = operation.place.view
        if not operation.counted:
            continue
        node = Node(
            len(macs), operation.kind or view.op, operation.place.path, view.inputs, view.outputs
        )
        macs[node] = MACS(view)
    return macs if reduction is None else reduction(macs.values())


def _refuse_fused_attention(recording: Recording) -> None:
    """The peer fails on the fused attention where it returns no weights."""
    for call in fused_calls(recording):
        if isinstance(call.module, nn.MultiheadAttention):
            wanted = call.args[4] if len(call.args) > 4 else call.kwargs.get("need_weights", True)
            if not wanted:
                raise NetledgerError(
                    f"torchprofile fails on the fused attention of '{call.path}', which torch "
                    "takes without gradients: call with gradients enabled"
                )
