"""The rate-distortion loss: `lmbda * distortion + bpp`, bpp in bits per pixel of H * W.

The distortion is `255**2 * MSE`, or `1 - MS-SSIM`, of values in [0, 1].
"""

from __future__ import annotations

from typing import NamedTuple, cast

from torch import Tensor

from cwic.errors import InputError
from cwic.extras import require
from cwic.image.fidelity import MS_SSIM_MIN_SIDE
from cwic.lab.cwic import ModelOutput

PSNR, MS_SSIM = TUNES = ("psnr", "ms-ssim")


class RateDistortion(NamedTuple):
    """`loss` (a scalar to minimise), and per picture `[B]`: `bpp`, `mse` on [0, 1], `cost = lmbda distortion + bpp`."""

    loss: Tensor
    bpp: Tensor
    mse: Tensor
    cost: Tensor


def rate_distortion(
    output: ModelOutput, x: Tensor, lmbda: Tensor, rate_balance: float = 0.0, tune: str = PSNR
) -> RateDistortion:
    """The loss of reconstructing `x` `[B, 3, H, W]` at `lmbda` `[B]`; each picture counts `lmbda ** -rate_balance`.

    `tune` is one of `TUNES`. Raises `InputError` if MS-SSIM is asked for and a side is too short for it.
    """
    bpp = (output.y_bits + output.z_bits) / (x.shape[2] * x.shape[3])
    x_hat = output.x_hat.float()
    mse = (x_hat - x).square().mean(dim=(1, 2, 3))
    distortion = 1 - _ms_ssim(x_hat, x) if tune == MS_SSIM else 255**2 * mse
    cost = lmbda * distortion + bpp
    return RateDistortion((cost * lmbda**-rate_balance).mean(), bpp, mse, cost)


def _ms_ssim(x_hat: Tensor, x: Tensor) -> Tensor:
    """MS-SSIM of each picture, `[B]`: what `cwic.evaluation.metrics.ms_ssim` says of 8-bit pictures."""
    if min(x.shape[2:]) < MS_SSIM_MIN_SIDE:
        raise InputError(f"MS-SSIM needs sides of at least {MS_SSIM_MIN_SIDE} pixels, not {min(x.shape[2:])}")
    package = require("pytorch_msssim", "train")
    return cast(Tensor, package.ms_ssim(x_hat, x, data_range=1.0, size_average=False))
