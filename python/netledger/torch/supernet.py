"""Supernets as design spaces: one run of a module's Python that follows all of its choices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

from netledger import quantity as quantities
from netledger._journal import MOST_VALUES, NO_VALUE, Journal
from netledger._origin import Origins
from netledger._results import COLUMNS, Scope
from netledger.errors import CountOverflowError, LayerError, NetledgerError, SpaceError, TraceError
from netledger.quantity import Quantity
from netledger.space import Space
from netledger.torch._layout import Key, Layout, input_sizes
from netledger.torch._sizes import plain, symbolic
from netledger.torch._tensor import TracedTensor
from netledger.torch._values import Expression, evaluate, values_of, variables_of
from netledger.torch.aten import HANDLERS
from netledger.torch.mutables import InputChoice, LayerChoice, Repeat
from netledger.torch.tracer import DTYPE_NAMES, ElasticWeight, Tracer, _tensors, trace

__all__ = ["space_of"]

#: How many configurations are drawn to compare the space with the module.
_DRAWN = 16
#: At most so many are made to show every value of every choice once.
_SHOWN = 64


def space_of(
    module: nn.Module, positional: list[Any], named: dict[str, Any]
) -> tuple[Space, dict[str, int]]:
    """The design space of a supernet, and the operations without a rule.

    Raises:
        TraceError: forward cannot be followed for all choices, or the space and the module differ.
    """
    layout = Layout(module, input_sizes([positional, named]))
    layout.require_agreement()

    def make(root: nn.Module, handlers: dict[Any, Callable[..., Any]]) -> SpaceTracer:
        return SpaceTracer(root, handlers, layout)

    tracer = trace(module, positional, named, make)
    assert isinstance(tracer, SpaceTracer)
    tracer.space._origins = tracer.origins
    _compare(tracer.space, module, positional, named, layout)
    return tracer.space, tracer.unsupported


# -- the engine that a tracer adds to --------------------------------------------------------------


class _Recorder:
    """A space's journal as a tracer's engine: sizes are those that torch takes."""

    def __init__(self, tracer: SpaceTracer) -> None:
        self._tracer = tracer
        self._journal: Journal = tracer.space.engine
        #: Under which conditions parameters and buffers are read.
        self.readers: dict[int, list[frozenset[Key]]] = {}
        #: The tensor that was made last.
        self.newest = -1

    def __len__(self) -> int:
        return len(self._journal)

    def tensor(
        self,
        kind: str,
        shape: Sequence[Any],
        dtype: str = "float32",
        name: str = "",
        trainable: bool = True,
    ) -> int:
        index = self._journal.tensor(kind, plain(tuple(shape)), dtype, name, trainable)
        self.newest = index
        if kind in ("parameter", "buffer"):
            self.readers[index] = []
        return index

    def tensors(self, given: Sequence[tuple[str, Sequence[int], str, str, bool]]) -> list[int]:
        return [self.tensor(*arguments) for arguments in given]

    def scope(self, parent: int, path: str, module_class: str, call: int = 0) -> int:
        return self._journal.scope(parent, path, module_class, call)

    def scope_at(self, index: int) -> Scope:
        return self._journal.scope_at(index)

    def shape(self, tensor: int) -> tuple[Any, ...]:
        settle = self._tracer.settle
        return tuple(symbolic(size, settle) for size in self._journal.shape(tensor))

    def add(
        self,
        op: str,
        inputs: Sequence[int],
        attributes: Mapping[str, object] | None = None,
        *,
        weights: Sequence[int | None] | None = None,
        dtype: str | Sequence[str] | None = None,
        name: str = "",
        scope: int = 0,
        inplace: bool = False,
    ) -> tuple[int, ...]:
        given = {key: plain(value) for key, value in (attributes or {}).items()}
        outputs = self._journal.add(
            op,
            inputs,
            given,
            weights=weights,
            dtype=dtype,
            name=name,
            scope=scope,
            inplace=inplace,
        )
        self.newest = max(self.newest, *outputs) if outputs else self.newest
        for read in (*inputs, *(weights or ())):
            if read in self.readers:
                self.readers[read].append(self._tracer.here)
        return outputs

    def adder(self) -> Callable[..., tuple[Any, ...]]:
        def add(
            op: str,
            inputs: Sequence[int],
            attributes: Mapping[str, object] | None,
            weights: Sequence[int | None] | None,
            dtype: str | Sequence[str] | None,
            scope: int,
            inplace: bool,
        ) -> tuple[Any, ...]:
            outputs = self.add(
                op, inputs, attributes, weights=weights, dtype=dtype, scope=scope, inplace=inplace
            )
            return tuple(entry for index in outputs for entry in (index, self.shape(index)))

        return add

    def merge(self, index: Any, tensors: Sequence[int]) -> int:
        self.newest = self._journal.merge(index, tensors)
        return self.newest

    def output(self, *tensors: int) -> None:
        self._journal.output(*tensors)


# -- the tracer ------------------------------------------------------------------------------------


class SpaceTracer(Tracer):  # type: ignore[no-untyped-call]
    """One trace of a supernet, every candidate and block of it.

    Sizes that depend on choices are ``torch.SymInt``; what is inside of a candidate or a block is
    added under its condition.

    Attributes:
        space: the space being built.
        here: the conditions under which layers are added now.
    """

    makes_space = True

    def __init__(
        self, module: nn.Module, handlers: dict[Any, Callable[..., Any]], layout: Layout
    ) -> None:
        self.space = Space()
        self.here: frozenset[Key] = frozenset()
        self._layout = layout
        self._journal = self.space.engine
        self._presence: list[Any] = [1]
        # What expressions of choices came to, with the expressions, by their identity.
        self._known: dict[int, tuple[Any, Any]] = {}
        # Tensors that were written to, with the tensor of the graph that they stood for before;
        # one table for every candidate or block that is being followed, and what was made last
        # before it: what is made inside is nothing that others write to.
        self._written: list[dict[int, tuple[TracedTensor, int]]] = []
        self._made_before: list[int] = []
        # The conditions of every place of the modules that hold a parameter or buffer.
        self._places: dict[int, list[tuple[Key, ...]]] = {}
        for _, at in layout.walked:
            for weight in {*map(id, at._parameters.values()), *map(id, at._buffers.values())}:
                self._places.setdefault(weight, []).extend(layout.places[id(at)])
        super().__init__(module, {**handlers, **_OVERRIDES})

    def _new_engine(self) -> Any:
        return _Recorder(self)

    def find_origins(self, batch: Any, training: frozenset[int]) -> Origins:
        """Where the layers came from; the sizes of composites are quantities."""
        found = super().find_origins(batch, training)
        composites = [
            composite._replace(
                attributes={name: plain(value) for name, value in composite.attributes.items()},
                inputs=plain(composite.inputs),
                outputs=plain(composite.outputs),
            )
            for composite in found.composites
        ]
        # The space knows the first size of its input.
        return found._replace(composites=composites, batch=None)

    def _walk(self) -> Iterable[tuple[str, nn.Module]]:
        return self._layout.walked

    def _register_elastic(self, weights: list[ElasticWeight]) -> None:
        for name, place in self._layout.variables.items():
            with self._under(place.keys):
                self.space.choice(name, place.variables[0].values)
        for weight in weights:
            # Before any candidate that reads it: several may share it.
            first, *others = self._places[id(weight.value)]
            home = tuple(key for key in first if all(key in other for other in others))
            with self._under(home):
                sizes = [
                    self.value(size) if isinstance(size, Expression) else size
                    for size in weight.sizes
                ]
                self._new_elastic(weight, sizes)

    # -- choices ----------------------------------------------------------------------------------

    def value(self, expression: Expression) -> Any:
        """An expression of choices as a size."""
        for variable in variables_of(expression):
            self._require_held(variable.name)
        return symbolic(self._quantity(expression), self.settle)

    def _quantity(self, value: Any) -> Any:
        if not isinstance(value, Expression):
            return value
        journal = self._journal
        operations: dict[str, Callable[..., Any]] = {
            opcode: partial(journal.expression, opcode)
            for opcode in (*quantities.ARITHMETIC, "select")
        }
        operations["lookup"] = journal.lookup
        return evaluate(
            value.expression,
            lambda variable: self.space.variables[variable.name].index,
            operations,
            self._known,
        )

    def _require_held(self, name: str) -> None:
        place = self._layout.variables.get(name)
        if place is None:
            raise TraceError(
                f"{self.where()} uses the choice '{name}', which no module holds: keep it as an "
                "attribute of the module, so that it can be found and set"
            )
        missing = [key for key in place.keys if key not in self.here]
        if missing:
            raise TraceError(
                f"{self.where()} uses the choice '{name}', which is held only by '{place.path}', "
                "and that does not run in all configurations in which this does: keep the choice "
                "as an attribute of this module, too"
            )

    def input_shape(self, shape: Sequence[Any]) -> tuple[Any, ...]:
        """The sizes of an input, of which some may be choices."""
        super().input_shape(
            [values_of(size)[0] if isinstance(size, Expression) else size for size in shape]
        )
        return tuple(self.value(size) if isinstance(size, Expression) else size for size in shape)

    def settle(self, quantity: Quantity | None) -> int:
        """The value of a quantity that is the same in all configurations that come here.

        Raises:
            TraceError: it is not, or what is asked for is a real number.
        """
        table = None
        if quantity is not None:
            table = self._journal.tabulated([quantity, self._presence[-1]], 16 * MOST_VALUES)
        if quantity is None:
            described = "a real number"
        elif table is not None:
            values, present = table[1]
            found = np.unique(values[(present != 0) & (values != NO_VALUE) & (present != NO_VALUE)])
            if len(found) == 1:
                return int(found[0])
            described = " or ".join(map(str, found[:4])) + (" ..." if len(found) > 4 else "")
        else:
            described = "too many values to list"
        self.refusal = TraceError(
            f"{self.where()}: forward needs the value of a size or condition that depends on the "
            f"choices ({described}). Only one way through forward is followed: let "
            "LayerChoice or Repeat choose what runs; give view, reshape, expand and the like sizes "
            "as they come from tensor.shape or from choice.value, calculated with + - * // (the "
            "scale of an attention with size ** 0.5, not math.sqrt); take int(), text, ranges and "
            "comparisons of such sizes out of forward"
        )
        raise self.refusal

    # -- conditions -------------------------------------------------------------------------------

    def _condition(self, key: Key) -> Any:
        if key.kind == "candidate":
            return self.space.variables[key.selector].index == key.number
        return self._quantity(self._layout.depths[key.selector]) > key.number

    @contextmanager
    def _under(self, keys: Iterable[Key]) -> Iterator[None]:
        """What is added is there only under conditions that do not hold here already."""
        before = self.here
        with ExitStack() as stack:
            for key in keys:
                if key not in self.here:
                    condition = quantities.as_condition(self._condition(key))
                    stack.enter_context(self._journal.region(condition))
                    self._presence.append(quantities.both(self._presence[-1], condition))
                    stack.callback(self._presence.pop)
                    self.here |= {key}
            try:
                yield
            finally:
                self.here = before

    @contextmanager
    def only_where(self, condition: Any) -> Iterator[None]:
        """What is added is there only under a condition on sizes."""
        before = self.here
        self.here |= {Key("size", condition.expression, 0)}
        with self._journal.region(condition):
            self._presence.append(quantities.both(self._presence[-1], condition))
            try:
                yield
            finally:
                self._presence.pop()
                self.here = before

    def merged(self, index: Any, tensors: list[torch.Tensor]) -> Any:
        """The tensor of that number."""
        merged = self.engine.merge(index, [self.index(tensor) for tensor in tensors])
        return self.make(merged, tensors[0].dtype)

    def overwrite(self, target: torch.Tensor, index: int | None = None) -> None:
        if self._written and type(target) is TracedTensor and index is not None:
            written = self._written[-1]
            if id(target) not in written and target.index <= self._made_before[-1]:
                written[id(target)] = target, target.index
        super().overwrite(target, index)

    @contextmanager
    def _alternative(self) -> Iterator[dict[int, tuple[TracedTensor, int]]]:
        """What is written to inside: the tensors, and what they stand for at the end of it."""
        after: dict[int, tuple[TracedTensor, int]] = {}
        self._written.append({})
        self._made_before.append(self.engine.newest)
        try:
            yield after
        finally:
            self._made_before.pop()
            written = self._written.pop()
            for key, (target, index) in written.items():
                after[key] = target, target.index
                target.index = index

    def layer_choice(
        self, module: LayerChoice, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Every candidate under its condition, and what the one that is chosen makes."""
        name = module.choice.name
        self._require_held(name)
        made: list[tuple[str, Any]] = []
        writes: list[dict[int, tuple[TracedTensor, int]]] = []
        for code, (label, candidate) in enumerate(
            zip(module.choice.values, module.labelled(), strict=True)
        ):
            with self._alternative() as after, self._under([Key("candidate", name, code)]):
                made.append((f"candidate {label!r}", candidate(*args, **kwargs)))
            writes.append(after)
        index = self.space.variables[name].index
        self._merge_writes(index, writes)
        return self._merged(f"layer choice '{name}'", index, made)

    def input_choice(self, module: InputChoice, inputs: list[Any]) -> Any:
        """The one of several tensors that is chosen."""
        name = module.choice.name
        self._require_held(name)
        made = [(f"input {position}", value) for position, value in enumerate(inputs)]
        return self._merged(f"input choice '{name}'", self.space.variables[name].index, made)

    def repeat(
        self, module: Repeat, input: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Every block under the condition that it is reached, and what the last one makes."""
        for variable in variables_of(module.depth):
            self._require_held(variable.name)
        depths = values_of(module.depth)
        least = depths[0]
        made: list[tuple[str, Any]] = []
        writes: list[dict[int, tuple[TracedTensor, int]]] = []
        for block in range(least):
            input = module.blocks[block](input, *args, **kwargs)
        with ExitStack() as stack:
            made.append((f"depth {least}", input))
            writes.append({})
            # A block that is reached reads what the blocks before it have written to.
            stack.enter_context(self._alternative())
            for block in range(least, depths[-1]):
                with self._under(self._layout.block_keys(module, block)):
                    input = module.blocks[block](input, *args, **kwargs)
                made.append((f"depth {block + 1}", input))
                writes.append(
                    {key: (target, target.index) for key, (target, _) in self._written[-1].items()}
                )
        if len(made) == 1:
            return input
        index = self._quantity(module.depth) - least
        self._merge_writes(index, writes)
        return self._merged(f"repeat '{self.where()}'", index, made)

    def _merge_writes(self, index: Any, writes: list[dict[int, tuple[TracedTensor, int]]]) -> None:
        """A tensor that some alternatives write to holds what the chosen one left in it."""
        targets = {key: target for after in writes for key, (target, _) in after.items()}
        for key, target in targets.items():
            tensors = [after[key][1] if key in after else target.index for after in writes]
            self.overwrite(target, self.engine.merge(index, tensors))

    def _merged(self, title: str, index: Any, made: list[tuple[str, Any]]) -> Any:
        """The tensors of the alternative that is chosen, in the structure that all of them have."""
        leaves = []
        first_label, first = made[0]
        first_leaves, structure = pytree.tree_flatten(first)
        for label, value in made:
            found, other = pytree.tree_flatten(value)
            if other != structure:
                raise TraceError(
                    f"{self.where()}: {title} chooses among different things: {first_label} gives "
                    f"{_described(first)}, {label} gives {_described(value)}"
                )
            leaves.append(found)
        chosen = []
        for position, leaf in enumerate(first_leaves):
            values = [found[position] for found in leaves]
            if not any(isinstance(value, torch.Tensor) for value in values):
                if any(value is not leaf and value != leaf for value in values):
                    raise TraceError(
                        f"{self.where()}: {title} chooses among {values}, which are no tensors"
                    )
                chosen.append(leaf)
                continue
            labelled = [(label, value) for (label, _), value in zip(made, values, strict=True)]
            chosen.append(self._merged_tensor(title, index, labelled))
        return pytree.tree_unflatten(chosen, structure)

    def _merged_tensor(self, title: str, index: Any, made: list[tuple[str, Any]]) -> Any:
        first_label, first = made[0]
        for label, value in made:
            if not isinstance(value, torch.Tensor):
                raise TraceError(f"{self.where()}: {title}: {label} gives {value!r}, not a tensor")
            if value.dim() != first.dim() or value.dtype != first.dtype:
                raise TraceError(
                    f"{self.where()}: {title} chooses among tensors of as many dimensions and one "
                    f"dtype, but {first_label} gives {_described(first)} and {label} gives "
                    f"{_described(value)}"
                )
        numbers = [self.index(value) for _, value in made]
        if all(value is first for _, value in made):
            return first
        if len(set(numbers)) == 1:
            return self.make(numbers[0], first.dtype)
        for (label, _), number in zip(made, numbers, strict=True):
            if number in self.engine.readers:
                raise TraceError(
                    f"{self.where()}: {title}: {label} gives a parameter or buffer as it is: "
                    "choose among the layers that read it"
                )
        return self.make(self.engine.merge(index, numbers), first.dtype)

    # -- operations -------------------------------------------------------------------------------

    def _without_activations(
        self, func: Any, handler: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Constants of sizes that depend on choices have no values."""
        if not _vary(args, kwargs) or not (_tensors(args) or _tensors(kwargs)):
            return super()._without_activations(func, handler, args, kwargs)
        return self._ordinary(handler, args, kwargs)

    def _factory(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """New tensors whose sizes depend on choices have no values."""
        if not _vary(args, kwargs):
            return super()._factory(func, args, kwargs)
        name = func._schema.name.removeprefix("aten::")
        dtype = kwargs.get("dtype")
        if name in ("zeros", "ones", "empty", "full", "rand", "randn"):
            return self.constant(args[0], dtype or torch.get_default_dtype())
        if name == "arange" and not any(isinstance(bound, float) for bound in args):
            start, end, step = (0, *args, 1) if len(args) == 1 else (*args, 1)[:3]
            count = quantities.ceil_divide(plain(end) - plain(start), plain(step))
            return self.constant([symbolic(count, self.settle)], dtype or torch.int64)
        return super()._factory(func, args, kwargs)

    def finish(self) -> None:
        """Count weights that no layer reads wherever their module is there."""
        weights = {
            self._indices.get(id(weight), self._elastic.get(id(weight))): id(weight)
            for weight in self._weights
        }
        left: dict[tuple[str, tuple[tuple[Key, ...], ...]], list[int]] = {}
        for index, readers in self.engine.readers.items():
            path = self._owners[index]
            unread = tuple(
                place
                for place in self._places[weights[index]]
                if not any(reader <= set(place) for reader in readers)
            )
            if unread:
                left.setdefault((path, unread), []).append(index)
        classes = dict(self._paths.values())
        for (path, places), indices in left.items():
            present: Any = 0
            for place in places:
                there: Any = 1
                for key in place:
                    there = quantities.both(there, self._condition(key))
                present = quantities.either(present, there)
            with self._journal.region(present):
                scope = self.engine.scope(0, path, classes[path])
                self.engine.add("uncalled", indices, scope=scope)


def _vary(*values: Any) -> bool:
    """Whether there is a size among arguments that depends on choices."""
    return any(isinstance(leaf, torch.SymInt) for leaf in pytree.tree_leaves(values))


def _described(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        shape = tuple(value.shape)
        return f"shape {shape} of {DTYPE_NAMES[value.dtype]}"
    tensors = _tensors(value)
    return f"{type(value).__name__} with {len(tensors)} tensors" if tensors else repr(value)


def _unless_sizes_vary(handler: Callable[..., Any]) -> Callable[..., Any]:
    """New tensors like others: real ones, unless their sizes depend on choices."""

    def new(tracer: Tracer, input: torch.Tensor, *rest: Any, **options: Any) -> Any:
        given = rest[0] if rest and isinstance(rest[0], list | tuple) else input.shape
        if any(isinstance(size, torch.SymInt) for size in given):
            return tracer.constant(given, options.get("dtype") or input.dtype)
        return handler(tracer, input, *rest, **options)

    return new


def _chunk(tracer: SpaceTracer, input: torch.Tensor, chunks: int, dim: int = 0) -> Any:
    """Chunks of which there are as many for all choices are parts of known sizes."""
    size = plain(input.shape[dim])
    return _parts(tracer, input, quantities.ceil_divide(size, chunks), size, dim)


def _split(tracer: SpaceTracer, input: torch.Tensor, split_size: Any, dim: int = 0) -> Any:
    return _parts(tracer, input, plain(split_size), plain(input.shape[dim]), dim)


def _parts(tracer: SpaceTracer, input: torch.Tensor, part: Any, size: Any, dim: int) -> Any:
    count = quantities.ceil_divide(size, part)
    if isinstance(count, Quantity):
        count = tracer.settle(count)
    sizes = [part] * (count - 1) + [size - part * (count - 1)]
    made = tracer.add("split", (input,), {"sizes": sizes, "dim": dim})
    return [made] if isinstance(made, torch.Tensor) else list(made)


def _if_size_varies(handler: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    """Another handler where the dimension that is cut, or a part's size, depends on choices."""

    def cut(tracer: Tracer, input: torch.Tensor, part: Any, dim: int = 0) -> Any:
        varies = isinstance(input.shape[dim], torch.SymInt) or isinstance(part, torch.SymInt)
        return (instead if varies else handler)(tracer, input, part, dim)

    return cut


def _slice(
    tracer: SpaceTracer,
    input: torch.Tensor,
    dim: int = 0,
    start: Any = None,
    end: Any = None,
    step: Any = 1,
) -> Any:
    """An index that takes all of a dimension is no layer: torch answers with the tensor itself."""
    made = HANDLERS[torch.ops.aten.slice.Tensor]
    first, last, size = plain(0 if start is None else start), plain(end), plain(input.shape[dim])
    whole = quantities.both(first == 0, True if last is None else last >= size)
    if step != 1 or not isinstance(whole, Quantity):
        return made(tracer, input, dim, start, end, step)
    with tracer.only_where(quantities.negation(whole)):
        part = made(tracer, input, dim, start, end, step)
    return tracer.merged(whole, [part, input])


def _narrow(tracer: SpaceTracer, input: torch.Tensor, dim: int, start: Any, length: Any) -> Any:
    """Of all of a dimension, too, it is a layer."""
    end = plain(start) + plain(length)
    return HANDLERS[torch.ops.aten.slice.Tensor](tracer, input, dim, start, end, 1)


def _overrides() -> dict[Any, Callable[..., Any]]:
    aten = torch.ops.aten
    names = ("zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full")
    operations = [getattr(aten, name).default for name in names]
    return {
        **{operation: _unless_sizes_vary(HANDLERS[operation]) for operation in operations},
        aten.chunk.default: _if_size_varies(HANDLERS[aten.chunk.default], _chunk),
        aten.split.Tensor: _if_size_varies(HANDLERS[aten.split.Tensor], _split),
        aten.slice.Tensor: _slice,
        aten.narrow.default: _narrow,
    }


_OVERRIDES = _overrides()


# -- the proof -------------------------------------------------------------------------------------


def _samples(space: Space, layout: Layout) -> list[tuple[int, ...]]:
    """Codes of the configurations to compare.

    The current one, the extremes, some that show every value of every choice, also of those that
    exist only under conditions, and random ones.
    """
    places = layout.variables
    sizes = [len(place.variables[0].values) for place in places.values()]
    rows = [tuple(place.variables[0].code for place in places.values())]
    for pick in (min, max):
        extreme = []
        for place in places.values():
            values = place.variables[0].values
            if all(isinstance(value, int | float) for value in values):
                extreme.append(values.index(pick(values)))
            else:
                extreme.append(pick(0, len(values) - 1))
        rows.append(tuple(extreme))
    generator = np.random.default_rng(0)
    orders = [generator.permutation(size) for size in sizes]
    shown = [
        tuple(int(order[row % len(order)]) for order in orders)
        for row in range(min(_SHOWN, max(sizes, default=0)))
    ]
    rows += shown
    conditions: dict[tuple[Key, ...], int] = {}
    for place, size in zip(places.values(), sizes, strict=True):
        if place.keys:
            conditions[place.keys] = max(size, conditions.get(place.keys, 0))
    forced = [
        _forced(row, keys, layout) for keys, size in conditions.items() for row in shown[:size]
    ]
    rows += forced[:: max(1, -(-len(forced) // _SHOWN))]
    rows += [tuple(int(generator.integers(size)) for size in sizes) for _ in range(_DRAWN)]
    codes = np.array(rows, dtype=np.uint16).reshape(len(rows), len(sizes))
    return list(dict.fromkeys(tuple(map(int, row)) for row in space.canonical(codes)))


def _forced(row: tuple[int, ...], keys: tuple[Key, ...], layout: Layout) -> tuple[int, ...]:
    """The codes, changed so that conditions hold."""
    codes = dict(zip(layout.variables, row, strict=True))
    for key in keys:
        if key.kind == "candidate":
            codes[key.selector] = key.number
        elif key.selector in codes:
            depths = layout.variables[key.selector].variables[0].values
            if depths[codes[key.selector]] <= key.number:
                codes[key.selector] = depths.index(max(depths))
    return tuple(codes.values())


def _compare(
    space: Space, module: nn.Module, positional: list[Any], named: dict[str, Any], layout: Layout
) -> None:
    """Count some configurations both ways; refuse a space that differs from its module."""
    if not layout.variables:
        return
    before = layout.values(inactive=True)
    rows = _samples(space, layout)
    costs = space.sweep(np.array(rows, dtype=np.uint16), metrics=list(COLUMNS))
    try:
        for number, row in enumerate(rows):
            config = {
                name: space.variables[name].values[code]
                for name, code in zip(space.variables, row, strict=True)
            }
            layout.set(config)
            refusal = "" if costs.valid[number] else costs.reason(number)
            try:
                tracer = trace(module, positional, named)
            except (LayerError, CountOverflowError, SpaceError, TraceError) as error:
                if refusal:
                    continue
                raise TraceError(
                    f"for {_shown(config)} the module raises ({error}), but its space does not: "
                    f"{_ADVICE}"
                ) from error
            totals = tracer.engine.count().totals
            if refusal:
                raise TraceError(
                    f"for {_shown(config)} the module runs, but its space refuses it ({refusal}): "
                    f"{_ADVICE}"
                )
            for metric in COLUMNS:
                if int(costs[metric][number]) != totals[metric]:
                    where = _first_difference(space, row, tracer)
                    raise TraceError(
                        f"for {_shown(config)} the module has {metric} {totals[metric]:,}, but its "
                        f"space {int(costs[metric][number]):,}. They part at {where}: {_ADVICE}"
                    )
    finally:
        layout.set(before)


_ADVICE = (
    "forward does something that depends on the choices and that is not followed, as a branch on "
    "them, a Python number made of a size, or a module with other sizes than it says; let "
    "LayerChoice, Repeat and the layers of netledger.torch make the choice"
)


def _shown(config: Mapping[str, Any]) -> str:
    entries = [f"{name}={value!r}" for name, value in config.items()]
    shown = [*entries[:12], "..."] if len(entries) > 12 else entries
    return f"({', '.join(shown)})"


def _first_difference(space: Space, row: tuple[int, ...], tracer: Tracer) -> str:
    """The first layer in which the space's graph and the module's differ."""
    try:
        ours = space.graph(row).engine
    except NetledgerError as error:
        return f"the graph of this configuration ({error})"
    theirs = tracer.engine
    for number in range(max(len(ours), len(theirs))):
        sides = []
        for engine in (ours, theirs):
            if number >= len(engine):
                sides.append(("no layer", "", (), ()))
                continue
            node = engine.node(number)
            scope = engine.scope_at(node.scope)
            shapes = tuple(map(engine.shape, node.inputs))
            op = "split" if node.op == "chunk" else node.op
            sides.append((op, scope.path, shapes, tuple(map(engine.shape, node.outputs))))
        if sides[0] != sides[1]:
            return (
                f"layer {number}: {_layer_text(*sides[1])} of the module, "
                f"{_layer_text(*sides[0])} of the space"
            )
    return "weights that only one of them counts"


def _layer_text(op: str, path: str, inputs: Any, outputs: Any) -> str:
    if not inputs and not outputs:
        return op
    return f"{op} in '{path}' of {', '.join(map(str, inputs))} to {', '.join(map(str, outputs))}"
