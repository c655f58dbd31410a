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

from cwic.cli import bar
from cwic.cli.measure import _qualities
from cwic.evaluation import run
from cwic.evaluation.codecs.registry import PEERS

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
    assert [line.split() for line in answer.err.splitlines()] == [
        [f"{number}/4", image, name]
        for number, (image, name) in enumerate([(i, n) for i in ("a.png", "b.png") for n in ("cwic-s", "jpeg")], 1)
    ]  # the codecs take turns

    assert sorted(path.name for path in out.iterdir()) == ["cwic-s.json", "cwic-s.tsv", "jpeg.json", "jpeg.tsv"]
    rows = [line.split("\t") for line in (out / "jpeg.tsv").read_text().splitlines()]
    assert [row[2:4] + row[5:7] for row in rows[1:3]] == [["20", "a.png", "180", "170"], ["20", "b.png", "30", "20"]]
    summary = json.loads((out / "jpeg.json").read_text())
    assert summary["meta"]["dataset"] == "set"
    assert summary["meta"]["images"] == 2
    assert summary["meta"]["quality"] == [20, 40, 60]
    bpp = [float(row[8]) for row in rows[1:3]]
    assert summary["results"]["bpp"][0] == pytest.approx(sum(bpp) / 2, abs=1e-6)
    assert all(len(values) == 3 for values in summary["results"].values())


