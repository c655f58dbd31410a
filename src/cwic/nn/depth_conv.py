"""The trunk of the `cwic` transforms: a residual depth-wise convolution block with a gated feed-forward part."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.nn.compiled import are_compiled, compiled, kept
from cwic.nn.gain import LevelGain, interpolate_knots


@torch.no_grad()
def start_near_zero(conv: nn.Conv2d) -> nn.Conv2d:
    """Shrink the last convolution of a residual branch, so that the block starts close to the identity."""
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
        if are_compiled():
            convolutions = (self.expand, self.depthwise, self.project, self.gate, self.merge)
            weights = [parameter for each in convolutions for parameter in (each.weight, each.bias)]
            return compiled(_block)(x, level, self.spatial_gain.log2_gain, self.channel_gain.log2_gain, *weights)
        spatial = self.depthwise(F.leaky_relu(self.expand(x), 0.1))
        x = x + self.project(self.spatial_gain(spatial, level))
        value, gate = self.gate(x).chunk(2, dim=1)
        return x + self.merge(self.channel_gain(value * torch.sigmoid(gate), level))


def _block(x: Tensor, level: Tensor, spatial_gain: Tensor, channel_gain: Tensor, *weights: Tensor) -> Tensor:
    """Compute `DepthConvBlock.forward` on tokens, as a function of its gains and the parameters of its convolutions.

    Args:
        x: the map, `[B, C, H, W]`.
        level: the level of each picture, `[B]`.
        spatial_gain: the knots of the gain of the first branch, in log2.
        channel_gain: the knots of the gain of the second branch, in log2.
        *weights: weight and bias of each convolution, in order.
    """
    expand, depthwise, project, gate, merge = zip([w.flatten(1) for w in weights[::2]], weights[1::2], strict=True)
    t = x.permute(0, 2, 3, 1)
    hidden = F.leaky_relu(F.linear(t, *expand), 0.1)
    taps, bias = depthwise
    spatial = shifted_depthwise(hidden, kept(taps.t()), bias).to(hidden.dtype)
    t = t + F.linear(spatial * _gain(spatial_gain, level, spatial.dtype), *project)
    value, shut = F.linear(t, *gate).chunk(2, dim=-1)
    t = t + F.linear(value * torch.sigmoid(shut) * _gain(channel_gain, level, value.dtype), *merge)
    return t.permute(0, 3, 1, 2)


def _gain(log2_gain: Tensor, level: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.exp2(interpolate_knots(log2_gain, level)).to(dtype)[:, None, None]


def shifted_depthwise(x: Tensor, taps: Tensor, bias: Tensor) -> Tensor:
    """Apply a 3x3 depth-wise convolution, zero padded, to `x` `[B, H, W, C]` with `taps` `[9, C]`; return float32.

    It is a sum of nine shifted products, which a compiler fuses into one kernel with the operations around it. A kernel
    reads contiguous taps several at a time.
    """
    height, width = x.shape[1:3]
    padded = F.pad(x, (0, 0, 1, 1, 1, 1))
    total = bias.float()
    for i in range(9):
        row, column = divmod(i, 3)
        total = total + padded[:, row : row + height, column : column + width].float() * taps[i]
    return total
