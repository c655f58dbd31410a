"""The exact path: the prior in integers, run once through the latents for encoder and decoder alike.

Nothing here, and nothing it calls, holds a float before the last line: the same z and symbols give the same
distributions and the same decoded values on every machine. `cwic.latents.prior` is the float twin that trains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cwic.errors import ModelError
from cwic.latents.fixed_point import (
    INTEGER,
    MULTIPLIER_BITS,
    STREAM_BITS,
    IntegerKnots,
    IntegerLayer,
    shift_round,
    to_integers,
)
from cwic.latents.gaussian import scale_index
from cwic.latents.order import PASSES, channel_parts, join_passes
from cwic.latents.prior import MAGNITUDE_MAX, PriorNetworks
from cwic.models.config import CwicConfig
from cwic.transforms.hyper import Z_BITS

VALUE_BITS = 6
"""Fractional bits of means and decoded values, in quantisation steps."""
GAIN_BITS = 24
"""Fractional bits of gains."""
GAIN_OCTAVES = 11
"""log2 of a gain lies in +-11: its product with any decoded value fits int64."""
MAGNITUDE_BITS = 4
"""Fractional bits of the magnitudes that the logarithm table is indexed with."""
VALUE_CLAMP = 1 << 20
"""Values fed back to the networks saturate here: far beyond what an int8 activation can hold."""


class LatentPass(NamedTuple):
    """What a pass knows before its symbols: all `[1, h/2, w/2, 4, M/4]` or broadcastable to it.

    `step` 0..3; `indexes` uint8 scale indexes; `mean` int64 with `VALUE_BITS` fractional bits; `gain` int64 with
    `GAIN_BITS`.
    """

    step: int
    indexes: Tensor
    mean: Tensor
    gain: Tensor


class ExactPrior(nn.Module):
    """The integer networks and tables of a model. Buffers only; all integers."""

    exp2_table: Tensor
    magnitude_table: Tensor
    gain_magnitude_table: Tensor

    def __init__(self, config: CwicConfig) -> None:
        super().__init__()
        self.networks = PriorNetworks(config, INTEGER)
        octave, unit = 1 << STREAM_BITS, 1 << MAGNITUDE_BITS
        # Each machine loads these three from the weights: a mathematical library is not asked twice.
        fraction = torch.arange(octave, dtype=torch.float64) / octave
        magnitude = torch.arange(int(MAGNITUDE_MAX) * unit + 1, dtype=torch.float64) / unit
        exponent = torch.arange(-GAIN_OCTAVES * octave, GAIN_OCTAVES * octave + 1, dtype=torch.float64) / octave
        tables = {
            "exp2_table": torch.exp2(fraction) * (1 << GAIN_BITS),
            "magnitude_table": torch.log2(1 + magnitude) * octave,
            "gain_magnitude_table": torch.log2(1 + torch.exp2(exponent)) * octave,
        }
        for name, table in tables.items():
            self.register_buffer(name, torch.round(table).int())

    def z_index(self, level: Tensor) -> Tensor:
        """The scale index of each channel of z at `level` `[1]`: uint8 `[C_z]`."""
        return scale_index(self.networks.z_log2_scale(level)[0]).to(torch.uint8)

    def log2_gain(self, level: Tensor) -> Tensor:
        """log2 of the gains of y at `level` `[1]`: int32 `[1, M]`, in 1/256 octaves."""
        limit = GAIN_OCTAVES << STREAM_BITS
        return self.networks.log2_gain(level).clamp(-limit, limit)

    def gain(self, log2_gain: Tensor) -> Tensor:
        """`2^x` of integers in 1/256 octaves: int64 with `GAIN_BITS` fractional bits."""
        mantissa = self.exp2_table[log2_gain & ((1 << STREAM_BITS) - 1)].long()
        return (mantissa << ((log2_gain >> STREAM_BITS) + GAIN_OCTAVES)) >> GAIN_OCTAVES

    @torch.no_grad()
    def traverse(self, z_hat: Tensor, level: Tensor, code: Callable[[LatentPass], Tensor]) -> Tensor:
        """Visits all latents in coding order; the one loop that encoding and decoding share.

        `z_hat` int `[1, h/4, w/4, C_z]`, `level` int `[1]`. `code` is asked for the int32 symbols of each pass, in
        turn: the encoder makes them, the decoder reads them. Returns the decoded y as int64 `[1, h, w, M]` with
        `VALUE_BITS` fractional bits, in quantisation steps.
        """
        context = self.networks.context
        state = self.networks.h_s(z_hat.int() << Z_BITS)
        decoded = []
        for step, log2_gain in enumerate(channel_parts(self.log2_gain(level))):
            gain = self.gain(log2_gain)
            mean, log2_scale = context.predict(step, state, level)
            indexes = scale_index(log2_scale + log2_gain).to(torch.uint8)
            mean = shift_round(mean.long() * gain, STREAM_BITS + GAIN_BITS - VALUE_BITS)
            symbols = code(LatentPass(step, indexes, mean, gain))
            value = (symbols.long() << VALUE_BITS) + mean
            decoded.append(value)
            if step + 1 < PASSES:
                state = context.absorb(step, state, self._features(value, log2_gain))
        return join_passes(decoded)

    def _features(self, value: Tensor, log2_gain: Tensor) -> Tensor:
        """`cwic.latents.prior.features` in integers: a stream of values in units of y, and of log magnitudes."""
        inverse = self.gain(-log2_gain)
        in_y = shift_round(value * inverse, VALUE_BITS + GAIN_BITS - STREAM_BITS).clamp(-VALUE_CLAMP, VALUE_CLAMP)
        looked_up = shift_round(value.abs(), VALUE_BITS - MAGNITUDE_BITS).clamp_max(self.magnitude_table.numel() - 1)
        reference = self.gain_magnitude_table[log2_gain + (GAIN_OCTAVES << STREAM_BITS)]
        return torch.cat([in_y.int(), self.magnitude_table[looked_up] - reference], dim=-1)

    def dequantise(self, decoded: Tensor, level: Tensor) -> Tensor:
        """`traverse`'s result in units of y: float32 `[1, M, h, w]`, for synthesis. Not exact any more."""
        step = torch.exp2(-self.log2_gain(level).double() / (1 << STREAM_BITS) - VALUE_BITS)
        return (decoded.double() * step[:, None, None]).float().permute(0, 3, 1, 2)

    @torch.no_grad()
    def take(self, trained: PriorNetworks) -> None:
        """Fills the integer networks from trained float ones, and proves that nothing can overflow."""
        to_integers(trained, self.networks)
        self.prove_bounds()

    def prove_bounds(self) -> None:
        """Raises `ModelError` unless, whatever the file and the picture, every intermediate number is exact.

        Sums of products stay below 2^24 (exact in float32, float64 and int32), their requantisation below 2^62, and
        streams below 2^31: a stream is a sum of layer outputs, no layer more than four times among them.
        """
        streams = 1 << (Z_BITS + 5)
        for name, layer in self.networks.named_modules():
            if isinstance(layer, IntegerLayer):
                products = layer.accumulator_bound()
                scaled = products * int(layer.multiplier.long().abs().max())
                if products >= 1 << 24 or scaled >= 1 << 62:
                    raise ModelError(f"layer {name} could overflow: sums reach {products}, scaled {scaled}")
                streams += 4 * ((scaled >> MULTIPLIER_BITS) + 1 + int(layer.bias.long().abs().max()))
            elif isinstance(layer, IntegerKnots):
                streams += 4 * int(layer.value.long().abs().max())
        if streams >= 1 << 31:
            raise ModelError(f"streams could overflow: they reach {streams}")
