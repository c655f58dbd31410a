from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from cwic.image.picture import Picture, as_picture
from cwic.image.arrays import to_picture, to_tensor

LEVELS = np.arange(256, dtype=np.uint8)


def test_every_level_survives_in_rgb() -> None:
    pixels = np.stack([LEVELS, LEVELS[::-1], np.roll(LEVELS, 7)], axis=-1).reshape(8, 32, 3)
    x = to_tensor(Picture(pixels, "RGB"))
    assert x.shape == (1, 3, 8, 32)
    assert x.dtype == torch.float32
    assert x.is_contiguous()
    assert x.min() == 0
    assert x.max() == 1
    assert x[0, 1, 0, 0] == 1
    np.testing.assert_array_equal(to_picture(x).pixels, pixels)


def test_every_level_survives_in_grey() -> None:
    x = to_tensor(Picture(LEVELS.reshape(16, 16), "L"))
    assert x.shape == (1, 3, 16, 16)
    assert torch.equal(x[:, 0], x[:, 2])
    picture = to_picture(x, "L")
    assert picture.mode == "L"
    np.testing.assert_array_equal(picture.pixels, LEVELS.reshape(16, 16))


def test_reconstructions_are_clamped_and_rounded() -> None:
    x_hat = torch.tensor([-1.0, 0.4 / 255, 0.6 / 255, 2.0]).reshape(1, 1, 2, 2).expand(1, 3, 2, 2)
    assert to_picture(x_hat).pixels[:, :, 0].tolist() == [[0, 0], [1, 255]]
    assert to_picture(x_hat.to(torch.bfloat16)).pixels.dtype == np.uint8


def test_the_picture_itself_is_not_touched() -> None:
    image = Image.new("RGB", (2, 2), (10, 20, 30))
    to_tensor(as_picture(image)).zero_()
    assert image.getpixel((0, 0)) == (10, 20, 30)
