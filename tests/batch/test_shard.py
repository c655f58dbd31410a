from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cwic.batch.entry import CODED, FAILED, Entry, Row
from cwic.batch.manifest import Manifest, Plan
from cwic.batch.patience import StoreError
from cwic.batch.shard import Coded, Coding, Counts, Task, do_shard
from cwic.batch.store import Target
from cwic.container.header import MAGIC

COLUMNS = Row._fields[Row._fields.index("status") :]


@pytest.fixture(params=["local", "memory"])
def url(request: pytest.FixtureRequest, places: Any, memory: str) -> str:
    return str(places.target) if request.param == "local" else memory


def _begin(url: str, places: Any, *more: Entry) -> Manifest:
    manifest = Manifest(Target(url))
    manifest.mark_begun()
    names = {"a.t": 5, "sub/b.t": 2, "bad.t": 3}
    entries = [Entry(str(places.source / name), size=size, output=f"{name[:-2]}.cwic") for name, size in names.items()]
    manifest.add([*entries, *more], 100)
    manifest.write_plan(Plan("s", {}, shards=1))
    return manifest


def _rows(manifest: Manifest) -> dict[str, Row]:
    return {row.output: row for row in manifest.rows("00000")[0]}


def test_a_shard(url: str, places: Any, upper: Any) -> None:
    none = Entry(str(places.source / "none.t"), output="none.cwic", problem="ClashError: two")
    manifest = _begin(url, places, none, Entry("memory://nowhere/x.t", output="x.cwic"))
    assert do_shard("00000", url, upper, is_fresh=True, force=False) == Counts(2, 3, 0)
    assert upper.given == [b"alpha", b"bad", b"be"]  # the largest first
    target = Target(url)
    assert target.read("a.cwic") == b"ALPHA"
    assert target.read("sub/b.cwic") == b"BE"
    rows = _rows(manifest)
    found = {name: getattr(rows["a.cwic"], name) for name in COLUMNS}
    values = (CODED, 5, 4, 2, 5.0, 0.5, zlib.crc32(b"ALPHA"), "", "", 0, "said")
    assert found == dict(zip(COLUMNS, values, strict=True))
    failures = {name: (row.error_type, row.error, row.exit_code) for name, row in rows.items() if row.status == FAILED}
    assert failures == {
        "bad.cwic": ("FormatError", "damaged", 3),
        "none.cwic": ("ClashError", "two", 2),
        "x.cwic": ("InputError", "cannot read the file: No such file or directory", 1),
    }
    assert not [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(f"cwic-batch-{os.getpid()}-")]


def test_pictures_in_stores_and_tars_are_fetched(places: Any, memory: str, upper: Any) -> None:
    Target(memory).write("far.t", b"far away")
    Target(memory).write("x.tar", b"....inside....")
    more = [Entry(f"{memory}/far.t", output="far.cwic"), Entry(f"{memory}/x.tar", "d/i.t", 4, 6, output="x/d/i.cwic")]
    _begin(str(places.target), places, *more)
    do_shard("00000", str(places.target), upper, is_fresh=True, force=False)
    assert (places.target / "far.cwic").read_bytes() == b"FAR AWAY"
    assert (places.target / "x" / "d" / "i.cwic").read_bytes() == b"INSIDE"


def test_outputs_of_other_origin_stay(places: Any, upper: Any) -> None:
    places.target.mkdir()
    (places.target / "sub").mkdir()
    for name in ("a.cwic", "sub/b.cwic"):
        (places.target / name).write_bytes(b"old")
        os.utime(places.target / name, (1e9, 1e9))
    manifest = _begin(str(places.target), places)
    do_shard("00000", str(places.target), upper, is_fresh=False, force=False)
    assert (places.target / "a.cwic").read_bytes() == b"old"
    assert _rows(manifest)["a.cwic"].error_type == "OutputExistsError"
    assert _rows(manifest)["a.cwic"].exit_code == 6
    (places.target / "a.cwic").write_bytes(MAGIC + b"coded")
    os.utime(places.target / "a.cwic", (1e9, 1e9))
    manifest.reopen("00000")
    do_shard("00000", str(places.target), upper, is_fresh=False, force=True)
    assert (places.target / "a.cwic").read_bytes() == b"ALPHA"
    assert (places.target / "sub" / "b.cwic").read_bytes() == b"old"  # what is no coded file is never replaced by one
    assert _rows(manifest)["sub/b.cwic"].error_type == "InputError"


def test_outputs_of_a_killed_run_are_replaced(url: str, places: Any, upper: Any) -> None:
    _begin(url, places).begin("00000")
    target = Target(url)
    target.write("a.cwic", b"of the run before")
    target.write(f".cwic-{'0' * 16}.tmp", b"half")
    do_shard("00000", url, upper, is_fresh=False, force=False)
    assert target.read("a.cwic") == b"ALPHA"
    assert [name for name in target.names("") if name.endswith(".tmp")] == []


def test_done_again_only_what_failed_or_changed_is_coded(url: str, places: Any, upper: Any) -> None:
    manifest = _begin(url, places)
    do_shard("00000", url, upper, is_fresh=False, force=False)
    manifest.reopen("00000")
    (places.source / "bad.t").write_text("good")
    entries = manifest.entries("00000")
    manifest.write_entries("00000", [entries[0], entries[1]._replace(mtime=9.0), entries[2]])
    upper.given.clear()
    assert do_shard("00000", url, upper, is_fresh=False, force=False) == Counts(2, 0, 1)
    assert sorted(upper.given) == [b"be", b"good"]
    assert {row.status for row in _rows(manifest).values()} == {CODED}


def test_a_shard_that_is_done_is_not_coded_twice(url: str, places: Any, upper: Any) -> None:
    manifest = _begin(url, places)
    first = do_shard("00000", url, upper, is_fresh=True, force=False)
    upper.given.clear()
    results = manifest.rows("00000")
    assert do_shard("00000", url, upper, is_fresh=True, force=False) == first == Counts(2, 1, 0)
    assert upper.given == []
    assert manifest.rows("00000") == results


class _Stop:
    name, at_a_time = "stop", 1

    def coded(self, tasks: Iterable[Task]) -> Coding:
        for task in tasks:
            yield task.number, Coded(b"made", 1, 1)


def test_a_store_that_is_gone_leaves_the_shard_undone(
    places: Any, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = _begin(memory, places)
    real = Target.write

    def write(self: Target, name: str, data: bytes) -> None:
        if name.endswith(".cwic"):
            raise StoreError("gone")
        real(self, name, data)

    monkeypatch.setattr(Target, "write", write)
    with pytest.raises(StoreError, match="gone"):
        do_shard("00000", memory, _Stop(), is_fresh=True, force=False)
    assert manifest.done() == set()


def test_temporary_folders_of_killed_processes_are_removed(
    places: Any, upper: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {f"cwic-batch-{gone.pid}-x", f"cwic-batch-{os.getppid()}-x", "other"}
    for name in names:
        (tmp_path / "tmp" / name).mkdir()
    _begin(str(places.target), places)
    do_shard("00000", str(places.target), upper, is_fresh=True, force=False)
    assert set(os.listdir(tmp_path / "tmp")) == names - {f"cwic-batch-{gone.pid}-x"}
