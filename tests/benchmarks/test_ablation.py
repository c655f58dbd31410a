from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


def test_every_recipe_gets_its_row_and_what_is_finished_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)).save(pictures / "a.png")
    recipes = tmp_path / "recipes" / "ablation"
    shutil.copytree(ROOT / "recipes" / "ablation", recipes)
    for file in recipes.iterdir():
        text = file.read_text().replace("steps = 1000", "steps = 1").replace("N = 64", "N = 8")
        file.write_text(text.replace("crop = 128", "crop = 64").replace("batch = 2", "batch = 1"))
    options = ("--data", pictures, "--validation", pictures, "--kodak", pictures)
    places = ("--runs", tmp_path / "runs", "--output", tmp_path / "out")
    monkeypatch.setattr(sys, "argv", ["ablation.py", *map(str, options + places)])
    main = runpy.run_path(str(ROOT / "benchmarks" / "ablation.py"))["main"]
    monkeypatch.setitem(main.__globals__, "ROOT", tmp_path)
    monkeypatch.setitem(main.__globals__, "ORDER", ("plain", "cross"))
    main()
    table = (tmp_path / "out" / "table.tsv").read_text()
    head, *rows = (line.split("\t") for line in table.splitlines())
    assert [row[0] for row in rows] == ["ablation-plain", "ablation-cross"]
    assert all(len(row) == len(head) for row in rows)
    cells = dict(zip(head, rows[1], strict=True))
    assert (cells["steps"], cells["attention"], cells["feature_encoding"]) == ("1", "cross-window", "False")
    assert cells["val_J"] == cells["kodak_J"]
    assert (tmp_path / "runs" / "cross.safetensors").exists()
    capsys.readouterr()
    main()
    assert capsys.readouterr().out == table
