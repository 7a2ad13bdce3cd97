"""Figures in the conventions of other tools, derived from the rows of a ledger.

Each function is one convention, with the ops that the networks of these tests use; an op that the
convention is not written down for raises, so that no figure is silently too small.
"""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    import netledger as nl

#: Ops that are function calls and not modules in these networks: module hooks never see them.
FUNCTIONS = ("flatten", "add", "div", "concat")
MEBIBYTE = 2**20


def module_rows(ledger: nl.Ledger) -> list[nl.Row]:
    """The rows that a tool with module hooks can see, one per call."""
    return [row for row in ledger.rows if row.op not in FUNCTIONS]


def inputs(row: nl.Row) -> int:
    """Elements of the first input."""
    return prod(row.input_shapes[0])


def bias_additions(row: nl.Row) -> int:
    """One per output where the layer has a bias."""
    return row.outputs if row.attributes["bias"] else 0


def upscaling(row: nl.Row) -> int:
    """Output positions per input position of a transposed convolution."""
    return prod(row.output_shapes[0][2:]) // prod(row.input_shapes[0][2:])


def places(model: nn.Module) -> Counter[str]:
    """How many modules have this one as a child, by path: more than one where it is shared."""
    parents = Counter(id(child) for module in model.modules() for child in module.children())
    return Counter({path: parents[id(module)] for path, module in model.named_modules()})


def total(rows: Iterable[nl.Row], rules: dict[str, Callable[[nl.Row], int]]) -> int:
    """Sum of one rule per op; every op must have one."""
    return sum(rules[row.op](row) for row in rows)


def nothing(row: nl.Row) -> int:
    """Not counted in the convention at hand."""
    return 0


def thop_0_0_31(ledger: nl.Ledger, model: nn.Module) -> int:
    """MACs with the bias of convolutions but not of linear layers; normalisation 2 per element.

    A module with n parents gets n hooks and is summed n times: n * n times what it costs.
    """
    parents = places(model)
    return total(
        module_rows(ledger),
        {
            "conv2d": lambda row: row.macs + bias_additions(row),
            # Counted as if each *output* saw the whole kernel.
            "conv_transpose2d": lambda row: row.macs * upscaling(row) + bias_additions(row),
            "linear": lambda row: row.macs,
            "batch_norm": lambda row: 2 * inputs(row),
            "leaky_relu": lambda row: inputs(row) * parents[row.path] ** 2,
            "relu": nothing,
            "dropout": nothing,
            "max_pool2d": nothing,
            "adaptive_avg_pool2d": lambda row: (_floor_ratio(row) + 1) * row.outputs,
        },
    )


def thop_0_1_1(ledger: nl.Ledger) -> int:
    """MACs without any bias; normalisation 4 per element where it is affine."""
    return total(
        module_rows(ledger),
        {
            "conv2d": lambda row: row.macs,
            "conv_transpose2d": lambda row: row.macs * upscaling(row),
            "linear": lambda row: row.macs,
            "batch_norm": lambda row: 4 * inputs(row),
            "leaky_relu": nothing,
            "relu": nothing,
            "dropout": nothing,
            "max_pool2d": nothing,
            # The true ratio of areas: (a / b) |y| + |y|, where |x| = (a / b) |y|.
            "adaptive_avg_pool2d": lambda row: inputs(row) + row.outputs,
        },
    )


