"""MS-SSIM of two 8-bit pictures: structural similarity over five scales.

After Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment" (Asilomar 2003), with
their weights and window; at the borders, and for odd sides, as pytorch-msssim has it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cwic.image.fidelity import MS_SSIM_MIN_SIDE, PEAK
from cwic.image.window import BLOCK, TAPS, Floats, filtered

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Of the scales, the finest first."""
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def ms_ssim(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """Multi-scale structural similarity in [0, 1], the mean over the channels.

    NaN where it is undefined: a side under `MS_SSIM_MIN_SIDE` pixels.

    Args:
        x, x_hat: uint8, of the same shape `[H, W]` or `[H, W, C]`.
    """
    if min(x.shape[:2]) < MS_SSIM_MIN_SIDE:
        return math.nan
    pairs = zip(np.atleast_3d(x).transpose(2, 0, 1), np.atleast_3d(x_hat).transpose(2, 0, 1), strict=True)
    return float(np.mean([_of_channel(channel, channel_hat) for channel, channel_hat in pairs]))


def _of_channel(x: NDArray[np.uint8] | Floats, x_hat: NDArray[np.uint8] | Floats) -> float:
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            x, x_hat = _halved(x), _halved(x_hat)
        similarity, contrast = _similarities(x, x_hat)
        product *= max(similarity if scale == len(WEIGHTS) - 1 else contrast, 0.0) ** weight
    return product


def _similarities(x: NDArray[np.uint8] | Floats, x_hat: NDArray[np.uint8] | Floats) -> tuple[float, float]:
    """The means of SSIM, and of its part without luminance, over all places where the window fits into a channel."""
    height, width = x.shape[0] - TAPS + 1, x.shape[1] - TAPS + 1
    similarity = contrast = 0.0
    for top in range(0, height, BLOCK):
        rows = slice(top, min(top + BLOCK, height) + TAPS - 1)
        a, b = x[rows].astype(np.float32), x_hat[rows].astype(np.float32)
        mean_a, mean_b, squares, products = filtered(np.stack([a, b, a * a + b * b, a * b]))
        mean_squares, mean_products = mean_a * mean_a + mean_b * mean_b, mean_a * mean_b
        part = (2 * (products - mean_products) + C2) / (squares - mean_squares + C2)
        contrast += float(part.sum(dtype=np.float64))
        part *= (2 * mean_products + C1) / (mean_squares + C1)
        similarity += float(part.sum(dtype=np.float64))
    return similarity / (height * width), contrast / (height * width)


def _halved(x: NDArray[np.uint8] | Floats) -> Floats:
    """Means of 2x2 samples; odd sides get a zero in front."""
    even = np.pad(x, [(side % 2, 0) for side in x.shape])
    rows: Floats = np.add(even[::2], even[1::2], dtype=np.float32)
    return (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
