from __future__ import annotations

import json
from pathlib import Path

import pytest

from cwic.training.journal import METRICS, Journal, Metrics
from cwic.training.validation import Validation

METRICS_OF_A_STEP = Metrics(loss=1.5, J=2.0, bpp=0.25, mse=1e-3, skipped=1)


def test_what_is_said_is_written_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(tmp_path, speaking=True)
    journal.report(20, 61.0, METRICS_OF_A_STEP)
    journal.validated(20, 61.0, Validation(["q20"], [0.25], [30.0], [0.7]))
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "step 20  61 s  loss 1.5000  J 2.0000  bpp 0.250  psnr 30.00  skipped 1"
    assert out[1] == "step 20  q20: 0.2500 bpp 30.00 dB J 0.7000"
    first, second = (json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines())
    assert first == {
        "step": 20, "elapsed": 61.0, "loss": 1.5, "J": 2.0, "bpp": 0.25, "mse": 1e-3, "skipped": 1, "psnr": 30.0
    }  # fmt: skip
    assert second["validation"] == {"labels": ["q20"], "bpp": [0.25], "psnr": [30.0], "cost": [0.7]}


def test_other_processes_are_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal(tmp_path, speaking=False).report(20, 61.0, METRICS_OF_A_STEP)
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []
