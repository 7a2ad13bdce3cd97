"""Comparisons: figures are totals, and causes add up to every difference."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

import netledger as nl
from netledger.conventions import Convention, Rules, convention_of, conventions
from netledger.errors import NetledgerError, SpaceError


def network() -> nl.Ledger:
    graph = nl.Graph()
    x = graph.input(1, 3, 16, 16)
    x = nl.conv2d(x, out_channels=8, kernel_size=3, padding=1)
    x = nl.relu(nl.batch_norm(x))
    x = nl.conv2d(x, out_channels=8, kernel_size=3, padding=1, groups=8, bias=False)
    x = nl.relu(nl.batch_norm(x))
    x = nl.add(x, x)
    x = nl.flatten(nl.adaptive_avg_pool2d(x, output_size=1), start_dim=1)
    graph.output(nl.linear(x, out_features=10))
    return graph.count("small")


MINE = Convention(
    "mine",
    {
        "flops": Rules(
            {
                ("conv2d", "linear"): ("2 per multiply-accumulate", lambda layer: 2 * layer.macs),
                "batch_norm": ("a third per element", lambda layer: Fraction(layer.flops, 3)),
            }
        )
    },
)


def test_figures_are_totals() -> None:
    ledger = network()
    comparison = ledger.compare()
    assert {figure.convention for figure in comparison.figures.values()} == set(conventions())
    for label, figure in comparison.figures.items():
        if figure.value is None:
            assert figure.refusal
        else:
            assert figure.value == ledger.total(figure.metric, figure.convention)
            assert label == figure.label


def test_causes_add_up() -> None:
    comparison = network().compare()
    labels = [label for label, figure in comparison.figures.items() if figure.value is not None]
    assert len(labels) > 20
    for here, there in itertools.permutations(labels, 2):
        difference = comparison.between(here, there)
        assert sum(cause.difference for cause in difference.causes) == difference.total
        assert difference.total == -comparison.between(there, here).total
        sizes = [abs(cause.difference) for cause in difference.causes]
        assert sizes == sorted(sizes, reverse=True)


def test_sentences() -> None:
    difference = network().compare("pycls", "ofa").between("pycls", "ofa")
    assert str(difference) == (
        "small, pycls against ofa: 73,826 - 73,808 = +18\n"
        "  linear (1 layer): multiply-accumulates of one image, and 1 per output channel for the "
        "bias instead of multiply-accumulates of one row: +10\n"
        "  conv2d (1 layer): multiply-accumulates of one image, and 1 per output channel for the "
        "bias instead of multiply-accumulates: +8\n"
        "  nothing else"
    )
    same = network().compare("ofa", "macs").between("ofa", "macs")
    assert str(same).endswith("= +0; every layer counts the same")


def test_ones_own_convention_and_a_sum_that_is_no_integer() -> None:
    ledger = network()
    comparison = ledger.compare(MINE, "macs")
    # Two batch norms of 2 operations for each of 2048 elements.
    assert comparison.figures["mine"].value == 2 * ledger.macs + 8192 // 3
    difference = comparison.between("mine", "macs")
    assert [cause.op for cause in difference.causes] == ["conv2d", "batch_norm", "linear", ""]
    assert difference.causes[1].difference == Fraction(8192, 3)
    assert difference.causes[3].difference == Fraction(-2, 3)
    assert sum(cause.difference for cause in difference.causes) == difference.total
    assert "a third per element" in str(difference)


def test_plain_functions_are_rules_too() -> None:
    plain = Convention("plain", {"flops": lambda layer: 7 if layer.op == "relu" else 0})
    difference = network().compare(plain, "macs").between("plain", "macs")
    assert [(cause.op, cause.here, cause.difference) for cause in difference.causes][-1] == (
        "relu",
        "the rule of 'plain'",
        14,
    )


def test_versions() -> None:
    comparison = network().compare("thop@0.1.1", "thop@0.0.31")
    assert list(comparison.figures) == ["thop@0.1.1", "thop@0.0.31"]
    by_default = comparison.between("thop", "thop@0.0.31")
    assert by_default == comparison.between("thop@0.1.1", "thop@0.0.31")
    assert {cause.op for cause in by_default.causes} == {
        "conv2d",
        "batch_norm",
    }


def test_a_convention_that_refuses() -> None:
    graph = nl.Graph()
    nl.conv1d(graph.input(1, 3, 8), out_channels=2, kernel_size=3)
    comparison = graph.count().compare("ofa", "macs")
    assert comparison.figures["ofa"].value is None
    assert "its profiler fails on it" in str(comparison)
    assert comparison.to_dict()["figures"]["macs"] == 2 * 3 * 3 * 6
    with pytest.raises(NetledgerError, match="convention 'ofa' gives nothing: convention 'ofa'"):
        comparison.between("ofa", "macs")


def test_what_is_not_there() -> None:
    with pytest.raises(SpaceError, match="unknown convention 'papers'"):
        network().compare("papers")
    with pytest.raises(NetledgerError, match=r"no figure 'textbook' here; there are ofa, macs"):
        network().compare("ofa", "macs").between("ofa", "textbook")
    with pytest.raises(SpaceError, match=r"convention 'thop' has no version '9'; there are 0.1.1"):
        convention_of("thop@9")
    with pytest.raises(SpaceError, match="'ofa' does not define 'activations'"):
        network().total("activations", convention="ofa")
    assert network().total("flops@ofa") == network().total("flops", "ofa")


def test_table() -> None:
    lines = str(network().compare("macs", "pycls")).splitlines()
    assert lines[0] == "small"
    assert lines[2] == "convention  calls it  counts  / macs  more or less than macs"
    assert lines[4].split() == ["macs", "MACs", "73,808", "1.000"]
    assert lines[5] == "pycls       FLOPs     73,826   1.000  linear +10, conv2d +8"
    assert max(map(len, str(network().compare()).splitlines())) <= 120


def test_to_dict() -> None:
    difference = network().compare("pycls", "ofa").between("pycls", "ofa").to_dict()
    assert difference["total"] == 18
    assert sum(cause["difference"] for cause in difference["causes"]) == 18
