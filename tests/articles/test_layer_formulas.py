"""Closed forms of single layers, and where widespread formulas are wrong."""

from __future__ import annotations

import pytest

from articles.example_modules import example
from netledger import formulas


class TestMeaning:
    def test_a_mac_is_two_flops(self) -> None:
        # Not the other way round: a multiplication and an addition are one MAC. With a bias the
        # FLOPs of a convolution are exactly twice the MACs; without, one less per output.
        biased = formulas.conv2d((1, 16, 32, 32), 24, 3, padding=1)
        assert biased.macs == 24 * 32 * 32 * 16 * 9 == 3_538_944
        assert biased.flops == 2 * biased.macs == 7_077_888
        plain = formulas.conv2d((1, 16, 32, 32), 24, 3, padding=1, bias=False)
        assert plain.macs == 3_538_944
        assert plain.flops == 7_077_888 - 24_576

    def test_one_kernel_by_hand(self) -> None:
        # Nine products, eight sums, one bias: 18 operations for each of 3x3 outputs.
        cost = formulas.conv2d((1, 1, 5, 5), out_channels=1, kernel_size=3)
        assert cost.shapes == ((1, 1, 3, 3),)
        assert cost.params == 3 * 3 + 1
        assert cost.flops == 9 * (9 + 8 + 1) == 162
        assert cost.macs == 81

    def test_parameters_do_not_depend_on_sizes_but_operations_do(self) -> None:
        small = formulas.conv2d((1, 3, 112, 112), 8, 3, padding=1)
        large = formulas.conv2d((5, 3, 224, 224), 8, 3, padding=1)
        assert small.params == large.params == 224
        assert large.flops == 5 * 4 * small.flops == 5 * 4 * 5_419_008


class TestLinear:
    def test_bias_is_added_at_every_position(self) -> None:
        cost = formulas.linear((1, 7, 512), 1000)
        assert cost.params == 512 * 1000 + 1000 == 513_000
        assert cost.macs == 7 * 512 * 1000 == 3_584_000
        # A widespread formula is F C_in C_out + C_out: it takes MACs for FLOPs, and adds the bias
        # at one of F positions only.
        assert cost.flops == 7 * 1000 * (512 + 511 + 1) == 7_168_000
        assert cost.flops != 7 * 512 * 1000 + 1000

    def test_without_bias(self) -> None:
        cost = formulas.linear((1, 7, 512), 1000, bias=False)
        assert cost.params == 512_000
        assert cost.macs == 3_584_000
        assert cost.flops == 7 * 1000 * (512 + 511) == 7_161_000


