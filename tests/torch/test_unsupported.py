"""Operations without a rule: opaque rows that say their name."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl


class Calling(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.linear = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.linear(x))


@torch.library.custom_op("netledger_tests::scaled", mutates_args=())
def scaled(x: torch.Tensor, factor: float) -> tuple[torch.Tensor, torch.Tensor]:
    return x * factor, x.sum(-1).long()


@scaled.register_fake
def _(x: torch.Tensor, factor: float) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(x), torch.empty(x.shape[:-1], dtype=torch.int64, device=x.device)


@torch.library.custom_op("netledger_tests::unknown_shapes", mutates_args=())
def unknown_shapes(x: torch.Tensor) -> torch.Tensor:
    return x.clone()


def test_an_operation_without_a_rule() -> None:
    model = Calling(torch.linalg.inv)
    with pytest.warns(nl.UnsupportedWarning, match="no rule for aten::linalg_inv_ex: counted"):
        ledger = nl.count(model, (8, 8))
    assert ledger.unsupported == {"aten::linalg_inv_ex": 1}
    row = ledger.rows[1]
    assert (row.op, row.macs, row.flops) == ("opaque", 0, 0)
    assert row.input_shapes == ((8, 8),)
    assert row.output_shapes == ((8, 8), ())
    assert ledger.macs == 8 * 8 * 8


def test_a_custom_operation() -> None:
    model = Calling(lambda x: scaled(scaled(x, 2.0)[0], 3.0))
    with pytest.warns(nl.UnsupportedWarning, match="netledger_tests::scaled \\(2x\\)"):
        ledger = nl.count(model, (2, 8))
    assert ledger.unsupported == {"netledger_tests::scaled": 2}
    with pytest.warns(nl.UnsupportedWarning):
        engine = nl.from_torch(model, (2, 8)).engine
    assert [(engine.shape(index), engine.dtype(index)) for index in engine.outputs] == [
        ((2, 8), "float32"), ((2,), "int64"),
    ]  # fmt: skip


def test_a_custom_operation_whose_shapes_nobody_knows() -> None:
    with pytest.raises(
        nl.TraceError, match=r"no rule for netledger_tests.unknown_shapes.*meta kernel"
    ):
        nl.count(Calling(unknown_shapes), (2, 8))


def test_what_torch_can_take_apart_is_taken_apart() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ledger = nl.count(Calling(lambda x: x.diff()), (2, 8))
    assert ledger.unsupported == {}
    assert ledger.rows[-1].output_shapes == ((2, 7),)


def test_a_supported_model_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nl.count(Calling(torch.relu), (2, 8)).unsupported == {}
