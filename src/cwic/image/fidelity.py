"""Measures of the difference between two pictures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

PEAK = 255
MS_SSIM_MIN_SIDE = 161
"""Of a side, in pixels: MS-SSIM has five scales, each half the last, and its 11-pixel window fits into the smallest."""
SSIMULACRA2_MIN_SIDE = 256
"""Of a side, in pixels: SSIMULACRA 2 has six scales, each half the last, and the smallest has 8 pixels."""
_ROWS = 256
"""Compared at a time: differences take eight times the memory of the samples."""


def psnr(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB, over all samples of all channels at once; infinite for equal pictures.

    Args:
        x, x_hat: uint8, of the same shape `[H, W]` or `[H, W, C]`.
    """
    total = squared_error(x, x_hat)
    return 10 * math.log10(PEAK**2 * x.size / total) if total else math.inf


def squared_error(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> int:
    """The sum of the squared differences of all samples, of arrays as `psnr` takes them."""
    total = 0
    for row in range(0, x.shape[0], _ROWS):
        part, part_hat = x[row : row + _ROWS].astype(np.int32), x_hat[row : row + _ROWS]
        total += int(np.square(part - part_hat).sum(dtype=np.int64))
    return total
