from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer

from cwic.cli import plan as module
from cwic.cli.job import Job, UsageError, check_job
from cwic.cli.plan import plan, without_clashes


def _targets(inputs: list[str], output: str | None) -> list[str]:
    return [job.target for job in plan(inputs, output, ".cwic")]


def test_outputs_are_named_after_inputs(tmp_path: Path) -> None:
    assert _targets(["a/photo.png", "b.tar.jpg", "noname"], None) == [
        "a/photo.cwic",
        "b.tar.cwic",
        "noname.cwic",
    ]
    assert _targets(["a/photo.png", "b.jpg"], str(tmp_path)) == [
        f"{tmp_path}/photo.cwic",
        f"{tmp_path}/b.cwic",
    ]
    assert _targets(["photo.png"], "other") == ["other"]
    assert _targets(["photo.png"], "-") == ["-"]
    assert _targets(["photo.png"], "/dev/stdout") == ["-"]
    assert _targets(["-"], None) == ["-"]
    assert _targets(["/dev/stdin"], None) == ["-"]
    assert _targets(["/dev/fd/63"], None) == ["-"]
    assert _targets(["-"], "out") == ["out"]


@pytest.mark.parametrize(
    ("inputs", "output", "reason"),
    [
        (["a.png", "b.png"], "one", "existing folder"),
        (["a.png", "b.png"], "-", "existing folder"),
        (["a.png", "-"], None, "only input"),
        (["a.png", "/dev/stdin"], None, "only input"),
        (["/dev/fd/63", "/dev/fd/62"], None, "several pipes"),
        (["-"], ".", "needs a file name"),
    ],
)
def test_names_that_cannot_work_are_usage_errors(inputs: list[str], output: str | None, reason: str) -> None:
    with pytest.raises(typer.BadParameter, match=reason):
        plan(inputs, output, ".cwic")


@pytest.mark.parametrize("inputs", [["a.png"], ["a.png", "b.png"]])
def test_a_name_that_ends_in_a_slash_is_a_folder(tmp_path: Path, inputs: list[str]) -> None:
    folder = tmp_path / "new" / "small"
    assert _targets(inputs, f"{folder}/")[0] == str(folder / "a.cwic")
    assert folder.is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(typer.BadParameter, match="cannot make the folder"):
        plan(inputs, f"{tmp_path}/file/", ".cwic")


def test_a_clash_refuses_only_those_that_clash() -> None:
    jobs = plan(["a.png", "b.png", "a.jpg"], None, ".cwic")
    assert [job.clash is None for job in jobs] == [False, True, False]
    assert "a.jpg too" in str(jobs[0].clash)
    assert "-o" in str(jobs[0].clash)
    with pytest.raises(UsageError, match=r"a\.png too") as refusal:
        check_job(jobs[2], force=True)
    assert refusal.value.exit_code == 2


def test_names_clash_however_they_are_spelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for other in ("./a.jpg", "real/../a.jpg", f"{tmp_path}/a.jpg"):
        assert all(job.clash for job in plan(["a.png", other], None, ".cwic")), other
    assert all(job.clash for job in plan(["real/a.png", "link/a.jpg"], None, ".cwic"))
    (tmp_path / "b.cwic").symlink_to("a.cwic")
    assert all(job.clash for job in plan(["a.png", "b.png"], None, ".cwic"))


def test_names_clash_in_case_alone_where_the_folder_folds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [str(tmp_path / name) for name in ("A.png", "a.jpg", "\u00e9.png", "e\u0301.jpg")]
    assert not any(job.clash for job in plan(names, None, ".cwic"))
    monkeypatch.setattr(module, "folds_case", lambda folder: True)
    assert all(job.clash for job in plan(names, None, ".cwic"))


def test_whether_a_folderfolds_case_is_seen_from_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Ab").touch()
    probe = module.folds_case.__wrapped__
    assert not probe(str(tmp_path))
    os.link(tmp_path / "Ab", tmp_path / "aB")  # stands for a file system that finds one file under both names
    assert probe(str(tmp_path))
    assert not probe(str(tmp_path / "missing"))


def test_an_input_named_twice_is_one_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert plan(["a.png", "./a.png", f"{tmp_path}/a.png"], None, ".cwic") == [Job("a.png", "a.cwic")]


def test_files_of_a_folder_with_one_output_are_renamed_or_left_out() -> None:
    jobs = [Job(name, "out/a.cwic", makes_folder=True) for name in ("in/a.png", "in/a.jpg")]
    assert all(str(job.clash).endswith("too: rename one, or --exclude it") for job in without_clashes(jobs))


def test_an_input_is_never_an_output_of_the_same_run(tmp_path: Path) -> None:
    (tmp_path / "b.cwic").symlink_to("a.png")
    inputs = [str(tmp_path / name) for name in ("a.png", "b.png")]
    first, second = plan(inputs, None, ".cwic")
    assert first.clash is None
    assert "itself an input" in str(second.clash)
