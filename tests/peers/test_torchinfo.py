"""torchinfo: its golden figures, by convention and by table, and its text."""

from __future__ import annotations

import sys
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat import torchinfo as compat
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.operation_models import OPERATIONS
from peers.summarized_models import SUMMARIZED_MODELS
from peers.whole_models import MODELS

#: What Python needs to hold a storage: 64 bytes where the golden figures were made.
STORAGE = sys.getsizeof(torch.empty(0).untyped_storage())


def _golden(model: str) -> tuple[nn.Module, Any]:
    if model in OPERATIONS:
        make, make_input = OPERATIONS[model]
        return make(), make_input()
    make_whole, shape = MODELS[model]
    with torch.device("meta"):
        return make_whole(), torch.empty(shape)


def _spelled(text: str) -> str:
    """A golden line as this Python prints it: before 3.11 a unit is printed by its value."""
    if sys.version_info < (3, 11):
        text = text.replace("Units.MEGABYTES", "M").replace("Units.GIGABYTES", "G")
    return text


GOLDEN = golden_operations("torchinfo") + golden_models("torchinfo")


@pytest.mark.parametrize(("model", "peer", "figures"), GOLDEN)
def test_golden_convention(model: str, peer: str, figures: Figures) -> None:
    ledger = nl.count(*_golden(model))
    assert ledger.total("flops", "torchinfo") == figures["macs"]
    # torchinfo counts a module with two parents once more for each, which takes their rows.
    shared = model == "shared_by_two_parents"
    assert ledger.total("params", "torchinfo") == (148 if shared else figures["params"])


@pytest.mark.parametrize(("model", "peer", "figures"), GOLDEN)
def test_golden_table(
    model: str, peer: str, figures: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    module, given = _golden(model)
    found = compat.summary(module, input_data=given)
    assert capsys.readouterr().out == f"{found}\n"
    assert found.total_mult_adds == figures["macs"]
    assert found.total_params == figures["params"]
    assert found.trainable_params == figures["trainable"]
    assert found.total_input == figures["total_input"] - 64 + STORAGE
    assert found.total_output_bytes == figures["total_output_bytes"]
    assert found.total_param_bytes == figures["total_param_bytes"]
    printed = [_spelled(line) for line in figures["printed"]]
    assert str(found).splitlines()[-len(printed) :] == printed


#: Models with what the convention cannot know: weights that are no layer's, or made of others.
ONLY_TABLE = ("odd", "odd kernel", "pruned", "normed")


@pytest.mark.parametrize("name", [name for name in SUMMARIZED_MODELS if name not in ONLY_TABLE])
def test_convention_gives_the_totals_of_the_table(name: str) -> None:
    make, make_input = SUMMARIZED_MODELS[name]
    model, given = make(), make_input()
    ledger, table = nl.count(model, given), compat.summary(model, input_data=given, verbose=0)
    assert ledger.total("flops", "torchinfo") == table.total_mult_adds
    assert ledger.total("macs", "torchinfo") == table.total_mult_adds
    assert ledger.total("params", "torchinfo") == table.total_params


# -- spaces ----------------------------------------------------------------------------------------


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [6, 10])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, out_channels=width, kernel_size=3, padding=1)
    x = nl.conv_transpose2d(nl.prelu(nl.batch_norm(x)), out_channels=width, kernel_size=2)
    x = nl.transpose(nl.flatten(x, start_dim=2), dim0=1, dim1=2)
    x = nl.multi_head_attention(x, x, x, num_heads=2, batch_first=True)
    x = nl.layer_norm(x, normalized_shape=width)
    x = nl.lstm(x, hidden_size=5, bidirectional=True, batch_first=True)[0]
    x = nl.linear(nl.select(x, dim=1, index=0), out_features=width)
    space.output(nl.gru_cell(x, hidden_size=3))
    codes = space.enumerate()
    for metric in ("flops", "params"):
        costs = space.sweep(codes, [metric], "torchinfo")[metric].tolist()
        single = [space.graph(row).count().total(metric, "torchinfo") for row in codes]
        assert costs == single
        assert len(set(single)) > 1


# -- the shim by itself ----------------------------------------------------------------------------


