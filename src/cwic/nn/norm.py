"""Normalisation over channels: each position is normalised by itself, independent of its neighbours."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """`x / sqrt(mean of x^2 over the channels + epsilon)` on `[B, C, H, W]`, computed in float32, without parameters.

    A linear map after it can scale the channels.
    """

    def __init__(self, channels: int, epsilon: float = 1e-4) -> None:
        super().__init__()
        self.channels, self.epsilon = channels, epsilon

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(dim=1, keepdim=True) + self.epsilon)).to(x.dtype)
