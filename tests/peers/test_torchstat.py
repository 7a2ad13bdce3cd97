"""torchstat: its golden figures, by convention and by table, and its printed text."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat import torchstat as compat
from netledger.errors import NetledgerError, SpaceError
from peers.golden_figures import Figures, golden_models, golden_operations
from peers.operation_models import OPERATIONS
from peers.summarized_models import SUMMARIZED_MODELS
from peers.whole_models import MODELS

#: The convention's names of the figures in the golden files.
METRICS = {
    "flops": "flops",
    "madd": "madd",
    "mem_read": "mem_read_B",
    "mem_write": "mem_write_B",
    "params": "params",
}


def _golden(model: str) -> tuple[nn.Module, tuple[int, ...]]:
    """A model and the shape of its input, of which torchstat takes one sample."""
    if model in OPERATIONS:
        make, make_input = OPERATIONS[model]
        return make(), tuple(make_input().shape[1:])
    make_whole, shape = MODELS[model]
    with torch.device("meta"):
        return make_whole(), shape[1:]


GOLDEN = golden_operations("torchstat") + golden_models("torchstat")


@pytest.mark.parametrize(("model", "peer", "figures"), GOLDEN)
def test_golden_convention(model: str, peer: str, figures: Figures) -> None:
    module, shape = _golden(model)
    ledger = nl.count(module, (1, *shape))
    for metric, name in METRICS.items():
        assert ledger.total(metric, "torchstat") == figures[name], metric


@pytest.mark.parametrize(("model", "peer", "figures"), GOLDEN)
def test_golden_table(
    model: str, peer: str, figures: Figures, capsys: pytest.CaptureFixture[str]
) -> None:
    module, shape = _golden(model)
    leaves = compat.report(module, shape)
    for metric, name in METRICS.items():
        assert sum(getattr(leaf, metric) for leaf in leaves) == figures[name], metric
    assert sum(leaf.mem_read + leaf.mem_write for leaf in leaves) == figures["mem_rw_B"]
    assert sum(leaf.memory for leaf in leaves) == figures["total_memory_MB"]

    pytest.importorskip("pandas")
    assert compat.stat(module, shape) is None
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("Total ")] == figures["printed"]


#: Models with what the convention cannot know: weights that are no layer's, or made of others.
ONLY_TABLE = ("odd", "odd kernel", "pruned", "normed")
#: Models with linear layers of images or sequences.
FAIL = ("swin", "convnext", "vision transformer")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (_, make_input) in SUMMARIZED_MODELS.items()
        if name not in (*ONLY_TABLE, *FAIL) and make_input().dim() == 4
    ],
)
def test_convention_gives_the_totals_of_the_table(name: str) -> None:
    make, make_input = SUMMARIZED_MODELS[name]
    model, shape = make(), tuple(make_input().shape[1:])
    ledger, leaves = nl.count(model, (1, *shape)), compat.report(model, shape)
    for metric in METRICS:
        assert ledger.total(metric, "torchstat") == sum(getattr(leaf, metric) for leaf in leaves)


# -- spaces ----------------------------------------------------------------------------------------


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 8])
    size = space.choice("size", [8, 12])
    x = space.input(2, 3, size, size)
    x = nl.conv2d(x, out_channels=width, kernel_size=3, padding=1)
    x = nl.relu(nl.batch_norm(x))
    x = nl.max_pool2d(x, kernel_size=2)
    x = nl.conv_transpose2d(
        nl.prelu(x), out_channels=2 * width, kernel_size=(2, 3), stride=2, bias=False
    )
    x = nl.interpolate(nl.avg_pool2d(x, kernel_size=(2, 1)), size=(2 * size, 10))
    x = nl.batch_norm(
        nl.flatten(nl.adaptive_avg_pool2d(x, output_size=2), start_dim=1), affine=False
    )
    space.output(nl.softmax(nl.linear(x, out_features=5), dim=-1))
    codes = space.enumerate()
    for metric in METRICS:
        costs = space.sweep(codes, [metric], "torchstat")[metric].tolist()
        single = [space.graph(row).count().total(metric, "torchstat") for row in codes]
        assert costs == single
        assert len(set(single)) > 1


def test_layers_that_torchstat_fails_on_are_refused() -> None:
    for module, shape in ((nn.Linear(3, 4), (1, 2, 3)), (nn.LSTM(3, 4), (2, 1, 3))):
        with pytest.raises(SpaceError, match="torchstat fails on it"):
            nl.count(nn.Sequential(module), shape).total("flops", "torchstat")


# -- the shim by itself ----------------------------------------------------------------------------


def test_the_model_and_its_classes_are_left_as_they_were() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    compat.report(module, (3, 8, 8))
    assert module.training
    assert "__call__" not in vars(nn.Conv2d)
    assert module.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_other_granularities_are_refused() -> None:
    with pytest.raises(NetledgerError, match="query_granularity=2"):
        compat.stat(nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 8, 8), query_granularity=2)


def test_inputs_that_are_no_image_are_refused() -> None:
    with pytest.raises(NetledgerError, match="channels, height and width"):
        compat.report(nn.Sequential(nn.Linear(3, 4)), (3,))


def test_a_class_and_one_that_derives_from_it_are_refused() -> None:
    class Derived(nn.Conv2d):
        pass

    compat.report(nn.Sequential(Derived(3, 3, 1), nn.Conv2d(3, 3, 1)), (3, 4, 4))
    with pytest.raises(NetledgerError, match="both Conv2d and Derived"):
        compat.report(nn.Sequential(nn.Conv2d(3, 3, 1), Derived(3, 3, 1)), (3, 4, 4))


# -- torchstat itself ------------------------------------------------------------------------------


@pytest.fixture
def peer() -> Any:
    """torchstat, with what it needs of pandas before 2, and its patches taken back."""
    pandas = pytest.importorskip("pandas")
    with pytest.MonkeyPatch.context() as patch:
        if not hasattr(pandas.DataFrame, "append"):

            def append(table: Any, row: Any) -> Any:
                return pandas.concat([table, row.to_frame().T.infer_objects()])

            patch.setattr(pandas.DataFrame, "append", append, raising=False)
        yield pytest.importorskip("torchstat")


def _printed(
    stat: Callable[..., None],
    make: Callable[[], nn.Module],
    shape: tuple[int, ...],
    capsys: pytest.CaptureFixture[str],
) -> str:
    """What is printed, without the percentages of the time that was taken."""
    module = make()
    classes = {type(below) for below in module.modules()}
    own = {kind for kind in classes if "__call__" in vars(kind)}
    capsys.readouterr()
    try:
        stat(module, shape)
    finally:
        for kind in classes - own:
            if "__call__" in vars(kind):
                del kind.__call__
    text = capsys.readouterr().out
    return re.sub(r" +[\d.]+%", lambda match: " " * len(match.group()), text)


@pytest.mark.peers
@pytest.mark.parametrize(
    "name", [name for name in SUMMARIZED_MODELS if name not in ("recurrent", "encoder")]
)
def test_text(name: str, peer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make, make_input = SUMMARIZED_MODELS[name]
    shape = tuple(make_input().shape[1:])
    try:
        theirs = _printed(peer.stat, make, shape, capsys)
    except (AssertionError, AttributeError):
        assert name in FAIL
        with pytest.raises(NetledgerError, match="torchstat fails on"):
            compat.report(make(), shape)
    else:
        assert _printed(compat.stat, make, shape, capsys) == theirs


@pytest.mark.peers
@pytest.mark.parametrize(
    "name", [name for name, (_, make_input) in OPERATIONS.items() if make_input().dim() == 4]
)
def test_text_of_operations(name: str, peer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    make, make_input = OPERATIONS[name]
    shape = tuple(make_input().shape[1:])
    try:
        theirs = _printed(peer.stat, make, shape, capsys)
    except AssertionError:
        assert name == "linear4d"
        with pytest.raises(NetledgerError, match="torchstat fails on"):
            compat.report(make(), shape)
    else:
        assert _printed(compat.stat, make, shape, capsys) == theirs
