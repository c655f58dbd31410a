"""The trainable model of the `cwic` family: transforms and prior together."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.prior import Prior
from cwic.lab.transforms import Analysis, Synthesis


class ModelOutput(NamedTuple):
    """The output of a model: `x_hat` `[B, 3, H, W]`, not clamped, and the bits of y and z by picture, `[B]` each."""

    x_hat: Tensor
    y_bits: Tensor
    z_bits: Tensor


class CwicModel(nn.Module):
    """The trainable `cwic` auto-encoder.

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
        """Return reconstruction and bits of pictures.

        Args:
            x: pictures `[B, 3, H, W]` in [0, 1]; H and W are multiples of 64.
            level: the level of each picture, integers 0..1000, `[B]`.
        """
        y_hat, y_bits, z_bits = self.prior(self.g_a(x, level), level)
        return ModelOutput(self.g_s(y_hat, level), y_bits, z_bits)

    @torch.no_grad()
    def calibrate(self, batches: list[Tensor]) -> None:
        """Measure the constants of an untrained model on pictures `[B, 3, H, W]` (see `Analysis.calibrate`)."""
        self.g_a.calibrate(batches)
        self.g_s.follow(self.g_a)
        self.prior.calibrate(self.g_a.y_scale)
