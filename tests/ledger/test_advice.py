"""Advice: the guidelines of ShuffleNetV2 on networks whose figures are known by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

import netledger as nl
from netledger import formulas
from netledger.advice import Hint
from netledger.errors import NetledgerError


def pointwise(c1: int, c2: int, groups: int = 1) -> nl.Ledger:
    graph = nl.Graph()
    x = graph.input(1, c1, 56, 56)
    graph.output(nl.conv2d(x, out_channels=c2, kernel_size=1, groups=groups, bias=False))
    return graph.count("pointwise")


@pytest.mark.parametrize(("c1", "c2"), [(128, 128), (64, 256), (32, 512), (16, 1024)])
def test_equal_widths_have_the_least_memory_access(c1: int, c2: int) -> None:
    (layer,) = pointwise(c1, c2).advise().layers
    # 56 * 56 * (128 + 128) + 128 * 128, for each of the four: as many products.
    assert layer.least_memory_access == 819_200
    assert (layer.memory_access == 819_200) == (c1 == c2)


def test_the_bound_is_rounded_up() -> None:
    graph = nl.Graph()
    nl.linear(graph.input(1, 2), out_features=3, bias=False)
    (layer,) = graph.count().advise().layers
    # 2 * sqrt(6) = 4.9 and 6 weights
    assert (layer.memory_access, layer.least_memory_access) == (11, 11)


def test_groups_are_set_against_the_dense_layer_of_the_same_arithmetic() -> None:
    for groups, access in ((2, 1_220_608), (4, 2_023_424), (8, 3_629_056)):
        (layer,) = pointwise(128, 128 * groups, groups).advise().layers
        assert layer.memory_access == access
        assert layer.dense_memory_access == 819_200
        assert layer.least_memory_access is None
    (dense,) = pointwise(128, 128).advise().layers
    assert dense.dense_memory_access is None


def test_branches() -> None:
    graph = nl.Graph()
    x = graph.input(1, 8, 8, 8)
    with graph.module("cell", "Cell"):
        left = nl.conv2d(x, out_channels=8, kernel_size=1)
        right = nl.conv2d(x, out_channels=8, kernel_size=3, padding=1)
        right = nl.conv2d(right, out_channels=8, kernel_size=3, padding=1)
        x = nl.add(left, right)
    with graph.module("head", "Conv2d"):
        x = nl.conv2d(x, out_channels=2, kernel_size=1)
    graph.output(x)
    found = graph.count().advise().branches
    assert [(each.path, each.contractions, each.longest_chain) for each in found] == [
        ("", 4, 3),
        ("cell", 3, 2),
    ]
    assert pointwise(8, 8).advise().branches == ()


def test_element_wise_share() -> None:
    graph = nl.Graph()
    x = graph.input(1, 4, 5, 5)
    y = nl.relu(nl.conv2d(x, out_channels=4, kernel_size=1, bias=False))
    graph.output(nl.add(x, y))
    share = graph.count().advise().element_wise
    assert (share.rows, share.flops, share.memory_access) == (2, 200, 200 + 300)
    assert share.total_flops == 200 + 100 * 7
    assert share.total_memory_access == 500 + 216


def test_roofline() -> None:
    device = nl.Device("a device", flops_per_second=1000, bytes_per_second=100)
    assert device.ridge == 10
    ledger = pointwise(128, 128)
    (layer,) = ledger.advise(device).layers
    assert layer.intensity == Fraction(ledger.flops, 4 * 819_200)
    assert layer.bound == "arithmetic"
    assert layer.seconds == ledger.flops / 1000
    slow = nl.Device("slow memory", flops_per_second=1e9, bytes_per_second=1)
    advice = ledger.advise(slow)
    assert advice.layers[0].bound == "memory"
    assert advice.seconds == 4 * 819_200
    assert ledger.advise().seconds is None
    with pytest.raises(NetledgerError, match="device 'none': rates must be positive"):
        nl.Device("none", 0, 1)


def hints(**attributes: object) -> dict[str, Hint]:
    graph = nl.Graph()
    nl.conv2d(graph.input(1, 16, 20, 20), **attributes)
    (layer,) = graph.count().advise().layers
    return {hint.text: hint for hint in layer.hints}


def test_factorisations() -> None:
    found = hints(out_channels=16, kernel_size=5, padding=2, bias=False)
    assert list(found) == ["1x5 and 5x1", "two 3x3", "depthwise 5x5 and 1x1"]
    # Of 25 weights for each pair of channels, 10 or 18 are left.
    assert found["1x5 and 5x1"].params == 256 * (25 - 10)
    assert found["1x5 and 5x1"].macs == 400 * 256 * (25 - 10)
    assert found["two 3x3"].params == 256 * (25 - 18)
    assert found["two 3x3"].macs == 400 * 256 * (25 - 18)
    assert found["depthwise 5x5 and 1x1"].params == 256 * 25 - 16 * 25 - 256
    assert found["depthwise 5x5 and 1x1"].macs == 400 * (256 * 25 - 16 * 25 - 256)


def test_factorisations_have_the_same_output() -> None:
    found = hints(out_channels=24, kernel_size=7, stride=2, padding=3, bias=True)
    assert list(found) == ["1x7 and 7x1", "three 3x3", "depthwise 7x7 and 1x1"]
    whole = formulas.conv2d((1, 16, 20, 20), 24, 7, stride=2, padding=3)
    row = formulas.conv2d((1, 16, 20, 20), 24, (1, 7), stride=(1, 2), padding=(0, 3))
    column = formulas.conv2d(row.shapes[0], 24, (7, 1), stride=(2, 1), padding=(3, 0))
    assert column.shapes == whole.shapes
    assert found["1x7 and 7x1"].macs == whole.macs - row.macs - column.macs
    assert found["1x7 and 7x1"].params == whole.params - row.params - column.params
    # At full width, the first of two takes more than it saves.
    assert set(hints(out_channels=24, kernel_size=3, stride=2, padding=1)) == {
        "depthwise 3x3 and 1x1"
    }


@pytest.mark.parametrize(
    "attributes",
    [
        {"out_channels": 16, "kernel_size": 1},
        {"out_channels": 16, "kernel_size": 3, "groups": 16},
        {"out_channels": 16, "kernel_size": 3, "padding": "same"},
        # A depthwise layer before the only output channel saves nothing.
        {"out_channels": 1, "kernel_size": (1, 3)},
    ],
)
def test_layers_without_a_factorisation(attributes: dict[str, object]) -> None:
    assert hints(**attributes) == {}


def test_what_has_no_rule_is_said() -> None:
    graph = nl.Graph()
    graph.add("opaque", graph.input(2, 3), attributes={"shapes": (2, 2, 3), "label": "fft"})
    graph.add("opaque", graph.input(0, 3), attributes={"shapes": (1, 0), "flops": 7})
    ledger = graph.count()
    advice = ledger.advise(nl.Device("board", 1e9, 1e8))
    assert advice.unsupported == {"fft": 1}
    assert str(advice).endswith("No rule for fft: their arithmetic is left out")
    assert advice.layers[-1].intensity is None
    assert "no traffic" in str(advice)
    assert "no rule for fft (x1)" in str(ledger.compare("macs", "textbook"))
    assert ledger.compare("macs").to_dict()["unsupported"] == {"fft": 1}


def test_text() -> None:
    graph = nl.Graph()
    x = graph.input(1, 3, 32, 32)
    x = nl.relu(nl.conv2d(x, out_channels=16, kernel_size=5, padding=2, name="stem"))
    graph.output(nl.conv2d(x, out_channels=16, kernel_size=3, groups=16, name="depthwise"))
    text = str(graph.count("net").advise(nl.Device("board", 1e9, 1e8)))
    for words in (
        "net\n",
        "stem (conv2d): 20,672 against",
        "depthwise (conv2d): ",
        "no parallel branches",
        "1 layer: 0.6 % of the FLOPs",
        "Roofline for board: 1.00 GFLOPs and 100.00 MB a second, ridge at 10.00 FLOPs per byte",
        "as depthwise 5x5 and 1x1",
    ):
        assert words in text, words
    assert graph.count().advise().to_dict()["device"] is None
