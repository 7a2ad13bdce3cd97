"""ptflops 0.7.5, both backends, and 0.6.9: golden figures, spaces, and the release installed."""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat.ptflops import (
    flops_to_string,
    get_model_complexity_info,
    params_to_string,
)
from netledger.errors import NetledgerError, SpaceError
from peers.golden_figures import Figures, figures, golden_models, golden_operations
from peers.operation_models import OPERATIONS
from peers.patched_models import IMAGE, PATCHED_MODELS
from peers.peer_runs import capture, run_peer
from peers.whole_models import MODELS

BACKENDS = {"ptflops_pytorch": "pytorch", "ptflops_aten": "aten"}
CONVENTIONS = {"ptflops_pytorch": "ptflops", "ptflops_aten": "ptflops_aten@0.7.5"}


def golden(name: str) -> tuple[nn.Module, Any]:
    """A model of the golden files, and its input; whole ones hold no data."""
    if name in OPERATIONS:
        make, given = OPERATIONS[name]
        return make(), given()
    make_whole, shape = MODELS[name]
    with torch.device("meta"):
        return make_whole(), torch.empty(shape)


def counted(model: nn.Module, given: Any, **options: Any) -> Any:
    options = {"print_per_layer_stat": False, "as_strings": False, **options}
    return get_model_complexity_info(
        model, tuple(given.shape[1:]), input_constructor=lambda _: given, **options
    )


# -- golden figures --------------------------------------------------------------------------------

GOLDEN = golden_operations(*BACKENDS) + golden_models(*BACKENDS)


@pytest.mark.parametrize(("model", "peer", "expected"), GOLDEN)
def test_shim(model: str, peer: str, expected: Figures) -> None:
    found = counted(*golden(model), backend=BACKENDS[peer])
    assert found == (expected["macs"], expected["params"])
    assert type(found[0]) is int


@pytest.mark.parametrize(("model", "peer", "expected"), GOLDEN)
def test_convention(model: str, peer: str, expected: Figures) -> None:
    ledger = nl.count(*golden(model))
    convention = CONVENTIONS[peer]
    assert ledger.total("flops", convention) == expected["macs"]
    assert ledger.total("macs", convention) == expected["macs"]
    assert ledger.total("params", convention) == expected["params"]


OLD: dict[str, Figures] = {
    name: found for kind in figures("ptflops_0_6_9").values() for name, found in kind.items()
}


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        # 4 outputs, the 2 channels as a batch, 5 positions of a row; a product and a bias for each
        (nn.Conv2d(2, 4, 1, groups=2), (2, 5, 5), 4 * 2 * 5 * 2),
        (nn.Conv3d(6, 6, (3, 1, 1), padding="same"), (6, 5, 6, 5), 6 * 6 * 6 * 5 * (3 * 6 + 1)),
        (nn.Conv1d(2, 3, 2, bias=False), (2, 5), 3 * 2 * 2 * 2),
    ],
)
def test_old_release_without_a_batch(layer: nn.Module, shape: Any, macs: int) -> None:
    given = torch.rand(shape)
    model = nn.Sequential(layer)
    found, _ = get_model_complexity_info(
        model,
        shape,
        False,
        False,
        input_constructor=lambda _: {"input": given},
        version="0.6.9",
    )
    assert found == macs


def test_there_are_figures_of_the_old_release() -> None:
    assert set(OPERATIONS) < set(OLD)
    assert not any("error" in found for found in OLD.values())


@pytest.mark.parametrize("name", OLD)
def test_old_release(name: str) -> None:
    model, given = golden(name)
    printed = io.StringIO()
    prints = "printed" in OLD[name]
    found = counted(model, given, version="0.6.9", print_per_layer_stat=prints, ost=printed)
    assert found == (OLD[name]["macs"], OLD[name]["params"])
    assert type(found[0]) is float
    assert printed.getvalue() == OLD[name].get("printed", "")
    ledger = nl.count(model, given)
    assert ledger.total("flops", "ptflops@0.6.9") == int(OLD[name]["macs"])
    assert ledger.total("params", "ptflops@0.6.9") == OLD[name]["params"]


# -- the release that is installed -----------------------------------------------------------------


