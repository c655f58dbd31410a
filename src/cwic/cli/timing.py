"""The time of coding a file, with a note if it includes loading the model, as for the first file of each model."""

from __future__ import annotations

from time import perf_counter
from typing import Any, NamedTuple

from cwic.container.header import MAX_BYTES, Header
from cwic.container.limits import NO_LIMITS
from cwic.errors import FormatError


class Seconds(NamedTuple):
    """The time of coding one picture, without reading and writing files, and whether it includes loading the model."""

    value: float
    with_loading: bool

    def __str__(self) -> str:
        return f"{self.value:.2f} s" + (" with loading the model" if self.with_loading else "")

    @classmethod
    def of(cls, record: dict[str, Any]) -> Seconds:
        """Return the time that a record of `record` holds."""
        return cls(record["seconds"], record["seconds_include_loading"])

    @property
    def record(self) -> dict[str, float | bool]:
        """The time as a record for JSON."""
        return {"seconds": self.value, "seconds_include_loading": self.with_loading}


class Stopwatch:
    """A stopwatch for the pictures of one run of a command."""

    def __init__(self) -> None:
        self._loaded: set[bytes] = set()
        self._start = 0.0

    def start(self) -> None:
        """Start timing, just before a picture is encoded or decoded."""
        self._start = perf_counter()

    def stop(self, head: bytes) -> Seconds:
        """Stop timing and return the time.

        Args:
            head: the beginning of the .cwic file, which names the model.
        """
        value = perf_counter() - self._start
        try:
            model = Header.unpack(head[:MAX_BYTES], NO_LIMITS)[0].model_id
        except FormatError:  # the header of a recovered file may be damaged
            model = b""
        first = model not in self._loaded
        self._loaded.add(model)
        return Seconds(value, first)
