"""How long the stand-ins of `netledger.compat` take against the tools whose calls they have.

Goal: at most a tenth of the time, for resnet50 in one process with one thread. Checked first: both
give the same. A tool that is not installed is left out and named.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from netledger._targets import with_torchvision

ROUNDS = 5
SHAPE = (3, 224, 224)
Call = Callable[[], Any]


def resnet50() -> torch.nn.Module:
    """The model, with weights that mean nothing."""
    import torchvision

    return torchvision.models.resnet50().eval()


def quietly(call: Call) -> Any:
    """What a call returns, or prints where it returns nothing."""
    printed = io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        answer = call()
    return printed.getvalue() if answer is None else answer


def calls(model: torch.nn.Module) -> dict[str, Callable[[Any], Any]]:
    """Of each tool, by the name of its module, one call and what is compared of it."""
    image = torch.zeros(1, *SHAPE)

    def counted(module: Any) -> Any:
        with module.FlopCounterMode(display=False) as counter, torch.no_grad():
            model(image)
        return counter.get_total_flops()

    return {
        "thop": lambda module: module.profile(model, inputs=(image,), verbose=False),
        "ptflops": lambda module: module.get_model_complexity_info(
            model, SHAPE, as_strings=False, print_per_layer_stat=False
        ),
        "torchinfo": lambda module: str(module.summary(model, (1, *SHAPE), verbose=0)),
        "torchsummary": lambda module: module.summary(model, SHAPE, device="cpu"),
        "pytorch_model_summary": lambda module: module.summary(model, image),
        "fvcore": lambda module: module.FlopCountAnalysis(model, image).total(),
        "flop_counter": counted,
        "torchprofile": lambda module: module.profile_macs(model, image),
        "calflops": lambda module: module.calculate_flops(
            model, input_shape=(1, *SHAPE), print_results=False, output_as_string=False
        ),
        "deepspeed": lambda module: module.get_model_profile(
            model, (1, *SHAPE), print_profile=False, as_string=False
        ),
    }


#: Where the calls are in the tools, if that is not a module of the stand-in's name.
HOMES = {
    "fvcore": "fvcore.nn",
    "flop_counter": "torch.utils.flop_counter",
    "deepspeed": "deepspeed.profiling.flops_profiler",
}


def seconds(call: Call) -> float:
    """Time of one call."""
    start = time.perf_counter()
    quietly(call)
    return time.perf_counter() - start


def main() -> None:
    """Print one line for each tool."""
    torch.set_num_threads(1)
    model = with_torchvision(resnet50)
    print("resnet50, one image; milliseconds, the least of several")
    missing = []
    for name, call in calls(model).items():
        try:
            peer = importlib.import_module(HOMES.get(name, name))
        except ImportError:
            missing.append(name)
            continue
        ours = partial(call, importlib.import_module(f"netledger.compat.{name}"))
        theirs = partial(call, peer)
        theirs_first, ours_first = quietly(theirs), quietly(ours)
        if theirs_first != ours_first:
            raise SystemExit(f"{name}: {ours_first!r} is not {theirs_first!r}")
        least_ours = least_theirs = float("inf")
        for _ in range(ROUNDS):
            least_theirs = min(least_theirs, seconds(theirs))
            least_ours = min(least_ours, *(seconds(ours) for _ in range(4)))
        print(
            f"{name:24}{1000 * least_theirs:9.1f}{1000 * least_ours:9.1f}"
            f"{least_theirs / least_ours:9.1f} times"
        )
    if missing:
        print("not installed:", ", ".join(missing))


if __name__ == "__main__":
    main()
