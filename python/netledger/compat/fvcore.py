"""Stands in for ``fvcore.nn`` (0.1.5): flops, activations and parameters, with the same tables.

    from netledger.compat.fvcore import FlopCountAnalysis, flop_count_table

Figures, names of operations and printed text are fvcore's. What is different:

* The model is not run, and not traced by ``torch.jit``: no inputs are read but their shapes, meta
  tensors do, and a model may take and return what it likes.
* It is looked at in evaluation mode, but its batch norms count as in the mode that they are in. A
  model that takes another way in training mode should be put into evaluation mode first.
* ``unsupported_ops`` knows the operations on tensors, but not those on sizes that a model's own
  forward computes with (``aten::mul`` of two sizes).
* Nothing is logged. The settings for warnings are accepted.
* Handles that are functions get the shapes of an operation's leading tensors and of its outputs;
  one that asks for more is refused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

from torch import nn

from netledger.compat import _fvcore_text as text
from netledger.compat._traced_graph import TracedOperation, traced_operations
from netledger.conventions.base import Rules
from netledger.conventions.fvcore import ACTIVATIONS, FLOPS, is_batched_product
from netledger.errors import NetledgerError
from netledger.torch.recording import Recording, record

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "ActivationCountAnalysis",
    "FlopCountAnalysis",
    "activation_count",
    "flop_count",
    "flop_count_str",
    "flop_count_table",
    "parameter_count",
    "parameter_count_table",
]

Handle = Callable[[list[Any], list[Any]], Any]

#: Operations that the peer takes to be free: they never show among the unsupported ones.
_FREE = frozenset(
    f"aten::{name}"
    for name in (
        "Int",
        "ScalarImplicit",
        "__and__",
        "arange",
        "bitwise_not",
        "cat",
        "chunk",
        "clamp",
        "clamp_",
        "constant_pad_nd",
        "contiguous",
        "copy_",
        "detach",
        "dropout",
        "empty",
        "eq",
        "expand",
        "flatten",
        "floor",
        "floor_divide",
        "full",
        "full_like",
        "gather",
        "ge",
        "gt",
        "index",
        "index_put_",
        "masked_fill",
        "max",
        "narrow",
        "new_empty",
        "new_full",
        "new_zeros",
        "nonzero",
        "ones",
        "permute",
        "relu",
        "relu_",
        "remainder",
        "reshape",
        "roll",
        "select",
        "size",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "stack",
        "t",
        "to",
        "transpose",
        "type_as",
        "unbind",
        "unsqueeze",
        "unsqueeze_",
        "view",
        "zeros",
        "zeros_like",
    )
)

_FLOP_KINDS = frozenset(
    f"aten::{name}"
    for name in (
        "addmm",
        "bmm",
        "_convolution",
        "einsum",
        "matmul",
        "mm",
        "linear",
        "batch_norm",
        "group_norm",
        "layer_norm",
        "instance_norm",
        "upsample_nearest2d",
        "upsample_bilinear2d",
        "adaptive_avg_pool2d",
        "grid_sampler",
    )
)
_ACTIVATION_KINDS = frozenset(
    f"aten::{name}" for name in ("_convolution", "addmm", "bmm", "einsum", "matmul", "linear")
)

#: Operations whose tensors do not lead their arguments one by one.
_WITHOUT_STAND_INS = frozenset(("concat", "stack", "index", "einsum", "where", "embedding_bag"))


class _Type:
    """What a handle reads of the type of a value."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def sizes(self) -> list[int]:
        return list(self._shape)

    def dim(self) -> int:
        return len(self._shape)


