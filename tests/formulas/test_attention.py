"""The attention family: against torch, and counts by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given, settings

from executed_operations import executed_operations
from netledger.errors import LayerError
from netledger.formulas._layer import OPERATIONS, cost_of
from netledger.formulas.attention import multi_head_attention, scaled_dot_product_attention
from netledger.formulas.linear import linear
from strategies.attention import layers
from torch_agreement import TorchLayer, assert_agreement, called

torch = pytest.importorskip("torch")

from torch.nn.attention import SDPBackend, sdpa_kernel


def torch_attention(*tensors, **attributes):
    """By the composite definition: torch's fused kernels take fewer layers."""
    with sdpa_kernel(SDPBackend.MATH):
        return torch.nn.functional.scaled_dot_product_attention(*tensors, **attributes)


def torch_module(query: tuple[int, ...], attributes: dict):
    return torch.nn.MultiheadAttention(
        query[-1], **{name: attributes[name] for name in attributes if name != "need_weights"}
    )


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    tensors = [torch.zeros(shape) for shape in shapes]
    if op == "scaled_dot_product_attention":
        return called(lambda *tensors: torch_attention(*tensors, **attributes), *tensors)
    query, key, value = tensors
    try:
        module = torch_module(shapes[0], attributes)
        outputs = module(query, key, value, need_weights=attributes["need_weights"])
    except AssertionError as refusal:  # how this module checks its inputs
        raise ValueError(refusal) from None
    return TorchLayer(
        tuple(tuple(output.shape) for output in outputs if output is not None),
        tuple(tuple(weight.shape) for weight in module.parameters()),
    )


#: A softmax over no keys, and features or heads of which there are none.
STRICTER = (
    r"(query|key) must have a positive (number of features|length), got 0",
    r"the heads of (key|value) must be positive, got 0",
    r"[kv]dim must be positive, got 0",
)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    op, shapes, _ = layer
    # Of empty tensors torch checks nothing.
    assume(op == "multi_head_attention" or not any(0 in shape for shape in shapes))
    assert_agreement(layer, torch_layer, STRICTER)


# -- scaled_dot_product_attention -----------------------------------------------------------------


def test_attention_by_hand():
    cost = scaled_dot_product_attention((2, 4, 5, 8), (2, 4, 6, 8), (2, 4, 6, 3))
    rows = 2 * 4 * 5
    assert cost.shapes == ((2, 4, 5, 3),)
    assert cost.params == 0
    # A row compares 8 features with 6 keys, then gathers 3 features from them.
    assert cost.macs == rows * 6 * 8 + rows * 3 * 6
    assert cost.flops == (
        rows * 6 * (8 + 7)  # scores
        + rows * 6  # scaled
        + rows * (6 + 5 + 6)  # softmax: exponentials, additions, divisions
        + rows * 3 * (6 + 5)  # output
    )
    assert cost.memory_access == 2 * 4 * (5 * 8 + 6 * 8 + 6 * 3 + 5 * 3)


def test_a_mask_adds_an_operation_for_each_score():
    shapes = ((2, 4, 5, 8), (2, 4, 6, 8), (2, 4, 6, 3))
    plain = scaled_dot_product_attention(*shapes)
    for mask in ((5, 6), (6,), (), (2, 1, 1, 6), (2, 4, 5, 6)):
        masked = scaled_dot_product_attention(*shapes, mask)
        assert masked.flops == plain.flops + 2 * 4 * 5 * 6
        assert masked.macs == plain.macs


def test_a_causal_mask_changes_nothing():
    shapes = ((2, 5, 8), (2, 5, 8), (2, 5, 8))
    assert scaled_dot_product_attention(*shapes, is_causal=True) == (
        scaled_dot_product_attention(*shapes)
    )


def test_grouped_queries_count_as_repeated_heads():
    grouped = scaled_dot_product_attention(
        (2, 8, 5, 4), (2, 2, 6, 4), (2, 1, 6, 3), enable_gqa=True
    )
    repeated = scaled_dot_product_attention((2, 8, 5, 4), (2, 8, 6, 4), (2, 8, 6, 3))
    assert (grouped.shapes, grouped.macs, grouped.flops) == (
        repeated.shapes,
        repeated.macs,
        repeated.flops,
    )
    # The keys and values are read as they are.
    assert grouped.memory_access == 2 * (8 * 5 * 4 + 2 * 6 * 4 + 1 * 6 * 3 + 8 * 5 * 3)


