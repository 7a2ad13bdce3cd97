"""thop 0.1.1, 0.1.0 and 0.0.31: golden figures, spaces, and the release that is installed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat import thop
from netledger.conventions import Rules, convention_of
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_model, golden_models, golden_operations
from peers.hooked_models import HOOKED_MODELS
from peers.operation_models import OPERATIONS, Wrapped
from peers.thop_comparison import NAMES, agree, agree_on_rules, import_peer

PEERS = {"thop_0.1.1": "0.1.1", "thop_0.0.31": "0.0.31"}
#: Whole models, of which one has been counted by 0.1.0 as well.
VERSIONS = {**PEERS, "thop_0.1.0": "0.1.0"}

# -- golden figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "peer", "figures"), golden_operations(*PEERS) + golden_models(*VERSIONS)
)
def test_profile(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    found = thop.profile(module, inputs=(given,), verbose=False, version=VERSIONS[peer])
    assert found == (figures["macs"], figures["params"])


@pytest.mark.parametrize(
    ("model", "peer", "figures"), golden_operations(*PEERS) + golden_models(*VERSIONS)
)
def test_convention(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    ledger = nl.count(module, given)
    convention = f"thop@{VERSIONS[peer]}"
    assert ledger.total("flops", convention) == figures["macs"]
    assert ledger.total("macs", convention) == figures["macs"]
    assert ledger.total("params", convention) == figures["params"]


def test_0_1_0_is_0_1_1_but_for_pooling_and_layer_norms() -> None:
    """No golden figures of single operations are known of it; its rules are those of 0.1.1."""
    different = []
    for name in OPERATIONS:
        module, given = golden_model(name)
        if any(isinstance(layer, nn.LayerNorm) for layer in module.modules()):
            with pytest.raises(NetledgerError, match=r"thop 0\.1\.0 fails on LayerNorm"):
                thop.profile(module, (given,), verbose=False, version="0.1.0")
            continue
        found = thop.profile(module, (given,), verbose=False, version="0.1.0")
        if found != thop.profile(module, (given,), verbose=False):
            different.append(name)
    assert different == ["adaavg_3x5(of 10x12)"]
    module, given = golden_model("adaavg_3x5(of 10x12)")
    # 10 // 3 * (12 // 5) + 1 for each of 4 * 3 * 5 outputs
    assert thop.profile(module, (given,), verbose=False, version="0.1.0") == (420.0, 0)
    with pytest.raises(NetledgerError, match=r"0\.1\.0 fails on LayerNorm"):
        nl.count(*golden_model("ln")).total("flops", "thop@0.1.0")


# -- spaces ----------------------------------------------------------------------------------------


def small_space() -> nl.Space:
    """A convolutional network with a recurrent end, some sizes of which are free."""
    space = nl.Space()
    width = space.choice("width", [6, 12])
    size = space.choice("size", [16, 19])
    pooled = space.choice("pooled", [1, 3])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, width, space.choice("kernel", [1, 3]), padding=1, groups=3)
    x = nl.leaky_relu(nl.prelu(nl.instance_norm(nl.relu(nl.batch_norm(x)), affine=True)))
    x = nl.conv_transpose2d(x, width, 2, stride=2, groups=2)
    x = nl.group_norm(nl.avg_pool2d(x, 3, 2, 1, count_include_pad=False), 2)
    x = nl.interpolate(x, size=(20, 21), mode="bilinear")
    x = nl.softmax(nl.adaptive_avg_pool2d(x, pooled), dim=1)
    x = nl.transpose(nl.flatten(x, 2), 1, 2)
    x = nl.lstm(x, hidden_size=width, num_layers=2, batch_first=True, bidirectional=True)[0]
    space.output(nl.linear(x, 10))
    return space


@pytest.mark.parametrize("version", VERSIONS.values())
def test_counts_in_a_space_what_it_counts_of_each_network(version: str) -> None:
    space = small_space()
    codes = space.enumerate()
    convention = f"thop@{version}"
    for metric in ("flops", "params"):
        costs = space.sweep(codes, [metric], convention)[metric].tolist()
        single = [space.graph(code).count().total(metric, convention) for code in codes]
        assert costs == single
        assert len(set(single)) > 1


def test_a_built_network_counts_as_the_modules() -> None:
    space = nl.Space()
    x = nl.linear(space.input(3, 5, 8), 6)
    x = nl.layer_norm(nl.lstm(x, hidden_size=4)[0], 4)
    space.output(nl.multi_head_attention(x, x, x, num_heads=2))

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(8, 6)
            self.network = nn.LSTM(6, 4)
            self.norm = nn.LayerNorm(4)
            self.attention = nn.MultiheadAttention(4, 2)

        def forward(self, x: Any) -> Any:
            x = self.norm(self.network(self.linear(x))[0])
            return self.attention(x, x, x)[0]

    built, traced = space.graph([]).count(), nl.count(Same(), (3, 5, 8))
    for version in ("0.1.1", "0.0.31"):
        for metric in ("flops", "params"):
            figure = built.total(metric, f"thop@{version}")
            assert figure == traced.total(metric, f"thop@{version}")
            assert figure > 0


def test_what_is_counted_in_words() -> None:
    def words(name: str, version: str = "0.1.1") -> list[str]:
        rule = convention_of(f"thop@{version}").rule("flops")
        assert isinstance(rule, Rules)
        places = nl.count(*golden_model(name))._places
        return [rule.term(place.view).text for place in places if place.view.op != "identity"]

    products, seen = "multiply-accumulates", "nothing: only modules are seen"
    assert words("conv2d_bias") == [products]
    assert words("conv2d_bias", "0.0.31") == [f"{products}, and one per output element with a bias"]
    shared = f"{products}, 4 times as the module stands in 2 places"
    assert words("shared_by_two_parents") == [shared, shared]
    assert words("F.linear") == [seen]
    assert words("subclass_conv2d") == ["nothing: the module's class only derives from torch's"]
    assert words("root_is_leaf_conv", "0.0.31") == ["nothing: the model's own layer is left out"]
    modes = "per output element, by mode: linear 5, bilinear 11, bicubic 259"
    assert words("upsample_bilinear", "0.0.31") == [modes]


# -- the call itself -------------------------------------------------------------------------------


def test_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU(), Wrapped(nn.Conv2d(4, 4, 1)))
    given = (torch.rand(1, 3, 4, 4),)
    convolution = "<class 'torch.nn.modules.conv.Conv2d'>"
    registered = f"[INFO] Register count_convNd() for {convolution}.\n"
    sequential = "[INFO] Register zero_ops() for <class 'torch.nn.modules.container.Sequential'>.\n"
    thop.profile(model, given)
    assert capsys.readouterr().out == registered + sequential
    thop.profile(model, given, verbose=False)
    assert capsys.readouterr().out == ""

    def missing(kind: type, end: str) -> str:
        text = f"Cannot find rule for {kind}. Treat it as zero Macs and zero Params."
        return f"\033[91m[WARN] {text}{end}"

    thop.profile(model, given, report_missing=True, verbose=False)
    end = "\n\033[00m"
    warned = missing(nn.GELU, end) + missing(Wrapped, end)
    assert capsys.readouterr().out == registered + warned + sequential
    thop.profile(model, given, version="0.0.31")
    end = "\033[00m\n"
    warned = missing(nn.GELU, end) + missing(Wrapped, end) + missing(nn.Sequential, end)
    assert capsys.readouterr().out == registered + warned
    thop.profile(model, given, {nn.Conv2d: pointless}, version="0.0.31")
    customized = f"[INFO] Customize rule pointless() {convolution}.\n"
    assert capsys.readouterr().out == customized + warned


def pointless(module: Any, inputs: Any, output: Any) -> None:
    """Adds nothing."""


def test_nothing_is_left_in_the_model() -> None:
    model = HOOKED_MODELS["sharing"][0]().train()
    before = [(name, id(buffer)) for name, buffer in model.named_buffers()]
    thop.profile(model, HOOKED_MODELS["sharing"][1](), verbose=False)
    assert [(name, id(buffer)) for name, buffer in model.named_buffers()] == before
    assert all(not module._forward_hooks for module in model.modules())
    assert all(module.training for module in model.modules())


def test_rules_of_ones_own() -> None:
    seen = []

    def per_output(module: Any, inputs: Any, output: Any) -> None:
        seen.append((type(module), module.training, inputs[0].shape, output.device.type))
        module.total_ops += torch.DoubleTensor([int(output.numel())])

    def two_per_weight(module: Any, inputs: Any, output: Any) -> None:
        module.total_ops += 2 * module.weight.numel()

    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU(), nn.Conv2d(4, 2, 1)).train()
    given = (torch.rand(2, 3, 5, 5),)
    for version in thop.RELEASES:
        seen.clear()
        rules = {nn.GELU: per_output, nn.Conv2d: two_per_weight}
        found = thop.profile(model, given, rules, verbose=False, version=version)
        assert found == (200.0 + 2 * (12 + 8), 26.0)
        assert seen == [(nn.GELU, False, (2, 4, 5, 5), "meta")]
    assert not dict(model.named_buffers())


def test_rules_of_ones_own_that_cannot_be_followed() -> None:
    model, given = nn.Sequential(nn.GELU()), (torch.rand(2, 3),)

    def of_values(module: Any, inputs: Any, output: Any) -> None:
        module.total_ops += int(output.sum())

    with pytest.raises(NetledgerError, match="'0' \\(GELU\\), of which it is shown meta tensors"):
        thop.profile(model, given, {nn.GELU: of_values}, verbose=False)
    with pytest.raises(NetledgerError, match="would take for the output of '0'"):
        thop.profile(model, given, {nn.GELU: lambda *_: 3}, verbose=False)


def test_what_is_refused() -> None:
    model, given = nn.Sequential(nn.Linear(3, 3)), (torch.rand(2, 3),)
    with pytest.raises(NetledgerError, match=r"unknown version .* of thop; there are"):
        thop.profile(model, given, version="1.0")
    with pytest.raises(NetledgerError, match="stride extrapolates"):
        thop.profile(model, given, stride=32, version="ultralytics-2.2.3")
    with pytest.raises(NetledgerError, match=r"thop 0\.0\.31 takes no ret_layer_info"):
        thop.profile(model, given, ret_layer_info=True, version="0.0.31")

    class ByName(Wrapped):
        def forward(self, x: Any) -> Any:
            return self.layer(input=x)

    with pytest.raises(
        NetledgerError, match="'layer' \\(LayerNorm\\), which is given its input by"
    ):
        thop.profile(ByName(nn.LayerNorm(3)), given, verbose=False)
    softmax = nn.Sequential(nn.Softmax())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NetledgerError, match="a Softmax without dim"):
            thop.profile(softmax, given, verbose=False)
    pooling = nn.Sequential(nn.AdaptiveAvgPool2d((None, 2)))
    with pytest.raises(NetledgerError, match=r"0\.0\.31 fails on an output size of None"):
        thop.profile(pooling, (torch.rand(1, 1, 4, 4),), verbose=False, version="0.0.31")


@pytest.mark.parametrize(
    ("number", "old", "new"),
    [
        (0, "0.00B", "0.00B"),
        (999, "999.00B", "999.00B"),
        (1e3, "1000.00B", "1.00K"),
        (1001, "1.00K", "1.00K"),
        (714206912.0, "714.21M", "714.21M"),
        (1e9, "1000.00M", "1.00G"),
        (4133742592.0, "4.13G", "4.13G"),
        (2e12, "2.00T", "2.00T"),
        (-5e6, "-5000000.00B", "-5.00M"),
    ],
)
def test_clever_format(number: float, old: str, new: str) -> None:
    assert thop.clever_format(number) == old
    assert thop.clever_format([number]) == old
    assert thop.clever_format(number, version="ultralytics-2.2.3") == new


def test_clever_format_of_several() -> None:
    assert thop.clever_format([714206912.0, 61100840.0], "%.3f") == ("714.207M", "61.101M")
    assert thop.clever_format([]) == ()


# -- against the release that is installed ---------------------------------------------------------


@pytest.fixture(scope="module")
def installed() -> tuple[Any, str]:
    """The installed thop, and its version."""
    return import_peer("thop")


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