class _Value:
    """Stands in for a value of a traced graph, of which only the shape is known."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def isCompleteTensor(self) -> bool:  # noqa: N802 -- torch's name
        return True

    def type(self) -> _Type:
        return _Type(self._shape)

    def __getattr__(self, name: str) -> Any:
        raise NetledgerError(
            f"an operation handle asks a value for '{name}', but only shapes are known here: write "
            "a netledger.conventions.Convention of your own"
        )


class _Values(list[Any]):
    """Values in order; what is behind the last tensor is not known."""

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            raise NetledgerError(
                f"an operation handle asks for value {index}, but only the shapes of the leading "
                f"{len(self)} tensors are known here: write a netledger.conventions.Convention of "
                "your own"
            ) from None


class _Figures:
    """What one look at a model gives, by module."""

    def __init__(self, names: Iterable[str]) -> None:
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in names}
        self.unsupported: dict[str, Counter[str]] = {name: Counter() for name in self.counts}
        self.seen: set[str] = set()


class _Analysis:
    """A figure of a model, by module and operation; looked for when it is first asked for.

    Args:
        model: the module; it is not changed.
        inputs: a tensor, or a tuple of them; meta tensors do.
    """

    _rule: Rules
    _kinds: frozenset[str]

    def __init__(self, model: nn.Module, inputs: Any) -> None:
        self._model = model
        self._inputs = inputs
        self._aliases: dict[str, str] = {}
        canonical: dict[nn.Module, str] = {}
        for name, module in model.named_modules(remove_duplicate=False):
            self._aliases[name] = canonical.setdefault(module, name)
        self._handles: dict[str, Handle] = {}
        self._ignored = set(_FREE)
        self._known = set(self._kinds)
        self._ancestor_mode = "owner"
        self._found: _Figures | None = None

    @cached_property
    def _recording(self) -> Recording:
        inputs = self._inputs if isinstance(self._inputs, tuple) else (self._inputs,)
        return record(self._model, (list(inputs),))

    # -- figures ----------------------------------------------------------------------------------

    def total(self, module_name: str = "") -> int:
        """The figure of a module, all operations together."""
        return sum(self._of(module_name).values())

    def by_operator(self, module_name: str = "") -> Counter[str]:
        """The figure of a module by operation, as ``{"conv": ..., "linear": ...}``."""
        return self._of(module_name)

    def by_module(self) -> Counter[str]:
        """The figure of every module by its name, with everything below it."""
        sums: Counter[str] = Counter()
        for name, counts in self._figures.counts.items():
            sums[name] = sum(counts.values())
        return sums

    def by_module_and_operator(self) -> dict[str, Counter[str]]:
        """The figures of every module, by operation."""
        return self._figures.counts

    def unsupported_ops(self, module_name: str = "") -> Counter[str]:
        """Operations in a module that have no handle, by name, with how often they are there."""
        return self._figures.unsupported[self.canonical_module_name(module_name)]

    def uncalled_modules(self) -> set[str]:
        """Modules that no operation ran in."""
        return set(self._aliases.values()) - self._figures.seen

    def canonical_module_name(self, name: str) -> str:
        """The first name of a module that has several."""
        if name not in self._aliases:
            raise NetledgerError(f"the model has no module '{name}'")
        return self._aliases[name]

    def _of(self, name: str) -> Counter[str]:
        return self._figures.counts[self.canonical_module_name(name)]

    # -- settings ---------------------------------------------------------------------------------

    def set_op_handle(self, *args: Any, **kwargs: Handle | None) -> Self:
        """Count an operation by a function of one's own, or not list it as unsupported (None).

        As in the peer, None does not take an operation out that is counted by default.

        Args:
            args: names and handles in turn, as ``"aten::gelu", None``. A handle is a function of
                the inputs and outputs of an operation; here it gets stand-ins for the leading
                tensors, which know their shapes only, and a `NetledgerError` is raised if it asks
                for more.
            kwargs: handles by name.
        """
        if len(args) % 2:
            raise TypeError("set_op_handle takes names and handles in pairs")
        given = {**kwargs, **dict(zip(args[::2], args[1::2], strict=True))}
        for name, handle in given.items():
            if handle is None:
                self._ignored.add(name)
            else:
                self._handles[name] = handle
        self._found = None
        return self

    def clear_op_handles(self) -> Self:
        """Forget all handles, those that are there from the start as well."""
        self._handles = {}
        self._known = set()
        self._ignored = set(_FREE)
        self._found = None
        return self

    def copy(self, new_model: nn.Module | None = None, new_inputs: Any = None) -> Self:
        """The same settings for another model or other inputs."""
        other = type(self)(
            self._model if new_model is None else new_model,
            self._inputs if new_inputs is None else new_inputs,
        )
        other._handles, other._known = dict(self._handles), set(self._known)
        return other

    def ancestor_mode(self, mode: str) -> Self:
        """Whether an operation belongs to the modules around its own by name, or by call.

        Args:
            mode: ``"owner"``, the module and those that its name says it is in, or ``"caller"``,
                those that are running.
        """
        if mode not in ("owner", "caller"):
            raise NetledgerError(f"ancestor mode {mode!r} is neither 'owner' nor 'caller'")
        self._ancestor_mode = mode
        self._found = None
        return self

    def tracer_warnings(self, mode: str) -> Self:
        """Nothing is warned of."""
        if mode not in ("all", "no_tracer_warning", "none"):
            raise NetledgerError(f"{mode!r} is no mode of tracer warnings")
        return self

    def unsupported_ops_warnings(self, enabled: bool) -> Self:  # noqa: ARG002
        """Nothing is warned of."""
        return self

    def uncalled_modules_warnings(self, enabled: bool) -> Self:  # noqa: ARG002
        """Nothing is warned of."""
        return self

    # -- the look at the model --------------------------------------------------------------------

    @cached_property
    def _operations(self) -> list[TracedOperation]:
        return traced_operations(self._recording, hooked=True)

    @property
    def _figures(self) -> _Figures:
        if self._found is None:
            self._found = self._looked_for()
        return self._found

    def _looked_for(self) -> _Figures:
        figures = _Figures(dict.fromkeys(self._aliases.values()))
        callers = self._callers() if self._ancestor_mode == "caller" else None
        modules_of: dict[str, list[str]] = {}
        for operation in self._operations:
            path = operation.place.path
            if path not in modules_of:
                modules_of[path] = self._owners(path)
            around = modules_of[path] if callers is None else callers[operation.place.row]
            figures.seen.update(around)
            for kind, times in self._kinds_of(operation).items():
                counts = self._counts(kind, operation)
                for name in around if counts is None else ():
                    figures.unsupported[name][kind] += times
                if counts is not None:
                    for name in around:
                        figures.counts[name] += counts
        return figures

    def _kinds_of(self, operation: TracedOperation) -> dict[str, int]:
        """The operations that have a handle, or are neither handled nor free."""
        kinds = {operation.kind: 1} if operation.kind else {}
        for kind, times in operation.beside.items():
            kinds[kind] = kinds.get(kind, 0) + times
        return {
            kind: times
            for kind, times in kinds.items()
            if kind in self._known or kind in self._handles or kind not in self._ignored
        }

    def _counts(self, kind: str, operation: TracedOperation) -> Counter[str] | None:
        """What an operation counts, by name; None if nothing is known of it."""
        name = kind.removeprefix("aten::")
        if kind in self._handles:
            counts = self._handled(kind, operation)
            return counts if isinstance(counts, Counter) else Counter({name: counts})
        if kind not in self._known:
            return None
        cost = self._rule(operation.place.view)
        if kind == "aten::einsum" and not self._is_exact(operation):
            cost = float(cost)  # as the peer's
        return Counter({"conv" if name == "_convolution" else name: cost})

    def _handled(self, kind: str, operation: TracedOperation) -> Any:
        view = operation.place.view
        if kind != operation.kind or view.op in _WITHOUT_STAND_INS:
            raise NetledgerError(
                f"a handle for {kind} cannot be honoured: {view.op} is no single operation here, "
                "or its tensors come in a list. Write a netledger.conventions.Convention"
            )
        inputs, outputs = map(_Value, view.inputs), map(_Value, view.outputs)
        return self._handles[kind](_Values(inputs), _Values(outputs))

    def _is_exact(self, operation: TracedOperation) -> bool:  # noqa: ARG002
        """Whether the figure of an einsum is an int."""
        return True

    def _owners(self, path: str) -> list[str]:
        """A module, and those that its name says it is in; the one around a module of no name."""
        while path not in self._aliases:
            path = path.rpartition(".")[0]
        parts = self._aliases[path].split(".") if path else []
        return ["", *(".".join(parts[: end + 1]) for end in range(len(parts)))]

    def _callers(self) -> list[list[str]]:
        """Of every row the modules that run."""
        callers: list[list[str]] = [[] for _ in self._recording.ledger.rows]
        for call in self._recording.calls:
            if call.path in self._aliases:
                for row in call.rows:
                    if call.path not in callers[row]:
                        callers[row].append(call.path)
        return callers


class FlopCountAnalysis(_Analysis):
    """Stands in for ``fvcore.nn.FlopCountAnalysis``: multiply-accumulates, and operations of norms.

    The figures are those of the convention ``fvcore``. They depend on whether gradients are
    enabled, as in fvcore: without them torch runs a ``nn.MultiheadAttention`` as one operation,
    which counts nothing.

    Args:
        model: the module; it is not run and not changed.
        inputs: a tensor, or a tuple of them; meta tensors do.

    Raises:
        NetledgerError: the model cannot be followed, or fvcore fails on one of its layers.
    """

    _rule = FLOPS
    _kinds = _FLOP_KINDS

    def _is_exact(self, operation: TracedOperation) -> bool:
        equation = operation.place.view.attributes["equation"]
        return is_batched_product(equation)


class ActivationCountAnalysis(_Analysis):
    """Stands in for ``fvcore.nn.ActivationCountAnalysis``: outputs of contractions.

    Args:
        model: the module; it is not run and not changed.
        inputs: a tensor, or a tuple of them; meta tensors do.
    """

    _rule = ACTIVATIONS
    _kinds = _ACTIVATION_KINDS


def flop_count(
    model: nn.Module, inputs: Any, supported_ops: dict[str, Handle] | None = None
) -> tuple[defaultdict[str, float], Counter[str]]:
    """Stands in for ``fvcore.nn.flop_count``: 10^9 flops by operation, and unsupported operations.

    Args:
        model: the module; it is not run and not changed.
        inputs: a tuple of tensors; meta tensors do.
        supported_ops: handles, as `FlopCountAnalysis.set_op_handle` takes them.
    """
    analysis = FlopCountAnalysis(model, inputs).set_op_handle(**supported_ops or {})
    return _in_units(analysis, 1e9)


def activation_count(
    model: nn.Module, inputs: Any, supported_ops: dict[str, Handle] | None = None
) -> tuple[defaultdict[str, float], Counter[str]]:
    """Stands in for ``fvcore.nn.activation_count``: 10^6 activations by operation, and the rest.

    Args:
        model: the module; it is not run and not changed.
        inputs: a tuple of tensors; meta tensors do.
        supported_ops: handles, as `FlopCountAnalysis.set_op_handle` takes them.
    """
    analysis = ActivationCountAnalysis(model, inputs).set_op_handle(**supported_ops or {})
    return _in_units(analysis, 1e6)


def _in_units(analysis: _Analysis, unit: float) -> tuple[defaultdict[str, float], Counter[str]]:
    figures: defaultdict[str, float] = defaultdict(float)
    for name, count in analysis.by_operator().items():
        figures[name] = count / unit
    return figures, analysis.unsupported_ops()


# -- parameters and tables -------------------------------------------------------------------------


def parameter_count(model: nn.Module) -> defaultdict[str, int]:
    """Stands in for ``fvcore.nn.parameter_count``: elements by parameter and by module.

    The model is "". A shared parameter counts once, where it comes first.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    for name, parameter in model.named_parameters():
        parts = name.split(".")
        for end in range(len(parts) + 1):
            counts[".".join(parts[:end])] += prod(parameter.shape)
    return counts


