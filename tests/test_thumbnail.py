from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.errors import FormatError
from cwic.image.profile import make_profile, of_gamma
from cwic.thumbnail import thumbnail_of


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    with Image.open(Path(__file__).parents[1] / "examples" / "coffee.png") as image:
        return image.convert("RGB").crop((0, 0, 512, 384))


def _opened(png: bytes) -> Image.Image:
    image = Image.open(BytesIO(png))
    assert image.format == "PNG"
    return image


@pytest.mark.parametrize("size", [20, 60, 300, 1000])
def test_the_longest_side_has_the_size(photograph: Image.Image, size: int) -> None:
    image = _opened(thumbnail_of(cwic.encode(photograph, quality=70), size))
    assert image.size == (min(size, 512), min(size * 3 // 4, 384))
    expected = photograph.resize(image.size, Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(image, float) - np.asarray(expected, float)).mean() < 6


def test_it_is_upright_and_has_no_metadata(photograph: Image.Image) -> None:
    turned = photograph.copy()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to see it
    turned.info["exif"] = exif.tobytes()
    image = _opened(thumbnail_of(cwic.encode(turned), 48))
    assert image.size == (36, 48)
    assert not image.getexif()
    upright = photograph.transpose(Image.Transpose.ROTATE_270).resize((36, 48))
    assert np.abs(np.asarray(image, float) - np.asarray(upright, float)).mean() < 8


def test_colours_become_srgb(photograph: Image.Image) -> None:
    plain, linear, broken = (photograph.crop((0, 0, 64, 64)) for _ in range(3))
    colour = of_gamma(1.0, None)
    assert colour is not None
    linear.info["icc_profile"] = make_profile(colour, "RGB")
    broken.info["icc_profile"] = b"none at all"
    shown, converted = (np.asarray(_opened(thumbnail_of(cwic.encode(each), 64)), float) for each in (plain, linear))
    assert (converted - shown).mean() > 20  # linear light looks brighter in sRGB
    assert np.array_equal(_opened(thumbnail_of(cwic.encode(broken), 64)), shown)


def test_alpha_and_grey_stay(photograph: Image.Image) -> None:
    for mode in ("RGBA", "L", "LA"):
        assert _opened(thumbnail_of(cwic.encode(photograph.convert(mode)), 30)).mode == mode


def test_what_is_no_file_is_said() -> None:
    with pytest.raises(FormatError):
        thumbnail_of(b"no file", 64)
