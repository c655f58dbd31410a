from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from cwic.image.fidelity import SSIMULACRA2_MIN_SIDE
from cwic.image.ssimulacra2 import points, ssimulacra2

EXAMPLES = Path(__file__).parents[2] / "examples"
POINTS = 0.05
"""How far from the package a score may be."""
Pixels = NDArray[np.uint8]


def _crop(height: int, width: int) -> Pixels:
    with Image.open(EXAMPLES / "chelsea.png") as file:
        return np.asarray(file.convert("RGB"))[:height, :width]


def _jpeg(x: Pixels) -> Pixels:
    file = BytesIO()
    Image.fromarray(x).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file))


def _blurred(x: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(x).filter(ImageFilter.GaussianBlur(2)))


def _noisy(x: Pixels) -> Pixels:
    noise = np.random.default_rng(0).normal(0, 6, x.shape)
    return (x + noise).clip(0, 255).astype(np.uint8)


def _tinted(x: Pixels) -> Pixels:
    return (x + np.array([9, 0, 0])).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(256, 256), (257, 263), (300, 451)])
@pytest.mark.parametrize("distort", [_jpeg, _blurred, _noisy, _tinted])
def test_scores_are_those_of_the_package(size: tuple[int, int], distort: Callable[[Pixels], Pixels]) -> None:
    package = pytest.importorskip("ssimulacra2")
    x = _crop(*size)
    x_hat = distort(x)
    first, second = BytesIO(), BytesIO()
    Image.fromarray(x).save(first, "PPM")
    Image.fromarray(x_hat).save(second, "PPM")
    expected = package.compute_ssimulacra2(first, second)
    assert expected < 95
    assert ssimulacra2(x, x_hat) == pytest.approx(expected, abs=POINTS)


def test_equal_pictures_and_small_ones() -> None:
    x = _crop(SSIMULACRA2_MIN_SIDE, SSIMULACRA2_MIN_SIDE)
    assert ssimulacra2(x, x) == pytest.approx(100, abs=1e-3)
    assert math.isnan(ssimulacra2(x[:-1], x[:-1]))


def test_no_error_is_100_points_and_more_is_less() -> None:
    assert points(0) == 100
    assert points(1) > points(2) > points(50)
