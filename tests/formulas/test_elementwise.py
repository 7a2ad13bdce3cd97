"""The elementwise family: against torch, and counts by hand."""

from __future__ import annotations

import inspect
import operator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from netledger.errors import LayerError
from netledger.formulas import activation, elementwise
from netledger.formulas._layer import OPERATIONS, cost_of
from strategies.elementwise import layers
from torch_agreement import TorchLayer, assert_agreement, called

if TYPE_CHECKING:
    from collections.abc import Callable

torch = pytest.importorskip("torch")
F = torch.nn.functional

#: Ops that torch calls otherwise, or that need an argument which is no tensor.
SPECIAL: dict[str, Callable[..., Any]] = {
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "cast": lambda x: x.to(torch.float64),
    "polygamma": lambda x: torch.polygamma(1, x),
    "clamp": lambda x, low=0, *high: torch.clamp(x, low, *high),
    "clamp_min": lambda x, low=0: torch.clamp_min(x, low),
    "clamp_max": lambda x, high=0: torch.clamp_max(x, high),
    "lerp": lambda x, end, weight=0.5: torch.lerp(x, end, weight),
    "where": lambda condition, x=1.0, y=0.0: torch.where(condition > 0, x, y),
    # torch.masked_fill itself, which is a `where`, takes only a single value.
    "masked_fill": lambda x, mask, value=0.0: torch.where(mask > 0, value, x),
    "add_scaled": lambda x, y=1: torch.add(x, y, alpha=2),
}
OF_INTEGERS = {
    "bitwise_not", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift",
    "bitwise_right_shift", "gcd", "lcm",
}  # fmt: skip
#: With a number for the second argument, torch wants it as a tensor.
OF_TENSORS = {
    "atan2", "maximum", "minimum", "fmax", "fmin", "nextafter", "heaviside", "gcd", "lcm",
    "igamma", "igammac", "ldexp", "hypot", "logaddexp", "logaddexp2", "isclose", "logical_and",
    "logical_or", "logical_xor",
}  # fmt: skip


def torch_function(op: str) -> Callable[..., Any]:
    if op in SPECIAL:
        return SPECIAL[op]
    homes = (F, torch, torch.special)
    return next(getattr(home, op) for home in homes if hasattr(home, op))


def torch_layer(op: str, shapes: list[tuple[int, ...]], attributes: dict) -> TorchLayer:
    if len(shapes) > (OPERATIONS[op].maximum_inputs or 1):
        raise TypeError("torch takes the next argument for something else")
    integers = op in OF_INTEGERS
    tensors = [torch.ones(shape, dtype=torch.int64 if integers else None) for shape in shapes]
    if OPERATIONS[op].view:
        function = torch_function(op)
        if op == "dropout1d":  # which, unlike the others, asks for (N, C, L) or (C, L)
            function = F.dropout
        return called(lambda x: function(x, training=False), *tensors)
    if len(shapes) == 1 and OPERATIONS[op].maximum_inputs == 2 and op not in SPECIAL:
        other = 1 if integers else 1.0
        tensors.append(torch.tensor(other) if op in OF_TENSORS else other)
    if op == "isclose" and len(tensors) == 2:
        tensors = [
            tensor.broadcast_to(torch.broadcast_tensors(*tensors)[0].shape) for tensor in tensors
        ]
    return called(torch_function(op), *tensors)


@settings(deadline=None)  # the first calls of torch are slow
@given(layers())
def test_agrees_with_torch(layer):
    assert_agreement(layer, torch_layer)


@pytest.mark.parametrize("op", elementwise.__all__)
def test_every_op_exists_in_torch(op):
    operation = OPERATIONS[op]
    for count in range(operation.minimum_inputs, (operation.maximum_inputs or 1) + 1):
        shapes = [(2, 1, 4), (3, 1), (2, 3, 4)][:count]
        assert assert_agreement((op, shapes, {}), torch_layer)


@pytest.mark.parametrize("op", elementwise.__all__)
def test_the_source_that_a_docstring_names_exists(op):
    text = inspect.getdoc(getattr(elementwise, op))
    assert text is not None
    source = text.rsplit("Source: ", 1)[1].rstrip(".").split(" with ")[0]
    if op != "cast":
        assert callable(operator.attrgetter(source.removeprefix("torch."))(torch))


