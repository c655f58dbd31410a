"""Rate and fidelity of `cwic-s`, without metadata, as they were when these were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.image.fidelity import psnr

EXAMPLES = Path(__file__).parents[1] / "examples"
RECORDED = [
    ("coffee", 20, 4711, 28.92),
    ("coffee", 50, 13255, 32.29),
    ("coffee", 80, 32652, 36.25),
    ("chelsea", 20, 1743, 30.25),
    ("chelsea", 50, 4903, 33.87),
    ("chelsea", 80, 12371, 38.25),
]


@pytest.mark.parametrize(("name", "quality", "size", "decibel"), RECORDED)
def test_an_example_takes_its_bytes_for_its_fidelity(name: str, quality: int, size: int, decibel: float) -> None:
    with Image.open(EXAMPLES / f"{name}.png") as image:
        x = np.asarray(image.convert("RGB"))
    data = cwic.encode(x, quality=quality, model="cwic-s")
    assert len(data) == pytest.approx(size, rel=0.01)
    assert psnr(x, np.asarray(cwic.decode(data))) == pytest.approx(decibel, abs=0.1)
