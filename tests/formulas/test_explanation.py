"""Explanations: every line of a step has the value that the rule gives."""

from __future__ import annotations

import importlib
import re

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import netledger as nl
from netledger.errors import LayerError, NetledgerError
from netledger.explanation import explained
from netledger.formulas._layer import OPERATIONS, cost_of

FAMILIES = sorted({operation.family for operation in OPERATIONS.values()} - {"declared"})

relaxed = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def value_of(formula: str, names: dict[str, int]) -> int:
    """A formula evaluated, its names replaced by their values, longest names first."""
    listed = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    if names:
        formula = re.sub(
            rf"(?<![\w']){'(' + listed + ')'}(?![\w'\[])",
            lambda match: f"({names[match[1]]})",
            formula,
        )
    assert re.fullmatch(r"[\d\s()+*/%-]*", formula), formula
    return eval(formula)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_line_of_a_step_is_true(family: str) -> None:
    layers = importlib.import_module(f"strategies.{family}").layers

    @relaxed
    @given(st.data())
    def check(data: st.DataObject) -> None:
        op, shapes, attributes = data.draw(layers())
        try:
            cost = cost_of(OPERATIONS[op], shapes, attributes)
        except NetledgerError:
            assume(False)
        explanation = explained(op, shapes, attributes)
        assert explanation.outputs == cost.shapes
        names = dict(explanation.given)
        for step in explanation.steps:
            assert value_of(step.numbers, {}) == step.value
            assert value_of(step.formula, names) == step.value
            names[step.name] = step.value
        for metric in ("params", "buffers", "macs", "flops", "memory_access"):
            assert names.get(metric, 0) == getattr(cost, metric)

    check()


def test_text() -> None:
    text = str(nl.why("conv2d", (1, 64, 56, 56), out_channels=128, kernel_size=3, stride=2))
    assert text.splitlines()[0] == "conv2d: (1, 64, 56, 56) -> (1, 128, 27, 27)"
    assert "H' = (H + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1" in text
    assert "= (56 + 2 * 0 - 1 * (3 - 1) - 1) // 2 + 1" in text
    assert "53,747,712" in text
    assert max(map(len, text.splitlines())) <= 100


def test_latex() -> None:
    explanation = nl.why("linear", (2, 512), out_features=10)
    assert explanation.steps[1].latex == (
        r"\mathrm{macs} &= N \cdot \mathrm{out\_features} \cdot I \\" + "\n"
        r"&= 2 \cdot 10 \cdot 512 \\" + "\n"
        "&= 10240"
    )
    whole = explanation.latex()
    assert whole.startswith("\\begin{align*}\n")
    assert whole.endswith("\n\\end{align*}")
    assert whole.count("{") == whole.count("}")
    assert whole.count(r"\left") == whole.count(r"\right")


def test_a_quotient_that_is_always_whole_has_no_floor() -> None:
    latex = nl.why(
        "conv2d", (1, 4, 5, 5), out_channels=4, kernel_size=3, stride=2, groups=2
    ).latex()
    assert r"\frac{C}{\mathrm{groups}}" in latex
    assert r"\left\lfloor \frac{C}{\mathrm{groups}}" not in latex
    assert r"\left\lfloor \frac{H + " in latex


def test_html() -> None:
    html = nl.why("linear", (2, 512), out_features=10, bias=False).html()
    assert "<th>macs</th><td>= N &middot; out_features &middot; I</td>" in html
    assert html == nl.why("linear", (2, 512), out_features=10, bias=False)._repr_html_()


def test_the_source_is_that_of_the_rule() -> None:
    assert nl.why("relu", (3,)).source == "torch.nn.functional.relu."
    assert "Vaswani" in nl.why("multi_head_attention", *[(1, 2, 4)] * 3, num_heads=2).source


def test_refusals() -> None:
    with pytest.raises(LayerError, match=r"conv2d: in_channels 3 is not divisible by groups 2"):
        nl.why("conv2d", (1, 3, 5, 5), out_channels=4, kernel_size=3, groups=2)
    with pytest.raises(NetledgerError, match="unknown op 'convolution'"):
        nl.why("convolution", (1, 3, 5, 5))


def test_graph_and_ledger() -> None:
    graph = nl.Graph()
    x = graph.input(1, 3, 8, 8)
    y = nl.conv2d(x, out_channels=4, kernel_size=3, name="stem")
    z = nl.relu(y)
    weight = graph.parameter(4, 4, 1, 1)
    nl.conv2d(z, weights=[weight], out_channels=4, kernel_size=1, bias=False, name="twice")
    nl.conv2d(z, weights=[weight], out_channels=4, kernel_size=1, bias=False, name="twice")
    by_tensor = graph.explain(y)
    assert by_tensor == graph.explain("stem") == graph.explain(0) == graph.count().why("stem")
    assert by_tensor.steps[2].value == graph.count().rows[0].params
    first, second = graph.explain("twice")
    assert first.remark == ""
    assert second.remark == "The row has 0 params: parameters count where they are first used."
    with pytest.raises(NetledgerError, match="made by no layer"):
        graph.explain(x)
    with pytest.raises(NetledgerError, match="no layer is called 'head'"):
        graph.explain("head")
    with pytest.raises(NetledgerError, match=r"there is no row 4; the rows are 0 to 3"):
        graph.count().why(4)


def test_layers_without_a_formula() -> None:
    graph = nl.Graph()
    x = graph.input(2, 3)
    (y,) = graph.add("opaque", x, attributes={"shapes": (2, 2, 3), "label": "fft"})
    graph.output(y)
    explanation = graph.explain(0)
    assert explanation.steps == ()
    assert "without a rule" in explanation.remark
    assert str(explanation).endswith(explanation.remark) or "declared." in str(explanation)


def test_torch_modules() -> None:
    torch = pytest.importorskip("torch")
    explanation = nl.why(torch.nn.Conv2d(3, 8, 3), (1, 3, 16, 16))
    assert explanation.op == "conv2d"
    assert explanation.steps[-1].name == "memory_access"
    several = nl.why(
        torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Flatten()), (2, 4)
    )
    assert [each.op for each in several] == ["linear", "relu"]
    encoder = torch.nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    ledger = nl.count(encoder, (1, 5, 16))
    for row in ledger.rows:
        values = {step.name: step.value for step in ledger.why(row.index).steps}
        assert values.get("macs", 0) == row.macs
        assert values.get("flops", 0) == row.flops
