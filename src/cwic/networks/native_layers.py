"""Layers of the float networks in C. Maps are float32 `[h, w, C]`, channels last.

Products are of whole numbers: an input has 14 bits beside the largest of its position, a weight as many as sums in 32
bits allow for any input. `native/linear.c` makes them; processors multiply twice as many such numbers as floats in the
same time. docs/determinism.md says what that costs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.libraries import Handle, check_room
from cwic.threads import in_bands, thread_count

Floats = NDArray[np.float32]

TAPS = 9
PASS_COST = 8
"""The cost of passing over a number, in multiplications."""
LEAST_WORK = 10**7
"""The multiplications that are worth a band: a core makes them in a twentieth of a millisecond."""
GROUP = 8
"""Positions that C multiplies at a time: it may read so many after the last of a map."""


class Quantised(NamedTuple):
    """A map as whole numbers, with a border of zeros: int16 `[(h + 2) (w + 2) + GROUP, C]`, and a step a position."""

    height: int
    width: int
    whole: NDArray[np.int16]
    steps: Floats


class Linear:
    """A linear map of the channels of each position."""

    def __init__(self, library: ctypes.CDLL, weight: Floats, bias: Floats) -> None:
        """Takes weights `[outputs, inputs, 1, 1]` and biases."""
        self._outputs, self._inputs = weight.shape[:2]
        pointer = library.floats_linear_load(self._inputs, self._outputs, weight.ctypes.data, bias.ctypes.data)
        self._handle = Handle(library, pointer)

    def __call__(self, x: Floats) -> Floats:
        """Return the outputs of a map."""
        h, w = _sides(x, self._inputs)
        out = np.empty((h, w, self._outputs), np.float32)

        def band(first: int, last: int) -> None:
            check_room(self._handle.library.floats_linear(
                self._handle.pointer, x[first:].ctypes.data, (last - first) * w, out[first:].ctypes.data
            ))  # fmt: skip

        _in_bands(h, w * self._inputs * self._outputs, band)
        return out


class Convolution:
    """A 3x3 convolution, zero padded, of maps that together have its input channels."""

    def __init__(self, library: ctypes.CDLL, weight: Floats, bias: Floats, channels: Sequence[int]) -> None:
        """Takes weights `[outputs, inputs, 3, 3]`, biases, and the channels of each map.

        Raises `ValueError` if the maps do not have the inputs' channels.
        """
        if sum(channels) != weight.shape[1]:
            raise ValueError(f"maps of {channels} channels for {weight.shape[1]} inputs")
        self._outputs, self._channels, self._parts = len(weight), channels, []
        for taps in np.split(weight, np.cumsum(channels)[:-1], axis=1):
            by_tap = np.ascontiguousarray(taps.transpose(2, 3, 0, 1))
            pointer = library.floats_convolution_load(
                taps.shape[1], self._outputs, by_tap.ctypes.data, bias.ctypes.data
            )
            self._parts.append(Handle(library, pointer))
            bias = np.zeros_like(bias)  # it is added once

    def __call__(self, *maps: Quantised) -> Floats:
        """Return the outputs of maps as `quantised` gives them. Raises `ValueError` if they do not fit."""
        h, w = maps[0].height, maps[0].width
        shapes = [(each.height, each.width, each.whole.shape[1]) for each in maps]
        if shapes != [(h, w, channels) for channels in self._channels]:
            raise ValueError(f"maps of {shapes} for {self._channels} channels")
        out = np.empty((h, w, self._outputs), np.float32)

        def band(first: int, last: int) -> None:
            for number, (part, x) in enumerate(zip(self._parts, maps, strict=True)):
                part.library.floats_convolve(
                    part.pointer, x.whole.ctypes.data, x.steps.ctypes.data, w, first, last, out.ctypes.data, number > 0
                )

        _in_bands(h, TAPS * w * sum(self._channels) * self._outputs, band)
        return out


def quantised(library: ctypes.CDLL, x: Floats) -> Quantised:
    """Return a map as a convolution takes it."""
    channels = x.shape[2]
    h, w = _sides(x, channels)
    positions = (h + 2) * (w + 2)
    whole, steps = np.zeros((positions + GROUP, channels), np.int16), np.zeros(positions, np.float32)

    def band(first: int, last: int) -> None:
        library.floats_quantise(x.ctypes.data, w, channels, first, last, whole.ctypes.data, steps.ctypes.data)

    _in_bands(h, PASS_COST * w * channels, band)
    return Quantised(h, w, whole, steps)


class Depthwise:
    """A 3x3 convolution of each channel by itself, zero padded."""

    def __init__(self, library: ctypes.CDLL, weight: Floats, bias: Floats) -> None:
        """Takes weights `[C, 1, 3, 3]`, C a multiple of 16, and biases."""
        self._gain = np.ones(len(weight), np.float32)
        pointer = library.floats_depthwise_load(len(weight), weight.ctypes.data, bias.ctypes.data)
        self._handle = Handle(library, pointer)

    def __call__(self, x: Floats) -> Floats:
        """Return the outputs of a map."""
        h, w = _sides(x, len(self._gain))
        padded, out = np.pad(x, ((1, 1), (1, 1), (0, 0))), np.empty_like(x)

        def band(first: int, last: int) -> None:
            self._handle.library.floats_depthwise(
                self._handle.pointer, padded.ctypes.data, w, first, last, self._gain.ctypes.data, out.ctypes.data
            )

        _in_bands(h, PASS_COST * w * len(self._gain), band)
        return out


class Block:
    """A block of a trunk, as `cwic.nn.depth_conv` has it, with a slope and two gains."""

    def __init__(self, library: ctypes.CDLL, weights: Sequence[Floats], biases: Sequence[Floats], slope: float) -> None:
        """Takes the weights and biases of `cwic.networks.trunk.LAYERS`; C is a multiple of 16."""
        self._channels = len(weights[0])
        addresses = (ctypes.c_void_p * 10)(*(each.ctypes.data for each in (*weights, *biases)))
        self._handle = Handle(library, library.floats_block_load(self._channels, addresses, slope))

    def __call__(self, x: Floats, spatial: Floats, channel: Floats) -> Floats:
        """Return the outputs of a map; the gains are `[1, 1, C]`."""
        h, w = _sides(x, self._channels)
        for gain in (spatial, channel):
            if _sides(gain, self._channels) != (1, 1):
                raise ValueError(f"a gain of {gain.shape}")
        out = np.empty_like(x)
        gains = (ctypes.c_void_p * 2)(spatial.ctypes.data, channel.ctypes.data)

        def band(first: int, last: int) -> None:
            check_room(self._handle.library.floats_block(
                self._handle.pointer, x.ctypes.data, h, w, first, last, gains, out.ctypes.data
            ))  # fmt: skip

        _in_bands(h, 5 * w * self._channels**2, band)
        return out


def _in_bands(height: int, cost: int, work: Callable[[int, int], None]) -> None:
    """Two bands for each thread, or fewer: helpers gain nothing by little work, and a block does its borders twice.

    `cost` are the multiplications of a row.
    """
    bands = max(1, min(2 * thread_count(), height * cost // LEAST_WORK))
    in_bands(height, -(-height // bands), work)


def _sides(x: Floats, channels: int) -> tuple[int, int]:
    """Return the rows and columns of a map. Raises `ValueError` unless C can read it as one of `channels`."""
    if x.ndim != 3 or x.shape[2] != channels or x.dtype != np.float32 or not x.flags.c_contiguous:
        raise ValueError(f"a map of {x.shape} and {x.dtype} for a layer of {channels} channels")
    return x.shape[0], x.shape[1]