def test_values_of_a_larger_batch_reuse_the_scores():
    cost = scaled_dot_product_attention((5, 8), (6, 8), (7, 6, 3))
    assert cost.shapes == ((7, 5, 3),)
    assert cost.macs == 5 * 6 * 8 + 7 * 5 * 3 * 6


@pytest.mark.parametrize(
    ("query", "key", "value", "mask"),
    [
        ((3, 4), (5, 4), (5, 6), None),
        ((2, 3, 4), (2, 5, 4), (2, 5, 6), (3, 5)),
        ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 5), (2, 1, 1, 6)),
        ((2, 3, 4, 5), (1, 3, 6, 5), (2, 1, 6, 5), None),
        ((3, 4), (5, 4), (7, 5, 6), None),
    ],
)
def test_attention_counts_what_torch_executes(query, key, value, mask):
    shapes = (query, key, value) if mask is None else (query, key, value, mask)
    cost = scaled_dot_product_attention(*shapes)
    tensors = [torch.zeros(shape) for shape in shapes]
    macs, flops = executed_operations(lambda: torch_attention(*tensors))
    assert cost.macs == macs
    # torch scales both operands of the scores instead of the scores.
    scores = torch.matmul(tensors[0], tensors[1].mT).numel()
    assert cost.flops == flops - tensors[0].numel() - tensors[1].numel() + scores


# -- multi_head_attention -------------------------------------------------------------------------


def test_multi_head_attention_is_its_parts():
    cost = multi_head_attention(
        (2, 5, 12), (2, 7, 10), (2, 7, 9), num_heads=3, kdim=10, vdim=9, batch_first=True
    )
    parts = [
        linear((2, 5, 12), 12),
        linear((2, 7, 10), 12),
        linear((2, 7, 9), 12),
        scaled_dot_product_attention((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4)),
        linear((2, 5, 12), 12),
    ]
    assert cost.shapes == ((2, 5, 12),)
    assert cost.params == sum(part.params for part in parts)
    assert cost.macs == sum(part.macs for part in parts)
    assert cost.flops == sum(part.flops for part in parts)


def test_multi_head_attention_by_hand():
    cost = multi_head_attention(
        (1, 10, 32), (1, 10, 32), (1, 10, 32), num_heads=4, batch_first=True
    )
    assert cost.params == 4 * (32 * 32 + 32)
    projections, attention = 4 * 10 * 32 * 32, 2 * 10 * 10 * 32
    assert cost.macs == projections + attention
    assert cost.flops == (
        4 * 10 * 32 * 64  # projections: 32 products, 31 additions and the bias
        + 4 * 10 * 10 * (8 + 7 + 1)  # scores of 4 heads of 8 features, scaled
        + 4 * 10 * (10 + 9 + 10)  # softmax
        + 10 * 32 * (10 + 9)  # output
    )
    assert cost.memory_access == 3 * 320 + cost.params + 320


def test_average_of_the_weights():
    shapes = ((2, 5, 12), (2, 7, 12), (2, 7, 12))
    plain = multi_head_attention(*shapes, num_heads=3, batch_first=True)
    averaged = multi_head_attention(*shapes, num_heads=3, batch_first=True, need_weights=True)
    assert averaged.shapes == ((2, 5, 12), (2, 5, 7))
    # Of 3 heads: 2 additions and a division.
    assert averaged.flops == plain.flops + 2 * 5 * 7 * (2 + 1)
    assert averaged.macs == plain.macs


def test_added_positions_lengthen_the_keys():
    shapes = ((2, 5, 12), (2, 7, 12), (2, 7, 12))
    cost = multi_head_attention(
        *shapes,
        num_heads=3,
        add_bias_kv=True,
        add_zero_attn=True,
        batch_first=True,
        need_weights=True,
    )
    assert cost.shapes[1] == (2, 5, 7 + 2)
    assert cost.params == 4 * (12 * 12 + 12) + 2 * 12
    assert cost.macs == 2 * (2 * 5 + 2 * 7) * 12 * 12 + 2 * (2 * 5 * 9 * 12)


