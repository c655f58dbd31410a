"""Threads inside a network: their number, one rule for engines and for our own code, and work on bands of rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

THREADS_VARIABLE = "CWIC_THREADS"

_lock = Lock()
_pool: ThreadPoolExecutor | None = None


def thread_count() -> int:
    """`CWIC_THREADS` where that is a positive number, else the processors that this process may run on."""
    asked = os.environ.get(THREADS_VARIABLE, "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_bands(height: int, rows: int, work: Callable[[int, int], None]) -> None:
    """Call `work(first, last)` for bands of up to `rows` rows that make up `height`, several at a time.

    Raises what `work` raises.
    """
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
