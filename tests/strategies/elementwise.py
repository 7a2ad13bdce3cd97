"""Layers of the elementwise family: mostly valid, sometimes not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from netledger.formulas import elementwise
from netledger.formulas._layer import OPERATIONS
from strategies.spoiling import sometimes_spoiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from strategies.spoiling import Drawn

sizes = st.sampled_from([0, 1, 1, 2, 3, 5])


@st.composite
def _valid(draw: Callable) -> Drawn:
    """Operands cut out of a common shape, with some of its sizes 1."""
    op = draw(st.sampled_from(elementwise.__all__))
    operation = OPERATIONS[op]
    least, most = operation.minimum_inputs, operation.maximum_inputs or 1
    common = draw(st.lists(sizes, max_size=5))
    operands = []
    for _ in range(draw(st.integers(least, most))):
        kept = common[draw(st.integers(0, len(common))) :]
        operands.append(tuple(draw(st.sampled_from([1, size, size])) for size in kept))
    return op, operands, {}


def layers() -> st.SearchStrategy[Drawn]:
    """An op of the family, the shapes of its inputs, its attributes."""
    return sometimes_spoiled(_valid())
