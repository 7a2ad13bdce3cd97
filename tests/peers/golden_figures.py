"""What each peer returned for each model: golden/operations.json and golden/models.json."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch

from peers.operation_models import OPERATIONS
from peers.whole_models import MODELS

__all__ = ["Figures", "figures", "golden_model", "golden_models", "golden_operations"]

GOLDEN = Path(__file__).resolve().parent / "golden"

#: Figures of one model by one peer: ``"macs"``, ``"params"``, ``"printed"``, ...
Figures = dict[str, Any]


@functools.cache
def figures(file: str) -> dict[str, dict[str, Figures]]:
    """All figures of golden/<file>.json, by model and peer."""
    found: dict[str, dict[str, Figures]] = json.loads((GOLDEN / f"{file}.json").read_text())
    return found


def golden_model(name: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """A model of the golden files in evaluation mode, and its input; whole ones hold no data."""
    if name in OPERATIONS:
        make, make_input = OPERATIONS[name]
        return make().eval(), make_input()
    make_whole, shape = MODELS[name]
    with torch.device("meta"):
        return make_whole().eval(), torch.empty(shape)


def _of(file: str, *peers: str) -> list[Any]:
    cases = [
        pytest.param(model, peer, by_peer[peer], id=f"{model}-{peer}")
        for model, by_peer in figures(file).items()
        for peer in peers
        if peer in by_peer and "error" not in by_peer[peer]
    ]
    missing = [peer for peer in peers if not any(case.values[1] == peer for case in cases)]
    if missing:
        raise LookupError(f"no figures of {', '.join(missing)} in {file}.json")
    return cases


def golden_operations(*peers: str) -> list[Any]:
    """Parameters (operation, peer, figures) of the peers' figures for models of one operation.

    Models on which a peer failed are left out.
    """
    return _of("operations", *peers)


def golden_models(*peers: str) -> list[Any]:
    """Parameters (model, peer, figures) of the peers' figures for whole models."""
    return _of("models", *peers)
