"""Sums under a Gaussian window of 11 samples: what the measures of structural similarity compare pictures by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = 11
"""Samples under the window, along each side."""
SIGMA = 1.5
BLOCK = 48
"""Samples that one product of matrices filters along an axis. Longer ones multiply more zeros."""

Floats = NDArray[np.float32]


def filtered(maps: Floats) -> Floats:
    """`maps` `[K, H, W]`, H at most `BLOCK + TAPS - 1`, under the window: `[K, H - TAPS + 1, W - TAPS + 1]`."""
    height, width = maps.shape[1] - TAPS + 1, maps.shape[2] - TAPS + 1
    columns: Floats = _BAND[: maps.shape[1], :height].T @ maps
    out = np.empty((len(maps), height, width), np.float32)
    for left in range(0, width, BLOCK):
        count = min(BLOCK, width - left)
        seen = count + TAPS - 1
        np.matmul(columns[..., left : left + seen], _BAND[:seen, :count], out=out[..., left : left + count])
    return out


def _band() -> Floats:
    """`[BLOCK + TAPS - 1, BLOCK]`: samples times this matrix are the samples under the window."""
    window = np.exp(-((np.arange(TAPS) - TAPS // 2) ** 2) / (2 * SIGMA**2))
    band = np.zeros((BLOCK + TAPS - 1, BLOCK), np.float32)
    for i in range(BLOCK):
        band[i : i + TAPS, i] = window / window.sum()
    return band


_BAND = _band()
