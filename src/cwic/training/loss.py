"""The rate-distortion loss: `lmbda * distortion + bpp`, bpp in bits per pixel of H * W.

The distortion is `255**2 * MSE`, or `1 - MS-SSIM`, of values in [0, 1]. For the eye, it is SSIMULACRA 2, with some of
the squared error: `formula` has all three.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch.nn.functional as F
from torch import Tensor

from cwic.config import EYE, MS_SSIM, PSNR
from cwic.errors import InputError
from cwic.extras import require
from cwic.image.fidelity import MS_SSIM_MIN_SIDE
from cwic.lab.cwic import ModelOutput
from cwic.models.eye import CHROMA, EYE_MSE, EYE_POWER, EYE_SLOPE, EYE_TINT, TINT_SIDE
from cwic.training.ssimulacra2 import constant, ssimulacra2


class RateDistortion(NamedTuple):
    """The loss of a batch.

    Attributes:
        loss: a scalar to minimise.
        bpp: bits per pixel of each picture, `[B]`.
        mse: the mean squared error of each picture, of values in [0, 1], `[B]`.
        cost: the cost of each picture as in `formula`, `[B]`.
    """

    loss: Tensor
    bpp: Tensor
    mse: Tensor
    cost: Tensor


def formula(tune: str) -> str:
    """Return the formula of the cost of a picture as text, for one of `cwic.config.TUNES`."""
    if tune == EYE:
        faithful = f"lmbda * 255**2 * ({EYE_MSE:g} * MSE + {EYE_TINT:g} * tint)"
        return f"{EYE_SLOPE:g} * lmbda**{EYE_POWER:g} * (100 - SSIMULACRA2) + {faithful} + bpp"
    return f"lmbda * {'(1 - MS-SSIM)' if tune == MS_SSIM else '255**2 * MSE'} + bpp"


def rate_distortion(
    output: ModelOutput, x: Tensor, lmbda: Tensor, rate_balance: float = 0.0, tune: str = PSNR
) -> RateDistortion:
    """Return the loss of a batch of reconstructions.

    Args:
        output: the output of the model for `x`.
        x: the pictures, `[B, 3, H, W]`.
        lmbda: the trade-off of each picture, `[B]`.
        rate_balance: each picture counts `lmbda ** -rate_balance` in the loss.
        tune: the distortion, one of `cwic.config.TUNES`.

    Raises:
        InputError: a side is too short for MS-SSIM or SSIMULACRA 2.
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
    """Return the squared error of slowly varying colour, `[B]`: of Cb and Cr, averaged over squares of `TINT_SIDE`
    pixels a side.

    Both pictures are `[B, 3, H, W]` with values in [0, 1] and sides of at least `TINT_SIDE`.
    """
    slow = F.avg_pool2d(x_hat - x, TINT_SIDE)
    chroma = constant(CHROMA, x.device)[:, :, None, None]
    return F.conv2d(slow, chroma).square().mean(dim=(1, 2, 3))


def _ms_ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """Return the MS-SSIM of each picture, `[B]`, as `cwic.evaluation.metrics.ms_ssim` has it for 8-bit pictures."""
    if min(x.shape[2:]) < MS_SSIM_MIN_SIDE:
        raise InputError(f"MS-SSIM needs sides of at least {MS_SSIM_MIN_SIDE} pixels, not {min(x.shape[2:])}")
    package = require("pytorch_msssim", "train")
    return cast(Tensor, package.ms_ssim(x_hat, x, data_range=1.0, size_average=False))
