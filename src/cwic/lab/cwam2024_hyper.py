"""h_a and h_s of the published network: the hyper transforms of Cheng et al. (CVPR 2020), 3x3 throughout.

Costs are multiply-accumulates per pixel of the picture at N = 320.
"""

from __future__ import annotations

from torch import nn


def _conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1)


def _subpixel_up(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(_conv(in_channels, 4 * out_channels), nn.PixelShuffle(2))


def hyper_analysis(N: int) -> nn.Sequential:
    """Return h_a: `y` `[B, N, h, w]`, with its signs, to `z` `[B, N, h/4, w/4]`. Leaky ReLU of slope 0.01. Costs 9 k.

    y -> conv -> conv -> conv/2 -> conv -> conv/2 -> z
    """
    return nn.Sequential(
        _conv(N, N),
        nn.LeakyReLU(),
        _conv(N, N),
        nn.LeakyReLU(),
        _conv(N, N, stride=2),
        nn.LeakyReLU(),
        _conv(N, N),
        nn.LeakyReLU(),
        _conv(N, N, stride=2),
    )


def hyper_synthesis(N: int) -> nn.Sequential:
    """Return h_s: `z_hat` `[B, N, h/4, w/4]` to the hyper parameters `[B, 2 N, h, w]`.

    Leaky ReLU of slope 0.01. Costs 21 k.

    z_hat -> conv -> conv, shuffle 2 -> conv to 3N/2 -> conv, shuffle 2 -> conv to 2N
    """
    wide = 3 * N // 2
    return nn.Sequential(
        _conv(N, N),
        nn.LeakyReLU(),
        _subpixel_up(N, N),
        nn.LeakyReLU(),
        _conv(N, wide),
        nn.LeakyReLU(),
        _subpixel_up(wide, wide),
        nn.LeakyReLU(),
        _conv(wide, 2 * N),
    )
