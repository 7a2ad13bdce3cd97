"""What a formula returns, and the frame that every formula stands in."""

from __future__ import annotations

import functools
import inspect
import operator
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal, NoReturn, ParamSpec

import numpy as np

from netledger._results import Cost
from netledger.errors import CountOverflowError, LayerError

Shape = tuple[int, ...]
#: One integer for every spatial dimension, or one per dimension.
Sizes = int | Sequence[int]
#: Numbers, or one of these words.
Padding = int | Sequence[int] | Literal["same", "valid"]

#: Counts are 64-bit in the columns of both implementations; the core keeps its lowest 2**32 values
#: for references to expressions.
LARGEST = 2**63 - 1
LOWEST = -(2**63) + 2**32


class Refusal(ValueError):
    """The sentence of a rule that a layer breaks, before the layer's name is known."""


@dataclass(frozen=True)
class Weight:
    """A tensor that a layer owns: a trained parameter or a buffer."""

    shape: Shape
    kind: Literal["parameter", "buffer"] = "parameter"
    #: Whether inference reads it: it is then part of the traffic.
    read: bool = True


@dataclass(frozen=True)
class Layer:
    """What one layer gives and costs.

    Attributes:
        shapes: the shapes of the outputs.
        weights: the tensors the layer owns, in torch's order.
        macs: multiply-accumulates of contractions.
        flops: scalar arithmetic operations.
        input_reads: elements read from the first input, where that is not all of them.
        weight_reads: elements read from the first weight, where that is not all of them.
    """

    shapes: tuple[Shape, ...]
    weights: tuple[Weight, ...] = ()
    macs: int = 0
    flops: int = 0
    input_reads: int | None = None
    weight_reads: int | None = None


@dataclass(frozen=True)
class Attribute:
    """One attribute that an op accepts."""

    name: str
    kind: Literal["integer", "integers", "flag", "choice", "text"]
    default: object = inspect.Parameter.empty
    choices: tuple[str, ...] = ()

    @property
    def default_or_required(self) -> object:
        """The default, or the word that says there is none."""
        return "required" if self.default is inspect.Parameter.empty else self.default


@dataclass(frozen=True)
class Operation:
    """A kind of layer: its rule and what the rule accepts."""

    name: str
    family: str
    rule: Callable[..., Layer]
    attributes: tuple[Attribute, ...] = ()
    minimum_inputs: int = 1
    maximum_inputs: int | None = 1
    contraction: bool = False
    view: bool = False
    by_name: Mapping[str, Attribute] = field(default_factory=dict)


OPERATIONS: dict[str, Operation] = {}

_P = ParamSpec("_P")


def operation(
    *, contraction: bool = False, view: bool = False, minimum_inputs: int | None = None
) -> Callable[[Callable[_P, Layer]], Callable[_P, Cost]]:
    """Enter a rule in the book of operations under its own name.

    The positional-only arguments of the rule are the shapes of the inputs (one with a default may
    be left out, a starred one takes any number, from 1 or `minimum_inputs`); the others are the
    attributes.
    """

    def enter(rule: Callable[_P, Layer]) -> Callable[_P, Cost]:
        found = describe(rule, contraction=contraction, view=view)
        if minimum_inputs is not None:
            found = replace(found, minimum_inputs=minimum_inputs)
        OPERATIONS[found.name] = found
        signature = inspect.signature(rule)

        @functools.wraps(rule)
        def formula(*args: Any, **kwargs: Any) -> Cost:
            inputs, attributes = arguments_of(signature, args, kwargs)
            return evaluate_arrays(found, inputs, attributes)

        return typing.cast("Callable[_P, Cost]", formula)

    return enter


def describe(rule: Callable[..., Layer], *, contraction: bool, view: bool) -> Operation:
    """Read an operation off the signature of its rule."""
    hints = typing.get_type_hints(rule)
    attributes = []
    minimum, maximum = 0, 0
    unbounded = False
    for name, parameter in inspect.signature(rule).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            unbounded = True
            minimum = max(minimum, 1)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            maximum += 1
            minimum += parameter.default is parameter.empty
        else:
            attributes.append(_attribute(name, hints[name], parameter.default))
    return Operation(
        name=rule.__name__,
        family=rule.__module__.rsplit(".", 1)[-1],
        rule=rule,
        attributes=tuple(attributes),
        minimum_inputs=minimum,
        maximum_inputs=None if unbounded else maximum,
        contraction=contraction,
        view=view,
        by_name={attribute.name: attribute for attribute in attributes},
    )


def _attribute(name: str, hint: Any, default: object) -> Attribute:
    members = typing.get_args(hint) if typing.get_origin(hint) is not Literal else (hint,)
    parts = [part for part in (members or (hint,)) if part is not type(None)]
    words = tuple(
        word
        for part in parts
        if typing.get_origin(part) is Literal
        for word in typing.get_args(part)
    )
    if any(
        typing.get_origin(part) in (Sequence, tuple, list)
        or getattr(typing.get_origin(part), "__name__", "") == "Sequence"
        for part in parts
    ):
        return Attribute(name, "integers", default, words)
    if words:
        return Attribute(name, "choice", default, words)
    if parts == [bool]:
        return Attribute(name, "flag", default)
    if parts == [int]:
        return Attribute(name, "integer", default)
    if parts == [str]:
        return Attribute(name, "text", default)
    raise TypeError(f"attribute {name} has a type that no kind stands for: {hint}")


