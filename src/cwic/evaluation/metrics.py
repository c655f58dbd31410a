"""Distortion between two 8-bit RGB pictures."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.errors import InputError
from cwic.image import fidelity
from cwic.image import ms_ssim as similarity
from cwic.image import ssimulacra2 as perceptual

BUTTERAUGLI = "butteraugli_main"
"""The program that measures it."""
_MISSING = f"{BUTTERAUGLI} is not installed: it comes with libjxl (in Debian's package libjxl-devtools)"


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

    NaN where a side is under `cwic.image.fidelity.SSIMULACRA2_MIN_SIDE` pixels.

    Args:
        x, x_hat: uint8 `[H, W, 3]`.

    Raises:
        ValueError: another type or shape, or two different shapes.
    """
    _check(x, x_hat)
    return perceptual.ssimulacra2(x, x_hat)


def butteraugli(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """The 3-norm of Butteraugli: 0 for equal pictures, about 1 where the eye hardly sees a difference; more is worse.

    Args:
        x, x_hat: uint8 `[H, W, 3]`.

    Raises:
        ValueError: another type or shape, or two different shapes.
        InputError: the program butteraugli_main, which comes with libjxl, is not there, or fails.
    """
    _check(x, x_hat)
    with TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("x.png", "x_hat.png")]
        for file, pixels in zip(files, (x, x_hat), strict=True):
            Image.fromarray(pixels).save(file, compress_level=1)
        try:
            run = subprocess.run([BUTTERAUGLI, *files, "--pnorm", "3"], capture_output=True, check=True)
        except FileNotFoundError:
            raise InputError(_MISSING) from None
        except subprocess.CalledProcessError as error:
            raise InputError(f"{BUTTERAUGLI} failed: {error.stderr.decode(errors='replace').strip()}") from None
    found = re.search(r"3-norm: ([0-9.eE+-]+)", run.stdout.decode())
    if found is None:
        raise InputError(f"{BUTTERAUGLI} did not say the 3-norm: {run.stdout.decode().strip()}")
    return float(found[1])


def ready(names: Iterable[str]) -> bool:
    """True where the measures of `FURTHER` with these names can be taken.

    Raises InputError: the program that one of them needs is not there.
    """
    if "butteraugli" in names and shutil.which(BUTTERAUGLI) is None:
        raise InputError(_MISSING)
    return True


FURTHER = {"ssimulacra2": ssimulacra2, "butteraugli": butteraugli}
"""Measures that are taken only where they are asked for."""


def _check(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> None:
    for pixels in (x, x_hat):
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"expected uint8 [H, W, 3], not {pixels.dtype} {list(pixels.shape)}")
    if x.shape != x_hat.shape:
        raise ValueError(f"pictures differ in size: {list(x.shape)} and {list(x_hat.shape)}")
