"""A pause of the garbage collector while many objects are made that all are needed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["paused"]


@contextmanager
def paused() -> Iterator[None]:
    """No collection of cycles inside of the ``with`` block, if there would have been any.

    One in the middle of a trace looks at all objects of the process, those of torch included, and
    takes longer than the trace.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
