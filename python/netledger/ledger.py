"""The result of counting one model: a row for each layer, and totals that are their sums."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from netledger._results import COLUMNS, Counts, Node, Scope
from netledger.errors import NetledgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pandas

    from netledger._origin import Origins
    from netledger._views import Place
    from netledger.advice import Advice, Device
    from netledger.comparison import Comparison
    from netledger.conventions import Convention
    from netledger.explanation import Explanation
    from netledger.metrics import LayerView

Shape = tuple[int, ...]

#: Everything that `Ledger.total` knows; all but the last are sums over the rows.
METRICS = (*COLUMNS, "frozen_params", "peak_memory")


class Engine(Protocol):
    """What a ledger reads of a graph, compiled or not."""

    def __len__(self) -> int: ...
    def node(self, index: int, /) -> Node: ...
    def scope_at(self, index: int, /) -> Scope: ...
    def shape(self, tensor: int, /) -> Shape: ...
    def kind(self, tensor: int, /) -> str: ...
    @property
    def outputs(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True)
class Row:
    """What one layer costs, and where in the model it is.

    Attributes:
        index: position of the layer in the order of execution.
        path: path of the module that the layer runs in, "" for the model itself.
        name: name of the layer: its own, else the path, else its op and index.
        module_class: class of the module at `path`, "" where there is none.
        op: kind of the layer.
        call: which call of a shared module this is, from 0.
        input_shapes: shapes of the tensors it reads.
        output_shapes: shapes of the tensors it makes.
        attributes: attributes of the layer, defaults filled in.
        inplace: whether the output takes the memory of the first input.
        params: elements of parameters that no earlier row has counted.
        trainable_params: those among them that are trained.
        buffers: elements of buffers that no earlier row has counted.
        macs: multiply-accumulates of contractions.
        flops: scalar arithmetic operations.
        activations: output elements if the layer is a contraction, else 0.
        outputs: output elements.
        memory_access: elements read and written, weights included.
        memory_access_bytes: the same in bytes.
    """

    index: int
    path: str
    name: str
    module_class: str
    op: str
    call: int
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    attributes: dict[str, Any]
    inplace: bool
    params: int
    trainable_params: int
    buffers: int
    macs: int
    flops: int
    activations: int
    outputs: int
    memory_access: int
    memory_access_bytes: int


@dataclass(frozen=True, slots=True)
class Module:
    """What one module costs, with everything below it.

    Attributes:
        path: path of the module, "" for the model.
        module_class: its class, "" if it was never called itself (a list of modules).
        calls: how often it was called.
        totals: the sum of the rows at or below `path`, for each column.
    """

    path: str
    module_class: str
    calls: int
    totals: dict[str, int]


class Ledger:
    """What a model costs: rows that add up to the totals. Reading it is free until rows are asked.

    ``print(ledger)`` shows the table; a notebook shows it as a page.
    """

    def __init__(
        self, engine: Engine, counts: Counts, *, title: str = "", origins: Origins | None = None
    ) -> None:
        """Wrap the counts of a graph.

        Args:
            engine: the graph that was counted.
            counts: what its ``count()`` returned.
            title: what the model is called in reports; the class of the model if empty.
            origins: where the layers of a traced module came from.
        """
        self._engine = engine
        self._counts = counts
        self._title = title
        self._origins = origins
        self._scopes: dict[int, Scope] = {}

    # -- totals -----------------------------------------------------------------------------------

    @property
    def params(self) -> int:
        """Elements of the parameters, each counted once however often it is used."""
        return self._counts.totals["params"]

    @property
    def trainable_params(self) -> int:
        """Elements of the parameters that are trained."""
        return self._counts.totals["trainable_params"]

    @property
    def frozen_params(self) -> int:
        """Elements of the parameters that are not trained."""
        return self.params - self.trainable_params

    @property
    def buffers(self) -> int:
        """Elements of the buffers."""
        return self._counts.totals["buffers"]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of contractions."""
        return self._counts.totals["macs"]

    @property
    def flops(self) -> int:
        """Scalar arithmetic operations."""
        return self._counts.totals["flops"]

    @property
    def activations(self) -> int:
        """Output elements of contractions."""
        return self._counts.totals["activations"]

    @property
    def outputs(self) -> int:
        """Output elements of all layers."""
        return self._counts.totals["outputs"]

    @property
    def memory_access(self) -> int:
        """Elements read and written by the layers, weights included."""
        return self._counts.totals["memory_access"]

    @property
    def memory_access_bytes(self) -> int:
        """Bytes read and written by the layers, weights included."""
        return self._counts.totals["memory_access_bytes"]

    @property
    def peak_memory(self) -> int:
        """Largest sum of activations alive at once, in bytes. Not a sum over the rows."""
        return self._counts.peak_memory

    def total(self, metric: str, convention: str | Convention | None = None) -> int:
        """The total of a metric, in a convention.

        Args:
            metric: its name; what a convention defines is in `netledger.conventions`. The name of a
                convention may follow: ``"flops@fvcore"``.
            convention: the name of a convention, as ``"thop@0.1.1"``, or one of one's own.

        Returns:
            The total; a sum that is no integer is cut off, as the tools do.

        Raises:
            NetledgerError: an unknown metric or convention.
        """
        metric, _, spelled = metric.partition("@")
        rule: Any = metric
        if spelled or convention is not None:
            from netledger.conventions import convention_of

            chosen = convention_of(spelled or convention or "")
            rule = chosen.rule(metric)
        if callable(rule):
            return int(sum(cost for _, cost in self._costs(rule)))
        if rule not in METRICS:
            raise NetledgerError(f"unknown metric '{rule}'; the metrics are {', '.join(METRICS)}")
        return int(getattr(self, rule))

    def compare(self, *conventions: str | Convention) -> Comparison:
        """The model in many conventions, side by side.

        Args:
            conventions: names, or conventions of one's own; all that there are if none is given.

        Returns:
            What prints as a table; its ``between("thop@0.1.1", "thop@0.0.31")`` gives the causes of
            a difference, which add up to it exactly.

        Raises:
            SpaceError: there is no such convention.
        """
        from netledger.comparison import compared

        return compared(self, conventions)

    def advise(self, device: Device | None = None) -> Advice:
        """Check the model against ShuffleNetV2's guidelines for speed.

        Args:
            device: what to estimate times for, as ``nl.Device("A100", 19.5e12, 1.555e12)``.

        Returns:
            For each layer its memory access against its lower bound (G1) and the price of groups
            (G2), its arithmetic intensity, a roofline estimate and factorisations that would save;
            parallel branches (G3) and the share of element-wise operations (G4). ``print`` shows
            the worst of each.
        """
        from netledger.advice import advise

        return advise(self, device)

    def why(self, layer: int | str) -> Explanation | list[Explanation]:
        """Why a layer costs what it does: its formulas with the numbers put in.

        Args:
            layer: the index of a row, or the name or path of rows.

        Returns:
            The explanation; a list of them where several rows have that name, views left out.

        Raises:
            NetledgerError: there is no such row.
        """
        from netledger.explanation import explained_row

        if isinstance(layer, int):
            if not 0 <= layer < len(self):
                raise NetledgerError(f"there is no row {layer}; the rows are 0 to {len(self) - 1}")
            return explained_row(self.rows[layer])
        found = [row for row in self.rows if layer in (row.name, row.path)]
        if not found:
            raise NetledgerError(f"no layer is called '{layer}'; the rows of the ledger have names")
        counted = [row for row in found if row.flops or row.params or row.memory_access] or found
        explained = [explained_row(row) for row in counted]
        return explained[0] if len(explained) == 1 else explained

    @cached_property
    def _places(self) -> list[Place]:
        """Every layer as the rules of conventions see it."""
        from netledger._views import places_of

        return places_of(self)

    def _costs(self, rule: Callable[[LayerView], Any]) -> Iterator[tuple[Place, Any]]:
        """What a rule gives for every layer that it is shown."""
        composites = getattr(rule, "composites", False)
        for place in self._places:
            if composites or place.view.origin.kind != "composite":
                yield place, rule(place.view)

    # -- rows -------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for each layer, in the order of execution."""
        shape = self._engine.shape
        rows = []
        for node, costs in zip(self._nodes, self._costs_of_rows(), strict=True):
            scope = self._scope(node.scope)
            rows.append(
                Row(
                    node.index,
                    scope.path,
                    name_of(node, scope),
                    scope.module_class,
                    node.op,
                    scope.call,
                    tuple(map(shape, node.inputs)),
                    tuple(map(shape, node.outputs)),
                    dict(node.attributes),
                    node.inplace,
                    *costs,
                )
            )
        return tuple(rows)

    def _costs_of_rows(self) -> Iterator[Any]:
        """The counts of every row, in the order of the columns: a tuple of ints for each."""
        return zip(*(self._counts.columns[column].tolist() for column in COLUMNS), strict=True)

    @cached_property
    def _nodes(self) -> list[Node]:
        return [self._engine.node(index) for index in range(len(self._engine))]

    def _scope(self, number: int) -> Scope:
        """One call of a module, read from the engine once."""
        scopes = self._scopes
        if number not in scopes:
            scopes[number] = self._engine.scope_at(number)
        return scopes[number]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._engine)

    def __iter__(self) -> Iterator[Row]:
        """The rows, in the order of execution."""
        return iter(self.rows)

    # -- sums -------------------------------------------------------------------------------------

    @cached_property
    def modules(self) -> dict[str, Module]:
        """Every module by its path, a parent before its children, in the order of execution."""
        children: dict[str, list[str]] = {"": []}
        totals: dict[str, dict[str, int]] = {"": dict.fromkeys(COLUMNS, 0)}
        for row in self.rows:
            for path in _lineage(row.path):
                if path not in totals:
                    totals[path] = dict.fromkeys(COLUMNS, 0)
                    children[path] = []
                    children[_parent(path)].append(path)
                _add(totals[path], row)
        classes, calls = self._calls()
        ordered: dict[str, Module] = {}
        waiting = [""]
        while waiting:
            path = waiting.pop()
            ordered[path] = Module(path, classes.get(path, ""), calls.get(path, 0), totals[path])
            waiting.extend(reversed(children[path]))
        return ordered

    def _calls(self) -> tuple[dict[str, str], dict[str, int]]:
        """The class of each module that was called, and how often it was, by path."""
        classes: dict[str, str] = {}
        calls: dict[str, int] = {}
        seen: set[int] = set()
        for index in range(len(self._engine)):
            number = self._engine.node(index).scope
            while number not in seen:
                seen.add(number)
                scope = self._engine.scope_at(number)
                classes[scope.path] = scope.module_class or classes.get(scope.path, "")
                calls[scope.path] = max(calls.get(scope.path, 0), scope.call + 1)
                number = scope.parent
        return classes, calls

    def by_module(self, depth: int | None = None) -> dict[str, dict[str, int]]:
        """The totals of every module, with everything below it; the model itself is "".

        Args:
            depth: modules further below the model than this are left out; all of them by default.

        Returns:
            The sums by path, each a dict from column to int; a parent comes before its children.
        """
        return {
            path: dict(module.totals)
            for path, module in self.modules.items()
            if depth is None or depth_of(path) <= depth
        }

    def by_op(self) -> dict[str, dict[str, int]]:
        """The totals of every kind of layer, the costliest first (by flops, then traffic).

        Returns:
            The sums by op, each a dict from column to int; ``"rows"`` is the number of layers.
        """
        sums: dict[str, dict[str, int]] = {}
        for row in self.rows:
            sums.setdefault(row.op, {"rows": 0, **dict.fromkeys(COLUMNS, 0)})["rows"] += 1
            _add(sums[row.op], row)
        order = ("flops", "memory_access", "params")
        costliest = sorted(sums.items(), key=lambda item: [-item[1][metric] for metric in order])
        return dict(costliest)

    @cached_property
    def unsupported(self) -> dict[str, int]:
        """Operations without a rule, by name, with the number of their rows; empty if none.

        The totals hold the traffic of these rows and their parameters, but no arithmetic.
        """
        times: dict[str, int] = {}
        for row in self.rows:
            if is_unsupported(row):
                label = str(row.attributes["label"])
                times[label] = times.get(label, 0) + 1
        return times

    # -- leaving the program ----------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What reports call the model."""
        return self._title or self.modules[""].module_class or "model"

    @title.setter
    def title(self, title: str) -> None:
        self._title = title

    def to_dict(self) -> dict[str, Any]:
        """Title, totals, unsupported operations and rows, as plain Python objects."""
        return {
            "title": self.title,
            "totals": {metric: self.total(metric) for metric in METRICS},
            "unsupported": dict(self.unsupported),
            "rows": [asdict(row) for row in self.rows],
        }

    @overload
    def to_json(self, path: None = None, indent: int | None = 2) -> str: ...
    @overload
    def to_json(self, path: str | Path, indent: int | None = 2) -> None: ...
    def to_json(self, path: str | Path | None = None, indent: int | None = 2) -> str | None:
        """`to_dict` as JSON: returned, or written to a file."""
        return _deliver(json.dumps(self.to_dict(), indent=indent) + "\n", path)

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a DataFrame, indexed by `index`. Needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise NetledgerError("to_pandas needs pandas: pip install pandas") from error
        columns = [field.name for field in fields(Row)]
        table = [tuple(getattr(row, column) for column in columns) for row in self.rows]
        return pandas.DataFrame(table, columns=columns).set_index("index")

    @overload
    def to_html(self, path: None = None) -> str: ...
    @overload
    def to_html(self, path: str | Path) -> None: ...
    def to_html(self, path: str | Path | None = None) -> str | None:
        """The report as one HTML page that needs no other file: returned, or written to a file."""
        from netledger.report.html import page

        return _deliver(page(self), path)

    def table(
        self,
        depth: int | None = 3,
        metrics: Iterable[str] = ("params", "macs", "flops", "memory_access"),
        *,
        by: str = "module",
        units: str = "auto",
        percent: bool = True,
        width: int = 100,
    ) -> str:
        """The report as text: summary, a tree of modules, totals, unsupported operations.

        Printed columns add up exactly, rounded or not.

        Args:
            depth: deeper modules are summed into their parents; None shows them all.
            metrics: the columns.
            by: "module" for the tree of modules, "op" for one line per kind of layer.
            units: "exact" prints every digit; "auto" does so as long as the table fits `width`,
                and else gives columns, from the last one on, in thousands, millions and so on.
            percent: whether params and macs come with their share of the total.
            width: characters that a line should fit in, where possible.
        """
        from netledger.report.text import report

        return report(
            self,
            depth=depth,
            metrics=tuple(metrics),
            by=by,
            units=units,
            percent=percent,
            width=width,
        )

    def _repr_html_(self) -> str:
        from netledger.report.html import fragment

        return fragment(self)

    def __str__(self) -> str:
        """The table."""
        return self.table()

    def __repr__(self) -> str:
        """One line: how many rows, and what they add up to."""
        return (
            f"<Ledger of {len(self)} rows: params={self.params}, macs={self.macs},"
            f" flops={self.flops}>"
        )


def name_of(node: Node, scope: Scope) -> str:
    """What a row is called: the layer's own name, else the path, else its op and index."""
    return node.name or scope.path or f"{node.op}_{node.index}"


def is_unsupported(row: Row) -> bool:
    """Whether the row stands for an operation without a rule: named, and no arithmetic declared."""
    return row.op == "opaque" and bool(row.attributes["label"]) and row.macs == row.flops == 0


def depth_of(path: str) -> int:
    """How many modules are above the one at `path`."""
    return path.count(".") + 1 if path else 0


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _lineage(path: str) -> list[str]:
    """The model, the modules on the way, and the one at `path`."""
    parts = path.split(".") if path else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]


def _add(totals: dict[str, int], row: Row) -> None:
    for column in COLUMNS:
        totals[column] += getattr(row, column)


def _deliver(text: str, path: str | Path | None) -> str | None:
    if path is None:
        return text
    Path(path).write_text(text, encoding="utf-8")
    return None
