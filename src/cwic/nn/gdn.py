"""Generalised divisive normalisation, GDN (Balle, Laparra & Simoncelli, ICLR 2016, section 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.nn.lower_bound import lower_bound

PEDESTAL = 2.0**-36
"""Subtracted from the squares of stored parameters, so that their slope at an effective value of 0 is not quite 0."""
BETA_MIN = 1e-6


class GDN(nn.Module):
    """A division of each position of `[B, C, H, W]` by a norm of its channels; with `inverse`, a multiplication (IGDN).

    `y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2)`, and `x_i * sqrt(...)` for the inverse, which has parameters of
    its own and is no exact inverse of a GDN. `beta` `[C]` and `gamma` `[C, C]` are stored as square roots. Effective
    values are `max(stored, bound)^2 - 2^-36`, at least 1e-6 for beta and 0 for gamma; they start as 1 and `0.1 I`.
    Costs C^2 multiply-accumulates a position.
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter((torch.ones(channels) + PEDESTAL).sqrt())
        self.gamma = nn.Parameter((0.1 * torch.eye(channels) + PEDESTAL).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        beta, gamma = effective_parameters(self)
        norm = F.conv2d(x.square(), gamma[:, :, None, None], beta)
        return x * (norm.sqrt_() if self.inverse else norm.rsqrt_())


def effective_parameters(layer: GDN) -> tuple[Tensor, Tensor]:
    """Return the effective `beta` `[C]` and `gamma` `[C, C]` of a layer."""
    return _effective(layer.beta, BETA_MIN), _effective(layer.gamma, 0.0)


def _effective(stored: Tensor, minimum: float) -> Tensor:
    return lower_bound(stored, (minimum + PEDESTAL) ** 0.5).square() - PEDESTAL
