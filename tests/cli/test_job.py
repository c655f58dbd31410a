from __future__ import annotations

import os
from pathlib import Path

import pytest

from cwic.cli.job import Job, check_job, check_target, check_writable, shown
from cwic.errors import InputError, OutputExistsError


def test_outputs_that_cannot_be_written_are_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_target(tmp_path / "new", force=False)
    check_target(Path("/dev/null"), force=False)
    with pytest.raises(InputError, match="does not exist"):
        check_target(tmp_path / "missing" / "new", force=True)
    (tmp_path / "old").touch()
    with pytest.raises(OutputExistsError):
        check_target(tmp_path / "old", force=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="nothing can be written"):
        check_target(tmp_path / "new", force=False)


def test_a_folder_that_is_still_to_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job("a.png", str(tmp_path / "new" / "deep" / "a.cwic"), makes_folder=True)
    check_job(job, force=False)
    with monkeypatch.context() as context:
        context.chdir(tmp_path)
        check_job(Job("a.png", "new/a.cwic", makes_folder=True), force=False)
        context.setattr(os, "access", lambda *_: False)
        with pytest.raises(InputError, match="nothing can be written to the folder"):
            check_job(job, force=False)
    (tmp_path / "new").touch()
    with pytest.raises(InputError, match="new is a file"):
        check_job(job, force=False)
    (tmp_path / "new").unlink()
    (tmp_path / "new" / "deep").mkdir(parents=True)
    Path(job.target).touch()
    with pytest.raises(OutputExistsError):
        check_job(job, force=False)


def test_where_nothing_can_be_written_is_tried(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    assert not list(tmp_path.iterdir())
    for path in (tmp_path / "missing" / "new", Path("/proc/new")):
        with pytest.raises(InputError, match="cannot be written"):
            check_writable(path)


def test_names_are_shown_on_one_line_whatever_is_in_them() -> None:
    assert shown("caf\u00e9 1.png") == "caf\u00e9 1.png"
    assert shown("caf\udce9.png") == "caf\\xe9.png"
    assert shown("a\nb\x1b[1m") == "a\\nb\\x1b[1m"
    assert str(Job("a\n", "b\udcff")) == "a\\n -> b\\xff"
