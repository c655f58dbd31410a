"""Bjøntegaard's deltas: the difference of rate at equal quality, and the difference of quality at equal rate.

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
PCHIP_AGREES, LINES_AGREE = 0.01, 0.03
"""The largest relative differences of rate from Akima's that PCHIP and straight lines may have. Of all
pairs of curves in results/ none is beyond a third of the first or a half of the second."""
PCHIP_AGREES_DB, LINES_AGREE_DB = 0.05, 0.15
"""The same for BD-PSNR in dB; other scales are converted by their `Metric.per_db`."""


class Curve(NamedTuple):
    """A rate-distortion curve, by rising quality.

    Attributes:
        bpp: bits per pixel.
        quality: on the scale of a metric, such as PSNR in dB.
        pictures: what stands for the set of pictures behind it, where the summary says.
        per_db: how many units of quality count like a decibel.
    """

    bpp: NDArray[np.float64]
    quality: NDArray[np.float64]
    pictures: str | None = None
    per_db: float = 1


class Bd(NamedTuple):
    """A curve against a reference.

    Attributes:
        rate_percent: bits beside the reference's at equal quality, negative where fewer are needed; the mean over
            `low` to `high`.
        low, high: the qualities that both curves cover, or the part of them that was asked for.
        gain: quality beside the reference's at equal rate, positive where better; the mean over `low_bpp` to
            `high_bpp` of the logarithm of the rate. None where the curves share no rate, or one of them gets worse with
            more bits, or where it would depend on how the points are joined.
        low_bpp, high_bpp: the rates that both curves cover.
    """

    rate_percent: float
    low: float
    high: float
    gain: float | None
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
    if missing := int(np.count_nonzero(~np.isfinite(quality))):
        name = METRICS[metric].keys[0]
        raise InputError(
            f"{missing} of {len(bpp)} points have no finite {name}, as where a picture came back exact or is too small "
            f"for it: every point needs a {name} of its own"
        )
    # Comparisons written so that NaN, which null becomes, is refused too.
    if not (np.isfinite(quality).all() and np.all((bpp > 0) & (bpp < np.inf)) and np.all(np.diff(quality) > 0)):
        raise InputError(f"every point needs a positive bpp and a {METRICS[metric].keys[0]} of its own")
    if len(bpp) < MIN_POINTS:
        raise InputError(f"{len(bpp)} points, and a BD-rate needs at least {MIN_POINTS}")
    meta = summary.get("meta")
    pictures = meta.get("pictures") if isinstance(meta, dict) else None
    return Curve(bpp, quality, pictures if isinstance(pictures, str) else None, METRICS[metric].per_db)


def bd(reference: Curve, test: Curve, over: tuple[float, float] | None = None) -> Bd:
    """BD-rate and BD-PSNR (or its like for other metrics) of `test` against `reference`.

    Args:
        reference: what to compare with.
        test: what to compare.
        over: qualities to take the BD-rate over; all that both curves cover where None.

    Raises InputError: the curves share no quality, do not both cover `over`, or are known to be over different
        pictures; the figure would depend on how their points are joined, as where quality falls with more bits, or
        points lie close together; or bjontegaard is not installed.
    """
    if reference.pictures and test.pictures and reference.pictures != test.pictures:
        raise InputError("it was measured over other pictures than the reference")
    low, high = _shared(reference.quality, test.quality)
    low_bpp, high_bpp = _shared(reference.bpp, test.bpp)
    if low >= high:
        ranges = (f"{curve.quality.min():.2f} to {curve.quality.max():.2f}" for curve in (reference, test))
        raise InputError(f"the curves share no quality: {', and '.join(ranges)}")
    if over is not None and not low <= over[0] < over[1] <= high:
        raise InputError(f"the curves do not both cover {over[0]:g} to {over[1]:g}, only {low:.2f} to {high:.2f}")
    package = require("bjontegaard", "eval")
    curves = (reference.bpp, reference.quality, test.bpp, test.quality)
    # No overlap is too small for the package's taste: the answer states it.
    options = {"require_matching_points": False, "min_overlap": 0}
    rates = {}
    with np.errstate(over="ignore"):
        for method in ("akima", "pchip"):
            found, of_reference, of_test = package.bd_rate(*curves, method=method, **options, interpolators=True)
            if over is not None:
                found = _percent((of_test.integrate(*over) - of_reference.integrate(*over)) / (over[1] - over[0]))
            rates[method] = float(found)
        low, high = over or (low, high)
        lines = [_mean_of_lines(curve.quality, np.log10(curve.bpp), low, high) for curve in (reference, test)]
        rates["lines"] = _percent(lines[1] - lines[0])
    percent = _agreed(rates)

    rising = all(np.all(np.diff(curve.bpp) > 0) for curve in (reference, test))
    if low_bpp >= high_bpp or not rising:
        return Bd(percent, low, high, None, None, None)
    gain, smooth = (float(package.bd_psnr(*curves, method=method, **options)) for method in ("akima", "pchip"))
    decades_shared = float(np.log10(low_bpp)), float(np.log10(high_bpp))
    straight = _mean_of_lines(np.log10(test.bpp), test.quality, *decades_shared)
    straight -= _mean_of_lines(np.log10(reference.bpp), reference.quality, *decades_shared)
    unit = reference.per_db
    if not (abs(gain - smooth) <= PCHIP_AGREES_DB * unit and abs(gain - straight) <= LINES_AGREE_DB * unit):
        return Bd(percent, low, high, None, None, None)
    return Bd(percent, low, high, gain, low_bpp, high_bpp)


def _percent(decades: float) -> float:
    return float(100 * (np.float64(10) ** decades - 1))


def _agreed(percents: dict[str, float]) -> float:
    """Akima's figure. Raises InputError where the others contradict it."""
    akima, pchip, lines = (percents[method] for method in ("akima", "pchip", "lines"))
    ratio = 1 + akima / 100
    # Comparisons written so that NaN is refused too.
    close = abs(pchip - akima) <= 100 * PCHIP_AGREES * ratio and abs(lines - akima) <= 100 * LINES_AGREE * ratio
    if not (close and ratio < np.inf):
        raise InputError(
            f"no BD-rate, as it would depend on how the points are joined: {akima:+.1f} % by Akima, {pchip:+.1f} % by "
            f"PCHIP, {lines:+.1f} % by straight lines; measure at more qualities, and none where quality falls or "
            "hardly changes with more bits"
        )
    return akima


def _mean_of_lines(x: NDArray[np.float64], y: NDArray[np.float64], low: float, high: float) -> float:
    """The mean over `low` to `high` of the straight lines that join the points, of rising x."""
    at = np.array([low, *x[(low < x) & (x < high)], high])
    values = np.interp(at, x, y)
    return float(np.sum((values[1:] + values[:-1]) / 2 * np.diff(at)) / (high - low))


def _shared(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    return float(max(first.min(), second.min())), float(min(first.max(), second.max()))
