"""Runs a peer that replaces functions of torch, and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["capture", "run_peer"]

_HOMES = (torch, torch.Tensor, torch.nn.functional)


@contextlib.contextmanager
def _unpatched() -> Iterator[None]:
    """Puts back what a peer does not, which it would count more than once in its next run."""
    before = [dict(vars(home)) for home in _HOMES]
    try:
        yield
    finally:
        for home, known in zip(_HOMES, before, strict=True):
            for name, value in list(vars(home).items()):
                if name not in known:
                    delattr(home, name)
                elif value is not known[name]:
                    setattr(home, name, known[name])


def capture(call: Callable[[], Any]) -> tuple[Any, str]:
    """What a call returns, and what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        return call(), printed.getvalue()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take longer than one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def run_peer(call: Callable[[nn.Module], Any], model: nn.Module) -> tuple[Any, str]:
    """What a peer returns and prints for a copy of a model."""
    with warnings.catch_warnings(), _unpatched(), _one_thread():
        warnings.simplefilter("ignore")
        return capture(lambda: call(copy.deepcopy(model)))
