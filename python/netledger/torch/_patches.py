"""Replacements in torch that several threads may need at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["SharedPatch"]


class SharedPatch:
    """Something of torch that is replaced as long as any thread's trace needs it.

    The first ``with`` block to begin puts the replacement in place, the last one to end takes it
    back; if each did so for itself, one trace would end with another's half done.

    Args:
        put: replaces it, and returns what puts it back.
    """

    def __init__(self, put: Callable[[], Callable[[], None]]) -> None:
        self._put = put
        self._undo: Callable[[], None] | None = None
        self._users = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._undo = self._put()
            self._users += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._undo is not None:
                self._undo()
                self._undo = None
