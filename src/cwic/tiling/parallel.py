"""Work on several tiles at a time, in threads: engines, numpy and lzma let other threads run meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

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
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)
