"""Stands in for ``torch.utils.flop_counter`` (torch 2.13): ``FlopCounterMode``.

    from netledger.compat.flop_counter import FlopCounterMode

    with FlopCounterMode() as counter:
        model(torch.empty(1, 3, 224, 224)).sum().backward()

Figures and tables are torch's: FLOPs, two per multiply-accumulate, of what would run on the device
that the model is on. The forward figures are those of the convention ``flop_counter``, in the
version of the device. What is different:

* A module that is called in the block is not run. It returns tensors of the right sizes and types
  that hold no data (`Answer`), in the lists, tuples, dicts and output classes that torch's pytrees
  know.
* Operations on such tensors hold no data either; a value cannot be read (``loss.item()``).
  Operations on ordinary tensors run as always, and count.
* ``backward()`` counts and computes nothing, and parameters and inputs get no ``grad``. Where the
  layers of a module do not tell what its backward is, or its inputs need gradients, the module is
  followed again on tensors without data, by torch's own autograd and formulas. A module that reads
  values of its inputs is refused then.
* A module is followed in evaluation mode: one that takes another way in training mode counts as it
  would in the other.
* Whether a linear layer is ``addmm`` or ``mm`` and an addition goes by how its input lies in
  memory, which is followed through views and operations of one element each only. The projection
  of an LSTM is ``mm``, but counts as ``addmm``. The sums are the same.
* ``custom_mapping`` is refused, and so are recurrent layers on devices other than the CPU and meta,
  whose kernels differ.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils import flop_counter as peer
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from netledger.compat._backward import GradientRecorder, OutcomeRecorder, backward_counts
from netledger.compat._fused import fused_calls
from netledger.compat._strides import strides
from netledger.conventions.base import Rules
from netledger.conventions.flop_counter import CONVENTIONS
from netledger.errors import NetledgerError
from netledger.ledger import Ledger
from netledger.metrics import LayerView
from netledger.torch._values import FOLLOWING
from netledger.torch.recording import Recording
from netledger.torch.tracer import trace

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Answer", "FlopCounterMode"]

aten = torch.ops.aten

#: Layers whose kernels differ by device.
_OF_DEVICE = ("scaled_dot_product_attention", "rnn", "lstm", "gru")


# -- tensors without data --------------------------------------------------------------------------


class Answer(torch.Tensor):
    """What a module that was not run returns: a tensor of which only sizes and type are known.

    It claims to be on the device that the module is on. Operations on it give the like.
    """

    @staticmethod
    def __new__(cls, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Self:
        made: Self = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=device)
        return made

    def __init__(self, *_: Any) -> None: ...

    # Plain for torch's own functions.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        device = next(
            value.device for value in tree_leaves((args, kwargs)) if isinstance(value, Answer)
        )
        if func is aten._local_scalar_dense.default:
            raise NetledgerError(
                "a tensor that holds no data has no value to read: the module was not run"
            )
        found = func(*_on_meta(args), **_on_meta(kwargs or {}))
        if func._schema.is_mutable and isinstance(args[0], torch.Tensor):
            return args[0]
        return tree_map(lambda value: _answer(value, device), found)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Answer(shape={tuple(self.shape)}, dtype={self.dtype})"


def _answer(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return Answer(tuple(value.shape), value.dtype, device)
    return value


def _on_meta(values: Any) -> Any:
    """The same with meta tensors, and meta in place of any other device."""

    def moved(value: Any) -> Any:
        if isinstance(value, torch.device):
            return torch.device("meta")
        if isinstance(value, Answer) or (isinstance(value, torch.Tensor) and not value.is_meta):
            return torch.empty(tuple(value.shape), dtype=value.dtype, device="meta")
        return value

    return tree_map(moved, values)


def _without_answers(values: Any) -> Any:
    """The same, with meta tensors for those that hold no data."""
    return tree_map(lambda value: _on_meta(value) if isinstance(value, Answer) else value, values)


# -- counting a module -----------------------------------------------------------------------------


class _Counted:
    """A call of a module in the block, and what its forward counts."""

    def __init__(
        self, counter: FlopCounterMode, module: nn.Module, args: Any, kwargs: dict[str, Any]
    ) -> None:
        self.counter = counter
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.given = [
            value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)
        ]
        self.device = self._device()
        with _disable_current_modes():
            self.recording, self.trace = _followed(module, *_without_answers((tuple(args), kwargs)))
        tensors = itertools.chain(self.given, module.parameters())
        self.follows_gradients = torch.is_grad_enabled() and any(
            tensor.requires_grad for tensor in tensors
        )

    def _device(self) -> torch.device:
        """The device of the first parameter, buffer or input."""
        tensors = itertools.chain(self.module.parameters(), self.module.buffers(), self.given)
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    # -- forward ----------------------------------------------------------------------------------

    def add_forward(self) -> None:
        """Add what the forward counts to the counter."""
        if self._depends_on_layout() or (self.device.type == "cpu" and self._depends_on_more()):
            self._add(_replayed(self, backward=None))
            return
        if self.device.type not in ("cpu", "meta") and self.has(*_OF_DEVICE[1:]):
            raise NetledgerError(
                f"the recurrent kernels of device '{self.device.type}' are not known: count on the "
                "CPU or on meta tensors"
            )
        counts = self.counter.flop_counts
        names = self.counter.names_of(self.module)
        parents = self._parents(names)
        for place, flops in self._costs():
            if flops:
                operation = self._operation(place.row, place.view)
                for name in parents[place.row]:
                    counts[name][operation] += flops

    def has(self, *ops: str) -> bool:
        """Whether there is a layer of one of these kinds."""
        return any(row.op in ops for row in self.recording.ledger.rows)

    def _depends_on_layout(self) -> bool:
        """Whether there is a product of a vector or one matrix with batches of matrices.

        torch takes it for one of matrices, or of a matrix and a vector, or for many, as the second
        factor lies in memory and the first needs gradients.
        """
        for row in self.recording.ledger.rows:
            if row.op == "matmul":
                left, right = row.input_shapes[:2]
                if len(right) > 2 and prod(left[:-2]) == 1 and left[:-2] != right[:-2]:
                    return True
        return False

    def _depends_on_more(self) -> bool:
        """Whether the kernels of the CPU depend on what a layer does not tell.

        That is dropout within an attention, a mask that needs gradients, and the type of an LSTM.
        """
        for row in self.recording.ledger.rows:
            if row.op == "scaled_dot_product_attention" and (
                any(module.training for module in self.module.modules())
                or (self.follows_gradients and len(row.input_shapes) > 3)
            ):
                return True
            if row.op == "lstm" and not self._is_single():
                return True
        return False

    def _is_single(self) -> bool:
        return all(parameter.dtype == torch.float32 for parameter in self.module.parameters())

    def _costs(self) -> Iterator[tuple[Any, Any]]:
        ledger = self.recording.ledger
        if self.device.type != "cpu":
            yield from ledger._costs(_rules("meta"))
            return
        needed = any(tensor.requires_grad for tensor in self.given)
        fused = fused_calls(self.recording, inputs_need_gradients=needed)
        inside = {row for call in fused for row in call.rows}
        rule = _rules("cpu_grad")
        for place, flops in ledger._costs(rule):
            yield place, 0 if place.row in inside else flops

    def _operation(self, row: int, view: LayerView) -> Any:
        """The operation that torch runs for a layer."""
        op = view.op
        if op.startswith("conv") and op != "concat":
            return aten.convolution
        if op == "matmul":
            for name in ("baddbmm", "addmm"):
                if view.origin.function.endswith(f".{name}"):
                    return getattr(aten, name)
            ranks = [len(shape) for shape in view.inputs]
            folds = ranks[1] == 2 or max(ranks) == 2  # batches of the first become rows
            return aten.mm if folds else aten.bmm
        if op == "scaled_dot_product_attention":
            return aten.mm if len(view.inputs[0]) == 2 else aten.bmm
        if op == "einsum":
            return aten.bmm
        bias = view.attributes["bias"]
        return aten.addmm if bias and not self._is_scattered(row, view) else aten.mm

    def _is_scattered(self, row: int, view: LayerView) -> bool:
        """Whether a linear layer of 3 dimensions or more reads a tensor that is not contiguous."""
        if view.op != "linear" or len(view.inputs[0]) < 3:
            return False
        engine: Any = self.recording.ledger._engine
        read = engine.node(row).inputs[0]
        lies = self._strides.get(read)
        return lies is not None and not lies.is_contiguous() and read not in self.trace.contiguous

    @cached_property
    def _strides(self) -> dict[int, torch.Tensor]:
        return strides(self.recording)

    def _parents(self, names: dict[int, str]) -> list[list[str]]:
        """Of every row the names of the modules that run, each once."""
        parents: list[list[str]] = [["Global"] for _ in self.recording.ledger.rows]
        for call in self.recording.calls:
            name = names.get(id(call.module), type(call.module).__name__)
            for row in call.rows:
                if name not in parents[row]:
                    parents[row].append(name)
        return parents

    # -- backward ---------------------------------------------------------------------------------

    def add_backward(self, grads: tuple[Any, ...]) -> None:
        """Add what the backward counts to the counter, if it counts now."""
        if self.counter.mode is not None:
            found = self._told_by_layers(grads)
            self._add(_replayed(self, backward=grads) if found is None else found)

    def _told_by_layers(self, grads: tuple[Any, ...]) -> dict[str, dict[Any, int]] | None:
        """What the backward counts if the layers tell it, else None."""
        if self.device.type not in ("cpu", "meta") or any(
            tensor.requires_grad for tensor in self.given
        ):
            return None
        on_cpu = self.device.type == "cpu"
        if on_cpu and (self._depends_on_more() or fused_calls(self.recording)):
            return None
        with _disable_current_modes(), suppress(NetledgerError):
            args, kwargs = _without_answers((list(self.args), self.kwargs))
            followed = trace(self.module, args, kwargs, GradientRecorder)
            if len(followed.engine) == len(self.recording.ledger.rows):
                return self._walked_back(followed, grads, on_cpu=on_cpu)
        return None

    def _walked_back(
        self, followed: Any, grads: tuple[Any, ...], *, on_cpu: bool
    ) -> dict[str, dict[Any, int]] | None:
        numbers = followed.numbers_of_answer()
        if len(numbers) != len(grads):
            return None
        reached = [number for number, grad in zip(numbers, grads, strict=True) if grad is not None]
        views = {
            place.row: place.view
            for place in self.recording.ledger._places
            if place.view.origin.kind != "composite"
        }
        names = self.counter.names_of(self.module)
        return backward_counts(followed, views, names, reached, on_cpu=on_cpu)

    def _add(self, found: dict[str, dict[Any, int]]) -> None:
        for name, counts in found.items():
            for operation, flops in counts.items():
                self.counter.flop_counts[name][operation] += flops

    # -- outputs ----------------------------------------------------------------------------------

    def answer(self) -> Any:
        """What the module returns, as tensors without data that autograd follows."""
        made: dict[int, Answer] = {}

        def stand_in(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            if id(value) not in made:
                made[id(value)] = Answer(tuple(value.shape), value.dtype, self.device)
            return made[id(value)]

        answer = tree_map(stand_in, self.trace.answer)
        if not self.follows_gradients:
            return answer
        tensors = list(made.values())
        sources = [
            tensor for tensor in [*self.given, *self.module.parameters()] if tensor.requires_grad
        ]
        linked = _Link.apply(self, tensors, *sources)  # type: ignore[no-untyped-call]
        followed = dict(zip(map(id, tensors), linked, strict=True))
        return tree_map(lambda value: followed.get(id(value), value), answer)


def _followed(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Recording, OutcomeRecorder]:
    """A model that was traced, and the trace."""
    tracer = trace(module, list(args), kwargs, OutcomeRecorder)
    assert isinstance(tracer, OutcomeRecorder)
    ledger = Ledger(tracer.engine, tracer.engine.count(), origins=tracer.origins)
    return Recording(module, ledger, tracer.calls, tracer.finished), tracer


def _rules(version: str) -> Rules:
    rule = CONVENTIONS[version].rule("flops")
    assert isinstance(rule, Rules)
    return rule


class _Link(torch.autograd.Function):
    """Ties the outputs of a module to its inputs and parameters, so that backward comes by."""

    @staticmethod
    def forward(ctx: Any, call: _Counted, made: list[Answer], *sources: torch.Tensor) -> Any:
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.sizes = [
            None if source.is_leaf else (tuple(source.shape), source.dtype, source.device)
            for source in sources
        ]
        ctx.mark_non_differentiable(*(one for one in made if not one.is_floating_point()))
        return tuple(made)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        ctx.call.add_backward(grads)
        return None, None, *(None if size is None else Answer(*size) for size in ctx.sizes)


def _replayed(call: _Counted, backward: tuple[Any, ...] | None) -> dict[str, dict[Any, int]]:
    """What torch's own counter gives for a module on tensors without data.

    Args:
        call: the call of the module.
        backward: what its outputs receive in backward, which alone is counted then; None to count
            the forward.
    """
    if not call.has(*_OF_DEVICE):
        # Meta tensors are faster, but do not mix with constants on the CPU.
        with suppress(Exception):
            return _replayed_in(call, backward, None)
    try:
        return _replayed_in(call, backward, _claiming_mode())
    except Exception as error:
        raise NetledgerError(
            f"{type(call.module).__name__} cannot be followed by autograd on tensors without data "
            f"({type(error).__name__}: {error})"
        ) from error


def _replayed_in(
    call: _Counted, backward: tuple[Any, ...] | None, claiming: Any
) -> dict[str, dict[Any, int]]:
    """The same in a mode in which tensors claim to be on their device; on meta if there is none."""
    mode = claiming or nullcontext()

    def empty(tensor: torch.Tensor) -> torch.Tensor:
        device = tensor.device if claiming else torch.device("meta")
        with mode:
            made = torch.empty_strided(
                tuple(tensor.shape), tensor.stride(), dtype=tensor.dtype, device=device
            )
        return made.requires_grad_(tensor.requires_grad)

    def replaced(value: Any) -> Any:
        return empty(value) if isinstance(value, torch.Tensor) else value

    counter = peer.FlopCounterMode(display=False)
    gradients = torch.is_grad_enabled() if backward is None else True
    with _disable_current_modes(), torch.set_grad_enabled(gradients), call.counter.paused():
        args, kwargs = tree_map(replaced, (tuple(call.args), call.kwargs))
        with _other_weights(call.module, empty), mode, counter:
            answer = call.module(*args, **kwargs)
            forward = counter.get_flop_counts()
            if backward is None:
                return forward
            made = [value for value in tree_leaves(answer) if isinstance(value, torch.Tensor)]
            # Not the outputs themselves, so that torch sees backward enter the module.
            reached = [
                tensor.view_as(tensor)
                for tensor, grad in zip(made, backward, strict=True)
                if grad is not None and tensor.requires_grad
            ]
            torch.autograd.backward(reached, [torch.empty_like(tensor) for tensor in reached])
            return _difference(counter.get_flop_counts(), forward)


def _claiming_mode() -> Any:
    """torch's mode in which tensors without data claim to be on a device."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode()


