"""Figures of other tools as the articles print them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    import netledger as nl


def torchstat_traffic_bytes(ledger: nl.Ledger) -> int:
    """ "MemR+W", in bytes."""
    return sum(ledger.total(metric, convention="torchstat") for metric in ("mem_read", "mem_write"))


def torchstat_output_bytes(model: nn.Module, size: tuple[int, ...]) -> float:
    """ "Total memory", in bytes; torchstat adds up 32-bit floats of mebibytes."""
    from netledger.compat import torchstat

    return float(sum(leaf.memory for leaf in torchstat.report(model, size))) * 2**20


def torchsummary_sizes(model: nn.Module, size: tuple[int, ...]) -> tuple[str, str, str, str]:
    """Input, forward and backward pass, parameters, total; all in MiB, labelled "MB"."""
    from netledger.compat import torchsummary

    found = torchsummary.figures(model, size)
    sizes = (found.input_size, found.output_size, found.params_size, found.total_size)
    return (f"{sizes[0]:.2f}", f"{sizes[1]:.2f}", f"{sizes[2]:.2f}", f"{sizes[3]:.2f}")


def layer_table(model: nn.Module, size: tuple[int, ...]) -> list[tuple[str, tuple[int, ...], int]]:
    """(class and running number, output shape, parameters) as torchsummary and its kin print."""
    from netledger.compat import torchsummary

    return [
        (layer.name, tuple(layer.output_shape), layer.params)
        for layer in torchsummary.figures(model, size, batch_size=1).layers
    ]
