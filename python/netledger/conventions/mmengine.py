"""``mmengine``: as ``mmengine.analysis`` counts, which is a copy of fvcore's counters.

Source: open-mmlab/mmengine, mmengine/analysis/complexity_analysis.py and jit_handles.py (0.10.7).
"""

from __future__ import annotations

from netledger.conventions.base import Convention
from netledger.conventions.fvcore import ACTIVATIONS, FLOPS

CONVENTION = Convention(
    "mmengine",
    {"flops": FLOPS, "macs": FLOPS, "activations": ACTIVATIONS, "params": "params"},
    figure="flops (MACs)",
)
