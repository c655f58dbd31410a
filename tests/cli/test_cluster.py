"""`cwic batch` on this machine, with the real codec. On a Ray cluster: tests/batch/test_on_ray.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for package in ("fsspec", "pyarrow", "tenacity"):
        pytest.importorskip(package)
    monkeypatch.setenv("CWIC_THREADS", "1")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    with Image.open(ROOT / "examples" / "coffee.png") as photograph:
        for number, name in enumerate(("a.png", "sub/b.png")):
            photograph.convert("RGB").crop((9 * number, 0, 9 * number + 48, 32)).save(folder / name)
    (folder / "bad.png").write_text("no picture")
    (folder / "notes.txt").write_text("no picture")
    return folder


def _outputs(folder: Path) -> list[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not path.startswith(".cwic-batch/"))


def test_there_and_back(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    small, one = tmp_path / "small", tmp_path / "one"
    answer = run_cwic("batch", photos, small, "-q", "30", "--strip", "--shard", "1")
    assert answer.code == 1
    assert answer.out.startswith(b"3 of 3 pictures, 3 of 3 shards, ")
    assert answer.err.splitlines() == [
        f"cwic: 1 left out, no picture: {photos}/notes.txt",
        f"cwic: {photos}/bad.png: InputError: not a picture of a format that Pillow reads",
    ]
    assert _outputs(small) == ["a.cwic", "sub/b.cwic"]
    run_cwic("encode", photos, "-o", one, "-q", "30", "--strip")
    assert [(small / name).read_bytes() for name in _outputs(small)] == [
        (one / name).read_bytes() for name in _outputs(one)
    ]

    times = [(small / name).stat().st_mtime_ns for name in _outputs(small)]
    assert run_cwic("batch", photos, small, "-q", "30", "--strip").code == 1  # nothing is left to do
    assert [(small / name).stat().st_mtime_ns for name in _outputs(small)] == times
    answer = run_cwic("batch", photos, small, "-q", "40", "--tile", "128", "--include", "*.png")
    assert answer.code == 1
    before = "--quality 30, --strip, no --tile, no --include"
    assert answer.err.endswith(f"the target belongs to a run with other options: {before}\n")
    answer = run_cwic("batch", tmp_path, small, "-q", "30", "--strip")
    assert answer.code == 1
    assert "the target belongs to a run over" in answer.err

    answer = run_cwic("batch", "status", small, "--json")
    assert answer.code == 1
    failure, sums = map(json.loads, answer.out.splitlines())
    assert (failure["input"], failure["error_type"]) == (f"{photos}/bad.png", "InputError")
    assert (sums["coded"], sums["failed"], sums["pixels"]) == (2, 1, 2 * 48 * 32)

    answer = run_cwic("batch", small, tmp_path / "back", "--decode", "--format", "jpg", "--json")
    assert (answer.code, json.loads(answer.out)["coded"]) == (0, 2)
    assert _outputs(tmp_path / "back") == ["a.jpg", "sub/b.jpg"]
    with Image.open(tmp_path / "back" / "a.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (48, 32))


def test_what_changed_and_what_failed_is_done_again(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run_cwic("batch", photos, out).code == 1
    before = (out / "sub" / "b.cwic").stat().st_mtime_ns
    (photos / "bad.png").write_bytes((photos / "a.png").read_bytes())
    Image.new("RGB", (20, 20)).save(photos / "a.png")
    answer = run_cwic("batch", photos, out, "--on-change")
    assert (answer.code, answer.err.splitlines()[-1]) == (0, "cwic: 2 changed, 0 new, 0 gone")
    assert _outputs(out) == ["a.cwic", "bad.cwic", "sub/b.cwic"]
    assert (out / "sub" / "b.cwic").stat().st_mtime_ns == before
    assert run_cwic("batch", photos, out, "--retry-failed").err == "cwic: 0 are tried again\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("x",),
        ("x", "y", "--format", "nothing", "--decode"),
        ("x", "y", "--decode", "--output-quality", "5"),
        ("x", "y", "--decode", "-q", "30"),
        ("x", "y", "--decode", "--strip"),
        ("x", "y", "--decode", "-e", "7"),
        ("x", "y", "--format", "jpg"),
        ("x", "y", "--output-quality", "30"),
        ("x", "y", "--cpus", "2"),
        ("x", "y", "--gpus", "2", "--device", "cuda"),
    ],
)
def test_usage(run_cwic: Run, arguments: tuple[str, ...]) -> None:
    assert run_cwic("batch", *arguments).code == 2


def test_help_names_both_commands(run_cwic: Run) -> None:
    answer = run_cwic("batch", "--help")
    assert answer.code == 0
    assert b"cwic batch status DST" in answer.out
    assert b"--include" in answer.out
    assert run_cwic("batch", "status", "--help").code == 0


def test_what_is_not_there(run_cwic: Run, photos: Path, tmp_path: Path) -> None:
    for arguments in ((tmp_path / "none", tmp_path / "out"), (photos, "nothing-of-the-kind://x"), ("status", photos)):
        answer = run_cwic("batch", *arguments)
        assert answer.code == 1
        assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("package", ["fsspec", "pyarrow", "tenacity", "ray"])
def test_without_its_packages(run_cwic: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    answer = run_cwic("batch", photos, photos / "out", *(["--ray", "auto"] if package == "ray" else []))
    assert answer.code == 1
    assert answer.err.strip().endswith(f"{package} is not installed: pip install cwic[cluster]")
