"""The serial context: it predicts scale and mean of a latent from the hyper parameters and the latents before it.

Minnen et al., NeurIPS 2018, section 2. The latents before it are those above and to the left, so a decoder has to
visit the positions one by one, in raster order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.latents.serial import CONTEXT, entropy_parameter_widths, seen_taps


class MaskedConv2d(nn.Conv2d):
    """A `kernel x kernel` convolution that sees the rows above and, in its own row, the columns to the left.

    The mask multiplies the weight, so that hidden taps count as zero and get no gradient. The map is padded with zeros.
    """

    mask: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int = CONTEXT) -> None:
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)
        taps = torch.arange(kernel * kernel) < len(seen_taps(kernel))
        self.register_buffer("mask", taps.to(self.weight.dtype).view(kernel, kernel), persistent=False)
        with torch.no_grad():
            self.weight.mul_(self.mask)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class GaussianParameters(NamedTuple):
    """`scales_hat` (as predicted, not bounded yet) and `means_hat`, `[B, M, h, w]` each, in quantisation steps."""

    scales_hat: Tensor
    means_hat: Tensor


class NoContext(nn.Module):
    """No context: scales and means are the first and the second half of the output of h_s."""

    def forward(self, y_hat: Tensor, hyper: Tensor) -> GaussianParameters:
        """Split `hyper` `[B, 2 M, h, w]`; `y_hat` is not used."""
        return GaussianParameters(*hyper.chunk(2, dim=1))


class SerialContext(nn.Module):
    """The context and the networks after it.

        y_hat --masked conv 5x5--> 2 M --+
                                         +-- [hyper first] --> 1x1 4 M -> 10 M / 3 -> 8 M / 3 -> 2 M --> scales, means
        hyper parameters 2 M ------------+

    Leaky ReLU of slope 0.01 between the 1x1 convolutions. Costs `50 M^2` multiply-accumulates a position for the
    context, 24 M^2 of them on taps that are seen, and about `27.5 M^2` after it.
    """

    def __init__(self, M: int) -> None:
        super().__init__()
        widths = entropy_parameter_widths(M)
        self.context_prediction = MaskedConv2d(M, 2 * M)
        self.entropy_parameters = nn.Sequential(
            nn.Conv2d(widths[0], widths[1], 1),
            nn.LeakyReLU(),
            nn.Conv2d(widths[1], widths[2], 1),
            nn.LeakyReLU(),
            nn.Conv2d(widths[2], widths[3], 1),
        )

    def forward(self, y_hat: Tensor, hyper: Tensor) -> GaussianParameters:
        """Predict from `y_hat` `[B, M, h, w]` and the output of h_s, `hyper` `[B, 2 M, h, w]`."""
        known = torch.cat([hyper, self.context_prediction(y_hat)], dim=1)
        scales_hat, means_hat = self.entropy_parameters(known).chunk(2, dim=1)
        return GaussianParameters(scales_hat, means_hat)
