from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"name": "a-codec", "results": {"bpp": [0.1, 0.5], "psnr-rgb": [26, 32]}}))
    return path


def test_a_plot_is_written_once(run_cwic: Run, summary: Path, tmp_path: Path) -> None:
    args = ["eval", "plot", summary, "-o", tmp_path / "rd.svg", "--title", "My pictures", "--max-bpp", "0.4"]
    answer = run_cwic(*args)
    assert (answer.code, answer.out, answer.err) == (0, b"", "")
    text = (tmp_path / "rd.svg").read_text()
    assert "a-codec" in text
    assert "My pictures" in text
    assert run_cwic(*args).code == 6
    assert run_cwic(*args, "-f").code == 0


def test_bad_summaries_do_not_stop_the_others(run_cwic: Run, summary: Path, tmp_path: Path) -> None:
    answer = run_cwic("eval", "plot", "missing.json", summary, "-o", tmp_path / "rd.svg")
    assert answer.code == 1
    assert answer.err.startswith("cwic: missing.json: cannot read")
    assert (tmp_path / "rd.svg").exists()


def test_nothing_to_draw(run_cwic: Run, tmp_path: Path) -> None:
    assert run_cwic("eval", "plot", "missing.json", "-o", tmp_path / "rd.svg").code == 1
    assert not (tmp_path / "rd.svg").exists()


def test_other_formats_are_wrong_usage(run_cwic: Run, summary: Path, tmp_path: Path) -> None:
    assert run_cwic("eval", "plot", summary, "-o", tmp_path / "rd.gif").code == 2