def refuse(text: str) -> NoReturn:
    """Refuse a layer, with the sentence of the rule."""
    raise Refusal(text)


def require(condition: bool, text: str) -> None:
    """Refuse a layer unless the condition holds."""
    if not condition:
        raise Refusal(text)


def fits(*values: int) -> None:
    """Raise if a count does not fit the 64-bit columns."""
    for value in values:
        if not LOWEST <= value <= LARGEST:
            raise OverflowError("a count does not fit a 64-bit integer")


def elements(shape: Shape) -> int:
    """Number of elements of a tensor."""
    return prod(shape)


def sequence(values: Sizes) -> tuple[int, ...]:
    """A single integer as a sequence of one."""
    return (values,) if isinstance(values, int) else tuple(values)


def per_dimension(values: Sizes, spatial: int, name: str) -> tuple[int, ...]:
    """One entry per spatial dimension; a single integer stands for all of them."""
    entries = sequence(values)
    require(
        len(entries) in (1, spatial),
        f"{name} must have 1 or {spatial} entries, got {entries}",
    )
    return entries * spatial if len(entries) == 1 else entries


def dimension(dim: int, rank: int) -> int:
    """A dimension, counted from the end when negative, checked against the rank."""
    require(-rank <= dim < rank, f"dim {dim} is out of range for {rank} dimensions")
    return dim % rank


def ceil_log2(value: int) -> int:
    """ceil(log2(value)), the depth of a binary tree with that many leaves; 0 up to 1."""
    return max(value - 1, 0).bit_length()


# -- calling a rule -----------------------------------------------------------------------------


def normalise(operation: Operation, given: Mapping[str, object]) -> dict[str, Any]:
    """Check attributes by name and kind, fill in the defaults, in the order of the rule."""
    for name in given:
        if name not in operation.by_name:
            accepted = ", ".join(operation.by_name) or "none"
            refuse(f"unknown attribute '{name}'; {operation.name} takes {accepted}")
    complete = {}
    for attribute in operation.attributes:
        if attribute.name in given:
            complete[attribute.name] = _checked(attribute, given[attribute.name])
        else:
            require(
                attribute.default is not inspect.Parameter.empty,
                f"attribute '{attribute.name}' is required",
            )
            complete[attribute.name] = attribute.default
    return complete


_EXPECTED = {
    "integer": "an integer",
    "integers": "an integer or a sequence of integers",
    "flag": "True or False",
    "text": "a string",
}


def _checked(attribute: Attribute, value: object) -> object:
    """The value as the rule expects it, or a refusal that says what it expects."""
    if value is None and attribute.default is None:
        return None
    if attribute.kind == "flag" and isinstance(value, bool):
        return value
    if attribute.kind == "text" and isinstance(value, str):
        return value
    if isinstance(value, str) and value in attribute.choices:
        return value
    if attribute.kind in ("integer", "integers") and is_integer(value):
        return operator.index(value)  # type: ignore[arg-type]
    if (
        attribute.kind == "integers"
        and isinstance(value, Sequence | np.ndarray)
        and not isinstance(value, str)
        and all(is_integer(entry) for entry in value)
    ):
        entries = tuple(operator.index(entry) for entry in value)
        # One integer and a sequence of it mean the same: attributes read back as the integer.
        return entries[0] if len(entries) == 1 else entries
    expected = _EXPECTED.get(attribute.kind, "")
    if attribute.choices:
        words = ", ".join(repr(choice) for choice in attribute.choices)
        expected = f"{expected}, or one of {words}" if expected else f"one of {words}"
    refuse(f"attribute '{attribute.name}' must be {expected}, got {value!r}")


def is_integer(value: object) -> bool:
    """An int or a numpy integer; True and False are not numbers here."""
    return hasattr(value, "__index__") and not isinstance(value, bool | np.bool_ | np.ndarray)


def check_inputs(operation: Operation, count: int) -> None:
    """Refuse a layer that is given too few or too many inputs."""
    low, high = operation.minimum_inputs, operation.maximum_inputs
    if count >= low and (high is None or count <= high):
        return
    if high is None:
        expected = f"at least {low} inputs"
    elif low == high:
        expected = f"{low} inputs"
    else:
        expected = f"{low} to {high} inputs"
    refuse(f"{operation.name} takes {expected}, got {count}")


def describe_layer(op: str, name: str, shapes: Iterable[Shape], rule: str) -> str:
    """The message of a LayerError: the layer, the rule it breaks, the shapes."""
    layer = f"layer '{name}' ({op})" if name else f"{op}"
    listed = ", ".join(str(shape) for shape in shapes)
    return f"{layer}: {rule}; input shapes {listed or 'none'}"


