"""Why a layer costs what it does: the formula of its rule, with the numbers put in, step by step.

>>> import netledger as nl
>>> print(nl.why("linear", (1, 512), out_features=10, bias=False))
linear: (1, 512) -> (1, 10)
  N = 1
  I = 512
  out_features = 10
  bias = 0
  params = out_features * I
         = 10 * 512
         = 5,120
  macs = N * out_features * I
       = 1 * 10 * 512
       = 5,120
  flops = N * out_features * (2 * I - 1 + bias)
        = 1 * 10 * (2 * 512 - 1 + 0)
        = 10,230
  memory_access = N * I + out_features * I + N * out_features
                = 1 * 512 + 10 * 512 + 1 * 10
                = 5,642
Source: torch.nn.Linear (shapes, params); Molchanov et al., Pruning Convolutional Neural Networks
for Resource Efficient Inference, 2017, appendix A.1 (operations).
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from netledger._symbols import Notation, Symbol, latex, latex_name, spelled
from netledger.errors import LayerError, NetledgerError
from netledger.formulas import OPERATIONS
from netledger.formulas._layer import (
    Operation,
    Refusal,
    check_inputs,
    checked_shape,
    describe_layer,
    elements,
    normalise,
    traffic,
)

if TYPE_CHECKING:
    from netledger.ledger import Row

__all__ = ["Explanation", "Step", "explained", "why"]

_WIDTH = 100

#: What the sizes of an input are called, by the family of the op and the number of dimensions.
_SPATIAL = {2: "NC", 3: "NCL", 4: "NCHW", 5: "NCDHW"}
_SEQUENCES = {1: "I", 2: "NI", 3: "NLI", 4: "NHWI"}
_LETTERS: dict[str, dict[int, str]] = {
    "linear": _SEQUENCES,
    "attention": {2: "LE", 3: "NLE", 4: "NHLE"},
    "recurrent": {2: "NI", 3: "TNI"},
    "embedding": {1: "N", 2: "NL"},
}
_BATCH_FIRST = {2: "TI", 3: "NTI"}


@dataclass(frozen=True)
class Step:
    """One quantity of a layer.

    Attributes:
        name: what is calculated, as ``"macs"`` or ``"H'"``.
        formula: how, over the names of sizes and attributes.
        numbers: the same with their values.
        value: what comes out.
        latex: the whole step in LaTeX: name, formula, numbers and value, aligned at ``&=``.
    """

    name: str
    formula: str
    numbers: str
    value: int
    latex: str


@dataclass(frozen=True)
class Explanation:
    """The calculation of one layer's costs; ``print`` shows it as text, a notebook as a table.

    Attributes:
        op: kind of the layer.
        name: its name, "" without.
        inputs: shapes of what it reads.
        outputs: shapes of what it makes.
        given: sizes and attributes by the names that the formulas use.
        steps: sizes of the output, then ``params``, ``buffers``, ``macs``, ``flops`` and
            ``memory_access``, as far as they are not 0.
        source: where the formulas are from.
        remark: what the formulas leave out, as that parameters are counted elsewhere.
    """

    op: str
    name: str
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    given: Mapping[str, int]
    steps: tuple[Step, ...]
    source: str
    remark: str = ""

    @property
    def title(self) -> str:
        """The layer in one line: its name, its op, its shapes."""
        label = f"{self.name} ({self.op})" if self.name else self.op
        shapes = (", ".join(map(str, shapes)) for shapes in (self.inputs, self.outputs))
        return f"{label}: {' -> '.join(shapes)}"

    def __str__(self) -> str:
        """The calculation as text, a line for each stage of a step."""
        lines = [self.title, *(f"  {name} = {value}" for name, value in self.given.items())]
        for step in self.steps:
            stages = [step.formula]
            stages += [text for text in (step.numbers, f"{step.value:,}") if text != stages[-1]]
            margin = "  " + " " * len(step.name)
            first = f"  {step.name} = "
            for number, stage in enumerate(stages):
                lines += textwrap.wrap(
                    stage,
                    _WIDTH,
                    initial_indent=first if number == 0 else f"{margin} = ",
                    subsequent_indent=f"{margin}   ",
                )
        if self.remark:
            lines += textwrap.wrap(self.remark, _WIDTH)
        if self.source:
            lines += textwrap.wrap(f"Source: {self.source}", _WIDTH)
        return "\n".join(lines)

    def latex(self) -> str:
        r"""The steps as an ``align*`` environment; the values are exact."""
        steps = " \\\\\n".join(step.latex for step in self.steps)
        return f"\\begin{{align*}}\n{steps}\n\\end{{align*}}"

    def html(self) -> str:
        """The steps as a table that needs no style or script."""
        rows = "".join(
            f"<tr><th>{escape(step.name)}</th><td>= {_pretty(step.formula)}</td>"
            f"<td>= {_pretty(step.numbers)}</td><td>= {step.value:,}</td></tr>"
            for step in self.steps
        )
        notes = "".join(
            f"<p>{escape(text)}</p>"
            for text in (self.remark, self.source and f"Source: {self.source}")
            if text
        )
        return f"<p><b>{escape(self.title)}</b></p><table>{rows}</table>{notes}"

    def _repr_html_(self) -> str:
        return self.html()


def _pretty(formula: str) -> str:
    return escape(formula).replace(" * ", " &middot; ")


def why(layer: str | Row | Any, *inputs: Any, **attributes: Any) -> Explanation | list[Explanation]:
    """Why a layer costs what it does: its formulas with the numbers put in.

    Args:
        layer: the name of an op, with the shapes of its inputs and its attributes; a row of a
            ledger, alone; or a torch module, with its inputs as `netledger.count` takes them.
        inputs: shapes of the inputs.
        attributes: of the op, by torch's names.

    Returns:
        The explanation; of a module that is made of several layers a list of them, views left out.

    Raises:
        LayerError: the op's rule refuses the shapes or attributes.
        NetledgerError: there is no such op.

    >>> import netledger as nl
    >>> nl.why("conv2d", (1, 3, 32, 32), out_channels=8, kernel_size=3).steps[-1].value
    10496
    """
    if isinstance(layer, str):
        return explained(layer, inputs, attributes)
    if hasattr(layer, "input_shapes"):
        return explained_row(layer)
    from netledger.torch import count

    module: Any = layer
    rows = count(module, *inputs, **attributes).rows
    found = [explained_row(row) for row in rows if row.flops or row.params or row.memory_access]
    return found[0] if len(found) == 1 else found


def explained_row(row: Row) -> Explanation:
    """A row of a ledger; that its formulas give the row's figures is checked."""
    if row.op in ("opaque", "uncalled"):
        remark = (
            "A parameter that no layer has read: its elements are counted."
            if row.op == "uncalled"
            else "An operation without a rule: what it reads and writes is counted, and what was "
            "declared."
        )
        return Explanation(
            row.op, row.name, row.input_shapes, row.output_shapes, {}, (), "", remark
        )
    remark = ""
    given = explained(row.op, row.input_shapes, row.attributes, name=row.name)
    values = {step.name: step.value for step in given.steps}
    if values.get("params", 0) != row.params:
        remark = f"The row has {row.params:,} params: parameters count where they are first used."
    for metric in ("macs", "flops"):
        if values.get(metric, 0) != getattr(row, metric):
            raise NetledgerError(
                f"layer '{row.name}' ({row.op}): its formula gives {values.get(metric, 0):,} "
                f"{metric}, its row has {getattr(row, metric):,}"
            )
    return Explanation(
        given.op,
        given.name,
        given.inputs,
        given.outputs,
        given.given,
        given.steps,
        given.source,
        remark,
    )