def parameter_count_table(model: nn.Module, max_depth: int = 3) -> str:
    """Stands in for ``fvcore.nn.parameter_count_table``. Needs tabulate.

    Args:
        model: the module.
        max_depth: how many levels of modules and parameters are shown.
    """
    rows = text.parameter_rows(parameter_count(model), _shapes(model), max_depth)
    return text.table(rows, ["name", "#elements or shape"])


def flop_count_table(
    flops: FlopCountAnalysis,
    max_depth: int = 3,
    activations: ActivationCountAnalysis | None = None,
    show_param_shapes: bool = True,
) -> str:
    """Stands in for ``fvcore.nn.flop_count_table``. Needs tabulate.

    Args:
        flops: the flops.
        max_depth: how many levels of modules are shown.
        activations: the activations, for a column more.
        show_param_shapes: whether parameters have rows of their own.
    """
    first = "#parameters or shape" if show_param_shapes else "#parameters"
    columns, uncalled = _columns(first, "#flops", flops, "#activations", activations)
    rows = text.statistics_rows(
        columns, uncalled, _shapes(flops._model), max_depth, show_shapes=show_param_shapes
    )
    return text.table(rows, ["module", *columns])


def flop_count_str(
    flops: FlopCountAnalysis, activations: ActivationCountAnalysis | None = None
) -> str:
    """Stands in for ``fvcore.nn.flop_count_str``: the model as text, with figures.

    Args:
        flops: the flops.
        activations: the activations, if they are to be shown.
    """
    columns, uncalled = _columns("#params", "#flops", flops, "#acts", activations)
    return text.annotated_model(flops._model, columns, uncalled)


def _columns(
    parameters: str,
    flops_name: str,
    flops: FlopCountAnalysis,
    activations_name: str,
    activations: ActivationCountAnalysis | None,
) -> tuple[dict[str, dict[str, Any]], dict[str, set[str]]]:
    """The columns of a table, and of those that have some the modules that were not called."""
    columns: dict[str, dict[str, Any]] = {
        parameters: dict(parameter_count(flops._model)),
        flops_name: dict(flops.by_module()),
    }
    uncalled = {flops_name: flops.uncalled_modules()}
    if activations is not None:
        columns[activations_name] = dict(activations.by_module())
        uncalled[activations_name] = activations.uncalled_modules()
    return columns, uncalled


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
