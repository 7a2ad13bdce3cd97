"""paddle.summary and paddle.flops, of torch modules: published figures, printed text, spaces.

Paddle itself cannot be installed beside torch everywhere, and has no torch modules to compare with:
the figures are those of its documentation, and of networks of its own layers.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision_shim")

from torch import nn

import netledger as nl
from netledger.compat import paddle
from netledger.errors import NetledgerError
from peers.golden_figures import Figures, golden_model, golden_models
from peers.hooked_models import HOOKED_MODELS
from peers.operation_models import OPERATIONS, Wrapped
from torchvision_shim import torchvision


class LeNet(nn.Module):
    """The network of Paddle's documentation."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, stride=1, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(6, 16, 5, stride=1, padding=0),
            nn.ReLU(),
            nn.MaxPool2d(2, 2),
        )
        self.fc = nn.Sequential(nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10))

    def forward(self, x: Any, y: Any = 0) -> Any:
        return self.fc(torch.flatten(self.features(x), 1) + y)


#: What Paddle's documentation shows, with torch's names of classes.
SUMMARY = """\
---------------------------------------------------------------------------
 Layer (type)       Input Shape          Output Shape         Param #
===========================================================================
   Conv2d-1       [[1, 1, 28, 28]]      [1, 6, 28, 28]          60
    ReLU-1        [[1, 6, 28, 28]]      [1, 6, 28, 28]           0
  MaxPool2d-1     [[1, 6, 28, 28]]      [1, 6, 14, 14]           0
   Conv2d-2       [[1, 6, 14, 14]]     [1, 16, 10, 10]         2,416
    ReLU-2       [[1, 16, 10, 10]]     [1, 16, 10, 10]           0
  MaxPool2d-2    [[1, 16, 10, 10]]      [1, 16, 5, 5]            0
   Linear-1          [[1, 400]]            [1, 120]           48,120
   Linear-2          [[1, 120]]            [1, 84]            10,164
   Linear-3          [[1, 84]]             [1, 10]              850
===========================================================================
Total params: 61,610
Trainable params: 61,610
Non-trainable params: 0
---------------------------------------------------------------------------
Input size (MB): 0.00
Forward/backward pass size (MB): 0.11
Params size (MB): 0.24
Estimated Total Size (MB): 0.35
---------------------------------------------------------------------------

"""

FLOPS = """\
<class 'torch.nn.modules.conv.Conv2d'>'s flops has been counted
<class 'torch.nn.modules.activation.ReLU'>'s flops has been counted
Cannot find suitable count function for <class 'torch.nn.modules.pooling.MaxPool2d'>. \
Treat it as zero FLOPs.
<class 'torch.nn.modules.linear.Linear'>'s flops has been counted
+--------------+-----------------+-----------------+--------+--------+
|  Layer Name  |   Input Shape   |   Output Shape  | Params | Flops  |
+--------------+-----------------+-----------------+--------+--------+
|   conv2d_0   |  [1, 1, 28, 28] |  [1, 6, 28, 28] |   60   | 47040  |
|   re_lu_0    |  [1, 6, 28, 28] |  [1, 6, 28, 28] |   0    |   0    |
| max_pool2d_0 |  [1, 6, 28, 28] |  [1, 6, 14, 14] |   0    |   0    |
|   conv2d_1   |  [1, 6, 14, 14] | [1, 16, 10, 10] |  2416  | 241600 |
|   re_lu_1    | [1, 16, 10, 10] | [1, 16, 10, 10] |   0    |   0    |
| max_pool2d_1 | [1, 16, 10, 10] |  [1, 16, 5, 5]  |   0    |   0    |
|   linear_0   |     [1, 400]    |     [1, 120]    | 48120  | 48000  |
|   linear_1   |     [1, 120]    |     [1, 84]     | 10164  | 10080  |
|   linear_2   |     [1, 84]     |     [1, 10]     |  850   |  840   |
+--------------+-----------------+-----------------+--------+--------+
Total Flops: 347560     Total Params: 61610
"""


