"""Progress of the codec: the codec reports its steps, and a listener such as a bar shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Listener = Callable[[str, int, int | None], None]
"""Is told what is counted (`tiles`, `probes`), how many are done, and of how many, None where nobody knows."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Inside, every report of this thread goes to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(unit: str, done: int, total: int | None = None) -> None:
    """Tells the listener, if there is one, that `done` of `total` are done."""
    listener = _listener.get()
    if listener is not None:
        listener(unit, done, total)


def counted(items: Iterable[T], unit: str, total: int, done: int = 0) -> Iterator[T]:
    """The items, each reported as it comes; `done` of the total were done before."""
    report(unit, done, total)
    for count, item in enumerate(items, done + 1):
        report(unit, count, total)
        yield item
