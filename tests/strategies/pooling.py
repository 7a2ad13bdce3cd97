"""Layers of the pooling family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

positive = st.integers(1, 5)


def per_dimension(draw: Callable, entries: list[int]) -> int | tuple[int, ...]:
    """The entries; one that is the same in all dimensions sometimes stands for them."""
    return entries[0] if len(set(entries)) == 1 and draw(st.booleans()) else tuple(entries)


def drawn_sizes(draw: Callable, spatial: int, entries: st.SearchStrategy[int]) -> list[int]:
    """Sizes in all dimensions, half of the time the same."""
    if draw(st.booleans()):
        return [draw(entries)] * spatial
    return [draw(entries) for _ in range(spatial)]


def some_of(draw: Callable, attributes: dict[str, object]) -> dict[str, object]:
    """Attributes that have defaults, each given or not."""
    return {name: value for name, value in attributes.items() if draw(st.booleans())}


def leading(draw: Callable) -> tuple[int, ...]:
    """Batch and channels, or channels alone."""
    return (*draw(st.sampled_from([(), (0,), (1,), (3,)])), draw(st.integers(1, 3)))


def windowed(draw: Callable, op: str, spatial: int, *names: str) -> Drawn:
    """Pooling over windows, with attributes of which some are given."""
    kernel = drawn_sizes(draw, spatial, positive)
    choices: dict[str, object] = {
        "stride": per_dimension(draw, drawn_sizes(draw, spatial, positive)),
        "padding": per_dimension(draw, [draw(st.integers(0, size // 2)) for size in kernel]),
        "dilation": per_dimension(draw, drawn_sizes(draw, spatial, st.integers(1, 3))),
        "ceil_mode": draw(st.booleans()),
        "return_indices": draw(st.booleans()),
        "count_include_pad": draw(st.booleans()),
        "divisor_override": draw(st.sampled_from([None, -1, 0, 3])),
    }
    attributes = some_of(draw, {name: choices[name] for name in names})
    reach = 3 if "dilation" in attributes else 1
    sizes = [draw(st.integers(max(size - 1, 1), reach * size + 4)) for size in kernel]
    attributes["kernel_size"] = per_dimension(draw, kernel)
    return f"{op}{spatial}d", [(*leading(draw), *sizes)], attributes


def max_pool(draw: Callable, spatial: int) -> Drawn:
    names = ("stride", "padding", "dilation", "ceil_mode", "return_indices")
    return windowed(draw, "max_pool", spatial, *names)


def avg_pool(draw: Callable, spatial: int) -> Drawn:
    names = ["stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"]
    return windowed(draw, "avg_pool", spatial, *names[: 4 if spatial == 1 else 5])


def lp_pool(draw: Callable, spatial: int) -> Drawn:
    return windowed(draw, "lp_pool", spatial, "stride", "ceil_mode")


def adaptive_avg_pool(draw: Callable, spatial: int) -> Drawn:
    x = (*leading(draw), *(draw(st.integers(1, 12)) for _ in range(spatial)))
    target = drawn_sizes(draw, spatial, st.integers(-1, 12))
    return f"adaptive_avg_pool{spatial}d", [x], {"output_size": per_dimension(draw, target)}


def adaptive_max_pool(draw: Callable, spatial: int) -> Drawn:
    _, inputs, attributes = adaptive_avg_pool(draw, spatial)
    attributes.update(some_of(draw, {"return_indices": True}))
    return f"adaptive_max_pool{spatial}d", inputs, attributes


def fractional_max_pool(draw: Callable, spatial: int) -> Drawn:
    spatial = max(spatial, 2)
    kernel = drawn_sizes(draw, spatial, positive)
    target = drawn_sizes(draw, spatial, st.integers(0, 6))
    spare = st.integers(-1, 3)
    sizes = [max(k + out + draw(spare), 1) for k, out in zip(kernel, target, strict=True)]
    attributes = {
        "kernel_size": per_dimension(draw, kernel),
        "output_size": per_dimension(draw, target),
        **some_of(draw, {"return_indices": True}),
    }
    return f"fractional_max_pool{spatial}d", [(*leading(draw), *sizes)], attributes


def max_unpool(draw: Callable, spatial: int) -> Drawn:
    kernel = drawn_sizes(draw, spatial, positive)
    stride = drawn_sizes(draw, spatial, positive)
    padding = [draw(st.integers(0, size // 2)) for size in kernel]
    sizes = [draw(positive) for _ in range(spatial)]
    target = [
        (size - 1) * s - 2 * p + k + draw(st.integers(-s, s))
        for size, s, p, k in zip(sizes, stride, padding, kernel, strict=True)
    ]
    attributes: dict[str, object] = {
        "kernel_size": per_dimension(draw, kernel),
        "stride": per_dimension(draw, stride),
        "padding": per_dimension(draw, padding),
    }
    if draw(st.booleans()):
        whole = draw(st.booleans())
        attributes["output_size"] = (2, 3, *target) if whole else per_dimension(draw, target)
    if draw(st.integers(0, 3)) == 0:
        del attributes["stride"]
    x = (*leading(draw), *sizes)
    return f"max_unpool{spatial}d", [x, x], attributes


LAYERS = (
    max_pool,
    avg_pool,
    lp_pool,
    adaptive_avg_pool,
    adaptive_max_pool,
    fractional_max_pool,
    max_unpool,
)


@st.composite
def _valid(draw: Callable) -> Drawn:
    return draw(st.sampled_from(LAYERS))(draw, draw(st.integers(1, 3)))


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
