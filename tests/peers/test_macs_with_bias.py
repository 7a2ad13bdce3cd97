"""The convention of multiply-accumulates with biases, by hand and by torch."""

from __future__ import annotations

from typing import Any

import pytest

import netledger as nl
from netledger.conventions import convention_of
from netledger.errors import NetledgerError


def _layer(op: str, shape: tuple[int, ...], inputs: int = 1, **attributes: Any) -> nl.Ledger:
    graph = nl.Graph()
    x = graph.input(*shape)
    output = getattr(nl, op)(*[x] * inputs, **attributes)
    graph.output(*(output if isinstance(output, tuple) else (output,)))
    return graph.count()


#: Op, input, attributes, what the biases add.
LAYERS: list[tuple[str, tuple[int, ...], dict[str, Any], int]] = [
    ("conv1d", (2, 3, 8), {"out_channels": 4, "kernel_size": 3}, 2 * 4 * 6),
    ("conv2d", (2, 4, 8, 9), {"out_channels": 6, "kernel_size": 3, "groups": 2}, 2 * 6 * 6 * 7),
    ("conv3d", (1, 2, 5, 5, 5), {"out_channels": 3, "kernel_size": 2}, 3 * 4 * 4 * 4),
    ("conv_transpose2d", (2, 3, 4, 4), {"out_channels": 5, "kernel_size": 2, "stride": 2},
     2 * 5 * 8 * 8),
    ("linear", (2, 7, 5), {"out_features": 3}, 2 * 7 * 3),
    # Two biases of 1, 4 and 3 gates of 5 units: 2 samples of 7 steps.
    ("rnn", (7, 2, 6), {"hidden_size": 5}, 2 * 1 * 5 * 7 * 2),
    ("lstm", (7, 2, 6), {"hidden_size": 5, "num_layers": 3, "bidirectional": True},
     2 * 4 * 5 * 7 * 2 * 3 * 2),
    ("gru", (2, 7, 6), {"hidden_size": 5, "batch_first": True}, 2 * 3 * 5 * 7 * 2),
    ("lstm", (7, 6), {"hidden_size": 5, "proj_size": 2}, 2 * 4 * 5 * 7),
    ("rnn_cell", (2, 6), {"hidden_size": 5}, 2 * 1 * 5 * 2),
    ("lstm_cell", (2, 6), {"hidden_size": 5}, 2 * 4 * 5 * 2),
    ("gru_cell", (6,), {"hidden_size": 5}, 2 * 3 * 5),
]  # fmt: skip


@pytest.mark.parametrize(("op", "shape", "attributes", "added"), LAYERS)
def test_one_layer(op: str, shape: tuple[int, ...], attributes: Any, added: int) -> None:
    with_bias = _layer(op, shape, **attributes)
    for metric in ("flops", "macs"):
        assert with_bias.total(metric, "macs_with_bias") == with_bias.macs + added
    without = _layer(op, shape, **attributes, bias=False)
    assert without.total("flops", "macs_with_bias") == without.macs == with_bias.macs


def test_attention() -> None:
    ledger = _layer("multi_head_attention", (2, 5, 8), 3, num_heads=2, batch_first=True)
    # Queries, keys, values and the output: 2 x 5 x 8 each.
    assert ledger.total("flops", "macs_with_bias") == ledger.macs + 4 * 2 * 5 * 8
    graph = nl.Graph()
    query, key, value = graph.input(5, 2, 8), graph.input(3, 2, 6), graph.input(3, 2, 4)
    graph.output(nl.multi_head_attention(query, key, value, num_heads=2, kdim=6, vdim=4))
    ledger = graph.count()
    added = 5 * 2 * 8 + 2 * (3 * 2 * 8) + 5 * 2 * 8
    assert ledger.total("flops", "macs_with_bias") == ledger.macs + added


def test_norms_and_products_have_no_bias_that_counts() -> None:
    graph = nl.Graph()
    x = graph.input(2, 3, 4)
    graph.output(nl.matmul(nl.layer_norm(x, normalized_shape=4), nl.transpose(x, dim0=1, dim1=2)))
    assert graph.count().total("flops", "macs_with_bias") == 2 * 3 * 3 * 4


def test_bilinear() -> None:
    graph = nl.Graph()
    graph.output(nl.bilinear(graph.input(2, 3), graph.input(2, 4), out_features=5))
    ledger = graph.count()
    assert ledger.total("flops", "macs_with_bias") == ledger.macs + 2 * 5


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    depth = space.choice("depth", [1, 2])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, out_channels=width, kernel_size=3, padding=1)
    x = space.repeat(depth, lambda i, x: nl.conv2d(x, out_channels=width, kernel_size=1), x)
    x = nl.conv_transpose2d(x, out_channels=width, kernel_size=2, stride=2)
    x = nl.transpose(nl.flatten(x, start_dim=2), dim0=1, dim1=2)
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True)
    x = nl.gru(x, hidden_size=width, bidirectional=True, batch_first=True)[0]
    space.output(nl.linear(nl.select(x, dim=1, index=0), out_features=3))
    codes = space.enumerate()
    costs = space.sweep(codes, ["flops"], "macs_with_bias")["flops"].tolist()
    single = [space.graph(row).count().total("flops", "macs_with_bias") for row in codes]
    assert costs == single
    assert len(set(single)) > 1


def test_its_sentences() -> None:
    rules = convention_of("macs_with_bias").rule("flops")
    texts = {rules.term(view).text for view in _views()}  # type: ignore[union-attr]
    assert texts == {
        "multiply-accumulates",
        "multiply-accumulates, and one per output element for the bias",
    }
    with pytest.raises(NetledgerError, match="does not define 'madd'"):
        convention_of("macs_with_bias").rule("madd")


def _views() -> list[Any]:
    graph = nl.Graph()
    x = graph.input(2, 3)
    graph.output(nl.relu(nl.linear(x, out_features=4)))
    return [place.view for place in graph.count()._places]


# -- torch -----------------------------------------------------------------------------------------


def test_built_attention_is_torchs() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.MultiheadAttention(8, 2, kdim=6, vdim=4)
    traced = nl.count(module, (5, 2, 8), (3, 2, 6), (3, 2, 4))
    graph = nl.Graph()
    query, key, value = graph.input(5, 2, 8), graph.input(3, 2, 6), graph.input(3, 2, 4)
    graph.output(nl.multi_head_attention(query, key, value, num_heads=2, kdim=6, vdim=4))
    assert traced.total("flops", "macs_with_bias") == graph.count().total("flops", "macs_with_bias")


def test_is_what_xautodl_counts_of_images() -> None:
    torch = pytest.importorskip("torch")
    from torch import nn

    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 10),
    )
    ledger = nl.count(model, torch.rand(1, 3, 12, 12))
    count = ledger.total("flops", "macs_with_bias")
    assert count == ledger.total("flops", "xautodl") == ledger.macs + 8 * 10 * 10 + 10
