"""A convention: a rule for every metric that its authors report."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netledger.errors import SpaceError

#: The conventions that come with the project: a module of this package for each.
NAMES = ("ofa", "pycls", "textbook", "xautodl")


@dataclass(frozen=True)
class Convention:
    """What metrics mean to some authors.

    Attributes:
        name: its name, as in ``"flops@ofa"``.
        rules: for every metric a function of a `netledger.metrics.LayerView` that returns what the
            layer adds, as an int or a quantity; or the name of a metric of the ``textbook``
            convention that it is the same as.
    """

    name: str
    rules: Mapping[str, Callable[[Any], Any] | str] = field(hash=False)


def conventions() -> tuple[str, ...]:
    """The names of the conventions that come with the project."""
    return NAMES


def convention_of(convention: str | Convention) -> Convention:
    """A convention by its name, or as it is."""
    if isinstance(convention, Convention):
        return convention
    if convention not in NAMES:
        raise SpaceError(f"unknown convention {convention!r}; there are {', '.join(NAMES)}")
    found: Convention = importlib.import_module(f"netledger.conventions.{convention}").CONVENTION
    return found
