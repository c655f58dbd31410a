from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from cwic.cli.eval import _qualities

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("fake_codec")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, one large enough for MS-SSIM, and a file that is none."""
    folder = tmp_path / "set"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (170, 180, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "a.png")
    Image.fromarray(noise[:20, :30, 0]).save(folder / "b.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_table_and_files(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results" / "set"
    answer = run_cwic("eval", folder, "-c", "cwic-s", "-c", "jpeg", "-q", "20:60:20", "-o", out)
    assert answer.code == 0
    lines = [line.split() for line in answer.out.decode().splitlines()]
    assert [line[:2] for line in lines[1:]] == [[name, q] for name in ("cwic-s", "jpeg") for q in ("20", "40", "60")]
    assert [line.split()[:2] for line in answer.err.splitlines()] == [["1/2", "a.png"], ["2/2", "b.png"]]

    assert sorted(path.name for path in out.iterdir()) == ["cwic-s.json", "cwic-s.tsv", "jpeg.json", "jpeg.tsv"]
    rows = [line.split("\t") for line in (out / "jpeg.tsv").read_text().splitlines()]
    assert [row[1:5] for row in rows[1:3]] == [["20", "a.png", "180", "170"], ["20", "b.png", "30", "20"]]
    summary = json.loads((out / "jpeg.json").read_text())
    assert summary["meta"]["dataset"] == "set"
    assert summary["meta"]["images"] == 2
    assert summary["meta"]["quality"] == [20, 40, 60]
    bpp = [float(row[6]) for row in rows[1:3]]
    assert summary["results"]["bpp"][0] == pytest.approx(sum(bpp) / 2, abs=1e-6)
    assert all(len(values) == 3 for values in summary["results"].values())


def test_json(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    answer = run_cwic("eval", folder, "-q", "50", "-o", tmp_path, "--json")
    record = json.loads(answer.out)
    assert record["codec"] == "cwic-s"
    assert record["psnr-rgb"] is None  # this codec loses nothing, and JSON has no infinity
    assert record["ms-ssim-rgb"] == pytest.approx(1, abs=1e-6)


def test_a_bad_picture_is_named_and_does_not_stop_the_others(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "aa.png").write_bytes((folder / "a.png").read_bytes()[:200])
    answer = run_cwic("eval", folder, "-c", "jpeg", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    errors = [line for line in answer.err.splitlines() if line.startswith("cwic: ")]
    assert len(errors) == 1
    assert "aa.png: picture is damaged" in errors[0]
    meta = json.loads((tmp_path / "jpeg.json").read_text())["meta"]
    assert (meta["images"], meta["failed"]) == (2, ["aa.png"])


def test_a_picture_that_one_codec_refuses_counts_for_none(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (16_384, 1)).save(folder / "wide.png")
    answer = run_cwic("eval", folder, "-c", "jpeg", "-c", "webp", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    assert "wide.png: webp at quality 50: " in answer.err
    assert "wide.png" not in (tmp_path / "jpeg.tsv").read_text()


def test_nothing_is_written_when_every_picture_fails(run_cwic: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    answer = run_cwic("eval", tmp_path, "-q", "50", "-o", tmp_path / "out")
    assert (answer.code, answer.out) == (1, b"")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", [".", "missing"])
def test_no_pictures(run_cwic: Run, tmp_path: Path, name: str) -> None:
    answer = run_cwic("eval", tmp_path / name, "-o", tmp_path / "out")
    assert answer.code == 1
    assert "no pictures" in answer.err
    assert not (tmp_path / "out").exists()


def test_results_are_not_replaced_without_force(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "jpeg.json").write_text("old")
    args = ["eval", folder, "-c", "jpeg", "-q", "50", "-o", tmp_path]
    answer = run_cwic(*args)
    assert answer.code == 6
    assert "1/2" not in answer.err  # before any work
    assert (tmp_path / "jpeg.json").read_text() == "old"
    assert run_cwic(*args, "-f").code == 0
    assert json.loads((tmp_path / "jpeg.json").read_text())["name"] == "jpeg"


def test_the_table_is_shown_when_the_results_cannot_be_written(
    run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cwic.image.files.write_atomically", full)
    answer = run_cwic("eval", folder, "-c", "jpeg", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    assert "cwic: jpeg: No space left on device" in answer.err
    assert answer.out.decode().splitlines()[1].split()[:2] == ["jpeg", "50"]


def test_unknown_codec(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    answer = run_cwic("eval", folder, "-c", "gif", "-o", tmp_path)
    assert answer.code == 1
    assert "there are: cwic-s, jpeg" in answer.err


def test_without_the_extra(run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
    answer = run_cwic("eval", folder, "-o", tmp_path)
    assert answer.code == 1
    assert answer.err.count("pip install cwic[eval]") == 1


@pytest.mark.parametrize(("codec", "quality"), [("jpeg", "12.5"), ("cwic-s", "12.55"), ("jpeg", "5:95")])
def test_qualities_that_a_codec_lacks_are_wrong_usage(
    run_cwic: Run, folder: Path, tmp_path: Path, codec: str, quality: str
) -> None:
    assert run_cwic("eval", folder, "-c", codec, "-q", quality, "-o", tmp_path).code == 2


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("50", [50]),
        ("5:95:30", [5, 35, 65, 95]),
        ("0:1:0.3", [0, 0.3, 0.6, 0.9]),
        ("90,10:30:10,20,12.5", [10, 12.5, 20, 30, 90]),
    ],
)
def test_qualities(text: str, values: list[float]) -> None:
    assert _qualities(text) == values


@pytest.mark.parametrize(
    "text", ["", "a", "5:", "5:95", "1:2:3:4", "-1", "101", "9:5:1", "5:9:0", "5:9:1e-9", "nan", "0:inf:1", "1,"]
)
def test_other_qualities_are_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        _qualities(text)
