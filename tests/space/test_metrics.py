"""Metrics of one's own, and conventions."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import netledger as nl
from netledger.conventions import Convention, conventions

if TYPE_CHECKING:
    from netledger.metrics import LayerView


def small() -> nl.Space:
    """Two convolutions, the second one there or not, and a linear layer."""
    space = nl.Space()
    kernel = space.choice("kernel", [1, 3, 9])
    width = space.choice("width", [4, 8])
    x = space.input(1, 3, 8, 8)
    x = nl.conv2d(x, width, kernel, padding=kernel // 2 * (kernel < 9), name="stem")
    x = space.repeat(
        space.choice("times", [0, 1, 3]), lambda x: nl.conv2d(x, width, 3, padding=1), x
    )
    space.output(nl.linear(nl.flatten(nl.adaptive_avg_pool2d(x, 1), 1), 10, name="head"))
    return space


def brute_force(space: nl.Space, code: Any, rule: Any) -> Any:
    """The sum of a rule over the rows of a configuration's ledger."""
    return sum(rule(row) for row in space.graph(code).count().rows)


def test_a_symbolic_rule() -> None:
    space = small()

    def rule(layer: LayerView) -> Any:
        return 3 * layer.macs + (layer.attributes["kernel_size"] if layer.op == "conv2d" else 1)

    def of_row(row: Any) -> int:
        kernel = row.attributes["kernel_size"] if row.op == "conv2d" else 1
        return 3 * row.macs + kernel

    space.add_metric("weighted", rule)
    codes = space.enumerate()
    costs = space.sweep(codes, metrics=["weighted", "macs"])
    assert costs.weighted.dtype == np.int64
    assert costs.weighted.tolist() == [brute_force(space, code, of_row) for code in codes]
    assert space.cost(codes[3], metrics=("weighted",)) == {"weighted": costs.weighted[3]}
    assert np.array_equal(space.sweep_range(metrics=["weighted"])["weighted"], costs.weighted)


@pytest.mark.parametrize("per_layer", [False, True])
def test_a_rule_of_plain_numbers_is_called_once_per_distinct_layer(per_layer: bool) -> None:
    space = small()
    seen: list[tuple[Any, ...]] = []

    def rule(layer: LayerView) -> float:
        assert all(type(size) is int for shape in layer.inputs for size in shape) or not per_layer
        if layer.op != "conv2d":
            return 0.5
        fast = 0.125 if layer.attributes["kernel_size"] == 3 else 1.0
        if type(layer.macs) is int:
            seen.append(layer.key)
        return fast * layer.macs

    def of_row(row: Any) -> float:
        if row.op != "conv2d":
            return 0.5
        return (0.125 if row.attributes["kernel_size"] == 3 else 1.0) * row.macs

    space.add_metric("latency", rule, per_layer=per_layer)
    # The stem has 2 kernels that are not refused and 2 widths, the other convolution 2 widths.
    assert len(seen) == len(set(seen)) == 4 + 2
    codes = space.enumerate()
    costs = space.sweep(codes, metrics=["latency"])
    assert len(seen) == 6
    assert costs.latency.dtype == np.float64
    assert costs.latency.tolist() == [brute_force(space, code, of_row) for code in codes]
    refused = space.sweep({"kernel": 9, "width": [4], "times": [0]}, metrics=["latency"])
    assert np.isnan(refused.latency[0])


def test_a_rule_of_plain_numbers_may_give_integers() -> None:
    space = small()
    space.add_metric("bits", lambda layer: layer.macs.bit_length(), per_layer=True)
    space.add_metric("real bits", lambda layer: layer.macs.bit_length(), real=True)
    codes = space.enumerate()
    costs = space.sweep(codes, metrics=["bits", "real bits"])
    expected = [brute_force(space, code, lambda row: row.macs.bit_length()) for code in codes]
    assert costs["bits"].dtype == np.int64
    assert costs["real bits"].dtype == np.float64
    assert costs["bits"].tolist() == costs["real bits"].tolist() == expected


