"""Holds the call and the convention against the thop that is installed, whoever released it."""

from __future__ import annotations

import importlib.metadata
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl
from netledger.compat import thop
from netledger.errors import NetledgerError
from peers.hooked_models import HOOKED_MODELS
from peers.operation_models import OPERATIONS

__all__ = ["NAMES", "agree", "agree_on_rules", "import_peer", "of_name"]

NAMES = [*HOOKED_MODELS, *OPERATIONS]

#: What a layer does not tell of itself: there the convention may give another figure than the call.
ONLY_BY_THE_CALL = {
    "attention_by_name",
    "linear_with_child",
    "not_its_own",
    "without_batch",
}


def import_peer(distribution: str, prefix: str = "") -> tuple[Any, str]:
    """The package thop of a distribution and its version by our name; skips without it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("thop", exc_type=ImportError)
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"there is no {distribution}")
    if Path(str(installed.locate_file("thop/__init__.py"))) != Path(module.__file__):
        pytest.skip(f"the package thop is not that of {distribution}")
    found = installed.version
    number = re.match(r"\d+\.\d+\.\d+", found)
    version = prefix + (number.group() if number else found)
    if version not in thop.RELEASES:
        pytest.skip(f"{distribution} {found} is not among the versions")
    return module, version


def of_name(name: str) -> tuple[Callable[[], nn.Module], Callable[[], tuple[Any, ...]]]:
    """A model, and its inputs."""
    if name in HOOKED_MODELS:
        return HOOKED_MODELS[name]
    make, make_input = OPERATIONS[name]
    return make, lambda: (make_input(),)


def profiled(peer: Any, model: nn.Module, inputs: Any, **options: Any) -> Any:
    """What the peer returns; an exception if it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return peer.profile(model, inputs, **options)
        except (AttributeError, IndexError, TypeError) as error:
            return error


def agree(peer: Any, version: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Figures, layers and printed text of one model are the peer's; what it fails on is refused."""
    make, make_inputs = of_name(name)
    options = {} if version == "0.0.31" else {"ret_layer_info": True, "report_missing": True}
    theirs = profiled(peer, make(), make_inputs(), **options)
    printed = capsys.readouterr().out
    if isinstance(theirs, Exception):
        with pytest.raises(NetledgerError):
            thop.profile(make(), make_inputs(), version=version, **options)
        return
    assert thop.profile(make(), make_inputs(), version=version, **options) == theirs
    assert capsys.readouterr().out == printed
    if name not in ONLY_BY_THE_CALL:
        _, is_continued, number = version.rpartition("ultralytics-")
        convention = f"ultralytics_thop@{number}" if is_continued else f"thop@{number}"
        ledger = nl.count(make(), list(make_inputs()))
        assert ledger.total("flops", convention) == int(theirs[0])
        assert ledger.total("params", convention) == theirs[1]


def agree_on_rules(peer: Any, version: str) -> None:
    """Rules of one's own give the peer's figures."""

    def rule(module: Any, inputs: Any, output: Any) -> None:
        module.total_ops += inputs[0].numel() + 3 * output[0].numel()

    rules = {nn.MultiheadAttention: rule, nn.Conv2d: rule, nn.ReLU: rule, nn.Embedding: rule}
    for name in ("sharing", "encoder", "gru", "mixture", "attention_by_name"):
        make, make_inputs = of_name(name)
        theirs = profiled(peer, make(), make_inputs(), custom_ops=rules, verbose=False)
        if isinstance(theirs, Exception):
            with pytest.raises(NetledgerError):
                thop.profile(make(), make_inputs(), rules, verbose=False, version=version)
        else:
            ours = thop.profile(make(), make_inputs(), rules, verbose=False, version=version)
            assert ours == theirs
