"""Valid layers turned, now and then, into layers that are most likely invalid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

#: An op, the shapes of its inputs, its attributes.
Drawn = tuple[str, list[tuple[int, ...]], dict[str, object]]

CHANGES = (-7, -2, -1, 1, 2, 5)


def _changed_sequence(
    draw: Callable, values: tuple[int, ...], least: int | None
) -> tuple[int, ...]:
    """One entry changed, dropped, added or exchanged with another."""
    entries = list(values)
    way = draw(st.sampled_from(["change", "drop", "add", "exchange"])) if entries else "add"
    position = draw(st.integers(0, max(len(entries) - 1, 0)))
    if way == "change":
        entries[position] += draw(st.sampled_from(CHANGES))
    elif way == "drop":
        del entries[position]
    elif way == "add":
        entries.insert(position, draw(st.integers(-2, 3)))
    else:
        other = draw(st.integers(0, len(entries) - 1))
        entries[position], entries[other] = entries[other], entries[position]
    return tuple(entry if least is None else max(entry, least) for entry in entries)


@st.composite
def sometimes_spoiled(draw: Callable, layers: st.SearchStrategy[Drawn]) -> Drawn:
    """A layer, one time in four with one attribute, one size or the number of inputs changed."""
    op, shapes, attributes = draw(layers)
    numbers = [
        name
        for name, value in attributes.items()
        if isinstance(value, tuple) or (isinstance(value, int) and not isinstance(value, bool))
    ]
    targets = ["shape"] * 2 * bool(shapes) + ["attribute"] * 3 * bool(numbers) + ["inputs"]
    if draw(st.integers(0, 3)) > 0:
        return op, shapes, attributes
    target = draw(st.sampled_from(targets))
    if target == "shape":
        position = draw(st.integers(0, len(shapes) - 1))
        shapes = list(shapes)
        shapes[position] = _changed_sequence(draw, shapes[position], 0)
    elif target == "attribute":
        name = draw(st.sampled_from(numbers))
        value = attributes[name]
        changed = (
            value + draw(st.sampled_from(CHANGES))
            if isinstance(value, int)
            else _changed_sequence(draw, value, None)
        )
        attributes = {**attributes, name: changed}
    elif shapes and draw(st.booleans()):
        shapes = shapes[:-1]
    else:
        shapes = [*shapes, draw(st.sampled_from([(2,), (3, 2), *shapes]))]
    return op, shapes, attributes
