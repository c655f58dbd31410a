"""SSIMULACRA 2.1 of two 8-bit pictures, a measure of the difference that people see.

Both pictures become linear light and then XYB, at six scales. Each scale has three maps for each plane: SSIM's
error, edges that are new (artifacts) and edges that are gone (lost detail). Of every map the 1-norm and the 4-norm
count, with weights that were fitted to the ratings of people: Sneyers, "SSIMULACRA 2",
https://github.com/cloudinary/ssimulacra2. All numbers here are of that measure.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cwic.image.fidelity import SSIMULACRA2_MIN_SIDE
from cwic.image.window import BLOCK, TAPS, Floats, filtered

SCALES = 6
C2 = 0.0009
ABSORBANCE = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.55180986650955360),
)
"""Of linear red, green and blue by the three cones of the eye, a row each."""
BIAS = 0.0037930732552754493
"""Light that every cone sees in the dark."""
MIX = ((7.0, -7.0, 0.0), (0.5, 0.5, 0.0), (-0.5, -0.5, 1.0))
"""X, Y and B - Y from the cube roots of what the three cones absorb, a row each."""
SHIFT = (0.42, 0.01, 0.55)
"""Added to X, Y and B - Y, which makes them positive."""
# fmt: off
WEIGHTS = (
    (0.0, 0.0007376606707406586, 0.0),
    (0.0, 0.0007793481682867309, 0.0),
    (0.0, 0.0004371155730107379, 0.0),
    (1.1041726426657346, 0.00066284834129271, 0.00015231632783718752),
    (0.0, 0.0016406437456599754, 0.0),
    (1.8422455520539298, 11.441172603757666, 0.0),
    (0.0007989109436015163, 0.000176816438078653, 0.0),
    (1.8787594979546387, 10.94906990605142, 0.0),
    (0.0007289346991508072, 0.9677937080626833, 0.0),
    (0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053),
    (0.0004550992113792063, 0.0, 0.0),
    (0.0013648766163243398, 0.0, 0.0),
    (0.0, 0.0, 0.0),
    (7.466890328078848, 0.0, 17.445833984131262),
    (0.0006235601634041466, 0.0, 0.0),
    (6.683678146179332, 0.00037724407979611296, 1.027889937768264),
    (225.20515300849274, 0.0, 0.0),
    (19.213238186143016, 0.0011401524586618361, 0.001237755635509985),
    (176.39317598450694, 0.0, 0.0),
    (24.43300999870476, 0.28520802612117757, 0.0004485436923833408),
    (0.0, 0.0, 0.0),
    (34.77906344483772, 44.835625328877896, 0.0),
    (0.0, 0.0, 0.0),
    (0.0, 0.0, 0.0),
    (0.0, 0.0008680556573291698, 0.0),
    (0.0, 0.0, 0.0),
    (0.0, 0.0005313191874358747, 0.0),
    (0.00016533814161379112, 0.0, 0.0),
    (0.0, 0.0, 0.0),
    (0.0004179171803251336, 0.0017290828234722833, 0.0),
    (0.0020827005846636437, 0.0, 0.0),
    (8.826982764996862, 23.19243343998926, 0.0),
    (95.1080498811086, 0.9863978034400682, 0.9834382792465353),
    (0.0012286405048278493, 171.2667255897307, 0.9807858872435379),
    (0.0, 0.0, 0.0),
    (0.0005130064588990679, 0.0, 0.00010854057858411537),
)
# fmt: on
"""By plane (X, Y, B - Y), scale and norm (1, 4), a row each: of SSIM's error, artifacts and lost detail."""
ERROR_SCALE, POWER = 0.9562382616834844, 0.6276336467831387
CURVE = (2.326765642916932, -0.020884521182843837, 6.248496625763138e-05)
"""Of the weighted error, its square and its cube: what is raised to `POWER`, and taken from 100 ten times."""
_RADIUS = TAPS // 2


