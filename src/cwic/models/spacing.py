"""Space the quality levels of a trained model, so that a quality means the same bytes as in another model.

A training for another measure moves the rates of levels by up to a third. All that depends on the level lies at knots
(`cwic.nn.gain`), so levels move when the knots take the values of other positions. Nothing is trained.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cwic.errors import InputError
from cwic.lab.cwic import CwicModel
from cwic.lab.fixed_point import Knots
from cwic.latents.levels import KNOT_SPACING, KNOTS, MAX_LEVEL
from cwic.models.base import CodingModel
from cwic.nn.gain import LevelGain

LEVELS = (*range(0, MAX_LEVEL, KNOT_SPACING), MAX_LEVEL)
"""The levels whose bits are compared: those of the knots, and the last level in place of the last knot behind it."""
POSITIONS = np.arange(-1.0, KNOTS + 3.0)
"""Positions between the knots, and beyond them, at which the bits of the model are measured."""


def coded_bits(model: CodingModel, pictures: Sequence[Tensor]) -> list[float]:
    """Return the bits of `pictures` `[1, 3, H, W]`, as `model` codes them, at each of `LEVELS`."""
    totals = [0.0] * len(LEVELS)
    for picture in pictures:
        prepared = model.prepare_analysis(picture.numpy())
        for i, level in enumerate(LEVELS):
            totals[i] += 8.0 * len(model.compress(model.finish_analysis(prepared, level), level).data)
    return totals


@torch.no_grad()
def space_levels(model: nn.Module, bits: Sequence[float], pictures: Sequence[Tensor]) -> list[float]:
    """Change the knots of `model` in place, so that `pictures` have these `bits` at `LEVELS`.

    Values beyond the first and the last knot go on in straight lines.

    Args:
        model: a model of the `cwic` family, in evaluation mode.
        bits: the bits that the pictures shall have.
        pictures: `[1, 3, H, W]` each; H and W are multiples of 64. Their bits are estimated with the float networks.

    Returns:
        The position among the old knots, from 0, whose values each knot has now.

    Raises:
        InputError: the model has one rate, or its bits do not reach that far.
    """
    if not isinstance(model, CwicModel):
        raise InputError("a model of one rate has no levels to space")
    old = {knots: knots.clone() for knots in _knots(model)}
    level = torch.zeros(1, dtype=torch.int64)
    found = []
    for position in POSITIONS:
        for knots, values in old.items():
            knots.copy_(_at(values, position).expand_as(knots))
        outputs = [model.prior(model.g_a(picture, level), level) for picture in pictures]
        found.append(math.log(sum(float(output.y_bits + output.z_bits) for output in outputs)))
    wanted = np.log(bits)
    if not found[0] <= wanted[0] <= wanted[-1] <= found[-1] or min(np.diff(found)) <= 0:
        for knots, values in old.items():
            knots.copy_(values)
        raise InputError(
            "the levels of this model cannot be spaced: its bits do not rise through those that they shall have"
        )
    positions = np.interp(wanted, found, POSITIONS).tolist()
    # The last level lies between the last two knots, and gets its position from both.
    reached = LEVELS[-1] / KNOT_SPACING - (KNOTS - 2)
    positions[-1] = positions[-2] + (positions[-1] - positions[-2]) / reached
    for knots, values in old.items():
        knots.copy_(torch.stack([_at(values, position) for position in positions]))
    return [float(position) for position in positions]


def _knots(model: nn.Module) -> list[Tensor]:
    """Return all parameters of `model` that have a value for each knot, `[KNOTS, ...]`."""
    return [p for owner in model.modules() if isinstance(owner, LevelGain | Knots) for p in owner.parameters()]


def _at(values: Tensor, position: float) -> Tensor:
    """Interpolate or extend `values` `[KNOTS, ...]` linearly at a position among them."""
    low = min(max(math.floor(position), 0), KNOTS - 2)
    return values[low] + (position - low) * (values[low + 1] - values[low])