def arguments_of(
    signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The shapes of the inputs and the attributes among the arguments of a formula."""
    inputs: list[Any] = []
    attributes: dict[str, Any] = {}
    known = {name: value for name, value in kwargs.items() if name in signature.parameters}
    # An attribute that does not exist is refused by the rule's check, which lists those that do.
    attributes.update((name, value) for name, value in kwargs.items() if name not in known)
    for name, value in signature.bind_partial(*args, **known).arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            inputs.extend(value)
        elif kind is inspect.Parameter.POSITIONAL_ONLY:
            if value is not None:
                inputs.append(value)
        else:
            attributes[name] = value
    return inputs, attributes


def evaluate_arrays(
    operation: Operation, inputs: Sequence[Any], attributes: Mapping[str, Any]
) -> Cost:
    """The cost of a layer, element by element where a size or an attribute is an array."""
    arrays = [leaf for leaf in _leaves((list(inputs), attributes)) if _is_array(leaf)]
    if not arrays:
        return cost_of(operation, inputs, attributes)
    common = np.broadcast_shapes(*(array.shape for array in arrays))
    costs = []
    for index in np.ndindex(*common):
        pick = functools.partial(_pick, common=common, index=index)
        try:
            costs.append(cost_of(operation, pick(inputs), pick(attributes)))
        except (LayerError, CountOverflowError) as error:
            error.args = (f"{error.args[0]}; at index {index}",)
            raise
    return _stack(costs, common)


def cost_of(operation: Operation, inputs: Sequence[Shape], attributes: Mapping[str, Any]) -> Cost:
    """The cost of one layer that owns its weights."""
    shapes: list[Shape] = []
    try:
        shapes = [checked_shape(shape) for shape in inputs]
        fits(*map(elements, shapes))
        check_inputs(operation, len(shapes))
        layer = operation.rule(*shapes, **normalise(operation, attributes))
        sizes = {"parameter": 0, "buffer": 0}
        for weight in layer.weights:
            sizes[weight.kind] += elements(weight.shape)
        outputs = sum(elements(shape) for shape in layer.shapes)
        cost = Cost(
            shapes=layer.shapes,
            params=sizes["parameter"],
            buffers=sizes["buffer"],
            macs=layer.macs,
            flops=layer.flops,
            activations=outputs if operation.contraction else 0,
            outputs=outputs,
            memory_access=0 if operation.view else traffic(layer, shapes),
        )
        # In bytes, of four to an element, it must fit as well.
        fits(4 * cost.memory_access, *(getattr(cost, name) for name in COUNTS))
    except Refusal as refusal:
        rule = str(refusal)
        message = describe_layer(operation.name, "", shapes, rule)
        raise LayerError(message, "", operation.name, rule) from None
    except OverflowError as overflow:
        message = describe_layer(operation.name, "", shapes, str(overflow))
        raise CountOverflowError(message) from None
    return cost


COUNTS = ("params", "buffers", "macs", "flops", "activations", "outputs", "memory_access")


def traffic(layer: Layer, inputs: Sequence[Shape]) -> int:
    """Elements that a layer reads and writes: inputs, weights, outputs."""
    reads = [elements(shape) for shape in inputs]
    if layer.input_reads is not None:
        reads[0] = layer.input_reads
    weights = [elements(weight.shape) if weight.read else 0 for weight in layer.weights]
    if layer.weight_reads is not None:
        weights[0] = layer.weight_reads
    return sum(reads) + sum(weights) + sum(elements(shape) for shape in layer.shapes)


def checked_shape(shape: Iterable[Any]) -> Shape:
    """A shape of non-negative integers, or a refusal."""
    sizes = tuple(shape)
    for size in sizes:
        require(is_integer(size), f"a size must be an integer, got {size!r}")
        require(size >= 0, f"a size must not be negative, got {size}")
    require(len(sizes) <= 16, "a tensor has at most 16 dimensions")
    return tuple(operator.index(size) for size in sizes)


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _leaves(entry)
    else:
        yield value


def _pick(value: Any, common: tuple[int, ...], index: tuple[int, ...]) -> Any:
    """One element of every array inside a value."""
    if isinstance(value, Mapping):
        return {name: _pick(entry, common, index) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_pick(entry, common, index) for entry in value)
    if _is_array(value):
        return np.broadcast_to(value, common)[index]
    return value


def _stack(costs: Sequence[Cost], common: tuple[int, ...]) -> Cost:
    """Costs of single layers as one cost of arrays."""

    def column(values: Iterable[int]) -> Any:
        return np.array(list(values), dtype=np.int64).reshape(common)

    first = costs[0].shapes if costs else ()
    shapes = tuple(
        tuple(column(cost.shapes[i][d] for cost in costs) for d in range(len(shape)))
        for i, shape in enumerate(first)
    )
    return Cost(shapes, **{name: column(getattr(cost, name) for cost in costs) for name in COUNTS})
