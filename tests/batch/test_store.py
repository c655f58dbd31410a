from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from cwic.batch.patience import StoreError
from cwic.batch.store import Target, open_store, read, times_and_tags
from cwic.errors import InputError

NAME = "sub/a.cwic"


@pytest.fixture(params=["local", "memory"])
def target(request: pytest.FixtureRequest, tmp_path: Path, memory: str) -> Target:
    return Target(str(tmp_path / "new") if request.param == "local" else memory)


def test_a_target_there_and_back(target: Target) -> None:
    assert target.names("") == []
    assert target.read(NAME) is None
    assert target.changed(NAME) is None
    before = time.time()
    target.write(NAME, b"first")
    target.write(NAME, b"second")
    assert target.read(NAME) == b"second"
    assert target.head(NAME, 3) == b"sec"
    assert target.names("sub") == ["a.cwic"]  # no other name is left
    assert target.names("") == ["sub"]
    changed = target.changed(NAME)
    assert changed is not None
    assert abs(changed - before) < 60
    assert target.changed("sub") == float("-inf")
    target.remove(NAME)
    target.remove(NAME)
    assert target.read(NAME) is None


def test_what_a_killed_run_left_is_tidied(target: Target) -> None:
    left = f"sub/.cwic-{'0' * 16}.tmp"
    target.write(NAME, b"x")
    target.write(left, b"half")
    target.tidy({"sub", "none"})
    assert target.names("sub") == ["a.cwic"]


def test_parts_are_read(tmp_path: Path, memory: str) -> None:
    Target(memory).write("a", b"0123456789")
    (tmp_path / "a").write_bytes(b"0123456789")
    for url in (f"{memory}/a", str(tmp_path / "a"), f"file://{tmp_path}/a"):
        assert read(url) == b"0123456789"
        assert read(url, 2, 3) == b"234"
    for url in (f"{memory}/b", str(tmp_path / "b")):
        with pytest.raises(InputError, match="No such file"):
            read(url)


def test_a_full_disk_ends_the_run_and_other_failures_one_picture(
    tmp_path: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fs, _ = open_store(memory)

    def fail(number: int) -> None:
        def pipe(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(type(fs), "pipe_file", pipe)

    fail(28)
    with pytest.raises(StoreError, match="No space left"):
        Target(memory).write("a", b"x")
    fail(36)
    with pytest.raises(InputError, match="cannot write the output: File name too long"):
        Target(memory).write("a", b"x")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write the output"):
        Target(str(tmp_path)).write("file/a", b"x")


def test_places_that_cannot_be(memory: str) -> None:
    with pytest.raises(InputError, match="no place that fsspec knows"):
        Target("nothing-of-the-kind://x")
    with pytest.raises(InputError):
        Target("http://localhost/x")


def test_times_and_tags_of_stores() -> None:
    moment = datetime(2026, 1, 2, tzinfo=timezone.utc)
    seconds = moment.timestamp()
    assert times_and_tags({"LastModified": moment, "ETag": '"abc"'}) == (seconds, "abc")
    assert times_and_tags({"updated": "2026-01-02T00:00:00Z"}) == (seconds, "")
    assert times_and_tags({"mtime": 1.5}) == (1.5, "")
    assert times_and_tags({"updated": "who knows"}) == (0.0, "")
