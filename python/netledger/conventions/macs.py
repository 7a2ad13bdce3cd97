"""``macs``: multiply-accumulates of contractions, and nothing else; no bias."""

from __future__ import annotations

from netledger.conventions.base import Convention

CONVENTION = Convention("macs", {"flops": "macs", "macs": "macs", "params": "params"}, "MACs")
