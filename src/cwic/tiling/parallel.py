"""Run work on several tiles at a time in threads: engines, numpy and lzma release the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Protocol, TypeVar

from cwic.threads import at_work

T = TypeVar("T")
R = TypeVar("R")


class Map(Protocol):
    """The built-in `map` over one iterable."""

    def __call__(self, work: Callable[[T], R], over: Iterable[T], /) -> Iterator[R]: ...


@contextmanager
def workers(jobs: int) -> Iterator[Map]:
    """A `map` that keeps order and works on up to `jobs` items at a time. The first error ends the work.

    Raises `ValueError` if `jobs` is not positive.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    if jobs == 1:
        yield map
        return
    pool = ThreadPoolExecutor(jobs)
    try:
        yield lambda work, over: pool.map(_by_worker(work), over)
    finally:
        pool.shutdown(cancel_futures=True)


def _by_worker(work: Callable[[T], R]) -> Callable[[T], R]:
    """The same work in threads that keep a processor to themselves, with the context variables of this one."""
    context = copy_context()

    def alone(item: T) -> R:
        with at_work():
            return context.copy().run(work, item)

    return alone