class TestConvolution:
    def test_one_dimension(self) -> None:
        cost = formulas.conv1d((1, 6, 50), out_channels=10, kernel_size=5)
        assert cost.shapes == ((1, 10, 46),)
        assert cost.params == 5 * 6 * 10 + 10 == 310
        assert cost.macs == 6 * 5 * 46 * 10 == 13_800
        # Not C_in K F_out C_out + C_out = 13,810: these are MACs, and each of the F_out positions
        # adds the bias.
        assert cost.flops == 46 * 10 * (2 * 6 * 5 - 1) + 46 * 10 == 27_600

    @pytest.mark.parametrize(
        ("shape", "kernel_size", "stride", "padding", "dilation", "expected"),
        [
            ((1, 3, 224, 224), 11, 4, 2, 1, (55, 55)),
            ((1, 3, 227, 227), 11, 4, 0, 1, (55, 55)),
            ((1, 3, 512, 512), 11, 4, 2, 1, (127, 127)),  # 127.25, rounded down
            ((1, 3, 27, 27), 5, 1, 2, 1, (27, 27)),
            ((1, 3, 30, 47), (3, 5), (2, 3), (1, 2), (2, 1), (14, 16)),
        ],
    )
    def test_output_size(
        self,
        shape: tuple[int, ...],
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int],
        padding: int | tuple[int, int],
        dilation: int | tuple[int, int],
        expected: tuple[int, int],
    ) -> None:
        cost = formulas.conv2d(shape, 8, kernel_size, stride, padding, dilation)
        assert cost.shapes == ((1, 8, *expected),)

    def test_kernel_of_unequal_sides(self) -> None:
        cost = formulas.conv2d((1, 6, 20, 30), 10, kernel_size=(3, 5), padding=(1, 2))
        assert cost.params == 3 * 5 * 6 * 10 + 10 == 910
        # MACs never include a bias.
        assert cost.macs == (6 * 3 * 5) * 20 * 30 * 10 == 540_000
        assert cost.flops == 1_080_000

    def test_groups_divide_weights_and_macs(self) -> None:
        full = formulas.conv2d((1, 64, 20, 20), 128, 3, padding=1, bias=False)
        grouped = formulas.conv2d((1, 64, 20, 20), 128, 3, padding=1, groups=4, bias=False)
        assert full.params == 73_728
        assert grouped.params == 3 * 3 * (64 // 4) * (128 // 4) * 4 == 18_432
        assert full.macs == 29_491_200
        assert grouped.macs == 7_372_800
        assert grouped.shapes == full.shapes == ((1, 128, 20, 20),)
        # Not a fourth of the FLOPs: a sum of n products has n - 1 additions, whatever n is.
        assert full.flops == 2 * 29_491_200 - 51_200
        assert grouped.flops == 2 * 7_372_800 - 51_200


class TestTransposedConvolution:
    def test_doubles_the_size(self) -> None:
        cost = formulas.conv_transpose2d(
            (1, 64, 56, 56), 32, kernel_size=3, stride=2, padding=1, output_padding=1
        )
        assert cost.shapes == ((1, 32, 112, 112),)
        assert cost.params == 3 * 3 * 64 * 32 + 32 == 18_464
        # Each input element meets every kernel once. Counting the kernel per *output* element, as
        # for a convolution, gives stride^2 = 4 times as much.
        assert cost.macs == (64 * 56 * 56) * 32 * 9 == 57_802_752
        assert cost.flops == 2 * 57_802_752 + 32 * 112 * 112 == 116_006_912

    @pytest.mark.parametrize(
        ("stride", "padding", "output_padding", "size"),
        [(1, 0, 0, 9), (1, 1, 0, 7), (2, 0, 0, 15), (2, 1, 0, 13), (2, 1, 1, 14), (3, 0, 2, 23)],
    )
    def test_output_size(self, stride: int, padding: int, output_padding: int, size: int) -> None:
        cost = formulas.conv_transpose2d(
            (1, 5, 7, 7), 4, 3, stride=stride, padding=padding, output_padding=output_padding
        )
        assert cost.shapes == ((1, 4, size, size),)
        # Padding crops the output; the multiplications are made all the same.
        assert cost.macs == 5 * 7 * 7 * 4 * 9 == 8_820


class TestLSTM:
    def test_one_step(self) -> None:
        cost = formulas.lstm((1, 1, 10), hidden_size=20, bias=False)
        assert cost.params == 10 * 20 * 4 + 20 * 20 * 4 == 2_400
        # Published is 4 H I + 4 H^2 + H^2 for a step. There is no fifth H x H product: gates and
        # states are multiplied element by element, 3 H multiplications, none of them in a
        # contraction.
        assert cost.macs == 4 * 20 * 10 + 4 * 20 * 20 == 2_400
        assert cost.macs != 4 * 20 * 10 + 4 * 20 * 20 + 20 * 20
        # Products with weights, their sum, gates, new cell state, new hidden state.
        assert cost.flops == 80 * 19 + 80 * 39 + 80 + 80 + 60 + 40 == 4_900

    def test_bias(self) -> None:
        cost = formulas.lstm((1, 1, 10), hidden_size=20)
        # torch has two biases per gate: one for the input's product, one for the state's.
        assert cost.params == 2_400 + 2 * 80
        assert cost.macs == 2_400
        assert cost.flops == 4_900 + 2 * 80

    def test_steps_and_samples_multiply(self) -> None:
        cost = formulas.lstm((7, 3, 10), hidden_size=20)
        assert cost.params == 2_560
        assert cost.macs == 7 * 3 * 2_400
        assert cost.flops == 7 * 3 * 5_060


class TestWithoutContraction:
    """Normalisation, pooling, activation: operations, but no MACs."""

    def test_batch_norm(self) -> None:
        cost = formulas.batch_norm((1, 64, 56, 56))
        assert cost.shapes == ((1, 64, 56, 56),)
        assert cost.params == 2 * 64
        assert cost.buffers == 2 * 64 + 1
        assert cost.flops == 2 * 64 * 56 * 56 == 401_408
        assert cost.macs == 0

    def test_average_pooling(self) -> None:
        cost = formulas.avg_pool2d((1, 64, 56, 56), kernel_size=3, stride=2)
        assert cost.shapes == ((1, 64, 27, 27),)
        assert cost.params == 0
        # Eight additions and one division per output.
        assert cost.flops == 9 * 64 * 27 * 27 == 419_904
        assert cost.macs == 0

    def test_max_pooling(self) -> None:
        cost = formulas.max_pool2d((1, 64, 55, 55), kernel_size=3, stride=2)
        assert cost.shapes == ((1, 64, 27, 27),)
        assert cost.params == 0
        assert cost.flops == 8 * 64 * 27 * 27 == 373_248

    def test_relu(self) -> None:
        cost = formulas.relu((1, 64, 56, 56))
        assert cost.shapes == ((1, 64, 56, 56),)
        assert cost.params == 0
        assert cost.flops == 64 * 56 * 56 == 200_704
        assert cost.macs == 0


def test_example_table() -> None:
    costs = {name: cost for name, _, cost in example("layer_formulas").layers()}
    assert {name: cost.flops for name, cost in costs.items()} == {
        "linear 512 -> 1000, 7 positions": 7_168_000,
        "conv1d 64 -> 128, 5": 8_192_000,
        "conv2d 64 -> 128, 3x3": 462_422_016,
        "conv2d 64 -> 128, 3x3, no bias": 462_020_608,
        "conv2d 64 -> 128, 3x3, 4 groups": 115_605_504,
        "conv2d 64 -> 64, 3x3, depthwise": 3_612_672,
        "conv_transpose2d 64 -> 32, 3x3, stride 2": 116_006_912,
        "lstm 10 -> 20, one step": 5_060,
        "batch_norm": 401_408,
        "max_pool2d 3x3, stride 2": 401_408,
        "avg_pool2d 2x2": 200_704,
        "relu": 200_704,
    }
