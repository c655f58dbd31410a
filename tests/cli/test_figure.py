from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Run = Callable[..., Any]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    ramp = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    Image.fromarray(np.stack([ramp, 2 * ramp, 3 * ramp], axis=2)).save(path)
    return path


def test_a_page(run_cwic: Run, image: Path, tmp_path: Path) -> None:
    args = ["eval", "figure", image, "--bpp", "2", "--crop", "8,8,32,32", "-c", "jpeg", "-c", "webp"]
    answer = run_cwic(*args, "-o", tmp_path / "f.html")
    assert (answer.code, answer.out) == (0, b"")
    page = (tmp_path / "f.html").read_text()
    assert "photo.png" in page
    assert all(f"<figcaption>{name} " in page for name in ("jpeg", "webp"))
    assert run_cwic(*args, "-o", tmp_path / "f.html").code == 6


def test_a_rate_out_of_reach_is_said(run_cwic: Run, image: Path, tmp_path: Path) -> None:
    args = ["--bpp", "0.01", "--crop", "8,8,32,32", "-c", "jpeg", "-o", tmp_path / "f.html"]
    answer = run_cwic("eval", "figure", image, *args)
    assert answer.code == 0
    assert "at quality 0 is as near as it comes to 0.01" in answer.err


def test_a_codec_that_is_not_there_does_not_stop_the_others(run_cwic: Run, image: Path, tmp_path: Path) -> None:
    args = ["--bpp", "2", "--crop", "8,8,32,32", "-c", "gif", "-c", "jpeg", "-o", tmp_path / "f.png"]
    answer = run_cwic("eval", "figure", image, *args)
    assert answer.code == 1
    assert answer.err.startswith("cwic: gif: unknown codec")
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("crop", "output", "code"),
    [("8,8,32", "f.png", 2), ("a,8,32,32", "f.png", 2), ("8,8,32,32", "f.gif", 2), ("8,8,90,32", "f.png", 1)],
)
def test_wrong_crops_and_names(run_cwic: Run, image: Path, tmp_path: Path, crop: str, output: str, code: int) -> None:
    args = ["--bpp", "2", "--crop", crop, "-c", "jpeg", "-o", tmp_path / output]
    assert run_cwic("eval", "figure", image, *args).code == code
    assert not (tmp_path / output).exists()


def test_the_picture_itself_is_no_output(run_cwic: Run, image: Path) -> None:
    before = image.read_bytes()
    args = ["--bpp", "2", "--crop", "8,8,32,32", "-c", "jpeg", "-f", "-o", image]
    assert run_cwic("eval", "figure", image, *args).code == 1
    assert image.read_bytes() == before