@contextmanager
def _other_weights(
    module: nn.Module, other: Callable[[torch.Tensor], torch.Tensor]
) -> Iterator[None]:
    """Puts others in place of all parameters and buffers; shared ones stay shared."""
    tables = [table for below in module.modules() for table in (below._parameters, below._buffers)]
    kept: list[dict[str, Any]] = [dict(table) for table in tables]
    made: dict[int, torch.Tensor] = {}
    try:
        for table in tables:
            for name, value in table.items():
                if value is not None:
                    if id(value) not in made:
                        made[id(value)] = other(value)
                    table[name] = made[id(value)]  # type: ignore[assignment]
        yield
    finally:
        for table, values in zip(tables, kept, strict=True):
            table.update(values)


def _difference(
    whole: dict[str, dict[Any, int]], part: dict[str, dict[Any, int]]
) -> dict[str, dict[Any, int]]:
    found: dict[str, dict[Any, int]] = {}
    for name, counts in whole.items():
        for operation, flops in counts.items():
            more = flops - part.get(name, {}).get(operation, 0)
            if more:
                found.setdefault(name, {})[operation] = more
    return found


# -- the mode --------------------------------------------------------------------------------------


class _NoTracker:
    """In place of torch's tracker of modules: none runs in the block."""

    parents = frozenset(("Global",))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None: ...


