"""How many candidates the tests of the catalogue count, and how they are compared."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

import netledger as nl
from catalogue.authors import Tally
from netledger._implementation import SpaceEngine

#: The twin goes through the layers of each candidate in plain Python.
COMPILED = SpaceEngine.__module__ == "netledger._core"

TEXTBOOK = ("params", "macs", "flops", "activations")


def how_many(compiled: int, twin: int) -> int:
    """A number of candidates, by the implementation that runs."""
    return compiled if COMPILED else twin


def codes_of(space: nl.Space, configs: Sequence[Any]) -> Any:
    """A matrix of codes from configs in the authors' notation."""
    return np.stack([space.encode(config) for config in configs])


def assert_textbook(space: nl.Space, codes: Any, tallies: Sequence[Tally]) -> None:
    """The space counts what the walk through the layers counts, in the textbook convention."""
    costs = space.sweep(codes, metrics=TEXTBOOK)
    assert costs.valid.all()
    for metric in TEXTBOOK:
        assert costs[metric].tolist() == [getattr(tally, metric) for tally in tallies], metric


def assert_one_by_one(space: nl.Space, codes: Any) -> None:
    """The graph of a single config costs what the sweep says, and a pickled space agrees."""
    costs = space.sweep(codes, metrics=TEXTBOOK)
    copy = pickle.loads(pickle.dumps(space))
    assert type(copy) is type(space)
    for row, code in enumerate(codes):
        ledger = space.graph(code).count()
        expected = {metric: int(costs[metric][row]) for metric in TEXTBOOK}
        assert {metric: ledger.total(metric) for metric in TEXTBOOK} == expected
        assert space.cost(code, metrics=TEXTBOOK) == expected
        assert copy.cost(copy.encode(space.decode(code)), metrics=TEXTBOOK) == expected
