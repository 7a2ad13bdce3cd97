"""fvcore: its golden figures, its figures for other models, and its printed text."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat import fvcore as compat
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.traced_models import TRACED_MODELS, golden_model

# -- golden figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "peer", "figures"),
    golden_operations("fvcore_flops") + golden_models("fvcore_flops"),
)
def test_flops(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    ledger = nl.count(module, given)
    assert ledger.total("flops", "fvcore") == figures["macs"]
    assert ledger.total("params", "fvcore") == figures["params"]
    analysis = compat.FlopCountAnalysis(module, given)
    assert analysis.total() == figures["macs"]
    assert analysis.by_operator() == figures["by_op"]
    assert analysis.unsupported_ops() == figures["unsupported"]
    assert compat.parameter_count(module)[""] == figures["params"]


@pytest.mark.parametrize(
    ("model", "peer", "figures"),
    golden_operations("fvcore_acts") + golden_models("fvcore_acts"),
)
def test_activations(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    assert nl.count(module, given).total("activations", "fvcore") == figures["acts"]
    analysis = compat.ActivationCountAnalysis(module, given)
    assert analysis.total() == figures["acts"]
    assert analysis.by_operator() == figures["by_op"]


# -- spaces ----------------------------------------------------------------------------------------


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, out_channels=width, kernel_size=3, padding=1)
    x = nl.batch_norm(x)
    x = nl.interpolate(x, size=(12, 12))
    x = nl.flatten(x, start_dim=2)
    x = nl.einsum(x, x, equation="bij,bkj->bik")
    x = nl.multi_head_attention(x, x, x, num_heads=2, kdim=width, vdim=width, batch_first=True)
    space.output(x)
    codes = space.enumerate()
    for metric in ("flops", "activations"):
        costs = getattr(space.sweep(codes, [metric], "fvcore"), metric).tolist()
        single = [space.graph(row).count().total(metric, "fvcore") for row in codes]
        assert costs == single
        assert len(set(single)) > 1


# -- the shim by itself ----------------------------------------------------------------------------


def test_a_handle_of_shapes_is_honoured() -> None:
    module, given = golden_model("act_GELU")
    analysis = compat.FlopCountAnalysis(module, given)
    assert analysis.unsupported_ops() == {"aten::gelu": 1}
    analysis.set_op_handle("aten::gelu", lambda inputs, outputs: 7 * outputs[0].type().sizes()[1])
    assert analysis.by_operator() == {"gelu": 28}
    assert analysis.unsupported_ops() == {}
    analysis.set_op_handle("aten::gelu", lambda inputs, outputs: Counter(mine=3))
    assert analysis.by_operator() == {"mine": 3}


def test_a_handle_that_needs_values_is_refused() -> None:
    module, given = golden_model("conv2d_bias")
    analysis = compat.FlopCountAnalysis(module, given)
    analysis.set_op_handle("aten::_convolution", lambda inputs, outputs: inputs[1].type().sizes())
    with pytest.raises(NetledgerError, match="leading 1 tensors"):
        analysis.total()
    analysis.set_op_handle("aten::_convolution", lambda inputs, outputs: inputs[0].toIValue())
    with pytest.raises(NetledgerError, match="toIValue"):
        analysis.total()


def test_none_takes_an_operation_off_the_list_but_not_out_of_the_count() -> None:
    module, given = golden_model("resnet18")
    analysis = compat.FlopCountAnalysis(module, given)
    total = analysis.total()
    analysis.set_op_handle("aten::batch_norm", None, "aten::add_", None)
    assert analysis.total() == total
    assert analysis.unsupported_ops() == {"aten::max_pool2d": 1}
    assert analysis.clear_op_handles().total() == 0


def test_unknown_names_are_refused() -> None:
    module, given = golden_model("linear2d_bias")
    analysis = compat.FlopCountAnalysis(module, given)
    with pytest.raises(NetledgerError, match="no module 'head'"):
        analysis.total("head")
    with pytest.raises(NetledgerError, match="ancestor mode"):
        analysis.ancestor_mode("parent")


def test_the_model_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert compat.FlopCountAnalysis(module, torch.rand(2, 3, 8, 8)).total() > 0
    assert module.training
    assert not any(below._forward_hooks for below in module.modules())
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])


class _Standardized(nn.Conv2d):
    """A convolution whose weight is normalized first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = nn.functional.batch_norm(flat, None, None, training=True)
        return nn.functional.conv2d(x, weight.reshape_as(self.weight), self.bias)


