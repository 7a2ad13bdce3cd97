"""Keeps a user's module exactly as it was, whatever its forward does to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import is_
from typing import Any

import torch
from torch import nn

__all__ = ["ModuleState", "walk"]

# Dictionaries of a module that its own methods change.
_TABLES = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")


def walk(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module once, with the first path that leads to it, parents first."""
    seen = {id(module)}
    pending = [("", module)]
    while pending:
        path, current = pending.pop()
        yield path, current
        children = []
        for name, child in current._modules.items():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                children.append((f"{path}.{name}" if path else name, child))
        pending.extend(reversed(children))


class ModuleState:
    """Evaluation mode inside a ``with`` block; everything as before after it.

    Attributes, buffers and parameters are put back by identity, flags by value. Nothing is ever
    computed on the module's tensors, so their contents need no copy.
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        self._modules = modules

    def __enter__(self) -> None:
        self._random = torch.get_rng_state()
        self._fastpath = torch.backends.mha.get_fastpath_enabled()
        self._saved = [module.__dict__.copy() for module in self._modules]
        self._tables = [
            (table, table.copy())
            for attributes in self._saved
            for table in map(attributes.get, _TABLES)
            if table is not None
        ]
        self._values = self._everything()
        # One story for attention, whether torch would fuse it or not.
        torch.backends.mha.set_fastpath_enabled(False)
        for module, attributes in zip(self._modules, self._saved, strict=True):
            if attributes.get("training"):
                module.__dict__["training"] = False

    def __exit__(self, *exception: object) -> None:
        for module, attributes in zip(self._modules, self._saved, strict=True):
            if attributes.get("training"):
                module.__dict__["training"] = True
        now = self._everything()
        if len(now) != len(self._values) or not all(map(is_, now, self._values)):
            self._restore()
        torch.backends.mha.set_fastpath_enabled(self._fastpath)
        torch.set_rng_state(self._random)

    def _everything(self) -> list[Any]:
        """Every attribute, parameter, buffer, submodule and hook, with its name."""
        tables = [table for table, _ in self._tables]
        dictionaries = [*(module.__dict__ for module in self._modules), *tables]
        return [*chain.from_iterable(dictionaries), *chain.from_iterable(map(_values, dictionaries))]

    def _restore(self) -> None:
        for module, attributes in zip(self._modules, self._saved, strict=True):
            module.__dict__.clear()
            module.__dict__.update(attributes)
        for table, saved in self._tables:
            table.clear()
            table.update(saved)


_values = dict.values
