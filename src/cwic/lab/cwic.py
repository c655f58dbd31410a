"""The trainable model of the `cwic` family: transforms and prior, put together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.prior import Prior
from cwic.lab.transforms import Analysis, Synthesis


class ModelOutput(NamedTuple):
    """`x_hat` `[B, 3, H, W]` (not clamped) and the bits of each picture's y and z, `[B]` each."""

    x_hat: Tensor
    y_bits: Tensor
    z_bits: Tensor


class CwicModel(nn.Module):
    """The `cwic` auto-encoder, as it trains.

    x --g_a--> y --h_a--> z --round--> z_hat --h_s--> state of the context
               |                                         |
               +--round to y_hat, four passes <--mean, scale
                            |
    x_hat <--g_s------------+
    """

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        self.config = config
        self.g_a = Analysis(config)
        self.g_s = Synthesis(config)
        self.prior = Prior(config)

    def forward(self, x: Tensor, level: Tensor) -> ModelOutput:
        """`x` `[B, 3, H, W]` in [0, 1] with sides that are multiples of 64; `level` `[B]` integers 0..1000."""
        y_hat, y_bits, z_bits = self.prior(self.g_a(x, level), level)
        return ModelOutput(self.g_s(y_hat, level), y_bits, z_bits)

    @torch.no_grad()
    def calibrate(self, batches: list[Tensor]) -> None:
        """Measures the constants of an untrained model on pictures `[B, 3, H, W]` (see `Analysis.calibrate`)."""
        self.g_a.calibrate(batches)
        self.g_s.follow(self.g_a)
        self.prior.calibrate(self.g_a.y_scale)
