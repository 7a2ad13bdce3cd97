"""The layers of a counted model as rules of conventions see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from netledger._origin import Composite, Origin, Origins, built
from netledger._torch_names import FUNCTION_OF_OP, OPS_OF_MODULE
from netledger.metrics import LayerView

if TYPE_CHECKING:
    from netledger.ledger import Ledger, Row

__all__ = ["Place", "places_of"]


class Place(NamedTuple):
    """A layer of a model.

    Attributes:
        row: the number of its row; of a composite that of its first part.
        path: the path of the module it runs in.
        view: what a rule sees of it.
    """

    row: int
    path: str
    view: LayerView


def places_of(ledger: Ledger) -> list[Place]:
    """Every layer of a model, composites before their parts."""
    return list(_places(ledger))


def _places(ledger: Ledger) -> Iterator[Place]:
    engine, origins = ledger._engine, ledger._origins
    rows = ledger.rows
    if origins is None:
        batch = _first_input(engine)
        for row in rows:
            origin = built(row.op)
            weights = engine.node(row.index).weights
            view = _view(row, weights, replace(origin, batch=batch), engine)
            yield Place(row.index, row.path, view)
        return
    calls = _numbers_of_calls(engine, origins)
    composites = iter(origins.composites)
    upcoming = next(composites, None)
    around: list[Composite] = []
    for row in rows:
        while around and around[-1].end_row <= row.index:
            around.pop()
        while upcoming is not None and upcoming.first_row <= row.index:
            if upcoming.end_row > upcoming.first_row:
                yield _composite(upcoming, engine, origins, calls, around)
                around.append(upcoming)
            upcoming = next(composites, None)
        node = engine.node(row.index)
        if node.scope >= len(calls):  # added to the graph after the trace
            yield Place(row.index, row.path, _view(row, node.weights, built(row.op), engine))
            continue
        inside = tuple(composite.op for composite in around)
        origin = _origin(row, node.scope, origins, calls, inside)
        yield Place(row.index, row.path, _view(row, node.weights, origin, engine))


def _view(row: Row, weights: Iterable[int | None], origin: Origin, engine: Any) -> LayerView:
    held = row.params
    if weights:
        held = sum(
            prod(engine.shape(weight))
            for weight in set(weights)
            if weight is not None and engine.kind(weight) == "parameter"
        )
    return LayerView(
        op=row.op,
        name=row.name,
        attributes=row.attributes,
        inputs=row.input_shapes,
        outputs=row.output_shapes,
        params=row.params,
        trainable_params=row.trainable_params,
        buffers=row.buffers,
        macs=row.macs,
        flops=row.flops,
        activations=row.activations,
        output_elements=row.outputs,
        memory_access=row.memory_access,
        memory_access_bytes=row.memory_access_bytes,
        held_params=held,
        origin=origin,
    )


def _origin(
    row: Row, scope: int, origins: Origins, calls: list[int], inside: tuple[str, ...]
) -> Origin:
    module_class, training, occurrences = origins.scopes[scope]
    layer_class, exact = _layer_class(module_class)
    called = origins.functions.get(row.index)
    function = called.name if called else ""
    kind = "function" if called else "operator"
    if row.op in OPS_OF_MODULE.get(layer_class, ()):
        kind = "module"
        if not called:
            # Answered without running its Python.
            function = FUNCTION_OF_OP.get(row.op, "")
    return Origin(
        kind,
        function,
        called.arguments if called else {},
        module_class,
        exact,
        row.call,
        calls[scope],
        occurrences,
        origins.batch,
        inside,
        training,
    )


def _composite(
    composite: Composite,
    engine: Any,
    origins: Origins,
    calls: list[int],
    around: list[Composite],
) -> Place:
    scope = engine.scope_at(composite.scope)
    module_class, training, occurrences = origins.scopes[composite.scope]
    origin = Origin(
        "composite",
        "",
        {},
        module_class,
        _layer_class(module_class)[1],
        scope.call,
        calls[composite.scope],
        occurrences,
        origins.batch,
        tuple(other.op for other in around),
        training,
    )
    view = LayerView(
        composite.op,
        scope.path,
        composite.attributes,
        composite.inputs,
        composite.outputs,
        *(0,) * 9,
        origin=origin,
    )
    return Place(composite.first_row, scope.path, view)


def _layer_class(module_class: type | None) -> tuple[str, bool]:
    """The class of torch.nn that a class is or derives from, and whether it is that very class."""
    for ancestor in module_class.__mro__ if module_class else ():
        if ancestor.__module__.startswith("torch.nn.modules."):
            if ancestor.__name__ in OPS_OF_MODULE:
                return ancestor.__name__, ancestor is module_class
    return "", False


def _numbers_of_calls(engine: Any, origins: Origins) -> list[int]:
    """How often the module of each scope was called, by scope."""
    scopes = [engine.scope_at(number) for number in range(len(origins.scopes))]
    times: dict[str, int] = {}
    for scope in scopes:
        times[scope.path] = max(times.get(scope.path, 0), scope.call + 1)
    return [times[scope.path] for scope in scopes]


def _first_input(engine: Any) -> int | None:
    """The first size of the first input of a network that was built."""
    for index in range(len(engine)):
        for tensor in engine.node(index).inputs:
            if engine.kind(tensor) == "input":
                shape = engine.shape(tensor)
                return shape[0] if shape else None
    return None
