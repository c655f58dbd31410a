"""The trunk of the `cwic` transforms: a residual depth-wise convolution block with a gated feed-forward part."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.nn.gain import LevelGain


@torch.no_grad()
def start_near_zero(conv: nn.Conv2d) -> nn.Conv2d:
    """Shrinks the last convolution of a residual branch, so that the block starts close to the identity."""
    conv.weight.mul_(0.02)
    nn.init.zeros_(conv.get_parameter("bias"))
    return conv


class DepthConvBlock(nn.Module):
    """`x + A(x)`, then `x + B(x)`, on `[B, C, H, W]`; the level `[B]` scales the hidden channels of both branches.

    A is 1x1, leaky ReLU, 3x3 depth-wise, 1x1; B is 1x1 to 2C, `a * sigmoid(b)`, 1x1. Costs 5 C^2 + 9 C
    multiplications a position. After DCVC-RT's block (Jia et al., CVPR 2025, section 3.2).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.spatial_gain = LevelGain(channels)
        self.project = start_near_zero(nn.Conv2d(channels, channels, 1))
        self.gate = nn.Conv2d(channels, 2 * channels, 1)
        self.channel_gain = LevelGain(channels)
        self.merge = start_near_zero(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        spatial = self.depthwise(F.leaky_relu(self.expand(x), 0.1))
        x = x + self.project(self.spatial_gain(spatial, level))
        value, gate = self.gate(x).chunk(2, dim=1)
        return x + self.merge(self.channel_gain(value * torch.sigmoid(gate), level))
