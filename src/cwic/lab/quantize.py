"""Quantisation in training: rounding that lets gradients through, noise that stands for it in the rate, and the
encoder's rounding by cost.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def round_straight_through(x: Tensor) -> Tensor:
    """`round(x)` with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


def add_uniform_noise(x: Tensor) -> Tensor:
    """`x + U(-1/2, 1/2)`: its density is the mass function of rounding (Balle et al., ICLR 2017, section 3)."""
    return x + torch.rand_like(x) - 0.5


def round_by_cost(values: Tensor, bits: Callable[[Tensor], Tensor], weight: Tensor | float) -> Tensor:
    """Of the two integers around each of `values` (in steps), as floats, the one with fewer bits plus weighted error.

    This is `cwic.latents.rounding` for a batch in training. `bits` gives the cost of integer magnitudes of the shape of
    `values`; `weight`, the bits that a squared error of one step is worth, broadcasts to it.
    """
    magnitude = values.abs()
    nearest = magnitude.round()
    lower = (nearest - 1).clamp_min(0)
    saved = bits(nearest) - bits(lower)
    added = weight * ((magnitude - lower).square() - (magnitude - nearest).square())
    return torch.where(saved > added, lower, nearest) * values.sign()