@pytest.fixture(scope="module")
def peer() -> Callable[..., Any]:
    module = pytest.importorskip("ptflops")
    if importlib.metadata.version("ptflops") != "0.7.5":
        pytest.skip("another release of ptflops is installed")
    found: Callable[..., Any] = module.get_model_complexity_info
    return found


def compare(peer: Callable[..., Any], model: nn.Module, shape: Any, **options: Any) -> None:
    """The same is returned and printed, to `ost` and to standard output."""
    expected_text, text = io.StringIO(), io.StringIO()
    expected = run_peer(lambda copy: peer(copy, shape, ost=expected_text, **options), model)
    found = capture(lambda: get_model_complexity_info(model, shape, ost=text, **options))
    assert expected[0] != (None, None), expected[1]
    assert found == expected
    assert text.getvalue() == expected_text.getvalue()


@pytest.mark.peers
@pytest.mark.parametrize("backend", BACKENDS.values())
@pytest.mark.parametrize("name", PATCHED_MODELS)
def test_as_installed(peer: Callable[..., Any], name: str, backend: str) -> None:
    make, shape = PATCHED_MODELS[name]
    model = make()
    state = [(key, id(value)) for module in model.modules() for key, value in vars(module).items()]
    compare(peer, model, shape, backend=backend)
    after = [(key, id(value)) for module in model.modules() for key, value in vars(module).items()]
    assert after == state

    def three(sizes: tuple[int, ...]) -> Any:
        return torch.zeros(3, *sizes)

    compare(peer, model, shape, backend=backend, input_constructor=three, as_strings=False)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "batch"),
    [
        (name, batch)
        for name, (_, shape) in PATCHED_MODELS.items()
        for batch in ((1, 3) if shape != IMAGE else (2,))
        if "frozen" not in name
    ],
)
def test_convention_as_installed(peer: Callable[..., Any], name: str, batch: int) -> None:
    make, shape = PATCHED_MODELS[name]
    model = make()
    ledger = nl.count(model, (batch, *shape))
    for backend, convention in (("pytorch", "ptflops"), ("aten", "ptflops_aten")):
        (macs, params), _ = run_peer(
            lambda copy, backend=backend: peer(
                copy,
                shape,
                False,
                False,
                input_constructor=lambda sizes: torch.zeros(batch, *sizes),
                backend=backend,
            ),
            model,
        )
        found = ledger.total("flops", convention)
        # A rule does not know which tensors are contiguous; the shim does.
        assert found > macs if (name, backend) == ("mixer", "aten") else found == macs
        assert ledger.total("params", convention) == params


def added_outputs(module: Any, inputs: Any, output: Any) -> None:
    module.__flops__ += int(output[0].numel())


@pytest.mark.peers
@pytest.mark.parametrize(
    "options",
    [
        {"ignore_modules": [nn.Conv2d, nn.Sequential], "verbose": True},
        {"custom_modules_hooks": {nn.Conv2d: added_outputs, nn.Sequential: added_outputs}},
        {"input_constructor": lambda sizes: {"x": torch.zeros(2, *sizes)}, "verbose": True},
        {"flops_units": "GMac", "param_units": "B", "output_precision": 4},
        {"flops_units": "KMac", "param_units": "K"},
        {"flops_units": "MMac", "param_units": "M", "backend": "aten"},
        {"flops_units": "Mac", "param_units": ""},
        {"backend_specific_config": {"count_functional": False}},
    ],
    ids=lambda options: next(iter(options)) + str(len(options)),
)
def test_options_as_installed(peer: Callable[..., Any], options: dict[str, Any]) -> None:
    make, shape = PATCHED_MODELS["shared"]
    compare(peer, make(), shape, **options)


@pytest.mark.peers
@pytest.mark.parametrize("batch", [1, 2])
def test_timms_attention_as_installed(peer: Callable[..., Any], batch: int) -> None:
    timm = pytest.importorskip("timm")
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2)

    def images(sizes: tuple[int, ...]) -> Any:
        return torch.zeros(batch, *sizes)

    for backend in BACKENDS.values():
        compare(peer, model, (3, 32, 32), input_constructor=images, backend=backend)
    ledger = nl.count(model, (1, 3, 32, 32))
    (macs, _), _ = run_peer(lambda copy: peer(copy, (3, 32, 32), False, False), model)
    assert ledger.total("flops", "ptflops") == macs


