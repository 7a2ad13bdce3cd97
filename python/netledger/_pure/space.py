"""Graphs with variables, in plain Python: every layer is evaluated for every combination."""

from __future__ import annotations

import operator
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from netledger._pure.expressions import (
    Assignment,
    Expression,
    Operand,
    Program,
    Value,
)
from netledger._pure.graph import GIVEN_KINDS, Graph
from netledger._pure.plan import Plan
from netledger._results import COLUMNS, Node, Scope, Variable
from netledger.errors import CountOverflowError, LayerError, NetledgerError, SpaceError
from netledger.formulas._layer import (
    OPERATIONS,
    Operation,
    Refusal,
    Shape,
    describe_layer,
    normalise,
)
from netledger.quantity import Quantity

#: Attributes that decide how many dimensions or layers there are, and what their rules call them.
PLAIN_ATTRIBUTES = {
    "chunks": "chunks",
    "destination": "dim",
    "dim": "dim",
    "dim0": "dim",
    "dim1": "dim",
    "dim2": "dim",
    "dimension": "dim",
    "dims": "dim",
    "end_dim": "dim",
    "num_layers": "num_layers",
    "source": "dim",
    "start_dim": "dim",
}

#: What a layer gives is learned from so many configurations, where it cannot be tabulated; from
#: fewer that its rule accepts nothing is learned.
MOST_SAMPLES = 256
ENOUGH_SAMPLES = 32

#: What stands for a value that there is not.
NO_VALUE = -(2**63)


@dataclass(frozen=True)
class Presence:
    """Where something is there, and how many times it then counts."""

    present: Operand = 1
    times: Operand = 1


@dataclass(frozen=True)
class Tensor:
    """A tensor: sizes that may depend on variables; `times` as often as it is declared."""

    kind: str
    sizes: tuple[Operand, ...]
    dtype: str
    trainable: bool = True
    times: Operand = 1


@dataclass(frozen=True)
class Outcome:
    """What a layer gives for one combination of sizes, or the rule that refuses it."""

    inputs: tuple[Shape, ...]
    shapes: tuple[Shape, ...] = ()
    dtypes: tuple[str, ...] = ()
    account: Mapping[str, int] = field(default_factory=dict)
    rule: str = ""
    overflow: bool = False

    def error(self, layer: Layer) -> NetledgerError:
        """What a graph with this layer raises."""
        op = layer.node.op
        message = describe_layer(op, layer.label, self.inputs, self.rule)
        if self.overflow:
            return CountOverflowError(message)
        return LayerError(message, layer.label, op, self.rule)


@dataclass(frozen=True)
class Step:
    """What may refuse a configuration: a layer, or a constraint with its condition."""

    text: str
    presence: Presence
    layer: Layer | None = None
    condition: Operand = 1


@dataclass(eq=False)
class Layer:
    """A layer of a space.

    Attributes:
        support: the variables that its sizes and attributes depend on.
        outcomes: what it gives for every combination of the support; None where a size has no
            value. Left out where they are too many.
        samples: what it gives for some configurations, where there are too many for all.
    """

    node: Node
    operation: Operation
    label: str
    weights: tuple[int | None, ...] | None
    dtype: str | Sequence[str] | None
    given: Mapping[str, Any]
    presence: Presence
    step: int
    support: tuple[int, ...] = ()
    outcomes: list[Outcome | None] | None = None
    samples: list[tuple[list[int], Outcome]] = field(default_factory=list)