def test_a_table_of_measured_layers() -> None:
    space = small()
    table = {}
    codes = space.enumerate()
    for code in codes:
        for row in space.graph(code).count().rows:
            key = (row.op, row.input_shapes, tuple(sorted(row.attributes.items())))
            table.setdefault(key, len(table) + 0.25)
    space.add_metric("measured", table=table)

    def of_row(row: Any) -> float:
        return table[row.op, row.input_shapes, tuple(sorted(row.attributes.items()))]

    costs = space.sweep(codes, metrics=["measured"])
    assert costs.measured.tolist() == [brute_force(space, code, of_row) for code in codes]
    missing = dict(list(table.items())[1:])
    with pytest.raises(nl.SpaceError, match="metric 'short': its table has no entry for"):
        space.add_metric("short", table=missing)


def test_a_lookup_that_would_miss_a_quantity_sees_plain_numbers() -> None:
    space = small()
    by_kernel = {1: 10, 3: 30}

    def rule(layer: LayerView) -> int:
        return by_kernel.get(layer.attributes.get("kernel_size"), 0)

    def by_name(layer: LayerView) -> int:
        return {"k1": 1, "k3": 3}.get(f"k{layer.attributes.get('kernel_size')}", 0)

    space.add_metric("by kernel", rule)
    space.add_metric("by name", by_name)
    costs = space.sweep({"kernel": [1, 3], "width": 4, "times": [0, 3]}, ["by kernel", "by name"])
    assert costs["by kernel"].tolist() == [10, 30 + 3 * 30]
    assert costs["by name"].tolist() == [1, 3 + 3 * 3]


def test_totals() -> None:
    space = small()
    kernel, times = space.variables["kernel"], space.variables["times"]
    space.add_metric("total", kernel * 10 + times)
    space.add_metric("sum", [kernel * 10, times, 5])
    space.add_metric("constant", 7)
    costs = space.sweep(
        {"kernel": [1, 3], "width": 4, "times": [0, 3]}, ["total", "sum", "constant"]
    )
    assert costs["total"].tolist() == [10, 33]
    assert costs["sum"].tolist() == [15, 38]
    assert costs["constant"].tolist() == [7, 7]
    with pytest.raises(nl.SpaceError, match="a total is an integer or a Quantity"):
        space.add_metric("half", kernel / 2)


def test_metrics_follow_the_space() -> None:
    space = nl.Space()
    x = nl.linear(space.input(1, space.choice("width", [2, 4])), 3)
    space.add_metric("layers", lambda layer: 1)
    assert space.sweep({"width": [2]}, ["layers"])["layers"].tolist() == [1]
    nl.relu(x)
    assert space.sweep({"width": [2]}, ["layers", "outputs"])["layers"].tolist() == [2]


def test_metrics_are_pickled_as_numbers() -> None:
    space = small()
    space.add_metric("latency", lambda layer: layer.macs / 7, per_layer=True)
    space.add_metric("total", space.variables["kernel"] * 2)
    space.add_metric("double", lambda layer: 2 * layer.macs)
    codes = space.enumerate()
    names = ["latency", "total", "double", "flops@xautodl"]
    expected = space.sweep(codes, names)
    copy = pickle.loads(pickle.dumps(space))
    found = copy.sweep(codes, names)
    for name in names:
        assert np.array_equal(found[name], expected[name])
    x = copy.input(1, 3)
    nl.relu(x)
    with pytest.raises(nl.SpaceError, match="was loaded as numbers, and the space has changed"):
        copy.sweep(codes, ["latency"])


def test_metrics_that_are_refused() -> None:
    space = small()
    space.add_metric("mine", 1)
    for name, arguments, message in [
        ("macs", {"rule": 1}, "the name 'macs' of a metric is taken"),
        ("mine", {"rule": 1}, "the name 'mine' of a metric is taken"),
        ("a@b", {"rule": 1}, "the name 'a@b' of a metric is not possible"),
        ("a", {}, "metric 'a' takes a rule or a table"),
        ("a", {"rule": 1, "table": {}}, "metric 'a' takes a rule or a table"),
        ("a", {"rule": lambda layer: "much"}, "metric 'a': its rule gives 'much' for conv2d"),
    ]:
        with pytest.raises(nl.SpaceError) as caught:
            space.add_metric(name, **arguments)
        assert str(caught.value).startswith(message)
    wide = nl.Space()
    total = sum(wide.choice(f"v{i}", range(1, 20)) for i in range(5))
    nl.linear(wide.input(1, 3), total, name="wide")
    with pytest.raises(nl.SpaceError, match=r"layer 'wide' .* write the rule over quantities"):
        wide.add_metric("a", lambda layer: 0.5 * layer.macs)
    wide.add_metric("b", lambda layer: 5 * layer.macs)
    assert wide.sweep([[1] * 5], ["b"])["b"].tolist() == [5 * 3 * 10]