class FlopCounterMode(peer.FlopCounterMode):
    """Stands in for ``torch.utils.flop_counter.FlopCounterMode``: counts without running modules.

    Inside the ``with`` block a module that is called is not run: it returns tensors of the right
    sizes and types without data, and the forward of the module counts as torch would count it on
    the device that its parameters are on. Other operations on tensors run and count as always.
    ``get_total_flops``, ``get_flop_counts`` and ``get_table`` are torch's own.

    Args:
        mods: not needed, as in torch.
        depth: how many levels of modules the table shows.
        display: whether the table is printed at the end of the block. Needs tabulate.
        custom_mapping: must be empty: formulas of one's own would need the arguments of operations
            that do not run.

    Raises:
        NetledgerError: formulas of one's own; a module that cannot be followed; reading a value
            that was not computed.
    """

    def __init__(
        self,
        mods: nn.Module | list[nn.Module] | None = None,
        depth: int = 2,
        display: bool = True,
        custom_mapping: dict[Any, Any] | None = None,
    ) -> None:
        if custom_mapping:
            raise NetledgerError(
                "custom_mapping is not supported: modules do not run here. Use a "
                "netledger.conventions.Convention of your own, or torch's FlopCounterMode"
            )
        super().__init__(mods, depth, display)
        self.mod_tracker: Any = _NoTracker()
        self._thread = 0
        self._paused = False
        self._original: Any = None
        self._names: dict[int, str] = {}
        self._named: dict[int, nn.Module] = {}

    def __enter__(self) -> Self:
        super().__enter__()  # type: ignore[no-untyped-call]
        self._thread = threading.get_ident()
        self._original = original = nn.Module.__call__
        counter = self

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if (
                counter._paused
                or FOLLOWING.trace is not None
                or threading.get_ident() != counter._thread
            ):
                return original(module, *args, **kwargs)
            counted = _Counted(counter, module, args, kwargs)
            counted.add_forward()
            return counted.answer()

        nn.Module.__call__ = call  # type: ignore[method-assign]
        return self

    def __exit__(self, *exception: object) -> Any:
        nn.Module.__call__ = self._original  # type: ignore[method-assign]
        return super().__exit__(*exception)  # type: ignore[no-untyped-call]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Modules run as always inside this block."""
        kept, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = kept

    def names_of(self, module: nn.Module) -> dict[int, str]:
        """torch's names of modules: the class of the outermost, then the path below it.

        A module in several places has the last of their names, as in torch.
        """
        self._name(module)
        return self._names

    def _name(self, module: nn.Module) -> str:
        name = self._names.setdefault(id(module), type(module).__name__)
        if id(module) not in self._named:
            for child_name, child in module.named_children():
                self._names[id(child)] = f"{name}.{child_name}"
                self._name(child)
            self._named[id(module)] = module
        return name
