"""Bjøntegaard's delta rate: how many more bits one codec needs than another at the same PSNR."""

from __future__ import annotations

import json
import os
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.errors import InputError
from cwic.extras import require
from cwic.image.files import read_bytes

MIN_POINTS = 4
PSNR_KEYS = ("psnr-rgb", "psnr")


class Curve(NamedTuple):
    """A rate-distortion curve, by rising PSNR."""

    bpp: NDArray[np.float64]
    psnr: NDArray[np.float64]


class BdRate(NamedTuple):
    """The rate of a curve against a reference, and the PSNR interval that both cover and it is the mean over.

    Attributes:
        percent: negative where fewer bits are needed.
        low, high: in dB.
    """

    percent: float
    low: float
    high: float


def read_curve(path: str | os.PathLike[str]) -> Curve:
    """The curve of a summary file, whose results hold `bpp` and either `psnr-rgb` or `psnr`, in dB.

    Raises InputError: unreadable, of another shape, or not a curve of at least 4 different PSNRs.
    """
    try:
        results = json.loads(read_bytes(path))["results"]
        key = next(key for key in PSNR_KEYS if key in results)
        bpp, psnr = (np.array(results[name], dtype=np.float64) for name in ("bpp", key))
    except (ValueError, TypeError, KeyError, StopIteration):
        raise InputError('not a summary: {"results": {"bpp": [...], "psnr-rgb": [...]}} expected') from None
    if bpp.ndim != 1 or bpp.shape != psnr.shape:
        raise InputError(f"bpp and {key} must be two lists of the same length")
    order = np.argsort(psnr)
    bpp, psnr = bpp[order], psnr[order]
    # Comparisons written so that NaN, which null becomes, is refused too.
    if not (np.isfinite(psnr).all() and np.all((bpp > 0) & (bpp < np.inf)) and np.all(np.diff(psnr) > 0)):
        raise InputError(f"every point needs a positive bpp and a {key} of its own")
    if len(bpp) < MIN_POINTS:
        raise InputError(f"{len(bpp)} points, and a BD-rate needs at least {MIN_POINTS}")
    return Curve(bpp, psnr)


def bd_rate(reference: Curve, test: Curve) -> BdRate:
    """BD-rate of `test` against `reference`: log-rate differences, Akima-interpolated, over the shared PSNRs.

    Raises InputError: the curves share no PSNR, or bjontegaard is not installed.
    """
    low = float(max(reference.psnr[0], test.psnr[0]))
    high = float(min(reference.psnr[-1], test.psnr[-1]))
    if low >= high:
        raise InputError(
            f"the curves share no PSNR: {reference.psnr[0]:.2f} to {reference.psnr[-1]:.2f} dB, "
            f"and {test.psnr[0]:.2f} to {test.psnr[-1]:.2f} dB"
        )
    package = require("bjontegaard", "eval")
    with warnings.catch_warnings():
        # The package warns of a small overlap, which the answer states.
        warnings.simplefilter("ignore")
        percent = package.bd_rate(*reference, *test, method="akima", require_matching_points=False)
    return BdRate(float(percent), low, high)
