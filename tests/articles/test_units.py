"""Bytes, MB and MiB, GFLOP: the figures people round."""

from __future__ import annotations

import netledger as nl
from articles.example_modules import example


def layer_of_60_million_weights() -> nl.Ledger:
    graph = nl.Graph()
    x = graph.input(1, 6_000)
    graph.output(nl.linear(x, 10_000, bias=False))
    return graph.count()


def test_240_million_bytes_are_228_mebibytes() -> None:
    # AlexNet has about 60 million parameters, four bytes each in float32. The 240 million bytes
    # are 240 MB, or 228.88 MiB, which is often printed as "228 MB" or "228.88 MB".
    size = 4 * layer_of_60_million_weights().params
    assert size == 240_000_000
    assert size // 1024 // 1024 == 228
    assert f"{size / 2**20:.2f}" == "228.88"


def test_bytes_follow_the_elements() -> None:
    ledger = layer_of_60_million_weights()
    assert ledger.memory_access == 6_000 + 10_000 + 60_000_000
    assert ledger.memory_access_bytes == 4 * 60_016_000


def test_giga_is_ten_to_the_ninth_for_operations() -> None:
    # FLOPs are a number of operations, FLOPS a speed in operations per second: 2.27 GFLOPs take
    # at least 0.227 s at 10 GFLOPS.
    ledger: nl.Ledger = example("alexnet_graph").alexnet_graph().count()
    assert f"{ledger.flops / 10**9:.2f} GFLOPs" == "2.27 GFLOPs"
    assert f"{ledger.macs / 10**9:.2f} GMACs" == "1.14 GMACs"
    assert f"{ledger.flops / 10**10:.3f} s" == "0.227 s"


def test_size_of_the_weights_of_alexnet() -> None:
    ledger: nl.Ledger = example("alexnet_graph").alexnet_graph().count()
    size = 4 * ledger.params
    assert size == 249_513_376
    assert f"{size / 10**6:.2f} MB = {size / 2**20:.2f} MiB" == "249.51 MB = 237.95 MiB"
