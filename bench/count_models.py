"""How long `netledger.count` takes against four other counters: one process, one thread.

Goal: 15 times faster than the fastest of torch's FlopCounterMode on the meta device, thop, ptflops
and torchinfo, for resnet50, MobileNetV3-Large, ViT-B/16 and a BERT-base encoder. Checked first:
the multiply-accumulates agree with FlopCounterMode, the parameters with the model's own.

thop, ptflops and torchinfo are timed on the device, CPU or meta, on which they are faster.
Counters that are not installed, or fail on a model, are left out and named.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import netledger as nl
from netledger._targets import with_torchvision

ROUNDS = 4
REPEATS = 4
Call = Callable[[], Any]


def models() -> dict[str, tuple[Callable[[], torch.nn.Module], Callable[[str], dict[str, Any]]]]:
    """Builders of the models, and of their inputs on a device."""

    def image(device: str) -> dict[str, Any]:
        return {"args": (torch.zeros(1, 3, 224, 224, device=device),)}

    def text(device: str) -> dict[str, Any]:
        tokens = torch.ones(1, 128, dtype=torch.int64, device=device)
        return {"kwargs": {"input_ids": tokens, "attention_mask": tokens}}

    found: dict[str, Any] = {}
    for name in ("resnet50", "mobilenet_v3_large", "vit_b_16"):
        found[name] = (lambda name=name: with_torchvision(lambda: vision_model(name)), image)

    def bert() -> torch.nn.Module:
        from transformers import BertConfig, BertModel

        return BertModel(BertConfig())

    found["BERT-base"] = (bert, text)
    return found


def vision_model(name: str) -> torch.nn.Module:
    """A model of torchvision, with weights that mean nothing."""
    import torchvision

    return torchvision.models.get_model(name)


def quietly(call: Call) -> Call:
    """The same call without what it prints and warns."""

    def silent() -> Any:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
            stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            answer = call()
        if answer is None or answer == (None, None):
            raise RuntimeError("no answer")  # ptflops reports its errors by printing them
        return answer

    return silent


def flop_counter(model: torch.nn.Module, given: dict[str, Any]) -> int:
    """FLOPs by torch's own counter, two for a multiply-accumulate."""
    with FlopCounterMode(display=False) as counter:
        model(*given.get("args", ()), **given.get("kwargs", {}))
    return counter.get_total_flops()


def others(model: torch.nn.Module, given: dict[str, Any]) -> dict[str, Call]:
    """Calls of the counters that are installed."""
    args, kwargs = given.get("args", ()), given.get("kwargs", {})
    calls: dict[str, Call] = {}
    with contextlib.suppress(ImportError):
        import thop

        values = args or tuple(kwargs.values())
        calls["thop"] = lambda: thop.profile(model, inputs=values, verbose=False)
    with contextlib.suppress(ImportError):
        import ptflops

        calls["ptflops"] = lambda: ptflops.get_model_complexity_info(
            model,
            (1,),
            input_constructor=lambda _: kwargs or {"x": args[0]},
            as_strings=False,
            print_per_layer_stat=False,
        )
        if args:
            calls["ptflops"] = lambda: ptflops.get_model_complexity_info(
                model, tuple(args[0].shape[1:]), as_strings=False, print_per_layer_stat=False
            )
    with contextlib.suppress(ImportError):
        import torchinfo

        calls["torchinfo"] = lambda: torchinfo.summary(
            model, input_data=dict(kwargs) or list(args), verbose=0
        )
    return {name: quietly(call) for name, call in calls.items()}


def best(calls: dict[str, Call]) -> dict[str, float]:
    """Shortest time of each call: a few runs of each in turn, so that all see the same machine."""
    times = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            for _ in range(REPEATS):
                start = time.perf_counter()
                call()
                times[name] = min(times[name], time.perf_counter() - start)
    return times


def working(calls: dict[str, Call]) -> dict[str, Call]:
    """The calls that do not fail."""
    found = {}
    for name, call in calls.items():
        failure = failure_of(call)
        if failure:
            print(f"  {name} left out: {failure}")
        else:
            found[name] = call
    return found


def failure_of(call: Call) -> str:
    """What a call raises, in a few words."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - a tool that is not ours
        return f"{type(error).__name__}: {str(error)[:80]}"
    return ""


def main() -> None:
    """Print a table of times and the ratio to the fastest other counter."""
    torch.set_num_threads(1)
    for name, (build, inputs) in models().items():
        try:
            # Other counters leave hooks and buffers behind: netledger gets a model of its own.
            own_model, model = build(), build().eval()
            with torch.device("meta"):
                meta_model = build().eval()
        except ImportError as error:
            print(f"{name}: left out, {error}")
            continue
        given, meta_given = inputs("cpu"), inputs("meta")

        def counted(model: Any = own_model, given: Any = given) -> nl.Ledger:
            return nl.count(model, *given.get("args", ()), **given.get("kwargs", {}))

        ledger = counted()
        assert ledger.params == sum(p.numel() for p in model.parameters())
        print(f"{name}: {ledger.params:,} params, {ledger.macs:,} MACs")
        on_meta = {"FlopCounterMode on meta": partial(flop_counter, meta_model, meta_given)}
        # The fused kernels of attention on the CPU are unknown to it, their parts are not.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            torch.backends.mha.set_fastpath_enabled(False)
            assert 2 * ledger.macs == flop_counter(model, given), "FlopCounterMode disagrees"
            torch.backends.mha.set_fastpath_enabled(True)
        calls: dict[str, Call] = {"netledger": counted, **on_meta}
        for device, (one, what) in {
            "CPU": (model, given),
            "meta": (meta_model, meta_given),
        }.items():
            calls |= {f"{tool} on {device}": call for tool, call in others(one, what).items()}
        times = best(working(calls))
        own = times.pop("netledger")
        print(f"  netledger {own * 1e3:.2f} ms")
        for tool, seconds in sorted(times.items(), key=lambda item: item[1]):
            print(f"  {tool:<24} {seconds * 1e3:8.2f} ms  {seconds / own:6.1f} times")
        print(f"  against the fastest: {min(times.values()) / own:.1f} times, goal 15")


if __name__ == "__main__":
    main()
