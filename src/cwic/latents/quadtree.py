"""The exact prior of the `cwic` family: predicts the next distributions from z and the symbols so far, in integers.

One traversal serves encoder and decoder: the same z and symbols give the same distributions and the same decoded
values on every machine. `cwic.lab.prior` is the float twin that trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.config import CwicConfig
from cwic.errors import ModelError
from cwic.latents.int8 import (
    STREAM_BITS,
    Depthwise,
    Layer,
    PhasePointwise,
    Pointwise,
    Tensors,
    band_rows,
    leaky_relu,
    shift_round,
)
from cwic.latents.levels import KNOTS, interpolate
from cwic.latents.native import VALUE_LIMIT, NativePrior, fits_c
from cwic.latents.passes import PASSES, channel_parts, from_phases, groups, join_passes, to_phases
from cwic.latents.scales import SYMBOL_MAX, scale_index
from cwic.latents.tensors import take
from cwic.libraries import library
from cwic.threads import in_bands

VALUE_BITS = 6
"""Fractional bits of means and decoded values, in quantisation steps."""
GAIN_BITS = 24
"""Fractional bits of gains."""
GAIN_OCTAVES = 11
"""log2 of a gain lies in +-11: its product with any decoded value fits int64."""
MAGNITUDE_BITS = 4
"""Fractional bits of the magnitudes that the logarithm table is indexed with."""
MAGNITUDE_MAX = 255
"""Magnitudes saturate here, in quantisation steps."""
VALUE_CLAMP = 1 << 20
"""Values fed back to the networks saturate here: far beyond what an int8 activation can hold."""
Z_BITS = 6
"""z enters the stream as z / 4: exact as an int8 activation for |z| <= 31."""
Z_MAX = 31

Ints = NDArray[np.int32]


class LatentPass(NamedTuple):
    """The predictions for a pass, made before its symbols are known: arrays `[h/2, w/2, 4, M/4]`, `gain` `[4, M/4]`.

    `pass_index` 0..3; `indexes` uint8 scale indexes; `means_hat` int64 with `VALUE_BITS` fractional bits, in
    quantisation steps; `gain` int64 with `GAIN_BITS` fractional bits.
    """

    pass_index: int
    indexes: NDArray[np.uint8]
    means_hat: NDArray[np.int64]
    gain: NDArray[np.int64]


class ContextBlock:
    """`t + project(leaky_relu(expand(mix(t))))` on a stream `[h, w, D]`."""

    def __init__(self, tensors: Tensors, name: str, width: int) -> None:
        self._mix = Depthwise(tensors, f"{name}.mix", width)
        self._expand = Pointwise(tensors, f"{name}.expand", width, width)
        self._project = Pointwise(tensors, f"{name}.project", width, width)
        self.layers: list[Layer] = [self._mix, self._expand, self._project]

    def __call__(self, t: Ints) -> Ints:
        h, w, channels = t.shape
        out = np.empty_like(t)

        def band(first: int, last: int) -> None:
            rows = self._mix.lowered(self._mix.sums(t, first, last)).reshape(-1, channels)
            rows = self._expand.lowered(self._expand.sums(rows), leaky=True)
            rows = self._project.stream(self._project.sums(rows))
            np.add(t[first:last], rows.reshape(last - first, w, channels), out=out[first:last], casting="unsafe")

        in_bands(h, band_rows(w), band)
        return out


class HyperSynthesis:
    """h_s: z_hat as a stream `[h/4, w/4, C_z]` to the context's first state, a stream `[h, w, D]`."""

    def __init__(self, config: CwicConfig, tensors: Tensors, name: str) -> None:
        width = config.hyper_width
        self._enter = Pointwise(tensors, f"{name}.enter", config.hyper_channels, width)
        self._mix = Depthwise(tensors, f"{name}.mix", width)
        self._enlarge = Pointwise(tensors, f"{name}.enlarge", width, 4 * width)
        self._mix_enlarged = Depthwise(tensors, f"{name}.mix_enlarged", width)
        self._leave = Pointwise(tensors, f"{name}.leave", width, 4 * config.context_width)
        self.layers: list[Layer] = [self._enter, self._mix, self._enlarge, self._mix_enlarged, self._leave]

    def __call__(self, z_hat: Ints) -> Ints:
        t = leaky_relu(_mapped(self._enter, z_hat))
        t = leaky_relu(_shuffle(_mapped(self._enlarge, _mixed(self._mix, t))))
        return _shuffle(_mapped(self._leave, _mixed(self._mix_enlarged, t)))


