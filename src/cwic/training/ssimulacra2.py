"""SSIMULACRA 2.1 as a differentiable measure, for the loss of `tune = "eye"`.

`cwic.image.ssimulacra2` describes the measure and has its constants. This version has a gradient and takes batches.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cwic.errors import InputError
from cwic.image.fidelity import SSIMULACRA2_MIN_SIDE
from cwic.image.ssimulacra2 import ABSORBANCE, BIAS, C2, CURVE, ERROR_SCALE, MIX, POWER, SCALES, SHIFT, WEIGHTS
from cwic.image.window import SIGMA, TAPS

_RADIUS = TAPS // 2
_FLOOR = 1e-24
"""Added under the fourth root, whose slope at zero is infinite; float32 can represent it."""
_START = 1e-5
"""Added under the last power, for the same reason: at most 0.01 points."""


def ssimulacra2(x: Tensor, x_hat: Tensor) -> Tensor:
    """Return SSIMULACRA 2.1 of each picture, `[B]`: 100 for equal pictures, 50 for a medium quality; can be negative.

    It is within 0.1 of the package `ssimulacra2`. It treats borders in the same way: the blur sees zeros to the left
    and right of a picture, and its mirror image above and below. The gradient is finite everywhere.

    Args:
        x: the reference, sRGB in [0, 1], `[B, 3, H, W]`.
        x_hat: the reconstruction, of the same shape. A value outside [0, 1] counts as the nearest one inside; its
            gradient passes straight through.

    Raises:
        InputError: a side is under `SSIMULACRA2_MIN_SIDE` pixels.
    """
    if min(x.shape[2:]) < SSIMULACRA2_MIN_SIDE:
        raise InputError(f"SSIMULACRA 2 needs sides of at least {SSIMULACRA2_MIN_SIDE} pixels, not {min(x.shape[2:])}")
    # Depth-wise convolutions on a CPU are five times as fast on channels-last maps.
    layout = torch.channels_last if x.is_cpu else torch.contiguous_format
    light, light_hat = (_linear(t.float().contiguous(memory_format=layout)) for t in (x, x_hat))
    weights = constant(WEIGHTS, x.device).view(3, SCALES, 2, 3)
    error = x.new_zeros(len(x), dtype=torch.float32)
    for scale in range(SCALES):
        if scale:
            light, light_hat = (F.avg_pool2d(t, 2, ceil_mode=True) for t in (light, light_hat))
        for i, differences in enumerate(_maps(_xyb(light), _xyb(light_hat))):
            error = error + (_norms(differences) * weights[:, scale, :, i]).sum(dim=(1, 2))
    return _score(error)


def _linear(x: Tensor) -> Tensor:
    """Return the linear light of sRGB values, which are clamped to [0, 1]."""
    x = x + (x.clamp(0, 1) - x).detach()
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp_min(0.04) + 0.055) / 1.055) ** 2.4)


def _xyb(light: Tensor) -> Tensor:
    """Return X, Y and B - Y of linear light, shifted and scaled so that they are positive: `[B, 3, H, W]`."""
    cones = (_mixed(light, ABSORBANCE) + BIAS) ** (1 / 3) - BIAS ** (1 / 3)
    return _mixed(cones, MIX) + constant(SHIFT, light.device)[:, None, None]


def _mixed(t: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """Return the channels of `t` `[B, 3, H, W]` multiplied by `matrix`."""
    weight = constant(matrix, t.device)
    if not t.is_cpu:  # on a GPU, a convolution would compute in TF32
        return (weight @ t.flatten(2)).unflatten(2, t.shape[2:])
    return F.conv2d(t, weight[:, :, None, None])


def _maps(x: Tensor, x_hat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return three maps of two pictures in XYB: SSIM's error, artifacts and lost detail, all from 0, `[B, 3, H, W]`."""
    # The blurs of the reference alone are computed apart: no gradient flows back through them.
    mean, square = _blur(torch.cat([x, x * x], dim=1)).split(3, dim=1)
    mean_hat, square_hat, product = _blur(torch.cat([x_hat, x_hat * x_hat, x * x_hat], dim=1)).split(3, dim=1)
    covariance = 2 * (product - mean * mean_hat) + C2
    variances = (square - mean * mean) + (square_hat - mean_hat * mean_hat) + C2
    ssim_error = (1 - (1 - (mean - mean_hat).square()) * covariance / variances).clamp_min(0)
    edges = (1 + (x_hat - mean_hat).abs()) / (1 + (x - mean).abs()) - 1
    return ssim_error, edges.clamp_min(0), (-edges).clamp_min(0)


def _blur(t: Tensor) -> Tensor:
    """Blur every plane by a Gaussian: zeros at the sides; above and below, the mirror image with its edge repeated."""
    if not t.is_cpu:
        return blur_by_matrices(t)
    kernel = _gaussian(t.device).expand(t.shape[1], 1, 1, -1)
    rows = F.conv2d(t, kernel, padding=(0, _RADIUS), groups=t.shape[1])
    high = torch.cat([rows[:, :, :_RADIUS].flip(2), rows, rows[:, :, -_RADIUS:].flip(2)], dim=2)
    return F.conv2d(high, kernel.mT, groups=t.shape[1])


def blur_by_matrices(t: Tensor) -> Tensor:
    """Blur `t` `[B, C, H, W]` as on a CPU, by products with a matrix of `[H, H]` and one of `[W, W]`.

    A GPU multiplies matrices far faster than it convolves planes one by one.
    """
    height, width = t.shape[2:]
    return (_blur_matrix(height, True, t.device) @ t) @ _blur_matrix(width, False, t.device).mT


@cache
def _blur_matrix(side: int, mirrored: bool, device: torch.device) -> Tensor:
    """Return the matrix `[side, side]` that blurs a column; outside, the column sees its mirror image or zeros.

    It is kept for good, because a CUDA graph may read it.
    """
    column = torch.eye(side, device=device)
    above, below = column[:_RADIUS].flip(0), column[-_RADIUS:].flip(0)
    if not mirrored:
        above, below = torch.zeros_like(above), torch.zeros_like(below)
    padded = torch.cat([above, column, below])
    return torch.stack([tap * padded[i : i + side] for i, tap in enumerate(_gaussian(device))]).sum(dim=0)


@cache
def _gaussian(device: torch.device) -> Tensor:
    """Return the taps of the blur, `[TAPS]`."""
    kernel = torch.exp(-torch.arange(-_RADIUS, _RADIUS + 1, device=device).square() / (2 * SIGMA**2))
    return kernel / kernel.sum()


@cache
def constant(numbers: tuple[float, ...] | tuple[tuple[float, ...], ...], device: torch.device) -> Tensor:
    """Return numbers as a tensor that stays on the device: a CUDA graph cannot contain a copy from the host."""
    return torch.tensor(numbers, device=device)


def _norms(differences: Tensor) -> Tensor:
    """Return the 1-norm and the 4-norm of maps `[B, 3, H, W]` with values from 0: `[B, 3, 2]`."""
    fourth = differences.square().square().mean(dim=(2, 3))
    return torch.stack([differences.mean(dim=(2, 3)), (fourth + _FLOOR) ** 0.25 - _FLOOR**0.25], dim=-1)


def _score(error: Tensor) -> Tensor:
    """Return the points for a weighted `error` from 0, by a curve that was fitted to ratings."""
    error = ERROR_SCALE * error
    curve = CURVE[0] * error + CURVE[1] * error**2 + CURVE[2] * error**3
    return 100 - 10 * ((curve + _START) ** POWER - _START**POWER)
