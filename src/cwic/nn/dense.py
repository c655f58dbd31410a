"""Feature encoding: the dense-block module in front of the paper's transforms (Mudgal & Liu 2024, section 3.1)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseBlock(nn.Module):
    """Five 3x3 convolutions, each fed with the input and all earlier outputs: `[B, C_in, H, W] -> [B, C_out, H, W]`.

    The first four have `growth` output channels each and a leaky ReLU (slope 0.2). The fifth is linear and starts at
    zero.
    """

    def __init__(self, in_channels: int, out_channels: int, growth: int = 32) -> None:
        super().__init__()
        for i in range(1, 6):
            width = out_channels if i == 5 else growth
            conv = nn.Conv2d(in_channels + (i - 1) * growth, width, 3, padding=1)
            if i < 5:
                nn.init.xavier_normal_(conv.weight, gain=0.1)
            else:
                nn.init.zeros_(conv.weight)
            nn.init.constant_(conv.get_parameter("bias"), 0.0)
            self.add_module(f"conv{i}", conv)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for i in range(1, 5):
            grown = F.leaky_relu_(self.get_submodule(f"conv{i}")(features), 0.2)
            # Under autocast, a single-precision input would turn all features to single precision again at each step.
            features = torch.cat([features.to(grown.dtype), grown], dim=1)
        return cast(Tensor, self.get_submodule("conv5")(features))


class FeatureEncoding(nn.Module):
    """`x + 0.2 L(x)` with L = dense block, 1x1, 3x3 and 1x1 convolution, dense block; the identity at the start.

    Shape `[B, C, H, W]` in and out. The paper applies it to RGB at full resolution with `width` 64 and `growth` 32,
    313,472 multiply-accumulates a pixel; the `cwic` models apply it to the planes of the unshuffled picture.
    A dense block from c to d channels with growth g costs `9 (4 c g + 6 g^2 + (c + 4 g) d)` a position, the middle
    11 width^2. As published, only the dense blocks have activations.
    """

    def __init__(self, channels: int = 3, width: int = 64, growth: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            DenseBlock(channels, width, growth),
            nn.Conv2d(width, width, 1),
            nn.Conv2d(width, width, 3, padding=1),
            nn.Conv2d(width, width, 1),
            DenseBlock(width, channels, growth),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.2 * self.layers(x)
