"""Threads for the exact path: each works on a band of rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from cwic.threads import thread_count

BAND_POSITIONS = 256
"""Positions of a band: with 192 channels its feature maps stay in a core's cache."""


_lock = Lock()
_pool: ThreadPoolExecutor | None = None


def in_bands(height: int, width: int, work: Callable[[int, int], None]) -> None:
    """Calls `work(first, last)` for bands of rows that make up `height`, several at a time. Raises what it raises."""
    rows = max(1, BAND_POSITIONS // width)
    starts = range(0, height, rows)
    threads = thread_count()
    if threads == 1 or len(starts) == 1:
        for start in starts:
            work(start, min(start + rows, height))
        return
    for _ in _threads(threads).map(lambda start: work(start, min(start + rows, height)), starts):
        pass


def _threads(count: int) -> ThreadPoolExecutor:
    """The threads of this process, started at the first call."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(count, "cwic")
        return _pool


def _after_fork() -> None:
    """No thread follows into a forked process."""
    global _lock, _pool
    _lock, _pool = Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
