"""SSIMULACRA 2.1 as a differentiable measure: what the pictures of `tune = "eye"` are compared by.

Both pictures become linear light and then XYB, at six scales. Each scale has three maps for each plane: SSIM's
error, edges that are new (artifacts) and edges that are gone (lost detail). Of every map the 1-norm and the 4-norm
count, with weights that were fitted to the ratings of people: Sneyers, "SSIMULACRA 2",
https://github.com/cloudinary/ssimulacra2. All numbers here are of that measure.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cwic.errors import InputError
from cwic.image.fidelity import SSIMULACRA2_MIN_SIDE

SCALES = 6
_RADIUS, _SIGMA = 5, 1.5
_C2 = 0.0009
_ABSORBANCE = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268924547819, 0.20476744424496821, 0.55180986650955360),
)
"""Of linear red, green and blue by the three cones of the eye, a row each."""
_BIAS = 0.0037930732552754493
# fmt: off
_WEIGHTS = (
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
_FLOOR = 1e-24
"""Added under the fourth root, whose slope at zero is infinite; float32 has room for it."""
_START = 1e-5
"""Added under the last power, for the same reason: at most 0.01 points."""


def ssimulacra2(x: Tensor, x_hat: Tensor) -> Tensor:
    """SSIMULACRA 2.1 of each picture, `[B]`: 100 for equal pictures, 50 for a medium quality; can be negative.

    It is within 0.1 of the package `ssimulacra2`, whose borders it shares: the blur sees zeros to the left and
    right of a picture, and its mirror image above and below. The gradient is finite everywhere.

    Args:
        x: the reference, sRGB in [0, 1], `[B, 3, H, W]`.
        x_hat: what it became, of the same shape. A value outside [0, 1] counts as the nearest one inside; its
            gradient passes straight through.

    Raises:
        InputError: a side is under `SSIMULACRA2_MIN_SIDE` pixels.
    """
    if min(x.shape[2:]) < SSIMULACRA2_MIN_SIDE:
        raise InputError(f"SSIMULACRA 2 needs sides of at least {SSIMULACRA2_MIN_SIDE} pixels, not {min(x.shape[2:])}")
    # Depth-wise convolutions on a CPU are five times as fast on channels-last maps.
    light, light_hat = (_linear(t.float().contiguous(memory_format=torch.channels_last)) for t in (x, x_hat))
    weights = torch.tensor(_WEIGHTS, device=x.device).view(3, SCALES, 2, 3)
    error = x.new_zeros(len(x), dtype=torch.float32)
    for scale in range(SCALES):
        if scale:
            light, light_hat = (F.avg_pool2d(t, 2, ceil_mode=True) for t in (light, light_hat))
        for i, differences in enumerate(_maps(_xyb(light), _xyb(light_hat))):
            error = error + (_norms(differences) * weights[:, scale, :, i]).sum(dim=(1, 2))
    return _score(error)


def _linear(x: Tensor) -> Tensor:
    """Linear light of sRGB values, which are brought into [0, 1]."""
    x = x + (x.clamp(0, 1) - x).detach()
    return torch.where(x <= 0.04045, x / 12.92, ((x.clamp_min(0.04) + 0.055) / 1.055) ** 2.4)


def _xyb(light: Tensor) -> Tensor:
    """The planes X, Y and B - Y of linear light, shifted and scaled so that they are positive: `[B, 3, H, W]`."""
    matrix = torch.tensor(_ABSORBANCE, device=light.device)[:, :, None, None]
    cones = (F.conv2d(light, matrix) + _BIAS) ** (1 / 3) - _BIAS ** (1 / 3)
    # X = (L - M) / 2 times 14, Y = (L + M) / 2, and S - Y.
    mix = torch.tensor([[7.0, -7.0, 0.0], [0.5, 0.5, 0.0], [-0.5, -0.5, 1.0]], device=light.device)
    return F.conv2d(cones, mix[:, :, None, None], torch.tensor([0.42, 0.01, 0.55], device=light.device))


def _maps(x: Tensor, x_hat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of two pictures in XYB: SSIM's error, the artifacts and the lost detail, all from 0, `[B, 3, H, W]`."""
    # What the reference alone decides is apart: nothing flows back through it.
    mean, square = _blur(torch.cat([x, x * x], dim=1)).split(3, dim=1)
    mean_hat, square_hat, product = _blur(torch.cat([x_hat, x_hat * x_hat, x * x_hat], dim=1)).split(3, dim=1)
    covariance = 2 * (product - mean * mean_hat) + _C2
    variances = (square - mean * mean) + (square_hat - mean_hat * mean_hat) + _C2
    ssim_error = (1 - (1 - (mean - mean_hat).square()) * covariance / variances).clamp_min(0)
    edges = (1 + (x_hat - mean_hat).abs()) / (1 + (x - mean).abs()) - 1
    return ssim_error, edges.clamp_min(0), (-edges).clamp_min(0)


def _blur(t: Tensor) -> Tensor:
    """A Gaussian blur of every plane: zeros at the sides, the mirror image above and below, its edge repeated."""
    kernel = torch.exp(-torch.arange(-_RADIUS, _RADIUS + 1, device=t.device).square() / (2 * _SIGMA**2))
    kernel = (kernel / kernel.sum()).expand(t.shape[1], 1, 1, -1)
    rows = F.conv2d(t, kernel, padding=(0, _RADIUS), groups=t.shape[1])
    high = torch.cat([rows[:, :, :_RADIUS].flip(2), rows, rows[:, :, -_RADIUS:].flip(2)], dim=2)
    return F.conv2d(high, kernel.mT, groups=t.shape[1])


def _norms(differences: Tensor) -> Tensor:
    """The 1-norm and the 4-norm of maps `[B, 3, H, W]` with values from 0: `[B, 3, 2]`."""
    fourth = differences.square().square().mean(dim=(2, 3))
    return torch.stack([differences.mean(dim=(2, 3)), (fourth + _FLOOR) ** 0.25 - _FLOOR**0.25], dim=-1)


def _score(error: Tensor) -> Tensor:
    """The points of a weighted `error`, from 0: a curve that was fitted to the ratings."""
    error = 0.9562382616834844 * error
    curve = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    power = 0.6276336467831387
    return 100 - 10 * ((curve + _START) ** power - _START**power)
