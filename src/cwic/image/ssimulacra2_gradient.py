"""SSIMULACRA 2.1 with its gradient: which way the pixels of a decoded picture should go.

The measure is that of `cwic.image.ssimulacra2`, of float pictures. Its chain of steps is run backwards here, plane by
plane, so that memory stays within a few planes of the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cwic.image.ssimulacra2 import (
    ABSORBANCE,
    BIAS,
    C2,
    CURVE,
    ERROR_SCALE,
    MIX,
    POWER,
    SCALES,
    SHIFT,
    WEIGHTS,
    halved,
    points,
)
from cwic.image.window import TAPS, Floats, filtered

_RADIUS = TAPS // 2
_ABSORBANCE, _MIX = np.array(ABSORBANCE, np.float32), np.array(MIX, np.float32)
_WEIGHTS = np.array(WEIGHTS).reshape(3, SCALES, 2, 3)


def ssimulacra2_gradient(x: Floats, x_hat: Floats) -> tuple[float, Floats]:
    """The points of `x_hat` beside `x`, and their gradient by each sample of `x_hat`.

    Values outside [0, 1] count as the nearest one inside; the gradient passes straight through. Sides of fewer than 8
    pixels repeat their last sample, as odd ones do.

    Args:
        x: the reference, sRGB in [0, 1], `[3, H, W]`.
        x_hat: the other picture, of the same shape.

    Returns:
        The points, 100 for equal pictures, and `[3, H, W]`.
    """
    light, light_hat = (_pyramid(_linear(np.clip(each, 0, 1))) for each in (x, x_hat))
    error, slopes = 0.0, []
    for scale in range(SCALES):
        more, slope = _error(light[scale], light_hat[scale], _WEIGHTS[:, scale])
        error += more
        slopes.append(slope)
    total = slopes[-1]
    for slope in reversed(slopes[:-1]):
        total = slope + _halved_back(total, slope.shape)
    return points(error), total * _linear_slope(np.clip(x_hat, 0, 1)) * np.float32(_points_slope(error))


def _points_slope(error: float) -> float:
    """The derivative of `points`; 0 for equal pictures."""
    scaled = ERROR_SCALE * error
    curve = scaled * (CURVE[0] + scaled * (CURVE[1] + scaled * CURVE[2]))
    if curve <= 0:
        return 0.0
    slope = ERROR_SCALE * (CURVE[0] + scaled * (2 * CURVE[1] + scaled * 3 * CURVE[2]))
    return -10 * POWER * curve ** (POWER - 1) * slope


def _error(light: Floats, light_hat: Floats, weights: NDArray[np.float64]) -> tuple[float, Floats]:
    """The weighted error of one scale, and its gradient by `light_hat`.

    Args:
        light, light_hat: linear light `[3, H, W]`.
        weights: `[3 planes, 2 norms, 3 maps]`.
    """
    roots, roots_hat = _roots(light), _roots(light_hat)
    by_roots = np.zeros_like(roots_hat)
    error = 0.0
    for mix, shift, own in zip(_MIX, SHIFT, weights, strict=True):
        if not own.any():
            continue
        plane, plane_hat = (np.einsum("k,khw->hw", mix, each) + np.float32(shift) for each in (roots, roots_hat))
        more, slope = _plane_error(plane, plane_hat, own)
        error += more
        by_roots += mix[:, None, None] * slope
    cubed = np.square(roots_hat + np.float32(BIAS ** (1 / 3)))
    by_light = np.einsum("kc,khw->chw", _ABSORBANCE, by_roots / (3 * cubed))
    return error, by_light.astype(np.float32)


def _plane_error(x: Floats, x_hat: Floats, weights: NDArray[np.float64]) -> tuple[float, Floats]:
    """The weighted error of one plane of one scale `[H, W]`, and its gradient by `x_hat`; `weights` `[2, 3]`."""
    difference = x - x_hat
    mean, mean_hat, squares, changes = _blurred(np.stack([x, x_hat, x * x + x_hat * x_hat, difference * difference]))
    # As in `ssimulacra2`: the error is s + (1 - s) a / v, with the squared change of the mean s, the variance of the
    # changes a, and the sum of both variances v.
    apart_mean = mean - mean_hat
    shift = apart_mean * apart_mean
    variances = squares - mean * mean - mean_hat * mean_hat + np.float32(C2)
    apart = changes - shift
    share = apart / variances
    error, by_error = _norms(shift + (1 - shift) * share, weights[:, 0])
    by_apart = by_error * (1 - shift) / variances
    by_shift = by_error * (1 - share) - by_apart
    by_variances = -by_apart * share
    by_mean = -2 * (apart_mean * by_shift + mean_hat * by_variances)

    detail, detail_hat = np.abs(x - mean), x_hat - mean_hat
    edges = (1 + np.abs(detail_hat)) / (1 + detail) - 1
    artifacts, by_artifacts = _norms(edges, weights[:, 1])
    lost, by_lost = _norms(-edges, weights[:, 2])
    by_detail = (by_artifacts - by_lost) * np.sign(detail_hat) / (1 + detail)
    by_mean -= by_detail

    back = _blurred_back(np.stack([by_variances, by_apart, by_mean]))
    slope: Floats = by_detail + 2 * (x_hat * back[0] - difference * back[1]) + back[2]
    return error + artifacts + lost, slope


def _norms(differences: Floats, weights: NDArray[np.float64]) -> tuple[float, Floats]:
    """The weighted sum of the 1-norm and the 4-norm of a map, of which only values above 0 count, and its gradient."""
    differences = np.maximum(differences, 0)
    first = float(differences.mean(dtype=np.float64))
    cubes = differences * differences * differences
    fourth = float(np.vdot(cubes, differences)) / differences.size
    by_first, by_fourth = weights / differences.size
    slope = np.where(differences > 0, np.float32(by_first), np.float32(0))
    if fourth > 0:
        slope += np.float32(by_fourth / fourth**0.75) * cubes
    return float(weights[0] * first + weights[1] * fourth**0.25), slope


def _blurred(planes: Floats) -> Floats:
    """Under the window: zeros at the sides, and the mirror image above and below, its edge repeated."""
    high = np.pad(planes, [(0, 0), (_RADIUS, _RADIUS), (0, 0)], mode="symmetric")
    return filtered(np.pad(high, [(0, 0), (0, 0), (_RADIUS, _RADIUS)]))


def _blurred_back(planes: Floats) -> Floats:
    """The adjoint of `_blurred`: what the mirror image gets goes to the rows that it shows."""
    height = planes.shape[1]
    spread = filtered(np.pad(planes, [(0, 0), (2 * _RADIUS, 2 * _RADIUS), (_RADIUS, _RADIUS)]))
    shown = np.pad(np.arange(height), _RADIUS, mode="symmetric")
    back = spread[:, _RADIUS : _RADIUS + height].copy()
    for row in (*range(_RADIUS), *range(_RADIUS + height, 2 * _RADIUS + height)):
        back[:, shown[row]] += spread[:, row]
    return back


def _roots(light: Floats) -> Floats:
    """The cube roots of what the three cones absorb of `[3, H, W]`, 0 in the dark."""
    absorbed = np.einsum("kc,chw->khw", _ABSORBANCE, light) + np.float32(BIAS)
    roots: Floats = np.cbrt(absorbed) - np.float32(BIAS ** (1 / 3))
    return roots


def _pyramid(light: Floats) -> list[Floats]:
    """All scales, the finest first."""
    pyramid = [light]
    while len(pyramid) < SCALES:
        pyramid.append(halved(pyramid[-1]))
    return pyramid


def _halved_back(slope: Floats, shape: tuple[int, ...]) -> Floats:
    """The adjoint of `halved`, for pictures of `shape`."""
    even = (slope * np.float32(0.25)).repeat(2, axis=1).repeat(2, axis=2)
    height, width = shape[1:]
    if height % 2:
        even[:, -2] += even[:, -1]
    if width % 2:
        even[:, :, -2] += even[:, :, -1]
    return even[:, :height, :width]


def _linear(x: Floats) -> Floats:
    """Linear light of sRGB values in [0, 1]."""
    curved = ((x + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(x <= 0.04045, x / np.float32(12.92), curved)


def _linear_slope(x: Floats) -> Floats:
    """The derivative of `_linear`."""
    steep = np.float32(2.4 / 1.055) * ((x + np.float32(0.055)) / np.float32(1.055)) ** np.float32(1.4)
    return np.where(x <= 0.04045, np.float32(1 / 12.92), steep)
