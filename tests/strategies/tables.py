"""Small random spaces whose costs are tables over a few variables each, of any shape.

Chains, trees, cycles and stars of tables, variables that are inactive under others, constraints
between pairs, costs of either sign, with a common divisor or without. A recipe is plain data, so
that the same space can be built more than once; `build` builds it.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

import netledger as nl

#: (sizes, gates, terms of "first", terms of "second", constraints)
Recipe = tuple[tuple[int, ...], tuple[Any, ...], tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]

#: A recipe has at most so many rows of codes.
MOST_ROWS = 1_500

#: Limits of what a table adds, and what all of it is a multiple of.
SCALES = ((0, 3, 1), (0, 40, 1), (-5, 5, 1), (0, 9, 24), (-(2**40), 2**40, 1), (7, 7, 1))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Recipes of spaces of tables."""
    sizes: list[int] = []
    for size in draw(st.lists(st.integers(1, 5), min_size=1, max_size=7)):
        if prod((*sizes, size)) <= MOST_ROWS:
            sizes.append(size)
    numbers = st.integers(0, len(sizes) - 1)
    # A variable is active where one before it has at least some code.
    gates = tuple(
        draw(st.none() | st.tuples(st.integers(0, number - 1), st.integers(1, 3)))
        if number and draw(st.booleans())
        else None
        for number in range(len(sizes))
    )
    scopes = st.one_of(
        numbers.map(lambda number: (number,)),
        # Of neighbours: chains.
        numbers.map(lambda number: tuple({max(number - 1, 0), number})),
        st.sets(numbers, min_size=1, max_size=3).map(tuple),
    ).map(lambda scope: tuple(sorted(scope)))
    terms = st.lists(
        st.tuples(scopes, st.integers(0, 10**6), st.sampled_from(SCALES)), min_size=1, max_size=8
    ).map(tuple)
    constraints = st.lists(
        st.tuples(scopes, st.integers(0, 10**6), st.sampled_from([0.5, 0.8, 0.95])), max_size=2
    ).map(tuple)
    return tuple(sizes), gates, draw(terms), draw(terms), draw(constraints)


def build(recipe: Recipe) -> nl.Space:
    """The space of a recipe, with the metrics "first" and "second".

    Raises:
        SpaceError: the constraints refuse everything, as far as that is seen.
    """
    sizes, gates, *terms, constraints = recipe
    space = nl.Space()
    variables: list[Any] = []
    for number, (size, gate) in enumerate(zip(sizes, gates, strict=True)):
        condition = None if gate is None else variables[gate[0]] >= gate[1]
        if condition is not None and not isinstance(condition, nl.quantity.Quantity):
            condition = None
        variables.append(space.choice(f"v{number}", range(size), when=condition))
    space.output(nl.linear(space.input(1, 2), 3))

    def shape(scope: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sizes[number] for number in scope)

    for name, listed in zip(("first", "second"), terms, strict=True):
        costs = []
        for scope, seed, (low, high, step) in listed:
            drawn = np.random.default_rng(seed).integers(low, high, shape(scope), endpoint=True)
            costs.append(nl.tabulate(drawn * step, *(variables[number] for number in scope)))
        space.add_metric(name, costs)
    for scope, seed, rate in constraints:
        allowed = np.random.default_rng(seed).random(shape(scope)) < rate
        space.require(nl.tabulate(allowed, *(variables[number] for number in scope)))
    return space