@pytest.mark.peers
def test_texts_as_installed(peer: Callable[..., Any]) -> None:
    from ptflops.utils import flops_to_string as flops_text
    from ptflops.utils import params_to_string as params_text

    for number in (0, 7, 999, 1000, 12_345, 999_999, 10**6, 716_441_128, 10**9, 123_456_789_012):
        for precision in (0, 2, 5):
            for units in (None, "GMac", "MMac", "KMac", "Mac"):
                expected = flops_text(number, units, precision)
                assert flops_to_string(number, units, precision) == expected
            for units in (None, "B", "M", "K", ""):
                expected = params_text(number, units, precision)
                assert params_to_string(number, units, precision) == expected


# -- the order in memory, which the backend 'aten' depends on --------------------------------------


class Calls(nn.Module):
    """A function of a module with a weight, a bias, and a matrix that needs no gradients."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.rand(4, 4))
        self.scores = nn.Parameter(torch.rand(1, 2, 3, 3))
        self.convolution = nn.Conv2d(4, 4, 3, padding=1)
        self.matrix = torch.rand(4, 4)

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def linear(module: Any, x: Any) -> Any:
    """A linear layer, which loses its bias where its input lies in memory in another order."""
    return nn.functional.linear(x, module.matrix, module.matrix[0])


def heads(x: Any) -> Any:
    return x.unflatten(2, (2, 2)).transpose(1, 2)


def attention(x: Any, mask: Any) -> Any:
    return nn.functional.scaled_dot_product_attention(heads(x), heads(x), heads(x), attn_mask=mask)


def image(x: Any) -> Any:
    return x.transpose(1, 2).unflatten(2, (1, 3))


VECTORS: dict[str, Callable[[Any, Any], Any]] = {
    "linear": linear,
    "linear without a bias": lambda m, x: nn.functional.linear(x, m.weight),
    "vector and matrix": lambda m, x: x @ m.weight,
    "matrix and vector": lambda m, x: m.weight @ x,
    "vectors": lambda m, x: x @ x,
    "matrices and vector": lambda m, x: m.weight.expand(2, 4, 4) @ x,
    "vector and matrices": lambda m, x: x @ m.weight.expand(2, 4, 4),
}
BATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "trained": lambda m, x: x.transpose(0, 1) @ m.weight,
    "not trained": lambda m, x: x.transpose(0, 1) @ m.matrix,
    "made of what is trained": lambda m, x: x.transpose(0, 1) @ (m.weight @ m.matrix),
    "in order": lambda m, x: x @ m.matrix,
    "larger second": lambda m, x: m.matrix @ x.mT,
    "larger second, trained": lambda m, x: m.weight @ x.mT,
    "one sequence": lambda m, x: x[:1].transpose(0, 1).clone().transpose(0, 1) @ m.matrix,
    "clone": lambda m, x: linear(m, x.transpose(0, 1).clone()),
    "threshold": lambda m, x: linear(m, nn.functional.threshold(x.transpose(0, 1), 0.1, 0.0)),
    "maximum": lambda m, x: linear(m, torch.maximum(x.transpose(0, 1), x.transpose(0, 1) * 2)),
    "where": lambda m, x: linear(m, torch.where(x.mT.mT > 0, x, 0.0).transpose(0, 1).flip(0)),
    "softmax": lambda m, x: linear(m, torch.softmax(x.transpose(0, 1), -1)),
    "convolution": lambda m, x: linear(m, m.convolution(image(x)).flatten(2).transpose(1, 2)),
    "attention of two dimensions": lambda m, x: nn.functional.scaled_dot_product_attention(
        x[0], x[0], x[0]
    ),
    "mask": lambda m, x: attention(x, m.matrix[:3, :3]),
    "trained mask": lambda m, x: attention(x, m.scores),
    "mask of three dimensions": lambda m, x: attention(x, m.matrix[None, :3, :3].expand(2, 3, 3)),
    "one sequence of keys": lambda m, x: nn.functional.scaled_dot_product_attention(
        heads(x), heads(x[:1]), heads(x[:1])
    ),
}


@pytest.mark.peers
@pytest.mark.parametrize("name", [*VECTORS, *BATCHES])
def test_products_as_installed(peer: Callable[..., Any], name: str) -> None:
    shape = (4,) if name in VECTORS else (2, 3, 4)
    model = Calls({**VECTORS, **BATCHES}[name])
    compare(peer, model, shape, backend="aten", input_constructor=torch.rand)


def test_products_with_vectors() -> None:
    for function, macs in ((VECTORS["linear"], 20), (VECTORS["vector and matrix"], 16)):
        ledger = nl.count(Calls(function), (4,))
        assert ledger.total("flops", "ptflops_aten") == macs
    assert nl.count(Calls(VECTORS["matrix and vector"]), (4,)).total("flops", "ptflops_aten") == 0


class Recurrent(nn.Module):
    """Two recurrent layers and a linear one, which read what the one before them made."""

    def __init__(self, kind: Any, options: dict[str, Any], dtype: Any) -> None:
        super().__init__()
        last: dict[str, Any] = {"batch_first": options["batch_first"]}
        width = options.get("proj_size", 6) * (1 + options["bidirectional"])
        self.first = kind(4, 6, **options)
        self.second = kind(width, 6, **last)
        self.head = nn.Linear(6, 5)
        self.to(dtype)

    def forward(self, x: Any) -> Any:
        return self.head(self.second(self.first(x)[0])[0])


RECURRENT = [
    (nn.GRU, {}, torch.float32),
    (nn.RNN, {"num_layers": 2}, torch.float32),
    (nn.LSTM, {}, torch.float32),
    (nn.LSTM, {"proj_size": 2, "num_layers": 2}, torch.float32),
    (nn.LSTM, {}, torch.float64),
    (nn.LSTM, {}, torch.float16),
    (nn.LSTM, {}, torch.bfloat16),
]


@pytest.mark.peers
@pytest.mark.parametrize(("kind", "options", "dtype"), RECURRENT)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("is_trained", [False, True])
def test_recurrent_layers_as_installed(
    peer: Callable[..., Any],
    kind: Any,
    options: dict[str, Any],
    dtype: Any,
    bias: bool,
    is_trained: bool,
) -> None:
    for batch_first, bidirectional in ((False, True), (True, False), (True, True)):
        given = {"batch_first": batch_first, "bidirectional": bidirectional, "bias": bias}
        model = Recurrent(kind, {**given, **options}, dtype).requires_grad_(is_trained)
        for shape in ((3, 2, 4), (1, 3, 4), (3, 1, 4)):
            compare(
                peer,
                model,
                shape,
                backend="aten",
                input_constructor=lambda sizes: torch.rand(sizes, dtype=dtype),
            )


# -- spaces ----------------------------------------------------------------------------------------


def small_space() -> nl.Space:
    """A convolutional network with a recurrent end, some sizes of which are free."""
    space = nl.Space()
    width = space.choice("width", [6, 12])
    size = space.choice("size", [16, 19])
    pooled = space.choice("pooled", [1, 3])
    x = space.input(1, 3, size, size)
    x = nl.conv2d(x, width, space.choice("kernel", [1, 3]), padding=1, groups=3)
    x = nl.leaky_relu(nl.prelu(nl.instance_norm(nl.relu(nl.batch_norm(x)), affine=True)))
    x = nl.conv_transpose2d(x, width, 2, stride=2, groups=2)
    x = nl.group_norm(nl.avg_pool2d(x, 3, 2, 1), 2)
    x = nl.interpolate(x, size=(20, 21), mode="bilinear")
    x = nl.softmax(nl.adaptive_avg_pool2d(x, pooled), dim=1)
    x = nl.transpose(nl.flatten(x, 2), 1, 2)
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True)
    x = nl.lstm(x, hidden_size=width, num_layers=2, batch_first=True, bidirectional=True)[0]
    space.output(nl.layer_norm(nl.linear(x, 10), 10))
    return space


@pytest.mark.parametrize("convention", ["ptflops@0.7.5", "ptflops@0.6.9", "ptflops_aten"])
def test_counts_in_a_space_what_it_counts_of_each_network(convention: str) -> None:
    space = small_space()
    codes = space.enumerate()
    for metric in ("flops", "macs", "params"):
        costs = space.sweep(codes, [metric], convention)[metric].tolist()
        single = [space.graph(code).count().total(metric, convention) for code in codes]
        assert costs == single
        assert len(set(single)) > 1


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_built_network_counts_as_the_modules(need_weights: bool, batch: int) -> None:
    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.network = nn.GRU(8, 4, batch_first=True)

        def forward(self, x: Any) -> Any:
            x = self.norm(x)
            return self.network(self.attention(x, x, x, need_weights=need_weights)[0])

    space = nl.Space()
    x = nl.layer_norm(space.input(batch, 5, 8), 8)
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True, need_weights=need_weights)
    x = x[0] if need_weights else x
    space.output(nl.gru(x, hidden_size=4, batch_first=True)[0])
    built, traced = space.graph([]).count(), nl.count(Same(), (batch, 5, 8))
    for convention in ("ptflops@0.7.5", "ptflops@0.6.9", "ptflops_aten"):
        assert built.total("flops", convention) == traced.total("flops", convention) > 0


# -- functions -------------------------------------------------------------------------------------


class Product(nn.Module):
    """A product by a method of a tensor."""

    def forward(self, x: Any) -> Any:
        return x.matmul(x.transpose(1, 2))


def test_sees_functions_that_somebody_has_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = torch.Tensor.matmul, []

    def patched(*tensors: Any) -> Any:
        calls.append(len(tensors))
        return original(*tensors)

    # As ptflops itself leaves it behind, and as it is while something else looks on.
    for function in (original, patched):
        monkeypatch.setattr(torch.Tensor, "matmul", function)
        assert nl.count(Product(), (1, 3, 4)).total("flops", "ptflops") == 3 * 4 * 3
        assert vars(torch.Tensor)["matmul"] is function
    assert calls == [2]


# -- refusals --------------------------------------------------------------------------------------


def test_refuses_what_cannot_be_known() -> None:
    model = nn.Sequential(nn.Linear(4, 2))
    with pytest.raises(NetledgerError, match="there are ptflops"):
        get_model_complexity_info(model, (4,), version="0.5")
    with pytest.raises(NetledgerError, match="no backend 'aten'"):
        get_model_complexity_info(model, (4,), backend="aten", version="0.6.9")
    with pytest.raises(NetledgerError, match="tuple of sizes"):
        get_model_complexity_info(model, [4])  # type: ignore[arg-type]
    with pytest.raises(NetledgerError, match="verbose"):
        get_model_complexity_info(model, (4,), backend="aten", verbose=True)


def test_refuses_models_that_ptflops_fails_on() -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2)

        def forward(self, x: Any) -> Any:
            return self.attention(query=x, key=x, value=x)

    with pytest.raises(NetledgerError, match="by position"):
        get_model_complexity_info(ByName(), (3, 4))

    class InputByName(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Any) -> Any:
            return self.layer(input=x)

    for version in ("0.7.5", "0.6.9"):
        with pytest.raises(NetledgerError, match="input of a Linear is given by name"):
            get_model_complexity_info(InputByName(nn.Linear(4, 4)), (4,), version=version)
        macs, _ = get_model_complexity_info(
            InputByName(nn.ReLU()), (4,), False, False, version=version
        )
        assert macs == (4 if version == "0.6.9" else 8)
        ignored, _ = get_model_complexity_info(
            InputByName(nn.Linear(4, 4)),
            (4,),
            False,
            False,
            ignore_modules=[nn.Linear],
            version=version,
        )
        assert ignored == 0
    for layer, shape in ((nn.RNNCell(4, 4), (4,)), (nn.LSTM(4, 4), (3, 4))):
        with pytest.raises(NetledgerError, match="give it a batch"):
            get_model_complexity_info(nn.Sequential(layer), shape, input_constructor=torch.zeros)
    space = nl.Space()
    space.output(nl.rnn_cell(space.input(4), hidden_size=4))
    with pytest.raises(SpaceError, match="second size"):
        space.graph([]).count().total("flops", "ptflops")


def test_refuses_hooks_that_return_something() -> None:
    def hook(module: Any, inputs: Any, output: Any) -> Any:
        return output

    model = nn.Sequential(nn.Linear(4, 2))
    with pytest.raises(NetledgerError, match="only add to __flops__"):
        get_model_complexity_info(model, (4,), custom_modules_hooks={nn.Linear: hook})
    with pytest.raises(NetledgerError, match="raised ZeroDivisionError for '0'"):
        get_model_complexity_info(
            model,
            (4,),
            custom_modules_hooks={nn.Linear: lambda *_: 1 / 0},  # type: ignore[dict-item]
        )
