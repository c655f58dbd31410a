from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cwic.batch.listing import OWN_FOLDER, Told, _s3_pages, in_folder, matching
from cwic.batch.manifest import Manifest, Plan
from cwic.batch.planning import make_plan
from cwic.batch.shard import Counts, do_shard
from cwic.batch.store import Target
from cwic.cli.tree import Patterns
from cwic.errors import InputError


def test_a_folder(places: Any, told: Told) -> None:
    (places.source / "link").symlink_to(places.source)
    (places.source / "to.t").symlink_to(places.source / "a.t")
    (places.source / "broken.t").symlink_to("nowhere")
    os.mkfifo(places.source / "pipe.t")
    (places.source / OWN_FOLDER).mkdir()
    (places.source / OWN_FOLDER / "c.t").write_text("own")
    (places.source / f".cwic-{'0' * 16}.tmp").write_text("temporary")
    found = sorted(in_folder(str(places.source), places.wanted(), told))
    outputs = [entry.output for entry in found]
    assert outputs == ["a.cwic", "bad.cwic", "broken.cwic", "sub/b.cwic", "to.cwic"]
    assert [entry.size for entry in found] == [5, 3, -1, 2, 5]
    assert found[0].path == str(places.source / "a.t")
    assert found[0].mtime == (places.source / "a.t").stat().st_mtime
    left_out = {str(places.source / name) for name in ("notes.md", "pipe.t", "link")}
    assert (told.others, set(told.named)) == (3, left_out)


def test_the_target_inside_is_left_out(places: Any, told: Told) -> None:
    wanted = places.wanted(places.source / "sub")
    assert [entry.output for entry in sorted(in_folder(str(places.source), wanted, told))] == ["a.cwic", "bad.cwic"]


def test_patterns(places: Any, told: Told, memory: str) -> None:
    Target(memory).write("sub/b.t", b"b")
    Target(memory).write("sub/c.t", b"c")
    Target(memory).write("a.t", b"a")
    for source in (str(places.source), memory):
        wanted = places.wanted()._replace(choice=Patterns(["a*", "b.t"], ["bad*"]))
        outputs = sorted(entry.output for entry in in_folder(source, wanted, told))
        assert outputs == ["a.cwic", "sub/b.cwic"]
        wanted = places.wanted()._replace(choice=Patterns((), ["sub", "bad.t"]))
        assert [entry.output for entry in in_folder(source, wanted, told)] == ["a.cwic"]


def test_a_folder_that_cannot_be_read_is_told(places: Any, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> Any:
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert len(list(in_folder(str(places.source), places.wanted(), told))) == 2
    assert told.unread == [(str(places.source / "sub"), "Permission denied")]


def test_a_store(places: Any, told: Told, memory: str) -> None:
    target = Target(memory)
    for name in ("a.t", "deep/er/b.t", "notes.md", f"{OWN_FOLDER}/x.t", "out/c.t"):
        target.write(name, name.encode())
    wanted = places.wanted(f"{memory}/out")
    found = sorted(in_folder(memory, wanted, told))
    assert [(entry.path, entry.size, entry.output) for entry in found] == [
        (f"{memory}/a.t", 3, "a.cwic"),
        (f"{memory}/deep/er/b.t", 11, "deep/er/b.cwic"),
    ]
    assert told.others == 1


def test_names_with_stars(tmp_path: Path, memory: str) -> None:
    for name in ("b-1.tar", "b-0.tar", "c.tar"):
        (tmp_path / name).write_text("x")
        Target(memory).write(name, b"x")
    assert matching(str(tmp_path / "b-*.tar")) == [str(tmp_path / "b-0.tar"), str(tmp_path / "b-1.tar")]
    assert matching(f"{memory}/b-?.tar") == [f"{memory}/b-0.tar", f"{memory}/b-1.tar"]
    with pytest.raises(InputError, match="nothing fits"):
        matching(f"{memory}/d*")


def test_s3(places: Any, told: Told, s3: str, upper: Any) -> None:
    target = Target(f"{s3}/photos")
    for name in ("a.t", "deep/er/b c+ä%.t", "notes.md"):
        target.write(name, name.encode())
    found = sorted(in_folder(f"{s3}/photos/", places.wanted(f"{s3}/out"), told))
    assert [(entry.path, entry.size, entry.output) for entry in found] == [
        (f"{s3}/photos/a.t", 3, "a.cwic"),
        (f"{s3}/photos/deep/er/b c+ä%.t", 17, "deep/er/b c+ä%.cwic"),
    ]
    assert all(entry.etag and entry.mtime for entry in found)
    manifest = Manifest(Target(f"{s3}/out"))
    plan = make_plan(manifest, Plan(f"{s3}/photos", {}), places.wanted(f"{s3}/out"), str, shard=9, workers=1)[0]
    assert do_shard("00000", f"{s3}/out", upper, is_fresh=plan.is_fresh, force=False) == Counts(2, 0, 0)
    assert manifest.left(plan) == []
    assert Target(f"{s3}/out").read("deep/er/b c+ä%.cwic") == "DEEP/ER/B C+ä%.T".encode()
    assert list(in_folder(f"{s3}/photos/none", places.wanted(), told)) == []


def test_keys_come_in_pages() -> None:
    pytest.importorskip("tenacity")
    pages = {
        None: {"Contents": [{"Key": "p/a"}, {"Key": "p/"}], "IsTruncated": True, "NextContinuationToken": "2"},
        "2": {"Contents": [{"Key": "p/b"}], "IsTruncated": False},
    }
    asked = []

    class Store:
        def call_s3(self, name: str, **options: Any) -> Any:
            asked.append((name, options["Bucket"], options["Prefix"]))
            return pages[options.get("ContinuationToken")]

    assert [path for path, _ in _s3_pages(Store(), "bucket/p")] == ["bucket/p/a", "bucket/p/b"]
    assert asked == [("list_objects_v2", "bucket", "p/")] * 2
