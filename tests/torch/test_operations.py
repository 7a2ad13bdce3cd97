"""Every operation of torch that is mapped: shapes and dtypes as torch's, costs as the formulas'."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import netledger as nl
from netledger.formulas._layer import OPERATIONS, cost_of
from netledger.torch.aten import HANDLERS
from netledger.torch.tracer import Tracer
from operation_cases import CASES, ELSEWHERE, Case


class Call(nn.Module):
    """One function, with parameters of its own."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.function = case.function
        for index, spec in enumerate(case.parameters):
            parameter = nn.Parameter(spec.tensor(), requires_grad=False)
            self.register_parameter(f"weight{index}", parameter)

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs, *self._parameters.values())


def described(answer: Any) -> list[tuple[tuple[int, ...], str]]:
    if isinstance(answer, torch.Tensor):
        return [(tuple(answer.shape), str(answer.dtype).removeprefix("torch."))]
    return [entry for value in answer for entry in described(value)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_operation_is_its_layer(case: Case) -> None:
    module = Call(case)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # torch says which of its operations will change
        expected = described(module(*(spec.tensor() for spec in case.inputs)))
        graph = nl.from_torch(module, *(nl.Input(spec.shape, spec.dtype) for spec in case.inputs))
    engine = graph.engine
    assert [(engine.shape(index), engine.dtype(index)) for index in engine.outputs] == expected
    rows = [row for row in graph.count() if row.op != "uncalled"]
    assert tuple(row.op for row in rows) == case.ops
    for row in rows:
        cost = cost_of(OPERATIONS[row.op], row.input_shapes, row.attributes)
        assert (row.macs, row.flops, row.output_shapes) == (cost.macs, cost.flops, cost.shapes)


def test_every_operation_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    met: set[Any] = set()
    dispatch = Tracer.__torch_dispatch__

    def noting(self: Tracer, func: Any, *rest: Any, **options: Any) -> Any:
        met.update((HANDLERS.get(func), str(func).split(".")[1]))
        return dispatch(self, func, *rest, **options)

    monkeypatch.setattr(Tracer, "__torch_dispatch__", noting)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in CASES:
            nl.from_torch(Call(case), *(nl.Input(spec.shape, spec.dtype) for spec in case.inputs))
    met |= ELSEWHERE
    mapped = ((str(operation).split(".")[1], handler) for operation, handler in HANDLERS.items())
    assert {name for name, handler in mapped if name not in met and handler not in met} == set()
