"""Quantisation in training: rounding with straight-through gradients, additive noise, and rounding by cost."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def round_straight_through(x: Tensor) -> Tensor:
    """Return `round(x)` with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


def add_uniform_noise(x: Tensor) -> Tensor:
    """Return `x + U(-1/2, 1/2)`: its density is the mass function of rounding (Balle et al., ICLR 2017, section 3)."""
    return x + torch.rand_like(x) - 0.5


def round_by_cost(values: Tensor, bits: Callable[[Tensor], Tensor], weight: Tensor | float) -> Tensor:
    """Round each value to the integer next to it with the lower cost: bits plus weighted squared error.

    This is `cwic.latents.rounding` for a batch in training.

    Args:
        values: the values in steps.
        bits: gives the bits of integer magnitudes of the shape of `values`.
        weight: the bits that a squared error of one step is worth; it broadcasts to `values`.

    Returns:
        The integers as floats.
    """
    magnitude = values.abs()
    nearest = magnitude.round()
    lower = (nearest - 1).clamp_min(0)
    saved = bits(nearest) - bits(lower)
    added = weight * ((magnitude - lower).square() - (magnitude - nearest).square())
    return torch.where(saved > added, lower, nearest) * values.sign()
