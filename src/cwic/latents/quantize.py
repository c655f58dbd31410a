"""Quantisation in training: rounding that lets gradients through, and the noise that stands for it in the rate."""

from __future__ import annotations

import torch
from torch import Tensor


def round_straight_through(x: Tensor) -> Tensor:
    """`round(x)` with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


def add_uniform_noise(x: Tensor) -> Tensor:
    """`x + U(-1/2, 1/2)`: its density is the mass function of rounding (Balle et al., ICLR 2017, section 3)."""
    return x + torch.rand_like(x) - 0.5
