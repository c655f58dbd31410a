from __future__ import annotations

from typing import Any

from cwic.batch.entry import CODED, FAILED, Entry, Row, row_of
from cwic.batch.manifest import Manifest, Plan
from cwic.batch.status import failure_line, failures, status_of
from cwic.batch.store import Target

GOOD = row_of(Entry("a", size=100, output="a.cwic"), CODED, bytes=10, width=4, height=2, seconds=1.5)
BAD = row_of(Entry("b", size=50, output="b.cwic"), FAILED, error_type="FormatError", error="damaged", exit_code=3)


def _finish(manifest: Manifest, shard: str, rows: list[Row], begun: float, ended: float, monkeypatch: Any) -> None:
    monkeypatch.setattr("cwic.batch.manifest.time", lambda: ended)
    manifest.finish(shard, rows, begun)


def test_sums_and_what_is_left(places: Any, monkeypatch: Any) -> None:
    manifest = Manifest(Target(str(places.target)))
    plan = Plan("s", {}, shards=4, pictures=8, bytes=1000)
    assert status_of(manifest, plan).seconds_left is None
    _finish(manifest, "00000", [GOOD, BAD], 100.0, 110.0, monkeypatch)
    _finish(manifest, "00001", [GOOD], 105.0, 115.0, monkeypatch)
    _finish(manifest, "00003", [], 500.0, 505.0, monkeypatch)  # after a pause, which counts for nothing
    status = status_of(manifest, plan)
    assert (status.coded, status.failed, status.shards_done, status.exit_code) == (2, 1, 3, 3)
    assert (status.bytes_in, status.bytes_out, status.pixels, status.core_seconds) == (200, 20, 16, 3.0)
    assert status.seconds == 20.0
    assert status.seconds_left == 20.0 * 800 / 200
    text = str(status)
    assert text.startswith("3 of 8 pictures, 3 of 4 shards, 200 bytes -> 20 bytes")
    assert "10.000 bpp" in text
    assert text.endswith("1 failed, about 80.0 s left")
    assert [failure_line(row) for row in failures(manifest)] == ["b: FormatError: damaged"]


def test_a_folder_that_could_not_be_read_counts(places: Any) -> None:
    manifest = Manifest(Target(str(places.target)))
    assert status_of(manifest, Plan("s", {}, unread=[["x", "Permission denied"]])).exit_code == 1
