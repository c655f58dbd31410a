"""A search for better latents of one picture: fewer bits and less error, for the same decoder.

g_a guesses latents for any picture. Here each step looks at what the decoder would make of them, and moves them
against the gradient of the error. What is kept is the best of all that was coded. The error is that of the model's
tune: squared, or the cost for the eye.
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

FASTEST, DEFAULT_EFFORT, MOST = 1, 5, 9
STEPS = {6: 1, 7: 5, 8: 12, 9: 40}
"""At most, by effort. Below these there are none."""
PATIENCE = 4
"""Steps without a gain, after which a search ends."""


class Descent(NamedTuple):
    """How latents move; by trial (docs/effort.md).

    Attributes:
        curvature: bits that a squared quantisation step of a latent is worth in the error: half the second derivative.
        pull: the part of the way from the latents to what was coded of them that every move takes too.
        longest: of a move against the gradient, in quantisation steps.
        share: of the move to make, in the first step.
        decay: of the share, in every other step.
        least: share.
        error_weight: how latents are rounded in a search.
    """

    curvature: float
    pull: float
    longest: float
    share: float
    decay: float
    least: float
    error_weight: float


SQUARED = Descent(8.0, 1.0, np.inf, 0.3, 0.85, 0.05, 18.0)
"""The squared error is nearly a parabola, with about the same curvature for all latents."""
FOR_THE_EYE = Descent(40.0, 0.1, 0.5, 0.3, 0.9, 0.02, 9.0)
"""SSIMULACRA 2 is steep in places and bends soon, more so where many latents move together."""


class Goal(NamedTuple):
    """What latents are to give.

    Attributes:
        x: the picture `[1, 3, 16 h, 16 w]` in [0, 1].
        rows, columns: of the pixels that count.
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
        """1 where pixels count, else 0, `[1, 1, 16 h, 16 w]`."""
        mask = np.zeros((1, 1, *self.x.shape[2:]), np.float32)
        mask[:, :, self.rows, self.columns] = 1
        return mask


class View(NamedTuple):
    """What coded latents give: the cost of the error in bits, the latents, and how that would get better.

    `slope` is the gradient of the cost by the latents in quantisation steps, `step` the length of such a step.
    """

    cost: float
    y_hat: Floats
    slope: Floats
    step: Floats


def compress(
    model: CodingModel, y: Floats, goal: Callable[[], Goal], level: int, tile: int, effort: int
) -> CodedLatents:
    """The latents `y` of a tile, coded with as much work as `effort` allows, `FASTEST` to `MOST`.

    The least rounds to the nearest, those up to the default by the cost of symbols, and higher ones refine: for models
    with `has_outlook` alone. Tiles that are too small for a measure are not refined by it. `goal` is asked for what
    refined latents are to give.
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
    """The best of the codings of `y` and of what up to `steps` steps make of it.

    Best is the least of bits and the cost of the error. The first coding is that of `compress`: nothing gets worse.

    Args:
        model: one with `has_outlook`.
        y: the latents `[1, M, h, w]` that the analysis gives.
        goal: what they are to give.
        level: of the picture, 0..1000.
        tile: number of the tile.
        steps: how often to try.
    """
    look, descent = (_for_the_eye, FOR_THE_EYE) if model.data.tune == EYE else (_squared, SQUARED)
    free = _free(goal.mask)
    best, least, since = None, np.inf, 0
    for number in range(steps + 1):
        coded = model.compress(y, level, tile, error_weight=descent.error_weight if number else None)
        view = look(model, coded, goal, level)
        cost = 8 * len(coded.data) + view.cost
        since = 0 if cost < least else since + 1
        if cost < least:
            best, least = coded, cost
        if since >= PATIENCE:
            break
        share = max(descent.share * descent.decay**number, descent.least)
        move = np.clip(view.slope / np.float32(2 * descent.curvature), -descent.longest, descent.longest)
        y = y + np.float32(share) * (np.float32(descent.pull) * (view.y_hat - y) - move * view.step) * free
    assert best is not None  # the first has a finite cost
    return best


def _squared(model: CodingModel, coded: CodedLatents, goal: Goal, level: int) -> View:
    """With `lmbda * 255**2 * MSE` for each pixel; the gradient is that before pixels are rounded."""
    bits = lmbda_of(level) * PEAK**2 / goal.x.shape[1]  # a unit of the sum of squared errors
    x_hat, y_hat, slope, step = model.outlook(coded.y_hat, goal.x, goal.mask, level)
    error = np.square(_shown(x_hat, goal) - goal.counted).sum(dtype=np.float64)
    return View(bits * float(error), y_hat, slope * np.float32(2 * bits), step)


def _for_the_eye(model: CodingModel, coded: CodedLatents, goal: Goal, level: int) -> View:
    """With the cost that the model was trained with; its gradient goes through g_s as that of a squared error would."""
    x_hat = model.synthesise(coded.y_hat, level)
    cost, gradient = eye_cost(goal.counted[0], _shown(x_hat, goal)[0], lmbda_of(level))
    target = np.clip(x_hat, 0, 1)
    target[:, :, goal.rows, goal.columns] -= gradient
    _, y_hat, slope, step = model.outlook(coded.y_hat, target, goal.mask, level)
    return View(cost, y_hat, slope, step)


def _shown(x_hat: Floats, goal: Goal) -> Floats:
    """The pixels that count, rounded to 8 bits as the decoder does, in [0, 1]."""
    pixels: Floats = np.rint(np.clip(x_hat[:, :, goal.rows, goal.columns], 0, 1) * np.float32(PEAK)) / np.float32(PEAK)
    return pixels


def _free(mask: Floats) -> NDArray[np.float32]:
    """1 for latents that lie under a pixel that counts: `[1, 1, h, w]`."""
    rows, columns = (side // 16 for side in mask.shape[2:])
    return mask.reshape(1, 1, rows, 16, columns, 16).max(axis=(3, 5))
