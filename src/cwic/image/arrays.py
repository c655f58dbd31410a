"""Convert pixels for the networks and back: uint8 outside, float32 in [0, 1] inside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cwic.image.picture import Picture


def to_floats(picture: Picture) -> NDArray[np.float32]:
    """The picture as `x`: float32 `[1, 3, H, W]` in [0, 1], alpha left out. Greyscale is given to all channels.

    Channels of a picture in colour stay last in memory.
    """
    x = np.divide(picture.pixels, np.float32(255), dtype=np.float32)
    return np.repeat(x[None, None], 3, axis=1) if picture.mode == "L" else x.transpose(2, 0, 1)[None]


def to_picture(x_hat: NDArray[np.float32], mode: str = "RGB") -> Picture:
    """A reconstruction as 8-bit pixels, clamped and rounded.

    Args:
        x_hat: `[1, 3, H, W]`, nominally in [0, 1].
        mode: `"RGB"`, or `"L"` for the mean of the three channels.
    """
    planes = np.clip(x_hat[0], 0, 1)
    if mode == "L":
        planes = planes.mean(axis=0, keepdims=True)
    planes *= 255
    levels = np.rint(planes, out=planes).astype(np.uint8)
    pixels = np.ascontiguousarray(levels.transpose(1, 2, 0))
    return Picture(pixels[:, :, 0] if mode == "L" else pixels, mode)


def means_of_squares(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The mean of each square of `side` samples, rounded: of `[H, W]` or `[H, W, C]`. Those at the end may be cut."""
    rows, columns = (np.arange(0, length, side) for length in pixels.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0, dtype=np.int64), columns, axis=1)
    height, width = (
        np.minimum(starts + side, length) - starts
        for starts, length in zip((rows, columns), pixels.shape[:2], strict=True)
    )
    counts = np.multiply.outer(height, width).reshape(len(height), len(width), *([1] * (pixels.ndim - 2)))
    return ((2 * sums + counts) // (2 * counts)).astype(np.uint8)
