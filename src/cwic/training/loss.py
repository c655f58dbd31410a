"""The rate-distortion loss: `lmbda * distortion + bpp`, bpp in bits per pixel of H * W.

The distortion is `255**2 * MSE`, or `1 - MS-SSIM`, of values in [0, 1]. For the eye, it is SSIMULACRA 2, with some of
the squared error: `formula` has all three.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from cwic.config import EYE, MS_SSIM, PSNR
from cwic.errors import InputError
from cwic.extras import require
from cwic.image.fidelity import MS_SSIM_MIN_SIDE
from cwic.lab.cwic import ModelOutput
from cwic.models.eye import CHROMA, EYE_MSE, EYE_POWER, EYE_SLOPE, EYE_TINT, TINT_SIDE
from cwic.training.ssimulacra2 import ssimulacra2


class RateDistortion(NamedTuple):
    """`loss` (a scalar to minimise), and per picture `[B]`: `bpp`, `mse` on [0, 1], and `cost` as in `formula`."""

    loss: Tensor
    bpp: Tensor
    mse: Tensor
    cost: Tensor


def formula(tune: str) -> str:
    """The cost of a picture as it is written, for one of `cwic.config.TUNES`."""
    if tune == EYE:
        faithful = f"lmbda * 255**2 * ({EYE_MSE:g} * MSE + {EYE_TINT:g} * tint)"
        return f"{EYE_SLOPE:g} * lmbda**{EYE_POWER:g} * (100 - SSIMULACRA2) + {faithful} + bpp"
    return f"lmbda * {'(1 - MS-SSIM)' if tune == MS_SSIM else '255**2 * MSE'} + bpp"


def rate_distortion(
    output: ModelOutput, x: Tensor, lmbda: Tensor, rate_balance: float = 0.0, tune: str = PSNR
) -> RateDistortion:
    """The loss of reconstructing `x` `[B, 3, H, W]` at `lmbda` `[B]`; each picture counts `lmbda ** -rate_balance`.

    `tune` is one of `cwic.config.TUNES`. Raises `InputError` if a side is too short for MS-SSIM or SSIMULACRA 2.
    """
    bpp = (output.y_bits + output.z_bits) / (x.shape[2] * x.shape[3])
    x_hat = output.x_hat.float()
    mse = (x_hat - x).square().mean(dim=(1, 2, 3))
    if tune == EYE:
        error = EYE_SLOPE * lmbda**EYE_POWER * (100 - ssimulacra2(x, x_hat))
        error = error + lmbda * 255**2 * (EYE_MSE * mse + EYE_TINT * tint(x, x_hat))
    else:
        error = lmbda * (1 - _ms_ssim(x_hat, x) if tune == MS_SSIM else 255**2 * mse)
    cost = error + bpp
    return RateDistortion((cost * lmbda**-rate_balance).mean(), bpp, mse, cost)


def tint(x: Tensor, x_hat: Tensor) -> Tensor:
    """The squared error of slow colour, `[B]`: of Cb and Cr, averaged over squares of `TINT_SIDE` pixels.

    Both pictures are `[B, 3, H, W]` with values in [0, 1] and sides of at least `TINT_SIDE`.
    """
    slow = F.avg_pool2d(x_hat - x, TINT_SIDE)
    chroma = torch.tensor(CHROMA, device=x.device)[:, :, None, None]
    return F.conv2d(slow, chroma).square().mean(dim=(1, 2, 3))


def _ms_ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """MS-SSIM of each picture, `[B]`: what `cwic.evaluation.metrics.ms_ssim` says of 8-bit pictures."""
    if min(x.shape[2:]) < MS_SSIM_MIN_SIDE:
        raise InputError(f"MS-SSIM needs sides of at least {MS_SSIM_MIN_SIDE} pixels, not {min(x.shape[2:])}")
    package = require("pytorch_msssim", "train")
    return cast(Tensor, package.ms_ssim(x_hat, x, data_range=1.0, size_average=False))
