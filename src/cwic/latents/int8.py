"""Integer layers of the `cwic` family: int8 weights and activations, on numbers that floats hold exactly.

Layers take and give *streams*: whole numbers with 8 fractional bits (one unit is 1/256), channels last. A layer lowers
its stream to *activations*, 4 fractional bits, clamped to +-127, multiplies them by int8 weights, and brings the sums
back by a multiplication with an integer and a rounding shift (docs/determinism.md).

Whole numbers are kept in floats where a proof from the weights says that nothing is lost: sums of products stay below
2^24, so float32 holds them in any order of summation, on any processor; scaled by their multiplier they fit float64,
down to the smallest fraction that a step needs. Layers whose scaled sums could be larger use int64 instead. The result
is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.errors import ModelError
from cwic.latents.tensors import take
from cwic.networks.product import LARGEST, product
from cwic.threads import in_bands

STREAM_BITS = 8
ACTIVATION_BITS = 4
MULTIPLIER_BITS = 20
INT8_MAX = 127
LEAK_SHIFT = 3
"""The slope of the leaky ReLU on the negative side is 2^-3."""
BAND_POSITIONS = 256
"""Positions that a thread works on at a time: with 192 channels their feature maps stay in a core's cache."""

Tensors = Mapping[str, NDArray[Any]]
Floats = NDArray[np.floating]


