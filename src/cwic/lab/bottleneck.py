"""The entropy bottleneck: a learned density for each channel of z (Balle et al., ICLR 2018, appendix 6.1)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.lab.gaussian import MASS_MIN
from cwic.lab.quantize import add_uniform_noise
from cwic.nn.lower_bound import lower_bound
from cwic.nn.precision import single_precision

WIDTHS = (1, 3, 3, 3, 3, 1)
INIT_SCALE = 10.0
"""The initial distance of the outer quantiles from 0, and about the initial width of the density."""
TAIL_MASS = 1e-9
TAIL_LOGIT = math.log(2 / TAIL_MASS - 1)
"""The absolute logit of the cumulative probability at the outer quantiles."""


class BottleneckOutput(NamedTuple):
    """`z_hat` and the `likelihoods` of its elements, `[B, C, h, w]` each."""

    z_hat: Tensor
    likelihoods: Tensor


class EntropyBottleneck(nn.Module):
    """A monotone network from a value to the logit of its cumulative probability, one for each channel.

    Layer i maps `h` to `g = softplus(matrix_i) h + bias_i`, and all but the last on to `g + tanh(factor_i) tanh(g)`,
    with widths 1, 3, 3, 3, 3, 1. The likelihood of v is `sigmoid(logit(v + 1/2)) - sigmoid(logit(v - 1/2))`, at
    least 1e-9. In training `z_hat = z + U(-1/2, 1/2)`, one draw for decoder and rate; else `round(z - median) +
    median`. `quantiles` `[C, 1, 3]` are the median and, before and after it, the points where the tails of mass 5e-10
    begin. They learn from `aux_loss` alone, and nothing else learns from it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.matrices, self.biases, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        for i, (before, after) in enumerate(pairwise(WIDTHS)):
            start = math.log(math.expm1(1 / (INIT_SCALE ** (1 / (len(WIDTHS) - 1)) * after)))
            self.matrices.append(nn.Parameter(torch.full((channels, after, before), start)))
            self.biases.append(nn.Parameter(torch.rand(channels, after, 1) - 0.5))
            if i < len(WIDTHS) - 2:
                self.factors.append(nn.Parameter(torch.zeros(channels, after, 1)))
        self.quantiles = nn.Parameter(torch.tensor([-INIT_SCALE, 0.0, INIT_SCALE]).repeat(channels, 1, 1))

    @property
    def medians(self) -> Tensor:
        """The medians of the channels, `[C, 1, 1]`, without gradient."""
        return self.quantiles.detach()[:, :, 1:2]

    def forward(self, z: Tensor) -> BottleneckOutput:
        """Quantise `z` `[B, C, h, w]`, and return the values for the decoder and their likelihoods."""
        z_hat = add_uniform_noise(z) if self.training else torch.round(z - self.medians) + self.medians
        return BottleneckOutput(z_hat, self.likelihoods(z_hat))

    def likelihoods(self, z_hat: Tensor) -> Tensor:
        """Return the mass on +-1/2 around each element of `z_hat` `[B, C, h, w]`, at least 1e-9."""
        rows = z_hat.transpose(0, 1).flatten(1)[:, None]
        lower, upper = self._logits(rows - 0.5), self._logits(rows + 0.5)
        # If both logits are positive, their sigmoids round to 1, so the difference is taken on the negative side.
        sign = -torch.sign(lower + upper).detach()
        mass = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
        bounded = lower_bound(mass, MASS_MIN)
        return bounded.view(z_hat.shape[1], z_hat.shape[0], *z_hat.shape[2:]).transpose(0, 1)

    def aux_loss(self) -> Tensor:
        """Return `sum |logit(quantiles) - (-t, 0, t)|`, a scalar to minimise, with t = 21.4, the logit of the tails."""
        target = TAIL_LOGIT * torch.arange(-1, 2, device=self.quantiles.device)
        return (self._logits(self.quantiles, frozen=True) - target).abs().sum()

    def _logits(self, values: Tensor, frozen: bool = False) -> Tensor:
        """Return the logits `[C, 1, n]` of the cumulative at `values` `[C, 1, n]`.

        Args:
            values: the points.
            frozen: give the networks no gradient.
        """
        for i, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            matrix, bias = (matrix.detach(), bias.detach()) if frozen else (matrix, bias)
            values = _product(F.softplus(matrix), values) + bias
            if i < len(self.factors):
                factor = self.factors[i].detach() if frozen else self.factors[i]
                values = values + torch.tanh(factor) * torch.tanh(values)
        return values


def _product(matrix: Tensor, values: Tensor) -> Tensor:
    """Return the product of matrices in single precision, under autocast too, because the tails need it."""
    with single_precision(values.device):
        return matrix @ values
