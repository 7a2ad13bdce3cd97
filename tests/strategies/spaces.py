"""Small random design spaces: switches, repeats, optional layers, constraints, shared parameters.

A recipe is plain data, so that the same space can be built more than once; `build` builds it. Some
recipes make no space (a layer that is always refused, say): `build` then raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

import netledger as nl

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: (sizes of the input, steps, constraints)
Recipe = tuple[tuple[int, ...], tuple[Any, ...], tuple[Any, ...]]

#: A recipe whose variables have more combinations is left alone.
MOST_COMBINATIONS = 20_000

widths = st.lists(st.sampled_from([2, 3, 4, 6, 8]), min_size=1, max_size=3, unique=True)
kernels = st.lists(st.sampled_from([1, 2, 3, 5]), min_size=1, max_size=3, unique=True)
strides = st.lists(st.sampled_from([1, 2]), min_size=1, max_size=2, unique=True)
few_times = st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=3, unique=True)
flags = st.sampled_from([True, False, None])

convolution = st.tuples(
    st.just("conv"),
    st.sampled_from(["own", "own", "reused", "scaled", "input"]),
    widths,
    kernels,
    strides,
    st.sampled_from(["half", "half", "none", "same"]),
    flags,
)
simple = st.one_of(
    convolution,
    st.tuples(st.just("norm")),
    st.tuples(st.just("relu")),
    st.tuples(st.just("pool"), kernels),
    st.tuples(st.just("shared")),
    st.tuples(st.just("softmax"), st.sampled_from([(1,), (1, 2), (2, 3)])),
    st.tuples(st.just("squeeze_and_excite"), st.sampled_from([2, 4])),
)


def nested(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Steps that hold other steps."""
    several = st.lists(steps, min_size=0, max_size=2).map(tuple)
    return st.one_of(
        st.tuples(st.just("switch"), st.lists(several, min_size=1, max_size=3).map(tuple)),
        st.tuples(st.just("unrolled"), few_times, several),
        st.tuples(st.just("multiplied"), few_times, several),
        st.tuples(st.just("optional"), several),
        st.tuples(st.just("residual"), several),
    )


steps = st.recursive(simple, nested, max_leaves=4)


def recipes() -> st.SearchStrategy[Recipe]:
    """Recipes of small spaces."""
    shapes = st.tuples(
        st.sampled_from([1, 1, 2]),
        st.sampled_from([2, 3, 4]),
        st.integers(3, 9),
        st.integers(3, 9),
    )
    constraints = st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["<=", "!=", "sum"])),
        max_size=1,
    )
    return st.tuples(
        shapes, st.lists(steps, min_size=1, max_size=4).map(tuple), constraints.map(tuple)
    )


