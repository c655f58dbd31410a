from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.image.fidelity import psnr
from cwic.image.picture import Picture
from cwic.models.cwic import CwicModel
from cwic.tiling.astray import AHEAD, CHECKED_LEVELS, astray
from cwic.tiling.encode import TileEncoder
from cwic.tiling.grid import Tiles

SQUARES = [
    ("imagenet_n02108000_EntleBucher_e76617", (100, 18), 0.0, 18.9),
    ("imagenet_n02113624_toy_poodle_42dd2a", (83, 11), 14.1, 25.1),
    ("imagenet_n02791270_barbershop_24775d", (11, 11), 9.6, 24.6),
]
"""Photographs, corners of squares of 256 pixels that went astray, qualities, and the dB that they should have."""


def test_the_positions_around_what_is_far_from_any_pixel() -> None:
    x_hat = np.random.default_rng(0).uniform(-0.7, 1.7, (1, 3, 128, 192)).astype(np.float32)
    assert not astray(x_hat).any()
    x_hat[0, 1, 17, 100] = 1.8
    x_hat[0, 2, 127, 0] = -0.8
    found = astray(x_hat)
    assert found.shape == (8, 12)
    expected = np.zeros((8, 12), bool)
    expected[0:4, 4:9] = True  # around position (1, 6)
    expected[5:8, 0:3] = True  # around position (7, 0)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("level", [0, CHECKED_LEVELS, CHECKED_LEVELS + 1])
def test_latents_that_go_astray_are_those_of_a_higher_level(
    model: CwicModel, picture: Picture, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = TileEncoder(model, picture, Tiles(picture.width, picture.height, None))
    usual = encoder.encode(level)
    there = encoder.analyse(0, level)
    ahead = encoder.analyse(0, min(1000, level + AHEAD))
    synthesise, compress = CwicModel.synthesise, CwicModel.compress
    coded: list[np.ndarray] = []

    def loud(self: CwicModel, y_hat: np.ndarray, level: int) -> np.ndarray:
        x_hat = np.full_like(synthesise(self, y_hat, level), 0.5)
        x_hat[:, :, :16, :16] = 9
        return x_hat

    def seen(self: CwicModel, y: np.ndarray, *rest: object) -> object:
        coded.append(y)
        return compress(self, y, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CwicModel, "synthesise", loud)
    monkeypatch.setattr(CwicModel, "compress", seen)
    found = encoder.encode(level)
    np.testing.assert_array_equal(coded[0], there)
    if level > CHECKED_LEVELS:
        assert found == usual
        assert len(coded) == 1
        return
    assert len(coded) == 2
    np.testing.assert_array_equal(coded[1][:, :, :3, :3], ahead[:, :, :3, :3])
    np.testing.assert_array_equal(coded[1][:, :, 3:], there[:, :, 3:])
    np.testing.assert_array_equal(coded[1][:, :, :, 3:], there[:, :, :, 3:])


@pytest.mark.parametrize(("name", "corner", "quality", "decibel"), SQUARES)
def test_photographs_that_went_astray_do_so_no_more(
    name: str, corner: tuple[int, int], quality: float, decibel: float
) -> None:
    data = os.environ.get("CWIC_DATA")
    found = sorted(Path(data).glob(f"train/*/{name}.jpg")) if data else []
    if not found:
        pytest.skip("the photograph is not at hand")
    left, top = corner
    with Image.open(found[0]) as photograph:
        square = photograph.convert("RGB").crop((left, top, left + 256, top + 256))
    shown = cwic.decode(cwic.encode(square, quality=quality, model="cwic-s"))
    assert psnr(np.asarray(square), np.asarray(shown)) > decibel