def explained(
    op: str, inputs: Sequence[Any], attributes: Mapping[str, Any], *, name: str = ""
) -> Explanation:
    """An op on inputs of some shapes; see `why`."""
    operation = OPERATIONS.get(op)
    if operation is None:
        raise NetledgerError(f"unknown op '{op}'; netledger.operations() lists all")
    shapes: list[tuple[int, ...]] = []
    try:
        shapes = [checked_shape(shape) for shape in inputs]
        check_inputs(operation, len(shapes))
        complete = normalise(operation, attributes)
        given: dict[str, int] = {}
        sizes = [
            tuple(_named(given, letter, size) for letter, size in zip(letters, shape, strict=True))
            for letters, shape in zip(_letters(operation, complete, shapes), shapes, strict=True)
        ]
        layer = operation.rule(
            *sizes, **{key: _attribute(given, key, value) for key, value in complete.items()}
        )
    except Refusal as refusal:
        message = describe_layer(op, name, shapes, str(refusal))
        raise LayerError(message, name, op, str(refusal)) from None
    parts: dict[str, int] = {}
    for shape in layer.shapes[:1]:
        for letter, size in zip(_output_letters(sizes, shape), shape, strict=True):
            if (
                isinstance(size, Symbol)
                and size.operation
                and all(size is not known for known in parts.values())
            ):
                parts[_unused(letter, [*given, *parts])] = size
    kinds = {"params": "parameter", "buffers": "buffer"}
    totals: dict[str, int] = {
        metric: sum(elements(weight.shape) for weight in layer.weights if weight.kind == kind)
        for metric, kind in kinds.items()
    }
    totals |= {"macs": layer.macs, "flops": layer.flops}
    if not operation.view:
        totals["memory_access"] = traffic(layer, sizes)
    totals = {metric: value for metric, value in totals.items() if value}
    named = {id(size): letter for letter, size in parts.items()}
    used = _used([*parts.values(), *totals.values()])
    return Explanation(
        op=op,
        name=name,
        inputs=tuple(shapes),
        outputs=tuple(tuple(map(int, shape)) for shape in layer.shapes),
        given={key: value for key, value in given.items() if key in used},
        steps=tuple(_step(key, value, named) for key, value in {**parts, **totals}.items()),
        source=_source(operation.rule),
    )