class QuadtreePrior:
    """The integer networks and tables of a model, from the tensors of its weight file whose names begin `prior.`.

    Raises `ModelError` if a tensor is missing or of another shape, or if any number could overflow.
    """

    def __init__(self, config: CwicConfig, tensors: Tensors) -> None:
        width, group, networks = config.context_width, config.M // 4, "networks"
        self._h_s = HyperSynthesis(config, tensors, f"{networks}.h_s")
        context = f"{networks}.context"
        self._embed = PhasePointwise(tensors, f"{context}.embed", 2 * group, width)
        self._blocks = [
            [ContextBlock(tensors, f"{context}.blocks.{k}.{i}", width) for i in range(config.context_blocks)]
            for k in range(PASSES)
        ]
        self._heads = [PhasePointwise(tensors, f"{context}.heads.{k}", width, 2 * group) for k in range(PASSES)]
        self._level = [take(tensors, f"{context}.level.{k}.value", "int32", KNOTS, width) for k in range(PASSES)]
        self._log2_gain = take(tensors, f"{networks}.log2_gain.value", "int32", KNOTS, config.M)
        self._z_log2_scale = take(tensors, f"{networks}.z_log2_scale.value", "int32", KNOTS, config.hyper_channels)
        octave, magnitudes = 1 << STREAM_BITS, (MAGNITUDE_MAX << MAGNITUDE_BITS) + 1
        self._exp2 = take(tensors, "exp2_table", "int32", octave).astype(np.int64)
        self._log2_magnitude = take(tensors, "magnitude_table", "int32", magnitudes)
        self._log2_gain_magnitude = take(tensors, "gain_magnitude_table", "int32", 2 * GAIN_OCTAVES * octave + 1)
        self._prove_bounds()
        self._native = self._in_c(config, tensors)

    @property
    def value_reach(self) -> int:
        """No decoded value, with `VALUE_BITS` fractional bits, is larger."""
        # Between two knots no gain is larger than at the larger of both.
        limit = GAIN_OCTAVES << STREAM_BITS
        largest = min(int(self._log2_gain.max()), limit)
        gain = int(self.gain(np.arange(-limit, max(largest, -limit) + 1, dtype=np.int32)).max())
        mean = (max(head.reach for head in self._heads) * gain >> (STREAM_BITS + GAIN_BITS - VALUE_BITS)) + 1
        return ((SYMBOL_MAX + 1) << VALUE_BITS) + mean

    def z_index(self, level: int) -> NDArray[np.uint8]:
        """The scale index of each channel of z at `level`: uint8 `[C_z]`."""
        return scale_index(interpolate(self._z_log2_scale, level))

    def log2_gain(self, level: int) -> Ints:
        """log2 of the gains of y at `level`: int32 `[M]`, in 1/256 octaves."""
        limit = GAIN_OCTAVES << STREAM_BITS
        return np.clip(interpolate(self._log2_gain, level), -limit, limit)

    def gain(self, log2_gain: Ints) -> NDArray[np.int64]:
        """`2^x` of whole numbers in 1/256 octaves: int64 with `GAIN_BITS` fractional bits."""
        mantissa = self._exp2[log2_gain & ((1 << STREAM_BITS) - 1)]
        shifted: NDArray[np.int64] = (mantissa << ((log2_gain >> STREAM_BITS) + GAIN_OCTAVES)) >> GAIN_OCTAVES
        return shifted

    def traverse(self, z_hat: Ints, level: int, code: Callable[[LatentPass], NDArray[np.int32]]) -> NDArray[np.int64]:
        """Visits all latents in coding order; the one loop that encoding and decoding share.

        `z_hat` int32 `[h/4, w/4, C_z]`. `code` is asked for the int32 symbols of each pass, in turn: the encoder makes
        them, the decoder reads them. Returns y_hat, int64 `[h, w, M]` with `VALUE_BITS` fractional bits, in
        quantisation steps.
        """
        log2_gains = channel_parts(self.log2_gain(level))
        gains = [self.gain(log2_gain) for log2_gain in log2_gains]
        if self._native is not None:
            return self._native.traverse(
                z_hat, level, lambda k, indexes, means_hat: code(LatentPass(k, indexes, means_hat, gains[k]))
            )
        state = self._h_s(z_hat << Z_BITS)
        parts = []
        for k, (log2_gain, gain) in enumerate(zip(log2_gains, gains, strict=True)):
            mean, log2_scale = self._predict(k, state, level)
            indexes = scale_index(log2_scale + log2_gain)
            means_hat = shift_round(mean * gain, STREAM_BITS + GAIN_BITS - VALUE_BITS)
            symbols = code(LatentPass(k, indexes, means_hat, gain))
            value = (symbols.astype(np.int64) << VALUE_BITS) + means_hat
            parts.append(value)
            if k + 1 < PASSES:
                state = state + from_phases(self._embed(self._features(value, log2_gain), groups(k)))
        return join_passes(parts)

    def dequantise(self, y_hat: NDArray[np.int64], level: int) -> NDArray[np.float32]:
        """`traverse`'s result in units of y: float32 `[1, M, h, w]`, for synthesis. Not exact any more."""
        y = np.multiply(y_hat, self.step(level).astype(np.float32), dtype=np.float32)
        return y.transpose(2, 0, 1)[None]

    def step(self, level: int) -> NDArray[np.float64]:
        """The worth of a unit of y_hat in units of y: `[M]`."""
        step: NDArray[np.float64] = np.exp2(-self.log2_gain(level) / (1 << STREAM_BITS) - VALUE_BITS)
        return step

    def _predict(self, k: int, state: Ints, level: int) -> tuple[Ints, Ints]:
        """Mean (in units of y) and log2 scale (relative to the gain) of the symbols of pass k: `[h/2, w/2, 4, M/4]`."""
        t = state + interpolate(self._level[k], level)
        for block in self._blocks[k]:
            t = block(t)
        mean, log2_scale = np.split(self._heads[k](to_phases(leaky_relu(t)), [0, 1, 2, 3]), 2, axis=-1)
        return mean, log2_scale

    def _features(self, value: NDArray[np.int64], log2_gain: Ints) -> Ints:
        """Features of decoded values for the networks: a stream of values in units of y, and of log magnitudes."""
        in_y = shift_round(value * self.gain(-log2_gain), VALUE_BITS + GAIN_BITS - STREAM_BITS)
        looked_up = shift_round(np.abs(value), VALUE_BITS - MAGNITUDE_BITS)
        magnitude = self._log2_magnitude[np.minimum(looked_up, len(self._log2_magnitude) - 1)]
        reference = self._log2_gain_magnitude[log2_gain + (GAIN_OCTAVES << STREAM_BITS)]
        clipped = np.clip(in_y, -VALUE_CLAMP, VALUE_CLAMP).astype(np.int32)
        return np.concatenate([clipped, magnitude - reference], axis=-1)

    def _in_c(self, config: CwicConfig, tensors: Tensors) -> NativePrior | None:
        """The same in C, where there is a library and its 32 bits hold every decoded value of this model."""
        found = library()
        if found is None or self.value_reach >= VALUE_LIMIT or not fits_c(config):
            return None
        return NativePrior(found, config, tensors)

    def _prove_bounds(self) -> None:
        """Raises `ModelError` unless streams fit int32: they are sums of outputs, no layer more than four times."""
        blocks = [layer for blocks in self._blocks for block in blocks for layer in block.layers]
        layers = [*self._h_s.layers, self._embed, *blocks, *self._heads]
        knots = [*self._level, self._log2_gain, self._z_log2_scale]
        reach = (1 << (Z_BITS + 5)) + 4 * sum(layer.reach for layer in layers)
        reach += 4 * sum(int(np.abs(values.astype(np.int64)).max()) for values in knots)
        if reach >= 1 << 31:
            raise ModelError(f"streams could overflow: they reach {reach}")


def _mapped(layer: Pointwise, x: Ints) -> Ints:
    """A layer over the positions of a stream `[h, w, C]`."""
    return layer(x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1).astype(np.int32)


def _mixed(layer: Depthwise, t: Ints) -> Ints:
    return t + layer(t).astype(np.int32)


def _shuffle(x: Ints) -> Ints:
    """`[h, w, 4 C]` to `[2 h, 2 w, C]`."""
    h, w, c = x.shape
    return x.reshape(h, w, 2, 2, c // 4).transpose(0, 2, 1, 3, 4).reshape(2 * h, 2 * w, c // 4)
