"""A search for better latents of one picture: fewer bits and less error, for the same decoder.

g_a guesses latents for any picture. Here each step looks at what the decoder would make of them, and moves them
against the gradient of the error: by a part of the way to where a parabola through it has its lowest point. What is
kept is the best of all that was coded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.image.fidelity import PEAK
from cwic.latents.levels import lmbda_of
from cwic.latents.symbols import CodedLatents
from cwic.models.base import CodingModel, Floats

FASTEST, DEFAULT_EFFORT, MOST = 1, 5, 9
STEPS = {6: 1, 7: 5, 8: 12, 9: 40}
"""At most, by effort. Below these there are none."""
CURVATURE = 8.0
"""Bits that a squared step of a latent is worth in the error: half the second derivative, about the same for all."""
SHARES = (0.3, 0.85, 0.05)
"""Of the way to go: in the first step, of the share before in every other, and at the least."""
PATIENCE = 4
"""Steps without a gain, after which a search ends."""
ERROR_WEIGHT = 18.0
"""How latents are rounded in a search; by trial (docs/effort.md)."""


class Goal(NamedTuple):
    """What latents are to give.

    Attributes:
        x: the picture `[1, 3, 16 h, 16 w]` in [0, 1].
        mask: 1 where its pixels count, else 0, `[1, 1, 16 h, 16 w]`.
    """

    x: Floats
    mask: Floats


def compress(
    model: CodingModel, y: Floats, goal: Callable[[], Goal], level: int, tile: int, effort: int
) -> CodedLatents:
    """The latents `y` of a tile, coded with as much work as `effort` allows, `FASTEST` to `MOST`.

    The least rounds to the nearest, those up to the default by the cost of symbols, and higher ones refine: for models
    with `has_outlook` alone. `goal` is asked for what refined latents are to give.
    """
    if effort == FASTEST:
        return model.compress(y, level, tile, error_weight=float("inf"))
    steps = STEPS.get(effort, 0)
    if not steps:
        return model.compress(y, level, tile)
    return refine(model, y, goal(), level, tile, steps)


def refine(model: CodingModel, y: Floats, goal: Goal, level: int, tile: int, steps: int) -> CodedLatents:
    """The best of the codings of `y` and of what up to `steps` steps make of it.

    Best is the least `lmbda * 255**2 * MSE + bpp`. The first coding is that of `compress`: nothing gets worse.

    Args:
        model: one with `has_outlook`.
        y: the latents `[1, M, h, w]` that the analysis gives.
        goal: what they are to give.
        level: of the picture, 0..1000.
        tile: number of the tile.
        steps: how often to try.
    """
    bits_per_error = lmbda_of(level) * PEAK**2 / goal.x.shape[1]  # of the sum of squared errors
    free = _free(goal.mask)
    best, least, since = None, np.inf, 0
    for step in range(steps + 1):
        coded = model.compress(y, level, tile, error_weight=ERROR_WEIGHT if step else None)
        x_hat, y_hat, slope = model.outlook(coded.y_hat, goal.x, goal.mask, level)
        cost = 8 * len(coded.data) + bits_per_error * _squared_error(x_hat, goal)
        since = 0 if cost < least else since + 1
        if cost < least:
            best, least = coded, cost
        if since >= PATIENCE:
            break
        share = max(SHARES[0] * SHARES[1] ** step, SHARES[2])
        move = y_hat - slope * np.float32(bits_per_error / CURVATURE) - y
        y = y + np.float32(share) * move * free
    assert best is not None  # the first has a finite cost
    return best


def _squared_error(x_hat: Floats, goal: Goal) -> float:
    """Of 8-bit samples, as the decoder rounds them; the sum over all that count."""
    pixels = np.rint(np.clip(x_hat, 0, 1) * np.float32(PEAK)) / np.float32(PEAK)
    return float((np.square(pixels - goal.x) * goal.mask).sum(dtype=np.float64))


def _free(mask: Floats) -> NDArray[np.float32]:
    """1 for latents that lie under a pixel that counts: `[1, 1, h, w]`."""
    rows, columns = (side // 16 for side in mask.shape[2:])
    return mask.reshape(1, 1, rows, 16, columns, 16).max(axis=(3, 5))
