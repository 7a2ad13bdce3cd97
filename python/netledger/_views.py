"""The layers of a counted model as rules of conventions see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from netledger._collection import paused
from netledger._origin import Composite, Origin, Origins, Source, built
from netledger._results import Node, Scope
from netledger._torch_names import FUNCTION_OF_OP, OPS_OF_MODULE
from netledger.ledger import name_of
from netledger.metrics import LayerView

if TYPE_CHECKING:
    from netledger.ledger import Ledger

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
    with paused():
        return list(_places(ledger))


def _places(ledger: Ledger) -> Iterator[Place]:
    engine, origins = ledger._engine, ledger._origins
    nodes, scope, shape = ledger._nodes, ledger._scope, engine.shape
    costs_of_rows = list(ledger._costs_of_rows())
    batch = first_batch(engine) if origins is None else None
    seen: set[int | None] = set()
    for index, composite, found in _walk(nodes, scope, origins, engine.outputs):
        if composite is not None:
            path = scope(composite.scope).path
            yield Place(index, path, composite_view(composite, path, found))
            continue
        node, costs, at = nodes[index], costs_of_rows[index], scope(nodes[index].scope)
        origin = found if origins is not None else replace(found, batch=batch)
        held = costs[0]
        if not seen.isdisjoint(node.weights):
            held = _held(engine, node.weights)
        seen.update(node.weights)
        seen.discard(None)
        facts: tuple[Any, ...] = (
            node.op,
            name_of(node, at),
            node.attributes,
            tuple(map(shape, node.inputs)),
            tuple(map(shape, node.outputs)),
            *costs,
            held,
            origin,
        )
        view = LayerView(*facts)
        yield Place(index, at.path, view)


def origins_of_space(engine: Any, origins: Origins | None) -> list[tuple[int, Any, Origin]]:
    """Of every layer and composite of a space its index, the composite or None, its origin."""
    batch = first_batch(engine)
    nodes = [engine.node(index) for index in range(len(engine))]
    return [
        (index, composite, replace(origin, batch=batch))
        for index, composite, origin in _walk(nodes, engine.scope_at, origins, ())
    ]


def _walk(
    nodes: Sequence[Node],
    scope_at: Callable[[int], Scope],
    origins: Origins | None,
    outputs: Sequence[int],
) -> Iterator[tuple[int, Composite | None, Origin]]:
    """Every layer of a graph, composites before their parts."""
    sources = _sources(nodes, outputs)
    read = _read(nodes, outputs)
    if origins is None:
        for index, node in enumerate(nodes):
            yield index, None, _built(node, sources, read[index])
        return
    calls = _numbers_of_calls(scope_at, origins)
    composites = iter(origins.composites)
    upcoming = next(composites, None)
    around: list[Composite] = []
    inside: tuple[str, ...] = ()
    fusible = False

    def is_fusible(composite: Composite) -> bool:
        return composite.fusible and not origins.scopes[composite.scope].training

    for index, node in enumerate(nodes):
        while around and around[-1].end_row <= index:
            around.pop()
            inside = tuple(composite.op for composite in around)
            fusible = any(map(is_fusible, around))
        while upcoming is not None and upcoming.first_row <= index:
            if upcoming.end_row > upcoming.first_row:
                is_read = any(read[upcoming.first_row : upcoming.end_row])
                origin = _composite_origin(upcoming, scope_at, origins, calls, inside, is_read)
                yield index, upcoming, origin
                around.append(upcoming)
                inside = tuple(composite.op for composite in around)
                fusible = any(map(is_fusible, around))
            upcoming = next(composites, None)
        if node.scope >= len(calls):  # added to the graph after the trace
            yield index, None, _built(node, sources, read[index])
            continue
        scope = scope_at(node.scope)
        source = sources.get(node.inputs[0]) if node.inputs else None
        yield (
            index,
            None,
            _origin(node, scope, origins, calls, inside, fusible, source, read[index]),
        )


def _built(node: Node, sources: dict[int, Source], is_read: bool) -> Origin:
    """The origin of a layer that was built, with the layer that it reads."""
    source = sources.get(node.inputs[0]) if node.inputs else None
    if source is None and is_read:
        return built(node.op)
    return replace(built(node.op), source=source, is_read=is_read)


def _sources(nodes: Sequence[Node], outputs: Sequence[int]) -> dict[int, Source]:
    """The layer that made each tensor."""
    readers = Counter(tensor for node in nodes for tensor in node.inputs)
    readers.update(outputs)
    sources: dict[int, Source] = {}
    for node in nodes:
        before = sources.get(node.inputs[0]) if node.inputs else None
        bias = bool(node.attributes.get("bias"))
        for tensor in node.outputs:
            sources[tensor] = Source(node.op, bias, readers[tensor], before)
    return sources


def _read(nodes: Sequence[Node], outputs: Sequence[int]) -> list[bool]:
    """Of each layer, whether an output of the network depends on it."""
    if not outputs:
        return [True] * len(nodes)
    needed: set[int | None] = set(outputs)
    read = [False] * len(nodes)
    for index in range(len(nodes) - 1, -1, -1):
        node = nodes[index]
        if node.inplace or not needed.isdisjoint(node.outputs):
            read[index] = True
            needed.update(node.inputs, node.weights)
    return read


def _held(engine: Any, weights: Iterable[int | None]) -> int:
    """Elements of the parameters among some weights."""
    return sum(
        prod(engine.shape(weight))
        for weight in set(weights)
        if weight is not None and engine.kind(weight) == "parameter"
    )


def _origin(
    node: Node,
    scope: Scope,
    origins: Origins,
    calls: list[int],
    inside: tuple[str, ...],
    fusible: bool,
    source: Source | None,
    is_read: bool,
) -> Origin:
    ancestry, layer_class, exact, training, occurrences, leaf = origins.scopes[node.scope]
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
        ancestry,
        exact,
        scope.call,
        calls[node.scope],
        occurrences,
        origins.batch,
        inside,
        training,
        bool(ancestry) and not scope.path,
        leaf,
        fusible,
        source,
        is_read,
    )


def _composite_origin(
    composite: Composite,
    scope_at: Callable[[int], Scope],
    origins: Origins,
    calls: list[int],
    inside: tuple[str, ...],
    is_read: bool,
) -> Origin:
    ancestry, _, exact, training, occurrences, leaf = origins.scopes[composite.scope]
    scope = scope_at(composite.scope)
    return Origin(
        "composite",
        "",
        {},
        ancestry,
        exact,
        scope.call,
        calls[composite.scope],
        occurrences,
        origins.batch,
        inside,
        training,
        not scope.path,
        leaf,
        composite.fusible and not training,
        is_read=is_read,
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


def _numbers_of_calls(scope_at: Callable[[int], Scope], origins: Origins) -> list[int]:
    """How often the module of each scope was called, by scope."""
    scopes = [scope_at(number) for number in range(len(origins.scopes))]
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
