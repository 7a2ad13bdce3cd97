"""The calls that made a space: written down as they happen, to be done again.

A `Journal` stands between a space and its engine. What it writes down is plain data: pickled, it
makes the same space in another process; read with the values of one configuration, it makes that
configuration's graph.

A quantity that a user holds names an entry of `Journal.definitions`, not an expression of the
engine, and a tensor has a number of the journal's, so that both outlive the engine: when the
building of a branch fails, the journal is cut back and the engine made anew. Numbers are not used
again, and what was undone is known as such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from netledger._implementation import Engine, SpaceEngine
from netledger._results import Node, Scope
from netledger.errors import SpaceError
from netledger.quantity import ARITHMETIC, Choice, Quantity, Rational

#: The most values of a quantity that are listed.
MOST_VALUES = 65_536

#: Where a quantity has no value: it divides by zero, leaves 64 bits or follows a refused layer.
NO_VALUE = -(2**63)

_COMPARISONS = ("equal", "less", "less_equal")


class Reference(NamedTuple):
    """A quantity in a journal: the number of its definition."""

    number: int


class Region(NamedTuple):
    """An entry of a journal: what is only there under a condition, and how many times.

    In a region of identical blocks, links are (read, made) tensors: what a block makes is what the
    next one reads.
    """

    condition: Any
    times: Any
    body: list[Any]
    links: list[tuple[int, int]]


class Mark(NamedTuple):
    """How far a journal had come."""

    depth: int
    length: int
    definitions: int


class Journal:
    """An engine whose calls are written down."""

    def __init__(self) -> None:
        self.target: Any = SpaceEngine()
        #: What was done, in order; a `Region` holds what was done inside it.
        self.entries: list[Any] = []
        #: What every quantity is, over integers and `Reference`s.
        self.definitions: list[tuple[Any, ...]] = []
        #: Of every variable the quantity that is its code or value.
        self.codes: list[Quantity] = []
        #: While a Python function is tried on quantities: they then refuse to be keys or text.
        self.values_are_needed = False
        self._open: list[list[Any]] = [self.entries]
        self._known: dict[tuple[Any, ...], int] = {}
        self._live: list[Any] = []
        self._shapes: dict[int, tuple[Any, ...]] = {}
        # The engine's index of every tensor, and the other way round.
        self._tensors: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        self._next_tensor = 0
        #: Grows with every change, so that what was compiled before is known to be out of date.
        self.version = 0

    # -- quantities -------------------------------------------------------------------------------

    def quantity(self, definition: tuple[Any, ...]) -> Any:
        """What a definition gives: a plain int if it is the same for every configuration."""
        number = self._known.get(definition)
        if number is None:
            value = self._made(definition)
            if not isinstance(value, Quantity):
                return value
            number = len(self.definitions)
            self._known[definition] = number
            self.definitions.append(definition)
            self._live.append(value)
        return Quantity(self, number)

    def encoded(self, value: Any) -> Any:
        """A value as it stands in the journal."""
        if isinstance(value, Quantity):
            if value.engine is not self:
                raise SpaceError(f"{value!r} belongs to another space")
            if isinstance(value, Choice) and value.constant is not None:
                return value.constant
            return Reference(value.expression)
        if isinstance(value, Rational):
            raise SpaceError(
                f"an integer is needed here, got {value!r}: make one of it with nl.floor, nl.ceil, "
                "nl.round_to or nl.make_divisible"
            )
        if isinstance(value, list | tuple):
            return tuple(map(self.encoded, value))
        if isinstance(value, np.integer | np.bool_):
            return value.item()
        return value

    def live(self, value: Any) -> Any:
        """An encoded value as the engine takes it."""
        if type(value) is Reference:
            found = self._live[value.number]
            if found is None:
                found = self._live[value.number] = self._made(self.definitions[value.number])
            return found
        if isinstance(value, tuple):
            return tuple(map(self.live, value))
        return value

    def _made(self, definition: tuple[Any, ...]) -> Any:
        kind, *operands = definition
        if kind == "size":
            tensor, dimension = operands
            return self.target.shape(self._tensor(tensor))[dimension]
        if kind == "gone":
            raise SpaceError(
                "a quantity belongs to a part of the space that was undone, because building it "
                "failed or was done again"
            )
        if kind == "account":
            node, metric = operands
            return self.target.account(node)[metric]
        if kind == "attribute":
            node, name, position = operands
            value = self.target.node(node).attributes[name]
            return value if position is None else value[position]
        if kind == "lookup":
            return self.target.lookup(self.live(operands[0]), list(operands[1]))
        return self.target.expression(kind, *map(self.live, operands))

    def expression(self, opcode: str, *operands: Any) -> Any:
        """An operation on quantities and ints."""
        encoded = tuple(map(self.encoded, operands))
        if not any(type(operand) is Reference for operand in encoded):
            if opcode == "select":
                return encoded[1] if encoded[0] else encoded[2]
            return ARITHMETIC[opcode](*encoded)
        return self.quantity((opcode, *encoded))

    def lookup(self, index: Any, values: Sequence[int]) -> Any:
        """The entry of a table at an index."""
        at = self.encoded(index)
        if type(at) is not Reference:
            return values[at]
        return self.quantity(("lookup", at, tuple(int(value) for value in values)))

    def condition(self, quantity: Quantity) -> Any:
        """Whether a quantity is not 0, as 0 or 1."""
        reference = self.encoded(quantity)
        if not isinstance(reference, Reference):
            return int(reference != 0)
        if self._is_condition(reference):
            return quantity
        return self.expression("subtract", 1, self.expression("equal", quantity, 0))

    def _is_condition(self, value: Any) -> bool:
        if not isinstance(value, Reference):
            return value in (0, 1)
        kind, *operands = self.definitions[value.number]
        if kind in _COMPARISONS:
            return True
        if kind == "lookup":
            return set(operands[1]) <= {0, 1}
        if kind in ("multiply", "maximum", "minimum"):
            return all(map(self._is_condition, operands))
        if kind == "subtract":
            return operands[0] == 1 and self._is_condition(operands[1])
        return kind == "select" and all(map(self._is_condition, operands[1:]))

    def same(self, left: Any, right: Any) -> bool:
        """Whether two sizes are the same for every configuration."""
        equal = self.expression("equal", left, right)
        if not isinstance(left, Quantity) or not isinstance(right, Quantity):
            return not isinstance(equal, Quantity) and bool(equal)
        a, b = self.live(self.encoded(left)), self.live(self.encoded(right))
        alike = isinstance(a, Quantity) and isinstance(b, Quantity)
        if alike and a.expression == b.expression:
            return True
        return not isinstance(equal, Quantity) and bool(equal)

    def support(self, quantity: Any) -> tuple[int, ...]:
        """The variables that a quantity depends on, ascending."""
        live = self.live(self.encoded(quantity))
        return tuple(self.target.support(live)) if isinstance(live, Quantity) else ()

    def tabulated(
        self, quantities: Sequence[Any], most: int = MOST_VALUES
    ) -> tuple[tuple[int, ...], list[npt.NDArray[np.int64]]] | None:
        """Values of quantities for every combination of the variables they depend on.

        The last variable runs fastest; `NO_VALUE` stands where there is none.

        Returns:
            The variables, ascending, and the values; None if there are more than `most`
            combinations or a variable is free.
        """
        supports = [self.support(quantity) for quantity in quantities]
        support = tuple(sorted({variable for part in supports for variable in part}))
        variables = self.target.variables
        count = 1
        for number in support:
            if variables[number].size is None:
                return None
            count *= variables[number].size
            if count > most:
                return None
        coded = [number for number, variable in enumerate(variables) if variable.size is not None]
        columns = {number: column for column, number in enumerate(coded)}
        codes = np.zeros((count, len(coded)), dtype=np.uint16)
        step = count
        for number in support:
            size = variables[number].size
            step //= size
            codes[:, columns[number]] = np.arange(count) // step % size
        live = [self.live(self.encoded(quantity)) for quantity in quantities]
        asked = [value for value in live if isinstance(value, Quantity)]
        frees = len(variables) - len(coded)
        free = None
        if frees:
            lowest = [variable.minimum for variable in variables if variable.size is None]
            free = np.tile(np.array(lowest, dtype=np.int64), (count, 1))
        found = iter(self.target.evaluate(asked, codes, free) if asked else [])
        return support, [
            next(found) if isinstance(value, Quantity) else np.full(count, value, dtype=np.int64)
            for value in live
        ]

    def values_of(self, quantity: Any, most: int = MOST_VALUES) -> list[int]:
        """The values that a quantity takes, ascending."""
        table = self.tabulated([quantity], most)
        if table is None:
            raise SpaceError(
                f"{quantity!r} has too many values to be listed here: it depends on a free size, "
                f"or on more than {most:,} combinations of choices"
            )
        return [int(value) for value in np.unique(table[1][0]) if value != NO_VALUE]

    def is_wide(self, quantity: Any) -> bool:
        """Whether a quantity depends on too many combinations to know all its values."""
        return self.tabulated([quantity], 4096) is None

    def describe(self, quantity: Quantity) -> str:
        """What a quantity can be, for messages."""
        table = self.tabulated([quantity], 4096)
        if table is None:
            return "?"
        values = sorted({int(value) for value in table[1][0]} - {NO_VALUE})
        if len(values) <= 4:
            return " | ".join(map(str, values))
        return f"{values[0]} to {values[-1]}"

    # -- what is written down ---------------------------------------------------------------------

    def _note(self, *entry: Any) -> None:
        self._open[-1].append(entry)
        self.version += 1

    def variable(self, name: str, size: int, known: Quantity | None = None) -> Quantity:
        """Add a coded variable; `known` is its code from a part that is built again."""
        return self._variable(("variable", name, size), known)

    def free(self, name: str, minimum: int, maximum: int) -> Quantity:
        """Add a free variable."""
        return self._variable(("free", name, minimum, maximum))

    def _variable(self, entry: tuple[Any, ...], known: Quantity | None = None) -> Quantity:
        value = getattr(self.target, entry[0])(*entry[1:])
        number = len(self.definitions) if known is None else known.expression
        definition = ("variable", len(self.target.variables) - 1)
        if known is None:
            self.definitions.append(definition)
            self._live.append(value)
        else:
            self.definitions[number], self._live[number] = definition, value
        self._note(*entry, number)
        self.codes.append(Quantity(self, number))
        return self.codes[-1]

    @contextmanager
    def region(self, condition: Any, times: Any = 1) -> Iterator[Region]:
        """What is added in a ``with`` block is there under a condition, and so many times."""
        region = Region(self.encoded(condition), self.encoded(times), [], [])
        self.target.enter(self.live(region.condition), self.live(region.times))
        self._open[-1].append(region)
        self._open.append(region.body)
        self.version += 1
        try:
            yield region
        finally:
            self._open.pop()
            self.target.leave()

    def tensor(
        self,
        kind: str,
        shape: Sequence[Any],
        dtype: str = "float32",
        name: str = "",
        trainable: bool = True,
    ) -> int:
        """Add a tensor that no layer makes."""
        sizes = self.encoded(tuple(shape))
        index = self.target.tensor(kind, self.live(sizes), dtype, name, trainable)
        (number,) = self._numbered([index])
        self._note("tensor", kind, sizes, dtype, name, trainable, number)
        return number

    def _numbered(self, indices: Sequence[int]) -> tuple[int, ...]:
        """Numbers for new tensors of the engine."""
        first = self._next_tensor
        self._next_tensor += len(indices)
        numbers = tuple(range(first, self._next_tensor))
        self._pair(numbers, indices)
        return numbers

    def _pair(self, numbers: Sequence[int], indices: Sequence[int]) -> None:
        self._tensors.update(zip(numbers, indices, strict=True))
        self._numbers.update(zip(indices, numbers, strict=True))

    def _tensor(self, number: int) -> int:
        """The engine's index of a tensor."""
        if number not in self._tensors:
            raise SpaceError(
                "a tensor belongs to a part of the space that was undone, because building it "
                "failed or was done again"
            )
        return self._tensors[number]

    def scope(self, parent: int, path: str, module_class: str, call: int = 0) -> int:
        """Enter one call of a module."""
        index: int = self.target.scope(parent, path, module_class, call)
        self._note("scope", parent, path, module_class, call, index)
        return index

    def scope_at(self, index: int) -> Scope:
        """The scope of that index."""
        found: Scope = self.target.scope_at(index)
        return found

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
        """Add a layer."""
        given = {key: self.encoded(value) for key, value in (attributes or {}).items()}
        chosen = None if weights is None else tuple(weights)
        entry = ("add", op, tuple(inputs), given, chosen, dtype, name, scope, inplace)
        outputs = self._numbered(self._add(entry))
        self._note(*entry, outputs)
        return outputs

    def _add(self, entry: Sequence[Any]) -> tuple[int, ...]:
        _, op, inputs, attributes, weights, dtype, name, scope, inplace, *_ = entry
        chosen = None
        if weights is not None:
            chosen = [None if weight is None else self._tensor(weight) for weight in weights]
        outputs = self.target.add(
            op,
            [self._tensor(tensor) for tensor in inputs],
            {key: self.live(value) for key, value in attributes.items()},
            weights=chosen,
            dtype=dtype,
            name=name,
            scope=scope,
            inplace=inplace,
        )
        return tuple(outputs)

    def merge(self, index: Any, tensors: Sequence[int]) -> int:
        """The tensor of that number in a list."""
        at = self.encoded(index)
        merged = self.target.merge(self.live(at), [self._tensor(tensor) for tensor in tensors])
        (number,) = self._numbered([merged])
        self._note("merge", at, tuple(tensors), number)
        return number

    def require(self, condition: Any, text: str) -> None:
        """A constraint between variables."""
        encoded = self.encoded(condition)
        self.target.require(self.live(encoded), text)
        self._note("require", encoded, text)

    def link(self, variables: Sequence[int]) -> None:
        """Variables that are counted together."""
        self.target.link(list(variables))
        self._note("link", tuple(variables))

    def output(self, *tensors: int) -> None:
        """Mark outputs of the network."""
        self.target.output(*(self._tensor(tensor) for tensor in tensors))
        self._note("output", tensors)

    def define(self, name: str, terms: Sequence[tuple[Any, ...]], *, real: bool) -> None:
        """Define a metric by what it adds, in encoded values; it is not written down.

        Args:
            name: the metric's name.
            terms: (layer or -1, cost), or (layer or -1, index, values) of real numbers.
            real: whether it is of real numbers.
        """
        if real:
            self.target.real_metric(
                name, [(node, self.live(index), values) for node, index, values in terms]
            )
        else:
            self.target.metric(name, [(node, self.live(cost)) for node, cost in terms])

    # -- reading ----------------------------------------------------------------------------------

    def shape(self, tensor: int) -> tuple[Any, ...]:
        """The sizes of a tensor."""
        found = self._shapes.get(tensor)
        if found is None:
            found = self._shapes[tensor] = tuple(
                self.quantity(("size", tensor, dimension)) if isinstance(size, Quantity) else size
                for dimension, size in enumerate(self.target.shape(self._tensor(tensor)))
            )
        return found

    def dtype(self, tensor: int) -> str:
        """The element type of a tensor."""
        found: str = self.target.dtype(self._tensor(tensor))
        return found

    def kind(self, tensor: int) -> str:
        """What a tensor is: input, parameter, buffer, constant or activation."""
        found: str = self.target.kind(self._tensor(tensor))
        return found

    def node(self, index: int) -> Node:
        """The layer of that index, quantities in its attributes."""
        found: Node = self.target.node(index)

        def shown(name: str, value: Any, position: int | None = None) -> Any:
            if isinstance(value, Quantity):
                return self.quantity(("attribute", index, name, position))
            if isinstance(value, list | tuple):
                return tuple(shown(name, entry, place) for place, entry in enumerate(value))
            return value

        attributes = {name: shown(name, value) for name, value in found.attributes.items()}
        return Node(
            found.index,
            found.op,
            found.name,
            found.scope,
            tuple(self._numbers[tensor] for tensor in found.inputs),
            tuple(None if w is None else self._numbers[w] for w in found.weights),
            tuple(self._numbers[tensor] for tensor in found.outputs),
            attributes,
            found.inplace,
        )

    def account(self, index: int) -> dict[str, Any]:
        """What one presence of a layer costs."""
        return {
            metric: self.quantity(("account", index, metric))
            if isinstance(cost, Quantity)
            else cost
            for metric, cost in self.target.account(index).items()
        }

    def __len__(self) -> int:
        return len(self.target)

    # -- again ------------------------------------------------------------------------------------

    def mark(self) -> Mark:
        """How far the journal has come, to cut it back to."""
        return Mark(len(self._open), len(self._open[-1]), len(self.definitions))

    def cut_back(self, mark: Mark) -> None:
        """Forget what was done since the mark; the engine is made anew."""
        if len(self._open) != mark.depth:
            raise SpaceError("a region is still open")
        if self.mark() == mark:
            return
        del self._open[-1][mark.length :]
        for number in range(mark.definitions, len(self.definitions)):
            definition = self.definitions[number]
            if definition[0] in ("variable", "size", "account", "attribute"):
                self._known.pop(definition, None)
                self.definitions[number] = ("gone",)
        self.codes = [
            code for code in self.codes if self.definitions[code.expression][0] == "variable"
        ]
        self.rebuild()

    def rebuild(self) -> None:
        """Make the engine anew from what is written down."""
        self.target = SpaceEngine()
        self._live = [None] * len(self.definitions)
        self._shapes, self._tensors, self._numbers = {}, {}, {}
        self._repeat_calls(self.entries)
        self.version += 1

    def _repeat_calls(self, entries: Sequence[Any]) -> None:
        target = self.target
        for entry in entries:
            if isinstance(entry, Region):
                target.enter(self.live(entry.condition), self.live(entry.times))
                self._repeat_calls(entry.body)
                if not any(entry.body is body for body in self._open):
                    target.leave()
                continue
            kind = entry[0]
            if kind in ("variable", "free"):
                self._live[entry[-1]] = getattr(target, kind)(*entry[1:-1])
            elif kind == "tensor":
                index = target.tensor(entry[1], self.live(entry[2]), *entry[3:6])
                self._pair([entry[-1]], [index])
            elif kind == "scope":
                target.scope(*entry[1:5])
            elif kind == "add":
                self._pair(entry[-1], self._add(entry))
            elif kind == "merge":
                tensors = [self._tensor(tensor) for tensor in entry[2]]
                self._pair([entry[-1]], [target.merge(self.live(entry[1]), tensors)])
            elif kind == "require":
                target.require(self.live(entry[1]), entry[2])
            elif kind == "link":
                target.link(list(entry[1]))
            else:
                target.output(*(self._tensor(tensor) for tensor in entry[1]))

    def saved(self) -> dict[str, Any]:
        """The journal as plain data."""
        return {
            "entries": self.entries,
            "definitions": self.definitions,
            "tensors": self._next_tensor,
        }

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> Journal:
        """A journal from plain data, with an engine made from it."""
        journal = cls()
        journal.entries = saved["entries"]
        journal._open = [journal.entries]
        journal.definitions = saved["definitions"]
        journal._next_tensor = saved["tensors"]
        journal._known = {
            definition: number
            for number, definition in enumerate(journal.definitions)
            if definition[0] not in ("variable", "gone")
        }
        codes = {
            definition[1]: Quantity(journal, number)
            for number, definition in enumerate(journal.definitions)
            if definition[0] == "variable"
        }
        journal.codes = [codes[variable] for variable in range(len(codes))]
        journal.rebuild()
        return journal

    def concrete(self, values: Sequence[int]) -> Engine:
        """The graph of one configuration.

        Args:
            values: the code of every variable, or the value of a free one.

        Raises:
            LayerError: a layer of the configuration is refused.
            CountOverflowError: a count passes 64 bits.
            SpaceError: a constraint is not met.
        """
        return _Concrete(self, values).graph