def test_json(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    answer = run_cwic("eval", folder, "-q", "50", "-o", tmp_path, "--json")
    record = json.loads(answer.out)
    assert record["codec"] == "cwic-s-eye"
    assert record["psnr-rgb"] is None  # this codec loses nothing, and JSON has no infinity
    assert record["ms-ssim-rgb"] is None  # one of the pictures is too small for it


def test_a_bad_picture_is_named_and_does_not_stop_the_others(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "aa.png").write_bytes((folder / "a.png").read_bytes()[:200])
    answer = run_cwic("eval", folder, "-c", "jpeg", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    errors = [line for line in answer.err.splitlines() if line.startswith("cwic: ")]
    assert len(errors) == 1
    assert "aa.png: picture is damaged" in errors[0]
    meta = json.loads((tmp_path / "jpeg.json").read_text())["meta"]
    assert (meta["images"], meta["failed"]) == (2, ["aa.png"])


def test_a_picture_of_odd_mode_is_one_clear_line(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    Image.new("CMYK", (30, 20)).save(folder / "cmyk.tif")
    answer = run_cwic("eval", folder, "-c", "jpeg", "-c", "webp", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    [line] = [line for line in answer.err.splitlines() if "cmyk" in line]
    assert line.startswith(f"cwic: {folder / 'cmyk.tif'}: picture is CMYK: convert it to RGB first")
    assert json.loads((tmp_path / "webp.json").read_text())["meta"]["failed"] == ["cmyk.tif"]


def test_a_picture_that_a_codec_refuses_is_left_out_of_its_means(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (16_384, 1)).save(folder / "wide.png")
    answer = run_cwic("eval", folder, "-c", "jpeg", "-c", "webp", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    assert answer.err.count("wide.png: webp at quality 50: ") == 1
    assert "wide.png" in (tmp_path / "jpeg.tsv").read_text()
    assert "wide.png" not in (tmp_path / "webp.tsv").read_text()
    # And the two are no curves to compare.
    ids = {json.loads((tmp_path / f"{name}.json").read_text())["meta"]["pictures"] for name in ("jpeg", "webp")}
    assert len(ids) == 2


def test_an_encoder_that_fails_does_not_stop_the_others(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    commands = [sys.executable, "-c", "raise SystemExit('out of order')", "{input}", "{output}"]
    program = tmp_path / "broken.toml"
    entries = {"description": "x", "suffix": ".x", "picture": ".ppm", "decode": commands, "qualities": [50]}
    program.write_text(
        "\n".join(f"{k} = {json.dumps(v)}" for k, v in {**entries, "encode": [*commands, "{quality}"]}.items())
    )
    answer = run_cwic("eval", folder, "-c", program, "-c", "jpeg", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    errors = [line for line in answer.err.splitlines() if line.startswith("cwic: ")]
    assert len(errors) == 2
    assert all("broken at quality 50" in line and line.endswith("out of order") for line in errors)
    assert [line.split()[0] for line in answer.out.decode().splitlines()] == ["codec", "jpeg"]
    assert not (tmp_path / "broken.tsv").exists()


def test_a_missing_package_is_one_line_and_the_rest_goes_on(
    run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    answer = run_cwic("eval", folder, "-c", "jpegxl", "-c", "jpeg", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    assert answer.err.splitlines()[0] == "cwic: jpegxl: imagecodecs is not installed: pip install cwic[eval]"
    assert (tmp_path / "jpeg.json").exists()


def test_a_stopped_run_goes_on(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    args = ["eval", folder, "-c", "jpeg", "-q", "20,60", "-o", tmp_path]
    first = run_cwic(*args)
    table = tmp_path / "jpeg.tsv"
    whole = table.read_text()
    table.write_text(whole[: whole.rindex("jpeg\t")])  # all but b.png at 60
    again = run_cwic(*args)
    assert again.code == 0
    assert again.err.splitlines() == ["1/1  b.png  jpeg"]
    assert [line.split()[:5] for line in again.out.splitlines()] == [
        line.split()[:5] for line in first.out.splitlines()
    ]
    # Nothing left to do: all of it is shown, and nothing measured.
    assert run_cwic(*args)[:3:2] == (0, "")


def test_each_codec_has_its_own_qualities(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "a.png").unlink()
    run_cwic("eval", folder, "-c", "jpeg", "-c", "jpeg2000", "-o", tmp_path)
    for name in ("jpeg", "jpeg2000"):
        assert json.loads((tmp_path / f"{name}.json").read_text())["meta"]["quality"] == list(PEERS[name].qualities)


def test_jobs_are_passed_on_and_stated(
    run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def measure(tasks: Any, jobs: int) -> Any:
        asked.append(jobs)
        return real(tasks, 1)

    real = run.measure
    monkeypatch.setattr(run, "measure", measure)
    answer = run_cwic("eval", folder, "-c", "jpeg", "-q", "50", "-j", "2", "-o", tmp_path)
    assert (answer.code, asked) == (0, [2])
    assert json.loads((tmp_path / "jpeg.json").read_text())["meta"]["jobs"] == 2


def test_the_optional_columns(run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "a.png").unlink()
    args = ["eval", folder, "-c", "jpeg", "-q", "50", "--ssimulacra2", "-o", tmp_path]
    answer = run_cwic(*args)
    assert (answer.code, answer.out.decode().splitlines()[0].split()[-1]) == (0, "SSIMULACRA2")
    assert "\tssimulacra2\t" in (tmp_path / "jpeg.tsv").read_text()
    monkeypatch.setattr("cwic.evaluation.metrics.BUTTERAUGLI", "no_such_program")
    answer = run_cwic(*args, "--butteraugli")
    assert (answer.code, answer.err.count("libjxl-devtools")) == (1, 1)


def test_nothing_is_written_when_every_picture_fails(run_cwic: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    answer = run_cwic("eval", tmp_path, "-q", "50", "-o", tmp_path / "out")
    assert (answer.code, answer.out) == (1, b"")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [".", "missing"])
def test_no_pictures(run_cwic: Run, tmp_path: Path, name: str) -> None:
    answer = run_cwic("eval", tmp_path / name, "-o", tmp_path / "out")
    assert answer.code == 1
    assert "no pictures" in answer.err
    assert not (tmp_path / "out").exists()


def test_other_results_are_not_replaced_without_force(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "jpeg.tsv").write_text("old")
    args = ["eval", folder, "-c", "jpeg", "-c", "webp", "-q", "50", "-o", tmp_path]
    answer = run_cwic(*args)
    assert answer.code == 6
    assert "jpeg.tsv exists already, and it has other columns" in answer.err
    assert (tmp_path / "jpeg.tsv").read_text() == "old"
    assert (tmp_path / "webp.json").exists()
    assert run_cwic(*args, "-f").code == 0
    assert json.loads((tmp_path / "jpeg.json").read_text())["name"] == "jpeg"


def test_the_table_is_shown_when_the_results_cannot_be_written(
    run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cwic.evaluation.run.write_atomically", full)
    answer = run_cwic("eval", folder, "-c", "jpeg", "-q", "50", "-o", tmp_path)
    assert answer.code == 1
    assert "cwic: jpeg: No space left on device" in answer.err
    assert answer.out.decode().splitlines()[1].split()[:2] == ["jpeg", "50"]


def test_unknown_codec(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    answer = run_cwic("eval", folder, "-c", "gif", "-o", tmp_path)
    assert answer.code == 1
    assert "there are: cwic-s, cwic-s-eye, cwic-m, cwic-m-eye, cwic-s-ms-ssim, jpeg" in answer.err


def test_it_needs_no_extra(run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "pytorch_msssim", "matplotlib", "imagecodecs", "bjontegaard"):
        monkeypatch.setitem(sys.modules, package, None)
    assert run_cwic("eval", folder, "-q", "50", "-o", tmp_path).code == 0
    assert "\tinf\t1.000000\t" in (tmp_path / "cwic-s-eye.tsv").read_text()


def test_an_engine_that_is_not_there_ends_it_before_it_begins(
    run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CWIC_ENGINE", "steam")
    answer = run_cwic("eval", folder, "-c", "jpeg", "-o", tmp_path)
    assert (answer.code, answer.err.count("\n"), answer.out) == (1, 1, b"")
    assert "CWIC_ENGINE is 'steam'" in answer.err


def test_two_codecs_of_one_name(run_cwic: Run, folder: Path, tmp_path: Path) -> None:
    source = Path(__file__).parents[2] / "examples" / "codecs" / "cjpeg.toml"
    program = tmp_path / "jpeg.toml"
    program.write_text(
        source.read_text().replace('["cjpeg"', f'["{sys.executable}"').replace('["djpeg"', f'["{sys.executable}"')
    )
    assert run_cwic("eval", folder, "-c", program, "-c", "jpeg", "-o", tmp_path).code == 2


@pytest.mark.parametrize(
    ("codec", "quality"), [("jpeg", "12.5"), ("cwic-s", "12.55"), ("jpeg", "5:95"), ("jpeg2000", "0")]
)
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


def test_on_a_terminal_a_bar_shows_how_far_it_is(
    run_cwic: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = []
    monkeypatch.setattr(bar, "is_possible", lambda: True)
    monkeypatch.setattr(bar.Bar, "tell", lambda self, *what: reported.append(what))
    answer = run_cwic("eval", folder, "-c", "jpeg", "-q", "50", "-o", tmp_path)
    assert [what for what in reported if what[0] == "measurements"] == [("measurements", 1, 2), ("measurements", 2, 2)]
    assert "jpeg" not in answer.err