@pytest.mark.parametrize(
    ("bias", "features", "add_bias_kv", "add_zero_attn", "batch"),
    list(product((False, True), (None, 5), (False, True), (False, True), (None, 2))),
)
def test_multi_head_attention_counts_what_torch_executes(
    bias, features, add_bias_kv, add_zero_attn, batch
):
    attributes = {
        "num_heads": 3,
        "bias": bias,
        "kdim": features,
        "vdim": features,
        "add_bias_kv": add_bias_kv,
        "add_zero_attn": add_zero_attn,
        "batch_first": True,
    }
    sizes = ((4, 6), (7, features or 6), (7, features or 6))
    shapes = sizes if batch is None else [(batch, *size) for size in sizes]
    cost = multi_head_attention(*shapes, **attributes, need_weights=True)
    module = torch_module(shapes[0], attributes)
    tensors = [torch.zeros(shape) for shape in shapes]
    macs, flops = executed_operations(lambda: module(*tensors, need_weights=True))
    assert cost.macs == macs
    # torch scales the projected queries instead of the scores.
    queries, keys = (batch or 1) * 4, 7 + add_bias_kv + add_zero_attn
    assert cost.flops == flops - queries * 6 + queries * 3 * keys


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shapes", "attributes", "rule"),
    [
        (
            [(4,), (5, 4), (5, 4)],
            {},
            "query, key and value must have at least 2 dimensions, got 1, 2 and 2",
        ),
        (
            [(3, 4), (5, 4), (5, 4)],
            {"enable_gqa": True},
            "query, key and value must have at least 3 dimensions, got 2, 2 and 2",
        ),
        ([(3, 4), (5, 6), (5, 4)], {}, "query has 4 features but key has 6"),
        ([(3, 4), (5, 4), (6, 4)], {}, "key has length 5 but value has 6"),
        ([(3, 0), (5, 0), (5, 4)], {}, "query must have a positive number of features, got 0"),
        ([(3, 4), (0, 4), (0, 4)], {}, "key must have a positive length, got 0"),
        (
            [(8, 3, 4), (3, 5, 4), (2, 5, 4)],
            {"enable_gqa": True},
            "query has 8 heads, which the 3 heads of key do not divide",
        ),
        (
            [(8, 3, 4), (2, 5, 4), (0, 5, 4)],
            {"enable_gqa": True},
            "the heads of value must be positive, got 0",
        ),
        ([(8, 3, 4), (2, 5, 4), (2, 5, 4)], {}, "sizes (8,) and (2,) do not broadcast"),
        (
            [(2, 3, 4), (2, 5, 4), (2, 5, 4), (3, 4)],
            {},
            "attn_mask (3, 4) does not broadcast to the scores (2, 3, 5)",
        ),
        (
            [(3, 4), (5, 4), (5, 4), (1, 3, 5)],
            {},
            "attn_mask (1, 3, 5) does not broadcast to the scores (3, 5)",
        ),
        (
            [(3, 4), (5, 4), (5, 4), (3, 5)],
            {"is_causal": True},
            "attn_mask and is_causal exclude each other: put the causal part into the mask",
        ),
    ],
)
def test_attention_refusals(shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS["scaled_dot_product_attention"], shapes, attributes)
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("shapes", "attributes", "rule"),
    [
        (
            [(8,), (5, 8), (5, 8)],
            {},
            "query must have 3 or 2 dimensions, (N, L, E), (L, N, E) or (L, E), got 1",
        ),
        (
            [(3, 8), (2, 5, 8), (5, 8)],
            {},
            "key and value must have as many dimensions as query, 2, got 3 and 2",
        ),
        ([(3, 0), (5, 0), (5, 0)], {}, "embed_dim must be positive, got 0"),
        ([(3, 8), (5, 8), (5, 8)], {"num_heads": 0}, "num_heads must be positive, got 0"),
        ([(3, 8), (5, 8), (5, 8)], {"num_heads": 3}, "embed_dim 8 is not divisible by num_heads 3"),
        ([(3, 8), (5, 6), (5, 8)], {}, "key has 6 features but kdim is 8"),
        ([(3, 8), (5, 8), (5, 8)], {"vdim": 6}, "value has 8 features but vdim is 6"),
        ([(3, 8), (5, 0), (5, 8)], {"kdim": 0}, "kdim must be positive, got 0"),
        (
            [(2, 3, 8), (2, 5, 8), (1, 5, 8)],
            {},
            "query, key and value must have the same batch size, got 2, 2 and 1",
        ),
        ([(2, 3, 8), (2, 5, 8), (2, 4, 8)], {}, "key has length 5 but value has 4"),
        ([(2, 3, 8), (2, 0, 8), (2, 0, 8)], {}, "key must have a positive length, got 0"),
    ],
)
def test_multi_head_attention_refusals(shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(
            OPERATIONS["multi_head_attention"],
            shapes,
            {"num_heads": 2, "batch_first": True, **attributes},
        )
    assert caught.value.rule == rule
