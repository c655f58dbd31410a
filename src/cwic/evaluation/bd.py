"""Bjøntegaard's deltas: how many more bits a codec needs at equal quality, and how much better it is at equal bits.

After G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves" (ITU-T VCEG-M33, 2001), with Akima
interpolation of the curves in place of his polynomial.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.errors import InputError
from cwic.evaluation.summary import METRICS, points, read_summary
from cwic.extras import require

MIN_POINTS = 4


class Curve(NamedTuple):
    """A rate-distortion curve, by rising quality.

    Attributes:
        bpp: bits per pixel.
        quality: in dB: PSNR, or -10 log10(1 - MS-SSIM).
        pictures: what stands for the set of pictures behind it, where the summary says.
    """

    bpp: NDArray[np.float64]
    quality: NDArray[np.float64]
    pictures: str | None = None


class Bd(NamedTuple):
    """A curve against a reference.

    Attributes:
        rate_percent: bits beside the reference's at equal quality, negative where fewer are needed; the mean over
            `low_db` to `high_db`.
        low_db, high_db: the qualities that both curves cover, or the part of them that was asked for.
        gain_db: quality beside the reference's at equal rate, positive where better; the mean over `low_bpp` to
            `high_bpp` of the logarithm of the rate. None where the curves share no rate, or one of them gets worse with
            more bits.
        low_bpp, high_bpp: the rates that both curves cover.
    """

    rate_percent: float
    low_db: float
    high_db: float
    gain_db: float | None
    low_bpp: float | None
    high_bpp: float | None


def read_curve(path: str | os.PathLike[str], metric: str = "psnr") -> Curve:
    """The curve of a summary file, whose results hold `bpp` and either name of the metric in METRICS.

    Raises InputError: unreadable, of another shape, or not a curve of at least 4 different qualities.
    """
    summary = read_summary(path)
    bpp, quality = points(summary, metric)
    order = np.argsort(quality)
    bpp, quality = bpp[order], quality[order]
    # Comparisons written so that NaN, which null becomes, is refused too.
    if not (np.isfinite(quality).all() and np.all((bpp > 0) & (bpp < np.inf)) and np.all(np.diff(quality) > 0)):
        raise InputError(f"every point needs a positive bpp and a {METRICS[metric][0]} of its own")
    if len(bpp) < MIN_POINTS:
        raise InputError(f"{len(bpp)} points, and a BD-rate needs at least {MIN_POINTS}")
    meta = summary.get("meta")
    pictures = meta.get("pictures") if isinstance(meta, dict) else None
    return Curve(bpp, quality, pictures if isinstance(pictures, str) else None)


def bd(reference: Curve, test: Curve, over: tuple[float, float] | None = None) -> Bd:
    """BD-rate and BD-PSNR (or its like for MS-SSIM) of `test` against `reference`.

    Args:
        reference: what to compare with.
        test: what to compare.
        over: qualities in dB to take the BD-rate over; all that both curves cover where None.

    Raises InputError: the curves share no quality, do not both cover `over`, are known to be over
        different pictures, or bjontegaard is not installed.
    """
    if reference.pictures and test.pictures and reference.pictures != test.pictures:
        raise InputError("it was measured over other pictures than the reference")
    low, high = _shared(reference.quality, test.quality)
    low_bpp, high_bpp = _shared(reference.bpp, test.bpp)
    if low >= high:
        ranges = (f"{curve.quality.min():.2f} to {curve.quality.max():.2f} dB" for curve in (reference, test))
        raise InputError(f"the curves share no quality: {', and '.join(ranges)}")
    if over is not None and not low <= over[0] < over[1] <= high:
        raise InputError(f"the curves do not both cover {over[0]:g} to {over[1]:g} dB, only {low:.2f} to {high:.2f} dB")
    package = require("bjontegaard", "eval")
    curves = (reference.bpp, reference.quality, test.bpp, test.quality)
    # No overlap is too small for the package's taste: the answer states it.
    options = {"method": "akima", "require_matching_points": False, "min_overlap": 0}
    percent, of_reference, of_test = package.bd_rate(*curves, **options, interpolators=True)
    if over is not None:
        low, high = over
        decades = (of_test.integrate(low, high) - of_reference.integrate(low, high)) / (high - low)
        percent = 100 * (10**decades - 1)
    rising = all(np.all(np.diff(curve.bpp) > 0) for curve in (reference, test))
    if low_bpp >= high_bpp or not rising:
        return Bd(float(percent), low, high, None, None, None)
    gain = package.bd_psnr(*curves, **options)
    return Bd(float(percent), low, high, float(gain), low_bpp, high_bpp)


def _shared(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    return float(max(first.min(), second.min())), float(min(first.max(), second.max()))
