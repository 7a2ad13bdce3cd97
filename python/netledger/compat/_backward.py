"""What the backward of a module counts for torch's flop counter, told by its layers.

Autograd runs what was done in forward in the opposite order. Every contraction on the way has one
product for each of its operands that needs a gradient; what else there is counts nothing. Here that
is followed on the layers of a trace, for modules that are made of layers of which it is certain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from math import prod
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from netledger.conventions.flop_counter import is_fused_on_cpu
from netledger.conventions.sizes import CONVOLUTIONS, TRANSPOSED
from netledger.metrics import LayerView
from netledger.torch.recording import Recorder

if TYPE_CHECKING:
    from netledger._results import Node

__all__ = ["GradientRecorder", "OutcomeRecorder", "Passage", "backward_counts"]

aten = torch.ops.aten

#: Layers that gradients pass, and that count nothing.
_PASSING = frozenset(
    {
        *(f"{kind}_pool{spatial}d" for kind in ("max", "avg") for spatial in (1, 2, 3)),
        *(f"adaptive_{kind}_pool{spatial}d" for kind in ("max", "avg") for spatial in (1, 2, 3)),
        *("batch_norm", "layer_norm", "group_norm", "instance_norm", "embedding", "pad"),
        *("relu", "relu6", "hardtanh", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu"),
        *("gelu_tanh", "silu", "mish", "sigmoid", "logsigmoid", "tanh", "hardsigmoid"),
        *("hardswish", "softplus", "softsign", "softmax", "log_softmax", "glu"),
        *("add", "sub", "mul", "div", "mean", "sum", "concat", "stack", "interpolate"),
    }
)
#: The same of layers whose outcome is another view of what they read.
_VIEWS = frozenset(
    {
        *("reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze"),
        *("slice", "select", "chunk", "split", "unbind", "expand"),
    }
)
#: Layers whose outcome is certainly no view, in batches.
_FRESH = frozenset(
    {
        *("conv2d", "linear", "batch_norm", "add", "sub", "mul", "div", "concat"),
        *("relu", "relu6", "hardtanh", "leaky_relu", "silu", "sigmoid", "hardswish"),
    }
)
#: Layers that hand on the very tensor that they are given, in evaluation mode.
_HANDING_ON = frozenset(("identity", "dropout", "dropout1d", "dropout2d", "dropout3d"))

#: Modules of torch.nn that act differently in training mode, in what is counted.
_OF_MODE = ("Dropout", "MultiheadAttention", "Transformer", "RReLU", "FractionalMaxPool")

_DETACHING = frozenset((aten.detach.default, aten.detach_.default))
_MAKING_CONTIGUOUS = frozenset((aten.contiguous.default, aten.clone.default))


class Passage(NamedTuple):
    """The tensors that a module took by position, or returned.

    Attributes:
        module: the module.
        leaves: whether it returned them.
        tensors: their numbers in the graph.
    """

    module: nn.Module
    leaves: bool
    tensors: tuple[int, ...]


class OutcomeRecorder(Recorder):  # type: ignore[no-untyped-call]
    """A recorder that also keeps what the model returned, and what it made contiguous.

    Attributes:
        answer: what the model returned.
        contiguous: the numbers of tensors that were made contiguous.
    """

    def __init__(self, module: nn.Module, handlers: dict[Any, Any]) -> None:
        super().__init__(module, handlers)
        self.answer: Any = None
        self.contiguous: set[int] = set()

    def returned(self, answer: Any) -> None:
        """The innermost module call has returned; the last one is the model's."""
        self.answer = answer
        super().returned(answer)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        answer = super().__torch_dispatch__(func, types, args, kwargs)
        if func in _MAKING_CONTIGUOUS:
            self.contiguous.add(self.index(answer))
        return answer

    def numbers_of_answer(self) -> list[int]:
        """The numbers of the tensors that the model returned, each once."""
        leaves = tree_leaves(self.answer)
        return list(
            dict.fromkeys(self.index(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor))
        )


