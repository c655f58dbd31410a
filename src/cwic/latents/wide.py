"""Integer layers for networks that were trained in floats alone: wide enough that nothing has to be calibrated.

The layers of `cwic.latents.int8` are int8 and have to be trained for it. Here a *number* is an integer with 12
fractional bits, at most 2^23 - 1 in magnitude (so +-2048), and weights have 16 bits with a power of two as scale, one
for each output channel. Integers are held in float64: every sum of products is proved to stay below 2^51, so each is
exact in any order of summation, on every machine, and so is the rounding shift after it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cwic.errors import ModelError
from cwic.latents.int8 import Tensors
from cwic.latents.tensors import take

FRACTION_BITS = 12
NUMBER_MAX = (1 << 23) - 1
WEIGHT_MAX = (1 << 15) - 1
SUM_BITS = 51
SHIFT_MAX = 40
"""Weights of a channel that are all smaller than 2^-25 are as good as zero."""
_LEAK, _LEAK_BITS = 5243, 19
"""x * 5243 / 2^19 is 0.01 x, the slope of the published network's leaky ReLU, to one part in 40,000."""
_POWERS = np.array([2.0**-bits for bits in range(SHIFT_MAX + 1)])

Numbers = NDArray[np.float64]


def clamp(x: Numbers) -> Numbers:
    """`x`, changed in place to lie within the range of numbers."""
    np.minimum(x, NUMBER_MAX, out=x)
    return np.maximum(x, -NUMBER_MAX, out=x)


def shift_round(x: Numbers, unit: Numbers | float) -> Numbers:
    """`x * unit` rounded half up: `unit` is a power of two from 2^-40 to 1, `x` a whole number below 2^51."""
    scaled = x * unit
    scaled += 0.5
    return np.floor(scaled, out=scaled)


def leaky_relu(x: Numbers) -> Numbers:
    """Leaky ReLU of slope 0.01 on numbers."""
    return np.maximum(x, shift_round(x * _LEAK, 2.0**-_LEAK_BITS))


class WideLayer:
    """A linear map or a convolution as integers: `weight` int16 `[C_out, taps, C_in]`, `shift` and `bias` `[C_out]`.

    An output is `round(sum(weight * inputs) / 2^shift) + bias`, kept within the range of numbers.
    """

    def __init__(self, tensors: Tensors, name: str, in_channels: int, out_channels: int, taps: int = 1) -> None:
        """Takes `name.weight`, `name.shift` and `name.bias`. Raises `ModelError` unless every sum is exact."""
        weight = take(tensors, f"{name}.weight", "int16", out_channels, taps, in_channels)
        shift = take(tensors, f"{name}.shift", "int16", out_channels)
        self._bias = take(tensors, f"{name}.bias", "int32", out_channels).astype(np.float64)
        prove_bounds(name, weight, shift)
        self._unit = _POWERS[shift]
        self.matrix = np.ascontiguousarray(weight.reshape(out_channels, -1).T, np.float64)
        """The weights, for `rows @ matrix`: `[taps * C_in, C_out]`."""

    def finish(self, sums: Numbers) -> Numbers:
        """Numbers from sums of products `[..., C_out]`."""
        out = shift_round(sums, self._unit)
        out += self._bias
        return clamp(out)

    def __call__(self, rows: Numbers) -> Numbers:
        """A linear map of the channels of `rows` `[n, taps * C_in]`."""
        return self.finish(rows @ self.matrix)


class WideConv3x3(WideLayer):
    """A 3x3 convolution, zero padded: numbers `[h, w, C_in]` to `[h, w, C_out]`, then shuffled by `upscale`."""

    def __init__(self, tensors: Tensors, name: str, in_channels: int, out_channels: int, upscale: int = 1) -> None:
        super().__init__(tensors, name, in_channels, out_channels * upscale**2, taps=9)
        self._upscale = upscale

    def __call__(self, x: Numbers) -> Numbers:
        h, w, channels = x.shape
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        sums = np.zeros((h * w, self.matrix.shape[1]))
        for tap in range(9):
            row, column = divmod(tap, 3)
            seen = padded[row : row + h, column : column + w].reshape(h * w, -1)
            sums += seen @ self.matrix[tap * channels : (tap + 1) * channels]
        up = self._upscale
        out = self.finish(sums).reshape(h, w, -1, up, up)
        return out.transpose(0, 3, 1, 4, 2).reshape(h * up, w * up, -1)


def prove_bounds(name: str, weight: NDArray[np.int16], shift: NDArray[np.int16]) -> None:
    """Raises `ModelError` unless every sum of products that numbers can give is exact."""
    reach = NUMBER_MAX * int(np.abs(weight.astype(np.int64)).sum(axis=(1, 2)).max())
    if reach >= 1 << SUM_BITS or int(shift.min()) < 0 or int(shift.max()) > SHIFT_MAX:
        raise ModelError(f"layer {name} could overflow: sums reach 2^{math.log2(max(reach, 1)):.1f}")