class _OfProducts(nn.Module):
    """Products that are no matrix product in a trace."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer(x)
        summed = torch.addbmm(x[0], x, x)
        return summed + torch.addmv(x[0, 0], summed, x[0, 0])


_OTHERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "weights that are computed": (lambda: _Standardized(3, 4, 3), (2, 3, 6, 6)),
    "made of products": (_OfProducts, (2, 4, 4)),
}


def test_what_makes_a_weight_is_not_dropped() -> None:
    made = 2 * 4 * 4 * 4 * 27
    analysis = compat.FlopCountAnalysis(_Standardized(3, 4, 3).eval(), torch.rand(2, 3, 6, 6))
    assert analysis.by_operator() == {"conv": made, "batch_norm": 4 * 4 * 27}


# -- fvcore itself ---------------------------------------------------------------------------------


def _same(model: nn.Module, inputs: tuple[Any, ...]) -> None:
    """Everything that fvcore says of a model, and what stands in for it."""
    peer = pytest.importorskip("fvcore.nn")
    pytest.importorskip("tabulate")
    flops, ours = peer.FlopCountAnalysis(model, inputs), compat.FlopCountAnalysis(model, inputs)
    acts = peer.ActivationCountAnalysis(model, inputs)
    our_acts = compat.ActivationCountAnalysis(model, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert ours.total() == flops.total()
        assert type(ours.total()) is type(flops.total())
        assert ours.by_module() == flops.by_module()
        assert list(ours.by_module()) == list(flops.by_module())
        assert ours.by_module_and_operator() == flops.by_module_and_operator()
        assert our_acts.by_module_and_operator() == acts.by_module_and_operator()
        assert ours.uncalled_modules() == flops.uncalled_modules()
        assert compat.parameter_count(model) == peer.parameter_count(model)
        for depth in (1, 3):
            assert compat.parameter_count_table(model, depth) == peer.parameter_count_table(
                model, depth
            )
            assert compat.flop_count_table(ours, depth) == peer.flop_count_table(flops, depth)
        arguments: dict[str, Any] = {"max_depth": 4, "show_param_shapes": False}
        assert compat.flop_count_table(
            ours, activations=our_acts, **arguments
        ) == peer.flop_count_table(flops, activations=acts, **arguments)
        assert compat.flop_count_str(ours) == peer.flop_count_str(flops)
        assert compat.flop_count_str(ours, our_acts) == peer.flop_count_str(flops, acts)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TRACED_MODELS)
def test_is_what_fvcore_says(name: str) -> None:
    make, make_inputs = TRACED_MODELS[name]
    _same(make().eval(), make_inputs())


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", _OTHERS)
def test_is_what_fvcore_says_of_others(name: str) -> None:
    make, shape = _OTHERS[name]
    model, inputs = make().eval(), (torch.rand(shape),)
    _same(model, inputs)
    peer = pytest.importorskip("fvcore.nn")
    total = peer.FlopCountAnalysis(model, inputs).total()
    assert nl.count(model, *inputs).total("flops", "fvcore") == total


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["resnet18 of 3", "decoder", "shared"])
def test_is_what_fvcore_says_in_training_mode(name: str) -> None:
    make, make_inputs = TRACED_MODELS[name]
    _same(make().train(), make_inputs())


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["attentions", "encoder", "encoder, sequence first"])
def test_is_what_fvcore_says_without_gradients(name: str) -> None:
    make, make_inputs = TRACED_MODELS[name]
    with torch.no_grad():
        _same(make().eval(), make_inputs())


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_the_short_calls_are_those_of_fvcore() -> None:
    peer = pytest.importorskip("fvcore.nn")
    make, make_inputs = TRACED_MODELS["shared"]
    model, inputs = make().eval(), make_inputs()
    assert compat.flop_count(model, inputs) == peer.flop_count(model, inputs)
    assert compat.activation_count(model, inputs) == peer.activation_count(model, inputs)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_unsupported_operations_are_those_of_fvcore() -> None:
    peer = pytest.importorskip("fvcore.nn")
    for name in ("cells", "shared", "decoder", "recurrent", "attentions", "squeezenet1_1"):
        make, make_inputs = TRACED_MODELS[name]
        model, inputs = make().eval(), make_inputs()
        theirs = peer.FlopCountAnalysis(model, inputs)
        theirs.total()
        assert compat.FlopCountAnalysis(model, inputs).unsupported_ops() == theirs.unsupported_ops()
