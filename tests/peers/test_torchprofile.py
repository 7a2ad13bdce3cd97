"""torchprofile: its golden figures, and its figures for other models."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat.torchprofile import profile_macs
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.traced_models import TRACED_MODELS, golden_model


@pytest.mark.parametrize(
    ("model", "peer", "figures"),
    golden_operations("torchprofile") + golden_models("torchprofile"),
)
def test_golden_figures(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    assert nl.count(module, given).total("flops", "torchprofile") == figures["macs"]
    assert profile_macs(module, given) == figures["macs"]


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    x = space.input(2, 4, size, size)
    x = nl.conv_transpose2d(x, out_channels=width, kernel_size=3, groups=2)
    x = nl.group_norm(x, num_groups=2)
    x = nl.mul(x, x)
    x = nl.flatten(x, start_dim=2)
    x = nl.multi_head_attention(x, x, x, num_heads=2, need_weights=True)[0]
    x = nl.einsum(x, x, equation="bij,bkj->bik")
    space.output(x)
    codes = space.enumerate()
    costs = space.sweep(codes, ["flops"], "torchprofile").flops.tolist()
    single = [space.graph(row).count().total("flops", "torchprofile") for row in codes]
    assert costs == single
    assert len(set(single)) == 4


def test_without_a_reduction_every_operation_is_there() -> None:
    module, given = golden_model("resnet18")
    macs = profile_macs(module, given, reduction=None)
    assert sum(macs.values()) == profile_macs(module, given)
    assert profile_macs(module, given, reduction=max) == max(macs.values())
    first = next(iter(macs))
    assert (first.operator, first.scope) == ("aten::_convolution", "conv1")
    assert first.outputs == ((1, 64, 112, 112),)


def test_keyword_arguments_are_refused() -> None:
    with pytest.raises(NetledgerError, match="keyword arguments"):
        profile_macs(nn.Linear(2, 2), torch.rand(1, 2), {"x": 1})  # type: ignore[arg-type]


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TRACED_MODELS)
def test_is_what_torchprofile_says(name: str) -> None:
    peer = pytest.importorskip("torchprofile")
    make, make_inputs = TRACED_MODELS[name]
    model, inputs = make().eval(), make_inputs()
    theirs, ours = peer.profile_macs(model, inputs), profile_macs(model, inputs)
    assert ours == theirs
    assert type(ours) is type(theirs)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["encoder", "encoder, sequence first", "mha_needweights"])
def test_is_what_torchprofile_says_without_gradients(name: str) -> None:
    peer = pytest.importorskip("torchprofile")
    if name in TRACED_MODELS:
        make, make_inputs = TRACED_MODELS[name]
        model, inputs = make().eval(), make_inputs()
    else:
        model, inputs = golden_model(name)
    with torch.no_grad():
        assert profile_macs(model, inputs) == peer.profile_macs(model, inputs)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bias", [True, False])
def test_attention_to_another_tensor_is_what_torchprofile_says(bias: bool) -> None:
    peer = pytest.importorskip("torchprofile")
    model = nn.TransformerDecoderLayer(12, 2, 16, bias=bias).eval()
    inputs = torch.rand(4, 2, 12), torch.rand(5, 2, 12)
    theirs = peer.profile_macs(model, inputs)
    assert profile_macs(model, inputs) == theirs
    assert nl.count(model, *inputs).total("flops", "torchprofile") == theirs


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_fails_where_torchprofile_fails() -> None:
    peer = pytest.importorskip("torchprofile")
    module, given = golden_model("mha_noweights")
    with torch.no_grad():
        with pytest.raises(AttributeError):
            peer.profile_macs(module, given)
        with pytest.raises(NetledgerError, match="with gradients enabled"):
            profile_macs(module, given)