#: Operations of the formula that torch documents, one term for each.
BY_HAND = {
    "relu": 1,
    "relu6": 1 + 1,
    "hardtanh": 1 + 1,
    "leaky_relu": 1 + 1,  # boundary; product
    "rrelu": 1 + 1,
    "elu": 1 + (1 + 1 + 1),  # boundary; exp, - 1, alpha
    "celu": 1 + (1 + 1 + 1 + 1),  # boundary; / alpha, exp, - 1, alpha
    "selu": 1 + (1 + 1 + 1 + 1),  # boundary; exp, - 1, alpha, scale
    "gelu": 1 + 1,  # Phi, product
    "gelu_tanh": 2 + 1 + 1 + 1 + 1 + 1 + 1 + 1,  # cube, 0.04.., +, sqrt(2/pi), tanh, +, 0.5, x
    "silu": 1 + 1,
    "mish": (1 + 1 + 1) + 1 + 1,  # softplus: exp, + 1, log; tanh, product
    "sigmoid": 1,
    "logsigmoid": 1 + 1,
    "tanh": 1,
    "hardsigmoid": 2 + (1 + 1),  # boundaries; / 6, + 1/2
    "hardswish": 2 + (1 + 1 + 1),  # boundaries; + 3, product, / 6
    "softplus": 1 + 1 + 1 + 1 + 1,  # beta, exp, + 1, log, 1 / beta
    "softsign": 1 + 1 + 1,  # abs, + 1, division
    "tanhshrink": 1 + 1,
    "hardshrink": 2,  # boundaries
    "softshrink": 2 + 1,  # boundaries; + or - lambda
    "threshold": 1,
    "nan_to_num": 3,
    "add_scaled": 1 + 1,
    "ldexp": 1 + 1,
    "xlogy": 1 + 1,
    "xlog1py": 1 + 1,
    "hypot": 2 + 1 + 1,
    "logaddexp": 2 + 1 + 1,
    "logaddexp2": 2 + 1 + 1,
    "isclose": (1 + 1) + (1 + 1 + 1) + 1,  # abs(x - y); atol + rtol * abs(y); comparison
    "clamp": 1 + 1,
    "lerp": 1 + 1 + 1,
    "addcmul": 1 + 1 + 1,
    "addcdiv": 1 + 1 + 1,
    "where": 0,
    "masked_fill": 0,
    "cast": 0,
    "dropout": 0,
    "dropout1d": 0,
    "dropout2d": 0,
    "dropout3d": 0,
    "alpha_dropout": 0,
    "feature_alpha_dropout": 0,
}


@pytest.mark.parametrize("op", elementwise.__all__)
def test_operations_per_element(op):
    shapes = [(2, 3, 5)] * OPERATIONS[op].minimum_inputs
    assert getattr(elementwise, op)(*shapes).flops == 30 * BY_HAND.get(op, 1)


def test_all_activations_of_torch_have_an_op():
    names = {
        "Threshold": "threshold",
        "ReLU": "relu",
        "RReLU": "rrelu",
        "Hardtanh": "hardtanh",
        "ReLU6": "relu6",
        "Sigmoid": "sigmoid",
        "Hardsigmoid": "hardsigmoid",
        "Tanh": "tanh",
        "SiLU": "silu",
        "Mish": "mish",
        "Hardswish": "hardswish",
        "ELU": "elu",
        "CELU": "celu",
        "SELU": "selu",
        "GLU": "glu",
        "GELU": "gelu",
        "Hardshrink": "hardshrink",
        "LeakyReLU": "leaky_relu",
        "LogSigmoid": "logsigmoid",
        "Softplus": "softplus",
        "Softshrink": "softshrink",
        "PReLU": "prelu",
        "Softsign": "softsign",
        "Tanhshrink": "tanhshrink",
        "Softmin": "softmin",
        "Softmax": "softmax",
        "Softmax2d": "softmax",
        "LogSoftmax": "log_softmax",
    }
    # Attention has a family of its own.
    assert set(torch.nn.modules.activation.__all__) - {"MultiheadAttention"} == set(names)
    assert set(names.values()) <= {*elementwise.__all__, *activation.__all__}


def test_inputs_broadcast():
    cost = elementwise.add((2, 1, 4), (3, 1))
    assert cost.shapes == ((2, 3, 4),)
    assert cost.flops == 2 * 3 * 4
    assert cost.memory_access == 2 * 4 + 3 + 2 * 3 * 4


def test_three_inputs_broadcast():
    cost = elementwise.addcmul((4,), (3, 1), (2, 1, 1))
    assert cost.shapes == ((2, 3, 4),)
    assert cost.flops == 24 * 3
    assert cost.memory_access == 4 + 3 + 2 + 24


def test_a_number_is_no_input():
    cost = elementwise.mul((2, 3))
    assert cost.flops == 6
    assert cost.memory_access == 6 + 6


def test_dropout_moves_no_data_and_cast_does():
    assert elementwise.dropout((2, 3)).memory_access == 0
    assert elementwise.cast((2, 3)).memory_access == 6 + 6


def test_nothing_costs_nothing():
    assert elementwise.gelu((0, 3)).flops == 0
    assert elementwise.add((0, 3), (1, 3)).shapes == ((0, 3),)


@pytest.mark.parametrize(
    ("op", "shapes", "attributes", "rule"),
    [
        ("add", [(2, 3), (2, 4)], {}, "sizes (2, 3) and (2, 4) do not broadcast"),
        ("add", [(0,), (2,)], {}, "sizes (0,) and (2,) do not broadcast"),
        ("add", [(2,), (2,), (2,)], {}, "add takes 1 to 2 inputs, got 3"),
        ("relu", [], {}, "relu takes 1 inputs, got 0"),
        ("relu", [(2,)], {"inplace": True}, "unknown attribute 'inplace'; relu takes none"),
    ],
)
def test_refusals(op, shapes, attributes, rule):
    with pytest.raises(LayerError) as caught:
        cost_of(OPERATIONS[op], shapes, attributes)
    assert caught.value.rule == rule
    listed = ", ".join(str(shape) for shape in shapes) or "none"
    assert str(caught.value) == f"{op}: {rule}; input shapes {listed}"
