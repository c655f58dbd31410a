"""The scales of the probability tables, and the integer index of the scale nearest to a given one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SCALES = 64
SCALE_STEP = 48
"""Stream units (1/256 octave) from one scale of the grid to the next: 3/16 octave."""
SCALE_MIN = 0.11
LOG2_SCALE_MIN = round(math.log2(SCALE_MIN) * 256)
SKIPPED = 0
"""The scale index at which a symbol is not coded: it is 0."""
SYMBOL_MAX = 32767
"""The encoder writes no larger symbol; a decoded one may be -SYMBOL_MAX - 1."""
_RECIPROCAL, _RECIPROCAL_BITS = 43691, 21
"""x * 43691 >> 21 is x / 48 rounded down for every x that occurs: no division in the exact path."""


def scale_grid() -> list[float]:
    """The 64 standard deviations of the tables, in quantisation steps."""
    return [2.0 ** ((LOG2_SCALE_MIN + SCALE_STEP * i) / 256) for i in range(SCALES)]


def scale_index(log2_scale: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The nearest grid index of integer log2 scales in stream units."""
    distance = np.clip(log2_scale - (LOG2_SCALE_MIN - SCALE_STEP // 2), 0, SCALE_STEP * SCALES - 1)
    return ((distance * _RECIPROCAL) >> _RECIPROCAL_BITS).astype(np.uint8)
