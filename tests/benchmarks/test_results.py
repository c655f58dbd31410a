"""That the documents say what results/ holds; and the parts of the script that makes them so."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cwic.evaluation.codecs.registry import PEERS
from cwic.evaluation.rows import read_tsv
from cwic.evaluation.summary import means
from cwic.models import catalog

ROOT = Path(__file__).parents[2]
MODELS = catalog.shipped()
SETS = {"kodak": 24, "clic": 30, "val": 6}
"""How many pictures each has."""


@pytest.fixture(scope="module")
def results(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(ROOT / "benchmarks" / "results.py")


def test_documents_agree_with_the_results(results: ModuleType) -> None:
    for path, text in results.documents().items():
        assert path.read_text("utf-8") == text, f"{path.name} quotes other figures than results/ holds: make results"


@pytest.mark.parametrize("name", ["kodak", "clic"])
def test_the_curves_are_those_of_the_results(results: ModuleType, name: str) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    path = ROOT / "results" / name / "rd.svg"
    assert path in results.CURVES
    drawn = path.read_bytes()
    if f"Matplotlib v{matplotlib.__version__}," not in drawn.decode():
        pytest.skip("drawn by another version of matplotlib")
    assert drawn == results.curves(path), "make results draws it anew"


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("codec", [*MODELS, *PEERS])
def test_summaries_are_the_means_of_their_tables(results: ModuleType, name: str, codec: str) -> None:
    if codec not in results.codecs(name):
        pytest.skip("not measured on this set")
    folder = ROOT / "results" / name
    rows = read_tsv((folder / f"{codec}.tsv").read_bytes())
    summary = json.loads((folder / f"{codec}.json").read_text())
    points = means(rows)
    assert [point.quality for point in points] == list(results.qualities(name, codec))
    assert len({row.image for row in rows}) == SETS[name]
    assert summary["meta"]["failed"] == []
    assert summary["meta"]["quality"] == [point.quality for point in points]
    for key, values in summary["results"].items():
        assert values == pytest.approx([point.results()[key] for point in points], nan_ok=True)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("model", MODELS)
def test_more_quality_is_more_bits_and_less_error_without_a_dip(results: ModuleType, name: str, model: str) -> None:
    if model not in results.codecs(name):
        pytest.skip("not measured on this set")
    rows = read_tsv((ROOT / "results" / name / f"{model}.tsv").read_bytes())
    points = means(rows)
    assert len(points) == (len(results.qualities(name, model)) if name == "clic" else 21)
    bits = np.log([point.bpp for point in points])
    scale = 1.0
    if model.endswith("ms-ssim"):
        fidelity = -10 * np.log10(1 - np.array([point.ms_ssim_rgb for point in points]))
    elif model.endswith("eye") and name == "kodak":
        fidelity, scale = np.array([point.ssimulacra2 for point in points]), 6.0  # points that count like a decibel
    else:
        fidelity = np.array([point.psnr_rgb_db for point in points])
    assert (np.diff(bits) > 0).all()
    assert (np.diff(fidelity) > 0).all()
    if name == "clic":
        return  # Its points are too far apart for what follows.
    # Nowhere is a point clearly below the line between its neighbours, around which the curve bends by 0.03 dB.
    between = (bits[1:-1] - bits[:-2]) / (bits[2:] - bits[:-2])
    assert (fidelity[1:-1] - (fidelity[:-2] + between * (fidelity[2:] - fidelity[:-2]))).min() > -0.05 * scale


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("model", ["cwic-s", "cwic-m"])
def test_no_picture_is_worse_than_jpeg_at_the_same_bytes(results: ModuleType, name: str, model: str) -> None:
    if model not in results.codecs(name):
        pytest.skip("not measured on this set")
    ours, jpeg = (_curves(ROOT / "results" / name / f"{codec}.tsv") for codec in (model, "jpeg"))
    assert ours.keys() == jpeg.keys()
    for image, (bits, psnr) in ours.items():
        inside = (bits >= jpeg[image][0][0]) & (bits <= jpeg[image][0][-1])
        # Below the rates of JPEG's lowest quality there is nothing to compare; smooth pictures are there for long.
        assert inside.sum() >= {"kodak": 5, "val": 4, "clic": 1}[name], image
        assert (psnr[inside] > np.interp(bits[inside], *jpeg[image])).all(), image


def _curves(table: Path) -> dict[str, np.ndarray]:
    """For each picture of a table `[2, qualities]`: log2 of its bits a pixel, rising, and its PSNR in dB."""
    rows = read_tsv(table.read_bytes())
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        points.setdefault(row.image, []).append((math.log2(row.bpp), row.psnr_rgb_db))
    return {image: np.array(sorted(found)).T for image, found in points.items()}


def test_published_curves_name_their_source() -> None:
    files = {name: sorted((ROOT / "results" / name / "published").glob("*.json")) for name in ("kodak", "clic")}
    assert {name: len(found) for name, found in files.items()} == {"kodak": 18, "clic": 4}
    for name, found in files.items():
        for file in found:
            summary = json.loads(file.read_text())
            assert summary["meta"]["source"], file.name
            assert summary["meta"]["url"].startswith("https://"), file.name
            assert summary["meta"]["dataset"] == name, file.name
            assert len({len(values) for values in summary["results"].values()}) == 1, file.name


def test_every_set_is_measured_and_the_worst_code_counts(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(command)
        return SimpleNamespace(returncode=3 if str(tmp_path / "kodak") in command else 0)

    monkeypatch.setattr(results.subprocess, "run", run)
    assert results.measure(tmp_path) == 3
    assert set(results.SETS) == set(SETS)
    for name in SETS:
        parts = {part.removeprefix("-c") for command in commands if str(tmp_path / name) in command for part in command}
        assert set(results.codecs(name)) == {codec for codec in (*MODELS, *PEERS) if codec in parts}, name
        assert (set(results.EFFORTS) <= parts) == (name == "kodak")


def test_a_large_set_is_measured_at_some_qualities_from_end_to_end(results: ModuleType) -> None:
    assert results.qualities("clic", "cwic-s") == (0, 15, 30, 45, 55, 70, 85, 100)
    assert results.qualities("kodak", "cwic-s") == tuple(range(0, 101, 5))
    for codec, peer in PEERS.items():
        some = results.qualities("clic", codec)
        assert len(set(some)) == 8
        assert (some[0], some[-1]) == (peer.qualities[0], peer.qualities[-1])


def test_a_block_is_replaced_and_nothing_else(results: ModuleType) -> None:
    text = "a\n<!-- x: by a tool -->\nold\nold\n<!-- end of x -->\nb\n<!-- y: z -->\nkept\n<!-- end of y -->\n"
    assert results.with_block(text, "x", "new \\1") == text.replace("old\nold", "new \\1")
    with pytest.raises(ValueError, match="no block"):
        results.with_block(text, "z", "new")


def test_a_fresh_model_card_gets_its_blocks(results: ModuleType) -> None:
    card = results.with_section("# mine\n")
    assert card.startswith("# mine\n\n## Rate and distortion on Kodak\n")
    assert results.with_section(card) == card
    for name in ("rd-points", "bd-rates"):
        assert "| 1 |" in results.with_block(card, name, "| 1 |")


@pytest.mark.parametrize("model", MODELS)
def test_the_figures_are_of_the_model_in_the_package(model: str) -> None:
    """Fails after new weights until they are measured."""
    description = json.loads((ROOT / "results" / "kodak" / f"{model}.json").read_text())["description"]
    found = re.search(r"\((\w+)\)$", description)
    assert found is not None
    assert found[1] == catalog.id_of(model).hex(), "make results measures the new model"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 150


def test_the_table_of_the_readme_leaves_out_what_nobody_measured(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("kodak/avif", "kodak/cwic-s", "kodak/cwic-s-eye", "clic/cwic-s", "clic/published/cool-chic-5.0"):
        file = tmp_path / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((ROOT / "results" / f"{name}.json").read_bytes())
    (tmp_path / "kodak" / "cwic-m-eye.json").write_bytes((tmp_path / "kodak" / "cwic-s.json").read_bytes())
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "MODELS", ("cwic-s", "cwic-m", "cwic-s-eye", "cwic-m-eye"))

    head, _, *rows = results.summary_table().splitlines()
    columns = ["same SSIMULACRA 2: cwic-s-eye", "same SSIMULACRA 2: cwic-m-eye", "same PSNR: cwic-s"]
    assert [cell.strip() for cell in head.split("|")[2:-1]] == columns
    assert [row.split("|")[1].strip() for row in rows] == [
        "AVIF (speed 6, Pillow's default)",
        "Cool-chic 5.0, learned for each picture (CLIC-30)",
    ]
    assert re.fullmatch(r"\| Cool-chic [^|]+\| – \| – \| \+\d+\.\d % \|", rows[1])
    assert results.rd_table("cwic-m") == results.NOT_MEASURED


def test_curves_that_nobody_measured_are_left_out(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "jpeg.json").write_bytes((ROOT / "results" / "kodak" / "jpeg.json").read_bytes())
    path = tmp_path / "rd.svg"
    monkeypatch.setitem(results.CURVES, path, results.Chart("one", 2.0, ("jpeg", "cwic-m-eye")))
    assert b"jpeg" in results.curves(path)
    assert b"cwic-m-eye" not in results.curves(path)
