"""The exact path of the published family: hyper synthesis, serial context and scale index in integers.

The integers are those of `cwic.latents.fixed_point_wide`, made from networks that were trained in floats. The twin
that trains is `Cwam2024Model`; nothing here holds a number that is not an integer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.latents.context_serial import CONTEXT, NoContext, SerialContext, entropy_parameter_widths, seen_taps
from cwic.latents.fixed_point_wide import (
    FRACTION_BITS,
    NUMBER_MAX,
    WideConv3x3,
    WideLayer,
    leaky_relu,
    to_fixed,
)
from cwic.latents.gaussian import scale_grid
from cwic.latents.order import waves

ROWS = 8
"""Waves are worked on as multiples of this many positions."""
FIRST_INDEX = 1
"""Every symbol of y is coded, as published: the index that means a certain zero is left out."""


class Wave(NamedTuple):
    """Positions that are coded in one call. `positions` int64 `[P]`, raster indexes by rising row; `indexes` uint8
    `[P, M]`; `mean` `[P, M]`, an integer in float64 with `FRACTION_BITS` fractional bits.
    """

    positions: Tensor
    indexes: Tensor
    mean: Tensor


Predict = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""From the map of known values and the positions of a wave to its scales and means, `[P, M]` each."""


class ExactSerialPrior(nn.Module):
    """The integer networks of a model of the published family, with its context or without. Buffers only."""

    medians: Tensor
    z_index: Tensor
    scale_bounds: Tensor

    def __init__(self, N: int, context: bool) -> None:
        super().__init__()
        self.N = N
        wide = 3 * N // 2
        self.h_s = nn.ModuleList(
            (
                WideConv3x3(N, N),
                WideConv3x3(N, N, upscale=2),
                WideConv3x3(N, wide),
                WideConv3x3(wide, wide, upscale=2),
                WideConv3x3(wide, 2 * N),
            )
        )
        self.context = WideLayer(N, 2 * N, taps=len(seen_taps())) if context else None
        widths = entropy_parameter_widths(N) if context else ()
        self.entropy_parameters = nn.ModuleList(WideLayer(a, b) for a, b in pairwise(widths))
        bounds = [math.sqrt(a * b) * (1 << FRACTION_BITS) for a, b in pairwise(scale_grid())]
        self.register_buffer("medians", torch.zeros(N, dtype=torch.int32))
        self.register_buffer("z_index", torch.zeros(N, dtype=torch.uint8))
        self.register_buffer("scale_bounds", torch.tensor(bounds).round().int())

    def take(self, h_s: nn.Sequential, context: SerialContext | NoContext, medians: Tensor) -> None:
        """Becomes the trained networks in integers. Raises `ModelError` if a weight does not fit."""
        convolutions = [m for m in h_s.modules() if isinstance(m, nn.Conv2d)]
        for i, (ours, trained) in enumerate(zip(self.h_s, convolutions, strict=True)):
            cast(WideConv3x3, ours).take_convolution(trained, f"h_s.{i}")
        self.medians.copy_(to_fixed(medians.flatten()))
        if self.context is None or isinstance(context, NoContext):
            return
        masked = context.context_prediction
        seen = masked.weight.detach().flatten(2).transpose(1, 2)[:, : self.context.weight.shape[1]]
        self.context.take(seen, cast(Tensor, masked.bias).detach(), "context")
        trained_layers = [m for m in context.entropy_parameters if isinstance(m, nn.Conv2d)]
        for i, (layer, conv) in enumerate(zip(self.entropy_parameters, trained_layers, strict=True)):
            weight, bias = conv.weight.detach().flatten(1)[:, None], cast(Tensor, conv.bias).detach()
            cast(WideLayer, layer).take(weight, bias, f"entropy_parameters.{i}")

    def prove_bounds(self) -> None:
        """Raises `ModelError` unless, whatever the file and the picture, every number is exact."""
        for name, layer in self.named_modules():
            if isinstance(layer, WideLayer):
                layer.prove_bounds(name)

    @torch.no_grad()
    def traverse(self, z_symbols: Tensor, code: Callable[[Wave], Tensor]) -> Tensor:
        """Visits all latents in coding order; the one loop that encoding and decoding share.

        `z_symbols` int `[1, h/4, w/4, N]`. `code` is asked for the int32 symbols `[P, N]` of each wave in turn: the
        encoder makes them, the decoder reads them. Returns the decoded y, int64 `[1, h, w, N]` with `FRACTION_BITS`
        fractional bits.
        """
        hyper = self._hyper(z_symbols[0])
        h, w = hyper.shape[:2]
        predict = self._without_context(hyper) if self.context is None else self._with_context(hyper, self.context)
        order = [torch.arange(h * w)] if self.context is None else waves(h, w)
        # Two rows above, two columns at each side: what the context sees outside the picture is zero.
        known = hyper.new_zeros(h + CONTEXT // 2, w + CONTEXT - 1, self.N)
        inside = known[CONTEXT // 2 :, CONTEXT // 2 : CONTEXT // 2 + w]
        values = torch.zeros(h * w, self.N, dtype=torch.int64, device=hyper.device)
        for positions in (p.to(hyper.device) for p in order):
            scale, mean = predict(known, positions)
            indexes = torch.bucketize(scale.int(), self.scale_bounds).clamp_min(FIRST_INDEX).to(torch.uint8)
            symbols = code(Wave(positions, indexes, mean))
            decoded = (symbols.long() << FRACTION_BITS) + mean.long()
            values[positions] = decoded
            inside[positions // w, positions % w] = decoded.double().clamp_(-NUMBER_MAX, NUMBER_MAX)
        return values.view(1, h, w, self.N)

    def _hyper(self, z_symbols: Tensor) -> Tensor:
        """h_s: `[h/4, w/4, N]` to numbers `[h, w, 2 N]`."""
        x = ((z_symbols.long() << FRACTION_BITS) + self.medians).double().clamp_(-NUMBER_MAX, NUMBER_MAX)
        for layer in list(self.h_s)[:-1]:
            x = leaky_relu(layer(x))
        return cast(Tensor, self.h_s[-1](x))

    def _without_context(self, hyper: Tensor) -> Predict:
        return lambda _, positions: hyper.flatten(0, 1)[positions].chunk(2, dim=-1)

    def _with_context(self, hyper: Tensor, context: WideLayer) -> Predict:
        """All that does not depend on the wave is done here, once."""
        first, *others = (cast(WideLayer, layer) for layer in self.entropy_parameters)
        first_matrix, context_matrix = first.matrix(), context.matrix()
        matrices = [layer.matrix() for layer in others]
        _, w, width = hyper.shape
        from_hyper = F.linear(hyper.flatten(0, 1), first_matrix[:, :width])
        from_context = first_matrix[:, width:].contiguous()
        stride = w + CONTEXT - 1
        taps = torch.tensor([row * stride + column for row, column in seen_taps()], device=hyper.device)

        def predict(known: Tensor, positions: Tensor) -> tuple[Tensor, ...]:
            corner = positions // w * stride + positions % w
            seen = known.flatten(0, 1)[corner[:, None] + taps].flatten(1)
            # Small products of other heights take up to half as long again.
            seen = F.pad(seen, (0, 0, 0, -len(seen) % ROWS))
            x = F.linear(context.finish(F.linear(seen, context_matrix)), from_context)
            x[: len(positions)] += from_hyper[positions]
            x = first.finish(x)
            for layer, matrix in zip(others, matrices, strict=True):
                x = layer.finish(F.linear(leaky_relu(x), matrix))
            return x[: len(positions)].chunk(2, dim=-1)

        return predict