def test_the_model_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    compat.summary(module, (1, 3, 8, 8), verbose=0)
    assert module.training
    assert not any(below._forward_hooks for below in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"col_names": ("memory",)}, "unknown column 'memory'"),
        ({"row_settings": ("colour",)}, "unknown row setting 'colour'"),
        ({"mode": "test"}, "unknown mode 'test'"),
        ({"col_width": 0}, "col_width must be positive"),
        ({"verbose": 3}, "verbose is 0, 1 or 2"),
        ({"input_size": (1, 3), "input_data": [1]}, "not both"),
        ({"col_names": ("mult_adds",)}, "mult_adds need input_data or input_size"),
        ({"input_size": (1, -3)}, "positive sizes"),
        ({"input_size": 3}, "a tuple or a list"),
        ({"input_data": "x"}, "input_data is a tensor"),
        ({"input_data": ["x"]}, "neither tensors nor numbers"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(NetledgerError, match=reason):
        compat.summary(nn.Sequential(nn.Linear(3, 4)), **options)


def test_a_mask_without_values_is_refused() -> None:
    make, make_input = SUMMARIZED_MODELS["pruned"]
    with pytest.raises(NetledgerError, match="takes its values"):
        compat.summary(make().to("meta"), input_data=make_input())


# -- torchinfo itself ------------------------------------------------------------------------------

EVERYTHING = (
    "input_size",
    "output_size",
    "num_params",
    "params_percent",
    "kernel_size",
    "mult_adds",
    "trainable",
)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"verbose": 2, "col_names": EVERYTHING, "row_settings": ("var_names", "depth"), "depth": 2},
    {
        "depth": 10,
        "col_names": ("mult_adds", "trainable", "params_percent"),
        "col_width": 17,
        "row_settings": ("ascii_only", "hide_recursive_layers"),
        "mode": "train",
    },
]
TOTALS = (
    "total_params",
    "trainable_params",
    "total_mult_adds",
    "total_input",
    "total_output_bytes",
    "total_param_bytes",
    "input_size",
)
ROWS = (
    "class_name",
    "var_name",
    "depth",
    "depth_index",
    "input_size",
    "output_size",
    "num_params",
    "trainable_params",
    "param_bytes",
    "output_bytes",
    "macs",
    "kernel_size",
    "trainable",
    "executed",
    "is_recursive",
    "is_leaf_layer",
)


def _same(capsys: pytest.CaptureFixture[str], model: nn.Module, **options: Any) -> None:
    """Text, totals and rows are torchinfo's."""
    peer = pytest.importorskip("torchinfo")
    capsys.readouterr()
    theirs = peer.summary(model, **options)
    printed = capsys.readouterr().out
    ours = compat.summary(model, **options)
    assert capsys.readouterr().out == printed
    assert str(ours) == str(theirs)
    for name in TOTALS:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert len(ours.summary_list) == len(theirs.summary_list)
    for our_row, row in zip(ours.summary_list, theirs.summary_list, strict=True):
        assert our_row.module is row.module
        for name in ROWS:
            assert getattr(our_row, name) == getattr(row, name), (name, row)


@pytest.mark.peers
@pytest.mark.parametrize("name", SUMMARIZED_MODELS)
def test_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, make_input = SUMMARIZED_MODELS[name]
    model = make().eval()
    for settings in SETTINGS:
        if settings.get("mode") == "train" and name in ("mobilenet_v3_small", "densenet121"):
            continue  # batch norm of one value
        _same(capsys, model, input_data=make_input(), **settings)


@pytest.mark.peers
@pytest.mark.parametrize("name", OPERATIONS)
def test_text_of_operations(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, make_input = OPERATIONS[name]
    _same(capsys, make(), input_data=make_input(), verbose=2, col_names=EVERYTHING)


class Sum(nn.Module):
    """Several inputs, by position and by name."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.linear = nn.Linear(3, 4)

    def forward(self, tokens: Any, given: Any, scale: Any = 1, offsets: Any = ()) -> Any:
        y = self.embedding(tokens) + self.linear(given)[:, None] * scale
        for offset in offsets:
            y = y + offset
        return y


@pytest.mark.peers
def test_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    tokens, x = torch.ones(2, 5, dtype=torch.int64), torch.rand(2, 3)
    for data in (
        [tokens, x],
        (tokens, x, 2),
        {"tokens": tokens, "given": x},
        [tokens[:1], x[1:], 3, [torch.rand(4), torch.rand(1)]],
        [tokens, x, torch.rand(2, 5, 4)[:, :1]],
    ):
        _same(capsys, Sum(), input_data=data)
    _same(capsys, Sum(), input_data=[tokens], given=x, scale=4)
    sizes = [(2, 5), (2, 3)]
    _same(capsys, Sum(), input_size=sizes, dtypes=[torch.int64, torch.float32])


@pytest.mark.peers
def test_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2))
    for size in ((1, 3, 8, 8), [2, 3, 8, 8], [(1, 3, 8, 8)], ((1, 3, 8, 8),)):
        _same(capsys, model, input_size=size)
    for place in (0, -4):
        _same(capsys, model, input_size=(3, 8, 8), batch_dim=place, col_names=EVERYTHING)
    recurrent = nn.Sequential(nn.LSTM(4, 3, num_layers=2, bidirectional=True))
    _same(capsys, recurrent, input_size=(7, 2, 4), batch_dim=None, col_names=EVERYTHING)
    _same(capsys, recurrent, input_size=(7, 4), batch_dim=1, col_names=EVERYTHING)


@pytest.mark.peers
@pytest.mark.parametrize("name", ["odd", "recurrent", "encoder", "pruned", "resnet18 of 2"])
def test_without_inputs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, _ = SUMMARIZED_MODELS[name]
    for options in ({}, {"verbose": 2, "col_names": ("num_params", "kernel_size", "trainable")}):
        _same(capsys, make(), **options)


@pytest.mark.peers
def test_half_precision_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    model = nn.Sequential(nn.Linear(3, 4)).to(torch.bfloat16)
    with pytest.warns(UserWarning, match="alf precision"):
        _same(capsys, model, input_size=(2, 3), dtypes=[torch.bfloat16])
