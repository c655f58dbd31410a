"""Sums under a Gaussian window of 11 samples, for the measures of structural similarity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TAPS = 11
"""Samples under the window, along each side."""
SIGMA = 1.5
BLOCK = 48
"""Rows to filter at a time, so that they stay in a core's cache."""

Floats = NDArray[np.float32]


def filtered(maps: Floats) -> Floats:
    """`maps` `[K, H, W]` under the window: `[K, H - TAPS + 1, W - TAPS + 1]`."""
    count, height, width = maps.shape
    rows = np.empty((height - TAPS + 1, width), np.float32)
    out = np.empty((count, height - TAPS + 1, width - TAPS + 1), np.float32)
    for each, result in zip(maps, out, strict=True):
        _along_rows(each, rows)
        _along_rows(rows.T, result.T)
    return out


def _along_rows(x: Floats, out: Floats) -> None:
    """Sums under the window of the first axis. Not a product of matrices, whose threads a busy machine slows down."""
    size, half = len(out), TAPS // 2
    np.multiply(x[half : half + size], _WINDOW[half], out=out)
    for tap in range(half):
        pair = x[tap : tap + size] + x[TAPS - 1 - tap : TAPS - 1 - tap + size]  # the window is symmetric
        pair *= _WINDOW[tap]
        out += pair


def _window() -> Floats:
    window = np.exp(-((np.arange(TAPS) - TAPS // 2) ** 2) / (2 * SIGMA**2))
    return (window / window.sum()).astype(np.float32)


_WINDOW = _window()
