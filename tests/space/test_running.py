"""Long sweeps: they can be interrupted, show their progress, use threads and little memory."""

from __future__ import annotations

import os
import resource
import signal
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import netledger as nl

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    os.environ.get("NETLEDGER_IMPLEMENTATION") == "pure", reason="the twin is not fast"
)


@pytest.fixture(scope="module")
def space() -> nl.Space:
    found: nl.Space = nl.spaces.ofa_mobilenet_v3()
    return found


@pytest.fixture
def alarm() -> Iterator[float]:
    """Interrupts what runs, as Ctrl-C does, after some seconds; when that is."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        yield time.monotonic() + 0.3
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_sweep_is_interrupted(space: nl.Space, alarm: float, threads: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        space.sweep_range(0, 10**15, threads=threads).histogram("macs", bins=np.arange(3))
    # It looks every 50 ms; the rest is for a busy machine.
    assert time.monotonic() - alarm < 1.0


def test_drawing_is_interrupted(space: nl.Space, alarm: float) -> None:
    def draw() -> None:
        while True:
            space.random(20_000_000, seed=0)

    with pytest.raises(KeyboardInterrupt):
        draw()
    assert time.monotonic() - alarm < 1.0


def test_threads_change_nothing(space: nl.Space) -> None:
    sweeps = [space.sweep_random(300_000, seed=4, threads=threads) for threads in (1, 3)]
    first, second = (sweep.costs() for sweep in sweeps)
    assert np.array_equal(first.macs, second.macs)
    assert np.array_equal(*(sweep.top_k("macs", 50).positions for sweep in sweeps))
    assert np.array_equal(*(sweep.pareto("params", "macs").positions for sweep in sweeps))
    assert np.array_equal(*(sweep.histogram("macs", bins=64).counts for sweep in sweeps))


def test_a_long_stream_takes_little_memory(space: nl.Space) -> None:
    sweep = space.sweep_range(10**12, 10**12 + 50_000_000)
    sweep.histogram("macs", bins=[0, 10**8, 10**9])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    histogram = space.sweep_range(0, 100_000_000).histogram("macs", bins=[0, 10**8, 10**9])
    assert histogram.counts.sum() == 100_000_000
    # In KB, but bytes on macOS, where the limit then means less.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


def test_progress_is_shown(space: nl.Space, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tqdm")
    space.sweep_random(2_000_000, seed=0, progress=True).extremes("macs")
    assert "configurations" in capsys.readouterr().err
