"""Runs a module's Python and records its layers; the engine propagates the shapes.

A dispatch mode under ``torch.inference_mode()`` sees every operation whole (a linear, a batch norm,
an attention). Its handler in `netledger.torch.aten` adds a layer to the graph, and the caller gets
a `TracedTensor` of the shape that the rule book gives. No kernel runs on the module's tensors.

Small tensors that depend on no input and no parameter (positions, masks) are computed for real, so
that control flow on them can be followed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._C import _InferenceMode as InferenceMode
from torch.utils._python_dispatch import TorchDispatchMode

from netledger._collection import paused
from netledger._implementation import Engine
from netledger._origin import (
    Composite,
    FunctionCall,
    Origins,
    ScopeOrigin,
    ancestry_of,
    layer_class,
)
from netledger.errors import NetledgerError, TraceError
from netledger.torch._functions import noted_functions
from netledger.torch._inputs import Input, check_shape, is_shape, torch_dtype
from netledger.torch._layout import running
from netledger.torch._patches import SharedPatch
from netledger.torch._state import ModuleState, walk
from netledger.torch._tensor import TracedTensor, traced
from netledger.torch._values import FOLLOWING, Expression, current
from netledger.torch.mutables import Alternatives, MutableLayer

__all__ = ["Tracer", "trace"]

#: Constants with more elements than this are not computed, only their shapes.
_LARGEST_CONSTANT = 1 << 20

DTYPE_NAMES: dict[torch.dtype, str] = {
    dtype: str(dtype).removeprefix("torch.")
    for dtype in vars(torch).values()
    if isinstance(dtype, torch.dtype)
}

Handler = Callable[..., Any]

#: Names for the same tensor.
_ALIASES = {
    torch.ops.aten.alias.default,
    torch.ops.aten.detach.default,
    torch.ops.aten.lift_fresh.default,
}
_DYNAMIC = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}


class ElasticWeight(NamedTuple):
    """A parameter or buffer of a mutable layer, with the sizes that its choices give it."""

    kind: str
    name: str
    path: str
    value: torch.Tensor
    sizes: tuple[Any, ...]


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """One trace of one module.

    Attributes:
        engine: the graph being built.
        scope: the module call that layers are added to.
        device: where the traced tensors claim to be: with the module's parameters.
        unsupported: operations without a rule, counted as opaque layers, and how often.
        makes_space: whether all that may be chosen in a supernet is followed, not only the current
            choices.
        notes_origins: whether it is noted where layers come from.
        notes_mode: whether it is noted which modules are in training mode; a ledger is that of the
            model in evaluation mode.
        functions: the public function that made a layer, by the layer's number.
        composites: calls of modules that some tools count as a whole.
        origins: where the layers came from, once the trace is finished.
        called: the module of each scope, by the scope's number; None for the graph itself.
    """

    makes_space = False
    notes_origins = True
    notes_mode = False
    #: What is told of every module call, and of its return; None if nothing is.
    entered: Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None] | None = None
    returned: Callable[[Any], None] | None = None

    def __init__(self, module: nn.Module, handlers: dict[Any, Handler]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.engine = self._new_engine()
        self._add = self.engine.adder()
        self.scope = 0
        self.unsupported: dict[str, int] = {}
        self.functions: dict[int, FunctionCall] = {}
        self.composites: list[Composite] = []
        self.called: list[nn.Module | None] = [None]
        self.origins: Origins | None = None
        self._handlers = handlers
        self._module = module
        self._paths: dict[int, tuple[str, str]] = {}
        self._calls: dict[int, int] = {}
        self._indices: dict[int, int] = {}
        # Keeps alive what `_indices` knows by identity.
        self._alive: list[Any] = []
        # The exception that left a module last, and the innermost module call it left.
        self.failed: BaseException | None = None
        self.failed_scope = 0
        # Why a size was given no value, last; torch may have made a TypeError of it.
        self.refusal: TraceError | None = None
        # How often the module's tensors were written to, by torch's count.
        self._versions: list[int] = []
        self._weights: list[torch.Tensor] = []
        # The path of the module that owns a parameter or buffer, by its tensor.
        self._owners: dict[int, str] = {}
        # The same of the weights that mutable layers slice: what is chosen of them.
        self._elastic: dict[int, int] = {}
        # Storages whose values are not to be trusted: written to by an operation that did not run.
        self._unknown: set[int] = set()
        self._model_storages: set[int] | None = None
        self.modules: list[nn.Module] = []
        self._scope_paths = [""]
        self._register_module()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # torch would wrap every call of __torch_dispatch__, and import torch._dynamo for it.
        return False

    def _new_engine(self) -> Any:
        return Engine()

    def _walk(self) -> Iterable[tuple[str, nn.Module]]:
        """The modules that are followed: of a supernet, those that the current choices run."""
        modules = list(walk(self._module))
        if any(isinstance(module, Alternatives) for _, module in modules):
            return running(self._module)
        return modules

    def _register_module(self) -> None:
        given: list[tuple[str, Sequence[int], str, str, bool]] = []
        paths: list[str] = []
        weights: list[torch.Tensor] = []
        seen: set[int] = set()
        elastic: list[ElasticWeight] = []
        for path, module in self._walk():
            self.modules.append(module)
            self._paths[id(module)] = (path, type(module).__name__)
            sizes = module.weight_sizes() if isinstance(module, MutableLayer) else None
            for kind, table in (("parameter", module._parameters), ("buffer", module._buffers)):
                for name, value in table.items():
                    if value is None or id(value) in seen:
                        continue
                    seen.add(id(value))
                    full_name = f"{path}.{name}" if path else name
                    try:
                        shape = value.shape
                    except RuntimeError as error:
                        raise TraceError(
                            f"parameter '{full_name}' has no shape yet ({error}): run the lazy "
                            "module once, or build it with its sizes"
                        ) from None
                    dtype = DTYPE_NAMES[value.dtype]
                    self._weights.append(value)
                    if sizes is not None:
                        weight = ElasticWeight(kind, full_name, path, value, sizes[name])
                        elastic.append(weight)
                        continue
                    given.append((kind, shape, dtype, full_name, value.requires_grad))
                    paths.append(path)
                    weights.append(value)
        indices = self.engine.tensors(given)
        self._indices.update(zip(map(id, weights), indices, strict=True))
        self._owners.update(zip(indices, paths, strict=True))
        self._register_elastic(elastic)
        weights = self._weights
        self.device = weights[0].device if weights else torch.device("cpu")
        self._default_dtype = next(
            (value.dtype for value in weights if value.dtype.is_floating_point), None
        )
        self._versions = [tensor._version for tensor in self._weights]

    def _register_elastic(self, weights: list[ElasticWeight]) -> None:
        """Add the weights of mutable layers, in the sizes that are chosen."""
        for weight in weights:
            self._new_elastic(weight, [current(size) for size in weight.sizes])

    def _new_elastic(self, weight: ElasticWeight, sizes: Sequence[Any]) -> None:
        value = weight.value
        index = self.engine.tensor(
            weight.kind, sizes, DTYPE_NAMES[value.dtype], weight.name, value.requires_grad
        )
        self._elastic[id(value)] = index
        self._owners[index] = weight.path

    def restore_versions(self) -> None:
        """torch counts writes to a tensor; those that a trace only notes are taken back."""
        for tensor, version in zip(self._weights, self._versions, strict=True):
            if tensor._version != version:
                _set_version((tensor,), (version,))

    # -- tensors ----------------------------------------------------------------------------------

    def index(self, tensor: torch.Tensor) -> int:
        """The tensor of the graph that a tensor stands for."""
        if type(tensor) is TracedTensor:
            return tensor.index
        found = self._indices.get(id(tensor))
        return self._new_constant(tensor) if found is None else found

    def _new_constant(self, tensor: torch.Tensor) -> int:
        if id(tensor) in self._elastic:
            raise TraceError(
                f"{self.where()}: the weights of a mutable layer are as large as its largest "
                "choice, and only the layer itself knows what is chosen of them: call the layer"
            )
        shape = tuple(tensor.shape)
        index: int = self.engine.tensor("constant", shape, DTYPE_NAMES[tensor.dtype])
        self._bind(tensor, index)
        return index

    def _bind(self, tensor: torch.Tensor, index: int) -> None:
        self._indices[id(tensor)] = index
        self._alive.append(tensor)

    def make(self, index: int, dtype: torch.dtype) -> TracedTensor:
        """A stand-in for a tensor of the graph."""
        return traced(index, self.engine.shape(index), dtype, self.device)

    def constant(self, shape: Iterable[int], dtype: torch.dtype) -> TracedTensor:
        """A stand-in for a tensor that no layer makes and whose values are not known."""
        index = self.engine.tensor("constant", tuple(shape), DTYPE_NAMES[dtype])
        return self.make(index, dtype)

    def add(
        self,
        op: str,
        inputs: Iterable[torch.Tensor],
        attributes: dict[str, Any] | None = None,
        *,
        weights: list[torch.Tensor | None] | None = None,
        dtype: torch.dtype | None = None,
    ) -> Any:
        """Add a layer and return stand-ins for its outputs: one tensor, or a tuple of several.

        The outputs have the dtype of the first input unless another is given.
        """
        tensors = list(inputs)
        index = self.index
        chosen = None
        if weights is not None:
            chosen = [None if weight is None else index(weight) for weight in weights]
        result = dtype or tensors[0].dtype
        read = [index(tensor) for tensor in tensors]
        outputs = self._add(op, read, attributes, chosen, DTYPE_NAMES[result], self.scope, False)
        if len(outputs) == 2:
            return traced(outputs[0], outputs[1], result, self.device)
        return tuple(
            traced(output, shape, result, self.device)
            for output, shape in zip(outputs[::2], outputs[1::2], strict=True)
        )

    def add_inplace(
        self, op: str, inputs: list[torch.Tensor], attributes: dict[str, Any] | None = None
    ) -> Any:
        """Add a layer whose output takes the place of its first input; return that tensor."""
        target = inputs[0]
        read = [self.index(tensor) for tensor in inputs]
        output, shape = self._add(op, read, attributes, None, None, self.scope, True)
        if shape != target.shape:
            raise TraceError(
                f"{self.where()}: {op} in place cannot turn {tuple(target.shape)} into {shape}"
            )
        self.overwrite(target, output)
        return target

    def overwrite(self, target: torch.Tensor, index: int | None = None) -> None:
        """Note that a tensor now holds something else, of which the values are not known."""
        if type(target) is TracedTensor:
            if index is not None:
                target.index = index
            return
        if index is not None:
            self._bind(target, index)
        self._unknown.add(_storage(target))

    def is_known(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor's values may be read: it depends on no input and no parameter."""
        kind = type(tensor)
        if kind is TracedTensor or kind is nn.Parameter or tensor.is_meta:
            return False
        if getattr(tensor, "_is_param", False):  # a subclass of Tensor that is a parameter
            return False
        return not (self._unknown and _storage(tensor) in self._unknown)

    # -- supernets --------------------------------------------------------------------------------

    def value(self, expression: Expression) -> Any:
        """What an expression of choices is in this trace."""
        return current(expression)

    def input_shape(self, shape: Sequence[Any]) -> tuple[Any, ...]:
        """The sizes of an input, checked."""
        return check_shape(shape)

    def mutable_layer(
        self,
        op: str,
        input: torch.Tensor,
        attributes: dict[str, Any],
        weights: Sequence[torch.Tensor | None],
    ) -> Any:
        """Add a layer that reads what is chosen of its weights."""
        dtype = input.dtype
        if op == "embedding":
            from netledger.torch.aten.embedding import _require_integers

            _require_integers(self, op, input)
            dtype = next(weight.dtype for weight in weights if weight is not None)
        chosen = [None if weight is None else self._elastic[id(weight)] for weight in weights]
        output, shape = self._add(
            op, [self.index(input)], attributes, chosen, DTYPE_NAMES[dtype], self.scope, False
        )
        return traced(output, shape, dtype, self.device)

    # -- operations -------------------------------------------------------------------------------

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        handler = self._handlers.get(func) or self._find_handler(func)
        if types:
            if type(args[0]) is TracedTensor and args[0].ordinary:
                return self._ordinary(handler, args, kwargs or {})
            return handler(self, *args, **kwargs) if kwargs else handler(self, *args)
        return self._without_activations(func, handler, args, kwargs or {})

    def _without_activations(
        self, func: Any, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """An operation on constants, buffers and parameters only: computed where that is safe."""
        tensors = _tensors(args)
        if kwargs:
            tensors += _tensors(kwargs)
        if not tensors:
            return self._factory(func, args, kwargs)
        known = all(map(self.is_known, tensors))
        if func in _ALIASES:
            return self._alias(func, args, kwargs)
        if not known:
            return self._ordinary(handler, args, kwargs)
        mutable, dynamic = _traits(func)
        if mutable and self._belongs_to_model(args[0]):
            # The module's buffers are never written to: from here on their values are unknown.
            self._unknown.add(_storage(args[0]))
            return handler(self, *args, **kwargs)
        if dynamic:
            # A size that depends on values, all of which are at hand.
            return func(*args, **self._on_cpu(kwargs))
        answer = handler(self, *args, **kwargs)
        if mutable:
            value = func(*args, **kwargs)
            self._unknown.discard(_storage(args[0]))
            return value
        if answer is args[0]:
            # Nothing is counted, but the layout in memory may change, as by contiguous().
            return self._alias(func, args, self._on_cpu(kwargs))
        recorded = _tensors(answer)
        if not recorded or any(type(tensor) is not TracedTensor for tensor in recorded):
            return answer
        if sum(tensor.numel() for tensor in recorded) > _LARGEST_CONSTANT:
            return answer
        value = func(*args, **self._on_cpu(kwargs))
        for stand_in, tensor in zip(recorded, _tensors(value), strict=True):
            self._bind(tensor, self.index(stand_in))
        return value

    def _alias(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The same tensor under another name, which torch wants to be another object."""
        alias = func(*args, **kwargs)
        if alias is not args[0]:
            self._bind(alias, self.index(args[0]))
        return alias

    def _ordinary(self, handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Answer with ordinary tensors: torch refuses an inference tensor as a view of another."""
        with InferenceMode(False):
            answer = handler(self, *args, **kwargs)
            if args and answer is args[0] and type(answer) is TracedTensor:
                # As a view of a tensor, torch takes only another one.
                answer = self.make(answer.index, answer.dtype)
        for tensor in _tensors(answer):
            if type(tensor) is TracedTensor:
                tensor.ordinary = True
        return answer

    def _factory(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation that makes a tensor out of numbers."""
        if not any(argument.name == "device" for argument in func._schema.arguments):
            return func(*args, **kwargs)
        shape_only = func(*args, **{**kwargs, "device": torch.device("meta")})
        if not isinstance(shape_only, torch.Tensor):
            return shape_only
        if torch.Tag.nondeterministic_seeded in func.tags:
            return self.constant(shape_only.shape, shape_only.dtype)
        if shape_only.numel() > _LARGEST_CONSTANT:
            return self.constant(shape_only.shape, shape_only.dtype)
        return func(*args, **self._on_cpu(kwargs))

    def _on_cpu(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Constants are computed on the CPU when the module is on the meta device."""
        device = kwargs.get("device")
        if device is not None and torch.device(device).type == "meta":
            return {**kwargs, "device": torch.device("cpu")}
        return kwargs

    def _belongs_to_model(self, tensor: torch.Tensor) -> bool:
        if self._model_storages is None:
            self._model_storages = {
                _storage(value)
                for module in self.modules
                for table in (module._parameters, module._buffers)
                for value in table.values()
                if value is not None and not value.is_meta
            }
        return _storage(tensor) in self._model_storages

    def _find_handler(self, func: Any) -> Handler:
        from netledger.torch.fallback import fallback

        return fallback(func)

    # -- modules ----------------------------------------------------------------------------------

    def enter(self, module: nn.Module) -> int:
        """Open the scope of a module's call; returns the scope to go back to."""
        outer = self.scope
        known = self._paths.get(id(module))
        if known is None:
            name = type(module).__name__
            parent = self._scope_paths[outer]
            known = (f"{parent}.{name}" if parent else name, name)
            self._paths[id(module)] = known
            self._alive.append(module)
        call = self._calls.get(id(module), 0)
        self._calls[id(module)] = call + 1
        self.scope = self.engine.scope(outer, known[0], known[1], call)
        self._scope_paths.append(known[0])
        self.called.append(module)
        return outer

    def find_origins(self, batch: int | None, training: frozenset[int]) -> Origins:
        """Where the layers came from.

        Args:
            batch: the first size of the first input.
            training: the modules that are in training mode, by identity.
        """
        # A module that is held in a plain list is called, but stands nowhere in the tree.
        inside = set(map(id, self.modules))
        places = _places(self._module, self.modules)
        scopes = []
        for module in self.called:
            if module is None:
                scopes.append(ScopeOrigin())
                continue
            kind: Any = type(module)
            name, is_exact = layer_class(kind)
            occurrences = places.get(id(module), 1) if id(module) in inside else 0
            is_trained = id(module) in training
            is_leaf = next(module.children(), None) is None
            ancestry = ancestry_of(kind)
            scopes.append(ScopeOrigin(ancestry, name, is_exact, is_trained, occurrences, is_leaf))
        return Origins(scopes, self.functions, self.composites, batch)

    def where(self, scope_index: int | None = None) -> str:
        """A module call, the one being traced unless another is given, for messages."""
        scope = self.engine.scope_at(self.scope if scope_index is None else scope_index)
        path = scope.path or "the model"
        return f"{path} ({scope.module_class})" if scope.module_class else path

    def finish(self) -> None:
        """Count the parameters and buffers that no layer has read, where their module stands."""
        left = self.engine.unclaimed()
        if not left:
            return
        first_layer: dict[str, int] = {}
        for node, scope in enumerate(self.engine.node_scopes()):
            first_layer.setdefault(self._scope_paths[scope], node)
        uncalled: dict[str, list[int]] = {}
        for index in left:
            path = self._owners[index]
            if path in first_layer:
                self.engine.claim(index, first_layer[path])
            else:
                uncalled.setdefault(path, []).append(index)
        classes = dict(self._paths.values())
        for path, indices in uncalled.items():
            scope = self.engine.scope(0, path, classes[path])
            self.called.append(None)
            self.engine.add("uncalled", indices, scope=scope)


def _places(module: nn.Module, modules: list[nn.Module]) -> dict[int, int]:
    """In how many places of the tree a module stands, by identity, where that is not one.

    Two names for it in the same module are one place, as they are in ``Module.children``.
    """
    held = sum(len(at._modules) - list(at._modules.values()).count(None) for at in modules)
    if held < len(modules):
        return {}
    children = {
        id(at): list({id(child): child for child in at._modules.values() if child}.values())
        for _, at in walk(module)
    }
    places: dict[int, int] = {}
    pending = [module]
    while pending:
        at = pending.pop()
        places[id(at)] = places.get(id(at), 0) + 1
        pending.extend(children[id(at)])
    return places


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _tensors(value: Any) -> list[torch.Tensor]:
    """Every tensor in arguments or answers of an operation."""
    if isinstance(value, torch.Tensor):
        return [value]
    found: list[torch.Tensor] = []
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return found
    for entry in value:
        if isinstance(entry, torch.Tensor):
            found.append(entry)
        elif isinstance(entry, list | tuple):
            found += _tensors(entry)
    return found


@cache
def _traits(func: Any) -> tuple[bool, bool]:
    """Whether an operation writes to an argument, and whether its sizes depend on values."""
    return func._schema.is_mutable, not _DYNAMIC.isdisjoint(func.tags)


def _set_version(tensors: tuple[torch.Tensor, ...], versions: tuple[int, ...]) -> None:
    set_version = torch._C._autograd._unsafe_set_version_counter
    try:
        set_version(tensors, versions)
    except TypeError:  # before torch 2.7, one at a time
        for tensor, version in zip(tensors, versions, strict=True):
            set_version(tensor, version)  # type: ignore[arg-type]


# -- running a module -----------------------------------------------------------------------------


class _ModuleCalls:
    """Tells the tracer of every module call in this thread, inside a ``with`` block."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def __enter__(self) -> None:
        from netledger.torch.composites import COMPOSITES
        from netledger.torch.leaves import LEAVES

        tracer = self._tracer
        enter = tracer.enter
        entered, returned = tracer.entered, tracer.returned
        autocast = getattr(torch._C, "_is_any_autocast_enabled", torch.is_autocast_enabled)
        _DISPATCHED.__enter__()
        original = _ORIGINAL[-1]
        leaves = {} if _global_hooks() else LEAVES

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            outer = enter(module)
            try:
                if entered is not None:
                    entered(module, args, kwargs)
                    answer = run(module, args, kwargs)
                    returned(answer)  # type: ignore[misc]
                    return answer
                return run(module, args, kwargs)
            except BaseException as error:
                if tracer.failed is not error:
                    tracer.failed, tracer.failed_scope = error, tracer.scope
                raise
            finally:
                tracer.scope = outer

        def run(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            leaf = leaves.get(type(module))
            if (
                leaf is not None
                and not kwargs
                and len(args) == 1
                and type(args[0]) is TracedTensor
                and _is_plain(module)
                and not autocast()
            ):
                return leaf(tracer, module, args[0])
            composite = COMPOSITES.get(type(module).__name__)
            if composite is None:
                return original(module, *args, **kwargs)
            return composite(tracer, module, original, args, kwargs)

        self._outer, FOLLOWING.call = FOLLOWING.call, call

    def __exit__(self, *exception: object) -> None:
        FOLLOWING.call = self._outer
        _DISPATCHED.__exit__(*exception)


#: What torch calls a module with, while it is replaced.
_ORIGINAL: list[Callable[..., Any]] = []


def _put_dispatcher() -> Callable[[], None]:
    """Have every call of a module answered by the trace of its thread."""
    original: Callable[..., Any] = nn.Module._call_impl
    _ORIGINAL.append(original)

    def dispatched(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        call = FOLLOWING.call
        if call is None:
            return original(module, *args, **kwargs)
        return call(module, *args, **kwargs)

    def undo() -> None:
        nn.Module._call_impl = _ORIGINAL.pop()  # type: ignore[method-assign]

    nn.Module._call_impl = dispatched  # type: ignore[method-assign,assignment]
    return undo


_DISPATCHED = SharedPatch(_put_dispatcher)


def _is_plain(module: nn.Module) -> bool:
    """Whether a call of the module does what its class says: no hooks, no forward of its own."""
    attributes = module.__dict__
    return not (
        attributes["_forward_hooks"]
        or attributes["_forward_pre_hooks"]
        or attributes["_backward_hooks"]
        or attributes["_backward_pre_hooks"]
        or "forward" in attributes
    )


def _global_hooks() -> bool:
    hooks = nn.modules.module
    return bool(
        hooks._global_forward_hooks
        or hooks._global_forward_pre_hooks
        or hooks._global_backward_hooks
        or hooks._global_backward_pre_hooks
    )


def _put_answers() -> Callable[[], None]:
    """Answer two questions of libraries that need values which nobody may have.

    A mask of unknown values is not taken to be the causal one, and a warning about padding without
    a mask is not given.
    """
    transformer = nn.modules.transformer
    is_causal_mask = transformer._detect_is_causal_mask

    def detect(mask: Any, is_causal: bool | None = None, size: int | None = None) -> bool:
        if is_causal is None and isinstance(mask, TracedTensor):
            return False
        return is_causal_mask(mask, is_causal, size)

    transformer._detect_is_causal_mask = detect
    pretrained = getattr(sys.modules.get("transformers.modeling_utils"), "PreTrainedModel", None)
    warn = getattr(pretrained, "warn_if_padding_and_no_attention_mask", None)
    if warn is not None:
        pretrained.warn_if_padding_and_no_attention_mask = lambda *_: None  # type: ignore[union-attr]

    def undo() -> None:
        transformer._detect_is_causal_mask = is_causal_mask
        if warn is not None:
            pretrained.warn_if_padding_and_no_attention_mask = warn  # type: ignore[union-attr]

    return undo


_UNASKED = SharedPatch(_put_answers)


def trace(
    module: nn.Module,
    positional: list[Any],
    named: dict[str, Any],
    make: Callable[[nn.Module, dict[Any, Handler]], Tracer] = Tracer,
) -> Tracer:
    """Trace a module in evaluation mode and return the tracer with its finished graph.

    Args:
        module: what is traced.
        positional: its inputs.
        named: its inputs by name.
        make: makes the tracer.

    Raises:
        LayerError: shapes that a layer does not take.
        DataDependentError: control flow that depends on values.
        TraceError: forward raised, or uses something that cannot be followed.
    """
    with paused():
        return _trace(module, positional, named, make)


def _trace(
    module: nn.Module,
    positional: list[Any],
    named: dict[str, Any],
    make: Callable[[nn.Module, dict[Any, Handler]], Tracer],
) -> Tracer:
    from netledger.torch.aten import HANDLERS
    from netledger.torch.leaves import LEAVES

    module = getattr(module, "_orig_mod", module)  # what torch.compile wraps
    tracer = make(module, HANDLERS)
    outer, FOLLOWING.trace = FOLLOWING.trace, tracer
    try:
        state = ModuleState(tracer.modules, LEAVES)
        with state, InferenceMode(True):
            args = [_stand_in(tracer, value) for value in positional]
            kwargs = {name: _stand_in(tracer, value, name) for name, value in named.items()}
            try:
                with _ModuleCalls(tracer), _UNASKED, noted_functions, tracer:
                    answer = module(*args, **kwargs)
            except NetledgerError:
                raise
            except Exception as error:
                if tracer.refusal is not None and isinstance(error, TypeError):
                    raise tracer.refusal from error
                raise TraceError(
                    f"{tracer.where(tracer.failed_scope)} raised {type(error).__name__} in "
                    f"forward: {error}"
                ) from error
    finally:
        FOLLOWING.trace = outer
        tracer.restore_versions()
    tracer.scope = 0
    tracer.engine.output(*{tracer.index(tensor): None for tensor in _outputs(answer)})
    tracer.finish()
    if tracer.notes_origins:
        training = frozenset(map(id, state.training)) if tracer.notes_mode else frozenset()
        tracer.origins = tracer.find_origins(_first_size(positional), training)
    return tracer


def _stand_in(tracer: Tracer, value: Any, name: str = "") -> Any:
    """What forward gets for an input: a stand-in for a tensor, anything else as it is."""
    if isinstance(value, Input):
        dtype = tracer._default_dtype if value.dtype is None else torch_dtype(value.dtype)
        shape = tracer.input_shape(value.shape)
    elif is_shape(value):
        dtype = tracer._default_dtype
        shape = tracer.input_shape(value)
    elif isinstance(value, torch.Tensor):
        if _has_values(value):
            index = tracer.engine.tensor(
                "input", tuple(value.shape), DTYPE_NAMES[value.dtype], name
            )
            tracer._bind(value, index)
            return value
        dtype, shape = value.dtype, tuple(value.shape)
    elif isinstance(value, list | tuple):
        return type(value)(_stand_in(tracer, entry, name) for entry in value)
    elif isinstance(value, dict):
        return {key: _stand_in(tracer, entry, str(key)) for key, entry in value.items()}
    else:
        return value
    dtype = dtype or torch.get_default_dtype()
    index = tracer.engine.tensor("input", shape, DTYPE_NAMES[dtype], name)
    return tracer.make(index, dtype)


def _first_size(value: Any) -> Any:
    """The first size of an input, or of the first among several."""
    if isinstance(value, Input):
        return value.shape[0] if value.shape else None
    if is_shape(value):
        return value[0] if value else None
    if isinstance(value, torch.Tensor):
        return value.shape[0] if value.ndim else None
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return next((size for size in map(_first_size, value) if size is not None), None)
    return None


def _has_values(tensor: torch.Tensor) -> bool:
    """Whether an input is one whose values steer control flow: integers, booleans, masks.

    A mask is all zeros and the lowest number, as generate_square_subsequent_mask makes it.
    """
    if tensor.is_meta or tensor.is_complex():
        return False
    if not tensor.is_floating_point():
        return True
    if not 2 <= tensor.ndim <= 4 or tensor.numel() > _LARGEST_CONSTANT:
        return False
    lowest = tensor <= torch.finfo(tensor.dtype).min
    return bool(lowest.any()) and bool((lowest | (tensor == 0)).all())


def _outputs(answer: Any, depth: int = 0) -> Iterable[torch.Tensor]:
    """The tensors in what forward returns: nested sequences, mappings and plain objects."""
    if isinstance(answer, torch.Tensor):
        yield answer
    elif isinstance(answer, list | tuple | set):
        for entry in answer:
            yield from _outputs(entry, depth)
    elif hasattr(answer, "values") and callable(answer.values):
        for entry in answer.values():
            yield from _outputs(entry, depth)
    elif hasattr(answer, "__dict__") and depth < 4 and not isinstance(answer, type | nn.Module):
        for entry in vars(answer).values():
            yield from _outputs(entry, depth + 1)
