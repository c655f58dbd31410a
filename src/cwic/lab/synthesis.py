"""g_s of the `cwic` family: the quantised latent back to a picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.analysis import Analysis, LinearMap, attention_branch
from cwic.lab.orthonormal import BLOCK, block_transform, haar
from cwic.nn import DepthConvBlock


class Synthesis(nn.Module):
    """g_s: `y_hat` `[B, M, h, w]` to `x_hat` `[B, 3, 16 h, 16 w]`, about [0, 1] and not clamped. Mirrors `Analysis`.

    y_hat -> CWAM branch -> * y_scale -> Haar -> shuffle 2 -> / frequency_scale -> blocks -> * frequency_scale
          -> inverse DCT -> shuffle 8 -> x_hat
    """

    frequency_scale: Tensor
    y_scale: Tensor

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        self.register_buffer("frequency_scale", torch.ones(config.trunk))
        self.register_buffer("y_scale", torch.ones(config.M))
        self.attention = attention_branch(config)
        self.haar = LinearMap(haar(config.trunk)[: config.M].t().contiguous())
        self.blocks = nn.ModuleList(DepthConvBlock(config.trunk) for _ in range(config.synthesis_blocks))
        self.block_transform = LinearMap(block_transform().t().contiguous())

    def forward(self, y_hat: Tensor, level: Tensor) -> Tensor:
        scale = self.frequency_scale[:, None, None]
        y = self.attention(y_hat) * self.y_scale[:, None, None]
        u = F.pixel_shuffle(self.haar(y), 2) / scale
        for block in self.blocks:
            u = block(u, level)
        return F.pixel_shuffle(self.block_transform(u * scale), BLOCK) + 0.5

    @torch.no_grad()
    def follow(self, analysis: Analysis) -> None:
        """Takes the constants that `analysis` was calibrated to, and its Haar rows."""
        self.frequency_scale.copy_(analysis.frequency_scale)
        self.y_scale.copy_(analysis.y_scale)
        self.haar.weight.copy_(analysis.haar.weight.t())
