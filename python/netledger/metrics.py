"""Metrics of one's own: what each layer costs, by a rule over quantities or in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from netledger._implementation import evaluate_layer
from netledger._origin import Origin
from netledger.errors import CountOverflowError, LayerError, SpaceError
from netledger.quantity import Quantity, Rational

if TYPE_CHECKING:
    from netledger._journal import Journal
    from netledger._results import Node

__all__ = ["LayerView", "Rule"]

#: A layer is evaluated by a Python rule for at most so many combinations of choices.
MOST_COMBINATIONS = 65_536


@dataclass(frozen=True, eq=False)
class LayerView:
    """One layer, as a rule of a metric sees it. Numbers are ints, or quantities of the space.

    Attributes:
        op: kind of the layer, as ``"conv2d"``.
        name: its name: its own, else the path of its module, else "".
        attributes: its attributes by torch's names, defaults filled in.
        inputs: shapes of what it reads.
        outputs: shapes of what it makes.
        params: elements of its own parameters; explicit and shared ones are left aside.
        trainable_params: those among them that are trained.
        buffers: elements of its own buffers.
        macs: multiply-accumulates of contractions, bias left aside.
        flops: scalar arithmetic operations, in the ``textbook`` convention.
        activations: output elements, of contractions only.
        output_elements: output elements.
        memory_access: elements read and written, weights included.
        memory_access_bytes: the same in bytes.
        held: `held_params`, or a function that gives them.
        origin: where it came from: whether a module, a function or an operator made it, which call
            of a shared module it is.
    """

    op: str
    name: str
    attributes: Mapping[str, Any]
    inputs: tuple[tuple[Any, ...], ...]
    outputs: tuple[tuple[Any, ...], ...]
    params: Any
    trainable_params: Any
    buffers: Any
    macs: Any
    flops: Any
    activations: Any
    output_elements: Any
    memory_access: Any
    memory_access_bytes: Any
    held: Any = 0
    origin: Origin = Origin()  # noqa: RUF009 - it is frozen

    @property
    def held_params(self) -> Any:
        """Elements of all parameters it reads, explicit and shared ones too."""
        return self.held() if callable(self.held) else self.held

    @property
    def key(self) -> tuple[Any, ...]:
        """What a table of measured layers is keyed by: (op, input shapes, attributes).

        The attributes are (name, value) pairs in alphabetical order.
        """
        return self.op, self.inputs, tuple(sorted(self.attributes.items()))


#: What a metric is of a layer.
Rule: TypeAlias = Callable[[LayerView], Any]

#: What a metric adds: layer, cost; or layer, index, values.
Terms: TypeAlias = list[tuple[int, Any]]
RealTerms: TypeAlias = list[tuple[int, Any, list[float]]]


def view_of(journal: Journal, index: int, origin: Origin) -> LayerView:
    """A layer of a space."""
    node = journal.node(index)
    account = journal.account(index)
    return LayerView(
        op=node.op,
        name=node.name or journal.scope_at(node.scope).path,
        attributes=node.attributes,
        inputs=tuple(map(journal.shape, node.inputs)),
        outputs=tuple(map(journal.shape, node.outputs)),
        params=account["params"],
        trainable_params=account["trainable_params"],
        buffers=account["buffers"],
        macs=account["macs"],
        flops=account["flops"],
        activations=account["activations"],
        output_elements=account["outputs"],
        memory_access=account["memory_access"],
        memory_access_bytes=account["memory_access_bytes"],
        held=partial(_held, journal, node, account["params"]),
        origin=origin,
    )


def _held(journal: Journal, node: Node, own: Any) -> Any:
    explicit = (weight for weight in node.weights if weight is not None)
    return own + sum(
        prod(journal.shape(weight)) for weight in explicit if journal.kind(weight) == "parameter"
    )


def symbolic_cost(journal: Journal, view: LayerView, rule: Rule) -> Any:
    """What a rule gives over quantities; None if it needs values, or gives a real number."""
    journal.values_are_needed = True
    try:
        cost = rule(view)
    except (TypeError, SpaceError):
        return None
    finally:
        journal.values_are_needed = False
    if isinstance(cost, Quantity):
        return cost
    if isinstance(cost, bool | np.bool_ | int | np.integer):
        return int(cost)
    return None


def tabulated_costs(
    journal: Journal,
    index: int,
    view: LayerView,
    present: Any,
    rule: Rule,
    metric: str,
    known: dict[Any, Any],
) -> tuple[Any, list[Any]]:
    """A rule of concrete layers, for every combination of what the layer depends on.

    Args:
        journal: what the space is made of.
        index: the layer's number.
        view: the layer.
        present: where the layer is there.
        rule: what it costs.
        metric: the metric's name.
        known: costs of layers that have been evaluated.

    Returns:
        An index and the costs by index; 0 where the layer is refused or absent.
    """
    node = journal.node(index)
    flat, rebuild = _flattened(view)
    table = journal.tabulated([*flat, present], MOST_COMBINATIONS)
    if table is None:
        found = journal.tabulated(flat, MOST_COMBINATIONS)
        if found is None:
            raise SpaceError(
                f"metric '{metric}': layer '{view.name or node.index}' ({view.op}) depends on a "
                f"free size, or on more than {MOST_COMBINATIONS:,} combinations of choices, and "
                "its rule needs plain integers: write the rule over quantities"
            )
        support, columns = found
        columns = [*columns, np.ones(len(columns[0]), dtype=np.int64)]
    else:
        support, columns = table
    distinct, places = np.unique(np.array(columns), axis=1, return_inverse=True)
    found_costs: list[Any] = []
    for *sizes, there in distinct.T.tolist():
        concrete = rebuild(sizes)
        key = (concrete.key, concrete.name)
        if not there:
            found_costs.append(0)
            continue
        if key not in known:
            known[key] = _checked(rule(concrete), metric, concrete) if _is_accepted(concrete) else 0
        found_costs.append(known[key])
    costs = [found_costs[place] for place in places.ravel().tolist()]
    variables = journal.target.variables
    position: Any = 0
    for number in support:
        position = position * variables[number].size + journal.codes[number]
    return position, costs


_COUNTS = (
    "params",
    "trainable_params",
    "buffers",
    "macs",
    "flops",
    "activations",
    "output_elements",
    "memory_access",
    "memory_access_bytes",
)


def _flattened(view: LayerView) -> tuple[list[Any], Callable[[Sequence[int]], LayerView]]:
    """The numbers of a view that may be quantities, and the view with others in their place."""
    flat: list[Any] = []

    def place(value: Any) -> Any:
        if isinstance(value, Quantity):
            flat.append(value)
            return len(flat) - 1, True
        if isinstance(value, tuple):
            return tuple(map(place, value)), None
        return value, False

    def filled(placed: Any, numbers: Sequence[int]) -> Any:
        value, is_number = placed
        if is_number is None:
            return tuple(filled(entry, numbers) for entry in value)
        return numbers[value] if is_number else value

    attributes = {name: place(value) for name, value in view.attributes.items()}
    inputs, outputs = place(view.inputs), place(view.outputs)
    counts = {name: place(getattr(view, name)) for name in _COUNTS}
    held = place(view.held_params)

    def rebuild(numbers: Sequence[int]) -> LayerView:
        return LayerView(
            op=view.op,
            name=view.name,
            attributes={name: filled(value, numbers) for name, value in attributes.items()},
            inputs=filled(inputs, numbers),
            outputs=filled(outputs, numbers),
            held=filled(held, numbers),
            origin=view.origin,
            **{name: filled(value, numbers) for name, value in counts.items()},
        )

    return flat, rebuild


def _checked(cost: Any, metric: str, view: LayerView) -> Any:
    if not isinstance(cost, int | float | np.integer | np.floating):
        raise SpaceError(
            f"metric '{metric}': its rule gives {cost!r} for {view.op} of {view.inputs}, not a "
            "number"
        )
    return cost


def _is_accepted(view: LayerView) -> bool:
    """Whether the layer's rule accepts its sizes."""
    if view.origin.kind == "composite":
        return True
    try:
        evaluate_layer(view.op, view.inputs, view.attributes)
    except (LayerError, CountOverflowError):
        return False
    return True


def total_cost(metric: str, cost: Any) -> Any:
    """A total as it may be: an int or a quantity."""
    if isinstance(cost, Rational | float):
        raise SpaceError(
            f"metric '{metric}': a total is an integer or a Quantity, got {cost!r}; use nl.floor, "
            "nl.ceil or nl.round_to"
        )
    if not isinstance(cost, int | np.integer | Quantity):
        raise SpaceError(f"metric '{metric}': expected an integer or a Quantity, got {cost!r}")
    return cost
