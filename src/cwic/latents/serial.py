"""The exact prior of the published family: hyper synthesis, serial context and scale index in integers.

The integers are those of `cwic.latents.wide`, made from networks that were trained in floats. The twin that trains is
`cwic.lab.cwam2024.Cwam2024Model`; nothing here holds a number that is not whole.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.latents.int8 import Tensors
from cwic.latents.scales import SCALES
from cwic.latents.tensors import take
from cwic.latents.wide import FRACTION_BITS, NUMBER_MAX, Numbers, WideConv3x3, WideLayer, clamp, leaky_relu

CONTEXT = 5
"""Side of the square that the context looks at."""
FIRST_INDEX = 1
"""Every symbol of y is coded, as published: the index that means a certain zero is left out."""


def seen_taps(kernel: int = CONTEXT) -> list[tuple[int, int]]:
    """Row and column, in the square, of what is known when its centre is visited: all before it in raster order."""
    return [divmod(tap, kernel) for tap in range(kernel * kernel // 2)]


def entropy_parameter_widths(M: int) -> tuple[int, int, int, int]:
    """Channels before, between and after the three 1x1 convolutions that follow the context."""
    return 4 * M, 10 * M // 3, 8 * M // 3, 2 * M


def waves(height: int, width: int) -> list[NDArray[np.intp]]:
    """The positions of each wave, as raster indexes, by rising row: those with `column + 3 row` = 0, 1, 2, ...

    Everything that a 5x5 context sees of a position, up to two columns to the right in the row above, is in an earlier
    wave: `width + 3 (height - 1)` waves instead of `height * width` single positions.
    """
    when = (np.arange(width) + 3 * np.arange(height)[:, None]).reshape(-1)
    order = np.argsort(when, kind="stable")
    ends = np.cumsum(np.bincount(when))
    return list(np.split(order, ends[:-1]))


class Wave(NamedTuple):
    """Positions that are coded in one call. `positions` `[P]`, raster indexes by rising row; `indexes` uint8 `[P, M]`;
    `means_hat` `[P, M]`, a whole number in float64 with `FRACTION_BITS` fractional bits.
    """

    positions: NDArray[np.intp]
    indexes: NDArray[np.uint8]
    means_hat: Numbers


Predict = Callable[[Numbers, NDArray[np.intp]], Numbers]
"""From the map of known values and the positions of a wave to its scales and means, `[P, 2 M]`."""


class SerialPrior:
    """The integer networks of a model of the published family, with its context or without.

    Made from the tensors of its weight file whose names begin `prior.`. Raises `ModelError` if one is missing or of
    another shape, or if any number could overflow.
    """

    def __init__(self, N: int, context: bool, tensors: Tensors) -> None:
        self.N = N
        wide = 3 * N // 2
        shapes = ((N, N, 1), (N, N, 2), (N, wide, 1), (wide, wide, 2), (wide, 2 * N, 1))
        self._h_s = [WideConv3x3(tensors, f"h_s.{i}", *shape) for i, shape in enumerate(shapes)]
        self._context = WideLayer(tensors, "context", N, 2 * N, taps=len(seen_taps())) if context else None
        widths = entropy_parameter_widths(N) if context else ()
        self._parameters = [
            WideLayer(tensors, f"entropy_parameters.{i}", a, b) for i, (a, b) in enumerate(pairwise(widths))
        ]
        self._medians = take(tensors, "medians", "int32", N).astype(np.int64)
        self.z_index = take(tensors, "z_index", "uint8", N)
        """The table of each channel of z."""
        self._scale_bounds = take(tensors, "scale_bounds", "int32", SCALES - 1)

    def traverse(self, z_symbols: NDArray[np.int32], code: Callable[[Wave], NDArray[np.int32]]) -> NDArray[np.int64]:
        """Visits all latents in coding order; the one loop that encoding and decoding share.

        `z_symbols` int32 `[h/4, w/4, N]`. `code` is asked for the int32 symbols `[P, N]` of each wave in turn: the
        encoder makes them, the decoder reads them. Returns y_hat, int64 `[h, w, N]` with `FRACTION_BITS` fractional
        bits.
        """
        hyper = self._hyper(z_symbols)
        h, w = hyper.shape[:2]
        if self._context is None:
            flat = hyper.reshape(h * w, -1)
            predict: Predict = lambda _, positions: flat[positions]  # noqa: E731
            order = [np.arange(h * w)]
        else:
            predict, order = self._with_context(hyper, self._context), waves(h, w)
        # Two rows above, two columns at each side: what the context sees outside the picture is zero.
        known = np.zeros((h + CONTEXT // 2, w + CONTEXT - 1, self.N))
        inside = known[CONTEXT // 2 :, CONTEXT // 2 : CONTEXT // 2 + w]
        y_hat = np.zeros((h * w, self.N), np.int64)
        for positions in order:
            scales_hat, means_hat = np.split(predict(known, positions), 2, axis=-1)
            indexes = np.searchsorted(self._scale_bounds, scales_hat).clip(FIRST_INDEX).astype(np.uint8)
            symbols = code(Wave(positions, indexes, means_hat))
            values = (symbols.astype(np.int64) << FRACTION_BITS) + means_hat.astype(np.int64)
            y_hat[positions] = values
            inside[positions // w, positions % w] = np.clip(values, -NUMBER_MAX, NUMBER_MAX)
        return y_hat.reshape(h, w, self.N)

    def _hyper(self, z_symbols: NDArray[np.int32]) -> Numbers:
        """h_s: `[h/4, w/4, N]` to numbers `[h, w, 2 N]`."""
        x = clamp(((z_symbols.astype(np.int64) << FRACTION_BITS) + self._medians).astype(np.float64))
        for layer in self._h_s[:-1]:
            x = leaky_relu(layer(x))
        return self._h_s[-1](x)

    def _with_context(self, hyper: Numbers, context: WideLayer) -> Predict:
        """All that does not depend on the wave is done here, once."""
        first, *others = self._parameters
        _, w, width = hyper.shape
        from_hyper = hyper.reshape(-1, width) @ first.matrix[:width]
        from_context = np.ascontiguousarray(first.matrix[width:])
        stride = w + CONTEXT - 1
        taps = np.array([row * stride + column for row, column in seen_taps()])

        def predict(known: Numbers, positions: NDArray[np.intp]) -> Numbers:
            corner = positions // w * stride + positions % w
            seen = known.reshape(-1, self.N)[corner[:, None] + taps].reshape(len(positions), -1)
            x = context(seen) @ from_context
            x += from_hyper[positions]
            x = first.finish(x)
            for layer in others:
                x = layer(leaky_relu(x))
            return x

        return predict
