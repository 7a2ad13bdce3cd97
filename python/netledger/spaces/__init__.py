"""Published design spaces, each a function that returns a `netledger.Space`.

Every file here is written with the public interface alone, so that it can be read as an example.
The spaces translate the notation of their authors: ``space.encode(config)`` gives a row of codes,
``space.decode(codes)`` gives the config back.
"""

from __future__ import annotations

from netledger.spaces.autoformer import autoformer
from netledger.spaces.darts import darts
from netledger.spaces.nas_bench_101 import nas_bench_101
from netledger.spaces.nas_bench_201 import nas_bench_201
from netledger.spaces.ofa_mobilenet_v3 import ofa_mobilenet_v3
from netledger.spaces.regnet import anynet, regnet

__all__ = [
    "anynet",
    "autoformer",
    "darts",
    "nas_bench_101",
    "nas_bench_201",
    "ofa_mobilenet_v3",
    "regnet",
]
