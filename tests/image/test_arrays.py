from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cwic.image.arrays import means_of_squares, to_floats, to_picture
from cwic.image.picture import Picture, as_picture

LEVELS = np.arange(256, dtype=np.uint8)


def test_every_level_survives_in_rgb() -> None:
    pixels = np.stack([LEVELS, LEVELS[::-1], np.roll(LEVELS, 7)], axis=-1).reshape(8, 32, 3)
    x = to_floats(Picture(pixels, "RGB"))
    assert (x.shape, x.dtype) == ((1, 3, 8, 32), np.float32)
    assert x[0].transpose(1, 2, 0).flags.c_contiguous
    assert (x.min(), x.max(), x[0, 1, 0, 0]) == (0, 1, 1)
    np.testing.assert_array_equal(to_picture(x).pixels, pixels)


def test_every_level_survives_in_grey() -> None:
    x = to_floats(Picture(LEVELS.reshape(16, 16), "L"))
    assert x.shape == (1, 3, 16, 16)
    np.testing.assert_array_equal(x[:, 0], x[:, 2])
    picture = to_picture(x, "L")
    assert picture.mode == "L"
    np.testing.assert_array_equal(picture.pixels, LEVELS.reshape(16, 16))


def test_reconstructions_are_clamped_and_rounded() -> None:
    x_hat = np.broadcast_to(np.float32([[-1.0, 0.4 / 255], [0.6 / 255, 2.0]]), (1, 3, 2, 2))
    found = to_picture(x_hat)
    assert found.pixels[:, :, 0].tolist() == [[0, 0], [1, 255]]
    assert found.pixels.dtype == np.uint8


def test_the_picture_itself_is_not_touched() -> None:
    image = Image.new("RGB", (2, 2), (10, 20, 30))
    to_floats(as_picture(image))[:] = 0
    assert image.getpixel((0, 0)) == (10, 20, 30)


@pytest.mark.parametrize("shape", [(16, 24), (17, 9, 3), (3, 5, 3)])
def test_means_of_squares(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = means_of_squares(pixels, 8)
    assert (found.dtype, found.shape[:2]) == (np.uint8, (-(-shape[0] // 8), -(-shape[1] // 8)))
    for row, column in np.ndindex(found.shape[:2]):
        square = pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8].astype(float)
        np.testing.assert_allclose(found[row, column], square.mean(axis=(0, 1)), atol=0.51)
