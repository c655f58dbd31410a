"""The quality level, 0..1000, and the values that depend on it alone: integer tables over levels, and lmbda."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MAX_LEVEL = 1000
"""Quality level of quality 100; a level is a tenth of a quality."""
KNOT_SPACING = 128
"""Levels between two knots: a power of two, so that integer interpolation is a multiplication and a shift."""
KNOTS = MAX_LEVEL // KNOT_SPACING + 2
LAMBDA_MIN, LAMBDA_MAX = 0.0009, 0.18


def lmbda_of(level: float) -> float:
    """The rate-distortion trade-off of a level, log-linear; the loss is `lmbda * 255**2 * MSE + bpp`."""
    return float(LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** (level / MAX_LEVEL))


def interpolate(knots: NDArray[np.int32], level: int) -> NDArray[np.int32]:
    """Linear interpolation of integer `knots` `[KNOTS, ...]` at `level`, rounded half up: the same everywhere."""
    low, weight = divmod(level, KNOT_SPACING)
    total = knots[low] * (KNOT_SPACING - weight) + knots[low + 1] * weight + KNOT_SPACING // 2
    return total >> (KNOT_SPACING.bit_length() - 1)


def interpolate_gain(log2_knots: NDArray[np.floating], level: int) -> NDArray[np.float32]:
    """The gains `2^x` of log2 gains at knots `[KNOTS, ...]`, as float32; for networks that decide no byte."""
    low, weight = divmod(level, KNOT_SPACING)
    start, end = np.float32(log2_knots[low]), np.float32(log2_knots[low + 1])
    return np.exp2(start + (end - start) * np.float32(weight / KNOT_SPACING))
