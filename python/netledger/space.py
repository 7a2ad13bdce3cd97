"""Design spaces: graphs with variables, counted for millions of configurations at once."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from netledger import metrics as user_metrics
from netledger._alias import mask_tables
from netledger._answers import Kept
from netledger._expected import ExpectedCosts
from netledger._journal import NO_VALUE, Journal
from netledger._origin import Origins
from netledger._queries import Queries
from netledger._results import COLUMNS
from netledger._views import composite_view, origins_of_space
from netledger.conventions import Convention, convention_of
from netledger.costs import Costs, Origin, Packed, Sweep, chosen_threads, shown_progress
from netledger.errors import NetledgerError, SpaceError
from netledger.formulas._layer import OPERATIONS
from netledger.graph import Graph, Tensor
from netledger.metrics import LayerView, Rule
from netledger.quantity import (
    Choice,
    Free,
    Quantity,
    Rational,
    RationalChoice,
    Selection,
    _by_position,
    _Chosen,
    as_condition,
    both,
    either,
    maximum,
    minimum,
    negation,
)

__all__ = ["Explanation", "Space"]

Codes = npt.NDArray[Any]
#: What a branch of a switch or a block of a repeat makes.
Made = Tensor | tuple[Tensor, ...]

#: What is counted when nothing is asked for.
METRICS = ("params", "macs")

#: Attributes that decide how many dimensions or layers there are: one layer for each value.
PLAIN_ATTRIBUTES = frozenset(
    (
        "chunks",
        "destination",
        "dim",
        "dim0",
        "dim1",
        "dim2",
        "dimension",
        "dims",
        "end_dim",
        "num_layers",
        "source",
        "start_dim",
    )
)

#: A variable has at most so many choices.
MOST_CHOICES = 65_536
#: An attribute that must be plain is made one layer for each of at most so many values.
MOST_LAYERS = 256
MOST_UNROLLED = 1_024
LARGEST_FREE = 2**31 - 1


@dataclass(frozen=True, eq=False)
class _Place:
    """Where in the structure something is: inside a branch, a block, a condition."""

    outer: _Place | None
    label: str
    condition: Any
    depth: int

    def holds(self, other: _Place) -> bool:
        """Whether the other place is this one or inside it."""
        place: _Place | None = other
        while place is not None and place.depth > self.depth:
            place = place.outer
        return place is self


@dataclass
class _Metric:
    """A metric that is not one of the columns."""

    rule: Any
    table: Mapping[Any, Any] | None = None
    per_layer: bool = False
    real: bool = False
    #: What it came to, and the version of the journal that it was found for.
    terms: list[tuple[Any, ...]] | None = None
    version: int = -1


#: What a row of codes is made of, wrong ones included.
_NUMBERS = (int, float, np.generic)


def _is_row(config: Any) -> bool:
    """Whether a configuration is a row of codes, a right or a wrong one."""
    kind = type(config)
    if kind is np.ndarray or kind is bytes:
        return True
    return (kind is list or kind is tuple) and (not config or isinstance(config[0], _NUMBERS))


class Explanation(dict[str, Any]):
    """What became of a space; ``print`` shows it.

    The entries are those of the implementation in use. Of the compiled core: ``factors`` and
    ``tables`` (names of the variables, number of entries), ``table_bytes``, ``bounds`` of every
    metric over the whole space, ``lane_instructions`` and ``lane_variables`` of what no table holds
    (``lanes_proven``: whether intervals prove it exact), ``digits`` as `Space.digits`.
    """

    #: Of factors and tables so many are printed.
    MOST_LINES = 12

    def __str__(self) -> str:
        counted = [what for what in ("variables", "layers", "expressions") if what in self]
        head = ", ".join(f"{self[what]:,} {what}" for what in counted)
        lines = [head, f"metrics: {', '.join(self['metrics'])}"]
        for metric, (low, high) in self.get("bounds", {}).items():
            lines.append(f"  {metric}: from {low:,} to {high:,}, proven")
        if "digits" in self:
            sizes = " x ".join(f"{size:,}" for _, size in self["digits"])
            lines.append(f"digits: {sizes or 'none'}")
        if "tables" in self:
            entries = sum(size for _, size in self["tables"])
            lines.append(
                f"tables: {len(self['factors'])} factors in {len(self['tables'])} tables of "
                f"{entries:,} entries, {self['table_bytes']:,} bytes"
            )
            shown = self["tables"][: self.MOST_LINES]
            lines += [f"  {' '.join(names)}: {size:,}" for names, size in shown]
            if len(shown) < len(self["tables"]):
                lines.append(f"  and {len(self['tables']) - len(shown)} more")
        if self.get("lane_instructions"):
            exact = "proven exact" if self["lanes_proven"] else "checked for each configuration"
            lines.append(
                f"lanes: {self['lane_instructions']} instructions on "
                f"{' '.join(self['lane_variables'])}, {exact}"
            )
        elif "lane_instructions" in self:
            lines.append("lanes: nothing")
        return "\n".join(lines)


class Space(Queries, ExpectedCosts):
    """Many networks at once: layers whose attributes, number and kind are chosen.

    Built like a `Graph`, with `choice` for what varies, `switch` for one of several layers and
    `repeat` for elastic depth. A configuration is a row of codes, one per variable (`variables`):
    the position of the value that is chosen. `sweep` counts many of them.

    >>> import netledger as nl
    >>> space = nl.Space()
    >>> kernel = space.choice("kernel", [3, 5])
    >>> x = space.input(1, 3, 32, 32)
    >>> x = nl.conv2d(x, 16, kernel, padding=kernel // 2, bias=False)
    >>> space.output(space.switch("act", {"relu": nl.relu, "none": lambda x: x}, x))
    >>> space.size
    4
    >>> space.sweep({"kernel": [3, 5], "act": ["relu", "none"]})["macs"].tolist()
    [442368, 1228800]
    """

    _KIND = "space"

    engine: Journal

    def __init__(self) -> None:
        super().__init__(Journal())
        self._reset()

    def _reset(self) -> None:
        self._variables: dict[str, Any] = {}
        #: Of every variable its kind and its values, or its limits.
        self._declared: list[tuple[str, str, tuple[Any, ...]]] = []
        self._place = _Place(None, "the space", 1, 0)
        self._places: dict[int, _Place] = {}
        #: Variables that the second of two identical blocks has from the first.
        self._reusable: set[str] = set()
        #: Variables of a block that is built again.
        self._undone: dict[str, Any] = {}
        self._metrics: dict[str, _Metric] = {}
        self._requirements = 0
        self._plans: dict[tuple[str, ...], Any] = {}
        self._plans_version = -1
        self._costs: dict[tuple[str, ...], Any] = {}
        self._kept = Kept()
        #: Where the layers of a traced supernet came from.
        self._origins: Origins | None = None

    # -- variables --------------------------------------------------------------------------------

    @property
    def variables(self) -> Mapping[str, Any]:
        """Every variable by name, in the order of the codes' columns."""
        return MappingProxyType(self._variables)

    def choice(self, name: str, values: Iterable[Any], when: Any = None) -> Any:
        """Add a variable: one of several values.

        Args:
            name: its name, of no other variable.
            values: what it may be, at most 65,536 different values. All ints make a `Choice`, which
                is a `Quantity`; other numbers a `RationalChoice`; anything else a `Selection`.
            when: the condition under which it exists; elsewhere its code counts as 0.

        Raises:
            SpaceError: no values, or one of them twice, or a name twice.
        """
        listed = tuple(map(_value, values))
        if name in self._reusable:
            known = self._variables[name]
            if tuple(known.values) == listed:
                return known
        self._require_new(name)
        if not listed:
            raise SpaceError(f"choice '{name}' has no values")
        if len(listed) > MOST_CHOICES:
            raise SpaceError(
                f"choice '{name}' has {len(listed):,} values; it may have at most {MOST_CHOICES:,}"
            )
        seen: set[Any] = set()
        for value in listed:
            try:
                is_known = (type(value) is bool, value) in seen
                seen.add((type(value) is bool, value))
            except TypeError:
                raise SpaceError(
                    f"choice '{name}': a value must be hashable, got {value!r}"
                ) from None
            if is_known:
                raise SpaceError(f"choice '{name}' lists {value!r} twice")
        if when is not None:
            with self.when(when):
                return self._declare(name, "choice", listed)
        return self._declare(name, "choice", listed)

    def integer(self, name: str, low: int, high: int, step: int = 1, when: Any = None) -> Any:
        """Add a variable: an integer from `low` to `high`, both included, in steps."""
        if step <= 0:
            raise SpaceError(f"integer '{name}': step must be positive, got {step}")
        if high < low:
            raise SpaceError(f"integer '{name}' has no values: {high} is below {low}")
        return self.choice(name, range(low, high + 1, step), when=when)

    def free(self, name: str, minimum: int = 1, maximum: int = LARGEST_FREE) -> Any:
        """Add a size that stays free: any integer from `minimum` to `maximum`, given by value."""
        self._require_new(name)
        return self._declare(name, "free", (minimum, maximum))

    def _declare(self, name: str, kind: str, values: tuple[Any, ...]) -> Any:
        if kind == "free":
            code = self.engine.free(name, *values)
        else:
            known = self._undone.get(name)
            if known is not None and known.values == values:
                self.engine.variable(name, len(values), known.index)
                self._declared.append((name, kind, values))
                self._variables[name] = known
                return known
            code = self.engine.variable(name, len(values))
        self._declared.append((name, kind, values))
        self._variables[name] = variable = self._as_variable(name, kind, values, code)
        return variable

    def _as_variable(self, name: str, kind: str, values: tuple[Any, ...], code: Quantity) -> Any:
        if kind == "free":
            return Free(code, name, *values)
        if all(type(value) is int for value in values):
            steps = {right - left for left, right in itertools.pairwise(values)}
            if len(steps) == 1:
                value = values[0] + steps.pop() * code
            else:
                value = self.engine.lookup(code, values)
            return Choice(value, self.engine, name, values, code)
        if all(type(value) in (int, float, Fraction) for value in values):
            value = _by_position(self.engine, code, values)
            return RationalChoice(value, self.engine, name, values, code)
        return Selection(self.engine, code, values, name)

    def _require_new(self, name: str) -> None:
        if type(name) is not str or not name:
            raise SpaceError(f"a variable's name is a text, got {name!r}")
        if name in self._variables:
            raise SpaceError(f"variable '{name}' is declared twice")

    # -- structure --------------------------------------------------------------------------------

    def when(self, condition: Any) -> AbstractContextManager[None]:
        """What is added in the ``with`` block is there only where a condition holds.

        Layers inside are left out elsewhere, variables are inactive. What is made inside is read
        inside only; `pick` brings it out.
        """
        return self._inside(condition, label="a when block")

    def require(self, condition: Any, text: str | None = None) -> None:
        """Add a constraint: configurations that do not meet it are refused.

        Args:
            condition: a comparison of quantities, of 0 where it is not met. Inside of `when`,
                `switch` or `repeat` it has to be met only where that is there.
            text: what the refusal says.

        Raises:
            SpaceError: no configuration meets it.
        """
        self._requirements += 1
        encoded = as_condition(condition)
        if isinstance(encoded, Quantity) or not encoded:
            self.engine.require(encoded, text or f"constraint {self._requirements}")

    def link(self, *choices: Any) -> None:
        """Count some variables together, as one digit of packed codes and enumerations.

        It changes no cost and no configuration. Link what a part of the network depends on, as the
        depth, kernels and widths of a stage: a packed code then is one number for each part, and a
        sweep one look-up. Variables with more than 65,536 combinations together stay apart.
        """
        numbers = {name: number for number, name in enumerate(self._variables)}
        linked = []
        for choice in choices:
            name = getattr(choice, "name", None)
            if name not in numbers or self._variables[name] is not choice:
                raise SpaceError(f"link takes variables of this space, got {choice!r}")
            linked.append(numbers[name])
        self.engine.link(linked)

    def switch(self, selector: Any, branches: Mapping[Any, Any], *inputs: Any) -> Any:
        """One of several branches.

        Args:
            selector: a name, which makes a new variable of the branches' labels; or an existing
                choice, of which every value must have a branch.
            branches: for every label a function of the inputs that returns a tensor or a tuple of
                tensors; or the tensor itself.
            inputs: what the functions are called with.

        Returns:
            What the chosen branch returns. All branches return as many tensors, of as many
            dimensions and the same dtypes.

        Raises:
            SpaceError: the labels are not the values of the selector, or the branches disagree.
        """
        with self._undone_on_error():
            if isinstance(selector, str):
                title = f"switch '{selector}'"
                if not branches:
                    raise SpaceError(f"{title} has no branches")
                chosen = self.choice(selector, branches)
            else:
                chosen = selector
                title = f"switch over {getattr(selector, 'name', '') or selector!r}"
            if not isinstance(chosen, _Chosen):
                raise SpaceError(
                    f"a switch is over a choice or a new name, got {selector!r}; for a condition, "
                    "nl.tabulate(...) makes a choice of it"
                )
            unknown = [label for label in branches if label not in chosen.values]
            missing = [value for value in chosen.values if value not in branches]
            if unknown or missing:
                wrong = (
                    f"has a branch {unknown[0]!r} that is not among its values"
                    if unknown
                    else f"has no branch for {missing[0]!r}"
                )
                raise SpaceError(f"{title} {wrong}: {list(chosen.values)}")
            built = {label: partial(_branch, branches[label], inputs) for label in chosen.values}
            return self._one_of(title, chosen.index, built)

    def pick(self, index: Any, tensors: Sequence[Tensor]) -> Any:
        """One of several tensors: the choice of an input.

        Args:
            index: a name, which makes a new variable; or a quantity from 0 on, or a condition
                (0 or 1), or a `Selection`, whose position counts.
            tensors: at least one, of as many dimensions and the same dtype. Of a tensor that is
                not there in some configurations (made in a `when` block), those that pick it then
                are refused.
        """
        with self._undone_on_error():
            title = f"pick '{index}'" if isinstance(index, str) else "pick"
            if not tensors:
                raise SpaceError(f"{title} has no tensors to choose from")
            if isinstance(index, str):
                at = self.choice(index, range(len(tensors)))
            else:
                at = index.index if isinstance(index, Selection) else index
            numbers = [self._own(tensor) for tensor in tensors]
            self._require_alike(title, [(str(i), tensor) for i, tensor in enumerate(tensors)])
            if not isinstance(at, int | np.integer | Quantity):
                raise SpaceError(f"{title}: an index is an integer or a quantity, got {at!r}")
            inside = both(at >= 0, at < len(tensors))
            if isinstance(inside, Quantity) and self.engine.is_wide(inside):
                self.engine.require(inside, f"{title}: the index is among {len(tensors)} tensors")
                at = minimum(maximum(at, 0), len(tensors) - 1)
            elif isinstance(inside, Quantity) or not inside:
                got = self.engine.describe(at) if isinstance(at, Quantity) else at
                raise SpaceError(
                    f"{title}: an index must be from 0 to {len(tensors) - 1} to choose among "
                    f"{len(tensors)} tensors, got {got}"
                )
            there: Any = 1
            for position, number in enumerate(numbers):
                is_there = self._presence_here(self._places[number])
                there = both(there, either(negation(at == position), is_there))
            if isinstance(there, Quantity) or not there:
                self.engine.require(there, f"{title}: the tensor that is picked is there")
            return self._merged(at, tensors)

    def repeat(self, times: Any, body: Callable[..., Any], *inputs: Any) -> Any:
        """A block that is repeated.

        Args:
            times: how often: an int or a quantity, not negative.
            body: ``body(i, *inputs)``: elastic depth; called for every i up to the greatest number
                of times, and iteration i is there where times > i. Or ``body(*inputs)``: identical
                blocks, called once and multiplied (twice where the first block changes the shape:
                the others must then keep it). Which of the two, its number of positional
                parameters decides. It returns as many tensors as it takes.
            inputs: what the first iteration reads.

        Returns:
            What the last iteration returns: `inputs` where there is none.

        Raises:
            SpaceError: the number of times can be negative, or the tensors of the iterations
                disagree.
        """
        if not inputs:
            raise SpaceError("a repeat has at least one input")
        times = getattr(times, "constant", None) or times
        if isinstance(times, np.integer):
            times = int(times)
        if not isinstance(times, int | Quantity) or isinstance(times, bool):
            raise SpaceError(f"a repeat takes an integer or a quantity of times, got {times!r}")
        for tensor in inputs:
            self._index(tensor)
        with self._undone_on_error():
            if _takes_index(body, len(inputs)):
                return self._unrolled(times, body, inputs)
            return self._multiplied(times, body, inputs)

    def _unrolled(self, times: Any, body: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
        counts = self.engine.values_of(times) if isinstance(times, Quantity) else [times]
        least, most = min(counts), max(counts)
        if least < 0 or most > MOST_UNROLLED:
            raise SpaceError(
                f"a repeat with an index is unrolled 0 to {MOST_UNROLLED:,} times, got "
                f"{least if least < 0 else most}"
            )
        current = tuple(inputs)
        ends = {0: current}
        place = self._place
        for iteration in range(most):
            label = f"iteration {iteration} of a repeat"
            with self._inside(times > iteration, label=label, outer=place):
                # What the iteration before made is there wherever this one is.
                place = self._place
                made = body(iteration, *current)
                current = _tensors(made, f"iteration {iteration} of a repeat")
                self._require_readable(current, label)
            if len(current) != len(inputs):
                raise SpaceError(
                    f"a repeat hands on {len(inputs)} tensors, but iteration {iteration} returns "
                    f"{len(current)}"
                )
            ends[iteration + 1] = current
        results = []
        for position in range(len(inputs)):
            lasts = [ends[count][position] for count in range(least, most + 1)]
            labels = [(f"{count} times", last) for count, last in enumerate(lasts, least)]
            self._require_alike("repeat", labels)
            if len(lasts) == 1:
                results.append(self._brought_out(lasts[0]))
            else:
                results.append(self._merged(times - least, lasts))
        return results[0] if len(results) == 1 else tuple(results)

    def _multiplied(self, times: Any, body: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
        is_possible = times >= 0
        if isinstance(is_possible, Quantity) and self.engine.is_wide(is_possible):
            # Where nothing else refuses a configuration with a negative number of blocks.
            self.engine.require(is_possible, "a repeat takes place 0 times or more")
        elif isinstance(is_possible, Quantity) or not is_possible:
            got = self.engine.describe(times) if isinstance(times, Quantity) else times
            raise SpaceError(f"a repeat takes place 0 times or more, got {got}")
        takes_place, is_repeated = times > 0, times > 1
        if not isinstance(takes_place, Quantity) and not takes_place:
            return inputs[0] if len(inputs) == 1 else tuple(inputs)
        mark, known = self._mark(), set(self._variables)
        blocks = self._blocks(times, body, inputs)
        if blocks is not None:
            return self._ended(times, inputs, blocks)
        # The first block changes the shape: it stands apart, and the others are multiplied. What
        # the block has kept of its variables stays good.
        self._undone |= {
            name: variable for name, variable in self._variables.items() if name not in known
        }
        self._go_back(mark)
        with self._inside(times > 0, label="a repeat"):
            first = _tensors(body(*inputs), "a block of a repeat")
            self._require_readable(first, "a block of a repeat")
            if isinstance(is_repeated, Quantity) or is_repeated:
                reusable, self._reusable = self._reusable, set(self._variables) - known
                try:
                    others = self._blocks(times - 1, body, first)
                finally:
                    self._reusable = reusable
                if others is None:
                    raise SpaceError(
                        "the blocks of a repeat are multiplied, but every one of them changes the "
                        "shape: take the index as the first parameter of the block, to unroll them"
                    )
                first = _several(self._ended(times - 1, first, others))
        return self._ended(times, inputs, first)

    def _blocks(
        self, times: Any, body: Callable[..., Any], inputs: Sequence[Tensor]
    ) -> tuple[Tensor, ...] | None:
        """Identical blocks; None if the block changes the shape."""
        with self._inside(times > 0, times=times, label="a block of a repeat") as region:
            # What a block reads goes by a name of its own: in the next one it is something else.
            read = [self._brought_out(tensor) for tensor in inputs]
            made = _tensors(body(*read), "a block of a repeat")
            self._require_readable(made, "a block of a repeat")
            if len(made) != len(inputs):
                raise SpaceError(
                    f"a repeat hands on {len(inputs)} tensors, but its block returns {len(made)}"
                )
        if not all(map(self._same_shape, read, made)):
            return None
        region.links.extend((a.index, b.index) for a, b in zip(read, made, strict=True))
        return made

    def _ended(self, times: Any, inputs: Sequence[Tensor], made: Sequence[Tensor]) -> Any:
        """What is read after a repeat that may take place 0 times."""
        any_time = times > 0
        results = []
        for before, after in zip(inputs, made, strict=True):
            if isinstance(any_time, Quantity):
                self._require_alike("repeat", [("0 times", before), ("once", after)])
                results.append(self._merged(as_condition(any_time), [before, after]))
            else:
                results.append(self._brought_out(after) if any_time else before)
        return results[0] if len(results) == 1 else tuple(results)

    def _same_shape(self, left: Tensor, right: Tensor) -> bool:
        a, b = self.engine.shape(left.index), self.engine.shape(right.index)
        return len(a) == len(b) and left.dtype == right.dtype and all(map(self.engine.same, a, b))

    # -- layers -----------------------------------------------------------------------------------

    def add(
        self,
        op: str,
        *inputs: Tensor,
        attributes: Mapping[str, object] | None = None,
        weights: Sequence[Tensor | None] | None = None,
        dtype: str | Sequence[str] | None = None,
        name: str = "",
        inplace: bool = False,
    ) -> tuple[Tensor, ...]:
        """Add a layer of any op, as `Graph.add` does; attributes may be quantities and choices.

        Where an attribute must be plain (a flag, a word, a number of layers) and is chosen, there
        is one layer for each of its values.

        Raises:
            LayerError: the rule refuses it in every configuration in which it is there.
            CountOverflowError: a count passes 64 bits in all of them.
            SpaceError: a quantity or tensor belongs to another space.
        """
        given = dict(attributes or {})
        varying = self._varying(op, given)
        if varying is None:
            outputs = super().add(
                op,
                *inputs,
                attributes=given,
                weights=weights,
                dtype=dtype,
                name=name,
                inplace=inplace,
            )
            for tensor in outputs:
                self._places[tensor.index] = self._place
            return outputs

        def with_value(value: Any) -> tuple[Tensor, ...]:
            # A list stands for its first entry that varies.
            plain = _replaced(given[key], found, value)
            return self.add(
                op,
                *inputs,
                attributes={**given, key: plain},
                weights=weights,
                dtype=dtype,
                name=name,
                inplace=inplace,
            )

        key, found, index, values = varying
        with self._undone_on_error():
            made = self._one_of(
                f"{op}: {key}", index, {value: partial(with_value, value) for value in values}
            )
        return _several(made)

    def _varying(self, op: str, given: dict[str, Any]) -> tuple[str, Any, Any, list[Any]] | None:
        """The first attribute that must be plain but is chosen: name, choice, index, values."""
        operation = OPERATIONS.get(op)
        specifications = operation.by_name if operation is not None else {}
        for key, value in given.items():
            kind = specifications[key].kind if key in specifications else "integer"
            must_be_plain = kind in ("flag", "choice", "text") or key in PLAIN_ATTRIBUTES
            for entry in value if isinstance(value, list | tuple) else (value,):
                if isinstance(entry, Selection):
                    return key, entry, entry.index, list(entry.values)
                if isinstance(entry, Rational):
                    raise SpaceError(
                        f"{op}: attribute '{key}' must be an integer, got {entry!r}: make one of "
                        "it with nl.floor, nl.ceil, nl.round_to or nl.make_divisible"
                    )
                if must_be_plain and isinstance(entry, Quantity):
                    numbers = self.engine.values_of(entry)
                    if len(numbers) > MOST_LAYERS:
                        raise SpaceError(
                            f"{op}: attribute '{key}' must be plain; there is one layer for each "
                            f"of its values, at most {MOST_LAYERS}, but it has {len(numbers)}"
                        )
                    index: Any = 0
                    for position, number in enumerate(numbers):
                        index = index + position * (entry == number)
                    is_flag = kind == "flag" and set(numbers) <= {0, 1}
                    return key, entry, index, [bool(n) if is_flag else n for n in numbers]
        return None

    # -- places -----------------------------------------------------------------------------------

    @contextmanager
    def _inside(
        self, condition: Any, *, times: Any = 1, label: str, outer: _Place | None = None
    ) -> Iterator[Any]:
        """What is added is in a place of its own."""
        holds = as_condition(condition)
        before = self._place
        # The engine counts from the place that is open; `outer` says what may be read.
        around = before if outer is None else outer
        with self._undone_on_error(), self.engine.region(holds, times) as region:
            self._place = _Place(around, label, holds, around.depth + 1)
            try:
                yield region
            finally:
                self._place = before

    def _tensor(self, kind: str, shape: tuple[Any, ...], *more: Any) -> Tensor:
        tensor = super()._tensor(kind, shape, *more)
        self._places[tensor.index] = self._place
        return tensor

    def _own(self, tensor: Any) -> int:
        """The number of a tensor of this space."""
        return super()._index(tensor)

    def _index(self, tensor: Tensor) -> int:
        number = self._own(tensor)
        place = self._places[number]
        if not place.holds(self._place):
            raise SpaceError(
                f"{tensor} is made in {place.label} and read outside of it: return it from there, "
                "or bring it out with pick"
            )
        return number

    def _require_readable(self, tensors: Sequence[Tensor], label: str) -> None:
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise SpaceError(f"{label} returns {tensor!r}, not a tensor")
            self._index(tensor)

    def _presence_here(self, place: _Place) -> Any:
        """Whether what is made in a place is there, wherever the current place is."""
        present: Any = 1
        inner: _Place | None = place
        while inner is not None and not inner.holds(self._place):
            present = both(present, inner.condition)
            inner = inner.outer
        return present

    def _one_of(self, title: str, index: Any, branches: Mapping[Any, Callable[[], Any]]) -> Any:
        """What one of several branches makes; `index` counts them."""
        if not isinstance(index, Quantity):
            made = list(branches.values())[index]()
            _tensors(made, title)
            return made
        built = []
        for position, (label, build) in enumerate(branches.items()):
            name = f"branch {label!r} of {title}"
            with self._inside(index == position, label=name):
                made = _tensors(build(), name)
                self._require_readable(made, name)
                built.append(made)
        labels = list(branches)
        counts = [len(made) for made in built]
        if len(set(counts)) > 1:
            other = next(i for i, count in enumerate(counts) if count != counts[0])
            raise SpaceError(
                f"{title}: branch {labels[0]!r} gives {counts[0]} tensors, but {labels[other]!r} "
                f"gives {counts[other]}"
            )
        results = []
        for tensors in zip(*built, strict=True):
            self._require_alike(title, list(zip(map(repr, labels), tensors, strict=True)))
            results.append(self._merged(index, tensors))
        return results[0] if len(results) == 1 else tuple(results)

    def _require_alike(self, title: str, tensors: Sequence[tuple[str, Tensor]]) -> None:
        """Tensors that are chosen among have as many dimensions and the same dtype."""
        (first, one), *others = tensors
        for label, other in others:
            if len(one.shape) != len(other.shape):
                raise SpaceError(
                    f"{title}: what is chosen among must have as many dimensions, but {first} "
                    f"has shape {one.shape} and {label} {other.shape}"
                )
            if one.dtype != other.dtype:
                raise SpaceError(
                    f"{title}: what is chosen among must have one dtype, but {first} has "
                    f"{one.dtype} and {label} {other.dtype}"
                )

    def _merged(self, index: Any, tensors: Sequence[Tensor]) -> Tensor:
        if not isinstance(index, Quantity | Choice):
            index, tensors = 0, [tensors[int(index)]]
        numbers = [self._own(tensor) for tensor in tensors]
        for number in numbers:
            if self.engine.kind(number) in ("parameter", "buffer"):
                raise SpaceError(
                    "parameters and buffers are not chosen among: choose among the layers that "
                    "read them"
                )
        merged = Tensor(self, self.engine.merge(index, numbers))
        self._places[merged.index] = self._place
        return merged

    def _brought_out(self, tensor: Tensor) -> Tensor:
        """The same tensor, readable here."""
        if self.engine.kind(tensor.index) in ("parameter", "buffer"):
            raise SpaceError("parameters and buffers are not handed on by a repeat")
        return self._merged(0, [tensor])

    # -- going back -------------------------------------------------------------------------------

    def _mark(self) -> tuple[Any, ...]:
        return self.engine.mark(), len(self._declared), self._place, self._requirements, self._scope

    def _go_back(self, mark: tuple[Any, ...]) -> None:
        """Forget what was added since the mark."""
        journal_mark, declared, self._place, self._requirements, self._scope = mark
        self.engine.cut_back(journal_mark)
        for name, _, _ in self._declared[declared:]:
            del self._variables[name]
        del self._declared[declared:]

    @contextmanager
    def _undone_on_error(self) -> Iterator[None]:
        """What fails leaves the space as it was, so that it can be tried again."""
        mark = self._mark()
        try:
            yield
        except BaseException:
            # From the outermost on, all is undone; what is inside another is undone with it.
            if mark[0].depth == 1:
                self._go_back(mark)
            raise

    # -- configurations ---------------------------------------------------------------------------

    @property
    def positions(self) -> int:
        """How many positions `enumerate` and `sweep_range` count."""
        return prod(size for _, size in self._plan(()).digits)

    @property
    def digits(self) -> tuple[tuple[tuple[str, ...], int], ...]:
        """The variables that are counted together, and how many combinations they have.

        What `pack` writes, and what an enumeration counts up: the last digit runs fastest.
        """
        variables = list(self._variables)
        return tuple(
            (tuple(variables[number] for number in numbers), size)
            for numbers, size in self._plan(()).digits
        )

    @property
    def size(self) -> int:
        """How many networks the space has: distinct configurations that nothing refuses.

        Raises:
            SpaceError: refusals depend on too many variables for an exact number.
        """
        if self._plan(()).exact_digits:
            return self.positions
        try:
            return self.count()
        except SpaceError as error:
            raise SpaceError(
                "the number of configurations is not known: what is refused, or active, depends on "
                "too many variables together; space.positions is an upper bound"
            ) from error

    def encode(self, config: Mapping[str, Any]) -> Codes:
        """A configuration by value as a row of codes.

        Args:
            config: the value of every variable that is active.

        Raises:
            SpaceError: a variable or value is unknown, or an active variable is missing.
        """
        if not isinstance(config, Mapping):
            raise SpaceError(
                f"a configuration is a row of codes or a mapping of values by name, got {config!r}"
            )
        columns, _ = self._columns({name: [value] for name, value in config.items()}, encoded=False)
        self._require_coded()
        row = np.array([columns[name][0] for name in self._variables], dtype=np.int64)
        return row.astype(self._code_dtype())

    def decode(self, row: Any, inactive: bool = False) -> Any:
        """A row of codes as the values of the variables.

        Args:
            row: a code for every variable.
            inactive: whether variables that do not exist in this configuration are listed too.

        Returns:
            Values by name.
        """
        self._require_coded()
        values, active = self._canonical_values(self._code_row(row))
        return {
            name: variable.values[code]
            for (name, variable), code, exists in zip(
                self._variables.items(), values, active, strict=True
            )
            if inactive or exists
        }

    def graph(self, config: Any) -> Graph:
        """The graph of one configuration, built layer by layer without variables.

        Args:
            config: a row of codes, or what `encode` takes: a mapping of values by name, or the
                notation of the authors of a published space.

        Raises:
            LayerError: a layer of this configuration is refused.
            CountOverflowError: a count passes 64 bits.
            SpaceError: a constraint is not met.
        """
        return Graph(self.engine.concrete(self._values_of(config)))

    def cost(
        self, config: Any, metrics: Sequence[str] = METRICS, conventions: Any = None
    ) -> dict[str, Any]:
        """What one configuration costs.

        Args:
            config: a code for every variable, as bytes, a tuple, a list or a 1-d array: the fast
                way; or what `encode` takes.
            metrics: what to count.
            conventions: as in `sweep`.

        Raises:
            LayerError: a layer of this configuration is refused.
            SpaceError: a constraint is not met.
        """
        kind = type(config)
        if conventions is None and self._plans_version == self.engine.version:
            count = self._costs.get(tuple(metrics))
            if count is not None and (kind is np.ndarray or kind is bytes or _is_row(config)):
                found: dict[str, Any] | None = count(config)
                if found is not None:
                    return found
        return self._cost(config, tuple(metrics), conventions)

    def _cost(self, config: Any, metrics: tuple[str, ...], conventions: Any) -> dict[str, Any]:
        names = self._named(metrics, conventions)
        plan = self._plan(tuple(dict.fromkeys(names.values())))
        if conventions is None and list(names) == list(names.values()):
            self._costs[metrics] = plan.cost
        config = self._as_row(config)
        if isinstance(config, Mapping):
            columns, _ = self._columns({name: [v] for name, v in config.items()}, encoded=False)
            counted, refusals = plan.sweep_values(columns)
            totals = {name: column[0].item() for name, column in counted.items()}
            found = None if refusals[0] else totals
        else:
            found = plan.cost(config)
        if found is None:
            self.graph(config)
            raise SpaceError("the totals of the configuration do not fit 64 bits")
        return {name: found[internal] for name, internal in names.items()}

    def pack(self, codes: Any) -> Packed:
        """Codes as one number per digit: smaller, and faster to count."""
        return Packed(self._plan(()).pack(self._matrix(codes)))

    def unpack(self, packed: Packed | Codes) -> Codes:
        """Packed codes as codes."""
        digits = packed.codes if isinstance(packed, Packed) else packed
        codes: Codes = self._plan(()).unpack(digits)
        return codes

    def canonical(self, codes: Any) -> Codes:
        """Codes with 0 for the variables that are not active."""
        canonical: Codes = self._plan(()).canonical(self._matrix(codes))
        return canonical

    def hash(self, codes: Any) -> npt.NDArray[np.uint64]:
        """A 64-bit number for every row, the same for each spelling of a configuration."""
        hashes: npt.NDArray[np.uint64] = self._plan(()).hash(self._matrix(codes))
        return hashes

    def unique(self, codes: Any) -> npt.NDArray[np.int64]:
        """The rows where each configuration stands for the first time, ascending."""
        rows: npt.NDArray[np.int64] = self._plan(()).unique(self._matrix(codes))
        return rows

    def enumerate(self, start: int = 0, stop: int | None = None) -> Codes:
        """The codes of a range of positions; the last digit runs fastest."""
        first, count = self._range(start, stop)
        codes: Codes = self._plan(()).enumerate(self._digits_at(first), count)
        return codes

    def random(self, n: int, seed: int = 0, law: str = "genes") -> Codes:
        """Random configurations: the same ones for the same seed, on every machine.

        Args:
            n: how many.
            seed: any integer.
            law: ``"genes"`` draws every variable from its values, inactive ones too;
                ``"architectures"`` makes every distinct network as likely as the others. Refused
                configurations are drawn anew by both.
        """
        codes: Codes = self._plan(()).random(_count("n", n), _seed(seed), law)
        return codes

    def mutate(self, codes: Any, rate: float | Mapping[str, float] = 0.1, seed: int = 0) -> Codes:
        """Configurations of which some variables are drawn anew.

        Args:
            codes: a matrix of codes; it stays as it is.
            rate: the probability that a variable is drawn anew (it may get the value it had); one
                for all, or by name (0 for those that are not named).
            seed: any integer.

        Returns:
            New codes; some of them may be refused, where the space has constraints.
        """
        if isinstance(rate, Mapping):
            for name in rate:
                self._variable(name)
            rates = [float(rate.get(name, 0.0)) for name in self._variables]
        else:
            rates = [float(rate)] * len(self._variables)
        for name, probability in zip(self._variables, rates, strict=True):
            if not 0.0 <= probability <= 1.0:
                raise SpaceError(f"the rate of '{name}' must be from 0 to 1, got {probability}")
        plan = self._plan(())
        known: dict[tuple[float, ...], Any] = {}
        tables = []
        for group in plan.groups:
            part = tuple(rates[variable] for variable in group)
            if part not in known:
                known[part] = mask_tables(part)
            tables.append(known[part])
        mutated: Codes = plan.mutate(self._matrix(codes), _seed(seed), tables)
        return mutated

    def crossover(self, a: Any, b: Any, seed: int = 0) -> Codes:
        """Children of pairs of rows: every variable from one of the two, either as likely."""
        children: Codes = self._plan(()).crossover(self._matrix(a), self._matrix(b), _seed(seed))
        return children

    # -- sweeps -----------------------------------------------------------------------------------

    def sweep(
        self,
        configs: Any,
        metrics: Sequence[str] | None = None,
        conventions: Any = None,
        *,
        encoded: bool = False,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> Costs:
        """What many configurations cost.

        Args:
            configs: a matrix of codes (uint8 or uint16, a row per configuration, a column per
                variable); or a mapping of columns by name, of values (a single value stands for
                all rows); or `Packed` codes.
            metrics: what to count, ``("params", "macs")`` if left out: any of the ledger's, those
                of `add_metric`, or ``"flops@ofa"`` for that of a convention.
            conventions: a convention, or its name, that says what the metrics mean; or a mapping
                from metrics to conventions. With one and without `metrics`, all it defines.
            encoded: whether the columns of a mapping are codes.
            threads: how many to run; left out, one for few configurations and all for many.
            progress: whether to show it (with tqdm); left out, only where it takes long and there
                is a terminal.

        Raises:
            SpaceError: a code, column, value or metric that does not exist.
            CountOverflowError: the totals of the space can pass 64 bits.
        """
        names = self._named(metrics, conventions)
        plan = self._plan(tuple(dict.fromkeys(names.values())))
        if isinstance(configs, Packed):
            count, run = len(configs), partial(plan.sweep_packed, configs.codes)
            at: Callable[[Any], Any] = lambda rows: plan.unpack(configs.codes[rows])  # noqa: E731
        elif isinstance(configs, Mapping):
            columns, count = self._columns(configs, encoded=encoded)
            run = partial(plan.sweep_values, columns)

            def at(rows: Any) -> Any:
                return np.array([columns[name][rows] for name in self._variables]).T

        else:
            codes = self._matrix(configs)
            count, run = len(codes), partial(plan.sweep, codes)

            def at(rows: Any) -> Any:
                return codes[rows]

        with shown_progress(count, progress) as shown:
            counted, refusals = run(chosen_threads(threads, count), shown)
        return Costs(
            {name: counted[internal] for name, internal in names.items()},
            refusals,
            self._reasons(at),
        )

    def sweep_range(
        self,
        start: int = 0,
        stop: int | None = None,
        metrics: Sequence[str] | None = None,
        conventions: Any = None,
        *,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> Sweep:
        """A range of positions, counted when something is asked of it.

        Args:
            start: the first position.
            stop: the position to stop before; left out, all.
            metrics, conventions, threads, progress: as in `sweep`.
        """
        first, count = self._range(start, stop)

        def source(plan: Any, skipped: int, count: int) -> Any:
            return plan.range_source(self._digits_at(first + skipped), count)

        def codes(plan: Any, positions: npt.NDArray[np.int64]) -> Codes:
            digits = [self._digits_at(first + int(position)) for position in positions]
            packed = np.array(digits, dtype=np.uint16).reshape(len(digits), len(plan.digits))
            found: Codes = plan.unpack(packed)
            return found

        return self._lazy(Origin(count, source, codes), metrics, conventions, threads, progress)

    def sweep_random(
        self,
        n: int,
        seed: int = 0,
        law: str = "genes",
        metrics: Sequence[str] | None = None,
        conventions: Any = None,
        *,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> Sweep:
        """The configurations that `random` makes, counted without being kept."""
        seed = _seed(seed)

        def source(plan: Any, skipped: int, count: int) -> Any:
            return plan.random_source(count, seed, law, skipped)

        def codes(plan: Any, positions: npt.NDArray[np.int64]) -> Codes:
            rows = [plan.random(1, seed, law, int(position)) for position in positions]
            return np.concatenate(rows) if rows else plan.random(0, seed, law, 0)

        origin = Origin(_count("n", n), source, codes)
        return self._lazy(origin, metrics, conventions, threads, progress)

    def over(
        self,
        configs: Any,
        metrics: Sequence[str] | None = None,
        conventions: Any = None,
        *,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> Sweep:
        """Given configurations (codes, packed codes or columns), for reductions over them."""
        if isinstance(configs, Packed):
            packed = configs.codes

            def source(plan: Any, skipped: int, count: int) -> Any:
                return plan.packed_source(packed[skipped : skipped + count])

            def codes(plan: Any, positions: npt.NDArray[np.int64]) -> Codes:
                found: Codes = plan.unpack(packed[positions])
                return found

            origin = Origin(len(packed), source, codes)
        else:
            if isinstance(configs, Mapping):
                columns, _ = self._columns(configs, encoded=False)
                self._require_coded()
                matrix = np.array([columns[name] for name in self._variables])
                rows = matrix.T.astype(self._code_dtype())
            else:
                rows = self._matrix(configs)

            def source(plan: Any, skipped: int, count: int) -> Any:
                return plan.codes_source(rows[skipped : skipped + count])

            def codes(plan: Any, positions: npt.NDArray[np.int64]) -> Codes:
                return rows[positions]

            origin = Origin(len(rows), source, codes)
        return self._lazy(origin, metrics, conventions, threads, progress)

    def _lazy(
        self,
        origin: Origin,
        metrics: Sequence[str] | None,
        conventions: Any,
        threads: int | None,
        progress: bool | None,
    ) -> Sweep:
        return Sweep(self, origin, self._named(metrics, conventions), threads, progress)

    def explain(self, metrics: Sequence[str] = METRICS, conventions: Any = None) -> Explanation:
        """What became of the space when it was compiled, for ``print``."""
        names = self._named(metrics, conventions)
        found = self._plan(tuple(dict.fromkeys(names.values()))).explain()
        variables = list(self._variables)

        def named(numbers: Sequence[int]) -> tuple[str, ...]:
            return tuple(variables[number] for number in numbers)

        for tables in ("factors", "tables"):
            if tables in found:
                found[tables] = [(named(numbers), size) for numbers, size in found[tables]]
        if "lane_variables" in found:
            found["lane_variables"] = named(found["lane_variables"])
        internal = {inner: name for name, inner in names.items()}
        found["metrics"] = list(names)
        if "bounds" in found:
            found["bounds"] = {internal[name]: limits for name, limits in found["bounds"].items()}
        if not any(isinstance(variable, Free) for variable in self._variables.values()):
            found["digits"] = self.digits
        return Explanation(found)

    # -- metrics ----------------------------------------------------------------------------------

    def add_metric(
        self,
        name: str,
        rule: Rule | Quantity | int | Sequence[Quantity | int] | None = None,
        *,
        table: Mapping[Any, Any] | None = None,
        per_layer: bool = False,
        real: bool = False,
    ) -> None:
        """Add a metric of one's own, to be counted as fast as the others.

        Args:
            name: its name.
            rule: a function of a layer (a `netledger.metrics.LayerView`) that returns what the
                layer adds; or the total as an int or a `Quantity`, or as several that are summed
                (which depend on fewer variables each, and are faster for it). A function is tried
                on quantities first; where it needs plain numbers it is called for every distinct
                layer that a configuration can have, and may return floats.
            table: measured costs by `LayerView.key`, in place of a rule.
            per_layer: whether to call the function with plain numbers from the start.
            real: whether the metric is of floats even if all values are ints.

        Raises:
            SpaceError: the name is taken, a layer is not in the table, or a layer depends on too
                many variables for a function of plain numbers.
        """
        if name in COLUMNS or name in self._metrics or "@" in name or not name:
            reason = "is taken" if name in COLUMNS or name in self._metrics else "is not possible"
            raise SpaceError(f"the name '{name}' of a metric {reason}")
        if (rule is None) == (table is None):
            raise SpaceError(f"metric '{name}' takes a rule or a table")
        self._define(name, _Metric(rule, table, per_layer or table is not None, real))

    def _define(self, name: str, metric: _Metric) -> None:
        self._resolve(name, metric)
        self._metrics[name] = metric

    def _resolve(self, name: str, metric: _Metric) -> None:
        """Find out what a metric adds, in the space as it is now."""
        journal = self.engine
        if metric.rule is None and metric.table is None:
            raise SpaceError(
                f"metric '{name}' was loaded as numbers, and the space has changed since: add it "
                "again"
            )
        if not callable(metric.rule) and metric.table is None:
            parts = metric.rule if isinstance(metric.rule, list | tuple) else [metric.rule]
            totals = [journal.encoded(user_metrics.total_cost(name, part)) for part in parts]
            metric.terms, metric.version = [(-1, total) for total in totals], journal.version
            return
        rule = metric.rule if metric.table is None else partial(_looked_up, metric.table, name)
        known: dict[Any, Any] = {}
        terms: list[tuple[Any, ...]] = []
        layers = list(self._layers(composites=getattr(rule, "composites", False)))
        costs: list[Any] = []
        for _, view in layers:
            by_values = metric.per_layer or metric.real
            costs.append(None if by_values else user_metrics.symbolic_cost(journal, view, rule))
        tabulated = {}
        if any(cost is None for cost in costs):
            for place, (index, view) in enumerate(layers):
                if costs[place] is None:
                    tabulated[place] = self._tabulated(name, index, view, rule, known)
            if not metric.real:
                metric.real = any(
                    isinstance(value, float | np.floating)
                    for _, values in tabulated.values()
                    for value in values
                )
        if metric.real:
            for place, (index, view) in enumerate(layers):
                if place not in tabulated:
                    tabulated[place] = self._tabulated(name, index, view, rule, known)
        for place, (index, _) in enumerate(layers):
            if place not in tabulated:
                terms.append((index, journal.encoded(costs[place])))
                continue
            position, values = tabulated[place]
            if metric.real:
                floats = [float(value) for value in values]
                terms.append((index, journal.encoded(position), floats))
            else:
                cost = journal.lookup(position, [int(value) for value in values])
                terms.append((index, journal.encoded(cost)))
        metric.terms, metric.version = terms, journal.version

    def _layers(self, *, composites: bool) -> Iterator[tuple[int, LayerView]]:
        """Every layer with its index, as rules see it; composites where their parts begin."""
        journal = self.engine
        if composites and self._origins is not None and not self._origins.is_whole:
            raise SpaceError(
                "this rule counts attention modules as a whole, which a space that was saved does "
                "not know: add its metric before saving, or trace the supernet again"
            )
        for index, composite, origin in origins_of_space(journal, self._origins):
            if composite is None:
                yield index, user_metrics.view_of(journal, index, origin)
            elif composites:
                path = journal.scope_at(composite.scope).path
                yield index, composite_view(composite, path, origin)

    def _tabulated(
        self, name: str, index: int, view: LayerView, rule: Rule, known: dict[Any, Any]
    ) -> tuple[Any, list[Any]]:
        outputs = self.engine.node(index).outputs
        place: _Place | None = self._places.get(outputs[0]) if outputs else None
        present: Any = 1
        while place is not None:
            present = both(present, place.condition)
            place = place.outer
        return user_metrics.tabulated_costs(self.engine, index, view, present, rule, name, known)

    def _named(self, metrics: Sequence[str] | None, conventions: Any) -> dict[str, str]:
        """The engine's name of every metric that is asked for."""
        if isinstance(metrics, str):
            metrics = (metrics,)
        of_all = None
        by_metric: Mapping[str, Any] = {}
        if isinstance(conventions, Mapping):
            by_metric = conventions
        elif conventions is not None:
            of_all = convention_of(conventions)
        if metrics is None:
            metrics = METRICS if of_all is None else tuple(of_all.rules)
        names = {}
        for metric in metrics:
            base, _, spelled = str(metric).partition("@")
            chosen = spelled or by_metric.get(metric)
            convention = of_all if not chosen else convention_of(chosen)
            if convention is None or base in self._metrics:
                if base not in COLUMNS and base not in self._metrics:
                    known = ", ".join([*COLUMNS, *(m for m in self._metrics if "@" not in m)])
                    raise SpaceError(f"unknown metric '{metric}'; there are {known}")
                names[metric] = base
            else:
                names[metric] = self._conventional(base, convention)
        return names

    def _conventional(self, metric: str, convention: Convention) -> str:
        rule = convention.rules.get(metric)
        if rule is None:
            raise SpaceError(
                f"convention '{convention.name}' does not define '{metric}'; it defines "
                f"{', '.join(convention.rules)}"
            )
        if isinstance(rule, str):
            return rule
        internal = f"{metric}@{convention.name}"
        known = self._metrics.get(internal)
        if known is None or known.rule is not rule:
            self._define(internal, _Metric(rule))
            if known is not None:
                self._plans_version = -1
        return internal

    # -- inside -----------------------------------------------------------------------------------

    def _plan(self, metrics: tuple[str, ...]) -> Any:
        """What counts some metrics in the space as it is now."""
        if self._plans_version != self.engine.version:
            self._plans, self._costs, self._kept = {}, {}, Kept()
            self._plans_version = self.engine.version
        plan = self._plans.get(metrics)
        if plan is None:
            for name in metrics:
                metric = self._metrics.get(name)
                if metric is not None:
                    if metric.version != self.engine.version:
                        self._resolve(name, metric)
                    self.engine.define(name, metric.terms or [], real=metric.real)
            # A rule may look at a size for the first time, which is no change of the space.
            self._plans_version = self.engine.version
            plan = self._plans[metrics] = self.engine.target.compile(list(metrics))
        return plan

    def _reasons(self, configs: Callable[[Any], Any]) -> Callable[[int, int], str]:
        """What tells why a row is refused."""

        def reason(row: int, refusal: int) -> str:
            try:
                self.graph(np.asarray(configs([row]))[0])
            except NetledgerError as error:
                return str(error)
            steps = self.engine.target.steps
            if refusal == _NOT_CANONICAL:
                return "another spelling of a configuration that is counted elsewhere"
            if refusal <= len(steps):
                return str(steps[refusal - 1])
            return "a total does not fit 64 bits"

        return reason

    def _code_dtype(self) -> Any:
        sizes = [len(values) for _, kind, values in self._declared if kind != "free"]
        return np.uint8 if max(sizes, default=1) <= 256 else np.uint16

    def _require_coded(self) -> None:
        for name, kind, _ in self._declared:
            if kind == "free":
                raise SpaceError(
                    f"variable '{name}' is free: it has values, not codes; give columns by name"
                )

    def _variable(self, name: Any) -> Any:
        if name not in self._variables:
            known = ", ".join(self._variables) or "none"
            raise SpaceError(f"unknown variable {name!r}; the space has {known}")
        return self._variables[name]

    def _matrix(self, codes: Any) -> Codes:
        """Codes as the engine takes them."""
        if isinstance(codes, np.ndarray):
            # In the byte order of the machine.
            return codes if codes.dtype.isnative else codes.astype(codes.dtype.newbyteorder("="))
        if isinstance(codes, Packed | Mapping):
            raise SpaceError(f"codes are a matrix, got {type(codes).__name__}")
        matrix = np.asarray(codes)
        if matrix.size == 0:
            rows = len(matrix) if matrix.ndim == 2 else 0
            return np.zeros((rows, len(self._declared)), dtype=self._code_dtype())
        if matrix.dtype.kind not in "iu":
            raise SpaceError(f"codes are integers, got {matrix.dtype}")
        if matrix.ndim == 2:
            self._require_codes(matrix)
        return matrix.astype(np.uint16)

    def _require_codes(self, matrix: Codes) -> None:
        sizes = [len(values) for _, kind, values in self._declared if kind != "free"]
        if matrix.shape[1] != len(sizes):
            return
        outside = np.argwhere((matrix < 0) | (matrix >= np.array(sizes)))
        if len(outside):
            row, column = (int(entry) for entry in outside[0])
            name = list(self._variables)[column]
            raise SpaceError(_outside(row, name, sizes[column], int(matrix[row, column])))

    def _code_row(self, row: Any) -> list[int]:
        codes = np.asarray(list(row) if isinstance(row, bytes) else row)
        if codes.ndim != 1:
            raise SpaceError(f"one configuration is one row of codes, got {codes.ndim} dimensions")
        if len(codes) != len(self._declared):
            raise SpaceError(f"codes have {len(codes)} columns; expected {len(self._declared)}")
        if len(codes) and codes.dtype.kind not in "iu":
            raise SpaceError(f"codes are integers, got {codes.dtype}")
        self._require_codes(codes[None, :])
        return [int(code) for code in codes]

    def _canonical_values(self, values: Sequence[int]) -> tuple[list[int], list[bool]]:
        """Values of the variables, 0 for inactive ones; and which are active."""
        canonical = list(values)
        active = []
        target = self.engine.target
        for number, variable in enumerate(target.variables):
            exists = True
            if isinstance(variable.condition, Quantity):
                codes, free = self._split(canonical)
                (found,) = target.evaluate([variable.condition], codes, free)
                exists = found[0] not in (0, NO_VALUE)
            elif not variable.condition:
                exists = False
            active.append(exists)
            if not exists:
                canonical[number] = 0
        return canonical, active

    def _split(self, values: Sequence[int]) -> tuple[Codes, npt.NDArray[np.int64] | None]:
        """One configuration as codes and free values."""
        kinds = [kind for _, kind, _ in self._declared]
        codes = [v for v, kind in zip(values, kinds, strict=True) if kind != "free"]
        free = [v for v, kind in zip(values, kinds, strict=True) if kind == "free"]
        return (
            np.array([codes], dtype=np.uint16),
            np.array([free], dtype=np.int64) if free else None,
        )

    def _as_row(self, config: Any) -> Any:
        """A configuration in the notation of `encode` as a row; a row as it is."""
        if _is_row(config):
            return config
        is_free = any(kind == "free" for _, kind, _ in self._declared)
        if isinstance(config, Mapping) and is_free:
            return config
        return self.encode(config)

    def _values_of(self, config: Any) -> list[int]:
        """The canonical values of the variables of one configuration."""
        config = self._as_row(config)
        if isinstance(config, Mapping):
            columns, _ = self._columns({name: [v] for name, v in config.items()}, encoded=False)
            values = [int(columns[name][0]) for name in self._variables]
        else:
            row = np.asarray(list(config) if isinstance(config, bytes) else config)
            is_coded = all(kind != "free" for _, kind, _ in self._declared)
            if is_coded or row.shape != (len(self._declared),):
                self._require_coded()
                values = self._code_row(config)
            else:
                # A row of `sweep`'s columns: codes, and the values of free sizes.
                values = [int(value) for value in row]
        return self._canonical_values(values)[0]

    def _columns(
        self, configs: Mapping[str, Any], *, encoded: bool
    ) -> tuple[dict[str, npt.NDArray[np.int64]], int]:
        """Columns of codes and free values for every variable, from columns by name."""
        for name in configs:
            self._variable(name)
        lists = {name: _column(values) for name, values in configs.items()}
        lengths = {name: len(values) for name, values in lists.items() if values is not None}
        count = next(iter(lengths.values()), 1)
        for name, length in lengths.items():
            if length != count:
                first = next(iter(lengths))
                raise SpaceError(
                    f"columns are of one length, but '{first}' has {count} rows and '{name}' "
                    f"{length}"
                )
        columns = {}
        missing: dict[str, npt.NDArray[np.bool_]] = {}
        for name, (_, kind, _) in zip(self._variables, self._declared, strict=True):
            if name not in configs:
                if kind == "free":
                    raise SpaceError(f"there is no column for the free size '{name}'")
                columns[name] = np.zeros(count, dtype=np.int64)
                missing[name] = np.ones(count, dtype=bool)
                continue
            listed = lists[name]
            values = [configs[name]] * count if listed is None else listed
            if kind == "free" or encoded:
                columns[name] = _integers(name, values)
            else:
                columns[name], absent = _codes_of(self._variables[name], name, values)
                if absent.any():
                    missing[name] = absent
        if encoded:
            for name, (_, kind, known) in zip(self._variables, self._declared, strict=True):
                outside = np.flatnonzero((columns[name] < 0) | (columns[name] >= len(known)))
                if kind != "free" and len(outside):
                    code = columns[name][outside[0]]
                    raise SpaceError(_outside(outside[0], name, len(known), code))
        if missing:
            self._require_inactive(columns, missing, count)
        return columns, count

    def _require_inactive(
        self,
        columns: Mapping[str, npt.NDArray[np.int64]],
        missing: Mapping[str, npt.NDArray[np.bool_]],
        count: int,
    ) -> None:
        """Variables that have no value must not exist in the configuration."""
        target = self.engine.target
        conditions = {
            variable.name: variable.condition
            for variable in target.variables
            if variable.name in missing
        }
        kinds = {name: kind for name, kind, _ in self._declared}
        coded = [columns[name] for name in self._variables if kinds[name] != "free"]
        free = [columns[name] for name in self._variables if kinds[name] == "free"]
        asked = [c for c in conditions.values() if isinstance(c, Quantity)]
        matrix = np.array(coded, dtype=np.int64).reshape(len(coded), count).T.astype(np.uint16)
        found = iter(
            target.evaluate(asked, matrix, np.array(free, dtype=np.int64).T if free else None)
            if asked
            else []
        )
        for name, condition in conditions.items():
            if isinstance(condition, Quantity):
                column = next(found)
                exists = (column != 0) & (column != NO_VALUE)
            else:
                exists = np.full(count, bool(condition))
            wrong = np.flatnonzero(exists & missing[name])
            if len(wrong):
                raise SpaceError(f"row {wrong[0]}: variable '{name}' is active but has no value")

    def _range(self, start: int, stop: int | None) -> tuple[int, int]:
        positions = self.positions
        stop = positions if stop is None else stop
        if not 0 <= start <= stop <= positions:
            raise SpaceError(
                f"the range {start} to {stop} does not lie within the {positions} positions"
            )
        if stop - start > 2**63 - 1:
            raise SpaceError(
                f"a range has at most 2**63 - 1 positions, but there are {stop - start}: give "
                "start and stop"
            )
        return start, stop - start

    def _digits_at(self, position: int) -> list[int]:
        digits = []
        for _, size in reversed(self._plan(()).digits):
            position, digit = divmod(position, size or 1)
            digits.append(digit)
        return digits[::-1]

    # -- pickling ---------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        metrics = {}
        for name, metric in self._metrics.items():
            if metric.version != self.engine.version:
                self._resolve(name, metric)
            metrics[name] = (metric.real, metric.terms)
        return {
            "version": 1,
            "journal": self.engine.saved(),
            "variables": self._declared,
            "metrics": metrics,
            "origins": self._origins and self._origins.without_code(),
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        if state["version"] != 1:
            raise SpaceError(f"a space of version {state['version']} cannot be loaded")
        super().__init__(Journal.restored(state["journal"]))
        self._reset()
        self._origins = state.get("origins")
        self._declared = list(state["variables"])
        for (name, kind, values), code in zip(self._declared, self.engine.codes, strict=True):
            self._variables[name] = self._as_variable(name, kind, values, code)
        for name, (real, terms) in state["metrics"].items():
            self._metrics[name] = _Metric(None, real=real, terms=terms, version=self.engine.version)

    def __repr__(self) -> str:
        return f"Space({len(self._variables)} variables, {len(self)} layers)"


_NOT_CANONICAL = 0xFFFFFFFF


def _value(value: Any) -> Any:
    """A value of a choice: numpy's numbers as Python's, lists as tuples."""
    if isinstance(value, np.generic):
        return value.item()
    return tuple(map(_value, value)) if isinstance(value, list) else value


def _branch(branch: Any, inputs: tuple[Any, ...]) -> Any:
    return branch if isinstance(branch, Tensor) else branch(*inputs)


def _tensors(made: Any, label: str) -> tuple[Tensor, ...]:
    """What a function returned, as a tuple of tensors."""
    several = tuple(made) if isinstance(made, list | tuple) else (made,)
    for tensor in several:
        if not isinstance(tensor, Tensor):
            raise SpaceError(f"{label} returns {tensor!r}, not a tensor")
    if not several:
        raise SpaceError(f"{label} returns no tensor")
    return several


def _several(made: Made) -> tuple[Tensor, ...]:
    return (made,) if isinstance(made, Tensor) else tuple(made)


def _replaced(value: Any, found: Any, plain: Any) -> Any:
    """An attribute with a plain value where a choice stood."""
    if value is found:
        return plain
    entries = [plain if entry is found else entry for entry in value]
    return tuple(entries)


def _takes_index(body: Callable[..., Any], inputs: int) -> bool:
    """Whether a block takes the number of the iteration, by its positional parameters."""
    try:
        parameters = inspect.signature(body).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        and parameter.default is parameter.empty
    ]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return len(positional) == 1
    return len(positional) == inputs + 1


def _looked_up(table: Mapping[Any, Any], metric: str, view: LayerView) -> Any:
    if view.key not in table:
        raise SpaceError(f"metric '{metric}': its table has no entry for {view.key}")
    return table[view.key]


def _outside(row: int, name: str, size: int, code: int) -> str:
    """What is said of a code that a variable has not."""
    return f"row {row}: variable '{name}' has {size} choices, coded 0 to {size - 1}; got {code}"


def _count(name: str, count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
        raise SpaceError(f"{name} must be an integer that is not negative, got {count!r}")
    return int(count)


def _seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise SpaceError(f"seed must be an integer, got {seed!r}")
    return int(seed) % 2**64


def _column(values: Any) -> Any:
    """A column as a list or an array; None for a single value that stands for all rows."""
    if isinstance(values, np.ndarray):
        return values if values.ndim else None
    if isinstance(values, list | tuple | range):
        return values
    if isinstance(values, str | bytes) or not hasattr(values, "__array__"):
        return None
    return np.asarray(values)


def _integers(name: str, values: Any) -> npt.NDArray[np.int64]:
    """A column of integers."""
    column = np.asarray(values)
    if column.size == 0:
        return np.zeros(0, dtype=np.int64)
    if column.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(column) | (column != np.floor(column)))
        if len(wrong):
            raise SpaceError(f"row {wrong[0]}: '{name}' must be an integer, got {column[wrong[0]]}")
    elif column.dtype.kind not in "iu" or column.ndim != 1:
        raise SpaceError(f"'{name}' must be a column of integers, got {column.dtype}")
    return column.astype(np.int64)


def _codes_of(
    variable: Any, name: str, values: Any
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The codes of a column of values, and which rows have none (None in a list)."""
    known = variable.values
    is_numeric = all(type(value) in (int, float) for value in known)
    if is_numeric and isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        return _codes_of_numbers(variable, name, values), np.zeros(len(values), dtype=bool)
    codes = {value: code for code, value in enumerate(known)}
    found = np.zeros(len(values), dtype=np.int64)
    absent = np.zeros(len(values), dtype=bool)
    for row, value in enumerate(map(_value, values)):
        try:
            code = codes.get(value)
        except TypeError:
            code = None
        if code is not None and isinstance(value, bool) == isinstance(known[code], bool):
            found[row] = code
        elif value is None:
            absent[row] = True
        else:
            raise _unknown_value(variable, name, row, value)
    return found, absent


def _codes_of_numbers(variable: Any, name: str, values: Codes) -> npt.NDArray[np.int64]:
    numbers = np.array(variable.values)
    order = np.argsort(numbers)
    places = np.minimum(np.searchsorted(numbers[order], values), len(numbers) - 1)
    codes = order[places]
    wrong = np.flatnonzero(numbers[codes] != values)
    if len(wrong):
        raise _unknown_value(variable, name, int(wrong[0]), values[wrong[0]].item())
    return codes.astype(np.int64)


def _unknown_value(variable: Any, name: str, row: int, value: Any) -> SpaceError:
    known = variable.values
    listed = ", ".join(map(repr, known[:20])) + (", ..." if len(known) > 20 else "")
    return SpaceError(f"row {row}: {value!r} is not among the values of '{name}': {listed}")
