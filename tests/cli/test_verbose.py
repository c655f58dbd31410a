from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.cli.verbose import measured
from cwic.container import DEFAULT_LIMITS


def _measured(image: Image.Image, *, strip: bool = False) -> dict[str, object]:
    # The bounds below were set for these weights.
    data = cwic.encode(image, strip=strip, model="cwic-s-1")
    return measured(image, data, model="cwic-s-1", strip=strip, limits=DEFAULT_LIMITS, device="cpu")


def _picture(width: int, height: int, mode: str) -> Image.Image:
    small = np.random.default_rng(5).integers(0, 256, (6, 6, 4), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "L"])
def test_all_three_measures(mode: str) -> None:
    found = _measured(_picture(256, 260, mode))
    assert float(str(found["psnr_db"])) > 30
    assert 0.9 < float(str(found["ms_ssim"])) < 1
    assert 50 < float(str(found["ssimulacra2"])) < 100


def test_of_a_turned_picture_what_is_coded() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = _picture(90, 70, "RGB")
    image.info["exif"] = exif.tobytes()
    found = _measured(image, strip=True)
    assert float(str(found["psnr_db"])) > 25
    assert math.isnan(float(str(found["ms_ssim"])))
