"""The Gaussian conditional of y and z: likelihoods and bits for training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cwic.latents.scales import SCALE_MIN
from cwic.nn.lower_bound import lower_bound

MASS_MIN = 1e-9


def bits(values: Tensor, log2_scale: Tensor) -> Tensor:
    """Return the bits of `values` (means removed, in quantisation steps).

    They are -log2 of the mass of a zero-mean Gaussian on +-0.5 around each value.

    The scale is bounded below at `SCALE_MIN`, the mass at `MASS_MIN` (Balle et al., ICLR 2018, section 3).
    """
    scale = torch.exp2(log2_scale.clamp(math.log2(SCALE_MIN), 14.0))
    return -torch.log2(_mass(values, scale).clamp_min(MASS_MIN))


def likelihood(values: Tensor, scale: Tensor) -> Tensor:
    """Return the mass of a zero-mean Gaussian of standard deviation `scale` on +-0.5 around `values` (means removed).

    The bounds are those of `bits`, but with gradients below them (see `cwic.nn.lower_bound`), as published.
    """
    return lower_bound(_mass(values, lower_bound(scale, SCALE_MIN)), MASS_MIN)


def _mass(values: Tensor, scale: Tensor) -> Tensor:
    magnitude = values.abs()
    factor = math.sqrt(0.5) / scale
    return 0.5 * (torch.erfc((magnitude - 0.5) * factor) - torch.erfc((magnitude + 0.5) * factor))
