"""If only one file of tests is run, it is this one: an installed wheel with numpy and pytest."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import netledger as nl
from netledger import compiled, formulas

LENET = {
    "params": 61_706,
    "macs": 416_520,
    "activations": 6_518,
}


def lenet() -> nl.Ledger:
    """LeNet-5 on 28x28 digits, built layer by layer."""
    graph = nl.Graph()
    x = graph.input(1, 1, 28, 28)
    x = nl.tanh(nl.conv2d(x, out_channels=6, kernel_size=5, padding=2))
    x = nl.avg_pool2d(x, kernel_size=2)
    x = nl.tanh(nl.conv2d(x, out_channels=16, kernel_size=5))
    x = nl.flatten(nl.avg_pool2d(x, kernel_size=2), start_dim=1)
    x = nl.tanh(nl.linear(x, out_features=120))
    x = nl.tanh(nl.linear(x, out_features=84))
    graph.output(nl.linear(x, out_features=10))
    return graph.count()


def test_a_network() -> None:
    ledger = lenet()
    assert {name: ledger.total(name) for name in LENET} == LENET
    # Two operations per product, less one, plus the bias; one per tanh; four per 2x2 average.
    elements = [6 * 28 * 28, 16 * 10 * 10, 120, 84, 10]
    tanhs = sum(elements[:-1])
    averages = 4 * (6 * 14 * 14 + 16 * 5 * 5)
    assert ledger.flops == 2 * LENET["macs"] + tanhs + averages
    assert "61,706" in str(ledger)


def test_formulas_take_arrays() -> None:
    widths = np.array([8, 16, 32])
    plain = formulas.conv2d((1, 3, 32, 32), out_channels=widths, kernel_size=3)
    fast = compiled.conv2d((1, 3, 32, 32), out_channels=widths, kernel_size=3)
    assert plain.macs.tolist() == [900 * 27 * width for width in widths]
    np.testing.assert_array_equal(plain.macs, fast.macs)
    assert plain.params.tolist() == fast.params.tolist() == [28 * width for width in widths]


def test_a_refusal_names_layer_shapes_and_rule() -> None:
    graph = nl.Graph()
    x = graph.input(1, 30, 8, 8)
    with pytest.raises(nl.LayerError) as caught:
        nl.conv2d(x, out_channels=64, kernel_size=3, groups=4, name="stem")
    assert str(caught.value) == (
        "layer 'stem' (conv2d): in_channels 30 is not divisible by groups 4; "
        "input shapes (1, 30, 8, 8)"
    )
    assert (caught.value.layer, caught.value.op) == ("stem", "conv2d")


def test_version_and_build() -> None:
    config = nl.build_config()
    assert config["implementation"] == os.environ.get("NETLEDGER_IMPLEMENTATION", "core")
    if config["implementation"] == "core":
        assert config["version"] == nl.__version__


@pytest.mark.parametrize("implementation", ["core", "pure"])
def test_either_implementation_by_environment(implementation: str) -> None:
    program = (
        "import netledger as nl; g = nl.Graph(); x = g.input(2, 16); nl.linear(x, 4); "
        "print(nl.build_config()['implementation'], g.count().macs)"
    )
    environment = {**os.environ, "NETLEDGER_IMPLEMENTATION": implementation}
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == [implementation, "128"]


def test_an_unknown_implementation_is_refused() -> None:
    environment = {**os.environ, "NETLEDGER_IMPLEMENTATION": "fast"}
    found = subprocess.run(
        [sys.executable, "-c", "import netledger"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode != 0
    assert "must be 'core' or 'pure', got 'fast'" in found.stderr


def test_torch_is_not_imported() -> None:
    program = (
        "import sys, netledger as nl; g = nl.Graph(); nl.relu(g.input(2, 3)); g.count(); "
        "assert 'torch' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
