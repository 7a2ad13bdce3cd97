"""Keeps a user's module exactly as it was, whatever its forward does to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterator
from itertools import chain
from operator import is_
from typing import Any

import torch
from torch import nn

from netledger.torch._patches import SharedPatch

__all__ = ["ModuleState", "walk"]

# Attributes of these types are put back with what is in them: tables of parameters and hooks, and
# the caches that a forward fills.
_CONTAINERS = frozenset({dict, OrderedDict, list, set})
# Those of every module that code outside of it may change.
_TABLES = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
_values = dict.values


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


def _put_one_story() -> Callable[[], None]:
    """One story for attention, whether torch would fuse it or not."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    return lambda: torch.backends.mha.set_fastpath_enabled(before)


_UNFUSED = SharedPatch(_put_one_story)


class ModuleState:
    """Evaluation mode inside a ``with`` block; everything as before after it.

    Attributes, and the dictionaries, lists and sets among them, get back the objects that they
    held; tensors get back their version. Nothing is ever computed on the module's tensors, so their
    contents need no copy.

    Args:
        modules: all modules of the model.
        plain: classes whose forward is not run, or fills no container of its own.
    """

    def __init__(
        self, modules: list[nn.Module], plain: Container[type[nn.Module]] = frozenset()
    ) -> None:
        self._modules = modules
        self._plain = plain

    def __enter__(self) -> None:
        self._random = torch.get_rng_state()
        self._attributes = [module.__dict__ for module in self._modules]
        # A plain module of torch.nn changes no more than its tables; others may fill any container.
        containers = [
            value
            for module, attributes in zip(self._modules, self._attributes, strict=True)
            for value in (
                map(attributes.__getitem__, _TABLES)
                if type(module) in self._plain
                else attributes.values()
            )
            if type(value) in _CONTAINERS
        ]
        self._empty = [container for container in containers if not container]
        self._filled = [container for container in containers if container]
        self._saved_attributes = [attributes.copy() for attributes in self._attributes]
        self._saved = [container.copy() for container in self._filled]
        self._everything = self._now()
        _UNFUSED.__enter__()
        self.training = [module for module in self._modules if module.training]
        self._set_training(False)

    def __exit__(self, *exception: object) -> None:
        self._set_training(True)
        now = self._now()
        if (
            len(now) != len(self._everything)
            or not all(map(is_, now, self._everything))
            or any(self._empty)
        ):
            self._restore()
        _UNFUSED.__exit__()
        torch.set_rng_state(self._random)

    def _set_training(self, mode: bool) -> None:
        for module in self.training:
            if "training" in module.__dict__:
                module.__dict__["training"] = mode
            else:  # a scripted module keeps it elsewhere
                module.training = mode

    def _now(self) -> list[Any]:
        """Every attribute of the modules and every entry of their containers."""
        dictionaries = [*self._attributes]
        others: list[Any] = []
        for container in self._filled:
            (dictionaries if isinstance(container, dict) else others).append(container)
        return [
            *chain.from_iterable(dictionaries),
            *chain.from_iterable(map(_values, dictionaries)),
            *chain.from_iterable(others),
        ]

    def _restore(self) -> None:
        for container in self._empty:
            container.clear()
        for container, saved in zip(
            [*self._attributes, *self._filled], [*self._saved_attributes, *self._saved], strict=True
        ):
            container.clear()
            if isinstance(container, list):
                container.extend(saved)
            else:
                container.update(saved)
