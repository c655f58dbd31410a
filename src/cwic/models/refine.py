"""Refine the latents of one picture: search for latents with fewer bits and less error, for the same decoder.

g_a predicts latents for any picture. Here, each step reconstructs the picture as the decoder would, and moves the
latents against the gradient of the error. The best of all codings is kept. The error is that of the model's tune: the
squared error, or the cost for the eye.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.config import EYE
from cwic.image.fidelity import PEAK
from cwic.latents.levels import lmbda_of
from cwic.latents.symbols import CodedLatents
from cwic.models.base import CodingModel, Floats
from cwic.models.eye import eye_cost, has_eye_cost
from cwic.stages import add

FASTEST, DEFAULT_EFFORT, MOST = 1, 5, 9
STEPS = {6: 1, 7: 5, 8: 12, 9: 60}
"""The largest number of steps, by effort. Lower efforts do none."""
EARLY = 5
"""The number of steps in which moves become shorter fast; after those they do so slowly."""
PATIENCE = 10
"""The number of steps without a gain after which a search ends."""


class Descent(NamedTuple):
    """The constants of a search, found by trial (docs/effort.md).

    Attributes:
        curvature: half the second derivative of the error by a latent, in bits per squared quantisation step.
        pull: the part of the way from the latents to their coded values that is added to every move.
        longest: the longest move against the gradient, in quantisation steps.
        share: the share of a move that the first step makes.
        decay: the factor on the share in each of the next `EARLY` steps.
        late_decay: the factor on the share in every step after those.
        error_weight: the weight of errors with which latents are rounded in a search (`cwic.latents.rounding`).
        bits_share: the share of the slope of the bits in a move. Rounding by cost sees to the rest.
    """

    curvature: float
    pull: float
    longest: float
    share: float
    decay: float
    late_decay: float
    error_weight: float
    bits_share: float


SQUARED = Descent(9.0, 1.0, np.inf, 0.3, 0.85, 0.97, 18.0, 0.5)
"""The squared error is nearly a parabola, with about the same curvature for all latents."""
FOR_THE_EYE = Descent(40.0, 0.1, 0.5, 0.3, 0.9, 0.9, 9.0, 0.6)
"""SSIMULACRA 2 is steep in places, and its slope changes soon, more so if many latents move together."""


class Goal(NamedTuple):
    """The target of a search.

    Attributes:
        x: the picture `[1, 3, 16 h, 16 w]` in [0, 1].
        rows: the rows of the pixels that count.
        columns: the columns of the pixels that count.
    """

    x: Floats
    rows: slice
    columns: slice

    @property
    def counted(self) -> Floats:
        """The pixels that count, `[1, 3, H, W]`."""
        return self.x[:, :, self.rows, self.columns]

    @property
    def mask(self) -> Floats:
        """The mask `[1, 1, 16 h, 16 w]`: 1 for pixels that count, otherwise 0."""
        mask = np.zeros((1, 1, *self.x.shape[2:]), np.float32)
        mask[:, :, self.rows, self.columns] = 1
        return mask


class View(NamedTuple):
    """The decoder's result for coded latents, and the gradient that improves it.

    Attributes:
        cost: the cost of the error, in bits.
        y_hat: the coded latents in units of y, `[1, M, h, w]`.
        slope: the gradient of the cost by the latents in quantisation steps, of the same shape.
        step: the length of a quantisation step in units of y, `[1, M, 1, 1]`.
    """

    cost: float
    y_hat: Floats
    slope: Floats
    step: Floats


def compress(
    model: CodingModel, y: Floats, goal: Callable[[], Goal], level: int, tile: int, effort: int
) -> CodedLatents:
    """Code the latents of a tile with as much work as the effort allows.

    The lowest effort rounds to the nearest. Efforts up to the default round by the cost of symbols. Higher ones refine,
    which only models with `has_outlook` can do. Models for the eye do not refine tiles that are too small for its cost.

    Args:
        model: the model.
        y: the latents `[1, M, h, w]` from g_a.
        goal: makes the target of a search; called only if there is one.
        level: the level of the picture, 0..1000.
        tile: the number of the tile.
        effort: `FASTEST` to `MOST`.
    """
    if effort == FASTEST:
        return model.compress(y, level, tile, error_weight=float("inf"))
    steps = STEPS.get(effort, 0)
    if steps:
        wanted = goal()
        if model.data.tune != EYE or has_eye_cost(*wanted.counted.shape[2:]):
            return refine(model, y, wanted, level, tile, steps)
    return model.compress(y, level, tile)


def refine(model: CodingModel, y: Floats, goal: Goal, level: int, tile: int, steps: int) -> CodedLatents:
    """Return the best coding of `y` and of the latents after each of up to `steps` steps.

    The best has the least sum of bits and the cost of the error. The first coding is that of `compress`, so the result
    is never worse.

    Args:
        model: a model with `has_outlook`.
        y: the latents `[1, M, h, w]` from g_a.
        goal: the target.
        level: the level of the picture, 0..1000.
        tile: the number of the tile.
        steps: the largest number of steps.
    """
    look, descent = (_for_the_eye, FOR_THE_EYE) if model.data.tune == EYE else (_squared, SQUARED)
    free = _free(goal.mask)
    best, least, since = None, np.inf, 0
    start: dict[str, float] = {}
    for number in range(steps + 1):
        coded, bits_slope = model.compress_with_slope(y, level, tile, descent.error_weight if number else None)
        view = look(model, coded, goal, level)
        cost = 8 * len(coded.data) + view.cost
        start = start or {"bits_before": 8 * len(coded.data), "cost_before": cost}
        since = 0 if cost < least else since + 1
        if cost < least:
            best, least = coded, cost
        if since >= PATIENCE:
            break
        share = descent.share * descent.decay ** min(number, EARLY) * descent.late_decay ** max(0, number - EARLY)
        slope: Floats = view.slope + np.float32(descent.bits_share) * bits_slope
        move = np.clip(slope / np.float32(2 * descent.curvature), -descent.longest, descent.longest)
        y = y + np.float32(share) * (np.float32(descent.pull) * (view.y_hat - y) - move * view.step) * free
    assert best is not None  # the first has a finite cost
    add(**start, bits_after=8 * len(best.data), cost_after=least, steps=number)
    return best


def _squared(model: CodingModel, coded: CodedLatents, goal: Goal, level: int) -> View:
    """View coded latents with the cost `lmbda * 255**2 * MSE` for each pixel.

    The gradient is that before pixels are rounded.
    """
    bits = lmbda_of(level) * PEAK**2 / goal.x.shape[1]  # a unit of the sum of squared errors
    x_hat, y_hat, slope, step = model.outlook(coded.y_hat, goal.x, goal.mask, level)
    error = np.square(_shown(x_hat, goal) - goal.counted).sum(dtype=np.float64)
    return View(bits * float(error), y_hat, slope * np.float32(2 * bits), step)


def _for_the_eye(model: CodingModel, coded: CodedLatents, goal: Goal, level: int) -> View:
    """View coded latents with the cost for the eye that the model was trained with.

    The target of the squared error is shifted so that its gradient at the pixels is that of the cost.
    """
    x_hat = model.synthesise(coded.y_hat, level)
    cost, gradient = eye_cost(goal.counted[0], _shown(x_hat, goal)[0], lmbda_of(level))
    target = np.clip(x_hat, 0, 1)
    target[:, :, goal.rows, goal.columns] -= gradient
    _, y_hat, slope, step = model.outlook(coded.y_hat, target, goal.mask, level)
    return View(cost, y_hat, slope, step)


def _shown(x_hat: Floats, goal: Goal) -> Floats:
    """Return the pixels that count, rounded to 8 bits as in the decoder, in [0, 1]."""
    pixels: Floats = np.rint(np.clip(x_hat[:, :, goal.rows, goal.columns], 0, 1) * np.float32(PEAK)) / np.float32(PEAK)
    return pixels


def _free(mask: Floats) -> NDArray[np.float32]:
    """Return a mask of the latents, `[1, 1, h, w]`: 1 for each that lies under a pixel that counts."""
    rows, columns = (side // 16 for side in mask.shape[2:])
    return mask.reshape(1, 1, rows, 16, columns, 16).max(axis=(3, 5))
