"""The rate-distortion loss: `lmbda * 255**2 * MSE + bpp`, MSE on [0, 1] values, bpp in bits per pixel of H * W."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from cwic.models.model import ModelOutput


class RateDistortion(NamedTuple):
    """`loss` (a scalar to minimise), and per picture `[B]`: `bpp`, `mse` on [0, 1], `cost = lmbda 255^2 mse + bpp`."""

    loss: Tensor
    bpp: Tensor
    mse: Tensor
    cost: Tensor


def rate_distortion(output: ModelOutput, x: Tensor, lmbda: Tensor, rate_balance: float = 0.0) -> RateDistortion:
    """The loss of reconstructing `x` `[B, 3, H, W]` at `lmbda` `[B]`; each picture counts `lmbda ** -rate_balance`."""
    bpp = (output.y_bits + output.z_bits) / (x.shape[2] * x.shape[3])
    mse = (output.x_hat.float() - x).square().mean(dim=(1, 2, 3))
    cost = lmbda * 255**2 * mse + bpp
    return RateDistortion((cost * lmbda**-rate_balance).mean(), bpp, mse, cost)
