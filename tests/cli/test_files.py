from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

from cwic.cli import common, files
from cwic.cli.files import MAX_TILES, Share, share
from cwic.cli.job import Job
from cwic.cli.outcome import Made
from cwic.cli.tree import Plan
from cwic.container import read_container
from cwic.errors import FormatError
from cwic.progress import listening

Run = Callable[..., Any]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        Image.effect_noise((30, 20), 50).convert("RGB").save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def _outputs(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("fake_codec")
def test_a_folder_there_and_back(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    answer = run_cwic("encode", photos, "-o", tmp_path / "small")
    assert answer.code == 0
    assert _outputs(tmp_path / "small") == ["a.cwic", "b.cwic", "sub/c.cwic"]
    assert len(answer.out.splitlines()) == 3
    left_out, summary = answer.err.splitlines()
    assert left_out == f"cwic: 1 left out, no picture: {photos}/notes.txt"
    assert summary.startswith("3 files: ")
    assert ", ratio " in summary
    answer = run_cwic("decode", tmp_path / "small", "-o", tmp_path / "back", "--json")
    assert answer.code == 0
    assert _outputs(tmp_path / "back") == ["a.png", "b.png", "sub/c.png"]
    assert [json.loads(line)["width"] for line in answer.out.splitlines()] == [30, 30, 30]
    assert Image.open(tmp_path / "back" / "sub" / "c.png").tobytes() == Image.open(photos / "sub/c.png").tobytes()


@pytest.mark.usefixtures("fake_codec")
def test_one_bad_file_is_one_line_and_an_exit_code(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "aa.png").write_text("no picture")
    answer = run_cwic("encode", photos, "-o", tmp_path / "out", "--exclude", "*.txt")
    assert answer.code == 1
    bad, summary = answer.err.splitlines()
    assert bad.startswith(f"cwic: {photos}/aa.png: ")
    assert summary.endswith(", 1 failed")
    assert len(_outputs(tmp_path / "out")) == 3


@pytest.mark.usefixtures("fake_codec")
def test_existing_outputs_are_refused_one_by_one(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "c.cwic").write_bytes(b"old")
    answer = run_cwic("encode", photos, "-o", out, "--include", "*.png")
    assert (answer.code, len(answer.out.splitlines())) == (6, 2)
    assert answer.err.splitlines()[0].endswith("exists already: -f replaces it")
    assert (out / "sub" / "c.cwic").read_bytes() == b"old"
    assert run_cwic("encode", photos, "-o", out, "-f").code == 0
    assert read_container((out / "sub" / "c.cwic").read_bytes()).header.width == 30
    assert run_cwic("encode", photos, "-o", out, "-f", "--skip-existing").code == 2


@pytest.mark.usefixtures("fake_codec")
def test_a_stopped_run_goes_on(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_cwic("encode", photos, "-o", out).code == 0
    whole = (out / "a.cwic").stat().st_mtime_ns
    (out / "b.cwic").write_bytes((out / "b.cwic").read_bytes()[:-3])
    (out / "sub" / "c.cwic").unlink()
    (out / "sub" / f".cwic-{'0' * 16}.tmp").write_bytes(b"half")
    answer = run_cwic("encode", photos, "-o", out, "--skip-existing", "--exclude", "*.txt", "--json")
    assert answer.code == 0
    skipped, *coded = map(json.loads, answer.out.splitlines())
    assert skipped == {"input": str(photos / "a.png"), "output": str(out / "a.cwic"), "skipped": True}
    assert [record["width"] for record in coded] == [30, 30]
    damaged, summary = answer.err.splitlines()
    assert damaged == f"cwic: {photos}/b.png: output {out}/b.cwic was damaged, and is replaced"
    assert summary.startswith("2 files: ")
    assert summary.endswith(", 1 skipped")
    assert (out / "a.cwic").stat().st_mtime_ns == whole
    assert _outputs(out) == ["a.cwic", "b.cwic", "sub/c.cwic"]


@pytest.mark.usefixtures("fake_codec")
def test_an_empty_folder_is_an_error(run_cwic: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    answer = run_cwic("encode", tmp_path / "empty", "-o", tmp_path / "out")
    assert (answer.code, answer.out) == (1, b"")
    assert answer.err == f"cwic: {tmp_path}/empty: there is no picture in it\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("fake_codec")
def test_a_folder_for_outputs_that_cannot_be_made(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("in the way")
    answer = run_cwic("encode", photos, "-o", tmp_path / "out", "--include", "*.png")
    assert answer.code == 1
    place = tmp_path / "out" / "sub"
    assert answer.err.splitlines()[0] == f"cwic: {photos}/sub/c.png: cannot make the folder {place}: {place} is a file"
    assert len(answer.out.splitlines()) == 2


@pytest.mark.usefixtures("fake_codec")
def test_two_names_are_input_and_output(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    assert run_cwic("encode", photos / "a.png", tmp_path / "x.cwic").code == 0
    assert run_cwic("decode", tmp_path / "x.cwic", tmp_path / "y.bmp").code == 0
    assert Image.open(tmp_path / "y.bmp").format == "BMP"
    assert run_cwic("decode", tmp_path / "x.cwic", tmp_path / "y.bmp").code == 6
    assert run_cwic("encode", photos, tmp_path / "x.cwic").code == 2


def test_jobs_are_files_or_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CWIC_THREADS", "8")
    one, three = [Job("a", "b")], [Job(name, "b") for name in "abc"]
    cpu, cuda = common.Device.cpu, common.Device.cuda
    assert share(None, one, cpu) == Share(1, 8, MAX_TILES)
    assert share(6, one, cpu) == Share(1, 8, 6)
    assert share(None, three, cpu) == Share(3, 2, 2)
    assert share(2, three, cpu) == Share(2, 4, 1)
    assert share(1, three, cpu) == Share(1, 8, 1)
    assert share(None, three, cuda) == Share(1, 8, 1)
    assert share(3, three, cuda) == Share(3, 2, 1)
    assert share(None, [*three, Job("/dev/fd/63", "b")], cpu).processes == 1


def _run(plan: Plan, work: Callable[[Job], Made]) -> None:
    files.run(
        plan,
        work,
        lambda record: f"made {record['input']}",
        share=Share(1, 1, 1),
        kind="picture",
        label="",
        force=False,
        skip_existing=False,
        as_json=False,
    )


def test_what_is_said_of_an_output_follows_its_writing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [Job(name, str(tmp_path / name)) for name in "ab"]

    def work(job: Job) -> Made:
        record = {"input": job.source, "width": 1, "height": 1, "seconds_by_stage": {}}
        return Made(record, job.source.encode(), notes=("note",), problem=FormatError("lost"))

    heard: list[tuple[str, int, int | None]] = []
    with pytest.raises(typer.Exit) as stop, listening(lambda *told: heard.append(told)):
        _run(Plan(jobs, [], [], []), work)
    assert stop.value.exit_code == 3
    assert (tmp_path / "a").read_bytes() == b"a"
    captured = capsys.readouterr()
    assert captured.out == "made a\nmade b\n"
    assert captured.err == "note\ncwic: a: lost\nnote\ncwic: b: lost\n"
    assert heard == [("files", done, 2) for done in range(3)]


def test_an_unreadable_folder_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan([Job("a", str(tmp_path / "a"))], [], [("photos/x", PermissionError(13, "No", "photos/x"))], ["photos"])
    with pytest.raises(typer.Exit):
        _run(plan, lambda job: Made({"input": "a", "width": 1, "height": 1}, b"x"))
    captured = capsys.readouterr()
    assert captured.err.startswith("cwic: photos/x: No")
    assert captured.out == "made a\n"


def test_an_interrupt_is_none_of_the_failures(tmp_path: Path) -> None:
    def work(_: Job) -> Made:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(Plan([Job("a", str(tmp_path / "a"))], [], [], []), work)
    assert os.listdir(tmp_path) == []
