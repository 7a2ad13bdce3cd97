"""torch.utils.flop_counter: its golden figures, and its figures for other models."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn
from torch.utils.flop_counter import FlopCounterMode as TorchsMode

import netledger as nl
from netledger.compat.flop_counter import FlopCounterMode
from netledger.conventions.flop_counter import CONVENTIONS
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.traced_models import TRACED_MODELS, golden_model

VERSIONS = {"torch_FlopCounterMode": "cpu", "torch_FlopCounterMode_meta": "meta"}

# -- golden figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "peer", "figures"), golden_operations(*VERSIONS) + golden_models(*VERSIONS)
)
def test_convention(model: str, peer: str, figures: Figures) -> None:
    ledger = nl.count(*golden_model(model))
    assert ledger.total("flops", CONVENTIONS[VERSIONS[peer]]) == figures["flops"]


@pytest.mark.parametrize(
    ("model", "peer", "figures"), golden_operations(*VERSIONS) + golden_models(*VERSIONS)
)
def test_mode(model: str, peer: str, figures: Figures) -> None:
    module, given = golden_model(model)
    if VERSIONS[peer] == "cpu":
        module = module.to_empty(device="cpu") if given.is_meta else module
        given = torch.empty(given.shape) if given.is_meta else given
    else:
        module, given = module.to("meta"), given.to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(given)
    assert counter.get_total_flops() == figures["flops"]
    if "by_op" in figures:
        counts = counter.get_flop_counts().get("Global", {})
        assert {str(operation): flops for operation, flops in counts.items()} == figures["by_op"]


@pytest.mark.parametrize("version", CONVENTIONS)
def test_counts_in_a_space_what_it_counts_of_each_network(version: str) -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    x = space.input(2, 4, size, size)
    x = nl.conv2d(x, out_channels=width, kernel_size=3)
    x = nl.scaled_dot_product_attention(x, x, x)
    x = nl.flatten(x, start_dim=2)
    x = nl.lstm(x, hidden_size=width)[0]
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True)
    x = nl.multi_head_attention(x, x, x, num_heads=2)
    x = nl.linear(x, out_features=5)
    space.output(x)
    codes = space.enumerate()
    convention = CONVENTIONS[version]
    costs = space.sweep(codes, ["flops"], convention).flops.tolist()
    single = [space.graph(row).count().total("flops", convention) for row in codes]
    assert costs == single
    assert len(set(single)) == 4


# -- the shim by itself ----------------------------------------------------------------------------


def test_plain_operations_count() -> None:
    left, right = torch.rand(3, 4), torch.rand(4, 5)
    with FlopCounterMode(display=False) as counter:
        product = torch.mm(left, right)
    assert counter.get_total_flops() == 2 * 3 * 4 * 5
    assert torch.equal(product, torch.mm(left, right))


def test_answers_have_sizes_and_no_values() -> None:
    model = nn.LSTM(4, 3)
    with FlopCounterMode(display=False):
        answer, (hidden, memory) = model(torch.rand(5, 2, 4))
        assert answer.shape == (5, 2, 3)
        assert hidden.shape == memory.shape == (1, 2, 3)
        assert (answer * 2).mean(0).shape == (2, 3)
        assert answer.device.type == "cpu"
        with pytest.raises(NetledgerError, match="no value to read"):
            answer.sum().item()


def test_a_loss_and_its_backward_are_those_of_torch() -> None:
    def train(mode: Any) -> Any:
        torch.manual_seed(0)
        body, head = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten()), nn.Linear(144, 5)
        loss = nn.CrossEntropyLoss()
        with mode(display=False) as counter:
            features = body(torch.rand(2, 3, 8, 8))
            mixed = features @ torch.rand(144, 144)
            loss(head(mixed) + 1, torch.tensor([0, 3])).backward()
        return counter.get_total_flops(), counter.get_flop_counts()["Global"], body, head

    total, counts, *_ = train(TorchsMode)
    our_total, our_counts, *modules = train(FlopCounterMode)
    assert (our_total, our_counts) == (total, counts)
    assert all(parameter.grad is None for module in modules for parameter in module.parameters())


def test_nothing_is_left_in_torch_or_the_model() -> None:
    model, original = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.Module.__call__
    before = {name: value.clone() for name, value in model.state_dict().items()}
    parameters = list(map(id, model.parameters()))
    with FlopCounterMode(display=False):
        model(torch.rand(2, 3)).sum().backward()
    assert nn.Module.__call__ is original
    assert list(map(id, model.parameters())) == parameters
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ZeroDivisionError), FlopCounterMode(display=False):
        raise ZeroDivisionError
    assert nn.Module.__call__ is original
    assert model(torch.rand(2, 3)).detach().abs().sum() > 0


def test_backward_of_a_module_with_constants_of_its_own() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.layer(x + torch.tensor([1.0, 2.0, 3.0]))
            return answer

    model = Shifted()
    with FlopCounterMode(display=False) as counter:
        model(torch.rand(2, 3)).sum().backward()
    assert counter.get_total_flops() == 2 * (2 * 2 * 3 * 3)


def test_a_module_that_reads_values_has_no_backward() -> None:
    class Reading(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * float(torch.nn.functional.relu(self.bias).sum() > -1)

    with pytest.raises(NetledgerError), FlopCounterMode(display=False):
        Reading(3, 3)(torch.rand(2, 3)).sum().backward()


def test_formulas_of_ones_own_are_refused() -> None:
    with pytest.raises(NetledgerError, match="custom_mapping"):
        FlopCounterMode(custom_mapping={torch.ops.aten.relu: lambda *args, **kwargs: 1})


# -- torch itself ----------------------------------------------------------------------------------

#: torch's split of a GRU between mm and addmm on the CPU is not known.
_WITHOUT_SPLIT = {"recurrent"}


#: What is compared of models that take long, where it is not the forward with gradients.
_WAYS_OF_LARGE = {"mobilenet_v3_small": "backward", "swin_t": "backward"}


def _all(mode: Any, model: nn.Module, inputs: tuple[Any, ...], way: str) -> Any:
    with torch.set_grad_enabled(way != "no_grad"), mode(display=False) as counter:
        answer = model(*inputs)
        if way == "backward":
            answer.sum().backward()
    return counter


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", TRACED_MODELS)
def test_is_what_torch_says(name: str, device: str) -> None:
    pytest.importorskip("tabulate")
    make, make_inputs = TRACED_MODELS[name]
    model = make().to(device)
    inputs = tuple(tensor.to(device) for tensor in make_inputs())
    small = sum(1 for _ in model.modules()) < 40
    ways = ("no_grad", "grad", "backward") if small else (_WAYS_OF_LARGE.get(name, "grad"),)
    for training in (False, True) if small else (False,):
        model.train(training)
        for way in ways:
            theirs = _all(TorchsMode, model, inputs, way)
            ours = _all(FlopCounterMode, model, inputs, way)
            assert ours.get_total_flops() == theirs.get_total_flops()
            if device == "meta" or name not in _WITHOUT_SPLIT:
                assert ours.get_flop_counts() == theirs.get_flop_counts()
                assert ours.get_table(3) == theirs.get_table(3)
            version = "meta" if device == "meta" else "cpu_grad" if way != "no_grad" else ""
            if version and not training and way == "grad":
                ledger = nl.count(model, *inputs)
                assert ledger.total("flops", CONVENTIONS[version]) == theirs.get_total_flops()
            model.zero_grad()
