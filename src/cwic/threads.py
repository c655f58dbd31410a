"""Threads inside a network: their number, one rule for engines and for our own code, and work on bands of rows."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from threading import Lock, get_native_id, local

THREADS_VARIABLE = "CWIC_THREADS"
MOST_HELPERS = 64

_lock = Lock()
_pool: ThreadPoolExecutor | None = None
_this = local()
_working = 0
_helper_ids: list[int] = []
_kept_to: tuple[set[int], int] = (set(), 0)
"""The processors that helpers were kept to last, and how many helpers there were."""


def thread_count() -> int:
    """`CWIC_THREADS` where that is a positive number, else the processors that this process may run on."""
    asked = os.environ.get(THREADS_VARIABLE, "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_bands(height: int, rows: int, work: Callable[[int, int], None]) -> None:
    """Call `work(first, last)` for bands of up to `rows` rows that make up `height`, several at a time.

    The caller works too. Helpers join it, as many as make up the number of threads with all that are at work at the
    moment, so that two tiles in work share the processors without waiting for each other. Raises what `work` raises.
    """
    starts = deque(range(0, height, rows))
    helpers: list[Future[None]] = []
    with at_work():
        try:
            count = min(thread_count() - _working, len(starts) - 1)
            if count > 0:
                _keep_off_this_processor()
            with suppress(RuntimeError):  # no thread can start: there are too many, or the interpreter is about to end
                for _ in range(count):
                    helpers.append(_helpers().submit(_work_off, starts, rows, height, work))
            _work_off(starts, rows, height, work)
        finally:
            starts.clear()  # after an error
            wait([helper for helper in helpers if not helper.cancel()])
    for helper in helpers:
        if not helper.cancelled():
            helper.result()


@contextmanager
def at_work() -> Iterator[None]:
    """Inside, this thread keeps a processor to itself: the helpers of others are fewer by one, even between bands."""
    global _working
    if getattr(_this, "is_at_work", False):
        yield
        return
    with _lock:
        _working += 1
    _this.is_at_work = True
    try:
        yield
    finally:
        _this.is_at_work = False
        with _lock:
            _working -= 1


def _work_off(starts: deque[int], rows: int, height: int, work: Callable[[int, int], None]) -> None:
    while True:
        try:
            start = starts.popleft()
        except IndexError:
            return
        work(start, min(start + rows, height))


def _helpers() -> ThreadPoolExecutor:
    """The threads of this process that help others. They start as they are needed."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(MOST_HELPERS, "cwic", initializer=lambda: _helper_ids.append(get_native_id()))
        return _pool


def _keep_off_this_processor() -> None:
    """Let no helper run on the processor that the caller runs on.

    Linux likes to wake a thread where its waker runs, and moves it only after some milliseconds: then nothing is
    gained by it. Where this is not to be had, nothing is done.
    """
    global _kept_to
    if _current_processor is None:
        return
    others = os.sched_getaffinity(0) - {_current_processor()}
    if not others or _kept_to == (others, len(_helper_ids)):
        return
    _kept_to = (others, len(_helper_ids))
    for helper in _helper_ids:
        with suppress(OSError):  # it has ended, or must not be moved
            os.sched_setaffinity(helper, others)


def _processor_call() -> Callable[[], int] | None:
    """The C library's function that gives the processor of the calling thread, if it has one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    return getattr(ctypes.CDLL(None), "sched_getcpu", None)


_current_processor = _processor_call()


def _after_fork() -> None:
    """No thread follows into a forked process."""
    global _lock, _pool, _this, _working, _kept_to
    _lock, _pool, _this, _working, _kept_to = Lock(), None, local(), 0, (set(), 0)
    _helper_ids.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
