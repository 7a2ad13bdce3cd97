"""The embedding family: against torch, and counts by hand."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings

from netledger.errors import LayerError
from netledger.formulas._layer import OPERATIONS, cost_of
from netledger.formulas.embedding import embedding, embedding_bag
from strategies.embedding import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")

MODULES = {"embedding": "Embedding", "embedding_bag": "EmbeddingBag"}


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    indices = torch.zeros(shapes[0], dtype=torch.long)
    # Bags that begin one index after the other.
    offsets = [
        torch.arange(shape[0]) if len(shape) == 1 else torch.zeros(shape, dtype=torch.long)
        for shape in shapes[1:]
    ]
    if offsets and attributes.get("include_last_offset"):
        offsets[0][-1] = shapes[0][0]
    return called(getattr(torch.nn, MODULES[op])(**attributes), indices, *offsets)


#: Whether a bag is empty is data: it is taken not to be.
STRICTER = (
    r"\d+ bags need at least 1 index each, got \d+ indices",
    r"\d+ indices are in no bag",
    r"a tensor has at most 16 dimensions",
)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    op, shapes, attributes = layer
    # Of a table without elements torch reads no row, or one that does not exist.
    assume(attributes["num_embeddings"] != 0 and attributes["embedding_dim"] != 0)
    # Offsets beyond the indices crash torch.
    assume(op == "embedding" or len(shapes) < 2 or shapes[1] <= shapes[0])
    assert_agreement(layer, torch_layer, STRICTER)


def test_embedding():
    cost = embedding((2, 7), num_embeddings=1000, embedding_dim=64)
    assert cost.shapes == ((2, 7, 64),)
    assert cost.params == 1000 * 64
    assert (cost.macs, cost.flops, cost.activations) == (0, 0, 0)
    # The indices, the 14 rows that are read, the 14 rows that are written.
    assert cost.memory_access == 14 + 14 * 64 + 14 * 64


def test_embedding_of_one_index():
    assert embedding((), num_embeddings=10, embedding_dim=4).shapes == ((4,),)


@pytest.mark.parametrize(("mode", "operations"), [("sum", 6), ("mean", 7), ("max", 6)])
def test_bags_of_seven(mode, operations):
    cost = embedding_bag((3, 7), num_embeddings=1000, embedding_dim=64, mode=mode)
    assert cost.shapes == ((3, 64),)
    assert cost.params == 1000 * 64
    assert cost.macs == 0
    # Of 7 elements: 6 additions or comparisons, and a division for a mean.
    assert cost.flops == 3 * 64 * operations
    assert cost.memory_access == 21 + 21 * 64 + 3 * 64


def test_bags_by_offsets():
    cost = embedding_bag((21,), (4,), num_embeddings=1000, embedding_dim=64, mode="sum")
    assert cost.shapes == ((4, 64),)
    # However the 21 rows fall into 4 bags, 4 of them are not added to another.
    assert cost.flops == (21 - 4) * 64
    assert cost.memory_access == 21 + 4 + 21 * 64 + 4 * 64
    with_end = embedding_bag(
        (21,), (5,), num_embeddings=1000, embedding_dim=64, mode="sum", include_last_offset=True
    )
    assert (with_end.shapes, with_end.flops) == (cost.shapes, cost.flops)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "rule"),
    [
        ("embedding", [(2,)], {"embedding_dim": -1}, "embedding_dim must not be negative, got -1"),
        (
            "embedding",
            [(2,)],
            {"num_embeddings": -1},
            "num_embeddings must not be negative, got -1",
        ),
        ("embedding", [(1,) * 16], {}, "a tensor has at most 16 dimensions"),
        (
            "embedding_bag",
            [(2, 3, 4)],
            {},
            "the indices must have 2 dimensions, (N, L), or 1 with offsets, got 3",
        ),
        (
            "embedding_bag",
            [(2, 3), (2,)],
            {},
            "each row of 2-d indices is a bag: offsets must be left out",
        ),
        ("embedding_bag", [(2, 0)], {}, "a bag must hold at least 1 index, got 0"),
        ("embedding_bag", [(6,)], {}, "1-d indices need offsets, the second input"),
        ("embedding_bag", [(6,), (2, 1)], {}, "offsets must have 1 dimension, got 2"),
        (
            "embedding_bag",
            [(6,), (0,)],
            {"include_last_offset": True},
            "include_last_offset needs at least 1 offset, got 0",
        ),
        ("embedding_bag", [(6,), (7,)], {}, "7 bags need at least 1 index each, got 6 indices"),
        ("embedding_bag", [(6,), (0,)], {}, "6 indices are in no bag"),
        (
            "embedding_bag",
            [(6, 2)],
            {"mode": "min"},
            "attribute 'mode' must be one of 'sum', 'mean', 'max', got 'min'",
        ),
    ],
)
def test_refusals(op, shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], shapes, {"num_embeddings": 9, "embedding_dim": 4, **attributes})
    assert caught.value.rule == rule
