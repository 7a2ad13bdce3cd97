"""Einstein summation: reads the equation and contracts the operands pairwise from the left."""

from __future__ import annotations

from collections import Counter
from math import prod
from string import ascii_letters
from typing import TYPE_CHECKING

from netledger.formulas._broadcast import broadcast_size, broadcasts
from netledger.formulas._contraction import Arithmetic, dot_products
from netledger.formulas._layer import Layer, Shape, refuse, require

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

#: A letter, or a dimension under '...': "...15" is the last of them. Sorted, labels stand in the
#: order of an implicit output: what '...' covers, then A to Z, then a to z.
Label = str
#: A tensor's sizes by label.
Operand = dict[Label, int]

ELLIPSIS = "..."
MAXIMUM_RANK = 16


def contract_operands(equation: str, shapes: Sequence[Shape]) -> Layer:
    """The layer whose inputs are the operands of an equation."""
    terms, output_term = _read_equation(equation)
    require(
        len(terms) == len(shapes),
        f"equation '{equation}' names {len(terms)} operands, got {len(shapes)}",
    )
    operands: list[Operand] = []
    uses: Counter[Label] = Counter()
    common: Operand = {}
    for index, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        operand = _read_operand(equation, term, shape, index)
        operands.append(operand)
        for label in sorted(operand):
            seen, size = common.get(label, 1), operand[label]
            require(
                broadcasts(seen, size),
                f"subscript '{_name(label)}' stands for sizes {seen} and {size}, "
                "which do not broadcast",
            )
            common[label] = broadcast_size(seen, size)
            uses[label] += term.count(label) if label in ascii_letters else 1

    kept = _output_labels(equation, output_term, uses)
    require(len(kept) <= MAXIMUM_RANK, f"a tensor has at most {MAXIMUM_RANK} dimensions")

    arithmetic = Arithmetic()
    result = operands[0]
    for index in range(1, len(operands)):
        needed = set(kept).union(*operands[index + 1 :])
        result, part = _contract_pair(result, operands[index], needed)
        arithmetic += part
    result, part = _sum_alone(result, kept)
    arithmetic += part
    return Layer(
        shapes=(tuple(common[label] for label in kept),),
        macs=arithmetic.macs,
        flops=arithmetic.flops,
    )


def _name(label: Label) -> str:
    return label[:3]


def _read_equation(equation: str) -> tuple[list[list[Label]], list[Label] | None]:
    """The terms of the operands, and that of the output if there is one."""
    operands, arrow, output = equation.partition("->")
    terms = [_read_term(equation, term) for term in operands.split(",")]
    return terms, _read_term(equation, output) if arrow else None


def _read_term(equation: str, text: str) -> list[Label]:
    """The letters of a term, and ELLIPSIS for dimensions without a letter."""
    term: list[Label] = []
    position = 0
    while position < len(text):
        character = text[position]
        if character in ascii_letters:
            term.append(character)
        elif text.startswith(ELLIPSIS, position):
            require(ELLIPSIS not in term, f"equation '{equation}' has '...' twice in a term")
            term.append(ELLIPSIS)
            position += 2
        elif character != " ":
            refuse(f"equation '{equation}' may hold only letters, spaces, ',', '...' and one '->'")
        position += 1
    return term


def _read_operand(equation: str, term: Sequence[Label], shape: Shape, index: int) -> Operand:
    """An operand as the equation sees it: of a repeated label the diagonal."""
    named = len(term) - (ELLIPSIS in term)
    require(
        named <= len(shape) if ELLIPSIS in term else named == len(shape),
        f"operand {index} has {len(shape)} dimensions but equation '{equation}' names {named}",
    )
    operand: Operand = {}
    sizes = iter(shape)
    for label in term:
        if label == ELLIPSIS:
            for covered in range(MAXIMUM_RANK - len(shape) + named, MAXIMUM_RANK):
                operand[f"{ELLIPSIS}{covered:02}"] = next(sizes)
            continue
        size = next(sizes)
        require(
            operand.get(label, size) == size,
            f"subscript '{label}' repeats in operand {index} over sizes "
            f"{operand.get(label)} and {size}, which must be equal",
        )
        operand[label] = size
    return operand


def _output_labels(
    equation: str, term: Sequence[Label] | None, uses: Mapping[Label, int]
) -> list[Label]:
    """The labels of the output, in order. `uses`: how often each label stands in the operands."""
    covered = sorted(label for label in uses if label.startswith(ELLIPSIS))
    if term is None:
        return covered + sorted(
            label for label in uses if label in ascii_letters and uses[label] == 1
        )
    labels: list[Label] = []
    for label in term:
        if label == ELLIPSIS:
            labels.extend(covered)
            continue
        require(
            label not in labels,
            f"the output of equation '{equation}' repeats subscript '{label}'",
        )
        require(
            label in uses,
            f"the output of equation '{equation}' has subscript '{label}', which no operand has",
        )
        labels.append(label)
    return labels


def _require_terms(label: Label, terms: int) -> None:
    require(
        terms > 0,
        f"the summed subscript '{_name(label)}' must have a positive size, got {terms}",
    )


def _sum_alone(operand: Operand, needed: Collection[Label]) -> tuple[Operand, Arithmetic]:
    """Sum one operand over the labels that are not needed.

    Each sum takes an addition less than it has elements.
    """
    for label in sorted(operand.keys() - set(needed)):
        _require_terms(label, operand[label])
    summed = {label: size for label, size in operand.items() if label in needed}
    return summed, Arithmetic(flops=prod(operand.values()) - prod(summed.values()))


def _contract_pair(
    left: Operand, right: Operand, needed: Collection[Label]
) -> tuple[Operand, Arithmetic]:
    """Multiply two operands and sum over the labels that are not needed."""
    shared = left.keys() & right.keys()
    left, left_sums = _sum_alone(left, shared.union(needed))
    right, right_sums = _sum_alone(right, shared.union(needed))
    arithmetic = left_sums + right_sums

    summed = sorted(shared.difference(needed))
    alone = prod(left.values()) + prod(right.values())
    for label in summed:
        _require_terms(label, broadcast_size(left[label], right[label]))
        # Where one of them has size 1, the other is summed alone.
        left[label] = right[label] = min(left[label], right[label])
    arithmetic += Arithmetic(flops=alone - prod(left.values()) - prod(right.values()))

    result = {
        label: broadcast_size(left.get(label, 1), right.get(label, 1))
        for label in left.keys() | right.keys()
        if label in needed
    }
    outputs = prod(result.values())
    if summed:
        return result, arithmetic + dot_products(outputs, prod(left[label] for label in summed))
    return result, arithmetic + Arithmetic(flops=outputs)