def ssimulacra2(x: NDArray[np.uint8], x_hat: NDArray[np.uint8]) -> float:
    """SSIMULACRA 2.1: 100 for equal pictures, 90 where the eye sees no difference, 30 for low quality; can be negative.

    It is within 0.05 of the package `ssimulacra2`, whose borders it shares: the blur sees zeros to the left and
    right of a picture, and its mirror image above and below. NaN where a side is under `SSIMULACRA2_MIN_SIDE` pixels.

    Args:
        x: the reference, sRGB, uint8 `[H, W, 3]`.
        x_hat: the other picture, of the same shape.
    """
    if min(x.shape[:2]) < SSIMULACRA2_MIN_SIDE:
        return math.nan
    light, light_hat = (_LINEAR[picture.transpose(2, 0, 1)] for picture in (x, x_hat))
    error = 0.0
    for scale in range(SCALES):
        if scale:
            light, light_hat = halved(light), halved(light_hat)
        error += float((_norms(light, light_hat) * _WEIGHTS[:, scale]).sum())
    return points(error)


def points(error: float) -> float:
    """The points of a weighted error, which is at least 0: a curve that was fitted to the ratings."""
    error *= ERROR_SCALE
    return 100 - 10 * max(error * (CURVE[0] + error * (CURVE[1] + error * CURVE[2])), 0.0) ** POWER


def _norms(light: Floats, light_hat: Floats) -> NDArray[np.float64]:
    """The 1-norm and the 4-norm of the three maps of two pictures `[3, H, W]`: `[3 planes, 2 norms, 3 maps]`."""
    height = light.shape[1]
    mirrored = np.pad(np.arange(height), _RADIUS, mode="symmetric")
    sums = np.zeros((3, 2, 3))
    for top in range(0, height, BLOCK):
        rows = mirrored[top : min(top + BLOCK, height) + TAPS - 1]
        for i, differences in enumerate(_maps(_xyb(light[:, rows]), _xyb(light_hat[:, rows]))):
            sums[:, 0, i] += differences.sum(axis=(1, 2), dtype=np.float64)
            np.square(differences, out=differences)
            flat = differences.reshape(3, -1)
            sums[:, 1, i] += np.einsum("ki,ki->k", flat, flat)
    norms = sums / light[0].size
    norms[:, 1] **= 0.25
    return norms


def _maps(x: Floats, x_hat: Floats) -> tuple[Floats, Floats, Floats]:
    """SSIM's error, the artifacts and the lost detail, all from 0, of rows of two pictures in XYB.

    Args:
        x, x_hat: `[3, R + TAPS - 1, W]`; the maps have the R rows in the middle.
    """
    stack = np.concatenate([x, x_hat, x * x + x_hat * x_hat, np.square(x - x_hat)])
    sides = [(0, 0), (0, 0), (_RADIUS, _RADIUS)]
    mean, mean_hat, squares, changes = filtered(np.pad(stack, sides)).reshape(4, 3, -1, x.shape[2])
    # With the variances V, twice the covariance C and the change of the mean d, the error is 1 - (1 - d^2) C / V.
    # Here it is (V - C + d^2 C) / V, where V - C is the variance of the changes: exactly 0 for equal pictures.
    variances = squares - mean * mean - mean_hat * mean_hat + np.float32(C2)
    shift = np.square(mean - mean_hat)
    apart = changes - shift
    error = (apart + shift * (variances - apart)) / variances
    inner = slice(_RADIUS, x.shape[1] - _RADIUS)
    edges = (1 + np.abs(x_hat[:, inner] - mean_hat)) / (1 + np.abs(x[:, inner] - mean)) - 1
    return np.maximum(error, 0), np.maximum(edges, 0), np.maximum(-edges, 0)


def _xyb(light: Floats) -> Floats:
    """The planes X, Y and B - Y of linear light `[3, R, W]`, shifted so that they are positive."""
    cones = np.cbrt(_ABSORBANCE @ light.reshape(3, -1) + np.float32(BIAS)) - np.float32(BIAS ** (1 / 3))
    planes: Floats = _MIX @ cones + _SHIFT
    return planes.reshape(light.shape)


def halved(light: Floats) -> Floats:
    """Means of 2x2 samples of `[3, H, W]`; odd sides repeat their last sample."""
    even = np.pad(light, [(0, 0), *((0, side % 2) for side in light.shape[1:])], mode="edge")
    rows: Floats = even[:, ::2] + even[:, 1::2]
    return (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)


def _linear() -> Floats:
    """The light of the 256 values of sRGB."""
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _linear()
_ABSORBANCE, _MIX = np.array(ABSORBANCE, np.float32), np.array(MIX, np.float32)
_SHIFT = np.array(SHIFT, np.float32)[:, None]
_WEIGHTS = np.array(WEIGHTS).reshape(3, SCALES, 2, 3)
