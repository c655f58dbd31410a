from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cwic.training import journal as module
from cwic.training.journal import METRICS, Journal, Metrics
from cwic.training.validation import Validation

OF_A_STEP = Metrics(loss=1.5, J=2.0, bpp=0.25, mse=1e-3, skipped=1)
VALIDATION = Validation(["q20"], [0.25], [30.0], [0.7])


class Board:
    """What TensorBoard would be given."""

    def __init__(self, folder: Path) -> None:
        self.scalars: dict[str, tuple[float, int]] = {}
        self.images: Any = None
        self.closed = False

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars[name] = (value, step)

    def add_images(self, name: str, images: Any, step: int) -> None:
        self.images = images

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> list[Board]:
    made: list[Board] = []
    monkeypatch.setattr(module, "_board", lambda folder: made.append(Board(folder)) or made[-1])
    return made


def report(journal: Journal) -> None:
    with journal:
        journal.start(0, 0.0)
        journal.report(20, 40.0, 0.25, OF_A_STEP)
        journal.validated(20, 40.0, VALIDATION, torch.zeros(2, 3, 8, 8))


def test_what_is_said_is_written_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], board: list[Board]) -> None:
    report(Journal(tmp_path, speaking=True, batch=8))
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "step 20  40 s  loss 1.5000  J 2.0000  bpp 0.250  psnr 30.00  4.0 images/s  left 0:02:00  skipped 1",
        "step 20  q20: 0.2500 bpp 30.00 dB J 0.7000",
    ]
    first, second = (json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines())
    assert first == {
        "step": 20, "elapsed": 40.0, "loss": 1.5, "J": 2.0, "bpp": 0.25, "mse": 1e-3, "skipped": 1, "psnr": 30.0,
        "images_per_s": 4.0,
    }  # fmt: skip
    assert second["validation"] == {"labels": ["q20"], "bpp": [0.25], "psnr": [30.0], "cost": [0.7]}
    assert board[0].scalars["training/psnr"] == (30.0, 20)
    assert {name: value for name, (value, _) in board[0].scalars.items() if name.startswith("q20/")} == {
        "q20/bpp": 0.25, "q20/psnr": 30.0, "q20/J": 0.7
    }  # fmt: skip
    assert board[0].images.shape == (2, 3, 8, 8)
    assert board[0].closed


def test_a_terminal_gets_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: list[Board]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    journal = Journal(tmp_path, speaking=True, batch=8)
    journal.report(20, 40.0, 0.25, OF_A_STEP)
    (task,) = journal._bar.tasks
    assert task.percentage == 25
    assert "images/s" in task.description


@pytest.mark.usefixtures("board")
def test_other_processes_are_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(Journal(tmp_path, speaking=False, batch=8))
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_without_tensorboard_there_is_no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert module._board(tmp_path) is None


@pytest.mark.usefixtures("board")
def test_what_is_not_finite_is_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nan = float("nan")
    with Journal(tmp_path, speaking=True, batch=8) as journal:
        journal.report(20, 0.0, 0.0, Metrics(nan, nan, float("inf"), nan, 9))
        journal.validated(20, 1.0, Validation(["q20"], [nan], [float("inf")], [0.5]))
    assert "psnr nan" in capsys.readouterr().out
    first, second = (json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / METRICS).open())
    assert (first["loss"], first["bpp"], first["psnr"], first["images_per_s"]) == (None, None, None, None)
    assert second["validation"] == {"labels": ["q20"], "bpp": [None], "psnr": [None], "cost": [0.5]}
