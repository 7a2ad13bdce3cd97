"""Counting leaves a model as it was, also when its forward fails."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl
from torchvision_shim import torchvision


class Restless(nn.Module):
    """Writes to everything that a forward may write to."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 16)
        self.norm = nn.BatchNorm1d(16)
        self.register_buffer("steps", torch.zeros(1))
        self.register_buffer("seen", torch.ones(4))
        self.cache: Any = None
        self.log: list[Any] = []
        self.kept: list[Any] = [1]
        self.by_name: dict[str, Any] = {}
        self.known: dict[str, Any] = {"a": 1}
        self.names = {"a"}
        self.ordered: OrderedDict[str, Any] = OrderedDict(x=1)
        self.fails = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        self.seen[1:].add_(2.0)
        self.cache = x * 2
        self.log.append(x)
        self.kept[0] = x
        self.by_name["x"] = x
        self.known["a"] = x
        self.names.add("b")
        self.ordered["y"] = x
        self.linear.weight.mul_(2)
        self.linear.extra = x
        self.late = nn.Linear(2, 2)
        self.register_buffer("later", x)
        self.steps = self.steps + 1
        torch.rand(3)
        y = self.norm(self.linear(x))
        if self.fails:
            raise KeyError("on purpose")
        return y


def fingerprint(model: nn.Module) -> list[Any]:
    """Identities of attributes and container entries, flags, versions and contents of tensors."""
    found: list[Any] = []
    for path, module in model.named_modules():
        attributes = module.__dict__
        entries = [
            [id(entry) for entry in (value.values() if isinstance(value, dict) else value)]
            for value in attributes.values()
            if isinstance(value, dict | list | set)
        ]
        found.append((path, module.training, list(attributes), entries))
        found.append({name: id(value) for name, value in attributes.items() if name != "training"})
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        content = None if tensor.is_meta else tensor.detach().flatten()[:100].tolist()
        found.append((name, id(tensor), tensor._version, tensor.requires_grad, content))
    return found


def surroundings() -> list[Any]:
    return [
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.backends.mha.get_fastpath_enabled(),
        nn.Module._call_impl,
        nn.modules.transformer._detect_is_causal_mask,
    ]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_everything_is_put_back(fails: bool, training: bool) -> None:
    model = Restless().train(training)
    model.norm.eval()
    model.fails = fails
    model.linear.bias.requires_grad_(False)
    before, around = fingerprint(model), surroundings()
    if fails:
        with pytest.raises(nl.TraceError, match="the model \\(Restless\\) raised KeyError"):
            nl.count(model, (2, 16))
    else:
        nl.count(model, (2, 16))
    assert fingerprint(model) == before
    assert surroundings() == around
    assert model.norm.training is False


def test_a_gradient_survives() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).train()
    loss = model(torch.rand(3, 4)).sum()
    nl.count(model, (3, 4))
    loss.backward()
    assert model[0].weight.grad is not None


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "swin_t", "densenet121"])
def test_models_in_training(name: str) -> None:
    model = torchvision.models.get_model(name, weights=None).train()
    before, around = fingerprint(model), surroundings()
    nl.count(model, (1, 3, 224, 224))
    assert fingerprint(model) == before
    assert surroundings() == around


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_other_dtypes_and_the_meta_device(dtype: torch.dtype, device: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).to(device, dtype)
    before = fingerprint(model)
    ledger = nl.count(model, (1, 3, 8, 8))
    assert fingerprint(model) == before
    itemsize = dtype.itemsize
    rows = ledger.rows
    assert [row.memory_access_bytes for row in rows] == [
        row.memory_access * itemsize for row in rows
    ]
    assert ledger.macs == 6 * 6 * 4 * 27
    engine = nl.from_torch(model, (1, 3, 8, 8)).engine
    assert engine.dtype(engine.outputs[0]) == str(dtype).removeprefix("torch.")


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize(
    ("wrapped", "ops"),
    [
        (nn.utils.weight_norm, ["norm", "div", "mul", "linear"]),
        (nn.utils.parametrizations.weight_norm, ["norm", "div", "mul", "linear"]),
        (nn.utils.spectral_norm, ["matmul", "matmul", "div", "linear"]),
        (nn.utils.parametrizations.spectral_norm, ["matmul", "matmul", "div", "linear"]),
    ],
)
def test_weights_that_are_computed(wrapped: Any, ops: list[str]) -> None:
    model = wrapped(nn.Linear(16, 8)).train()
    before = fingerprint(model)
    ledger = nl.count(model, (2, 16))
    assert fingerprint(model) == before
    views = {"reshape", "permute", "copy", "flatten"}
    assert [row.op for row in ledger if row.op not in views] == ops
    assert ledger.params == sum(parameter.numel() for parameter in model.parameters())
    assert ledger.buffers == sum(buffer.numel() for buffer in model.buffers())
    assert ledger.rows[-1].macs == 2 * 16 * 8
    assert ledger.unsupported == {}


def test_hooks_run_and_stay() -> None:
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU())
    calls = []
    model[0].register_forward_hook(
        lambda module, args, output: calls.append("after") or output[:, :5]
    )
    model[0].register_forward_pre_hook(lambda module, args: calls.append("before"))
    before = fingerprint(model)
    ledger = nl.count(model, (2, 16))
    assert calls == ["before", "after"]
    assert ledger.rows[-1].output_shapes == ((2, 5),)
    assert fingerprint(model) == before


def test_global_hooks_run() -> None:
    seen = []
    handle = nn.modules.module.register_module_forward_hook(
        lambda module, args, output: seen.append(type(module).__name__)
    )
    try:
        nl.count(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), (2, 4))
    finally:
        handle.remove()
    assert seen == ["Linear", "ReLU", "Sequential"]


def test_another_thread_is_left_alone() -> None:
    from threading import Thread

    other = nn.Linear(4, 4)
    answers: list[Any] = []

    class Spawning(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            thread = Thread(target=lambda: answers.append(other(torch.ones(1, 4))))
            thread.start()
            thread.join()
            return x * 2

    ledger = nl.count(Spawning(), (2, 4))
    assert [row.op for row in ledger] == ["mul"]
    assert type(answers[0]) is torch.Tensor


def test_traces_in_several_threads_do_not_end_each_other() -> None:
    from threading import Event, Thread

    import torch.nn.functional as F

    class Waiting(nn.Module):
        """Its forward waits in the middle until another trace has come and gone."""

        def __init__(self, here: Event, go_on: Event) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
            self.here, self.go_on = here, go_on

        def forward(self, x):
            x = self.first(x)
            self.here.set()
            assert self.go_on.wait(30)
            x = self.attention(x, x, x)[0]
            return F.relu(torch.add(x, x))

    here, go_on = Event(), Event()
    ledgers: list[nl.Ledger] = []

    def second() -> None:
        assert here.wait(30)
        ledgers.append(nl.count(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), (1, 4)))
        go_on.set()

    thread = Thread(target=second)
    thread.start()
    before = (nn.Module._call_impl, F.relu, torch.backends.mha.get_fastpath_enabled())
    ledgers.append(nl.count(Waiting(here, go_on), (1, 3, 4)))
    thread.join()
    alone = nl.count(Waiting(Event(), go_on), (1, 3, 4))
    facts = [
        [(place.path, place.view.op, place.view.origin.function) for place in ledger._places]
        for ledger in (ledgers[1], alone)
    ]
    assert facts[0] == facts[1]
    assert ("", "relu", "F.relu") in facts[0]
    assert ("", "add", "torch.add") in facts[0]
    assert len(ledgers[0]) == 2
    assert before == (nn.Module._call_impl, F.relu, torch.backends.mha.get_fastpath_enabled())