def of_conventions(space: nl.Space, config: Any) -> dict[str, int]:
    """What the authors' counters make of a configuration's layers, for one image."""
    found = {"ofa": 0, "xautodl": 0, "pycls": 0, "acts": 0}
    for row in space.graph(config).count().rows:
        outputs = int(np.prod(row.output_shapes[0]))
        if row.op == "conv2d":
            bias = row.attributes["bias"]
            found["ofa"] += row.macs
            found["xautodl"] += row.macs + bias * outputs
            found["pycls"] += row.macs + bias * row.attributes["out_channels"]
            found["acts"] += outputs
        elif row.op == "linear":
            found["ofa"] += row.macs
            found["xautodl"] += row.macs + row.attributes["bias"] * outputs
            found["pycls"] += row.macs + row.attributes["bias"] * outputs
            found["acts"] += outputs
        elif row.op == "max_pool2d":
            found["acts"] += outputs
    return found


def test_conventions_count_as_their_authors() -> None:
    assert {"ofa", "pycls", "textbook", "xautodl"} <= set(conventions())
    space = nl.Space()
    kernel = space.choice("kernel", [1, 3])
    x = space.input(1, 4, 9, 9)
    x = nl.conv2d(x, 8, (kernel, 3), groups=space.choice("groups", [1, 2, 4]), padding=1)
    x = nl.max_pool2d(nl.relu(nl.batch_norm(x)), 3, stride=2)
    x = nl.flatten(nl.adaptive_avg_pool2d(nl.conv2d(x, 6, 1, bias=False), 1), 1)
    space.output(nl.linear(x, 10, bias=space.choice("bias", [True, False])))
    codes = space.enumerate()
    names = ["flops@ofa", "flops@xautodl", "flops@pycls", "activations@pycls", "flops"]
    costs = space.sweep(codes, names)
    for row, code in enumerate(codes):
        assert [int(costs[name][row]) for name in names[:4]] == list(
            of_conventions(space, code).values()
        )
    assert np.array_equal(space.sweep(codes, ["flops"], "xautodl").flops, costs["flops@xautodl"])
    mixed = space.sweep(codes, ["flops", "macs"], {"flops": "pycls"})
    assert np.array_equal(mixed.flops, costs["flops@pycls"])
    assert np.array_equal(space.sweep(codes, ["flops"], "textbook").flops, costs.flops)
    assert set(space.sweep(codes, conventions="pycls")) == {
        "flops", "params", "activations", "acts"
    }  # fmt: skip


def test_a_convention_of_ones_own() -> None:
    space = small()
    mine = Convention("mine", {"flops": lambda layer: 2 * layer.macs, "size": "params"})
    codes = space.enumerate()
    costs = space.sweep(codes, conventions=mine)
    expected = space.sweep(codes)
    assert np.array_equal(costs["flops"], 2 * expected.macs)
    assert np.array_equal(costs["size"], expected.params)


def test_layers_that_a_convention_has_no_rule_for() -> None:
    space = nl.Space()
    nl.conv1d(space.input(1, 3, 8), space.choice("width", [2, 3]), 3)
    with pytest.raises(nl.SpaceError, match="convention 'ofa' has no rule for conv1d"):
        space.sweep([[0]], conventions="ofa")
    space = nl.Space()
    nl.linear(space.input(1, 5, 8), space.choice("width", [2, 3]))
    with pytest.raises(nl.SpaceError, match="convention 'xautodl' has no rule for a linear layer"):
        space.sweep([[0]], conventions="xautodl")
