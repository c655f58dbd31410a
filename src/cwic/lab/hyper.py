"""The hyper transforms of the `cwic` family: h_a makes the hyper-latent z of y, h_s the first state of the context.

h_a runs in the encoder alone and stays in floats. h_s decides bytes, so it has the layers that become integers.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.fixed_point import Depthwise, Pointwise, leaky_relu
from cwic.nn import LevelGain


class HyperAnalysis(nn.Module):
    """h_a: `features` `[B, 2 M, h, w]` (values and magnitudes of y) to `z` `[B, C_z, h/4, w/4]`, in steps of z."""

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        width = config.hyper_width
        self.enter = nn.Conv2d(2 * config.M, width, 1)
        self.mix = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.reduce = nn.Conv2d(4 * width, width, 1)
        self.mix_reduced = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.leave = nn.Conv2d(4 * width, config.hyper_channels, 1)
        self.gain = LevelGain(config.hyper_channels)
        nn.init.constant_(self.gain.log2_gain, 1.0)

    def forward(self, features: Tensor, level: Tensor) -> Tensor:
        t = F.leaky_relu(self.enter(features), 0.125)
        t = F.leaky_relu(self.reduce(F.pixel_unshuffle(t + self.mix(t), 2)), 0.125)
        return self.gain(self.leave(F.pixel_unshuffle(t + self.mix_reduced(t), 2)).float(), level)


class HyperSynthesis(nn.Module):
    """h_s: `z_hat` as a stream `[B, h/4, w/4, C_z]` to the context's first state, a stream `[B, h, w, D]`."""

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        width = config.hyper_width
        self.enter = Pointwise(config.hyper_channels, width)
        self.mix = Depthwise(width)
        self.enlarge = Pointwise(width, 4 * width)
        self.mix_enlarged = Depthwise(width)
        self.leave = Pointwise(width, 4 * config.context_width)

    def forward(self, z_hat: Tensor) -> Tensor:
        t = leaky_relu(self.enter(z_hat))
        t = leaky_relu(_shuffle(self.enlarge(t + self.mix(t))))
        return _shuffle(self.leave(t + self.mix_enlarged(t)))


def _shuffle(x: Tensor) -> Tensor:
    """Shuffle `[B, h, w, 4 C]` to `[B, 2 h, 2 w, C]`."""
    b, h, w, c = x.shape
    return x.reshape(b, h, w, 2, 2, c // 4).transpose(2, 3).reshape(b, 2 * h, 2 * w, c // 4)
