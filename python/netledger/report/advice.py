"""Advice as plain text: the worst layers of each guideline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netledger.report.numbers import measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netledger.advice import Advice, LayerAdvice

__all__ = ["report"]

#: How many layers of each guideline are shown.
_WORST = 5


def report(advice: Advice) -> str:
    """A paragraph for each guideline, one for the roofline, one for factorisations."""
    parts = [_widths, _groups, _branches, _element_wise, _roofline, _factorisations]
    lines = [advice.title, *(line for part in parts for line in ("", *part(advice)))]
    if advice.unsupported:
        lines += ["", f"No rule for {', '.join(advice.unsupported)}: their arithmetic is left out"]
    return "\n".join(lines)


def _widths(advice: Advice) -> Iterator[str]:
    yield "G1 equal channel widths: memory access against its least for the same arithmetic"
    layers = [(layer, layer.least_memory_access) for layer in advice.layers]
    known = [(layer, least) for layer, least in layers if least is not None]
    total, least_total = sum(x.memory_access for x, _ in known), sum(least for _, least in known)
    yield f"  {_layers(len(known))}: {_against(total, least_total)}"
    for layer, least in sorted(known, key=lambda pair: pair[1] - pair[0].memory_access)[:_WORST]:
        if layer.memory_access > least:
            yield f"  {_label(layer)}: {_against(layer.memory_access, least)}"


def _groups(advice: Advice) -> Iterator[str]:
    yield "G2 groups: memory access against that of a dense layer with as many products"
    layers = [(layer, layer.dense_memory_access) for layer in advice.layers]
    known = [(layer, dense) for layer, dense in layers if dense is not None]
    if not known:
        yield "  no layer has groups"
        return
    total, dense_total = sum(x.memory_access for x, _ in known), sum(dense for _, dense in known)
    yield f"  {_layers(len(known))}: {_against(total, dense_total)}"
    for layer, dense in sorted(known, key=lambda pair: pair[1] - pair[0].memory_access)[:_WORST]:
        yield f"  {_label(layer)}: {_against(layer.memory_access, dense)}"


def _branches(advice: Advice) -> Iterator[str]:
    yield "G3 fragmentation: contractions, and the longest chain of them"
    if not advice.branches:
        yield "  no parallel branches"
    for module in advice.branches[:_WORST]:
        yield (
            f"  {module.path or 'the model'}: {module.contractions:,} contractions, "
            f"{module.longest_chain:,} in the longest chain"
        )
    if len(advice.branches) > _WORST:
        yield f"  and {len(advice.branches) - _WORST} more modules"


def _element_wise(advice: Advice) -> Iterator[str]:
    share = advice.element_wise
    yield "G4 element-wise operations"
    yield (
        f"  {_layers(share.rows)}: {_percent(share.flops, share.total_flops)} of the FLOPs, "
        f"{_percent(share.memory_access, share.total_memory_access)} of the memory access"
    )


def _roofline(advice: Advice) -> Iterator[str]:
    device = advice.device
    flops = sum(layer.flops for layer in advice.layers)
    traffic = sum(layer.memory_access_bytes for layer in advice.layers)
    intensity = f"{flops / traffic:.2f}" if traffic else "no"
    if device is None:
        yield f"Arithmetic intensity: {intensity} FLOPs per byte"
        return
    yield (
        f"Roofline for {device.name}: {measured(int(device.flops_per_second), 'FLOPs')} and "
        f"{measured(int(device.bytes_per_second), 'B')} a second, ridge at {device.ridge:.2f} "
        "FLOPs per byte"
    )
    limited = [layer for layer in advice.layers if layer.bound == "memory"]
    waiting = sum(layer.seconds or 0.0 for layer in limited)
    total = advice.seconds or 0.0
    share = f"{100 * waiting / total:.1f} %" if total else "0 %"
    yield (
        f"  {1000 * total:.3f} ms at least, {share} of it in {len(limited):,} of "
        f"{len(advice.layers):,} layers that wait for memory; intensity {intensity}"
    )
    for layer in sorted(advice.layers, key=lambda each: -(each.seconds or 0.0))[:_WORST]:
        yield (
            f"  {_label(layer)}: {1000 * (layer.seconds or 0.0):.4f} ms, {layer.bound}, "
            f"{_intensity(layer)}"
        )


def _factorisations(advice: Advice) -> Iterator[str]:
    yield "Factorisations with the same input and output, and what they save"
    layers = sorted(
        (layer for layer in advice.layers if layer.hints),
        key=lambda layer: -max(hint.macs for hint in layer.hints),
    )
    if not layers:
        yield "  none"
    for layer in layers[:_WORST]:
        yield f"  {_label(layer)}"
        for hint in layer.hints:
            params = measured(abs(hint.params), "params").replace("  ", " ")
            more = f"{params} more" if hint.params < 0 else params
            yield f"    as {hint.text}: {measured(hint.macs, 'MACs')}, {more}"


def _layers(number: int) -> str:
    return "1 layer" if number == 1 else f"{number:,} layers"


def _intensity(layer: LayerAdvice) -> str:
    found = layer.intensity
    return "no traffic" if found is None else f"{float(found):.2f} FLOPs per byte"


def _label(layer: LayerAdvice) -> str:
    return f"{layer.name} ({layer.op})"


def _against(value: int, base: int) -> str:
    ratio = f" ({value / base:.3f} times)" if base else ""
    return f"{value:,} against {base:,}{ratio}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
