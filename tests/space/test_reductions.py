"""What is asked of many configurations without keeping them, against the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import netledger as nl

if TYPE_CHECKING:
    from netledger.costs import Costs, Sweep

ORIGINS = ["range", "part", "random", "codes", "packed"]


@pytest.fixture(scope="module")
def space() -> nl.Space:
    """300 configurations, some of them refused, with a metric of real numbers."""
    space = nl.Space()
    r = space.choice("r", [6, 8, 12, 16, 24])
    x = space.input(1, 3, r, r)
    for stage in range(2):
        width = space.choice(f"width {stage}", [4, 6, 8])
        kernel = space.choice(f"kernel {stage}", [1, 3, 7] if stage else [3, 5])
        x = nl.relu(nl.conv2d(x, width, kernel, stride=2, name=f"stage {stage}"))
    space.output(x)
    space.add_metric("latency", lambda layer: 0.25 + layer.macs // 1000 / 8, per_layer=True)
    return space


METRICS = ("params", "macs", "latency")


@pytest.fixture(params=ORIGINS)
def sweep(space: nl.Space, request: pytest.FixtureRequest) -> Sweep:
    """Configurations from everywhere."""
    rows = space.random(150, seed=3, law="architectures")
    return {
        "range": lambda: space.sweep_range(metrics=METRICS),
        "part": lambda: space.sweep_range(17, 80, metrics=METRICS),
        "random": lambda: space.sweep_random(120, seed=5, metrics=METRICS),
        "codes": lambda: space.over(np.random.default_rng(0).permutation(all_rows(space)), METRICS),
        "packed": lambda: space.over(space.pack(rows), METRICS),
    }[request.param]()


def all_rows(space: nl.Space) -> np.ndarray:
    """Every row of codes, those that are refused included."""
    sizes = [len(variable.values) for variable in space.variables.values()]
    return np.array(np.unravel_index(np.arange(np.prod(sizes)), sizes)).T.astype(np.uint8)


def kept(costs: Costs, low: float, high: float) -> np.ndarray:
    """Positions within a budget of macs."""
    return np.flatnonzero(costs.valid & (costs.macs >= low) & (costs.macs <= high))


def test_columns_are_those_of_the_codes(space: nl.Space, sweep: Sweep) -> None:
    costs = sweep.costs()
    codes = sweep.configs(np.arange(len(sweep)))
    expected = space.sweep(codes, metrics=METRICS)
    assert len(costs) == len(sweep) == len(codes)
    assert np.array_equal(costs.refusals, expected.refusals)
    for metric in METRICS:
        assert np.array_equal(costs[metric], expected[metric], equal_nan=metric == "latency")
        assert np.array_equal(sweep[metric], costs[metric], equal_nan=metric == "latency")
    assert costs.macs.dtype == np.int64
    assert costs.latency.dtype == np.float64
    assert np.isnan(costs.latency[~costs.valid]).all()
    assert (costs.macs[~costs.valid] == -1).all()
    parts = list(sweep.chunks(50))
    assert [len(part) for part in parts[:-1]] == [50] * (len(parts) - 1)
    assert np.array_equal(np.concatenate([part["macs"] for part in parts]), costs.macs)
    assert np.array_equal(parts[1].configs([3]), codes[[53]])
    frame = costs.to_pandas()
    assert list(frame.columns) == [*METRICS, "valid"]
    assert frame["macs"].tolist() == costs.macs.tolist()


def test_some_configurations_are_refused(space: nl.Space) -> None:
    costs = space.sweep(all_rows(space))
    assert 0 < costs.valid.sum() < len(costs)
    assert costs.valid.sum() == space.size
    assert space.sweep_range().costs().valid.all()


def test_histogram(sweep: Sweep) -> None:
    costs = sweep.costs()
    macs = costs.macs[costs.valid]
    near = np.unique(macs)
    for edges in (
        [0, 10_000, 50_000, 10**9],
        [1000.5, 5_000.0, macs.max()],
        [-5, -1],
        # The last edge is its bin's own, and what is one above it is not.
        [near[0] - 1, near[1] - 1],
        [0, near[0], near[1]],
        [0, near[-1] - 1],
    ):
        found = sweep.histogram("macs", edges)
        expected, _ = np.histogram(macs, edges)
        assert found.counts.tolist() == expected.tolist()
        assert found.below == (macs < edges[0]).sum()
        assert found.above == (macs > edges[-1]).sum()
        assert found.refused == (~costs.valid).sum()
    found = sweep.histogram("macs", 7)
    assert (len(found.counts), len(found.edges)) == (7, 8)
    assert found.counts.sum() == len(macs)
    assert (found.below, found.above) == (0, 0)
    assert found.edges[0] == macs.min()
    latency = costs.latency[costs.valid]
    edges = [0.5, 1.25, latency.max()]
    assert sweep.histogram("latency", edges).counts.tolist() == [
        ((latency >= 0.5) & (latency < 1.25)).sum(),
        ((latency >= 1.25) & (latency <= latency.max())).sum(),
    ]
    assert sweep.histogram("latency", 5).counts.sum() == len(latency)
    inside = kept(costs, 5000, 40_000)
    found = sweep.histogram("params", [0, 300, 10**6], macs=(5000, 40_000))
    assert found.counts.tolist() == np.histogram(costs.params[inside], [0, 300, 10**6])[0].tolist()


def test_top(sweep: Sweep) -> None:
    costs = sweep.costs()
    for metric in METRICS:
        for largest in (False, True):
            for k in (0, 1, 7, 1000):
                order = np.flatnonzero(costs.valid)
                values = costs[metric][order]
                order = order[np.argsort(-values if largest else values, kind="stable")][:k]
                found = sweep.top_k(metric, k, largest=largest)
                assert found.positions.tolist() == order.tolist()
                assert found.values.tolist() == costs[metric][order].tolist()
                assert np.array_equal(found.codes, sweep.configs(order))
    inside = kept(costs, 20_000, np.inf)
    found = sweep.top_k("macs", 3, macs=(19_999.5, None))
    assert sorted(found.values) == sorted(costs.macs[inside])[:3]


def test_pareto(sweep: Sweep) -> None:
    costs = sweep.costs()
    for metrics, maximise in [
        (("params", "macs"), ()),
        (("params", "macs"), ("params",)),
        (("macs", "latency", "params"), ("latency",)),
        (("macs",), ()),
    ]:
        signs = np.array([-1 if metric in maximise else 1 for metric in metrics])
        points = np.array([costs[metric] for metric in metrics]).T * signs
        rows = np.flatnonzero(costs.valid)
        first = {}
        for row in rows:
            first.setdefault(tuple(points[row]), row)
        front = [
            (point, row)
            for point, row in first.items()
            if not any(
                other != point and all(o <= p for o, p in zip(other, point, strict=True))
                for other in first
            )
        ]
        expected = [row for _, row in sorted(front)]
        found = sweep.pareto(*metrics, maximise=maximise)
        assert found.positions.tolist() == expected
        for metric in metrics:
            assert found.values[metric].tolist() == costs[metric][expected].tolist()
        assert np.array_equal(found.codes, sweep.configs(expected))


def test_filter(sweep: Sweep) -> None:
    costs = sweep.costs()
    inside = kept(costs, 5000, 40_000)
    assert len(inside) > 3
    assert sweep.filter(macs=(5000, 40_000)).tolist() == inside.tolist()
    assert sweep.filter(macs=(5000, 40_000), limit=3).tolist() == inside[:3].tolist()
    assert sweep.filter(macs=(5000, 40_000), limit=0).tolist() == []
    both = inside[costs.params[inside] <= 400]
    assert sweep.filter(macs=(5000, 40_000), params=(None, 400)).tolist() == both.tolist()
    middle = float(np.median(costs.latency[costs.valid]))
    slow = np.flatnonzero(costs.valid & (costs.latency >= middle))
    assert sweep.filter(latency=(middle, None)).tolist() == slow.tolist()
    assert sweep.filter().tolist() == np.flatnonzero(costs.valid).tolist()
    assert sweep.filter(macs=(10**30, None)).tolist() == []
    assert sweep.filter(macs=(-(10**30), 10**30)).tolist() == sweep.filter().tolist()


def test_extremes(sweep: Sweep) -> None:
    costs = sweep.costs()
    rows = np.flatnonzero(costs.valid)
    found = sweep.extremes()
    assert set(found) == set(METRICS)
    for metric, extreme in found.items():
        values = costs[metric][rows]
        assert (extreme.minimum, extreme.maximum) == (values.min(), values.max())
        assert np.array_equal(extreme.minimum_codes, sweep.configs(rows[values.argmin()])[0])
        assert np.array_equal(extreme.maximum_codes, sweep.configs(rows[values.argmax()])[0])
    inside = kept(costs, 5000, 40_000)
    assert sweep.extremes("params", macs=(5000, 40_000))["params"].maximum == (
        costs.params[inside].max()
    )
    with pytest.raises(nl.SpaceError, match="no configuration is valid and within the budgets"):
        sweep.extremes(macs=(None, -7))


def test_what_a_sweep_refuses(space: nl.Space) -> None:
    sweep = space.sweep_range(metrics=("params", "macs"))
    for call, message in [
        (lambda: sweep["flops"], "the sweep does not count 'flops'; it counts params, macs"),
        (lambda: sweep.top_k("flops", 3), "the sweep does not count 'flops'"),
        (lambda: sweep.filter(flops=(0, 1)), "the sweep does not count 'flops'"),
        (lambda: sweep.filter(macs=5), "a budget is a pair, (macs at least, macs at most), got 5"),
        (lambda: sweep.filter(macs=(float("nan"), 1)), "the budget of 'macs' is nan"),
        (lambda: sweep.filter(limit=-1), "limit must not be negative, got -1"),
        (lambda: sweep.top_k("macs", -1), "k must not be negative, got -1"),
        (lambda: sweep.histogram("macs", 0), "there must be at least one bin, got 0"),
        (lambda: sweep.histogram("macs", [3, 2]), "edges of bins are at least two numbers that"),
        (lambda: sweep.pareto("macs", maximise=["params"]), "maximise names 'params'"),
        (lambda: sweep.configs([10**6]), "the sweep has no position 1000000"),
        (lambda: list(sweep.chunks(0)), "chunks have at least one configuration, got 0"),
        (lambda: space.sweep_range(5, 10**9), "the range 5 to 1000000000 does not lie within"),
        (lambda: space.sweep_range(threads=0).costs(), "threads must be a positive integer"),
    ]:
        with pytest.raises(nl.SpaceError) as caught:
            call()
        assert str(caught.value).startswith(message), caught.value


def test_progress_and_threads(space: nl.Space, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    quiet = space.sweep_range(threads=2)
    expected = quiet.costs().macs
    assert capsys.readouterr().err == ""
    shown = space.sweep_range(threads=2, progress=True)
    assert np.array_equal(shown.costs().macs, expected)
    assert f"{len(shown)}" in capsys.readouterr().err
    assert np.array_equal(space.sweep(space.enumerate(), progress=True).macs, expected)


def test_a_space_too_large_for_one_sweep() -> None:
    space = nl.Space()
    for i in range(20):
        space.choice(f"v{i}", range(16))
    nl.linear(space.input(1, 1), 1)
    assert space.size == space.positions == 16**20
    with pytest.raises(nl.SpaceError, match=r"a range has at most 2\*\*63 - 1 positions"):
        space.sweep_range()
    last = space.sweep_range(16**20 - 3)
    assert last.configs([2]).tolist() == [[15] * 20]
    assert last.configs([0])[0, -1] == 13
    assert last["params"].tolist() == [2, 2, 2]
