"""`netledger ops` and `netledger --version`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netledger

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_op_is_listed(run: Callable[..., Any]) -> None:
    result = run("ops")
    assert result.code == 0
    listed = {line.strip().partition("(")[0] for line in result.out.splitlines() if "(" in line}
    assert set(netledger.operations()) <= listed


def test_attributes(run: Callable[..., Any]) -> None:
    lines = run("ops", "conv_transpose2d").out
    assert lines.splitlines()[0] == "convolution"
    signature = "conv_transpose2d(out_channels, kernel_size, stride=1, padding=0, output_padding=0,"
    assert signature in " ".join(lines.split())
    assert "conv_transpose1d" not in lines
    assert all(len(line) <= 100 for line in lines.splitlines())


def test_no_such_op(run: Callable[..., Any]) -> None:
    result = run("ops", "convolve")
    assert result.code == 2
    assert "there is no layer like 'convolve'" in result.err


def test_version(run: Callable[..., Any]) -> None:
    result = run("--version")
    assert result.code == 0
    assert result.out.splitlines()[0] == f"netledger {netledger.__version__}"
    for name, value in netledger.build_config().items():
        assert f"  {name}: {value}" in result.out.splitlines()