def band_rows(width: int) -> int:
    """The rows of a map that a thread works on at a time."""
    return max(1, BAND_POSITIONS // width)


def shift_round(x: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """`x / 2^bits` rounded half up."""
    return (x + (1 << (bits - 1))) >> bits


def leaky_relu(x: NDArray[Any]) -> NDArray[Any]:
    """Leaky ReLU of a stream."""
    if x.dtype.kind == "i":
        return np.maximum(x, x >> LEAK_SHIFT)
    low = x * x.dtype.type(2.0**-LEAK_SHIFT)
    return np.maximum(x, np.floor(low, out=low), out=low)


def activations(x: NDArray[Any]) -> NDArray[np.float32]:
    """A stream as activations, whole numbers from -127 to 127 in float32."""
    half, shift = 1 << (STREAM_BITS - ACTIVATION_BITS - 1), STREAM_BITS - ACTIVATION_BITS
    if x.dtype.kind == "i":
        lowered = x + half
        lowered >>= shift
    else:
        lowered = x + x.dtype.type(half)
        lowered *= x.dtype.type(2.0**-shift)
        np.floor(lowered, out=lowered)
    np.minimum(lowered, INT8_MAX, out=lowered)
    np.maximum(lowered, -INT8_MAX, out=lowered)
    return lowered.astype(np.float32, copy=False)


class Layer:
    """Base of all layers: int8 weights `[..., C_out, C_in]`, and per output a multiplier and a bias (int32)."""

    def __init__(self, tensors: Tensors, name: str, shape: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        """Takes `name.weight` of `shape`, `name.multiplier` and `name.bias` of `outputs`. Raises `ModelError`."""
        self.name = name
        weight = take(tensors, f"{name}.weight", "int8", *shape)
        multiplier = take(tensors, f"{name}.multiplier", "int32", *outputs).astype(np.int64)
        bias = take(tensors, f"{name}.bias", "int32", *outputs).astype(np.int64)
        self.weight = weight.astype(np.float32)
        products = INT8_MAX * int(np.abs(weight.astype(np.int64)).sum(axis=-1).max())
        scaled = products * int(np.abs(multiplier).max())
        if products >= LARGEST or scaled >= 1 << 62:
            raise ModelError(f"layer {name} could overflow: sums reach {products}, scaled {scaled}")
        self.reach = (scaled >> MULTIPLIER_BITS) + 1 + int(np.abs(bias).max())
        """No output is larger."""
        # Room for 2^-27, the smallest number that `lowered` meets.
        self._in_doubles = (scaled >> MULTIPLIER_BITS) + self.reach < 1 << (53 - 27)
        self._out = np.float32 if self.reach < 1 << 24 else np.float64
        self._multiplier, self._bias = multiplier, bias
        self._unit = multiplier * 2.0**-MULTIPLIER_BITS
        self._offset = bias + 0.5

    def stream(self, sums: Floats, part: Any = ...) -> Floats:
        """The stream of `sums` of products `[..., C_out]`; `part` names the outputs that they are of."""
        if not self._in_doubles:
            exact = shift_round(sums.astype(np.int64) * self._multiplier[part], MULTIPLIER_BITS) + self._bias[part]
            return exact.astype(self._out)
        scaled = np.multiply(sums, self._unit[part], dtype=np.float64)
        scaled += self._offset[part]
        return np.floor(scaled, out=np.empty(scaled.shape, self._out), casting="same_kind")

    def lowered(self, sums: Floats, *, leaky: bool = False) -> NDArray[np.float32]:
        """The activations of the stream of `sums`, with `leaky` of its leaky ReLU, in fewer steps.

        Rounding down twice is rounding down once, and commutes with the larger of two: so all of it is one `floor`.
        """
        if not self._in_doubles:
            stream = self.stream(sums)
            return activations(leaky_relu(stream) if leaky else stream)
        unit = 2.0 ** -(STREAM_BITS - ACTIVATION_BITS)
        scaled = np.multiply(sums, self._unit * unit, dtype=np.float64)
        scaled += self._offset * unit
        if leaky:
            np.maximum(scaled, scaled * 2.0**-LEAK_SHIFT, out=scaled)
        scaled += 0.5
        np.minimum(scaled, INT8_MAX, out=scaled)
        np.maximum(scaled, -INT8_MAX, out=scaled)
        return np.floor(scaled, out=np.empty(scaled.shape, np.float32), casting="same_kind")


class Pointwise(Layer):
    """A linear map of channels with bias: streams `[n, C_in]` to `[n, C_out]`."""

    def __init__(self, tensors: Tensors, name: str, in_channels: int, out_channels: int) -> None:
        super().__init__(tensors, name, (out_channels, in_channels), (out_channels,))
        self._matrix = np.ascontiguousarray(self.weight.T)

    def __call__(self, x: NDArray[Any]) -> Floats:
        return self.stream(self.sums(activations(x)))

    def sums(self, rows: NDArray[np.float32]) -> Floats:
        """The sums of products of activations `[n, C_in]`."""
        return product(rows, self._matrix)


class PhasePointwise(Layer):
    """Four linear maps, one for each spatial phase: streams `[h, w, 4, C_in]` to `[h, w, 4, C_out]`."""

    def __init__(self, tensors: Tensors, name: str, in_channels: int, out_channels: int) -> None:
        super().__init__(tensors, name, (4, out_channels, in_channels), (4, out_channels))
        self._matrices = [np.ascontiguousarray(weight.T) for weight in self.weight]

    def __call__(self, x: NDArray[Any], order: list[int]) -> NDArray[np.int32]:
        """Phase p uses map `order[p]`."""
        h, w, _, channels = x.shape
        out = np.empty((h, w, 4, self._unit.shape[1]), np.int32)

        def band(first: int, last: int) -> None:
            for phase, chosen in enumerate(order):
                rows = activations(x[first:last, :, phase]).reshape(-1, channels)
                out[first:last, :, phase] = self.stream(product(rows, self._matrices[chosen]), chosen).reshape(
                    last - first, w, -1
                )

        in_bands(h, band_rows(w), band)
        return out


class Depthwise(Layer):
    """A 3x3 depth-wise convolution of streams `[h, w, C]`, zero padded: nine shifted products, summed."""

    def __init__(self, tensors: Tensors, name: str, channels: int) -> None:
        super().__init__(tensors, name, (channels, 9), (channels,))
        self._taps = np.ascontiguousarray(self.weight.T)

    def __call__(self, x: NDArray[np.int32]) -> Floats:
        return self.stream(self.sums(x, 0, len(x)))

    def sums(self, x: NDArray[np.int32], first: int, last: int) -> Floats:
        """The sums of products of rows `first` to `last`, `[last - first, w, C]`, for the stream `x` `[h, w, C]`."""
        h, w, channels = x.shape
        padded = np.zeros((last - first + 2, w + 2, channels), np.float32)
        above, below = max(first - 1, 0), min(last + 1, h)
        padded[above - first + 1 : below - first + 1, 1:-1] = activations(x[above:below])
        sums = padded[: last - first, :w] * self._taps[0]
        term = np.empty_like(sums)
        for tap in range(1, 9):
            row, column = divmod(tap, 3)
            np.multiply(padded[row : row + last - first, column : column + w], self._taps[tap], out=term)
            sums += term
        return sums