class Builder:
    """Builds the space of a recipe."""

    def __init__(self) -> None:
        self.space = nl.Space()
        self.numbers: list[Any] = []
        self.parameter: Any = None
        # Variables are named by their place in the recipe: a block that is built twice finds them.
        self.prefix = "v"
        self.count = 0

    def build(self, recipe: Recipe) -> nl.Space:
        """The space of a recipe."""
        shape, given_steps, constraints = recipe
        space = self.space
        x = space.input(*shape)
        self.parameter = space.parameter(1, 1, 1, 1)
        x = self.chain(given_steps, x)
        x = nl.flatten(nl.adaptive_avg_pool2d(x, 1), 1)
        space.output(nl.linear(x, 10))
        for left, right, kind in constraints:
            if self.numbers:
                a = self.numbers[left % len(self.numbers)]
                b = self.numbers[right % len(self.numbers)]
                condition = {"<=": a <= b + 1, "!=": a != b + 1, "sum": a + b <= 9}[kind]
                space.require(condition, f"{kind} of two choices")
        return space

    def chain(self, given_steps: Sequence[Any], x: nl.Tensor) -> nl.Tensor:
        """Steps one after the other."""
        for kind, *arguments in given_steps:
            step: Callable[..., nl.Tensor] = getattr(self, kind)
            x = step(x, *arguments)
        return x

    def name(self) -> str:
        """A new variable's name."""
        self.count += 1
        return f"{self.prefix}{self.count}"

    def choice(self, values: Sequence[Any]) -> Any:
        """A new variable, or the value if there is only one."""
        if len(values) == 1:
            return values[0]
        chosen = self.space.choice(self.name(), values)
        if all(type(value) is int for value in values):
            self.numbers.append(chosen)
        return chosen

    def conv(
        self,
        x: nl.Tensor,
        source: str,
        listed: Sequence[int],
        kernel_sizes: Sequence[int],
        listed_strides: Sequence[int],
        padding: str,
        bias: bool | None,
    ) -> nl.Tensor:
        """A convolution of which everything may be chosen."""
        if source == "reused" and self.numbers:
            width = self.numbers[0] + 1
        elif source == "scaled":
            width = nl.make_divisible(self.choice(listed) * 1.5, 2)
        elif source == "input":
            width = x.shape[1]
        else:
            width = self.choice(listed)
        kernel = self.choice(kernel_sizes)
        stride = 1 if padding == "same" else self.choice(listed_strides)
        return nl.conv2d(
            x,
            width,
            kernel,
            stride=stride,
            padding={"half": kernel // 2, "none": 0, "same": "same"}[padding],
            bias=self.choice([True, False]) if bias is None else bias,
        )

    def norm(self, x: nl.Tensor) -> nl.Tensor:
        """A batch norm."""
        return nl.batch_norm(x)

    def relu(self, x: nl.Tensor) -> nl.Tensor:
        """An activation."""
        return nl.relu(x)

    def pool(self, x: nl.Tensor, kernel_sizes: Sequence[int]) -> nl.Tensor:
        """A pooling that is refused where its kernel is larger than the input."""
        return nl.max_pool2d(x, self.choice(kernel_sizes), stride=1)

    def softmax(self, x: nl.Tensor, dims: Sequence[int]) -> nl.Tensor:
        """A layer with an attribute that must be plain."""
        return nl.softmax(x, dim=self.choice(dims))

    def shared(self, x: nl.Tensor) -> nl.Tensor:
        """A layer that reads a parameter that others read too."""
        return nl.add(x, self.parameter)

    def squeeze_and_excite(self, x: nl.Tensor, ratio: int) -> nl.Tensor:
        """Two convolutions on the mean of every channel."""
        y = nl.conv2d(nl.adaptive_avg_pool2d(x, 1), nl.maximum(x.shape[1] // ratio, 1), 1)
        return nl.mul(x, nl.conv2d(nl.relu(y), x.shape[1], 1))

    def switch(self, x: nl.Tensor, branches: Sequence[Sequence[Any]]) -> nl.Tensor:
        """One of several chains."""

        def branch(listed: Sequence[Any]) -> Callable[[nl.Tensor], nl.Tensor]:
            return lambda x: self.chain(listed, x)

        return self.space.switch(
            self.name(), {f"branch {i}": branch(listed) for i, listed in enumerate(branches)}, x
        )

    def unrolled(self, x: nl.Tensor, times: Sequence[int], listed: Sequence[Any]) -> nl.Tensor:
        """Elastic depth: every iteration has choices of its own."""
        return self.space.repeat(self.choice(times), lambda i, x: self.chain(listed, x), x)

    def multiplied(self, x: nl.Tensor, times: Sequence[int], listed: Sequence[Any]) -> nl.Tensor:
        """Identical blocks."""
        prefix = f"{self.name()}_"

        def block(x: nl.Tensor) -> nl.Tensor:
            outer = self.prefix, self.count
            self.prefix, self.count = prefix, 0
            try:
                return self.chain(listed, x)
            finally:
                self.prefix, self.count = outer

        return self.space.repeat(self.choice(times), block, x)

    def optional(self, x: nl.Tensor, listed: Sequence[Any]) -> nl.Tensor:
        """Layers that are there or not."""
        used = self.choice([False, True])
        with self.space.when(used):
            y = self.chain(listed, x)
        return self.space.pick(used, [x, y])

    def residual(self, x: nl.Tensor, listed: Sequence[Any]) -> nl.Tensor:
        """A sum of what goes in and what comes out, refused where their sizes differ."""
        return nl.add(x, self.chain(listed, x))


def build(recipe: Recipe) -> nl.Space:
    """The space of a recipe.

    Raises:
        NetledgerError: the recipe makes no space.
    """
    return Builder().build(recipe)
