"""The commands with the real codec and the shipped weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cwic

Run = Callable[..., Any]
COFFEE = Path(__file__).parents[2] / "examples" / "coffee.png"


def test_a_photograph_to_a_small_file_and_back(run_cwic: Run, tmp_path: Path) -> None:
    coded, decoded = tmp_path / "coffee.cwic", tmp_path / "coffee.png"
    assert run_cwic("encode", COFFEE, "-o", coded).code == 0
    assert run_cwic("decode", coded).code == 0
    with Image.open(COFFEE) as original, Image.open(decoded) as picture:
        assert picture.size == original.size
        difference = np.asarray(original, np.float64) - np.asarray(picture, np.float64)
    assert coded.stat().st_size < COFFEE.stat().st_size / 8
    assert 10 * np.log10(255**2 / np.mean(difference**2)) > 26
    record = json.loads(run_cwic("info", "--json", coded).out)
    assert (record["model"], record["quality"], record["width"]) == ("cwic-s", 50, 600)


def test_pipes_make_the_same_file_as_the_library(run_cwic: Run) -> None:
    answer = run_cwic("encode", "-", "-q", "30", stdin=COFFEE.read_bytes())
    assert answer.code == 0
    with Image.open(COFFEE) as image:
        assert answer.out == cwic.encode(image, quality=30)


def test_damage_has_its_exit_code_and_leaves_nothing(run_cwic: Run, tmp_path: Path) -> None:
    data = cwic.encode(Image.effect_noise((64, 64), 30))
    path = tmp_path / "a.cwic"
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert run_cwic("decode", path).code == 3
    assert not path.with_suffix(".png").exists()


@pytest.mark.parametrize("part", ["g_a", "g_s", "h_a", "h_s", "total"])
def test_models_show_names_the_parts(run_cwic: Run, part: str) -> None:
    answer = run_cwic("models", "show", "cwic-s")
    assert answer.code == 0
    assert any(line.startswith(f"{part} ") for line in answer.out.decode().splitlines())