def _floor_ratio(row: nl.Row) -> int:
    """Rounded-down input positions per output position."""
    (before,), (after,) = row.input_shapes, row.output_shapes
    return prod(a // b for a, b in zip(before[2:], after[2:], strict=True))


def ptflops_0_6_9_rule(model: nn.Module) -> dict[str, Callable[[nl.Row], int]]:
    """ "MACs": every bias is one, every activation, every *input* element of a pooling layer.

    A module with n parents is summed n times.
    """
    parents = places(model)
    return {
        "conv2d": lambda row: row.macs + bias_additions(row),
        "conv_transpose2d": lambda row: row.macs * upscaling(row) + bias_additions(row),
        "linear": lambda row: row.macs + bias_additions(row),
        "batch_norm": lambda row: 2 * inputs(row),
        "relu": lambda row: row.outputs * parents[row.path],
        "leaky_relu": lambda row: row.outputs * parents[row.path],
        "max_pool2d": inputs,
        "adaptive_avg_pool2d": inputs,
        "dropout": nothing,
    }


def ptflops_0_6_9(ledger: nl.Ledger, model: nn.Module) -> int:
    """The total of `ptflops_0_6_9_rule`."""
    return total(module_rows(ledger), ptflops_0_6_9_rule(model))


def torchstat_rows(ledger: nl.Ledger) -> list[nl.Row]:
    """One row per module: torchstat overwrites a module's record at each call."""
    return list({row.path: row for row in module_rows(ledger)}.values())


def torchstat_flops(ledger: nl.Ledger) -> int:
    """ "Flops": close to MACs; transposed convolutions and adaptive pooling count nothing."""
    return total(
        torchstat_rows(ledger),
        {
            "conv2d": lambda row: row.macs + bias_additions(row),
            "conv_transpose2d": nothing,
            "linear": lambda row: row.macs,
            "batch_norm": lambda row: 2 * inputs(row),
            "relu": inputs,
            "leaky_relu": inputs,
            "max_pool2d": inputs,
            "adaptive_avg_pool2d": nothing,
            "dropout": nothing,
        },
    )


def torchstat_multiply_adds(ledger: nl.Ledger) -> int:
    """ "MAdd": the textbook's FLOPs, save the linear bias, normalisation and adaptive pooling."""
    return total(
        torchstat_rows(ledger),
        {
            "conv2d": lambda row: row.flops,
            "conv_transpose2d": _torchstat_transposed,
            "linear": lambda row: row.flops - bias_additions(row),
            "batch_norm": lambda row: 4 * inputs(row),
            "relu": lambda row: row.flops,
            "leaky_relu": nothing,
            "max_pool2d": lambda row: row.flops,
            "adaptive_avg_pool2d": nothing,
            "dropout": nothing,
        },
    )


def _torchstat_transposed(row: nl.Row) -> int:
    """The formula of a convolution from input to output channels, at the input's positions."""
    positions = prod(row.input_shapes[0][2:]) * row.output_shapes[0][1]
    return 2 * row.macs - positions + (positions if row.attributes["bias"] else 0)


def torchstat_output_bytes(ledger: nl.Ledger) -> int:
    """ "Total memory": float32 outputs of every module."""
    return 4 * sum(row.outputs for row in torchstat_rows(ledger))


def torchstat_traffic_bytes(ledger: nl.Ledger) -> int:
    """ "MemR+W": float32 input, parameters and output of the modules it has a rule for."""
    ignored = ("dropout", "adaptive_avg_pool2d", "conv_transpose2d")
    return 4 * sum(
        inputs(row) + row.params + row.outputs
        for row in torchstat_rows(ledger)
        if row.op not in ignored
    )


def torchsummary_sizes(ledger: nl.Ledger) -> tuple[str, str, str, str]:
    """Input, forward and backward pass, parameters, total; all in MiB, labelled "MB".

    Right where every module with children is a Sequential or a ModuleList, apart from the root.
    """
    tensor = 4 * inputs(ledger.rows[0]) / MEBIBYTE
    passes = 2 * 4 * sum(row.outputs for row in module_rows(ledger)) / MEBIBYTE
    weights = 4 * ledger.params / MEBIBYTE
    sizes = (tensor, passes, weights, tensor + passes + weights)
    return (f"{sizes[0]:.2f}", f"{sizes[1]:.2f}", f"{sizes[2]:.2f}", f"{sizes[3]:.2f}")


def layer_table(ledger: nl.Ledger) -> list[tuple[str, tuple[int, ...], int]]:
    """(class and running number, output shape, parameters) as torchsummary and its kin print."""
    return [
        (f"{row.module_class}-{number}", row.output_shapes[0], row.params)
        for number, row in enumerate(module_rows(ledger), start=1)
    ]
