"""Threads for the exact path: bands of rows side by side, and matrix products that start no threads of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

from cwic.threads import thread_count

BAND_POSITIONS = 256
"""Positions of a band: with 192 channels its feature maps stay in a core's cache."""


class _Shared:
    """What the threads of this process share; made anew in a forked child, where no thread and no owner is left."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.pool: ThreadPoolExecutor | None = None
        self.inside = 0
        self.limit: Any = None


_shared = _Shared()


def in_bands(height: int, width: int, work: Callable[[int, int], None]) -> None:
    """Calls `work(first, last)` for bands of rows that make up `height`, several at a time. Raises what it raises."""
    rows = max(1, BAND_POSITIONS // width)
    starts = range(0, height, rows)
    threads = thread_count()
    if threads == 1 or len(starts) == 1:
        for start in starts:
            work(start, min(start + rows, height))
        return
    with _shared.lock:
        if _shared.pool is None:
            _shared.pool = ThreadPoolExecutor(threads, "cwic")
        pool = _shared.pool
    for _ in pool.map(lambda start: work(start, min(start + rows, height)), starts):
        pass


@contextmanager
def single_threaded_products() -> Iterator[None]:
    """Keeps numpy's BLAS to one thread inside, for the whole process: small products are slower with more.

    Several threads may be inside at a time; the last one to leave restores what the first one found.
    """
    shared = _shared
    with shared.lock:
        shared.inside += 1
        if shared.inside == 1:
            shared.limit = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with shared.lock:
            shared.inside -= 1
            if shared.inside == 0:
                shared.limit.restore_original_limits()


_found: list[Any] = []


def _controller() -> Any:
    """The handle on the BLAS libraries of this process, looked for once."""
    if not _found:
        from threadpoolctl import ThreadpoolController

        _found.append(ThreadpoolController())
    return _found[0]


def _after_fork() -> None:
    global _shared
    _shared = _Shared()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
