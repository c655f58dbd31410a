from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cwic.cli.lossy import has_quality, loss_of, quality_options

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def _error(format: str, quality: int | None) -> float:
    file = BytesIO()
    NOISE.save(file, format, **quality_options(format, quality))
    difference = np.asarray(Image.open(file).convert("RGB"), np.float64) - np.asarray(NOISE)
    return float(np.mean(difference**2))


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF"])
def test_the_quality_is_good_and_can_be_chosen(format: str) -> None:
    assert has_quality(format)
    assert _error(format, None) == _error(format, 95) < _error(format, 30)
    assert "quality 95, or as --output-quality says;" in str(loss_of(format, None))
    assert "quality 30;" in str(loss_of(format, 30))


def test_jpeg_keeps_the_resolution_of_colours() -> None:
    assert _error("JPEG", None) < 30  # with halved colours, noise like this has some thousands


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM", "JPEG2000"])
def test_other_formats_keep_every_pixel_and_say_nothing(format: str) -> None:
    assert loss_of(format, None) is None
    assert not has_quality(format)
    assert _error(format, None) == 0


def test_a_format_of_few_colours_is_said_too() -> None:
    assert "may not keep every pixel" in str(loss_of("GIF", None))
