"""ultralytics-thop 2.2.3 and 2.0.18: golden figures, spaces, and the release that is installed."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

import torch.nn.functional as F
from torch import nn

import netledger as nl
from netledger.compat import thop
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_model, golden_models, golden_operations
from peers.operation_models import Wrapped
from peers.thop_comparison import NAMES, agree, agree_on_rules, import_peer

PEERS = {"ultralytics_thop_2.2.3": "2.2.3", "ultralytics_thop_2.0.18": "2.0.18"}

# -- golden figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "peer", "figures"), golden_operations(*PEERS) + golden_models(*PEERS)
)
def test_profile(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    version = f"ultralytics-{PEERS[peer]}"
    found = thop.profile(module, inputs=(given,), verbose=False, version=version)
    assert found == (figures["macs"], figures["params"])


@pytest.mark.parametrize(
    ("model", "peer", "figures"), golden_operations(*PEERS) + golden_models(*PEERS)
)
def test_convention(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    ledger = nl.count(module, given)
    convention = f"ultralytics_thop@{PEERS[peer]}"
    assert ledger.total("flops", convention) == figures["macs"]
    assert ledger.total("macs", convention) == figures["macs"]
    assert ledger.total("params", convention) == figures["params"]


# -- spaces ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", PEERS.values())
def test_counts_in_a_space_what_it_counts_of_each_network(version: str) -> None:
    space = nl.Space()
    width = space.choice("width", [6, 12])
    size = space.choice("size", [16, 19])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, width, space.choice("kernel", [1, 3]), padding=1, groups=3)
    x = nl.group_norm(nl.instance_norm(nl.batch_norm(x), affine=True), 2)
    x = nl.conv_transpose2d(x, width, 2, stride=2, groups=2)
    x = nl.avg_pool2d(x, 3, 2, 1, count_include_pad=space.choice("pad", [True, False]))
    x = nl.interpolate(x, size=(20, 21), mode="nearest")
    x = nl.log_softmax(nl.adaptive_avg_pool2d(x, space.choice("pooled", [1, 3])), dim=1)
    x = nl.transpose(nl.flatten(x, 2), 1, 2)
    x = nl.lstm(x, hidden_size=width, proj_size=4, batch_first=True)[0]
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True)
    x = nl.einsum(x, x, equation="bij,bkj->bik")
    space.output(nl.matmul(x, x))
    codes = space.enumerate()
    convention = f"ultralytics_thop@{version}"
    for metric in ("flops", "params"):
        costs = space.sweep(codes, [metric], convention)[metric].tolist()
        single = [space.graph(code).count().total(metric, convention) for code in codes]
        assert costs == single
        assert len(set(single)) > 1


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("appended", [True, False])
def test_a_built_attention_counts_as_the_module(batch_first: bool, appended: bool) -> None:
    options: dict[str, Any] = {
        "num_heads": 2,
        "kdim": 6,
        "vdim": 4,
        "add_bias_kv": appended,
        "add_zero_attn": appended,
        "batch_first": batch_first,
    }
    space = nl.Space()
    inputs = [space.input(5, 3, 8), space.input(*lengths(batch_first), 6)]
    value = space.input(*lengths(batch_first), 4)
    space.output(nl.multi_head_attention(*inputs, value, **options))

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, **options)

        def forward(self, query: Any, key: Any, value: Any) -> Any:
            return self.attention(query, key, value)[0]

    shapes = [(5, 3, 8), (*lengths(batch_first), 6), (*lengths(batch_first), 4)]
    built = space.graph([]).count().total("flops", "ultralytics_thop")
    assert built == nl.count(Same(), shapes).total("flops", "ultralytics_thop")
    assert (
        built
        == thop.profile(
            Same(),
            [torch.rand(*shape) for shape in shapes],
            verbose=False,
            version="ultralytics-2.2.3",
        )[0]
    )


def lengths(batch_first: bool) -> tuple[int, int]:
    """Batch and length of keys for 5 samples of 3 queries, or for 5 queries of 3 samples."""
    return (5, 7) if batch_first else (7, 3)


# -- what is refused -------------------------------------------------------------------------------


class OwnAttention(nn.MultiheadAttention):
    """A class of its own."""


class AttentionFunction(nn.Module):
    """An attention by torch's function, outside of torch's module."""

    def __init__(self) -> None:
        super().__init__()
        self.of_weights = nn.MultiheadAttention(8, 2)

    def forward(self, x: Any) -> Any:
        of = self.of_weights
        return F.multi_head_attention_forward(
            x, x, x, 8, 2, of.in_proj_weight, of.in_proj_bias, None, None, False, 0.0,
            of.out_proj.weight, of.out_proj.bias, need_weights=False,
        )[0]  # fmt: skip


class PaddedPooling(nn.AvgPool2d):
    """A pooling that pads its input by itself."""

    def forward(self, input: Any) -> Any:
        return super().forward(F.pad(input, (1, 1, 1, 1)))


class TwiceLinear(nn.Linear):
    """A linear layer that is used twice in a call."""

    def forward(self, input: Any) -> Any:
        return super().forward(super().forward(input))


def call(model: nn.Module, *shape: int) -> Any:
    """The figures for an input of this shape."""
    return thop.profile(model, (torch.rand(*shape),), verbose=False, version="ultralytics-2.2.3")


def test_what_is_counted_as_a_whole_is_not_guessed() -> None:
    for model in (AttentionFunction(), nn.Sequential(Attended(OwnAttention(8, 2)))):
        with pytest.raises(NetledgerError, match="as a whole"):
            call(model, 4, 3, 8)
        with pytest.raises(NetledgerError, match="as a whole"):
            nl.count(model, (4, 3, 8)).total("flops", "ultralytics_thop@2.2.3")
    with pytest.raises(NetledgerError, match="does other things than the class"):
        call(nn.Sequential(PaddedPooling(2)), 1, 2, 6, 6)
    with pytest.raises(NetledgerError, match="does other things than the class"):
        call(nn.Sequential(TwiceLinear(4, 4)), 2, 4)


class Attended(Wrapped):
    """The attended values of an attention to its input."""

    def forward(self, x: Any) -> Any:
        return self.layer(x, x, x)[0]


def test_a_function_by_a_name_of_its_own() -> None:
    class Product(nn.Module):
        def __init__(self, function: Any) -> None:
            super().__init__()
            self.function = function

        def forward(self, x: Any) -> Any:
            return self.function(x, x.transpose(1, 2))

    assert (
        nl.count(Product(lambda x, y: torch.bmm(input=x, mat2=y)), (2, 3, 4)).total(
            "flops", "ultralytics_thop"
        )
        == 2 * 3 * 3 * 4
    )
    with pytest.raises(NetledgerError, match=r"which one made .* is not known"):
        nl.count(Product(torch.bmm), (2, 3, 4)).total("flops", "ultralytics_thop")


# -- against the release that is installed ---------------------------------------------------------


@pytest.fixture(scope="module")
def installed() -> tuple[Any, str]:
    """The installed thop, and its version."""
    return import_peer("ultralytics-thop", "ultralytics-")


@pytest.mark.peers
@pytest.mark.parametrize("name", NAMES)
def test_installed(
    name: str, installed: tuple[Any, str], capsys: pytest.CaptureFixture[str]
) -> None:
    agree(*installed, name, capsys)


@pytest.mark.peers
def test_installed_with_rules_of_ones_own(installed: tuple[Any, str]) -> None:
    agree_on_rules(*installed)


@pytest.mark.peers
def test_installed_clever_format(installed: tuple[Any, str]) -> None:
    peer, version = installed
    for numbers in ([0, 999.5, 1e3, 1e3 + 1, 3e6], [7e9, 2e12, -4e7], 5e6, [5e6]):
        assert thop.clever_format(numbers, version=version) == peer.clever_format(numbers)
