"""The cost of the error of a picture that is made for the eye, in bits: SSIMULACRA 2, and some of the squared error.

The training of such models and the search for latents of one picture (`refine.py`) have the same cost.
"""

from __future__ import annotations

import numpy as np

from cwic.image.fidelity import PEAK, SSIMULACRA2_MIN_SIDE
from cwic.image.ssimulacra2_gradient import ssimulacra2_gradient
from cwic.image.window import Floats

EYE_SLOPE, EYE_POWER = 0.11, 0.6
"""A point of SSIMULACRA 2 is worth `EYE_SLOPE * lmbda**EYE_POWER` bits per pixel: about what it costs at each quality.

So a quality keeps its rate: of all levels of cwic-s on 18 crops of photographs, the one of least cost has 0.92 to 1.05
times the bits of the one that the squared error chooses, from quality 20 to 90.
"""
EYE_MSE = 0.15
"""The share of `lmbda * 255**2 * MSE` that stays: pictures stay faithful where SSIMULACRA 2 is blind."""
EYE_TINT = 6.0
"""The weight of the error of slow colour, which SSIMULACRA 2 hardly sees and people do: a tinted grey sky."""
TINT_SIDE = 16
"""Pixels over whose square slow colour is averaged."""
CHROMA = ((-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""Cb and Cr of red, green and blue, as JPEG has them (ITU-R BT.601)."""
_CHROMA = np.array(CHROMA, np.float32)


def has_eye_cost(height: int, width: int) -> bool:
    """True if a picture is large enough for the measure."""
    return min(height, width) >= SSIMULACRA2_MIN_SIDE


def eye_cost(x: Floats, x_hat: Floats, lmbda: float) -> tuple[float, Floats]:
    """The cost of the whole picture, and its gradient by each sample of `x_hat`.

    Args:
        x: the picture, sRGB in [0, 1], `[3, H, W]`, for which `has_eye_cost` is true.
        x_hat: what it became, of the same shape. Values outside [0, 1] count as the nearest one inside; the gradient
            passes straight through.
        lmbda: of the quality.
    """
    pixels = x[0].size
    points, slope = ssimulacra2_gradient(x, x_hat)
    of_points, of_squares = EYE_SLOPE * lmbda**EYE_POWER * pixels, lmbda * PEAK**2 * pixels
    change = np.clip(x_hat, 0, 1) - x
    tint, tint_slope = _tint(change)
    cost = of_points * (100 - points)
    cost += of_squares * (EYE_MSE * float(np.square(change).mean(dtype=np.float64)) + EYE_TINT * tint)
    gradient = np.float32(2 * of_squares * EYE_MSE / change.size) * change - np.float32(of_points) * slope
    gradient += np.float32(of_squares * EYE_TINT) * tint_slope
    return cost, gradient


def _tint(change: Floats) -> tuple[float, Floats]:
    """The mean square of slow colour in a change `[3, H, W]`, and its gradient."""
    rows, columns = (side // TINT_SIDE for side in change.shape[1:])
    inner = change[:, : rows * TINT_SIDE, : columns * TINT_SIDE]
    slow = inner.reshape(3, rows, TINT_SIDE, columns, TINT_SIDE).mean(axis=(2, 4))
    chroma = np.einsum("kc,chw->khw", _CHROMA, slow)
    by_slow = np.einsum("kc,khw->chw", _CHROMA, chroma) * np.float32(2 / (chroma.size * TINT_SIDE**2))
    slope = np.zeros_like(change)
    slope[:, : rows * TINT_SIDE, : columns * TINT_SIDE] = by_slow.repeat(TINT_SIDE, axis=1).repeat(TINT_SIDE, axis=2)
    return float(np.square(chroma).mean()), slope
