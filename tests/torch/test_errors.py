"""What goes wrong is said with the path of the module, the shapes, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional as F

import netledger as nl


class Inner(nn.Module):
    """A model whose submodule ``block`` does what a test asks for."""

    class Block(nn.Module):
        def __init__(self, function: Callable[..., Any]) -> None:
            super().__init__()
            self.function = function

        def forward(self, *inputs: Any) -> Any:
            return self.function(*inputs)

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.block = Inner.Block(function)

    def forward(self, *inputs: Any) -> Any:
        return self.block(*inputs)


def net(layer: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Identity(), layer)


@pytest.mark.parametrize(
    ("model", "inputs", "kind", "facts"),
    [
        (net(nn.Conv2d(3, 8, 3)), [(1, 4, 9, 9)], nl.LayerError,
         ["'1'", "conv2d", "(1, 4, 9, 9)"]),
        (net(nn.Conv2d(3, 8, 3)), [(1, 9)], nl.LayerError, ["'1'", "conv2d", "(1, 9)"]),
        (net(nn.Conv2d(3, 8, 9)), [(1, 3, 5, 5)], nl.LayerError, ["'1'", "(1, 3, 5, 5)"]),
        (net(nn.Linear(16, 8)), [(2, 15)], nl.LayerError, ["'1'", "linear", "15", "16"]),
        (net(nn.LayerNorm(16)), [(2, 15)], nl.LayerError, ["'1'", "layer_norm", "15", "16"]),
        (net(nn.BatchNorm2d(3)), [(2, 4, 5, 5)], nl.LayerError, ["'1'", "batch_norm"]),
        (net(nn.BatchNorm2d(3)), [(2, 3, 5)], nl.TraceError, ["1 (BatchNorm2d)", "4D"]),
        (Inner(lambda x: x.view(5, -1)), [(2, 3)], nl.LayerError,
         ["'block'", "reshape", "(2, 3)"]),
        (Inner(lambda x, y: x + y), [(2, 3), (2, 4)], nl.LayerError,
         ["'block'", "add", "(2, 3)", "(2, 4)"]),
        (Inner(lambda x, y: x @ y), [(2, 3), (2, 4)], nl.LayerError, ["'block'", "matmul"]),
        (Inner(lambda x, y: torch.cat([x, y])), [(2, 3), (2, 4)], nl.LayerError,
         ["'block'", "concat"]),
        (Inner(lambda x: x.split([1, 1], 1)), [(2, 3)], nl.LayerError, ["'block'", "split"]),
        (net(nn.Embedding(10, 4)), [(2, 3)], nl.LayerError,
         ["embedding", "float32", "netledger.Input((2, 3), dtype='int64')"]),
        (Inner(lambda x: x if x.sum() > 0 else -x), [(2, 3)], nl.DataDependentError,
         ["block (Block)", "values", "out of forward"]),
        (Inner(lambda x: x[x > 0]), [(2, 3)], nl.DataDependentError,
         ["block (Block)", "mask", "out of forward"]),
        (Inner(torch.nonzero), [(2, 3)], nl.DataDependentError, ["block (Block)", "nonzero"]),
        (Inner(lambda x: range(int(x.sum()))), [(2, 3)], nl.DataDependentError, ["block (Block)"]),
        (Inner(lambda x: x.tolist()), [(2, 3)], nl.NetledgerError, ["block (Block)"]),
        (Inner(F.one_hot), [nl.Input((2, 3), "int64")], nl.DataDependentError,
         ["block (Block)", "num_classes"]),
        (Inner(lambda x: {}["key"]), [(2, 3)], nl.TraceError, ["block (Block)", "KeyError", "key"]),
        (net(nn.Linear(4, 4)), [], nl.TraceError, ["the model (Sequential)", "input"]),
        (net(nn.LazyLinear(4)), [(2, 3)], nl.TraceError, ["1.weight", "run the lazy module once"]),
        (Inner(lambda x: nn.utils.rnn.pack_padded_sequence(x, torch.tensor([3, 2]), True)),
         [(2, 3, 4)], nl.TraceError, ["block (Block)", "padded tensor"]),
    ],
    ids=str,
)  # fmt: skip
def test_errors_name_the_layer(
    model: nn.Module, inputs: list[Any], kind: type[Exception], facts: list[str]
) -> None:
    with pytest.raises(kind) as raised:
        nl.count(model, *inputs)
    for fact in facts:
        assert fact in str(raised.value)


def test_the_cause_is_kept() -> None:
    def fail(x: Any) -> Any:
        raise ZeroDivisionError("here")

    with pytest.raises(nl.TraceError) as raised:
        nl.count(Inner(fail), (2, 3))
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert str(raised.value) == "block (Block) raised ZeroDivisionError in forward: here"


def test_a_handled_exception_is_not_the_failure() -> None:
    def handled(x: Any) -> Any:
        try:
            F.linear(x, torch.ones(3, 7))
        except ValueError:
            return x * 2
        return x

    assert [row.op for row in nl.count(Inner(handled), (2, 3))] == ["mul"]


@pytest.mark.parametrize(
    ("shape", "fact"),
    [
        ((1, 0, 4), "must be positive, got 0 in (1, 0, 4)"),
        ((1, -3, 4), "must be positive, got -3 in (1, -3, 4)"),
        ((1, 3.5, 4), "must be an integer, got 3.5"),
        (("batch", 4), "must be an integer, got 'batch'"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_sizes(shape: Any, fact: str, wrapped: bool) -> None:
    with pytest.raises(nl.NetledgerError, match=re.escape(fact)):
        nl.count(nn.Linear(4, 4), nl.Input(shape) if wrapped else shape)


def test_symbolic_sizes_are_refused() -> None:
    with pytest.raises(nl.NetledgerError, match="symbolic sizes are not supported"):
        nl.count(nn.Linear(4, 4), ("batch", 4))


def test_not_a_module() -> None:
    with pytest.raises(nl.NetledgerError, match=r"expected a torch.nn.Module.*got function"):
        nl.count(lambda x: x, (1, 3))  # type: ignore[arg-type]
    with pytest.raises(nl.NetledgerError, match="got type"):
        nl.count(nn.Linear, (1, 3))  # type: ignore[arg-type]


def test_an_unknown_dtype() -> None:
    with pytest.raises(nl.NetledgerError, match="torch has no dtype 'int65'"):
        nl.count(nn.Linear(4, 4), nl.Input((1, 4), "int65"))


def test_a_tensor_that_outlives_its_trace() -> None:
    kept = []
    nl.count(Inner(lambda x: kept.append(x) or x), (2, 3))
    with pytest.raises(nl.TraceError, match="a trace that has ended"):
        kept[0] + 1
