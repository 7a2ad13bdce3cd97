"""torch.utils.flop_counter: its golden figures, and its figures for other models."""

from __future__ import annotations

import copy
from collections.abc import Callable
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


class _Attending(nn.Module):
    """An attention that is given tensors in some way."""

    def __init__(self, call: Callable[..., Any], **arguments: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, **{"num_heads": 2, **arguments})
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.call(self.attention, x)[0]
        return answer


def _own(layer: nn.Module, x: torch.Tensor) -> Any:
    return layer(x, x, x)


_MASK = torch.ones(6, 6, dtype=torch.bool).triu(1)
_ATTENTIONS: dict[str, nn.Module] = {
    "batch first": _Attending(_own, batch_first=True),
    "sequence first": _Attending(_own),
    "odd heads": _Attending(_own, batch_first=True, num_heads=3),
    "no bias": _Attending(_own, batch_first=True, bias=False),
    "a key and a value more": _Attending(_own, batch_first=True, add_bias_kv=True),
    "a key of zeros": _Attending(_own, batch_first=True, add_zero_attn=True),
    "other sizes": _Attending(
        lambda layer, x: layer(x, x[..., :8], x[..., :10]), batch_first=True, kdim=8, vdim=10
    ),
    "without weights": _Attending(
        lambda layer, x: layer(x, x, x, need_weights=False), batch_first=True
    ),
    "cross": _Attending(lambda layer, x: layer(x, x[:, :4], x[:, :4]), batch_first=True),
    "an equal key": _Attending(lambda layer, x: layer(x, x + 0, x), batch_first=True),
    "one sample": _Attending(lambda layer, x: layer(x[0], x[0], x[0]), batch_first=True),
    "a mask": _Attending(lambda layer, x: layer(x, x, x, attn_mask=_MASK), batch_first=True),
    "a mask of numbers": _Attending(
        lambda layer, x: layer(x, x, x, attn_mask=_MASK.float()), batch_first=True
    ),
    "layer": nn.TransformerEncoderLayer(12, 2, 16, batch_first=True),
    "layer, sequence first": nn.TransformerEncoderLayer(12, 2, 16),
    "layer, odd heads": nn.TransformerEncoderLayer(12, 3, 16, batch_first=True),
    "layer, silu": nn.TransformerEncoderLayer(
        12, 2, 16, batch_first=True, activation=nn.functional.silu
    ),
    "layer, norm first": nn.TransformerEncoderLayer(12, 2, 16, batch_first=True, norm_first=True),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", _ATTENTIONS)
def test_attention_without_gradients_is_what_torch_says_on_the_cpu(name: str) -> None:
    model, given = _ATTENTIONS[name].eval(), torch.rand(2, 6, 12)
    with torch.no_grad():
        with TorchsMode(display=False) as theirs:
            model(given)
        with FlopCounterMode(display=False) as ours:
            model(given)
        assert ours.get_flop_counts() == theirs.get_flop_counts()
        total = nl.count(model, given).total("flops", CONVENTIONS["cpu"])
    assert total == theirs.get_total_flops()
    fast = {"batch first", "without weights", "a mask", "layer", "layer, norm first"}
    assert (total == 0) == (name in fast)


class _Calling(nn.Module):
    """Layers, and what is done with them."""

    def __init__(self, call: Callable[..., Any], *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.scale = nn.Parameter(torch.rand(4))
        self.call = call

    def forward(self, x: torch.Tensor) -> Any:
        return self.call(x, *self.layers)


def _in_place_of_a_view(x: torch.Tensor, first: nn.Module, second: nn.Module) -> Any:
    x = first(x)
    x[:, :2].relu_()
    return second(x)


def _without_gradients(x: torch.Tensor, first: nn.Module, second: nn.Module) -> Any:
    with torch.no_grad():
        x = first(x)
    return second(x)


def _checkpointed(x: torch.Tensor, first: nn.Module, second: nn.Module) -> Any:
    from torch.utils.checkpoint import checkpoint

    return second(checkpoint(first, x, use_reentrant=False))


class _Doubled(torch.autograd.Function):
    """A product that has another backward than torch's."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        x, _ = ctx.saved_tensors
        return None, x.t() @ grad + x.t() @ grad


def _frozen(number: int) -> nn.Sequential:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True), nn.Linear(4, 4), nn.Linear(4, 4))
    model[number].requires_grad_(False)
    return model


def _pair(call: Callable[..., Any]) -> nn.Module:
    return _Calling(call, nn.Linear(4, 4), nn.Linear(4, 4))


_BACKWARDS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "first frozen": (_frozen(0), (3, 4)),
    "middle frozen": (_frozen(2), (3, 4)),
    "groups": (
        nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.ConvTranspose2d(6, 4, 3, groups=2)),
        (2, 4, 7, 7),
    ),
    "dropout and identity": (
        nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.Identity(), nn.Linear(4, 4)),
        (3, 4),
    ),
    "detached": (_pair(lambda x, first, second: second(first(x).detach())), (3, 4)),
    "data": (_pair(lambda x, first, second: second(first(x).data)), (3, 4)),
    "gradients off": (_pair(_without_gradients), (3, 4)),
    "checkpoint": (_pair(_checkpointed), (3, 4)),
    "written through a view": (_pair(_in_place_of_a_view), (3, 4)),
    "backward of one's own": (
        _pair(lambda x, first, second: second(_Doubled.apply(x, first.weight))),  # type: ignore[no-untyped-call]
        (3, 4),
    ),
    "a branch that is not read": (
        _pair(lambda x, first, second: (first(x), second(x))[1]),
        (3, 4),
    ),
    "written through a slice of all": (
        _pair(lambda x, first, second: second(first(x)[:, :4].relu_())),
        (3, 4),
    ),
    "called twice": (_pair(lambda x, first, second: second(first(first(x)))), (3, 4)),
    "one among the outputs": (_pair(lambda x, first, second: [first(x), second(x)]), (3, 4)),
    "products": (
        _pair(lambda x, first, second: torch.bmm(first(x), second(x).mT) @ first(x)),
        (2, 3, 4),
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", _BACKWARDS)
def test_backward_is_what_torch_says(name: str, device: str) -> None:
    model, shape = _BACKWARDS[name]
    model = copy.deepcopy(model).to(device)
    given = torch.rand(shape, device=device)
    for training in (False, True):
        model.train(training)
        found = []
        for mode in (TorchsMode, FlopCounterMode):
            with mode(display=False) as counter:
                answer = model(given)
                (answer[0] if isinstance(answer, list) else answer).sum().backward()
            found.append(counter.get_flop_counts())
        assert found[0] == found[1]


def test_no_layer_is_run_again_for_the_backward_of_a_convolutional_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("netledger.compat.flop_counter._replayed")
    model, given = golden_model("resnet18")
    with FlopCounterMode(display=False) as counter:
        model(given).sum().backward()
    convolutions = counter.get_flop_counts()["ResNet"]
    forward = convolutions[torch.ops.aten.convolution]
    first = nl.count(model, given).rows[0].macs * 2
    assert convolutions[torch.ops.aten.convolution_backward] == 2 * forward - first


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
