from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cwic.errors import InputError
from cwic.image.files import open_image
from cwic.image.mapped import map_pixels

RGB = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


@pytest.mark.parametrize("pixels", [RGB, RGB[..., 0]])
def test_pixels_are_those_that_pillow_reads(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "a.ppm"
    Image.fromarray(pixels).save(path)
    mapped = map_pixels(path)
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, pixels)


def test_comments_in_the_head(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 # made by hand\n2\n# two\n3 255\n" + bytes(range(6)))
    mapped = map_pixels(tmp_path / "a.pgm")
    assert mapped is not None
    assert mapped.tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"P6 2 2 255\n" + bytes(11),
        b"P6 0 2 255\n",
        b"P6 999999999 999999999 255\n" + bytes(99),
        b"P6 2 2 65535\n" + bytes(24),
        b"P3 1 1 255\n1 2 3\n",
    ],
)
def test_other_files_are_for_others(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert map_pixels(tmp_path / "a") is None
    assert map_pixels(tmp_path / "missing") is None
    assert map_pixels(tmp_path) is None


def test_more_pictures_than_one_are_for_others(tmp_path: Path) -> None:
    one = b"P6 2 2 255\n" + bytes(12)
    (tmp_path / "a.ppm").write_bytes(one + one)
    assert map_pixels(tmp_path / "a.ppm") is None
    with pytest.raises(InputError, match="2 frames"):
        open_image(tmp_path / "a.ppm")
