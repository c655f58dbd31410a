"""The Gaussian conditional of y and z: likelihoods for training, and the grid of scales that the tables stand for."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cwic.nn.lower_bound import lower_bound

SCALES = 64
SCALE_STEP = 48
"""Stream units (1/256 octave) from one scale of the grid to the next: 3/16 octave."""
SCALE_MIN = 0.11
MASS_MIN = 1e-9
LOG2_SCALE_MIN = round(math.log2(SCALE_MIN) * 256)
SKIPPED = 0
"""The scale index at which a symbol is not coded: it is 0."""
_RECIPROCAL, _RECIPROCAL_BITS = 43691, 21
"""x * 43691 >> 21 is x / 48 rounded down for every x that occurs: no division in the exact path."""


def scale_grid() -> list[float]:
    """The 64 standard deviations of the tables, in quantisation steps."""
    return [2.0 ** ((LOG2_SCALE_MIN + SCALE_STEP * i) / 256) for i in range(SCALES)]


def scale_index(log2_scale: Tensor) -> Tensor:
    """The nearest grid index (int) of integer log2 scales in stream units."""
    distance = (log2_scale - LOG2_SCALE_MIN + SCALE_STEP // 2).clamp(0, SCALE_STEP * SCALES - 1)
    return (distance * _RECIPROCAL) >> _RECIPROCAL_BITS


def bits(values: Tensor, log2_scale: Tensor) -> Tensor:
    """Bits of `values` (means removed, in quantisation steps): -log2 of the mass of a zero-mean Gaussian on +-0.5.

    The scale is bounded below at `SCALE_MIN`, the mass at `MASS_MIN` (Balle et al., ICLR 2018, section 3).
    """
    scale = torch.exp2(log2_scale.clamp(math.log2(SCALE_MIN), 14.0))
    return -torch.log2(_mass(values, scale).clamp_min(MASS_MIN))


def likelihood(values: Tensor, scale: Tensor) -> Tensor:
    """Mass of a zero-mean Gaussian of standard deviation `scale` on +-0.5 around `values` (means removed).

    The bounds are those of `bits`, but with gradients below them (see `cwic.nn.lower_bound`), as published.
    """
    return lower_bound(_mass(values, lower_bound(scale, SCALE_MIN)), MASS_MIN)


def _mass(values: Tensor, scale: Tensor) -> Tensor:
    magnitude = values.abs()
    factor = math.sqrt(0.5) / scale
    return 0.5 * (torch.erfc((magnitude - 0.5) * factor) - torch.erfc((magnitude + 0.5) * factor))
