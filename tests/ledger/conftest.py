"""Ledgers of small graphs, built with the engine alone."""

from __future__ import annotations

import pytest

from netledger._implementation import Engine
from netledger.ledger import Ledger


@pytest.fixture
def small() -> Ledger:
    """A stem of three layers, a block that is called twice, and a head; shapes in the comments."""
    engine = Engine()
    root = engine.scope(0, "", "Net")
    x = engine.tensor("input", (1, 3, 8, 8))
    stem = engine.scope(root, "stem", "Sequential")
    for path, module_class, op, attributes in (
        ("stem.0", "Conv2d", "conv2d", {"out_channels": 4, "kernel_size": 3, "padding": 1}),
        ("stem.1", "BatchNorm2d", "batch_norm", {}),
        ("stem.2", "ReLU", "relu", {}),
    ):
        scope = engine.scope(stem, path, module_class)
        (x,) = engine.add(op, [x], attributes, scope=scope, inplace=op == "relu")  # (1, 4, 8, 8)
    weight = engine.tensor("parameter", (4, 4, 3, 3), name="blocks.0.conv.weight")
    for call in range(2):
        block = engine.scope(root, "blocks.0", "Block", call)
        conv = engine.scope(block, "blocks.0.conv", "Conv2d", call)
        attributes = {"out_channels": 4, "kernel_size": 3, "padding": 1, "bias": False}
        (y,) = engine.add("conv2d", [x], attributes, weights=[weight], scope=conv)
        (x,) = engine.add("add", [x, y], scope=block)
    (x,) = engine.add("flatten", [x], {"start_dim": 1}, scope=root)  # (1, 256)
    head = engine.scope(root, "head", "Linear")
    frozen = engine.tensor("parameter", (10, 256), trainable=False)
    bias = engine.tensor("parameter", (10,))
    (x,) = engine.add("linear", [x], {"out_features": 10}, weights=[frozen, bias], scope=head)
    engine.output(x)
    return Ledger(engine, engine.count())


@pytest.fixture
def incomplete() -> Ledger:
    """Two operations without a rule in a module, one of them twice; and a module never called."""
    engine = Engine()
    root = engine.scope(0, "", "Net")
    mystery = engine.scope(root, "mystery", "Mystery")
    x = engine.tensor("input", (2, 4))
    for label in ("aten.<one>.default", "aten.two.default", "aten.<one>.default"):
        declared = {"shapes": (2, 2, 4), "label": label}
        (x,) = engine.add("opaque", [x], declared, scope=mystery)
    known = {"shapes": (2, 2, 4), "label": "a kernel of ours", "flops": 100}
    (x,) = engine.add("opaque", [x], known, scope=root)
    unused = engine.scope(root, "auxiliary", "Linear")
    engine.add("uncalled", [engine.tensor("parameter", (4, 4))], scope=unused)
    engine.output(x)
    return Ledger(engine, engine.count(), title="<incomplete> & co")


@pytest.fixture
def large() -> Ledger:
    """Three convolutions whose operations have a dozen digits."""
    engine = Engine()
    x = engine.tensor("input", (4, 60, 1000, 1000))
    for channels in (120, 60, 60):
        (x,) = engine.add("conv2d", [x], {"out_channels": channels, "kernel_size": 3, "padding": 1})
    return Ledger(engine, engine.count())
