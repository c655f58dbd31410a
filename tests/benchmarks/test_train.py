from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_prints_the_rate_and_what_the_loop_adds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        'name = "tiny"\nfamily = "cwam2024"\nlmbda = 0.013\ncrop = 64\nbatch = 2\n'
        '[model]\nN = 8\nattention = "none"\nfeature_encoding = false\n'
    )
    monkeypatch.setattr(sys, "argv", ["train.py", str(recipe), "--device", "cpu", "--steps", "2"])
    runpy.run_path(str(ROOT / "benchmarks" / "train.py"))["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert "1 threads" in lines[-3]
    assert re.fullmatch(r"tiny +[\d.]+ +[\d.]+( +-?[\d.]+ %){3}", lines[-1])
