"""The status of a run: sums over its results so far, and an estimate of the time that the rest takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cwic.batch.entry import FAILED, Row
from cwic.batch.manifest import Manifest, Plan


@dataclass
class Status:
    """The status of a run.

    Attributes:
        pictures: the pictures in the manifest.
        coded: the pictures whose output is written.
        failed: the pictures that failed and have no output.
        shards: the shards in the manifest.
        shards_done: the shards that are done.
        bytes_in: the bytes of the sources that were coded, as far as known.
        bytes_out: the bytes of their outputs.
        pixels: the pixels of the pictures that were coded.
        core_seconds: the time that coding took, summed over all workers.
        seconds: the time in which at least one shard was being done.
        seconds_left: the time that the rest takes at the same pace; None before anything is done.
        exit_code: the highest exit code of all failures.
    """

    pictures: int = 0
    coded: int = 0
    failed: int = 0
    shards: int = 0
    shards_done: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    pixels: int = 0
    core_seconds: float = 0.0
    seconds: float = 0.0
    seconds_left: float | None = None
    exit_code: int = 0

    def record(self) -> dict[str, Any]:
        """Return the status as a record for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        parts = [
            f"{self.coded + self.failed} of {self.pictures} pictures",
            f"{self.shards_done} of {self.shards} shards",
        ]
        if self.coded:
            parts.append(f"{_size(self.bytes_in)} -> {_size(self.bytes_out)}")
            bpp = f", {8 * self.bytes_out / self.pixels:.3f} bpp" if self.pixels else ""
            parts.append(f"{self.pixels / 1e6:.1f} megapixels{bpp}")
            parts.append(f"{_time(self.core_seconds)} of coding in {_time(self.seconds)}")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.seconds_left:
            parts.append(f"about {_time(self.seconds_left)} left")
        return ", ".join(parts)


def status_of(manifest: Manifest, plan: Plan) -> Status:
    """Sum up the results so far. Memory grows only with the number of shards."""
    status = Status(pictures=plan.pictures, shards=plan.shards)
    spans = []
    for shard in sorted(manifest.done()):
        rows, begun, ended = manifest.rows(shard)
        spans.append((begun, ended))
        status.shards_done += 1
        for row in rows:
            _add(status, row)
    if plan.unread:
        status.exit_code = max(status.exit_code, 1)
    status.seconds = _covered(spans)
    left = plan.pictures - status.coded - status.failed
    if spans and left and status.coded + status.failed:
        status.seconds_left = status.seconds * _share_left(plan, status, left)
    return status


def failures(manifest: Manifest) -> Iterator[Row]:
    """Yield the results of all pictures that failed."""
    return (row for row in manifest.all_rows() if row.status == FAILED)


def failure_line(row: Row) -> str:
    """Return a failure as one line of text."""
    return f"{row.name}: {row.error_type}: {row.error}"


def _add(status: Status, row: Row) -> None:
    status.core_seconds += row.seconds
    status.exit_code = max(status.exit_code, row.exit_code)
    if row.status == FAILED:
        status.failed += 1
        return
    status.coded += 1
    status.bytes_in += max(row.size, 0)
    status.bytes_out += row.bytes
    status.pixels += row.width * row.height


def _share_left(plan: Plan, status: Status, left: int) -> float:
    """Return the ratio of the work left to the work done: in bytes of the sources if known, otherwise in pictures."""
    if status.bytes_in and plan.bytes > status.bytes_in:
        return (plan.bytes - status.bytes_in) / status.bytes_in
    return left / (status.coded + status.failed)


def _covered(spans: list[tuple[float, float]]) -> float:
    """Return the seconds that lie in at least one span."""
    total, end = 0.0, float("-inf")
    for begun, ended in sorted(spans):
        total += max(0.0, ended - max(begun, end))
        end = max(end, ended)
    return total


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
