"""AlexNet in torch: the published figures of five tools, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import netledger as nl
from articles import tool_figures
from articles.example_modules import example
from netledger.conventions import convention_of

if TYPE_CHECKING:
    from torch import nn

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    network: nn.Module = example("alexnet").alexnet()
    return network


@pytest.fixture(scope="module")
def ledger(model: nn.Module) -> nl.Ledger:
    return nl.count(model, (1, 3, 224, 224))


@pytest.fixture(scope="module")
def large(model: nn.Module) -> nl.Ledger:
    """The ledger for one image of 512x512."""
    return nl.count(model, (1, 3, 512, 512))


@pytest.fixture(scope="module")
def batch(model: nn.Module) -> nl.Ledger:
    """The ledger for eight images."""
    return nl.count(model, (8, 3, 224, 224))


@pytest.fixture(scope="module")
def wide_model() -> nn.Module:
    """The wider network without convolution biases."""
    network: nn.Module = example("alexnet").alexnet_without_convolution_bias()
    return network


@pytest.fixture(scope="module")
def without_bias(wide_model: nn.Module) -> nl.Ledger:
    return nl.count(wide_model, (1, 3, 224, 224))


def rows_of(ledger: nl.Ledger, *ops: str) -> list[nl.Row]:
    return [row for row in ledger.rows if row.op in ops]


class TestTorchvisionLayout:
    def test_totals(self, ledger: nl.Ledger) -> None:
        assert ledger.params == 61_100_840
        assert ledger.macs == 714_188_480
        assert ledger.flops == 1_429_585_920
        assert ledger.activations == 494_184
        assert ledger.buffers == 0

    def test_every_parameter_is_trainable(self, model: nn.Module, ledger: nl.Ledger) -> None:
        assert ledger.trainable_params == 61_100_840
        assert ledger.frozen_params == 0
        assert sum(parameter.numel() for parameter in model.parameters()) == 61_100_840

    def test_frozen_features_are_parameters_but_not_trainable(self) -> None:
        network = example("alexnet").alexnet()
        network.features.requires_grad_(False)
        ledger = nl.count(network, (1, 3, 224, 224))
        assert ledger.params == 61_100_840
        # What is left is the classifier.
        assert ledger.trainable_params == 58_631_144
        assert ledger.frozen_params == 2_469_696

    def test_convolutions_hold_the_operations_and_linear_layers_the_parameters(
        self, ledger: nl.Ledger
    ) -> None:
        modules = ledger.by_module(depth=1)
        assert list(modules) == ["", "features", "avgpool", "classifier"]
        assert modules["features"]["params"] == 2_469_696
        assert modules["classifier"]["params"] == 58_631_144
        assert modules["features"]["macs"] == 655_566_528
        assert modules["classifier"]["macs"] == 58_621_952

    def test_flops_by_kind_of_layer(self, ledger: nl.Ledger) -> None:
        flops = {op: totals["flops"] for op, totals in ledger.by_op().items()}
        assert flops == {
            # Every convolution and linear layer has a bias: exactly two operations per MAC.
            "conv2d": 2 * 655_566_528,
            "linear": 2 * 58_621_952,
            "max_pool2d": 8 * (46_656 + 32_448 + 9_216),
            "relu": 493_184,
            # At 6x6 each adaptive window is one element.
            "adaptive_avg_pool2d": 9_216,
            "dropout": 0,
            "flatten": 0,
        }

    def test_thop(self, ledger: nl.Ledger) -> None:
        # 714.69 M is thop of 2020: convolution biases and (1 + 1) per output of the adaptive
        # pooling on top of the MACs. thop of 2022 leaves the biases out.
        assert ledger.total("flops", "thop@0.0.31") == 714_691_904
        assert ledger.total("flops", "thop@0.0.31") - ledger.macs == 484_992 + 2 * 9_216
        assert ledger.total("flops", "thop@0.1.1") == 714_206_912

    def test_ptflops_total(self, ledger: nl.Ledger) -> None:
        assert ledger.total("flops", "ptflops@0.6.9") == 715_561_896
        assert round(715_561_896 / 1e9, 3) == 0.716

    @pytest.mark.parametrize(
        ("path", "params", "share_of_params", "macs", "share_of_macs"),
        [
            ("", "61.101", "100.000", "0.716", "100.000"),
            ("features", "2.47", "4.042", "0.657", "91.804"),
            ("features.0", "0.023", "0.038", "0.07", "9.848"),
            ("features.1", "0.0", "0.000", "0.0", "0.027"),
            ("features.2", "0.0", "0.000", "0.0", "0.027"),
            ("features.3", "0.307", "0.503", "0.224", "31.316"),
            ("features.4", "0.0", "0.000", "0.0", "0.020"),
            ("features.5", "0.0", "0.000", "0.0", "0.020"),
            ("features.6", "0.664", "1.087", "0.112", "15.681"),
            ("features.7", "0.0", "0.000", "0.0", "0.009"),
            ("features.8", "0.885", "1.448", "0.15", "20.902"),
            ("features.9", "0.0", "0.000", "0.0", "0.006"),
            ("features.10", "0.59", "0.966", "0.1", "13.936"),
            ("features.11", "0.0", "0.000", "0.0", "0.006"),
            ("features.12", "0.0", "0.000", "0.0", "0.006"),
            ("avgpool", "0.0", "0.000", "0.0", "0.001"),
            ("classifier", "58.631", "95.958", "0.059", "8.195"),
            ("classifier.0", "0.0", "0.000", "0.0", "0.000"),
            ("classifier.1", "37.753", "61.788", "0.038", "5.276"),
            ("classifier.2", "0.0", "0.000", "0.0", "0.001"),
            ("classifier.3", "0.0", "0.000", "0.0", "0.000"),
            ("classifier.4", "16.781", "27.465", "0.017", "2.345"),
            ("classifier.5", "0.0", "0.000", "0.0", "0.001"),
            ("classifier.6", "4.097", "6.705", "0.004", "0.573"),
        ],
    )
    def test_ptflops_line(
        self,
        ledger: nl.Ledger,
        path: str,
        params: str,
        share_of_params: str,
        macs: str,
        share_of_macs: str,
    ) -> None:
        rows = [
            row
            for row in ledger.rows
            if not path or row.path == path or row.path.startswith(f"{path}.")
        ]
        assert rows
        line_params = sum(row.params for row in rows)
        rule = convention_of("ptflops@0.6.9").rule("flops")
        line_macs = sum(
            cost for place, cost in ledger._costs(rule) if ledger.rows[place.row] in rows
        )
        assert str(round(line_params / 1e6, 3)) == params
        assert f"{100 * line_params / 61_100_840:.3f}" == share_of_params
        assert str(round(line_macs / 1e9, 3)) == macs
        assert f"{100 * line_macs / 715_561_896:.3f}" == share_of_macs

    def test_layer_table(self, model: nn.Module) -> None:
        assert tool_figures.layer_table(model, (3, 224, 224)) == [
            ("Conv2d-1", (1, 64, 55, 55), 23_296),
            ("ReLU-2", (1, 64, 55, 55), 0),
            ("MaxPool2d-3", (1, 64, 27, 27), 0),
            ("Conv2d-4", (1, 192, 27, 27), 307_392),
            ("ReLU-5", (1, 192, 27, 27), 0),
            ("MaxPool2d-6", (1, 192, 13, 13), 0),
            ("Conv2d-7", (1, 384, 13, 13), 663_936),
            ("ReLU-8", (1, 384, 13, 13), 0),
            ("Conv2d-9", (1, 256, 13, 13), 884_992),
            ("ReLU-10", (1, 256, 13, 13), 0),
            ("Conv2d-11", (1, 256, 13, 13), 590_080),
            ("ReLU-12", (1, 256, 13, 13), 0),
            ("MaxPool2d-13", (1, 256, 6, 6), 0),
            ("AdaptiveAvgPool2d-14", (1, 256, 6, 6), 0),
            ("Dropout-15", (1, 9216), 0),
            ("Linear-16", (1, 4096), 37_752_832),
            ("ReLU-17", (1, 4096), 0),
            ("Dropout-18", (1, 4096), 0),
            ("Linear-19", (1, 4096), 16_781_312),
            ("ReLU-20", (1, 4096), 0),
            ("Linear-21", (1, 1000), 4_097_000),
        ]

    def test_torchsummary_sizes(self, model: nn.Module) -> None:
        assert tool_figures.torchsummary_sizes(model, (3, 224, 224)) == (
            "0.57",
            "8.38",
            "233.08",
            "242.03",
        )

    def test_torchstat(self, model: nn.Module, ledger: nl.Ledger) -> None:
        assert ledger.total("flops", "torchstat") == 715_543_488
        assert ledger.total("madd", "torchstat") == 1_429_567_512
        assert tool_figures.torchstat_traffic_bytes(ledger) == 253_606_976
        assert tool_figures.torchstat_output_bytes(model, (3, 224, 224)) == 4_392_864


class TestInputSize:
    """What batch and image size change. The published figures are thop's of 2020."""

    def test_params_do_not_depend_on_the_input(
        self, ledger: nl.Ledger, large: nl.Ledger, batch: nl.Ledger
    ) -> None:
        assert ledger.params == large.params == batch.params == 61_100_840

    def test_thop(self, large: nl.Ledger, batch: nl.Ledger) -> None:
        assert large.total("flops", "thop@0.0.31") == 3_710_034_752
        assert batch.total("flops", "thop@0.0.31") == 5_717_535_232
        assert large.total("flops", "thop@0.1.1") == 3_707_400_128
        assert batch.total("flops", "thop@0.1.1") == 5_713_655_296

    def test_a_batch_multiplies_every_operation(self, ledger: nl.Ledger, batch: nl.Ledger) -> None:
        assert batch.macs == 8 * 714_188_480 == 8 * ledger.macs
        assert batch.flops == 8 * 1_429_585_920 == 8 * ledger.flops
        assert batch.outputs == 8 * ledger.outputs

    def test_weights_are_read_once_per_batch(self, ledger: nl.Ledger, batch: nl.Ledger) -> None:
        moved = ledger.memory_access - ledger.params
        assert batch.memory_access == 8 * moved + 61_100_840

    def test_a_larger_image_multiplies_convolutions_by_their_area(
        self, ledger: nl.Ledger, large: nl.Ledger
    ) -> None:
        assert large.macs == 3_707_333_312
        assert large.flops == 7_421_382_144
        # 127, 63, 31 positions a side instead of 55, 27, 13: floor division makes it uneven.
        areas = {"features.0": (55, 127), "features.3": (27, 63), "features.6": (13, 31)}
        small_macs = {row.path: row.macs for row in ledger.rows}
        large_macs = {row.path: row.macs for row in large.rows}
        for path, (before, after) in areas.items():
            assert large_macs[path] * before**2 == small_macs[path] * after**2
        # The classifier always sees 6x6.
        assert large_macs["classifier.1"] == small_macs["classifier.1"] == 37_748_736

    def test_adaptive_pooling_sums_its_overlapping_windows(self, large: nl.Ledger) -> None:
        (pooling,) = rows_of(large, "adaptive_avg_pool2d")
        assert pooling.input_shapes[0] == (1, 256, 15, 15)
        # 15 -> 6: windows of 3 or 4 that cover 15 + 6 - gcd(15, 6) = 18 elements a side.
        assert pooling.flops == 256 * 18 * 18