class Space:
    """A graph with variables: layers may be there or not, and count several times."""

    def __init__(self) -> None:
        self.program = Program()
        self.layers: list[Layer] = []
        self.tensors: list[Tensor] = []
        self.checks: list[Step] = []
        self.links: list[tuple[int, ...]] = []
        #: Where every variable is active, in order.
        self.activity: list[Operand] = []
        #: Terms of the user's metrics: layer or -1, cost.
        self.metrics: dict[str, list[tuple[int, Operand]]] = {}
        #: The same of real numbers: layer or -1, index, values.
        self.real_metrics: dict[str, list[tuple[int, Operand, tuple[float, ...]]]] = {}
        self._domains: list[Variable] = []
        self._scopes = [Scope(0, "", "", 0)]
        self._entered = [Presence()]
        self._outcomes: dict[object, Outcome] = {}

    # -- quantities -------------------------------------------------------------------------------

    def variable(self, name: str, size: int) -> Quantity:
        """Add a coded variable: its code, 0 to size - 1; it is active only where it is declared."""
        if size <= 0:
            raise SpaceError(f"variable '{name}' has no choices")
        present = self._entered[-1].present
        self.activity.append(present)
        code = self.program.variable(size)
        self._domains.append(Variable(name, size, 0, size - 1, self._shown(present)))
        return Quantity(self, code.number)

    def free(self, name: str, minimum: int, maximum: int) -> Quantity:
        """Add a free variable, given by value."""
        if minimum > maximum:
            raise SpaceError(
                f"variable '{name}' has no values: its minimum {minimum} is above its maximum "
                f"{maximum}"
            )
        self.activity.append(1)
        value = self.program.variable(None)
        self._domains.append(Variable(name, None, minimum, maximum, 1))
        return Quantity(self, value.number)

    def expression(self, opcode: str, *operands: Any) -> Any:
        """An operation on quantities and ints."""
        return self._shown(self.program.add(opcode, [self._operand(entry) for entry in operands]))

    def lookup(self, index: Any, values: Sequence[int]) -> Any:
        """The entry of a table at an index; outside of it there is no value."""
        return self._shown(self.program.add("lookup", [self._operand(index)], tuple(values)))

    def support(self, quantity: Any) -> tuple[int, ...]:
        """The variables that a quantity depends on."""
        operand = self._operand(quantity)
        return operand.support if isinstance(operand, Expression) else ()

    def evaluate(
        self,
        quantities: Sequence[Any],
        codes: npt.NDArray[Any],
        free: npt.NDArray[np.int64] | None = None,
    ) -> list[npt.NDArray[np.int64]]:
        """Values of quantities for many configurations.

        Args:
            quantities: ints and quantities.
            codes: a row per configuration, a column per coded variable.
            free: the same of the free variables, by value.

        Returns:
            A column for each quantity; the lowest 64-bit integer where there is no value.
        """
        operands = [self._operand(quantity) for quantity in quantities]
        columns = np.full((len(operands), len(codes)), NO_VALUE, dtype=np.int64)
        for row, assignment in enumerate(self.assignments(codes, free)):
            for column, operand in enumerate(operands):
                value = self.program.evaluate(operand, assignment)
                if value is not None:
                    columns[column, row] = value
        return list(columns)

    def assignments(
        self, codes: npt.NDArray[Any], free: npt.NDArray[np.int64] | None
    ) -> Iterator[list[int]]:
        """The value of every variable, of every row."""
        coded = [number for number, size in enumerate(self.program.sizes) if size is not None]
        frees = [number for number, size in enumerate(self.program.sizes) if size is None]
        for row in range(len(codes)):
            assignment = [0] * len(self.program.sizes)
            for column, number in enumerate(coded):
                assignment[number] = int(codes[row, column])
            for column, number in enumerate(frees):
                assert free is not None
                assignment[number] = int(free[row, column])
            yield assignment

    def _operand(self, value: Any) -> Operand:
        if isinstance(value, Quantity):
            if value.engine is not self:
                raise SpaceError("a quantity belongs to another space")
            expression: Expression = self.program.expressions[value.expression]
            return expression
        return int(operator.index(value))

    def _shown(self, operand: Operand) -> Any:
        if isinstance(operand, Expression):
            return Quantity(self, operand.number)
        return operand

    # -- structure --------------------------------------------------------------------------------

    def enter(self, condition: Any, times: Any = 1) -> None:
        """What follows is there only where the condition is not 0, and counts so many times."""
        outer = self._entered[-1]
        add = self.program.add
        holds = add("subtract", (1, add("equal", (self._operand(condition), 0))))
        repeated = add("less", (0, self._operand(times)))
        here = add("multiply", (outer.present, add("multiply", (holds, repeated))))
        self._entered.append(Presence(here, add("multiply", (outer.times, self._operand(times)))))

    def leave(self) -> None:
        """End what was entered last."""
        if len(self._entered) == 1:
            raise SpaceError("leave without enter")
        self._entered.pop()

    def tensor(
        self,
        kind: str,
        shape: Sequence[Any],
        dtype: str = "float32",
        name: str = "",
        trainable: bool = True,
    ) -> int:
        """Add a tensor that no layer makes; its sizes are ints and quantities."""
        sizes = tuple(shape)
        # One by one, so that what is not an integer is refused as a graph refuses it.
        Graph().tensor(
            kind, [0 if isinstance(size, Quantity) else size for size in sizes], dtype, name
        )
        operands = tuple(self._operand(size) for size in sizes)
        for operand in operands:
            if isinstance(operand, Expression) and operand.table is not None:
                lowest = min(value for value in operand.table if value is not None)
                if lowest < 0:
                    raise SpaceError(f"tensor '{name}': a size must not be negative, got {lowest}")
        assert kind in GIVEN_KINDS
        times = self._entered[-1].times
        self.tensors.append(Tensor(kind, operands, dtype, trainable, times))
        return len(self.tensors) - 1

    def scope(self, parent: int, path: str, module_class: str, call: int = 0) -> int:
        """Enter one call of a module, inside another scope; 0 is the root."""
        self.scope_at(parent)
        self._scopes.append(Scope(parent, path, module_class, call))
        return len(self._scopes) - 1

    def scope_at(self, index: int) -> Scope:
        """The scope of that index."""
        if not 0 <= index < len(self._scopes):
            raise NetledgerError(f"the graph has no scope {index}; it has {len(self._scopes)}")
        return self._scopes[index]

    def merge(self, index: Any, tensors: Sequence[int]) -> int:
        """The tensor of that number in the list: no layer, no cost."""
        if not tensors:
            raise SpaceError("there is no tensor to choose from")
        found = [self._tensor(tensor) for tensor in tensors]
        at = self._operand(index)
        add = self.program.add
        least, most = self.program.bounds(at, self._limits())
        if not 0 <= least <= most < len(tensors):
            raise SpaceError(
                f"an index must be from 0 to {len(tensors) - 1} to choose among {len(tensors)} "
                f"tensors, got {self.described(at)}"
            )
        first = found[0]
        for other in found:
            if len(other.sizes) != len(first.sizes):
                raise SpaceError(
                    "the tensors to choose among must have as many dimensions, got shapes "
                    f"{self.described(first.sizes)} and {self.described(other.sizes)}"
                )
            if other.dtype != first.dtype:
                raise SpaceError(
                    "the tensors to choose among must have one dtype, got "
                    f"{first.dtype} and {other.dtype}"
                )
        sizes = list(found[-1].sizes)
        for position in reversed(range(len(found) - 1)):
            chosen = add("equal", (at, position))
            for dimension, size in enumerate(found[position].sizes):
                sizes[dimension] = add("select", (chosen, size, sizes[dimension]))
        self.tensors.append(Tensor("activation", tuple(sizes), first.dtype))
        return len(self.tensors) - 1

    def require(self, condition: Any, text: str) -> None:
        """A constraint between the variables."""
        operand = self._operand(condition)
        presence = self._entered[-1]
        support = self.program.united((operand, presence.present))
        if self.program.count(support) is not None:
            column = self.program.column
            pairs = zip(column(presence.present, support), column(operand, support), strict=True)
            if not any(holds for present, holds in pairs if present != 0):
                raise SpaceError(f"no configuration meets the constraint: {text}")
        self.checks.append(Step(text, presence, None, operand))

    def link(self, variables: Sequence[int]) -> None:
        """Make variables one digit, if they have few enough combinations."""
        self.links.append(tuple(sorted(set(variables))))

    def output(self, *tensors: int) -> None:
        """Mark tensors as outputs of the network; it changes no cost."""
        for tensor in tensors:
            self._tensor(tensor)

    def described(self, value: Operand | Sequence[Operand]) -> str:
        """A quantity or a shape in words."""
        if isinstance(value, Expression):
            known = {entry for entry in value.table or () if entry is not None}
            if not known:
                return "?"
            return str(min(known)) if len(known) == 1 else f"{min(known)}..{max(known)}"
        if isinstance(value, int):
            return str(value)
        inside = ", ".join(map(self.described, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"

    # -- layers -----------------------------------------------------------------------------------

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
        """Add a layer and return the indices of its outputs."""
        operation = OPERATIONS.get(op)
        if operation is None:
            raise NetledgerError(f"unknown op '{op}'")
        self.scope_at(scope)
        given = dict(attributes or {})
        label = name or self._scopes[scope].path or f"{op}_{len(self.layers)}"
        layer = Layer(
            Node(
                len(self.layers),
                op,
                name,
                scope,
                tuple(inputs),
                tuple(weights or ()),
                (),
                {},
                inplace,
            ),
            operation,
            label,
            None if weights is None else tuple(weights),
            dtype,
            {key: self._encoded(value) for key, value in given.items()},
            self._entered[-1],
            len(self.checks),
        )
        operands = [*self._sizes_of(layer), *_operands(list(layer.given.values()))]
        self._require_plain(layer)
        layer.support = self.program.united(operands)
        first = self._first_outcome(layer)
        layer.node = replace(
            layer.node,
            attributes=self._complete(layer),
            outputs=tuple(range(len(self.tensors), len(self.tensors) + len(first.shapes))),
        )
        for position, shape in enumerate(first.shapes):
            sizes = tuple(
                self._output_size(layer, position, dimension) for dimension in range(len(shape))
            )
            self.tensors.append(Tensor("activation", sizes, first.dtypes[position]))
        self.layers.append(layer)
        self.checks.append(Step(f"layer '{label}' ({op})", layer.presence, layer))
        return layer.node.outputs

    def outcome(self, layer: Layer, assignment: Assignment) -> Outcome | None:
        """What a layer gives for one configuration; None if a size has no value."""
        if layer.outcomes is not None:
            position = 0
            for variable in layer.support:
                position = position * (self.program.sizes[variable] or 0) + assignment[variable]
            return layer.outcomes[position]
        return self._evaluated(layer, assignment)

    def _encoded(self, value: object) -> Any:
        if isinstance(value, Quantity):
            return self._operand(value)
        if isinstance(value, list | tuple):
            return tuple(map(self._encoded, value))
        return value

    def _limits(self) -> list[tuple[int, int]]:
        """The least and the greatest value of every variable."""
        return [(variable.minimum, variable.maximum) for variable in self._domains]

    def _sizes_of(self, layer: Layer) -> list[Operand]:
        """The sizes of what a layer reads."""
        read = [
            *layer.node.inputs,
            *(weight for weight in layer.weights or () if weight is not None),
        ]
        return [size for tensor in read for size in self._tensor(tensor).sizes]

    def _require_plain(self, layer: Layer) -> None:
        """Refuse a quantity where the rule must know the value."""
        names = [
            PLAIN_ATTRIBUTES[name]
            for name, value in layer.given.items()
            if name in PLAIN_ATTRIBUTES and list(_operands([value]))
        ]
        cut = {"chunk": "cut into chunks", "unbind": "unbound"}.get(layer.node.op)
        if cut and not names:
            sizes = self._tensor(layer.node.inputs[0]).sizes
            dim = layer.given.get("dim", 0)
            known = isinstance(dim, int) and -len(sizes) <= dim < len(sizes)
            if known and isinstance(sizes[dim], Expression):
                names = [f"the size of a dimension that is {cut}"]
        if names:
            rule = f"{names[0]} must be a plain integer, not an expression"
            raise self._refusal(layer, rule, [0] * len(self.program.sizes))

    def _refusal(self, layer: Layer, rule: str, assignment: Assignment) -> LayerError:
        shapes = [self._shape(tensor, assignment) for tensor in layer.node.inputs]
        shown = [shape if shape is not None else () for shape in shapes]
        message = describe_layer(layer.node.op, layer.label, shown, rule)
        return LayerError(message, layer.label, layer.node.op, rule)

    def _shape(self, tensor: int, assignment: Assignment) -> Shape | None:
        sizes = [self.program.evaluate(size, assignment) for size in self._tensor(tensor).sizes]
        return None if None in sizes else tuple(sizes)  # type: ignore[arg-type]

    def _evaluated(self, layer: Layer, assignment: Assignment) -> Outcome | None:
        """A layer for one configuration: that of a graph that has no other."""
        node = layer.node
        read = (*node.inputs, *(layer.weights or ()))
        shapes = [None if tensor is None else self._shape(tensor, assignment) for tensor in read]
        attributes = {
            name: self._attribute(value, assignment) for name, value in layer.given.items()
        }
        if any(
            shape is None and tensor is not None for shape, tensor in zip(shapes, read, strict=True)
        ):
            return None
        if any(_lacks_value(value) for value in attributes.values()):
            return None
        dtypes = tuple(None if tensor is None else self._tensor(tensor).dtype for tensor in read)
        key = (
            node.op,
            tuple(shapes),
            dtypes,
            repr(attributes),
            layer.weights is None,
            repr(layer.dtype),
            node.inplace,
        )
        if key not in self._outcomes:
            self._outcomes[key] = self._of_graph(layer, shapes, dtypes, attributes)
        return self._outcomes[key]

    def _of_graph(
        self,
        layer: Layer,
        shapes: Sequence[Shape | None],
        dtypes: Sequence[str | None],
        attributes: Mapping[str, Any],
    ) -> Outcome:
        graph = Graph()
        node = layer.node
        given = tuple(shape for shape in shapes[: len(node.inputs)] if shape is not None)
        try:
            # Of no kind that is counted: what a layer shares with others is counted once, apart.
            read = [
                None if shape is None else graph.tensor("constant", shape, dtype or "")
                for shape, dtype in zip(shapes, dtypes, strict=True)
            ]
            if self._squeezes_free_size(layer, shapes, attributes):
                return Outcome(given, rule="a free size that is squeezed must not be 1")
            outputs = graph.add(
                node.op,
                read[: len(node.inputs)],  # type: ignore[arg-type]
                attributes,
                weights=None if layer.weights is None else read[len(node.inputs) :],
                dtype=layer.dtype,
                inplace=node.inplace,
            )
        except LayerError as error:
            return Outcome(given, rule=error.rule)
        except CountOverflowError:
            return Outcome(given, rule="a count does not fit a 64-bit integer", overflow=True)
        columns = graph.count().columns
        return Outcome(
            given,
            tuple(map(graph.shape, outputs)),
            tuple(map(graph.dtype, outputs)),
            {metric: int(columns[metric][0]) for metric in COLUMNS},
        )

    def _squeezes_free_size(
        self, layer: Layer, shapes: Sequence[Shape | None], attributes: Mapping[str, Any]
    ) -> bool:
        """Whether a size that is 1 here but not everywhere would be squeezed away."""
        if layer.node.op != "squeeze" or len(layer.node.inputs) != 1 or shapes[0] is None:
            return False
        shape, sizes = shapes[0], self._tensor(layer.node.inputs[0]).sizes
        try:
            dims = normalise(layer.operation, attributes)["dim"]
        except Refusal:
            return False
        rank = len(shape)
        listed = range(rank) if dims is None else [dims] if isinstance(dims, int) else dims
        return any(
            -rank <= dim < rank and shape[dim] == 1 and isinstance(sizes[dim], Expression)
            for dim in listed
        )

    def _attribute(self, value: Any, assignment: Assignment) -> Any:
        if isinstance(value, Expression):
            found = self.program.evaluate(value, assignment)
            return _LACKING if found is None else found
        if isinstance(value, tuple):
            return tuple(self._attribute(entry, assignment) for entry in value)
        return value

    def _first_outcome(self, layer: Layer) -> Outcome:
        """Evaluate a layer for all combinations; the first that is not refused.

        Raises the error of the first combination in which the layer is there, if it is refused in
        all of them.
        """
        program = self.program
        if program.count(layer.support) is not None:
            assignment = [0] * len(program.sizes)
            layer.outcomes = []
            for codes in program.combinations(layer.support):
                assignment = list(assignment)
                for variable, code in zip(layer.support, codes, strict=True):
                    assignment[variable] = code
                layer.outcomes.append(self._evaluated(layer, assignment))
            tried = list(self._where_present(layer))
        else:
            tried = []
            for assignment in self._samples(layer.support):
                outcome = self._evaluated(layer, assignment)
                tried.append(outcome)
                if outcome is not None and not outcome.rule:
                    layer.samples.append((assignment, outcome))
        first_error = None
        accepted = None
        for outcome in tried:
            if outcome is None:
                continue
            if outcome.rule:
                first_error = first_error or outcome.error(layer)
            else:
                accepted = accepted or outcome
                self._require_same_rank(layer, accepted, outcome)
        if accepted is not None:
            return accepted
        if first_error is None:
            raise LayerError(
                f"layer '{layer.label}' ({layer.node.op}): its sizes have no value in any "
                "configuration",
                layer.label,
                layer.node.op,
                "its sizes have no value in any configuration",
            )
        raise first_error

    def _where_present(self, layer: Layer) -> Iterator[Outcome | None]:
        """The outcomes for the combinations in which the layer is there, in their order."""
        assert layer.outcomes is not None
        program = self.program
        present = layer.presence.present
        support = tuple(sorted({*program.united((present,)), *layer.support}))
        if program.count(support) is None:
            yield from layer.outcomes
            return
        positions = program.positions(layer.support, support)
        there = program.column(present, support)
        if not any(there):
            yield from layer.outcomes
            return
        seen = set()
        for position, value in zip(positions, there, strict=True):
            if value and position not in seen:
                seen.add(position)
                yield layer.outcomes[position]

    def _samples(self, support: Sequence[int]) -> Iterator[list[int]]:
        """Some configurations, to learn from what the outputs of a layer look like."""
        chance = random.Random(0)
        for number in range(MOST_SAMPLES):
            assignment = [0] * len(self.program.sizes)
            for variable in support:
                domain = self._domains[variable]
                least, most = domain.minimum, domain.maximum
                if domain.size is None:
                    most = min(most, least + 10 ** (1 + number % 5))
                assignment[variable] = chance.randint(least, most)
            yield assignment

    def _require_same_rank(self, layer: Layer, first: Outcome, other: Outcome) -> None:
        if [len(shape) for shape in first.shapes] != [len(shape) for shape in other.shapes]:
            raise SpaceError(
                f"layer '{layer.label}' ({layer.node.op}): the number of its outputs, or of their "
                f"dimensions, depends on the configuration: {first.shapes} and {other.shapes}"
            )

    def _output_size(self, layer: Layer, position: int, dimension: int) -> Operand:
        if layer.outcomes is None:
            learned = self._learned_size(layer, position, dimension)
            if learned is not None:
                return learned

            def size(assignment: Assignment) -> Value:
                outcome = self._evaluated(layer, assignment)
                if outcome is None or outcome.rule:
                    return None
                return outcome.shapes[position][dimension]

            return self.program.of_layer(layer.support, size)
        table = [
            None if outcome is None or outcome.rule else outcome.shapes[position][dimension]
            for outcome in layer.outcomes
        ]
        known = {value for value in table if value is not None}
        # What a refused combination would give is of no interest.
        return known.pop() if len(known) == 1 else self.program.of_table(layer.support, table)

    def _learned_size(self, layer: Layer, position: int, dimension: int) -> Operand | None:
        """A size that is the same for all samples, or that of an input or attribute.

        Taken for granted, and checked for every configuration that is counted.
        """
        if len(layer.samples) < ENOUGH_SAMPLES:
            return None
        found = [outcome.shapes[position][dimension] for _, outcome in layer.samples]
        if len(set(found)) == 1:
            return found[0]
        for candidate in (*self._sizes_of(layer), *_operands(list(layer.given.values()))):
            values = (self.program.evaluate(candidate, entry) for entry, _ in layer.samples)
            if all(map(operator.eq, values, found)):
                return candidate
        return None

    def is_as_learned(self, layer: Layer, outcome: Outcome, assignment: Assignment) -> bool:
        """Whether the outputs of a layer have the sizes that they are known by."""
        shapes = [self._shape(tensor, assignment) for tensor in layer.node.outputs]
        return layer.outcomes is not None or shapes == list(outcome.shapes)

    def _complete(self, layer: Layer) -> dict[str, Any]:
        """The attributes with defaults filled in, and the quantities among them as given."""
        plain = {name: _plain(value) for name, value in layer.given.items()}
        complete = normalise(layer.operation, plain)
        for name, value in layer.given.items():
            if isinstance(value, Expression):
                complete[name] = value
            elif isinstance(value, tuple) and any(isinstance(entry, Expression) for entry in value):
                complete[name] = value if len(value) > 1 else value[0]
        return {
            name: tuple(map(self._shown, value)) if isinstance(value, tuple) else self._shown(value)
            for name, value in complete.items()
        }

    def _tensor(self, index: int) -> Tensor:
        if not 0 <= index < len(self.tensors):
            raise NetledgerError(f"the graph has no tensor {index}; it has {len(self.tensors)}")
        return self.tensors[index]

    # -- reading ----------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Number of layers."""
        return len(self.layers)

    def node(self, index: int) -> Node:
        """The layer of that index; attributes are ints and quantities."""
        self._check_node(index)
        return self.layers[index].node

    def account(self, index: int) -> dict[str, Any]:
        """What one presence of a layer costs, shared parameters left aside."""
        self._check_node(index)
        layer = self.layers[index]
        return {metric: self._shown(self._cost(layer, metric)) for metric in COLUMNS}

    def _cost(self, layer: Layer, metric: str) -> Operand:
        if layer.outcomes is not None:
            table = [
                None if outcome is None or outcome.rule else outcome.account[metric]
                for outcome in layer.outcomes
            ]
            known = {value for value in table if value is not None}
            return known.pop() if len(known) == 1 else self.program.of_table(layer.support, table)

        def cost(assignment: Assignment) -> Value:
            outcome = self._evaluated(layer, assignment)
            return None if outcome is None or outcome.rule else outcome.account[metric]

        return self.program.of_layer(layer.support, cost)

    def shape(self, tensor: int) -> tuple[Any, ...]:
        """The sizes of a tensor."""
        return tuple(map(self._shown, self._tensor(tensor).sizes))

    def dtype(self, tensor: int) -> str:
        """The element type of a tensor."""
        return self._tensor(tensor).dtype

    def kind(self, tensor: int) -> str:
        """What a tensor is: input, parameter, buffer, constant or activation."""
        return self._tensor(tensor).kind

    @property
    def variables(self) -> list[Variable]:
        """The variables, in order."""
        return list(self._domains)

    @property
    def steps(self) -> list[str]:
        """What may refuse a configuration, in order: every layer and every constraint."""
        return [step.text for step in self.checks]

    def _check_node(self, index: int) -> None:
        if not 0 <= index < len(self.layers):
            raise NetledgerError(f"the graph has no node {index}; it has {len(self.layers)}")

    # -- metrics ----------------------------------------------------------------------------------

    def metric(self, name: str, terms: Sequence[tuple[int, Any]]) -> None:
        """Define a metric of integers: (layer, or -1 for none, and its cost when it is there)."""
        self.metrics[name] = [(self._layer(node), self._operand(cost)) for node, cost in terms]

    def real_metric(self, name: str, terms: Sequence[tuple[int, Any, Sequence[float]]]) -> None:
        """Define a metric of real numbers: (layer or -1, index, values) adds values[index]."""
        self.real_metrics[name] = [
            (self._layer(node), self._operand(index), tuple(values))
            for node, index, values in terms
        ]

    def _layer(self, node: int) -> int:
        if node != -1:
            self._check_node(node)
        return node

    def compile(self, metrics: Sequence[str]) -> Plan:
        """What counts these metrics for many configurations."""
        for name in metrics:
            if name not in COLUMNS and name not in self.metrics and name not in self.real_metrics:
                raise SpaceError(f"unknown metric '{name}'")
        return Plan(self, metrics)


class _Lacking:
    """Stands for the value of an attribute that has none."""


_LACKING = _Lacking()


def _lacks_value(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(map(_lacks_value, value))
    return value is _LACKING


def _operands(values: Sequence[Any]) -> Iterator[Expression]:
    for value in values:
        if isinstance(value, Expression):
            yield value
        elif isinstance(value, tuple):
            yield from _operands(value)


def _plain(value: Any) -> Any:
    """An attribute with some integer where a quantity stands."""
    if isinstance(value, Expression):
        return 1
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value