class GradientRecorder(OutcomeRecorder):  # type: ignore[no-untyped-call]
    """A recorder that also keeps what gradients depend on.

    The model is followed with gradients enabled, so that it shows where it turns them off. Some
    cannot be: such a trace fails.

    Attributes:
        passages: the tensors that went into modules and out of them, in order.
        renamed: the numbers of tensors that have another name, as a slice of everything: to torch
            that is a view.
        is_plain: whether gradients were never turned off, nor a tensor detached, nor what is kept
            for backward changed, as by checkpoints.
    """

    def __init__(self, module: nn.Module, handlers: dict[Any, Any]) -> None:
        super().__init__(module, handlers)
        self.passages: list[Passage] = []
        self.renamed: set[int] = set()
        self.is_plain = True
        self._modules_open: list[nn.Module] = []

    def entered(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is called; its scope is open."""
        if not self._modules_open:
            torch._C._set_grad_enabled(True)
        self._look()
        self._modules_open.append(module)
        self.passages.append(Passage(module, False, self._tensors_in(args)))
        super().entered(module, args, kwargs)

    def returned(self, answer: Any) -> None:
        """The innermost module call has returned; the last one is the model's."""
        module = self._modules_open.pop()
        self.passages.append(Passage(module, True, self._tensors_in(answer)))
        super().returned(answer)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _DETACHING:
            self.is_plain = False
        self._look()
        answer = super().__torch_dispatch__(func, types, args, kwargs)
        if args and answer is args[0] and not func._schema.is_mutable:
            self.renamed.add(self.index(answer))
        return answer

    def weight_needs(self) -> dict[int, bool]:
        """Whether each parameter, by its number, needs a gradient."""
        return {self.index(weight): weight.requires_grad for weight in self._weights}

    def _look(self) -> None:
        if not torch.is_grad_enabled() or _top_hooks(True) is not None:
            self.is_plain = False

    def _tensors_in(self, value: Any) -> tuple[int, ...]:
        tensors = [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
        return tuple(map(self.index, tensors))


#: The functions that are told of what is kept for backward, None if there are none.
_top_hooks: Callable[[bool], Any] = getattr(
    torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None
)


class _Uncertain(Exception):
    """What autograd would do is not known of a layer."""


@cache
def _asks_for_mode(module_class: Any) -> bool:
    """Whether the code of a module's class looks at whether it is in training mode."""
    if module_class.__module__.startswith("torch.nn.modules."):
        return str(module_class.__name__).startswith(_OF_MODE)
    return any(
        isinstance(function, FunctionType) and "training" in function.__code__.co_names
        for ancestor in module_class.__mro__
        if not ancestor.__module__.startswith("torch.nn.modules.")
        for function in vars(ancestor).values()
    )


def backward_counts(
    recorder: GradientRecorder,
    views: dict[int, LayerView],
    names: dict[int, str],
    outputs: list[int],
    *,
    on_cpu: bool,
) -> dict[str, dict[Any, int]] | None:
    """The FLOPs of a backward by module and operation; None where that is not certain.

    Args:
        recorder: the trace, of a model whose inputs need no gradients.
        views: the layers that are no composites, by row.
        names: the names of modules by their ids.
        outputs: the numbers of the outputs that receive a gradient.
        on_cpu: whether the kernels are those of the CPU, not of the meta device.
    """
    classes: list[Any] = [type(module) for module in recorder.modules if module.training]
    if not recorder.is_plain or any(map(_asks_for_mode, classes)):
        return None
    try:
        return _Backward(recorder, views, names, on_cpu).run(outputs)
    except _Uncertain:
        return None


class _Backward:
    """One walk from the outputs of a model back to its weights."""

    def __init__(
        self,
        recorder: GradientRecorder,
        views: dict[int, LayerView],
        names: dict[int, str],
        on_cpu: bool,
    ) -> None:
        engine: Any = recorder.engine
        self.nodes: list[Node] = [engine.node(index) for index in range(len(engine))]
        self.kind: Callable[[int], str] = engine.kind
        self.shape: Callable[[int], tuple[int, ...]] = engine.shape
        self.views = views
        self.names = names
        self.on_cpu = on_cpu
        self.same: dict[int, int] = {}
        self.needs = dict(recorder.weight_needs())
        self.received: set[int] = set()
        self.renamed = recorder.renamed
        self.made_by = {tensor: node for node in self.nodes for tensor in node.outputs}
        called = [passage.module for passage in recorder.passages if passage.leaves]
        if self.renamed and len(called) > len(set(called)):
            raise _Uncertain  # the order in which equal names come and go is not known
        for node in self.nodes:
            self._follow(node)
        self.passages = recorder.passages

    def _one(self, tensor: int) -> int:
        """The tensor that this one is."""
        return self.same.get(tensor, tensor)

    def _operands(self, node: Node) -> Iterator[int]:
        for tensor in (*node.inputs, *node.weights):
            if tensor is not None:
                yield self._one(tensor)

    def _follow(self, node: Node) -> None:
        """Whether what a layer makes needs gradients."""
        if node.op == "uncalled":
            return
        needed = any(self.needs.get(tensor, False) for tensor in self._operands(node))
        if node.op in _HANDING_ON:
            self.same[node.outputs[0]] = self._one(node.inputs[0])
            return
        for tensor in node.outputs:
            self.needs[tensor] = needed
        if needed:
            self._require_known(node)

    def _require_known(self, node: Node) -> None:
        known = node.op in _PASSING or node.op in _VIEWS or node.op in _PRODUCTS
        if not known or len(node.outputs) != 1:
            raise _Uncertain
        if node.inplace and self._is_view(self._one(node.inputs[0])):
            raise _Uncertain  # autograd then also writes to what it is a view of

    def _is_view(self, tensor: int) -> bool:
        """Whether a tensor is, or may be, a view of another one."""
        node = self.made_by.get(tensor)
        if node is None or tensor in self.renamed or node.op not in _FRESH:
            return True
        rank = len(self.shape(tensor))
        return (node.op == "linear" and rank != 2) or (node.op == "conv2d" and rank != 4)

    # -- the walk ---------------------------------------------------------------------------------

    def run(self, outputs: list[int]) -> dict[str, dict[Any, int]]:
        counts: dict[str, dict[Any, int]] = defaultdict(lambda: defaultdict(int))
        self._reach(map(self._one, outputs))
        self._require_inner_passages()
        reached = []
        for node in reversed(self.nodes):
            if node.op not in _HANDING_ON and self.received.intersection(node.outputs):
                reached.append(node)
                self._reach(self._operands(node))
        hooks = self._hooks()
        parents = {"Global": None}
        for node in reached:
            for adds, name in hooks.get(node.outputs[0], ()):
                if adds:
                    parents[name] = None
                else:
                    parents.pop(name, None)
            for operation, flops in self._products(node):
                for name in parents if flops else ():
                    counts[name][operation] += flops
        return counts

    def _reach(self, tensors: Any) -> None:
        self.received.update(tensor for tensor in tensors if self.needs.get(tensor, False))

    def _require_inner_passages(self) -> None:
        """Weights that are given to modules have no layer that they come from."""
        for passage in self.passages:
            for tensor in map(self._one, passage.tensors):
                if self.needs.get(tensor, False) and self.kind(tensor) != "activation":
                    raise _Uncertain

    def _hooks(self) -> dict[int, list[tuple[bool, str]]]:
        """For each tensor what becomes of the names of running modules before its layer runs.

        torch enters a module when all that it returned has its gradient, and leaves it when all
        that it was given has.
        """
        order = {node.outputs[0]: node.index for node in self.nodes if node.outputs}
        hooks: dict[int, list[tuple[bool, str]]] = defaultdict(list)
        for passage in self.passages:
            tensors = map(self._one, passage.tensors)
            waited = [tensor for tensor in tensors if tensor in self.received]
            if waited:
                last = min(waited, key=lambda tensor: order[tensor])
                name = self.names.get(id(passage.module), type(passage.module).__name__)
                hooks[last].append((passage.leaves, name))
        return hooks

    # -- what a layer counts ----------------------------------------------------------------------

    def _products(self, node: Node) -> Iterator[tuple[Any, int]]:
        """The products of a layer's backward, and their FLOPs."""
        if node.op not in _PRODUCTS:
            return
        view = self.views[node.index]
        operands = [self._one(tensor) for tensor in node.inputs]
        if node.op not in ("matmul", "scaled_dot_product_attention"):
            operands = [operands[0], *(tensor for tensor in node.weights[:1] if tensor is not None)]
            if len(operands) != 2:
                raise _Uncertain
        needed = [self.needs.get(tensor, False) for tensor in operands]
        yield from _PRODUCTS[node.op](view, needed, self.on_cpu)


_Products = Iterator[tuple[Any, int]]


def _of_convolution(view: LayerView, needed: list[bool], on_cpu: bool) -> _Products:
    """The product for the weight is counted as if there were no groups."""
    flops = 2 * view.macs
    groups = view.attributes["groups"]
    yield aten.convolution_backward, needed[0] * flops + needed[1] * groups * flops


def _of_linear(view: LayerView, needed: list[bool], on_cpu: bool) -> _Products:
    if len(view.inputs[0]) < 2:
        raise _Uncertain
    yield aten.mm, sum(needed) * 2 * view.macs


def _of_matmul(view: LayerView, needed: list[bool], on_cpu: bool) -> _Products:
    left, right = view.inputs[:2]
    if len(left) != len(right) or len(left) < 2 or left[:-2] != right[:-2]:
        raise _Uncertain
    if view.origin.function.endswith(("addmm", "baddbmm", "addbmm", "addmv")):
        raise _Uncertain
    yield (aten.mm if len(left) == 2 else aten.bmm), sum(needed[:2]) * 2 * view.macs


def _of_attention(view: LayerView, needed: list[bool], on_cpu: bool) -> _Products:
    """On the CPU it is one kernel that has no formula; else two products, of two operands each."""
    query, key, value = view.inputs[:3]
    if any(needed[3:]) or len(query) != 4 or query[:2] != key[:2] or key[:2] != value[:2]:
        raise _Uncertain
    if on_cpu:
        if not is_fused_on_cpu(view):
            raise _Uncertain
        return
    scores = 2 * prod(query[:-1]) * key[-2]
    of_scores = scores * query[-1] * (needed[0] + needed[1])
    of_values = scores * value[-1] * ((needed[0] or needed[1]) + needed[2])
    yield aten.bmm, of_scores + of_values


_PRODUCTS: dict[str, Callable[[LayerView, list[bool], bool], _Products]] = {
    **dict.fromkeys((*CONVOLUTIONS, *TRANSPOSED), _of_convolution),
    "linear": _of_linear,
    "matmul": _of_matmul,
    "scaled_dot_product_attention": _of_attention,
}
