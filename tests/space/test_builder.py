"""Structure: switches, repeats, optional layers, choices of attributes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import netledger as nl
from netledger._results import COLUMNS


def require_graphs_agree(space: nl.Space) -> int:
    """Every configuration costs what its graph costs; how many there are."""
    codes = space.enumerate()
    costs = space.sweep(codes, metrics=COLUMNS)
    for row, code in enumerate(codes):
        ledger = space.graph(code).count()
        assert {metric: int(costs[metric][row]) for metric in COLUMNS} == {
            metric: ledger.total(metric) for metric in COLUMNS
        }
    return len(codes)


def test_a_space_without_variables_has_one_configuration() -> None:
    space = nl.Space()
    space.output(nl.linear(space.input(2, 5), 3))
    assert (space.size, space.positions) == (1, 1)
    costs = space.sweep(np.zeros((2, 0), dtype=np.uint8))
    assert costs.params.tolist() == [18, 18]
    assert space.cost(()) == {"params": 18, "macs": 30}


def test_switch_with_a_name_makes_a_variable() -> None:
    space = nl.Space()
    x = space.input(1, 4, 8, 8)
    y = space.switch(
        "op",
        {
            "conv": lambda x: nl.conv2d(x, 8, 3, padding=1, bias=False),
            "pool": lambda x: nl.max_pool2d(x, 2),
            "skip": x,
        },
        x,
    )
    assert y.shape[2] is not x.shape[2]
    nl.relu(y)
    assert space.variables["op"].values == ("conv", "pool", "skip")
    assert require_graphs_agree(space) == 3
    costs = space.sweep({"op": ["conv", "pool", "skip"]}, metrics=["macs", "flops"])
    assert costs.macs.tolist() == [4 * 8 * 9 * 64, 0, 0]
    assert costs.flops.tolist() == [8 * 64 * 71 + 8 * 64, 4 * 16 * 3 + 4 * 16, 4 * 64]


def test_switch_over_an_existing_choice_and_several_tensors() -> None:
    space = nl.Space()
    kernel = space.choice("kernel", [1, 3])
    x = space.input(1, 4, 8, 8)
    a, b = space.switch(
        kernel, {1: lambda x: (x, nl.conv2d(x, 2, 1)), 3: lambda x: (nl.relu(x), x)}, x
    )
    nl.concat(a, b, dim=1)
    assert require_graphs_agree(space) == 2


def test_variables_of_a_branch_are_active_there_only() -> None:
    space = nl.Space()
    x = space.input(1, 4, 8, 8)
    space.switch(
        "op",
        {
            "conv": lambda x: nl.conv2d(x, space.choice("width", [2, 3, 5]), 1),
            "skip": lambda x: x,
        },
        x,
    )
    assert space.size == 4
    assert require_graphs_agree(space) == 4
    assert space.canonical([[1, 2], [0, 2]]).tolist() == [[1, 0], [0, 2]]
    assert space.decode([1, 0]) == {"op": "skip"}
    assert space.decode([1, 0], inactive=True) == {"op": "skip", "width": 2}
    assert space.encode({"op": "skip"}).tolist() == [1, 0]
    with pytest.raises(nl.SpaceError, match="variable 'width' is active but has no value"):
        space.encode({"op": "conv"})
    costs = space.sweep({"op": ["conv", "skip"], "width": [3, None]})
    assert costs.params.tolist() == [15, 0]


def test_switch_refuses_what_does_not_fit() -> None:
    space = nl.Space()
    x = space.input(1, 4, 8, 8)
    with pytest.raises(nl.SpaceError, match="as many dimensions, but 'a' has shape"):
        space.switch("op", {"a": lambda x: x, "b": lambda x: nl.flatten(x, 1)}, x)
    with pytest.raises(nl.SpaceError, match="must have one dtype"):
        space.switch("op", {"a": x, "b": lambda x: nl.cast(x, dtype="float16")}, x)
    with pytest.raises(nl.SpaceError, match="'a' gives 1 tensors, but 'b' gives 2"):
        space.switch("op", {"a": lambda x: x, "b": lambda x: (x, x)}, x)
    with pytest.raises(nl.SpaceError, match="returns None, not a tensor"):
        space.switch("op", {"a": lambda x: None, "b": lambda x: x}, x)
    with pytest.raises(nl.SpaceError, match="has no branches"):
        space.switch("op", {}, x)
    # What failed has left nothing behind.
    assert (list(space.variables), len(space)) == ([], 0)
    kernel = space.choice("kernel", [1, 3])
    with pytest.raises(nl.SpaceError, match="has no branch for 3"):
        space.switch(kernel, {1: x})
    with pytest.raises(nl.SpaceError, match="has a branch 5 that is not among its values"):
        space.switch(kernel, {1: x, 3: x, 5: x})
    with pytest.raises(nl.SpaceError, match="over a choice or a new name"):
        space.switch(kernel > 1, {0: x, 1: x})
    assert space.switch("op", {"a": x, "b": nl.relu}, x).shape == (1, 4, 8, 8)


def test_elastic_depth_is_unrolled() -> None:
    space = nl.Space()
    x = space.input(1, 4, 16, 16)

    def block(i: int, x: nl.Tensor) -> nl.Tensor:
        kernel = space.choice(f"kernel {i}", [1, 3])
        return nl.conv2d(x, 4, kernel, padding=kernel // 2, bias=False)

    x = space.repeat(space.choice("depth", [1, 3]), block, x)
    assert x.shape == (1, 4, 16, 16)
    assert list(space.variables) == ["depth", "kernel 0", "kernel 1", "kernel 2"]
    assert space.size == 2 + 8
    assert require_graphs_agree(space) == 10
    space.output(x)
    assert space.decode([0, 1, 0, 0]) == {"depth": 1, "kernel 0": 3}


def test_identical_blocks_are_multiplied() -> None:
    space = nl.Space()
    times = space.choice("times", [0, 1, 5])
    kernel = space.choice("kernel", [1, 3])
    x = space.input(1, 4, 16, 16)
    calls = []

    def block(x: nl.Tensor) -> nl.Tensor:
        calls.append(x)
        return nl.relu(nl.conv2d(x, 4, kernel, padding=kernel // 2))

    y = space.repeat(times, block, x)
    assert y.shape == x.shape
    assert (len(calls), len(space)) == (1, 2)
    assert require_graphs_agree(space) == 6
    costs = space.sweep({"times": [0, 1, 5], "kernel": 3}, metrics=["params"])
    assert costs.params.tolist() == [0, 148, 740]


def test_a_first_block_that_changes_the_shape_stands_apart() -> None:
    space = nl.Space()
    width = space.choice("width", [4, 6])
    x = space.input(1, 3, 16, 16)
    kept: list[Any] = []

    def block(x: nl.Tensor) -> nl.Tensor:
        inner = space.choice("inner", [2, 5])
        kept.append(inner)
        return nl.conv2d(nl.conv2d(x, inner, 1), width, 1)

    y = space.repeat(space.choice("times", [0, 1, 4]), block, x)
    assert len(space) == 4
    assert list(space.variables) == ["width", "times", "inner"]
    nl.conv2d(y, kept[0] + 1, 1)
    assert require_graphs_agree(space) == 2 * (1 + 2 * 2)


def test_blocks_that_all_change_the_shape_are_refused() -> None:
    space = nl.Space()
    x = space.input(1, 3, 64, 64)
    with pytest.raises(nl.SpaceError, match="every one of them changes the shape"):
        space.repeat(3, lambda x: nl.max_pool2d(x, 2), x)
    y = space.repeat(space.choice("n", [1, 2, 3]), lambda i, x: nl.max_pool2d(x, 2), x)
    assert require_graphs_agree(space) == 3
    assert len(y.shape) == 4


def test_repeats_inside_repeats_and_switches() -> None:
    space = nl.Space()
    x = space.input(1, 4, 8, 8)
    inner = space.choice("inner", [1, 2])
    outer = space.choice("outer", [0, 2, 3])

    def block(x: nl.Tensor) -> nl.Tensor:
        y = space.repeat(inner, lambda y: nl.conv2d(y, 4, 1), x)
        y = space.switch("tail", {"relu": nl.relu, "none": lambda y: y}, y)
        return nl.add(x, y)

    space.repeat(outer, block, x)
    assert require_graphs_agree(space) == 2 * (1 + 2 * 2)


def test_several_tensors_through_a_repeat() -> None:
    space = nl.Space()
    a, b = space.input(1, 4), space.input(1, 4)
    a, b = space.repeat(
        space.choice("n", [1, 2, 4]), lambda a, b: (nl.linear(nl.add(a, b), 4), a), a, b
    )
    space.repeat(
        space.choice("m", [0, 2]), lambda i, a, b: (nl.linear(b, 3 + i), nl.linear(a, 5)), a, b
    )
    assert require_graphs_agree(space) == 6


def test_repeat_refuses_what_does_not_fit() -> None:
    space = nl.Space()
    x = space.input(1, 4)
    n = space.choice("n", [-1, 2])
    for body in (lambda x: x, lambda i, x: x):
        with pytest.raises(nl.SpaceError, match="times"):
            space.repeat(n, body, x)
    with pytest.raises(nl.SpaceError, match=r"got 1\.5"):
        space.repeat(1.5, lambda x: x, x)
    with pytest.raises(nl.SpaceError, match="hands on 1 tensors"):
        space.repeat(2, lambda x: (x, x), x)
    with pytest.raises(nl.SpaceError, match="at least one input"):
        space.repeat(2, lambda: None)
    assert len(space) == 0


def test_optional_layers_and_pick() -> None:
    space = nl.Space()
    x = space.input(1, 4, 8, 8)
    used = space.choice("used", [False, True])
    with space.when(used):
        y = nl.conv2d(x, space.choice("width", [2, 4]), 3)
    with pytest.raises(nl.SpaceError, match="made in a when block and read outside of it"):
        nl.relu(y)
    z = space.pick(used, [x, y])
    nl.relu(z)
    assert require_graphs_agree(space) == 3
    inputs = [space.input(1, 3), space.input(2, 3), space.input(1, 5)]
    nl.relu(space.pick("input", inputs))
    assert space.variables["input"].values == (0, 1, 2)
    assert require_graphs_agree(space) == 9


def test_picking_what_is_not_there_is_refused() -> None:
    space = nl.Space()
    x = space.input(1, 4)
    used = space.choice("used", [0, 1])
    index = space.choice("index", [0, 1])
    with space.when(used):
        y = nl.linear(x, 4)
    nl.relu(space.pick(index, [x, y]))
    costs = space.sweep(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.uint8))
    assert costs.valid.tolist() == [True, False, True, True]
    assert costs.reason(1) == (
        "the configuration does not meet the constraint: pick: the tensor that is picked is there"
    )
    assert space.size == 3
    with pytest.raises(nl.SpaceError, match="from 0 to 1 to choose among 2 tensors"):
        space.pick(index + 1, [x, x])
    with pytest.raises(nl.SpaceError, match="from 0 to 1 to choose among 2 tensors, got 2"):
        space.pick(2, [x, x])


def test_constraints() -> None:
    space = nl.Space()
    a, b = space.choice("a", [1, 2, 3]), space.choice("b", [1, 2, 3])
    nl.linear(space.input(1, a), b)
    space.require(a + b <= 4, "the sum is at most 4")
    assert space.size == 6
    costs = space.sweep({"a": [1, 3, 3], "b": [3, 1, 2]})
    assert costs.valid.tolist() == [True, True, False]
    assert costs.macs.tolist() == [3, 3, -1]
    assert costs.refusals.tolist() == [0, 0, 2]
    assert costs.reason(0) == ""
    expected = "the configuration does not meet the constraint: the sum is at most 4"
    assert costs.reason(2) == expected
    with pytest.raises(nl.SpaceError, match=expected):
        space.cost({"a": 3, "b": 2})
    with pytest.raises(nl.SpaceError, match="no configuration meets the constraint: never"):
        space.require(a > 5, "never")
    with space.when(a == 3):
        space.require(b == 1, "a 3 goes with a 1")
    assert space.size == 6
    with space.when(a == 1):
        space.require(b != 1, "a 1 goes not with a 1")
    assert space.size == 5


def test_layers_that_are_refused_for_some_and_for_all() -> None:
    space = nl.Space()
    kernel = space.choice("kernel", [3, 9])
    x = space.input(1, 3, 6, 6)
    nl.conv2d(x, 4, kernel, name="first")
    costs = space.sweep({"kernel": [3, 9]})
    assert costs.valid.tolist() == [True, False]
    assert costs.reason(1) == (
        "layer 'first' (conv2d): the kernel reaches over 9 elements but the padded input has only "
        "6; input shapes (1, 3, 6, 6)"
    )
    with pytest.raises(nl.LayerError) as caught:
        space.cost([1])
    assert str(caught.value) == costs.reason(1)
    assert space.size == 1
    with pytest.raises(nl.LayerError) as caught:
        nl.conv2d(x, 4, kernel + 6, name="second")
    assert str(caught.value) == (
        "layer 'second' (conv2d): the kernel reaches over 9 elements but the padded input has only "
        "6; input shapes (1, 3, 6, 6)"
    )
    assert len(space) == 1


def test_every_attribute_may_be_chosen() -> None:
    space = nl.Space()
    x = space.input(2, 4, 8, 8)
    bias = space.choice("bias", [True, False])
    x = nl.conv2d(
        x,
        space.choice("width", [4, 8]),
        (space.choice("height", [1, 3]), 3),
        padding=space.choice("padding", ["same", (1, 0)]),
        groups=space.choice("groups", [1, 4]),
        bias=bias,
    )
    nl.batch_norm(x, affine=bias)
    assert require_graphs_agree(space) == 32
    assert len(space) == 6

    space = nl.Space()
    x = space.input(5, 2, 8)
    layers = space.choice("layers", [1, 3])
    y, _ = nl.gru(
        x,
        hidden_size=space.choice("hidden", [4, 8]),
        num_layers=layers,
        bidirectional=layers > 1,
    )
    nl.softmax(y, dim=space.choice("dim", [0, 2]))
    nl.embedding_bag(
        space.input(3, 4, dtype="int64"),
        num_embeddings=10,
        embedding_dim=6,
        mode=space.choice("mode", ["sum", "mean", "max"]),
    )
    assert require_graphs_agree(space) == 24
    with pytest.raises(nl.SpaceError, match="'hidden_size' must be an integer, got RationalChoice"):
        nl.gru(x, hidden_size=space.choice("ratio", [1.5, 2]))


def test_modules_are_kept() -> None:
    space = nl.Space()
    x = space.input(1, 4)
    with space.module("stage", "Stage"):
        x = space.switch("op", {"a": lambda x: nl.linear(x, 3), "b": nl.relu}, x)
    with pytest.raises(nl.LayerError, match=r"layer 'head' \(linear\)"):
        nl.linear(space.input(), 3, name="head")
    (row,) = space.graph([0]).count().rows
    assert (row.path, row.op) == ("stage", "linear")


def test_shared_parameters_count_once_if_anything_reads_them() -> None:
    space = nl.Space()
    x = space.input(1, 4)
    weight = space.parameter(4, 4, name="shared")
    frozen = space.parameter(4, trainable=False)
    x = space.switch("first", {"own": lambda x: nl.linear(x, 4), "shared": shared(weight)}, x)
    x = space.switch("second", {"own": nl.relu, "shared": shared(weight)}, x)
    x = space.repeat(space.choice("n", [0, 3]), lambda x: nl.add(x, frozen), x)
    assert require_graphs_agree(space) == 8
    costs = space.sweep(space.enumerate(), metrics=["params", "trainable_params"])
    once = list(itertools.product((20, 16), (0, 16), (0, 4)))
    assert costs.params.tolist() == [(16 if (a, b) == (16, 16) else a + b) + c for a, b, c in once]
    assert (costs.params - costs.trainable_params).tolist() == [c for _, _, c in once]
    with pytest.raises(nl.SpaceError, match="parameters and buffers are not chosen among"):
        space.pick("which", [weight, space.parameter(4, 4)])


def shared(weight: nl.Tensor) -> Any:
    """A linear layer with a weight that others have too."""
    return lambda x: nl.linear(x, 4, bias=False, weights=[weight])


def test_parameters_made_in_a_repeated_block_are_its_own() -> None:
    space = nl.Space()

    def block(x: nl.Tensor) -> nl.Tensor:
        weight = space.parameter(4, 4)
        y = nl.linear(x, 4, bias=False, weights=[weight])
        return nl.linear(y, 4, bias=False, weights=[weight])

    space.repeat(space.choice("n", [1, 3]), block, space.input(1, 4))
    assert require_graphs_agree(space) == 2
    assert space.sweep({"n": [1, 3]}).params.tolist() == [16, 48]


def test_free_sizes() -> None:
    space = nl.Space()
    height, width = space.free("H", 8, 4096), space.free("W", 8, 4096)
    kernel = space.choice("kernel", [3, 5])
    x = space.input(1, 3, height, width)
    x = nl.conv2d(x, 16, kernel, stride=2, padding=kernel // 2, bias=False)
    space.output(nl.linear(nl.flatten(nl.adaptive_avg_pool2d(x, 1), 1), 10))
    heights, widths = np.array([8, 33, 224]), np.array([8, 40, 4096])
    costs = space.sweep({"H": heights, "W": widths, "kernel": [3, 5, 5]})
    expected = [
        ((h + 1) // 2) * ((w + 1) // 2) * 48 * k * k + 160
        for h, w, k in zip(heights.tolist(), widths.tolist(), (3, 5, 5), strict=True)
    ]
    assert costs.macs.tolist() == expected
    config = {"H": 33, "W": 40, "kernel": 5}
    assert space.graph(config).count().macs == expected[1]
    assert space.cost(config)["macs"] == expected[1]
    with pytest.raises(nl.SpaceError, match="row 0: variable 'H' lies within 8 and 4096; got 7"):
        space.sweep({"H": [7], "W": [8], "kernel": [3]})
    with pytest.raises(nl.SpaceError, match="there is no column for the free size 'W'"):
        space.sweep({"H": [9], "kernel": [3]})
    with pytest.raises(nl.SpaceError, match="variable 'H' is free: it has values, not codes"):
        space.sweep(np.zeros((1, 3), dtype=np.uint8))
    with pytest.raises(nl.SpaceError, match=r"row 1: 'H' must be an integer, got 9\.5"):
        space.sweep({"H": [9, 9.5], "W": 8, "kernel": 3})
    with pytest.raises(
        nl.SpaceError,
        match="variable 'H' is free: it",
    ):
        _ = space.size


def test_a_failed_block_can_be_tried_again() -> None:
    space = nl.Space()
    x = space.input(1, 4, 8, 8)
    broken = [True]

    def branch(x: nl.Tensor) -> nl.Tensor:
        width = space.choice("width", [2, 3])
        y = nl.conv2d(x, width, 9 if broken[0] else 1)
        kept.append(y)
        return y

    kept: list[nl.Tensor] = []
    with pytest.raises(nl.LayerError):
        space.switch("op", {"a": nl.relu, "b": branch}, x)
    assert (list(space.variables), len(space)) == ([], 0)
    broken[0] = False
    y = space.switch("op", {"a": nl.relu, "b": branch}, x)
    nl.relu(y)
    assert require_graphs_agree(space) == 3

    stale: list[Any] = []

    def failing(x: nl.Tensor) -> nl.Tensor:
        stale.extend([nl.relu(x), space.choice("late", [1, 2])])
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError):
        space.switch("more", {"a": nl.relu, "b": failing}, x)
    for _ in range(4):
        nl.relu(x)
    with pytest.raises(nl.SpaceError, match="was undone"):
        nl.relu(stale[0])
    with pytest.raises(nl.SpaceError, match="was undone"):
        nl.linear(x, stale[1] + 1)
