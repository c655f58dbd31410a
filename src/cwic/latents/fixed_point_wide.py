"""Integer layers for networks that were trained in floats alone: wide enough that nothing has to be calibrated.

The layers of `cwic.latents.fixed_point` are int8 and have to be trained for it. Here a *number* is an integer with 12
fractional bits, at most 2^23 - 1 in magnitude (so +-2048), and weights have 16 bits with a power of two as scale, one
for each output channel. Integers are held in float64: every sum of products is proved to stay below 2^51, so each is
exact in any order of summation, on every machine, and so is the rounding shift after it.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.errors import ModelError

FRACTION_BITS = 12
NUMBER_MAX = (1 << 23) - 1
WEIGHT_MAX = (1 << 15) - 1
SUM_BITS = 51
SHIFT_MAX = 40
"""Weights of a channel that are all smaller than 2^-25 are as good as zero."""
_LEAK, _LEAK_BITS = 5243, 19
"""x * 5243 / 2^19 is 0.01 x, the slope of the published network's leaky ReLU, to one part in 40,000."""


def to_fixed(x: Tensor) -> Tensor:
    """Floats as numbers."""
    return torch.round(x.double() * (1 << FRACTION_BITS)).clamp(-NUMBER_MAX, NUMBER_MAX)


def shift_round(x: Tensor, unit: Tensor | float) -> Tensor:
    """`x * unit` rounded half up: `unit` is a power of two from 2^-40 to 1, `x` an integer in float64 below 2^51."""
    return torch.floor(x * unit + 0.5)


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.01 on numbers."""
    return torch.maximum(x, shift_round(x * _LEAK, 2.0**-_LEAK_BITS))


class WideLayer(nn.Module):
    """A linear map or a convolution as integers: `weight` int16 `[C_out, taps, C_in]`, `shift` and `bias` `[C_out]`.

    An output is `round(sum(weight * inputs) / 2^shift) + bias`, kept within the range of numbers.
    """

    weight: Tensor
    shift: Tensor
    bias: Tensor

    def __init__(self, in_channels: int, out_channels: int, taps: int = 1) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(out_channels, taps, in_channels, dtype=torch.int16))
        self.register_buffer("shift", torch.zeros(out_channels, dtype=torch.int16))
        self.register_buffer("bias", torch.zeros(out_channels, dtype=torch.int32))

    @torch.no_grad()
    def take(self, weight: Tensor, bias: Tensor, name: str) -> None:
        """Rounds trained `weight` `[C_out, taps, C_in]` and `bias`. Raises `ModelError` if they are out of range."""
        weight = weight.double()
        largest = weight.abs().amax(dim=(1, 2))
        if not (largest <= WEIGHT_MAX).all() or not (bias.abs() < NUMBER_MAX >> FRACTION_BITS).all():
            raise ModelError(f"{name} has weights or biases too large for fixed-point numbers, or not finite")
        shift = torch.floor(torch.log2(WEIGHT_MAX / largest.clamp_min(2.0**-SHIFT_MAX))).clamp(0, SHIFT_MAX)
        self.shift.copy_(shift)
        self.weight.copy_(torch.round(weight / self._unit()[:, None, None]))
        self.bias.copy_(to_fixed(bias))
        self.prove_bounds(name)

    def prove_bounds(self, name: str) -> None:
        """Raises `ModelError` unless every sum of products that numbers can give is exact."""
        reach = NUMBER_MAX * int(self.weight.long().abs().sum(dim=(1, 2)).max())
        if reach >= 1 << SUM_BITS or int(self.shift.min()) < 0 or int(self.shift.max()) > SHIFT_MAX:
            raise ModelError(f"layer {name} could overflow: sums reach 2^{math.log2(reach):.1f}")

    def _unit(self) -> Tensor:
        """`2^-shift`, from a table: no library is asked for a power."""
        powers = torch.tensor([2.0**-bits for bits in range(SHIFT_MAX + 1)], dtype=torch.float64)
        return powers.to(self.shift.device)[self.shift.long()]

    def matrix(self) -> Tensor:
        """The weights for `F.linear(rows, matrix)`: float64 `[C_out, taps * C_in]`."""
        return self.weight.flatten(1).double()

    def finish(self, total: Tensor) -> Tensor:
        """Numbers from sums of products `[..., C_out]`."""
        return (shift_round(total, self._unit()) + self.bias).clamp_(-NUMBER_MAX, NUMBER_MAX)

    def forward(self, x: Tensor) -> Tensor:
        """A linear map of the channels of `x` `[..., C_in]`."""
        return self.finish(F.linear(x, self.matrix()))


class WideConv3x3(WideLayer):
    """A 3x3 convolution, zero padded: numbers `[h, w, C_in]` to `[h, w, C_out]`, then shuffled by `upscale`."""

    def __init__(self, in_channels: int, out_channels: int, upscale: int = 1) -> None:
        super().__init__(in_channels, out_channels * upscale**2, taps=9)
        self.upscale = upscale

    def take_convolution(self, convolution: nn.Conv2d, name: str) -> None:
        """Rounds a trained 3x3 convolution of stride 1; raises as `take` does."""
        bias = cast(Tensor, convolution.bias)
        self.take(convolution.weight.detach().flatten(2).transpose(1, 2), bias.detach(), name)

    def forward(self, x: Tensor) -> Tensor:
        h, w, _ = x.shape
        padded = F.pad(x, (0, 0, 1, 1, 1, 1))
        total = x.new_zeros(h * w, self.weight.shape[0])
        for tap in range(9):
            row, column = divmod(tap, 3)
            seen = padded[row : row + h, column : column + w].reshape(h * w, -1)
            total.addmm_(seen, self.weight[:, tap].t().double())
        out = self.finish(total).view(h, w, -1, self.upscale, self.upscale)
        return out.permute(0, 3, 1, 4, 2).reshape(h * self.upscale, w * self.upscale, -1)
