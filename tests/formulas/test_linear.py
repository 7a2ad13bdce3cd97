"""The linear family: against torch, and counts by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from executed_operations import executed_operations
from netledger.errors import LayerError
from netledger.formulas._layer import OPERATIONS, cost_of
from netledger.formulas.linear import bilinear, einsum, linear, matmul
from strategies.linear import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")

MODULES = {"linear": "Linear", "bilinear": "Bilinear"}


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    tensors = [torch.zeros(shape) for shape in shapes]
    if op == "matmul":
        return called(torch.matmul, *tensors)
    if op == "einsum":
        return called(torch.einsum, attributes["equation"], *tensors)
    features = [shape[-1] for shape in shapes]
    return called(getattr(torch.nn, MODULES[op])(*features, **attributes), *tensors)


#: Sums of no elements, which torch takes to be 0; tensors of more than 16 dimensions.
STRICTER = (
    r"in_features must be positive, got 0",
    r"in[12]_features must be positive, got 0",
    r"the summed size must be positive, got 0",
    r"the summed subscript '\w' must have a positive size, got 0",
    r"the summed subscript '\.\.\.' must have a positive size, got 0",
    r"a tensor has at most 16 dimensions",
)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer, STRICTER)


# -- linear ---------------------------------------------------------------------------------------


def test_linear():
    cost = linear((2, 7, 512), out_features=1000)
    outputs = 2 * 7 * 1000
    assert cost.shapes == ((2, 7, 1000),)
    assert cost.params == 1000 * 512 + 1000
    assert cost.macs == outputs * 512
    # 512 products, 511 additions, the bias.
    assert cost.flops == outputs * (512 + 511 + 1)
    assert cost.activations == cost.outputs == outputs
    assert cost.memory_access == 2 * 7 * 512 + (1000 * 512 + 1000) + outputs


def test_linear_without_bias():
    cost = linear((3, 5), out_features=4, bias=False)
    assert cost.params == 4 * 5
    assert cost.flops == 3 * 4 * (5 + 4)


def test_linear_of_one_feature_has_no_additions():
    assert linear((1,), out_features=6, bias=False).flops == 6


def test_no_rows_cost_nothing():
    cost = linear((0, 5), out_features=4)
    assert (cost.macs, cost.flops, cost.outputs) == (0, 0, 0)
    assert cost.params == 4 * 5 + 4


# -- bilinear -------------------------------------------------------------------------------------


def test_bilinear():
    cost = bilinear((10, 3), (10, 4), out_features=2)
    outputs = 10 * 2
    assert cost.shapes == ((10, 2),)
    assert cost.params == 2 * 3 * 4 + 2
    # Four dot products of length 3, then one of length 4.
    assert cost.macs == outputs * (4 * 3 + 4)
    assert cost.flops == outputs * (4 * (3 + 2) + (4 + 3) + 1)


def test_bilinear_is_two_products():
    # x1' W for every output, then with x2.
    first = einsum((10, 3), (2, 3, 4), equation="bi,oij->boj")
    second = einsum((10, 2, 4), (10, 4), equation="boj,bj->bo")
    cost = bilinear((10, 3), (10, 4), out_features=2, bias=False)
    assert cost.macs == first.macs + second.macs
    assert cost.flops == first.flops + second.flops


# -- matmul ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)),
        ((4, 3), (3,)),
        ((3,), (3, 5)),
        ((4, 3), (3, 5)),
        ((2, 4, 3), (2, 3, 5)),
        ((2, 4, 3), (3, 5)),
        ((4, 3), (2, 3, 5)),
        ((3,), (2, 3, 5)),
        ((2, 4, 3), (3,)),
        ((6, 1, 4, 3), (2, 3, 5)),
        ((1, 4, 3), (2, 3, 5)),
        ((2, 4, 1), (2, 1, 5)),
    ],
)
def test_matmul_counts_what_torch_executes(left, right):
    cost = matmul(left, right)
    a, b = torch.ones(left), torch.ones(right)
    assert (cost.macs, cost.flops) == executed_operations(lambda: torch.matmul(a, b))
    # Every element of a product of ones is the number of its terms.
    assert cost.macs == int(torch.matmul(a, b).sum())


def test_matmul_by_hand():
    cost = matmul((5, 1, 2, 3), (4, 3, 7))
    assert cost.shapes == ((5, 4, 2, 7),)
    assert cost.macs == (5 * 4 * 2 * 7) * 3
    assert cost.flops == (5 * 4 * 2 * 7) * (3 + 2)
    assert cost.params == 0
    assert cost.memory_access == 5 * 2 * 3 + 4 * 3 * 7 + 5 * 4 * 2 * 7


# -- einsum ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("i->", [(5,)]),
        ("ij->ji", [(2, 3)]),
        ("ba", [(2, 3)]),
        ("ii", [(4, 4)]),
        ("ii->i", [(4, 4)]),
        ("iji->j", [(4, 3, 4)]),
        ("...->", [(2, 3, 4)]),
        ("i...->...", [(2, 3, 4)]),
        ("i...", [(2, 3, 4)]),
        ("i,i->", [(5,), (5,)]),
        ("i,i->i", [(5,), (5,)]),
        ("i,j->ij", [(5,), (3,)]),
        ("i,j->", [(5,), (3,)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ij,jk->ki", [(2, 3), (3, 4)]),
        ("ij,kj->", [(2, 3), (4, 3)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("bhwc,hkc->bhwk", [(2, 3, 4, 5), (3, 6, 5)]),
        ("ijk,ilj->kl", [(2, 3, 4), (2, 5, 3)]),
        ("...ij,...jk->...ik", [(6, 2, 3), (5, 6, 3, 4)]),
        ("...i,...i->...", [(2, 3, 4), (4,)]),
        ("...i,...i", [(2, 3, 4), (3, 4)]),
        ("iij,jk->ik", [(3, 3, 2), (2, 4)]),
        ("ijl,jk->ik", [(2, 3, 5), (3, 4)]),
        ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
        ("a,b,c->", [(2,), (3,), (4,)]),
        ("ab,ab,ab->a", [(2, 3), (2, 3), (2, 3)]),
        ("ab,cd,bd->ac", [(2, 3), (4, 5), (3, 5)]),
        ("ab,bc,ca,a->c", [(2, 3), (3, 4), (4, 2), (2,)]),
        ("i...,j->ij", [(2, 5), (3,)]),
    ],
)
def test_einsum_counts_what_torch_executes(equation, shapes):
    cost = einsum(*shapes, equation=equation)
    tensors = [torch.ones(shape) for shape in shapes]
    with torch.backends.opt_einsum.flags(enabled=False):
        executed = executed_operations(lambda: torch.einsum(equation, *tensors))
    assert (cost.macs, cost.flops) == executed


def test_einsum_of_a_pair():
    cost = einsum((2, 3), (3, 4), equation="ij,jk->ik")
    product = matmul((2, 3), (3, 4))
    assert (cost.shapes, cost.macs, cost.flops) == (product.shapes, product.macs, product.flops)


def test_einsum_of_a_chain():
    cost = einsum((2, 3), (3, 4), (4, 5), equation="ab,bc,cd->ad")
    # (2, 3) (3, 4) gives 2 * 4 sums of 3; with (4, 5) that gives 2 * 5 sums of 4.
    assert cost.macs == 2 * 4 * 3 + 2 * 5 * 4
    assert cost.flops == 2 * 4 * (3 + 2) + 2 * 5 * (4 + 3)
    assert cost.memory_access == 2 * 3 + 3 * 4 + 4 * 5 + 2 * 5


def test_einsum_sums_alone_before_it_multiplies():
    cost = einsum((2, 3), (5, 2), equation="ij,ki->k")
    # j first: 2 sums of 3. Then 5 sums of 2 products.
    assert cost.macs == 5 * 2
    assert cost.flops == 2 * (3 - 1) + 5 * (2 + 1)


def test_einsum_that_only_multiplies_has_no_macs():
    cost = einsum((4, 5), (4, 5), equation="ij,ij->ij")
    assert (cost.macs, cost.flops) == (0, 4 * 5)


def test_einsum_that_only_moves_costs_no_operations():
    cost = einsum((4, 5), equation="ij->ji")
    assert (cost.shapes, cost.macs, cost.flops) == (((5, 4),), 0, 0)


def test_einsum_broadcasts_a_size_of_one():
    cost = einsum((2, 1), (5, 4), equation="ij,jk->ik")
    # The second is summed over j alone, 4 sums of 5; each product is then a sum of one term.
    assert cost.shapes == ((2, 4),)
    assert cost.macs == 2 * 4 * 1
    assert cost.flops == 4 * (5 - 1) + 2 * 4


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "rule"),
    [
        (
            "linear",
            [()],
            {"out_features": 3},
            "the input must have at least 1 dimension, (*, in_features)",
        ),
        ("linear", [(2, 0)], {"out_features": 3}, "in_features must be positive, got 0"),
        ("linear", [(2, 3)], {"out_features": -1}, "out_features must not be negative, got -1"),
        (
            "bilinear",
            [(2, 3), (3,)],
            {"out_features": 3},
            "both inputs must have as many dimensions, at least 1, got 2 and 1",
        ),
        (
            "bilinear",
            [(2, 3), (1, 3)],
            {"out_features": 3},
            "the inputs must agree in every size but the last, got (2, 3) and (1, 3)",
        ),
        (
            "matmul",
            [(), (3,)],
            {},
            "both inputs must have at least 1 dimension, got 0 and 1",
        ),
        (
            "matmul",
            [(2, 3), (4, 5)],
            {},
            "the first input is summed over 3 elements but the second over 4",
        ),
        ("matmul", [(2, 0), (0, 5)], {}, "the summed size must be positive, got 0"),
        (
            "matmul",
            [(2, 4, 3), (5, 3, 4)],
            {},
            "sizes (2,) and (5,) do not broadcast",
        ),
        ("einsum", [(2,)], {"equation": "i,i"}, "equation 'i,i' names 2 operands, got 1"),
        (
            "einsum",
            [(2, 3)],
            {"equation": "i->i"},
            "operand 0 has 2 dimensions but equation 'i->i' names 1",
        ),
        (
            "einsum",
            [(2,)],
            {"equation": "ij...->i"},
            "operand 0 has 1 dimensions but equation 'ij...->i' names 2",
        ),
        (
            "einsum",
            [(2, 3)],
            {"equation": "ii->i"},
            "subscript 'i' repeats in operand 0 over sizes 2 and 3, which must be equal",
        ),
        (
            "einsum",
            [(2, 3), (4, 5)],
            {"equation": "ij,jk->ik"},
            "subscript 'j' stands for sizes 3 and 4, which do not broadcast",
        ),
        (
            "einsum",
            [(2, 3), (3, 3)],
            {"equation": "...j,...j->..."},
            "subscript '...' stands for sizes 2 and 3, which do not broadcast",
        ),
        (
            "einsum",
            [(2,)],
            {"equation": "i->ii"},
            "the output of equation 'i->ii' repeats subscript 'i'",
        ),
        (
            "einsum",
            [(2,)],
            {"equation": "i->j"},
            "the output of equation 'i->j' has subscript 'j', which no operand has",
        ),
        (
            "einsum",
            [(2, 3)],
            {"equation": "......i"},
            "equation '......i' has '...' twice in a term",
        ),
        *(
            (
                "einsum",
                [(2, 3)],
                {"equation": equation},
                f"equation '{equation}' may hold only letters, spaces, ',', '...' and one '->'",
            )
            for equation in ("i.j", "ij->i->j", "ij->i,j", "i1", "i>j", "i\tj", ". . .i")
        ),
        (
            "einsum",
            [(2, 0)],
            {"equation": "ij->i"},
            "the summed subscript 'j' must have a positive size, got 0",
        ),
        (
            "einsum",
            [(1,) * 9, (1,) * 9],
            {"equation": "abcdefghi,jklmnopqr"},
            "a tensor has at most 16 dimensions",
        ),
    ],
)
def test_refusals(op, shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], shapes, attributes)
    assert caught.value.rule == rule
