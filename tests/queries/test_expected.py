"""The expected cost of a space, against exact sums over all of its configurations."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import netledger as nl
from netledger import NetledgerError, _journal, _pure
from strategies.spaces import build, recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from strategies.spaces import Recipe

relaxed = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

#: A space with more combinations of codes is not summed over.
MOST_COMBINATIONS = 300

Distributions = dict[str, np.ndarray]


def sizes_of(space: nl.Space) -> dict[str, int]:
    """How many values each variable has."""
    return {name: len(variable.values) for name, variable in space.variables.items()}


def all_codes(space: nl.Space) -> np.ndarray:
    """Every combination of codes, inactive variables included."""
    sizes = list(sizes_of(space).values())
    rows = list(itertools.product(*map(range, sizes)))
    return np.array(rows, dtype=np.uint8).reshape(len(rows), len(sizes))


def drawn(space: nl.Space, seed: int, batch: tuple[int, ...] = (), sharp: float = 0) -> Any:
    """Random distributions; a part of the probabilities is 0."""
    rng = np.random.default_rng(seed)
    result = {}
    for name, size in sizes_of(space).items():
        weights = rng.random((*batch, size)) * (rng.random((*batch, size)) >= sharp)
        weights[..., rng.integers(size)] += 0.125
        result[name] = weights / weights.sum(axis=-1, keepdims=True)
    return result


class Truth:
    """Costs of all rows of codes, summed in fractions."""

    def __init__(self, space: nl.Space, metric: str) -> None:
        self.names = list(space.variables)
        self.codes = all_codes(space)
        costs = space.sweep(self.codes, metrics=[metric])
        self.accepted = costs.valid
        self.costs = [
            Fraction(cost.item()) if accepted else Fraction(0)
            for cost, accepted in zip(costs[metric], self.accepted, strict=True)
        ]

    @property
    def refuses(self) -> bool:
        return not self.accepted.all()

    def sums(self, weights: Mapping[str, Any]) -> tuple[Fraction, Fraction]:
        """Of products of weights: times the costs, and of the accepted ones."""
        exact = [[Fraction(float(entry)) for entry in weights[name]] for name in self.names]
        cost = acceptance = Fraction(0)
        for row, codes in enumerate(self.codes):
            if self.accepted[row]:
                weight = prod(
                    (exact[place][code] for place, code in enumerate(codes)), start=Fraction(1)
                )
                cost += weight * self.costs[row]
                acceptance += weight
        return cost, acceptance

    def value(self, weights: Mapping[str, Any]) -> Fraction:
        cost, acceptance = self.sums(weights)
        return cost / acceptance if self.refuses else cost

    def derivative(self, weights: Mapping[str, Any], name: str, code: int) -> Fraction:
        """By differences of the sums, which are linear in what is changed."""
        more = {**weights, name: np.array(weights[name])}
        step = 0.25
        more[name][code] += step
        exact_step = Fraction(float(more[name][code])) - Fraction(float(weights[name][code]))
        cost, acceptance = self.sums(weights)
        cost_after, acceptance_after = self.sums(more)
        slope = (cost_after - cost) / exact_step
        if not self.refuses:
            return slope
        slope_of_acceptance = (acceptance_after - acceptance) / exact_step
        return (slope - cost / acceptance * slope_of_acceptance) / acceptance


def space_of(recipe: Recipe) -> nl.Space:
    """The space of a recipe, if it makes one that is small."""
    try:
        space = build(recipe)
    except NetledgerError:
        assume(False)
    assume(prod(sizes_of(space).values()) <= MOST_COMBINATIONS)
    return space


def close(found: Any, expected: Fraction, scale: Fraction | None = None) -> bool:
    """Whether a double is an exact number, but for rounding."""
    allowed = Fraction(1, 10**12) * max(abs(expected), abs(scale or expected))
    return abs(Fraction(float(found)) - expected) <= allowed


def check_all(space: nl.Space, metric: str, given_probabilities: Distributions) -> None:
    """Value and gradient are the exact ones."""
    truth = Truth(space, metric)
    expected = truth.value(given_probabilities)
    if not truth.refuses:
        # The sums of the probabilities are 1 but for rounding, and they are scaled.
        expected /= prod(sum(map(Fraction, part)) for part in given_probabilities.values())
    value, gradient = space.expected(metric, given_probabilities, gradient=True)
    assert close(value, expected)
    assert list(gradient) == truth.names
    for name, part in gradient.items():
        assert part.shape == given_probabilities[name].shape
        for code, found in enumerate(part):
            exact = truth.derivative(given_probabilities, name, code)
            assert close(found, exact, scale=largest(truth, expected))


def largest(truth: Truth, expected: Fraction) -> Fraction:
    """What the terms of a derivative may be as large as."""
    return max([abs(expected), *(abs(cost) for cost in truth.costs)])


def constrained() -> nl.Space:
    """Three chained widths under two constraints, and a choice that nothing restricts."""
    space = nl.Space()
    widths = [space.choice(f"width{i}", [4, 6, 8]) for i in range(3)]
    kernel = space.choice("kernel", [1, 3])
    groups = space.choice("groups", [1, 3])
    x = space.input(1, 6, 8, 8)
    for width in widths:
        x = nl.conv2d(x, width, kernel, padding=kernel // 2, bias=False)
    x = nl.conv2d(x, 12, 3, groups=groups)
    space.output(nl.linear(nl.flatten(nl.adaptive_avg_pool2d(x, 1), 1), 10))
    space.require(widths[0] <= widths[1], "widths do not shrink")
    space.require(widths[0] + widths[2] <= 14, "not both large")
    return space


def elastic() -> nl.Space:
    """Elastic depth: variables of blocks that may not be there. Nothing is refused."""
    space = nl.Space()
    resolution = space.choice("resolution", [16, 24, 32, 40, 48])
    x = space.input(1, 3, resolution, resolution)

    def block(i: int, x: nl.Tensor) -> nl.Tensor:
        kernel = space.choice(f"kernel{i}", [3, 5, 7])
        wide = nl.conv2d(x, 3 * space.choice(f"expansion{i}", [1, 2]), 1)
        return nl.conv2d(wide, 3, kernel, padding=kernel // 2)

    space.output(space.repeat(space.choice("depth", [0, 1, 2]), block, x))
    return space


# -- exact -----------------------------------------------------------------------------------------


@relaxed
@given(recipes(), st.integers(0, 2**32), st.sampled_from([0, 0.5]))
def test_random_spaces(recipe: Recipe, seed: int, sharp: float) -> None:
    space = space_of(recipe)
    truth = Truth(space, "macs")
    probabilities = drawn(space, seed, sharp=sharp)
    if truth.sums(probabilities)[1] == 0:
        with pytest.raises(nl.SpaceError, match="no network that these probabilities allow"):
            space.expected("macs", probabilities)
        return
    check_all(space, "macs", probabilities)
    check_all(space, "params", probabilities)


@pytest.mark.parametrize("make", [constrained, elastic])
@pytest.mark.parametrize("sharp", [0, 0.4])
def test_made_spaces(make: Callable[[], nl.Space], sharp: float) -> None:
    for seed in range(3):
        check_all(make(), "macs", drawn(make(), seed, sharp=sharp))


def test_the_constrained_space_refuses_some_but_not_all() -> None:
    assert 0 < Truth(constrained(), "macs").accepted.mean() < 1
    assert not Truth(elastic(), "macs").refuses


def test_by_hand() -> None:
    space = nl.Space()
    width = space.choice("width", [8, 16])
    kernel = space.choice("kernel", [3, 5])
    x = space.input(1, 3, 32, 32)
    space.output(nl.conv2d(x, width, kernel, padding=kernel // 2, bias=False))
    value, gradient = space.expected(
        "params", {"width": [0.25, 0.75], "kernel": [0.5, 0.5]}, gradient=True
    )
    # 3 * (8 / 4 + 16 * 3 / 4) * (9 + 25) / 2
    assert value == 3 * 14 * 17 == 714
    assert gradient["width"].tolist() == [3 * 8 * 17, 3 * 16 * 17]
    assert gradient["kernel"].tolist() == [3 * 14 * 9, 3 * 14 * 25]


def test_by_hand_where_some_are_refused() -> None:
    space = nl.Space()
    a, b = space.choice("a", [1, 2]), space.choice("b", [10, 20])
    space.add_metric("sum", a + b)
    space.require(a * b < 40)
    value, gradient = space.expected("sum", {"a": [0.5, 0.5], "b": [0.5, 0.5]}, gradient=True)
    # 11, 21 and 12 are equally likely.
    assert value == pytest.approx(44 / 3, rel=1e-14)
    # Numerator: (11 + 21) / 2 and 12 / 2; denominator 3/4: 1 and 1/2.
    slopes = [(16 - 44 / 3) * 4 / 3, (6 - 22 / 3) * 4 / 3]
    assert gradient["a"] == pytest.approx(slopes, rel=1e-13)


def test_every_single_network_costs_what_it_costs() -> None:
    for space in (elastic(), constrained()):
        truth = Truth(space, "macs")
        for row, codes in enumerate(truth.codes):
            sure = {
                name: np.eye(size)[code]
                for (name, size), code in zip(sizes_of(space).items(), codes, strict=True)
            }
            if truth.accepted[row]:
                assert space.expected("macs", sure) == truth.costs[row]
            else:
                with pytest.raises(nl.SpaceError, match="row 0: no network that these"):
                    space.expected("macs", sure)


def test_real_metrics() -> None:
    for space in (elastic(), constrained()):
        space.add_metric("latency", lambda layer: 0.125 + layer.macs / 3e6, per_layer=True)
        check_all(space, "latency", drawn(space, 5))
    space.add_metric("infinite", lambda layer: float("inf"), per_layer=True)
    with pytest.raises(nl.SpaceError, match="'infinite' is not finite"):
        space.expected("infinite", {})


def test_uniform_where_nothing_is_given() -> None:
    space = elastic()
    truth = Truth(space, "macs")
    exact = sum(truth.costs) / len(truth.costs)
    assert close(space.expected("macs", {}), exact)
    assert close(space.expected("macs", {"depth": [1 / 3, 1 / 3, 1 / 3]}), exact)


def test_conventions() -> None:
    space = elastic()
    codes = space.random(1, seed=1)
    sure = {
        name: np.eye(size)[code]
        for (name, size), code in zip(sizes_of(space).items(), codes[0], strict=True)
    }
    for convention in (None, "ofa", {"flops": "ofa"}):
        found = space.expected("flops", sure, conventions=convention)
        assert found == space.sweep(codes, ["flops"], conventions=convention)["flops"][0]
    assert space.expected("flops@ofa", sure) == found


# -- numbers that are no distributions -------------------------------------------------------------


@pytest.mark.parametrize("make", [constrained, elastic])
def test_unchecked_is_the_multilinear_sum(make: Callable[[], nl.Space]) -> None:
    space = make()
    truth = Truth(space, "macs")
    rng = np.random.default_rng(3)
    weights = {name: rng.random(size) + 0.25 for name, size in sizes_of(space).items()}
    value, gradient = space.expected("macs", weights, gradient=True, check=False)
    assert close(value, truth.value(weights))
    for name, part in gradient.items():
        for code, found in enumerate(part):
            exact = truth.derivative(weights, name, code)
            assert close(found, exact, scale=Fraction(float(abs(part).max())))
    with pytest.raises(nl.SpaceError, match="must sum to 1"):
        space.expected("macs", weights)


def test_unchecked_sums_may_be_zero() -> None:
    space = elastic()
    weights = drawn(space, 1)
    weights["depth"] = np.array([0.5, -1, 0.5])
    weights["resolution"] = np.zeros(5)
    truth = Truth(space, "macs")
    value, gradient = space.expected("macs", weights, gradient=True, check=False)
    assert value == 0
    for code in range(5):
        exact = truth.derivative(weights, "resolution", code)
        assert exact
        assert close(gradient["resolution"][code], exact, scale=max(truth.costs))


def test_sums_that_are_nearly_1_are_scaled() -> None:
    space = elastic()
    probabilities = drawn(space, 2)
    nearly = {name: part.astype(np.float32) for name, part in probabilities.items()}
    exact = {
        name: part.astype(np.float64) / part.astype(np.float64).sum()
        for name, part in nearly.items()
    }
    assert space.expected("macs", nearly) == pytest.approx(space.expected("macs", exact), rel=1e-14)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ([0.5, 0.25, 0.125], "row 0: the probabilities of 'depth' must sum to 1, got 0.875"),
        ([0.5, 0.5, 2e-6], "row 0: the probabilities of 'depth' must sum to 1, got 1.000002"),
        ([1.5, -0.5, 0], "a probability of 'depth' must be finite and not negative, got -0.5"),
        ([np.nan, 0.5, 0.5], "a probability of 'depth' must be finite and not negative, got nan"),
        ([np.inf, 0.5, 0.5], "a probability of 'depth' must be finite and not negative, got inf"),
        ([0.5, 0.5], r"probabilities of 'depth' are an array \(..., 3\), got shape \(2,\)"),
        (1.0, r"probabilities of 'depth' are an array \(..., 3\), got shape \(\)"),
        ("half", "probabilities are numbers, got 'half'"),
        ([[1, 0, 0], [1, 0]], "probabilities are numbers, got"),
    ],
)
def test_no_distributions(part: Any, message: str) -> None:
    with pytest.raises(nl.SpaceError, match=message):
        elastic().expected("macs", {"depth": part})


def test_wrong_rows_of_a_batch_are_named() -> None:
    space = elastic()
    part = np.full((700, 3), 1 / 3)
    part[300] = part[500] = [1, 0, 1]
    for threads in (1, 2):
        with pytest.raises(nl.SpaceError, match="row 300: the probabilities of 'depth' must sum"):
            space.expected("macs", {"depth": part}, threads=threads)
    with pytest.raises(nl.SpaceError, match="must be finite, got nan"):
        space.expected("macs", {"depth": [0.5, 0.5, np.nan]}, check=False)


def test_wrong_arguments() -> None:
    space = elastic()
    with pytest.raises(nl.SpaceError, match="unknown variable 'width'; the space has resolution"):
        space.expected("macs", {"width": [1.0]})
    with pytest.raises(nl.SpaceError, match="unknown metric 'seconds'"):
        space.expected("seconds", {})
    with pytest.raises(nl.SpaceError, match=r"in one array are \(..., 18\)"):
        space.expected("macs", np.ones(17))
    with pytest.raises(nl.SpaceError, match=r"together: 'depth' \(3, 3\), 'kernel0' \(2, 3\)"):
        space.expected("macs", {"depth": np.eye(3), "kernel0": np.full((2, 3), 1 / 3)})
    with pytest.raises(nl.SpaceError, match="threads must be a positive integer"):
        space.expected("macs", {}, threads=0)


def test_spaces_without_an_answer() -> None:
    space = nl.Space()
    size = space.free("size", 1, 64)
    space.output(nl.linear(space.input(1, size), 10))
    with pytest.raises(nl.SpaceError, match="variable 'size' is free"):
        space.expected("macs", {})
    with pytest.raises(nl.SpaceError, match=r"sweep_random give an estimate|rows of codes"):
        nl.spaces.regnet().expected("macs", {})


def test_a_space_that_grows() -> None:
    space = nl.Space()
    kernel = space.choice("kernel", [1, 3])
    x = nl.conv2d(space.input(1, 1, 8, 8), 1, kernel, padding=kernel // 2, bias=False)
    assert space.expected("params", {"kernel": [0.5, 0.5]}) == 5
    other = space.choice("other", [1, 3])
    space.output(nl.conv2d(x, 1, other, padding=other // 2, bias=False))
    assert space.expected("params", {"kernel": [0.5, 0.5], "other": [0, 1]}) == 14
    assert nl.Space.expected(space, "params", np.array([0.5, 0.5, 0, 1])) == 14


def test_a_space_without_variables() -> None:
    space = nl.Space()
    space.output(nl.linear(space.input(1, 3), 5, bias=False))
    assert space.expected("params", {}) == 15
    assert space.expected("params", np.zeros((2, 0))).tolist() == [15, 15]
    value, gradient = space.expected("params", {}, gradient=True)
    assert (value, gradient) == (15, {})


# -- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [constrained, elastic])
def test_a_row_is_the_same_in_every_batch(make: Callable[[], nl.Space]) -> None:
    space = make()
    batch = drawn(space, 7, batch=(601,))
    values, gradients = space.expected("macs", batch, gradient=True)
    assert values.shape == (601,)
    assert np.array_equal(values, space.expected("macs", batch, threads=2))
    for row in (0, 1, 7, 8, 255, 256, 599, 600):
        single = {name: part[row] for name, part in batch.items()}
        value, gradient = space.expected("macs", single, gradient=True)
        assert type(value) is float
        assert value == values[row]
        for name in gradient:
            assert np.array_equal(gradient[name], gradients[name][row])
    part = {name: entry[3:8].reshape(5, 1, -1) for name, entry in batch.items()}
    assert np.array_equal(space.expected("macs", part), values[3:8].reshape(5, 1))


def test_one_array_of_all_probabilities() -> None:
    space = elastic()
    batch = drawn(space, 8, batch=(2, 3))
    joined = np.concatenate(list(batch.values()), axis=-1)
    values, gradients = space.expected("macs", batch, gradient=True)
    found, derivatives = space.expected("macs", joined, gradient=True)
    assert np.array_equal(values, found)
    assert np.array_equal(np.concatenate(list(gradients.values()), axis=-1), derivatives)
    turned = np.asfortranarray(joined)
    assert np.array_equal(space.expected("macs", turned[:, ::2]), values[:, ::2])
    assert space.expected("macs", joined[:0]).shape == (0, 3)


def test_batches_are_broadcast() -> None:
    space = elastic()
    batch = drawn(space, 9, batch=(4,))
    mixed = {"depth": batch["depth"][:, None], "kernel0": batch["kernel0"][:3]}
    values, gradients = space.expected("macs", mixed, gradient=True)
    assert values.shape == (4, 3)
    assert gradients["resolution"].shape == (4, 3, 5)
    for i, j in itertools.product(range(4), range(3)):
        single = {"depth": batch["depth"][i], "kernel0": batch["kernel0"][j]}
        assert space.expected("macs", single) == values[i, j]


# -- the core and the twin -------------------------------------------------------------------------


def answer_of(plan: Any, rows: np.ndarray, check: bool) -> Any:
    """Values and gradients, or what the error says."""
    try:
        return plan.expected("macs", rows, True, 1, check)
    except nl.SpaceError as error:
        return str(error)


@relaxed
@given(recipes(), st.integers(0, 2**32), st.booleans())
def test_core_and_twin(recipe: Recipe, seed: int, check: bool) -> None:
    core = pytest.importorskip("netledger._core")
    plans = []
    for engine in (core.Space, _pure.Space):
        used = _journal.SpaceEngine
        _journal.SpaceEngine = engine
        try:
            space = build(recipe)
            plans.append(space.engine.target.compile(["macs"]))
        except NetledgerError:
            assume(False)
        finally:
            _journal.SpaceEngine = used
    sizes = sizes_of(space)
    assume(prod(sizes.values()) <= MOST_COMBINATIONS)
    rng = np.random.default_rng(seed)
    batch = drawn(space, seed, batch=(3,))
    if not check:
        batch = {name: part * rng.uniform(0.5, 2) for name, part in batch.items()}
    rows = np.concatenate([np.zeros((3, 0)), *batch.values()], axis=1)
    answers = [answer_of(plan, rows, check) for plan in plans]
    if isinstance(answers[1], str):
        assert answers[0] == answers[1]
        return
    values, nothing = plans[1].expected("macs", rows, False, 1, check)
    assert nothing is None
    assert np.array_equal(answers[1][0], values)
    np.testing.assert_allclose(answers[0][0], answers[1][0], rtol=1e-12)
    scale = np.abs(np.concatenate([answers[1][1].ravel(), answers[1][0]])).max()
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-12, atol=1e-12 * scale)


# -- torch -----------------------------------------------------------------------------------------


def logits_of(space: nl.Space, torch: Any, dtype: Any) -> dict[str, Any]:
    """Parameters that a search would learn."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(size, generator=generator, dtype=dtype, requires_grad=True)
        for name, size in sizes_of(space).items()
    }


