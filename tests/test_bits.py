from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cwic.bits import bits_by_part
from cwic.codec import encode
from cwic.errors import FormatError
from cwic.image.metadata import Metadata


def _smooth(height: int, width: int, channels: int = 3) -> np.ndarray:
    small = np.random.default_rng(5).integers(0, 256, (4, 4, channels), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def test_the_parts_make_the_file() -> None:
    data = encode(_smooth(200, 140, 4), metadata=Metadata(exif=b"Exif"), quality=60, tile=128)
    bits = bits_by_part(data)
    assert list(bits) == ["z", "pass 1", "pass 2", "pass 3", "pass 4", "alpha", "metadata", "container"]
    assert sum(bits.values()) == 8 * len(data)
    assert bits["metadata"] == 8 * 4
    # Header, heads and checksums of six chunks, and up to two words that each of four tiles is rounded up by.
    assert 8 * 14 < bits["container"] < 8 * (20 + 6 * 8 + 4 * (2 + 8))
    assert min(bits.values()) > 0


def test_plain_tiles_are_counted() -> None:
    data = encode(np.random.default_rng(0).integers(0, 256, (140, 130), np.uint8), quality=90, tile=128)
    bits = bits_by_part(data)
    assert bits["plain tiles"] > 50_000
    assert sum(bits.values()) == 8 * len(data)


def test_a_model_without_passes(cwam2024_weights: Path) -> None:
    data = encode(_smooth(64, 64), model=cwam2024_weights)
    bits = bits_by_part(data, model=cwam2024_weights)
    assert list(bits) == ["z", "y", "container"]
    assert sum(bits.values()) == 8 * len(data)


def test_damage_is_an_error_as_ever() -> None:
    with pytest.raises(FormatError):
        bits_by_part(encode(_smooth(64, 64))[:-1])
