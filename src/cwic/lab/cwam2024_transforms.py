"""The transforms of the published network (Mudgal & Liu, ISVC 2024, figure 2): g_a, x to y; g_s, y_hat to x_hat.

Costs are multiply-accumulates per pixel of the picture at N = 320. Nothing is shared between the two transforms, and
nothing normalises or clamps the picture.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from cwic.config import Cwam2024Config
from cwic.nn import GDN, CrossWindowAttentionModule, FeatureEncoding, ResidualAttention


def _down(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 5, stride=2, padding=2)


def _up(in_channels: int, out_channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(in_channels, out_channels, 5, stride=2, padding=2, output_padding=1)


def _cwam(config: Cwam2024Config, window: int) -> nn.Module:
    """Return a CWAM, or the identity in the ablation without it, so that the names of other modules stay the same."""
    if config.attention == "none":
        return nn.Identity()
    cross = config.attention == "cross-window"
    return CrossWindowAttentionModule(config.N, window, shift=window // 2, cross=cross)


def _residual_attention(config: Cwam2024Config) -> nn.Module:
    return ResidualAttention(config.N) if config.residual_attention else nn.Identity()


def _feature_encoding(config: Cwam2024Config) -> nn.Module:
    return FeatureEncoding() if config.feature_encoding else nn.Identity()


class Cwam2024Analysis(nn.Module):
    """g_a: `x` `[B, 3, H, W]` in [0, 1], H and W multiples of 16, to `y` `[B, N, H/16, W/16]`.

        x -> feature encoding                              (1/1, 313 k)
          -> conv 5x5/2 -> GDN                             (1/2)
          -> conv 5x5/2 -> GDN -> CWAM, window 8, shift 4  (1/4, 188 k)
          -> conv 5x5/2 -> GDN                             (1/8)
          -> conv 5x5/2 -> CWAM, window 4, shift 2         (1/16, 12 k)
          -> residual attention -> y                       (8 k)

    Convolutions cost 216 k, GDNs 34 k.
    """

    def __init__(self, config: Cwam2024Config) -> None:
        super().__init__()
        N = config.N
        self.feature_encoding = _feature_encoding(config)
        self.layers = nn.Sequential(
            _down(3, N),
            GDN(N),
            _down(N, N),
            GDN(N),
            _cwam(config, window=8),
            _down(N, N),
            GDN(N),
            _down(N, N),
            _cwam(config, window=4),
        )
        self.attention = _residual_attention(config)

    def stages(self) -> list[nn.Module]:
        """Return the modules that `forward` runs, in order."""
        return [self.feature_encoding, *self.layers, self.attention]

    def forward(self, x: Tensor) -> Tensor:
        for stage in self.stages():
            x = stage(x)
        return x


class Cwam2024Synthesis(nn.Module):
    """g_s: `y_hat` `[B, N, h, w]` to `x_hat` `[B, 3, 16 h, 16 w]`, about [0, 1] and not clamped.

        y_hat -> residual attention -> CWAM, window 4, shift 2          (1/16)
              -> deconv 5x5*2 -> IGDN                                   (1/8)
              -> deconv 5x5*2 -> IGDN -> CWAM, window 8, shift 4        (1/4)
              -> deconv 5x5*2 -> IGDN                                   (1/2)
              -> deconv 5x5*2 -> feature encoding -> x_hat              (1/1)

    The costs are those of `Cwam2024Analysis`. The figure of the paper has the CWAM at 1/4 before the second IGDN. The
    released code, and so its weights and this class, have it after.
    """

    def __init__(self, config: Cwam2024Config) -> None:
        super().__init__()
        N = config.N
        self.attention = _residual_attention(config)
        self.layers = nn.Sequential(
            _cwam(config, window=4),
            _up(N, N),
            GDN(N, inverse=True),
            _up(N, N),
            GDN(N, inverse=True),
            _cwam(config, window=8),
            _up(N, N),
            GDN(N, inverse=True),
            _up(N, 3),
        )
        self.feature_encoding = _feature_encoding(config)

    def forward(self, y_hat: Tensor) -> Tensor:
        return cast(Tensor, self.feature_encoding(self.layers(self.attention(y_hat))))
