"""The progress bar of a command: how much is done, the rate, and the time left.

The bar appears on stderr after one second, if stderr is a terminal. rich draws it, and is imported only then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock, Timer
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from cwic.progress import listening

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

DELAY = 1.0
"""Seconds before the bar appears."""
UNITS = ("measurements", "files", "probes", "tiles", "blocks")
"""The units that are counted, from the largest to the smallest: one unit may consist of many of the next."""
_FRAMES_PER_SECOND = 4
_WIDTH = 24


class Count(NamedTuple):
    """The progress in one unit.

    Attributes:
        done: the number of units that are done.
        total: the number of units in all; None if unknown.
        first: the value of `done` when counting began.
        start: the time when counting began, in seconds.
        last: the time when the last unit was done, in seconds.
    """

    done: int
    total: int | None
    first: int
    start: float
    last: float

    @property
    def rate(self) -> float:
        """Units per second; 0 if it is not known yet."""
        return (self.done - self.first) / (self.last - self.start) if self.last > self.start else 0.0

    def left(self, now: float) -> float | None:
        """Return the seconds until all units are done; None if they cannot be estimated.

        Args:
            now: the current time in seconds, on the clock of `start`.
        """
        if self.total is None or not self.rate:
            return None
        return max((self.total - self.done) / self.rate - (now - self.last), 0.0)


class Bar:
    """A progress bar that listens to the reports of the codec (`cwic.progress`)."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._counts: dict[str, Count] = {}
        self._start = monotonic()
        self._lock = RLock()
        self._live: Live | None = None
        self._is_open = True
        self._timer = Timer(DELAY, self._show)
        self._timer.daemon = True
        self._timer.start()

    def tell(self, unit: str, done: int, total: int | None) -> None:
        """Take a report of `cwic.progress`.

        Args:
            unit: the unit that is counted, such as "tiles".
            done: the number of units that are done.
            total: the number of units in all; None if unknown.
        """
        now, old = monotonic(), self._counts.get(unit)
        if old is None or done < old.done:
            self._counts[unit] = Count(done, total, done, now, now)
        elif (done, total) != (old.done, old.total):
            self._counts[unit] = old._replace(done=done, total=total, last=now if done > old.done else old.last)

    def line(self, now: float) -> tuple[str, Count | None, str]:
        """Return the parts of a line: the text before the bar, the count that the bar shows, and the text after it."""
        counts = {unit: self._counts[unit] for unit in UNITS if unit in self._counts}
        unit = next((unit for unit, count in counts.items() if count.total is None or count.total > 1), None)
        if unit is None:
            return self._label, None, _clock(now - self._start)
        count = counts[unit]
        parts = [f"{count.done} {unit}" if count.total is None else f"{count.done}/{count.total} {unit}"]
        rate, left = count.rate, count.left(now)
        if rate:
            parts.append(f"{rate:.1f} {unit}/s" if rate >= 1 else f"{1 / rate:.1f} s each")
        parts.append(_clock(now - self._start) if left is None else f"{_clock(left)} left")
        # Within the file or probe that is in work now: the number of the tile.
        inner = [c for u, c in counts.items() if UNITS.index(u) > UNITS.index(unit) and (c.total or 0) > 1]
        if inner:
            parts.append(f"tile {min(inner[-1].done + 1, inner[-1].total or 0)}/{inner[-1].total}")
        return self._label, count, "  ".join(parts)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide the bar and keep its line empty inside the context."""
        with self._lock:
            was_shown = self._live is not None
            self._clear()
            try:
                yield
            finally:
                if was_shown:
                    self._show()

    def close(self) -> None:
        """Remove the bar for good."""
        self._is_open = False
        self._timer.cancel()
        with self._lock:
            self._clear()

    def _show(self) -> None:
        from rich.console import Console
        from rich.live import Live

        with self._lock:
            if self._is_open and self._live is None:
                self._live = Live(
                    console=Console(stderr=True),
                    get_renderable=self._render,
                    refresh_per_second=_FRAMES_PER_SECOND,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._live.start()

    def _clear(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        label, count, rest = self.line(monotonic())
        total = count.total if count is not None else None
        done = count.done if count is not None else 0
        grid = Table.grid(padding=(0, 1))
        for _ in range(3):
            grid.add_column(no_wrap=True)
        grid.add_row(label, ProgressBar(total=total, completed=done, width=_WIDTH, pulse=total is None), rest)
        return grid


_bar: Bar | None = None


def is_possible() -> bool:
    """Return whether a bar can be shown: True if stderr is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def shown(label: str) -> Iterator[None]:
    """Show the progress of the work inside, if it takes longer than `DELAY` and stderr is a terminal."""
    global _bar
    if not is_possible():
        yield
        return
    _bar = bar = Bar(label)
    try:
        with listening(bar.tell):
            yield
    finally:
        _bar = None
        bar.close()


@contextmanager
def hidden() -> Iterator[None]:
    """Take the bar away while something else is printed."""
    if _bar is None:
        yield
        return
    with _bar.hidden():
        yield


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
