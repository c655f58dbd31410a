from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cwic.models import catalog
from cwic.models.catalog import PartSummary

Run = Callable[..., Any]


def test_list(run_cwic: Run) -> None:
    lines = run_cwic("models", "list").out.decode().splitlines()
    assert [line.split()[0] for line in lines] == list(catalog.CATALOG)
    assert ["no weights" in line for line in lines] == [not row.shipped for row in catalog.CATALOG.values()]
    records = [json.loads(line) for line in run_cwic("models", "list", "--json").out.splitlines()]
    assert [(r["model"], r["weights"]) for r in records] == [(n, row.shipped) for n, row in catalog.CATALOG.items()]


def test_show(run_cwic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [PartSummary("g_a", 1200, 1000.4), PartSummary("total", 1200, 1000.4)]
    monkeypatch.setattr(catalog, "summary", lambda name: rows)
    lines = run_cwic("models", "show", "cwic-s").out.decode().splitlines()
    assert [line.split() for line in lines] == [
        ["part", "parameters", "MAC/pixel"],
        ["g_a", "1,200", "1,000"],
        ["total", "1,200", "1,000"],
    ]
    records = [json.loads(line) for line in run_cwic("models", "show", "cwic-s", "--json").out.splitlines()]
    assert records[-1] == {"part": "total", "parameters": 1200, "mac_per_pixel": 1000.4}


def test_unknown_name(run_cwic: Run) -> None:
    answer = run_cwic("models", "show", "other")
    assert answer.code == 4
    assert "cwic-s" in answer.err


def test_import(run_cwic: Run, checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "published.safetensors"
    answer = run_cwic("models", "import", checkpoint, "-o", output)
    assert (answer.code, answer.err) == (0, "")
    model_id = catalog.id_of(str(output)).hex()
    assert answer.out.decode() == f"{checkpoint} -> {output}  N = 16  model {model_id}\n"
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
