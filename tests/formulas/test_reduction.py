"""The reduction family: against torch, and counts by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from netledger.errors import LayerError
from netledger.formulas import reduction
from netledger.formulas._layer import OPERATIONS, cost_of
from strategies.reduction import OVER_SEVERAL, layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")

NORMS = {"norm": 2, "norm_l1": 1, "norm_inf": math.inf, "norm_p": 3}
#: Ops that torch has under another name, or under the same name with another meaning.
INDEXED = {"max_with_indices": "max", "min_with_indices": "min"}
PLAIN = {"max": "amax", "min": "amin"}
#: Of these torch takes `dim` only along with `keepdim`, and not None.
ALL_OR_DIM = ("prod", "median")


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    (shape,) = shapes
    x = torch.zeros(shape)
    if op in NORMS:
        return called(lambda x: torch.linalg.vector_norm(x, NORMS[op], **attributes), x)
    function = getattr(torch, INDEXED.get(op, PLAIN.get(op, op)))
    keepdim = attributes.get("keepdim", False)
    if op == "count_nonzero":  # without keepdim
        dims = {"dim": attributes["dim"]} if "dim" in attributes else {}
        outputs = called(lambda x: function(x, **dims), x)
        if not keepdim:
            return outputs
        return called(lambda x: torch.sum(x, attributes.get("dim"), keepdim=True), x)
    if op in ("cummax", "cummin"):
        torch.cumsum(x, **attributes)  # checks dim also where there are no elements
    if op == "logsumexp":  # without a default for dim
        attributes = {"dim": tuple(range(len(shape))) or 0, **attributes}
    elif op in OVER_SEVERAL:  # some take keepdim only along with dim
        attributes = {"dim": None, **attributes}
    if op in ALL_OR_DIM and "dim" not in attributes:
        result = called(function, x)
        kept = (1,) * len(shape) if keepdim else ()
        assert result.shapes == ((),)
        return TorchLayer((kept,))
    return called(lambda x: function(x, **attributes), x)


#: Of nothing, torch gives the neutral element or nan; for the first 0 elements nothing.
STRICTER = (
    r"there must be at least one element along the reduced dimensions, got 0",
    r"dim must not be empty",
    r"k must be from 1 to the size \d+ along dim \d+, got 0",
)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer, STRICTER)


X = (6, 5, 4)
#: What each result costs when it is made of n = 6 * 4 elements.
N = 24
PER_RESULT = {
    "sum": N - 1,
    "mean": N - 1 + 1,
    "max": N - 1,
    "min": N - 1,
    "amax": N - 1,
    "amin": N - 1,
    "any": N - 1,
    "all": N - 1,
    "var": (N - 1 + 1) + N + N + (N - 1 + 1),  # mean, differences, squares, their mean
    "std": (N - 1 + 1) + N + N + (N - 1 + 1) + 1,
    "norm": N + (N - 1) + 1,
    "norm_l1": N + (N - 1),
    "norm_inf": N + (N - 1),
    "norm_p": N + N + (N - 1) + 1,
    "logsumexp": N + (N - 1) + 1,
    "count_nonzero": N + (N - 1),
    "var_mean": (N - 1 + 1) + N + N + (N - 1 + 1),
    "std_mean": (N - 1 + 1) + N + N + (N - 1 + 1) + 1,
}


@pytest.mark.parametrize("op", PER_RESULT)
@pytest.mark.parametrize("keepdim", [False, True])
def test_over_two_dimensions(op, keepdim):
    cost = getattr(reduction, op)(X, dim=(0, -1), keepdim=keepdim)
    assert cost.flops == 5 * PER_RESULT[op]
    outputs = 2 if op in ("var_mean", "std_mean") else 1
    assert cost.shapes == ((1, 5, 1) if keepdim else (5,),) * outputs


PER_ROW = {
    "prod": 6 - 1,
    "argmax": 6 - 1,
    "argmin": 6 - 1,
    "aminmax": 2 * (6 - 1),
    "max_with_indices": 6 - 1,
    "min_with_indices": 6 - 1,
    "median": 6 * 3,
    "cumsum": 6 - 1,
    "cumprod": 6 - 1,
    "cummax": 6 - 1,
    "cummin": 6 - 1,
    "logcumsumexp": 6 + (6 - 1) + 6,
    "sort": 6 * 3,  # 2**2 < 6 <= 2**3
    "argsort": 6 * 3,
}


@pytest.mark.parametrize("op", PER_ROW)
def test_along_one_dimension(op):
    assert getattr(reduction, op)(X, dim=0).flops == (5 * 4) * PER_ROW[op]


def test_every_op_has_its_count_by_hand():
    assert {*PER_RESULT, *PER_ROW, "topk", "kthvalue"} == set(reduction.__all__)


@pytest.mark.parametrize("op", ["sum", "prod", "argmax", "median"])
def test_over_all_dimensions(op):
    expected = 120 * 7 if op == "median" else 120 - 1  # 2**6 < 120 <= 2**7
    cost = getattr(reduction, op)(X)
    assert cost.flops == expected
    assert cost.shapes == ((),)
    assert getattr(reduction, op)(X, keepdim=True).shapes == ((1, 1, 1),)


def test_median_along_a_dimension_has_indices():
    assert reduction.median(X, dim=1).shapes == ((6, 4), (6, 4))


def test_topk():
    # A tournament of 7 comparisons among 8, then 3 for each of the next two.
    cost = reduction.topk((2, 8), k=3)
    assert cost.flops == 2 * (7 + 2 * 3)
    assert cost.shapes == ((2, 3), (2, 3))


def test_kthvalue():
    cost = reduction.kthvalue((2, 8), k=3)
    assert cost.flops == 2 * (7 + 2 * 3)
    assert cost.shapes == ((2,), (2,))
    assert reduction.kthvalue((2, 8), k=1).flops == 2 * 7


def test_one_element_needs_no_comparison():
    assert reduction.sum((3, 1), dim=1).flops == 0
    assert reduction.sort((3, 1)).flops == 0
    assert reduction.topk((3, 1), k=1).flops == 0


def test_an_empty_batch_costs_nothing():
    assert reduction.mean((0, 4), dim=1).flops == 0
    assert reduction.sort((0, 4)).flops == 0
    assert reduction.sort((4, 0)).flops == 0


REFUSALS = [
    ("sum", (2, 3), {"dim": 2}, "dim 2 is out of range for 2 dimensions"),
    ("sum", (2, 3), {"dim": (1, -1)}, "dim 1 appears more than once"),
    (
        "sum",
        (2, 3),
        {"dim": ()},
        "dim must not be empty; leave it out to reduce all dimensions",
    ),
    (
        "mean",
        (0, 3),
        {},
        "there must be at least one element along the reduced dimensions, got 0",
    ),
    ("argmax", (2, 3), {"dim": (0, 1)}, "attribute 'dim' must be an integer, got (0, 1)"),
    ("max_with_indices", (2, 3), {}, "attribute 'dim' is required"),
    ("topk", (2, 3), {"k": 4}, "k must be from 1 to the size 3 along dim 1, got 4"),
    ("kthvalue", (2, 3), {"k": 0, "dim": 0}, "k must be from 1 to the size 2 along dim 0, got 0"),
]


@pytest.mark.parametrize(("op", "shape", "attributes", "rule"), REFUSALS)
def test_refusals(op, shape, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], [shape], attributes)
    assert caught.value.rule == rule
    assert str(caught.value) == f"{op}: {rule}; input shapes {shape}"
