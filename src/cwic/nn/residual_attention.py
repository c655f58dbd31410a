"""Residual units, and the gated module that consists of them (Cheng et al., CVPR 2020, section 3.2)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


class ResidualUnit(nn.Module):
    """`act(u + conv1x1(act(conv3x3(act(conv1x1(u))))))` on `[B, C, H, W]`, with half the channels inside.

    Costs 3.25 C^2 multiply-accumulates a position.
    """

    def __init__(self, channels: int, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        half = channels // 2
        self.conv = nn.Sequential(
            nn.Conv2d(channels, half, 1),
            activation(),
            nn.Conv2d(half, half, 3, padding=1),
            activation(),
            nn.Conv2d(half, channels, 1),
        )
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.conv(x))


class ResidualAttention(nn.Module):
    """`x + a(x) * sigmoid(b(x))` on `[B, C, H, W]`: a and b are `units` residual units, b ends in a 1x1 convolution.

    Costs `6.5 units + 1` C^2 multiply-accumulates a position: 20.5 C^2 with 3 units, as in the paper.
    """

    def __init__(self, dim: int, units: int = 3, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.conv_a = nn.Sequential(*(ResidualUnit(dim, activation) for _ in range(units)))
        self.conv_b = nn.Sequential(*(ResidualUnit(dim, activation) for _ in range(units)), nn.Conv2d(dim, dim, 1))

    @property
    def gate(self) -> nn.Conv2d:
        """The convolution before the sigmoid. Once its output is far below zero, the module learns nothing any more."""
        return cast(nn.Conv2d, self.conv_b[-1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_a(x) * torch.sigmoid(self.conv_b(x))
