"""One story for attention: the same counts whichever way torch would compute it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl
from netledger.formulas import attention

CAUSAL = nn.Transformer.generate_square_subsequent_mask(6)


class SelfAttention(nn.Module):
    def __init__(self, need_weights: bool, **options: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, **options)
        self.need_weights = need_weights

    def forward(self, x: torch.Tensor) -> Any:
        return self.attention(x, x, x, need_weights=self.need_weights)


@pytest.mark.parametrize(
    ("need_weights", "batch_first", "training", "fastpath"), list(product((True, False), repeat=4))
)
def test_multi_head_attention(
    need_weights: bool, batch_first: bool, training: bool, fastpath: bool
) -> None:
    module = SelfAttention(need_weights, batch_first=batch_first).train(training)
    outer = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fastpath)
    try:
        ledger = nl.count(module, (2, 6, 16) if batch_first else (6, 2, 16))
        assert torch.backends.mha.get_fastpath_enabled() is fastpath
    finally:
        torch.backends.mha.set_fastpath_enabled(outer)
    projections = 2 * 6 * 16 * 16 * 4
    products = 2 * 2 * 6 * 6 * 16
    assert ledger.macs == projections + products
    assert ledger.params == sum(parameter.numel() for parameter in module.parameters())
    shapes = [(2, 6, 16) if batch_first else (6, 2, 16)] + [(2, 6, 6)] * need_weights
    graph = nl.from_torch(module, (2, 6, 16) if batch_first else (6, 2, 16)).engine
    assert [graph.shape(index) for index in graph.outputs] == shapes


def test_the_formula_is_the_module() -> None:
    module = SelfAttention(False, batch_first=True)
    formula = attention.multi_head_attention(
        (2, 6, 16), (2, 6, 16), (2, 6, 16), num_heads=4, batch_first=True
    )
    assert nl.count(module, (2, 6, 16)).macs == formula.macs


@pytest.mark.parametrize("fastpath", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_layer(fastpath: bool, norm_first: bool) -> None:
    module = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, norm_first=norm_first)
    outer = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fastpath)
    try:
        ledger = nl.count(module.eval(), (2, 6, 16))
    finally:
        torch.backends.mha.set_fastpath_enabled(outer)
    assert ledger.macs == 2 * 6 * 16 * 16 * 4 + 2 * 2 * 6 * 6 * 16 + 2 * 2 * 6 * 16 * 32
    assert ledger.params == sum(parameter.numel() for parameter in module.parameters())


ENCODER_MACS = 2 * (2 * 6 * 16 * 16 * 4 + 2 * 2 * 6 * 6 * 16 + 2 * 2 * 6 * 16 * 32)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mask": CAUSAL},
        {"mask": CAUSAL, "is_causal": True},
        {"mask": (6, 6)},
        {"mask": torch.ones(6, 6).triu(1).bool()},
        {"src_key_padding_mask": nl.Input((2, 6), "bool")},
        {"src_key_padding_mask": torch.zeros(2, 6, dtype=torch.bool)},
        {"src_key_padding_mask": torch.tensor([[False] * 6, [False] * 3 + [True] * 3])},
        {"mask": CAUSAL.bool(), "src_key_padding_mask": nl.Input((2, 6), torch.bool)},
    ],
    ids=str,
)
def test_encoder_masks(options: dict[str, Any]) -> None:
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2)
    assert nl.count(encoder, (2, 6, 16), **options).macs == ENCODER_MACS


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tgt_mask": CAUSAL},
        {"tgt_mask": (6, 6)},
        {"tgt_mask": CAUSAL, "tgt_is_causal": True},
        {"tgt_mask": CAUSAL, "memory_key_padding_mask": nl.Input((2, 5), "bool")},
        {"tgt_key_padding_mask": torch.zeros(2, 6, dtype=torch.bool)},
    ],
    ids=str,
)
def test_decoder_masks(options: dict[str, Any]) -> None:
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 4, 32, batch_first=True), 2)
    own = 2 * 6 * 16 * 16 * 4 + 2 * 2 * 6 * 6 * 16
    cross = 2 * 2 * 6 * 16 * 16 + 2 * 2 * 5 * 16 * 16 + 2 * 2 * 6 * 5 * 16
    macs = 2 * (own + cross + 2 * 2 * 6 * 16 * 32)
    assert nl.count(decoder, (2, 6, 16), (2, 5, 16), **options).macs == macs


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_the_causal_question_is_asked_of_known_masks() -> None:
    asked = nn.modules.transformer._detect_is_causal_mask
    transformer = nn.Transformer(16, 4, 1, 1, 32, batch_first=True)
    known = nl.count(transformer, (2, 5, 16), (2, 6, 16), tgt_mask=CAUSAL)
    unknown = nl.count(transformer, (2, 5, 16), (2, 6, 16), tgt_mask=(6, 6))
    assert known.macs == unknown.macs
    assert nn.modules.transformer._detect_is_causal_mask is asked


def test_grouped_queries() -> None:
    class Grouped(nn.Module):
        def forward(self, q: Any, k: Any, v: Any) -> Any:
            return nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    ledger = nl.count(Grouped(), (2, 8, 5, 16), (2, 2, 5, 16), (2, 2, 5, 16))
    assert ledger.macs == 2 * 2 * 8 * 5 * 5 * 16
