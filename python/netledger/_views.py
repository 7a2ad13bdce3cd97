"""The layers of a counted model as rules of conventions see them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from netledger._origin import Composite, Origin, Origins, built
from netledger._results import Node, Scope
from netledger._torch_names import FUNCTION_OF_OP, OPS_OF_MODULE
from netledger.metrics import LayerView

if TYPE_CHECKING:
    from netledger.ledger import Ledger, Row

__all__ = ["Place", "composite_view", "first_batch", "origins_of_space", "places_of"]


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
        batch = first_batch(engine)
    for index, composite, origin in _walk(engine, origins):
        row = rows[index]
        if composite is not None:
            path = engine.scope_at(composite.scope).path
            yield Place(index, path, composite_view(composite, path, origin))
            continue
        if origins is None:
            origin = replace(origin, batch=batch)
        yield Place(index, row.path, _view(row, engine.node(index).weights, origin, engine))


def origins_of_space(engine: Any, origins: Origins | None) -> list[tuple[int, Any, Origin]]:
    """Of every layer and composite of a space its index, the composite or None, its origin."""
    batch = first_batch(engine)
    return [
        (index, composite, replace(origin, batch=batch))
        for index, composite, origin in _walk(engine, origins)
    ]


def _walk(engine: Any, origins: Origins | None) -> Iterator[tuple[int, Composite | None, Origin]]:
    """Every layer of a graph, composites before their parts."""
    if origins is None:
        for index in range(len(engine)):
            yield index, None, built(engine.node(index).op)
        return
    calls = _numbers_of_calls(engine, origins)
    composites = iter(origins.composites)
    upcoming = next(composites, None)
    around: list[Composite] = []
    for index in range(len(engine)):
        while around and around[-1].end_row <= index:
            around.pop()
        while upcoming is not None and upcoming.first_row <= index:
            if upcoming.end_row > upcoming.first_row:
                yield index, upcoming, _composite_origin(upcoming, engine, origins, calls, around)
                around.append(upcoming)
            upcoming = next(composites, None)
        node = engine.node(index)
        if node.scope >= len(calls):  # added to the graph after the trace
            yield index, None, built(node.op)
            continue
        inside = tuple(composite.op for composite in around)
        yield index, None, _origin(node, engine.scope_at(node.scope), origins, calls, inside)


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
    node: Node, scope: Scope, origins: Origins, calls: list[int], inside: tuple[str, ...]
) -> Origin:
    module_class, name, layer_class, exact, training, occurrences = origins.scopes[node.scope]
    called = origins.functions.get(node.index)
    function = called.name if called else ""
    kind = "function" if called else "operator"
    if node.op in OPS_OF_MODULE.get(layer_class, ()):
        kind = "module"
        if not called:
            # Answered without running its Python.
            function = FUNCTION_OF_OP.get(node.op, "")
    return Origin(
        kind,
        function,
        called.arguments if called else {},
        module_class,
        name,
        exact,
        scope.call,
        calls[node.scope],
        occurrences,
        origins.batch,
        inside,
        training,
        module_class is not None and not scope.path,
    )


def _composite_origin(
    composite: Composite,
    engine: Any,
    origins: Origins,
    calls: list[int],
    around: list[Composite],
) -> Origin:
    module_class, name, _, exact, training, occurrences = origins.scopes[composite.scope]
    scope = engine.scope_at(composite.scope)
    return Origin(
        "composite",
        "",
        {},
        module_class,
        name,
        exact,
        scope.call,
        calls[composite.scope],
        occurrences,
        origins.batch,
        tuple(other.op for other in around),
        training,
        not scope.path,
    )


def composite_view(composite: Composite, path: str, origin: Origin) -> LayerView:
    """A composite as a rule sees it: without costs, which are those of its parts."""
    return LayerView(
        composite.op,
        path,
        composite.attributes,
        composite.inputs,
        composite.outputs,
        *(0,) * 9,
        origin=origin,
    )


def _numbers_of_calls(engine: Any, origins: Origins) -> list[int]:
    """How often the module of each scope was called, by scope."""
    scopes = [engine.scope_at(number) for number in range(len(origins.scopes))]
    times: dict[str, int] = {}
    for scope in scopes:
        times[scope.path] = max(times.get(scope.path, 0), scope.call + 1)
    return [times[scope.path] for scope in scopes]


def first_batch(engine: Any) -> Any:
    """The first size of the first input of a network, None without one."""
    for index in range(len(engine)):
        for tensor in engine.node(index).inputs:
            if engine.kind(tensor) == "input":
                shape = engine.shape(tensor)
                return shape[0] if shape else None
    return None