def without_trailing_spaces(text: str) -> str:
    """The lines of a text without the spaces at their ends."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


# -- paddle.summary -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((1, 1, 28, 28), {}),
        ((None, 1, 28, 28), {"dtypes": "float32"}),
        ([(-1, 1, 28, 28)], {"dtypes": ["float32"]}),
        (None, {"input": torch.empty(1, 1, 28, 28, device="meta")}),
    ],
)
def test_the_documented_summary(
    size: Any, options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    figures = paddle.summary(LeNet(), size, **options)
    printed = capsys.readouterr().out
    assert without_trailing_spaces(printed) == SUMMARY
    # Every row is as wide as its columns.
    assert {len(line) for line in printed.splitlines() if "[" in line} == {73}
    assert figures == {"total_params": 61610, "trainable_params": 61610}


def test_several_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    paddle.summary(LeNet(), [(1, 1, 28, 28), (1, 400)], dtypes=["float32", "float32"])
    assert without_trailing_spaces(capsys.readouterr().out) == SUMMARY

    class Listed(LeNet):
        def forward(self, x: Any) -> Any:
            first, second = x.values() if isinstance(x, dict) else x
            return super().forward(first, second)

    inputs = [torch.rand(1, 1, 28, 28), torch.rand(1, 400)]
    paddle.summary(Listed(), input=inputs)
    assert without_trailing_spaces(capsys.readouterr().out) == SUMMARY
    paddle.summary(Listed(), input={"image": inputs[0], "offset": inputs[1]})
    assert without_trailing_spaces(capsys.readouterr().out) == SUMMARY


def test_running_statistics_are_parameters_that_are_not_trained() -> None:
    # As paddle.summary shows for paddle.vision.models.resnet18.
    figures = paddle.summary(torchvision.models.resnet18(), (1, 3, 224, 224))
    assert figures == {"total_params": 11_699_112, "trainable_params": 11_689_512}


def test_a_wide_table_of_blocks_and_of_shared_and_frozen_layers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = Wrapped(nn.Linear(16, 16))
            self.frozen = nn.Linear(16, 4, bias=False).requires_grad_(False)
            self.own = nn.Parameter(torch.zeros(4))
            self.unused = nn.Linear(3, 3)

        def forward(self, x: Any) -> Any:
            x = self.block.layer(self.block(x))[:, :2, :3]
            return self.frozen(x.repeat(111, 222, 333)[..., :16]) + self.own

    figures = paddle.summary(Shared(), (100, 30, 16))
    wide = "[[11100, 444, 16]]"
    assert figures == {"total_params": 336, "trainable_params": 272}
    assert capsys.readouterr().out.splitlines() == [
        "-" * 75,
        " Layer (type)       Input Shape          Output Shape         Param #    ",
        "=" * 75,
        # The last call of a layer is shown where it first returned.
        "   Linear-1       [[100, 30, 16]]       [100, 30, 16]           272      ",
        "   Wrapped-1      [[100, 30, 16]]       [100, 30, 16]            0       ",
        f"   Linear-2      {wide}    [11100, 444, 4]          64       ",
        "=" * 75,
        "Total params: 336",
        "Trainable params: 272",
        "Non-trainable params: 64",
        "-" * 75,
        "Input size (MB): 0.18",
        "Forward/backward pass size (MB): 151.14",
        "Params size (MB): 0.00",
        "Estimated Total Size (MB): 151.32",
        "-" * 75,
        "",
    ]


def test_outputs_of_several_tensors(capsys: pytest.CaptureFixture[str]) -> None:
    paddle.summary(nn.LSTM(16, 8, batch_first=True), (1, 7, 16))
    shapes = "[[1, 7, 8], [[1, 1, 8], [1, 1, 8]]]"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "-" * (15 + 20 + len(shapes) + 15 + 5)
    assert lines[3].split(maxsplit=1)[0] == "LSTM-1"
    assert shapes in lines[3]
    assert lines[3].rstrip().endswith(" 832")
    # 2 * 4 bytes of 56 + 8 + 8 elements
    assert "Forward/backward pass size (MB): 0.00" in lines

    class Outputs(nn.Module):
        def __init__(self, *outputs: Any) -> None:
            super().__init__()
            self.outputs = outputs

        def forward(self, x: Any) -> Any:
            return x, *self.outputs

    # None counts as one element, and so does every 0-d tensor.
    model = nn.Sequential(Outputs(None, None))
    paddle.summary(model, (1024, 131_071))
    assert "Forward/backward pass size (MB): 1023.99" in capsys.readouterr().out
    nested = [torch.ones(2, 3), [torch.ones(4), [torch.ones(5)]]]
    with pytest.raises(NetledgerError, match=r"Outputs-1.* nested too deeply"):
        paddle.summary(nn.Sequential(Outputs(nested)), (2, 3))


def test_sizes_that_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be None at the same time"):
        paddle.summary(LeNet())
    with pytest.raises(ValueError, match="only the batch size may be None"):
        paddle.summary(LeNet(), (None, 1, -1, 28))
    with pytest.raises(ValueError, match="must be positive"):
        paddle.summary(LeNet(), (1, 1, 0, 28))


# -- paddle.flops ---------------------------------------------------------------------------------


def test_the_documented_flops(capsys: pytest.CaptureFixture[str]) -> None:
    assert paddle.flops(LeNet(), [1, 1, 28, 28], print_detail=True) == 347_560
    assert capsys.readouterr().out == FLOPS
    paddle.flops(LeNet(), [1, 1, 28, 28])
    plain = [line for line in FLOPS.splitlines() if line[0] not in "+|"]
    assert capsys.readouterr().out.splitlines() == plain


@pytest.mark.parametrize(("model", "peer", "figures"), golden_models("thop_0.0.31"))
def test_paddle_counts_as_thop_0_0_31(model: str, peer: str, figures: Figures) -> None:
    """Its rules are those of that release, but for recurrent layers."""
    module, given = golden_model(model)
    operations = paddle.flops(module, given.shape)
    assert nl.count(module, given).total("flops", "paddle") == operations
    assert operations == (figures["macs"] if not model.startswith("lstm") else 5120 * len(given))


def test_inputs_by_name_are_refused() -> None:
    make, make_inputs = HOOKED_MODELS["inputs_by_name"]
    (given,) = make_inputs()
    with pytest.raises(nl.NetledgerError, match="must be a tensor that is given by position"):
        paddle.flops(make(), given.shape)


#: Models with a layer below another, or in no place at all: a layer does not tell that of itself.
ONLY_BY_THE_CALL = {"linear_with_child": 2 * 16, "not_its_own": 2 * 4 * 2}
#: Parameters of modules of other classes than torch's, of which the convention knows no children.
CLASSES_OF_THEIR_OWN = {
    "convnext_tiny", "swin_t", "vision_transformer", "sharing", "weight_norm", "subclass_conv2d",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", sorted({*HOOKED_MODELS, *OPERATIONS} - {"gru", "embedding", "inputs_by_name"})
)
def test_call_and_convention_agree(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in HOOKED_MODELS:
        make, make_inputs = HOOKED_MODELS[name]
        (given,) = make_inputs()
    else:
        make, make_input = OPERATIONS[name]
        given = make_input()
    model = make()
    operations = paddle.flops(model, given.shape)
    last = capsys.readouterr().out.splitlines()[-1]
    if name in ONLY_BY_THE_CALL:
        assert operations == ONLY_BY_THE_CALL[name]
        return
    ledger = nl.count(model, given)
    assert operations == ledger.total("flops", "paddle")
    if name in CLASSES_OF_THEIR_OWN:
        with pytest.raises(NetledgerError, match=r"call netledger\.compat\.paddle\.flops"):
            ledger.total("params", "paddle")
    else:
        assert last.endswith(f"     Total Params: {ledger.total('params', 'paddle')}")


def test_operations(capsys: pytest.CaptureFixture[str]) -> None:
    """One figure for each rule."""
    expected = {
        "conv2d_bias": 6660,
        "conv2d_bias@b2": 13320,
        "convT2d_groups2": 2880 * (2 * 4 + 1),
        "linear3d_bias": 640,
        "bn2d": 960,
        "bn1d": 0,
        "ln": 0,
        "act_LeakyReLU": 480,
        "act_PReLU": 0,
        "avgpool_k3s2p1": 120,
        "maxpool_k3s2p1": 0,
        "adaavg_3x5(of 10x12)": 60 * (3 * 2 + 1),
        "upsample_bilinear": 0,
        "lstm_2l_bi": 0,
        "grucell": 0,
        "mha_needweights": 0,
        "F.linear": 0,
        "subclass_conv2d": 0,
        "root_is_leaf_conv": 0,
        "twice_called_conv": 2 * 17760,
        # two hooks, of which each counts two calls
        "shared_by_two_parents": 2 * 2 * 17760,
    }
    found = {}
    for name in expected:
        module, given = golden_model(name)
        found[name] = paddle.flops(module, given.shape)
    assert found == expected
    assert capsys.readouterr().out.endswith("Total Flops: 71040     Total Params: 148\n")


def test_parameters_are_those_of_modules_without_children(
    capsys: pytest.CaptureFixture[str],
) -> None:
    expected = {
        "bn2d": 16,
        "bn2d_noaffine": 8,
        "ln": 24,
        "gn": 8,
        "lstm_2l_bi": 3328,
        "embedding": 800,
        "tied_weights": 512,
        "unused_layer": 272,
        "own_param": 272,
        "mha_needweights": 0,
        "F.linear": 0,
        "root_is_leaf_conv": 0,
    }
    for name, params in expected.items():
        module, given = golden_model(name)
        if name == "embedding":
            module = nn.Sequential(ToIndices(), module)
        paddle.flops(module, given.shape)
        assert capsys.readouterr().out.endswith(f"Total Params: {params}\n")


class ToIndices(nn.Module):
    """Makes integers of its input."""

    def forward(self, x: Any) -> Any:
        return x.long()


def test_rules_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    def per_element(module: Any, inputs: Any, output: Any) -> None:
        module.total_ops += int(inputs[0].numel())

    model = nn.Sequential(nn.GELU(), nn.Linear(4, 3))
    assert paddle.flops(model, [2, 4], {nn.GELU: per_element, nn.Linear: per_element}) == 16
    customized = "Customize Function has been applied to <class 'torch.nn.modules."
    assert capsys.readouterr().out.count(customized) == 2


def test_layers_that_paddle_fails_on_are_refused() -> None:
    class ByName(Wrapped):
        def forward(self, x: Any) -> Any:
            return self.layer(input=x)

    with pytest.raises(NetledgerError, match="paddle fails on 'layer'"):
        paddle.flops(ByName(nn.Linear(3, 3)), [2, 3])


# -- spaces ----------------------------------------------------------------------------------------


def test_counts_in_a_space_what_it_counts_of_each_network() -> None:
    space = nl.Space()
    width = space.choice("width", [6, 12])
    x = space.input(1, 3, 16, 16)
    x = nl.conv2d(x, width, space.choice("kernel", [1, 3]), padding=1, groups=3)
    x = nl.leaky_relu(nl.batch_norm(x))
    x = nl.avg_pool2d(nl.conv_transpose2d(x, width, 2, stride=2, groups=2), 2)
    x = nl.adaptive_avg_pool2d(x, space.choice("pooled", [1, 3]))
    x = nl.batch_norm(nl.transpose(nl.flatten(x, 2), 1, 2))
    space.output(nl.linear(x, 10))
    codes = space.enumerate()
    for metric in ("flops", "params"):
        costs = space.sweep(codes, [metric], "paddle")[metric].tolist()
        single = [space.graph(code).count().total(metric, "paddle") for code in codes]
        assert costs == single
        assert len(set(single)) > 1
