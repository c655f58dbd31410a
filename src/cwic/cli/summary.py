"""The line that sums up a run over a folder."""

from __future__ import annotations

import os
from time import perf_counter

from cwic.cli import streams
from cwic.cli.job import Job
from cwic.cli.outcome import Made


class Summary:
    """The totals of a run: files, bytes, pixels and seconds. Its time starts when it is made."""

    def __init__(self) -> None:
        self.done = self.skipped = self.failed = 0
        self._before = self._after = self._pixels = 0
        self._start = perf_counter()

    def add(self, job: Job, made: Made | None, *, failed: bool) -> None:
        """Count one file.

        Args:
            job: the job of the file.
            made: its output; None after a failure.
            failed: True if the file failed all the same.
        """
        if failed or made is None:
            self.failed += 1
        elif made.data is None:
            self.skipped += 1
        else:
            self.done += 1
            if streams.is_file(job.source):
                self._before += os.path.getsize(job.source)
            self._after += len(made.data)
            self._pixels += made.record["width"] * made.record["height"]

    def __str__(self) -> str:
        seconds = max(perf_counter() - self._start, 1e-9)
        parts = [f"{self.done} file{'' if self.done == 1 else 's'}"]
        if self.done:
            parts[0] += f": {_size(self._before)} -> {_size(self._after)}"
            parts.append(f"ratio {self._before / self._after:.2f}")
        parts.append(f"{seconds:.1f} s")
        if self.done:
            parts += [f"{self.done / seconds:.2f} files/s", f"{self._pixels / seconds / 1e6:.2f} megapixels/s"]
        if self.skipped:
            parts.append(f"{self.skipped} skipped")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return ", ".join(parts)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"
