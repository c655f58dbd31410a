"""Seconds by stage, and other sums: the codec marks where a stage begins and ends, and a listener gets the sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from threading import Lock
from time import perf_counter


class Stages:
    """The seconds of each stage so far, in the order in which the stages ended first, and other sums by name.

    Of a stage that runs in several threads at a time, the seconds of all of them add up.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.sums: dict[str, float] = {}
        self._lock = Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time that is spent inside to that of `name`."""
        start = perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start

    def add(self, amounts: Mapping[str, float]) -> None:
        """Adds each amount to the sum of its name."""
        with self._lock:
            for name, amount in amounts.items():
                self.sums[name] = self.sums.get(name, 0.0) + amount


_stages: ContextVar[Stages | None] = ContextVar("stages", default=None)


@contextmanager
def timed() -> Iterator[Stages]:
    """Inside, stages are timed, also in the threads that work on tiles."""
    stages = Stages()
    token = _stages.set(stages)
    try:
        yield stages
    finally:
        _stages.reset(token)


def stage(name: str) -> AbstractContextManager[None]:
    """A part of the work that is timed if somebody asked for it."""
    stages = _stages.get()
    return nullcontext() if stages is None else stages.stage(name)


def add(**amounts: float) -> None:
    """Adds amounts to the sums of their names if somebody asked for them."""
    stages = _stages.get()
    if stages is not None:
        stages.add(amounts)
