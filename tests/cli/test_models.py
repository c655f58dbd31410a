from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import cwic
from cwic.latents.levels import KNOTS
from cwic.models import catalog
from cwic.models.registry import PartSummary
from cwic.models.weights import load_weights

Run = Callable[..., Any]


def test_list(run_cwic: Run) -> None:
    lines = run_cwic("models", "list").out.decode().splitlines()
    assert [line.split()[0] for line in lines] == list(catalog.CATALOG)
    assert ["no weights" in line for line in lines] == [not row.shipped for row in catalog.CATALOG.values()]
    records = [json.loads(line) for line in run_cwic("models", "list", "--json").out.splitlines()]
    assert [(r["model"], r["weights"]) for r in records] == [(n, row.shipped) for n, row in catalog.CATALOG.items()]


def test_show(run_cwic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (PartSummary("g_a", 1200, 1000.4), PartSummary("total", 1200, 1000.4))
    found = catalog.describe("cwic-s")._replace(parts=rows)
    monkeypatch.setattr(catalog, "describe", lambda name: found)
    monkeypatch.setitem(sys.modules, "torch", None)
    lines = run_cwic("models", "show", "cwic-s").out.decode().splitlines()
    assert [line.split() for line in lines] == [
        ["part", "parameters", "MAC/pixel"],
        ["g_a", "1,200", "1,000"],
        ["total", "1,200", "1,000"],
    ]
    records = [json.loads(line) for line in run_cwic("models", "show", "cwic-s", "--json").out.splitlines()]
    assert records[-1] == {"part": "total", "parameters": 1200, "mac_per_pixel": 1000.4}


def test_what_has_no_weights_or_does_not_say_is_counted(run_cwic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from cwic.lab import cost

    rows = [PartSummary("total", 5, 6.0)]
    asked: list[Any] = []
    monkeypatch.setattr(cost, "parts", lambda config: asked.append(config) or rows)
    found = catalog.describe("cwic-s")._replace(parts=())
    assert json.loads(run_cwic("models", "show", "cwam2024", "--json").out) == rows[0]._asdict()
    monkeypatch.setattr(catalog, "describe", lambda name: found)
    assert json.loads(run_cwic("models", "show", "cwic-s", "--json").out) == rows[0]._asdict()
    assert asked == [catalog.CATALOG["cwam2024"].config, found.config]


def test_what_needs_torch_says_so(run_cwic: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    answer = run_cwic("models", "show", "cwam2024", "--json")
    assert (answer.code, answer.err) == (1, "cwic: cwam2024: torch is not installed: pip install cwic[train]\n")
    answer = run_cwic("models", "import", "a.pth", "-o", tmp_path / "a.safetensors")
    assert (answer.code, answer.err) == (1, "cwic: a.pth: torch is not installed: pip install cwic[train]\n")


def test_unknown_name(run_cwic: Run) -> None:
    answer = run_cwic("models", "show", "other")
    assert answer.code == 4
    assert "cwic-s" in answer.err


def test_import(run_cwic: Run, checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "published.safetensors"
    answer = run_cwic("models", "import", checkpoint, "-o", output)
    assert (answer.code, answer.err) == (0, "")
    model_id = catalog.id_of(str(output)).hex()
    assert answer.out.decode() == f"{checkpoint} -> {output}  family cwam2024  model {model_id}\n"
    assert run_cwic("models", "show", output).out.decode().splitlines()[-1].startswith("total")

    photo = tmp_path / "photo.png"
    Image.effect_noise((50, 70), 40).convert("RGB").save(photo)
    assert run_cwic("encode", photo, "-m", output).code == 0
    assert json.loads(run_cwic("info", photo.with_suffix(".cwic"), "--json").out)["model_id"] == model_id
    assert run_cwic("decode", photo.with_suffix(".cwic"), "-o", tmp_path / "a.png").code == 4
    assert run_cwic("decode", photo.with_suffix(".cwic"), "-o", tmp_path / "a.png", "-m", output).code == 0
    with Image.open(tmp_path / "a.png") as decoded:
        assert decoded.size == (50, 70)
    refused = run_cwic("encode", photo, "-f", "-m", output, "-q", 50)
    assert refused.code == 2
    assert "has one rate: leave quality and target out" in " ".join(refused.err.split())


def test_weights_of_an_earlier_version_keep_their_id(
    run_cwic: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cwic.lab import cost, earlier_weights

    earlier = tmp_path / "mine.safetensors"
    monkeypatch.setattr(earlier_weights, "load_earlier", lambda path: {earlier: catalog.open_model("cwic-s")}[path])
    monkeypatch.setattr(cost, "parts", lambda config: [PartSummary("total", 5, 6.0)])
    output = tmp_path / "now.safetensors"
    answer = run_cwic("models", "import", earlier, "-o", output, "--json")
    shipped = catalog.describe("cwic-s")
    assert json.loads(answer.out) == {
        "input": str(earlier),
        "output": str(output),
        "family": "cwic",
        "model_id": shipped.model_id.hex(),
    }
    assert catalog.describe(str(output)) == shipped._replace(parts=(PartSummary("total", 5, 6.0),))


def test_import_writes_over_nothing_and_leaves_nothing_behind(run_cwic: Run, checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "published.safetensors"
    output.write_bytes(b"old")
    assert run_cwic("models", "import", checkpoint, "-o", output).code == 6
    assert output.read_bytes() == b"old"
    assert run_cwic("models", "import", checkpoint, "-o", tmp_path / "published.pth").code == 2
    assert run_cwic("models", "import", checkpoint, "-o", tmp_path / "none" / "a.safetensors").code == 1
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(checkpoint.read_bytes()[:5000])
    answer = run_cwic("models", "import", damaged, "-o", tmp_path / "new.safetensors")
    assert (answer.code, answer.err.count("\n")) == (4, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.pth", "published.safetensors"]


def test_small_pictures_are_fitted(run_cwic: Run, tmp_path: Path, cwam2024_weights: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(catalog.weights_path("cwic-s").read_bytes())
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    Image.effect_noise((390, 400), 40).convert("RGB").save(photographs / "large.png")
    Image.effect_noise((390, 300), 40).convert("RGB").save(photographs / "small.png")
    answer = run_cwic("models", "preview", weights, photographs, "--json")
    target = tmp_path / "mine.preview.npy"
    assert json.loads(answer.out) == {"model": str(weights), "pictures": 1, "output": str(target)}
    assert load_weights(weights).data.preview is not None
    before = target.read_bytes()
    assert run_cwic("models", "preview", weights, photographs).code == 6
    assert target.read_bytes() == before
    (photographs / "large.png").unlink()
    answer = run_cwic("models", "preview", weights, photographs, "-f")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "has 384 pixels a side" in answer.err
    assert target.read_bytes() == before
    answer = run_cwic("models", "preview", cwam2024_weights, photographs)
    assert "there is nothing to fit" in answer.err
    assert not cwam2024_weights.with_suffix(".preview.npy").exists()


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A folder with a picture of 384 pixels a side."""
    (tmp_path / "photographs").mkdir()
    coarse = Image.effect_noise((24, 24), 80).convert("RGB")
    coarse.resize((384, 384), Image.Resampling.BICUBIC).save(tmp_path / "photographs" / "large.png")
    return tmp_path / "photographs"


def test_qualities_are_spaced(run_cwic: Run, tmp_path: Path, photograph: Path, cwam2024_weights: Path) -> None:
    first, spaced = tmp_path / "first.safetensors", tmp_path / "spaced.safetensors"
    shutil.copy(catalog.weights_path("cwic-s-ms-ssim-1"), first)
    arguments = ("models", "space", first, photograph, "--bits-of", "cwic-s", "-o", spaced)
    answer = run_cwic(*arguments, "--shared", "--json")
    told = json.loads(answer.out)
    assert told["output"] == str(spaced)
    assert catalog.id_of(str(spaced)).hex() == told["model_id"] != catalog.id_of(str(first)).hex()
    assert len(told["positions"]) == KNOTS
    assert spaced.stat().st_size < first.stat().st_size / 20
    pixels = photograph / "large.png"
    sizes = [len(cwic.encode(pixels, quality=50, model=str(model))) for model in (first, spaced, "cwic-s")]
    assert abs(sizes[1] / sizes[2] - 1) < 0.02 < abs(sizes[0] / sizes[2] - 1)
    assert run_cwic(*arguments).code == 6
    assert run_cwic(*arguments[:-1], tmp_path / "spaced.bin").code == 2
    answer = run_cwic("models", "space", cwam2024_weights, photograph, "--bits-of", "cwic-s", "-o", spaced, "-f")
    assert "a model of one rate" in answer.err
