from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer

from cwic.cli.tree import Patterns, Plan, others_line, plan_all


def _is_png(suffix: str) -> bool:
    return suffix.lower() in (".png", ".jpg")


def _plan(inputs: Sequence[object], output: object, **patterns: Sequence[str]) -> Plan:
    return plan_all(
        list(map(str, inputs)), None if output is None else str(output), ".cwic", Patterns(**patterns), _is_png
    )


def _sources(plan: Plan, folder: Path) -> list[str]:
    return [os.path.relpath(job.source, folder) for job in plan.jobs]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("b.png", "a.PNG", "notes.txt", "x/y/deep.png", "x/thumbs/small.png", "x/deep.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_the_tree_is_kept(photos: Path, tmp_path: Path) -> None:
    plan = _plan([photos], tmp_path / "out")
    assert _sources(plan, photos) == ["a.PNG", "b.png", "x/deep.jpg", "x/thumbs/small.png", "x/y/deep.png"]
    targets = [os.path.relpath(job.target, tmp_path / "out") for job in plan.jobs]
    assert targets == ["a.cwic", "b.cwic", "x/deep.cwic", "x/thumbs/small.cwic", "x/y/deep.cwic"]
    assert all(job.makes_folder for job in plan.jobs)
    assert (plan.others, plan.unread, plan.folders) == ([str(photos / "notes.txt")], [], [str(photos)])
    assert not (tmp_path / "out").exists()


def test_files_alone_are_planned_as_ever(photos: Path) -> None:
    plan = _plan([photos / "notes.txt"], None)
    assert [(job.source, job.target) for job in plan.jobs] == [(str(photos / "notes.txt"), str(photos / "notes.cwic"))]
    assert plan.folders == []


def test_folders_and_files_side_by_side(photos: Path, tmp_path: Path) -> None:
    plan = _plan([photos / "x", photos / "b.png", photos / "x"], tmp_path / "out")
    targets = [os.path.relpath(job.target, tmp_path / "out") for job in plan.jobs]
    assert targets == ["deep.cwic", "thumbs/small.cwic", "y/deep.cwic", "b.cwic"]


def test_patterns_choose(photos: Path) -> None:
    for patterns, expected in (
        ({"include": ["*.png"]}, ["b.png", "x/thumbs/small.png", "x/y/deep.png"]),
        ({"include": ["deep.*", "b.*"]}, ["b.png", "x/deep.jpg", "x/y/deep.png"]),
        ({"include": ["x/*"], "exclude": ["thumbs"]}, ["x/deep.jpg", "x/y/deep.png"]),
        ({"exclude": ["x"]}, ["a.PNG", "b.png"]),
        ({"exclude": ["x/y/*", "?.PNG"]}, ["b.png", "x/deep.jpg", "x/thumbs/small.png"]),
    ):
        plan = _plan([photos], photos / "out", **patterns)
        assert _sources(plan, photos) == expected
    assert _plan([photos], photos / "out", include=["*.png"]).others == []
    with pytest.raises(typer.BadParameter, match="--include"):
        _plan([photos / "b.png"], None, include=["*"])


@pytest.mark.parametrize("output", [None, "-", "file"])
def test_the_outputs_of_a_folder_need_a_folder(photos: Path, tmp_path: Path, output: str | None) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(typer.BadParameter, match="-o must name"):
        _plan([photos], str(tmp_path / "file") if output == "file" else output)
    with pytest.raises(typer.BadParameter, match="only input"):
        _plan([photos, "-"], tmp_path / "out")


def test_outputs_are_never_inputs(photos: Path) -> None:
    out = photos / "x" / "out"
    out.mkdir()
    (out / "b.png").touch()
    (out / "b.cwic").touch()
    (photos / "b.cwic").touch()
    assert len(_plan([photos], out).jobs) == 5
    (photos / "link").symlink_to(out)
    assert len(_plan([photos], photos / "link").jobs) == 5
    beside = _plan([photos / "x" / "y"], photos / "x" / "y")
    (photos / "x" / "y" / "deep.cwic").touch()
    assert beside == _plan([photos / "x" / "y"], photos / "x" / "y")


def test_two_sources_of_one_output_clash_alone(photos: Path, tmp_path: Path) -> None:
    (photos / "b.jpg").touch()
    plan = _plan([photos], tmp_path / "out")
    assert {os.path.basename(job.source) for job in plan.jobs if job.clash} == {"b.png", "b.jpg"}
    assert len(plan.jobs) == 6


def test_links_to_folders_are_left_out_and_those_to_files_followed(photos: Path, tmp_path: Path) -> None:
    (photos / "x" / "loop.png").symlink_to(photos)
    (photos / "self").symlink_to("self")
    (photos / "gone.png").symlink_to("nowhere.png")
    (photos / "linked.png").symlink_to("b.png")
    os.mkfifo(photos / "pipe.png")
    plan = _plan([photos], tmp_path / "out")
    assert len(plan.jobs) == 6
    assert sorted(os.path.basename(path) for path in plan.others) == [
        "gone.png",
        "loop.png",
        "notes.txt",
        "pipe.png",
        "self",
    ]


def test_a_folder_that_cannot_be_read_is_told(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("thumbs"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    plan = _plan([photos], tmp_path / "out")
    assert len(plan.jobs) == 4
    assert [(os.path.basename(name), error.strerror) for name, error in plan.unread] == [
        ("thumbs", "Permission denied")
    ]


def test_names_that_are_no_text(photos: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(photos) + b"/caf\xe9.png")
    Path(odd).touch()
    (photos / f".cwic-{'0' * 16}.tmp").touch()
    plan = _plan([photos], tmp_path / "out", include=["caf?.png", "*.tmp"])
    assert [job.source for job in plan.jobs] == [odd]
    assert plan.jobs[0].target == os.fsdecode(os.fsencode(tmp_path) + b"/out/caf\xe9.cwic")
    assert plan.others == []


def test_files_left_out_are_named_up_to_a_number() -> None:
    assert others_line(["a\n", "b"], "picture") == "2 left out, no picture: a\\n, b"
    assert others_line(list("abcdefghij"), "x").endswith("g, h and 2 more")