def _named(given: dict[str, int], letter: str, value: int) -> Symbol:
    """A symbol under a name that is free, or that stands for the same number already."""
    while given.get(letter, value) != value:
        letter += "_2"
    given[letter] = value
    return Symbol(value, letter)


def _attribute(given: dict[str, int], name: str, value: Any) -> Any:
    if isinstance(value, bool | int):
        return _named(given, name, int(value))
    if isinstance(value, tuple) and all(isinstance(entry, int) for entry in value):
        return tuple(_named(given, f"{name}[{i}]", entry) for i, entry in enumerate(value))
    return value


def _letters(
    operation: Operation, attributes: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]
) -> Iterator[Sequence[str]]:
    """Names for the sizes of the inputs."""
    table = _LETTERS.get(operation.family, _SPATIAL)
    if operation.family == "recurrent" and attributes.get("batch_first"):
        table = _BATCH_FIRST
    for number, shape in enumerate(shapes):
        letters: Sequence[str] = table.get(len(shape), ())
        if len(letters) != len(shape):
            letters = [f"d{i}" for i in range(len(shape))]
        yield [letter if number == 0 else f"{letter}_{number + 1}" for letter in letters]


def _output_letters(inputs: Sequence[tuple[int, ...]], shape: Sequence[int]) -> Iterator[str]:
    """Names for sizes of an output: those of the first input at the same place, with a prime."""
    first = inputs[0] if inputs else ()
    for place in range(len(shape)):
        same = first[place] if len(first) == len(shape) else None
        yield f"{same.name}'" if isinstance(same, Symbol) else f"d{place}'"


def _unused(letter: str, names: Sequence[str]) -> str:
    while letter in names:
        letter += "'"
    return letter


def _used(values: Sequence[int]) -> set[str]:
    """The names in some expressions."""
    found: set[str] = set()
    pending, seen = list(values), set()
    while pending:
        value = pending.pop()
        if isinstance(value, Symbol) and id(value) not in seen:
            seen.add(id(value))
            found.add(value.name)
            pending.extend(value.operands)
    return found


def _step(name: str, value: int, named: Mapping[int, str]) -> Step:
    def written(writer: Callable[..., str], *, numbers: bool) -> str:
        return writer(value, Notation(named, numbers=numbers).without(value))

    stages = [written(latex, numbers=False), written(latex, numbers=True), str(int(value))]
    shown = [stage for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]
    return Step(
        name,
        written(spelled, numbers=False),
        written(spelled, numbers=True),
        int(value),
        f"{latex_name(name)} &= " + " \\\\\n&= ".join(shown),
    )


def _source(rule: Callable[..., Any]) -> str:
    """What the rule's documentation names as its source."""
    documentation = inspect.getdoc(rule) or ""
    _, found, source = documentation.partition("Source: ")
    return " ".join(source.split()) if found else ""
