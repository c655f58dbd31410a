"""Plain tiles: pixels coded without a network, where networks would spoil them (docs/format.md, section 8).

A transform that keeps less than half of all coefficients cannot show noise or one-pixel patterns at any rate. Where
neighbouring pixels differ that much, both ways are tried, and the one with the smaller loss of the level is taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cwic.container.chunks import PLAIN, Chunk
from cwic.entropy.lossless import decode_plane, encode_plane
from cwic.errors import FormatError
from cwic.image.arrays import to_picture
from cwic.image.fidelity import squared_error
from cwic.latents.levels import lmbda_of
from cwic.latents.symbols import CodedLatents
from cwic.models.base import CodingModel

HARSH = 1500.0
"""Mean squared difference of neighbouring samples from which a tile is tried. Kodak has 75 to 752."""
MAX_SHIFT = 7
_SPARSE = 4


def lossless_if_better(model: CodingModel, pixels: NDArray[np.uint8], coded: CodedLatents, level: int) -> Chunk | None:
    """The plain form of a tile if its loss `lmbda * 255**2 * MSE + bpp` is smaller than that of its latents.

    `pixels` are the tile's, uint8 `[H, W, 3]` or `[H, W]`, without padding. None for most tiles, found at little cost.
    """
    if not model.data.config.variable_rate or _harshness(pixels) < HARSH:
        return None  # of a model of one rate, nobody knows what it trades a bit for
    lmbda = lmbda_of(level)
    rows, columns = pixels.shape[:2]
    x_hat = model.synthesise(coded.y_hat, level)[:, :, :rows, :columns]
    shown = to_picture(x_hat, "L" if pixels.ndim == 2 else "RGB").pixels
    best = _loss(lmbda, pixels, shown, len(coded.data))
    chosen = None
    for shift in sorted({0, _best_shift(lmbda)}):
        payload = encode_plain(pixels, shift)
        loss = _loss(lmbda, pixels, _dequantise(pixels >> np.uint8(shift), shift), len(payload))
        if loss < best:
            best, chosen = loss, Chunk(PLAIN, payload)
    return chosen


def encode_plain(pixels: NDArray[np.uint8], shift: int) -> bytes:
    """The payload of a plain tile, uint8 `[H, W, 3]` or `[H, W]`, without the lowest `shift` bits of its samples."""
    planes = (pixels >> np.uint8(shift)).reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)
    return bytes([shift]) + encode_plane(np.ascontiguousarray(planes).reshape(-1, pixels.shape[1]))


def decode_plain(payload: bytes, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """The pixels of a plain tile: uint8 `[height, width, 3]`, or `[height, width]` for one channel.

    Raises `FormatError` for a payload that no encoder writes.
    """
    if not payload or payload[0] > MAX_SHIFT:
        raise FormatError("a plain tile is damaged: it has no number of bits")
    stacked = channels * height
    planes = decode_plane(payload[1:], stacked, width)
    if int(planes.max()) >> (8 - payload[0]):
        raise FormatError("a plain tile is damaged: a sample is too large")
    pixels = _dequantise(planes, payload[0]).reshape(channels, height, width).transpose(1, 2, 0)
    return pixels[..., 0] if channels == 1 else pixels


def _dequantise(samples: NDArray[np.uint8], shift: int) -> NDArray[np.uint8]:
    return (samples << np.uint8(shift)) + np.uint8((1 << shift) >> 1)


def _best_shift(lmbda: float) -> int:
    """Return the best shift for noise: a step has the squared error `step**2 / 12`, and an octave costs a bit."""
    step = (6 * 3 / (lmbda * np.log(2))) ** 0.5
    return min(max(round(np.log2(step)), 0), MAX_SHIFT)


def _harshness(pixels: NDArray[np.uint8]) -> float:
    """The mean squared difference of samples that are neighbours in a row or in a column, over every fourth row."""
    rows, below = pixels[::_SPARSE], pixels[1::_SPARSE]
    pairs = ((rows[: len(below)], below), (rows[:, 1:], rows[:, :-1]))
    count = sum(first.size for first, _ in pairs)
    return sum(squared_error(first, second) for first, second in pairs) / max(count, 1)


def _loss(lmbda: float, x: NDArray[np.uint8], x_hat: NDArray[np.uint8], size: int) -> float:
    return lmbda * squared_error(x, x_hat) / x.size + 8 * size / (x.shape[0] * x.shape[1])