class _Concrete:
    """One reading of a journal with the values of a configuration."""

    def __init__(self, journal: Journal, values: Sequence[int]) -> None:
        self.graph = Engine()
        self._values = values
        self._definitions = journal.definitions
        self._known: dict[int, int] = {}
        self._tensors: dict[int, int] = {}
        self._scopes: dict[int, int] = {0: 0}
        # What the block before has made of what this one reads.
        self._handed_on: set[int] = set()
        self._handlers: dict[str, Callable[[Any], None]] = {
            "variable": lambda entry: None,
            "free": lambda entry: None,
            "tensor": self._tensor,
            "scope": self._scope,
            "add": self._layer,
            "merge": self._merge,
            "require": self._require,
            "link": lambda entry: None,
            "output": self._output,
        }
        self._read(journal.entries)

    def _read(self, entries: Sequence[Any]) -> None:
        for entry in entries:
            if isinstance(entry, Region):
                self._region(entry)
            else:
                self._handlers[entry[0]](entry)

    def _region(self, region: Region) -> None:
        if not self._value(region.condition):
            return
        outer = self._handed_on
        for repetition in range(self._value(region.times)):
            if repetition:
                made = [self._tensors[output] for _, output in region.links]
                read = [tensor for tensor, _ in region.links]
                self._handed_on = {*outer, *read}
                self._tensors.update(zip(read, made, strict=True))
            self._read(region.body)
        self._handed_on = outer

    def _value(self, value: Any) -> Any:
        """An encoded value, of this configuration."""
        if type(value) is Reference:
            number = value.number
            if number not in self._known:
                self._known[number] = self._evaluated(self._definitions[number])
            return self._known[number]
        if isinstance(value, tuple):
            return tuple(map(self._value, value))
        return value

    def _evaluated(self, definition: tuple[Any, ...]) -> int:
        kind, *operands = definition
        if kind == "variable":
            return int(self._values[operands[0]])
        if kind == "size":
            tensor, dimension = operands
            size: int = self.graph.shape(self._tensors[tensor])[dimension]
            return size
        if kind == "lookup":
            index: int = self._value(operands[0])
            table: tuple[int, ...] = operands[1]
            if not 0 <= index < len(table):
                raise SpaceError(f"index {index} is outside a table of {len(table)} values")
            return table[index]
        if kind == "select":
            chosen: int = self._value(operands[1] if self._value(operands[0]) else operands[2])
            return chosen
        if kind not in ARITHMETIC:
            raise SpaceError(f"a {kind} of the space has no value in one graph")
        left, right = map(self._value, operands)
        if right == 0 and kind in ("floor_divide", "ceil_divide", "modulo"):
            raise SpaceError(f"{left} is divided by 0 in this configuration")
        return ARITHMETIC[kind](left, right)

    def _tensor(self, entry: Any) -> None:
        _, kind, shape, dtype, name, trainable, index = entry
        self._tensors[index] = self.graph.tensor(kind, self._value(shape), dtype, name, trainable)

    def _scope(self, entry: Any) -> None:
        _, parent, path, module_class, call, index = entry
        self._scopes[index] = self.graph.scope(self._scopes[parent], path, module_class, call)

    def _layer(self, entry: Any) -> None:
        _, op, inputs, attributes, weights, dtype, name, scope, inplace, outputs = entry
        chosen = None
        if weights is not None:
            chosen = [None if weight is None else self._tensors[weight] for weight in weights]
        made = self.graph.add(
            op,
            [self._tensors[tensor] for tensor in inputs],
            {key: self._value(value) for key, value in attributes.items()},
            weights=chosen,
            dtype=dtype,
            name=name,
            scope=self._scopes[scope],
            inplace=inplace,
        )
        self._tensors.update(zip(outputs, made, strict=True))

    def _merge(self, entry: Any) -> None:
        _, index, tensors, merged = entry
        if merged not in self._handed_on:
            self._tensors[merged] = self._tensors[tensors[self._value(index)]]

    def _require(self, entry: Any) -> None:
        _, condition, text = entry
        if not self._value(condition):
            raise SpaceError(f"the configuration does not meet the constraint: {text}")

    def _output(self, entry: Any) -> None:
        there = [self._tensors[tensor] for tensor in entry[1] if tensor in self._tensors]
        self.graph.output(*there)
