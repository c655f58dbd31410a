"""Distortion between two 8-bit RGB pictures."""

from __future__ import annotations

import math
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.extras import require
from cwic.image import fidelity
from cwic.image import ms_ssim as similarity
from cwic.image.fidelity import SSIMULACRA2_MIN_SIDE


def psnr(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB, over all samples of all channels at once; infinite for equal pictures.

    Args:
        x, x_hat: uint8 `[H, W, 3]`.

    Raises:
        ValueError: another type or shape, or two different shapes.
    """
    _check(x, x_hat)
    return fidelity.psnr(x, x_hat)


def ms_ssim(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """Multi-scale structural similarity in [0, 1], the mean over the three channels.

    NaN where it is undefined: a side under `cwic.image.fidelity.MS_SSIM_MIN_SIDE` pixels.

    Args:
        x, x_hat: uint8 `[H, W, 3]`.

    Raises:
        ValueError: another type or shape, or two different shapes.
    """
    _check(x, x_hat)
    return similarity.ms_ssim(x, x_hat)


def ssimulacra2(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """SSIMULACRA2: 100 for equal pictures, 90 where the eye sees no difference, 30 for low quality; can be negative.

    A perceptual measure without a network: structural similarity in the XYB colour space over six scales, weighted to
    fit human ratings (Sneyers, https://github.com/cloudinary/ssimulacra2). NaN where a side is under
    `SSIMULACRA2_MIN_SIDE` pixels.

    Args:
        x, x_hat: uint8 `[H, W, 3]`.

    Raises:
        ValueError: another type or shape, or two different shapes.
        InputError: the package ssimulacra2 is not installed.
    """
    _check(x, x_hat)
    if min(x.shape[:2]) < SSIMULACRA2_MIN_SIDE:
        return math.nan
    package = require("ssimulacra2", "eval")
    # It takes files.
    first, second = BytesIO(), BytesIO()
    Image.fromarray(x).save(first, "PPM")
    Image.fromarray(x_hat).save(second, "PPM")
    return float(package.compute_ssimulacra2(first, second))


def _check(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> None:
    for pixels in (x, x_hat):
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"expected uint8 [H, W, 3], not {pixels.dtype} {list(pixels.shape)}")
    if x.shape != x_hat.shape:
        raise ValueError(f"pictures differ in size: {list(x.shape)} and {list(x_hat.shape)}")
