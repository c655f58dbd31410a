"""Per-channel gains that depend on the quality level, so that one network has every bit rate.

A gain vector is kept at nine knots and interpolated linearly in the log2 domain between them, as the gained
variational auto-encoder does (Cui et al., "Asymmetric Gained Deep Image Compression With Continuous Rate
Adaptation", CVPR 2021, section 3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cwic.latents.levels import KNOT_SPACING, KNOTS


def interpolate_knots(knots: Tensor, level: Tensor) -> Tensor:
    """Interpolate `knots` `[KNOTS, ...]` linearly at `level` `[B]` (integers 0..1000), and return `[B, ...]`."""
    low = level // KNOT_SPACING
    weight = (level % KNOT_SPACING).view(-1, *([1] * (knots.dim() - 1)))
    start, end = knots[low], knots[low + 1]
    return start + (end - start) * (weight.to(knots.dtype) / KNOT_SPACING)


class LevelGain(nn.Module):
    """A gain that multiplies each channel of a feature map `[B, C, H, W]`, by the level `[B]`.

    It starts as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log2_gain = nn.Parameter(torch.zeros(KNOTS, channels))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        return x * torch.exp2(interpolate_knots(self.log2_gain, level)).to(x.dtype)[:, :, None, None]