class TestWithoutConvolutionBias:
    def test_totals(self, without_bias: nl.Ledger) -> None:
        assert without_bias.params == 61_264_904
        assert without_bias.macs == 861_301_280
        assert without_bias.flops == 1_723_503_936
        assert without_bias.activations == 590_984

    def test_a_convolution_without_bias_saves_one_addition_per_output(
        self, without_bias: nl.Ledger
    ) -> None:
        for row in rows_of(without_bias, "conv2d"):
            assert row.flops == 2 * row.macs - row.outputs
        for row in rows_of(without_bias, "linear"):
            assert row.flops == 2 * row.macs

    def test_thop_is_the_macs_in_every_version(self, without_bias: nl.Ledger) -> None:
        # No convolution bias and no adaptive pooling: the conventions coincide.
        assert without_bias.total("flops", "thop@0.0.31") == 861_301_280
        assert without_bias.total("flops", "thop@0.1.1") == 861_301_280
        assert without_bias.macs == 861_301_280

    def test_ptflops(self, without_bias: nl.Ledger) -> None:
        assert without_bias.total("flops", "ptflops@0.6.9") == 862_374_088

    def test_layer_table(self, wide_model: nn.Module) -> None:
        assert tool_figures.layer_table(wide_model, (3, 224, 224)) == [
            ("Conv2d-1", (1, 96, 55, 55), 34_848),
            ("ReLU-2", (1, 96, 55, 55), 0),
            ("MaxPool2d-3", (1, 96, 27, 27), 0),
            ("Conv2d-4", (1, 192, 27, 27), 460_800),
            ("ReLU-5", (1, 192, 27, 27), 0),
            ("MaxPool2d-6", (1, 192, 13, 13), 0),
            ("Conv2d-7", (1, 384, 13, 13), 663_552),
            ("ReLU-8", (1, 384, 13, 13), 0),
            ("Conv2d-9", (1, 256, 13, 13), 884_736),
            ("ReLU-10", (1, 256, 13, 13), 0),
            ("Conv2d-11", (1, 256, 13, 13), 589_824),
            ("ReLU-12", (1, 256, 13, 13), 0),
            ("MaxPool2d-13", (1, 256, 6, 6), 0),
            ("Dropout-14", (1, 9216), 0),
            ("Linear-15", (1, 4096), 37_752_832),
            ("ReLU-16", (1, 4096), 0),
            ("Dropout-17", (1, 4096), 0),
            ("Linear-18", (1, 4096), 16_781_312),
            ("ReLU-19", (1, 4096), 0),
            ("Linear-20", (1, 1000), 4_097_000),
        ]

    def test_torchsummary_sizes(self, wide_model: nn.Module) -> None:
        assert tool_figures.torchsummary_sizes(wide_model, (3, 224, 224)) == (
            "0.57",
            "9.96",
            "233.71",
            "244.24",
        )

    def test_torchstat_memory(self, wide_model: nn.Module) -> None:
        size = tool_figures.torchstat_output_bytes(wide_model, (3, 224, 224))
        assert size == 5_223_712
        assert f"{size / 2**20:.2f}" == "4.98"

    def test_torchstat_flops_are_nearly_macs(self, without_bias: nl.Ledger) -> None:
        # "862.36 M Flops": one per MAC, plus ReLU outputs and the inputs of pooling layers.
        assert without_bias.total("flops", "torchstat") == 862_364_896
        assert 862_364_896 - without_bias.macs == 589_984 + 473_632

    def test_torchstat_multiply_adds_are_nearly_flops(self, without_bias: nl.Ledger) -> None:
        # "1.72 G MAdd": the FLOPs save the additions of the biases of the linear layers.
        assert without_bias.total("madd", "torchstat") == 1_723_494_744
        assert without_bias.flops - 1_723_494_744 == 4096 + 4096 + 1000

    def test_torchstat_traffic_is_the_memory_access(self, without_bias: nl.Ledger) -> None:
        # "244.14 MB" are 255,998,656 bytes in units of 2**20.
        assert tool_figures.torchstat_traffic_bytes(without_bias) == 255_998_656
        moving = rows_of(without_bias, "conv2d", "relu", "max_pool2d", "linear")
        assert 4 * sum(row.memory_access for row in moving) == 255_998_656
        assert sum(row.memory_access_bytes for row in moving) == 255_998_656
        assert f"{255_998_656 / 2**20:.2f}" == "244.14"