@pytest.mark.parametrize("make", [constrained, elastic])
def test_gradcheck(make: Callable[[], nl.Space]) -> None:
    torch = pytest.importorskip("torch")
    space = make()
    logits = logits_of(space, torch, torch.float64)

    def millions(*tensors: Any) -> Any:
        choices = dict(zip(logits, (t.softmax(-1) for t in tensors), strict=True))
        return space.expected("macs", choices) / 1e4

    assert torch.autograd.gradcheck(millions, tuple(logits.values()))

    def unchecked(joined: Any) -> Any:
        return space.expected("macs", joined, check=False) / 1e4

    joined = torch.cat([tensor.softmax(-1) for tensor in logits.values()]).detach()
    batch = torch.stack([joined, joined.flip(0)]).requires_grad_()
    assert torch.autograd.gradcheck(unchecked, (batch,))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tensors(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    space = constrained()
    logits = logits_of(space, torch, getattr(torch, dtype))
    choices = {name: tensor.softmax(-1) for name, tensor in logits.items()}
    value = space.expected("macs", choices)
    arrays = {name: tensor.detach().numpy() for name, tensor in choices.items()}
    expected, gradient = space.expected("macs", arrays, gradient=True)
    assert value.shape == ()
    assert value.dtype == getattr(torch, dtype)
    tolerance = 1e-6 if dtype == "float32" else 1e-15
    assert value.item() == pytest.approx(expected, rel=tolerance)
    found = torch.autograd.grad(value, list(choices.values()))
    for tensor, name in zip(found, choices, strict=True):
        assert tensor.dtype == value.dtype
        np.testing.assert_allclose(tensor.numpy(), gradient[name], rtol=tolerance)


def test_tensors_of_batches() -> None:
    torch = pytest.importorskip("torch")
    space = elastic()
    batch = drawn(space, 3, batch=(4,))
    depth = torch.tensor(batch["depth"], requires_grad=True)
    single = torch.tensor(batch["kernel0"][0], requires_grad=True)
    given = {**batch, "depth": depth, "kernel0": single}
    arrays = {**batch, "kernel0": batch["kernel0"][0]}
    values = space.expected("macs", given)
    assert values.shape == (4,)
    assert np.array_equal(values.detach().numpy(), space.expected("macs", arrays))
    values.sum().backward()
    _, derivatives = space.expected("macs", arrays, gradient=True)
    assert np.array_equal(depth.grad.numpy(), derivatives["depth"])
    np.testing.assert_allclose(single.grad.numpy(), derivatives["kernel0"].sum(axis=0), rtol=1e-14)
    values, parts = space.expected("macs", given, gradient=True)
    assert values.requires_grad
    assert not parts["depth"].requires_grad
    assert np.array_equal(parts["expansion1"].numpy(), derivatives["expansion1"])
    value = space.expected("macs", {"depth": torch.tensor(batch["depth"][0])})
    assert not value.requires_grad


def test_tensors_that_cannot_be() -> None:
    torch = pytest.importorskip("torch")
    space = elastic()
    depth = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64, requires_grad=True)
    value = space.expected("macs", {"depth": depth})
    (first,) = torch.autograd.grad(value, depth, create_graph=True)
    assert torch.equal(
        first, torch.autograd.grad(space.expected("macs", {"depth": depth}), depth)[0]
    )
    with pytest.raises(RuntimeError, match="differentiated once, not twice"):
        (first.sum() + depth.sum()).backward()
    with pytest.raises(nl.SpaceError, match=r"float32 or float64, got torch\.float16"):
        space.expected("macs", {"depth": depth.half()})
    with pytest.raises(nl.SpaceError, match="row 0: the probabilities of 'depth' must sum to 1"):
        space.expected("macs", {"depth": 2 * depth})
    with pytest.raises(nl.SpaceError, match=r"got shape \(2,\)"):
        space.expected("macs", {"depth": depth[:2]})
    sure = torch.tensor([0, 0, 1])
    assert space.expected("macs", {"depth": sure}).dtype == torch.float64
