"""The latents of the published family to coded bytes and back: `cwic.latents.coding`, for the serial prior."""

from __future__ import annotations

from torch import Tensor

from cwic.entropy.tables import Tables
from cwic.latents.coding import SYMBOL_MAX, CodedLatents, SymbolReader, SymbolSink, SymbolWriter
from cwic.latents.exact_serial import ExactSerialPrior, Wave
from cwic.latents.fixed_point_wide import FRACTION_BITS


def encode_serial(prior: ExactSerialPrior, sink: SymbolSink, y: Tensor, z: Tensor, tile: int = 0) -> CodedLatents:
    """Gives the symbols of a tile to `sink`: `round(y - mean)`, as published.

    `y` `[1, N, h, w]` and `z` `[1, N, h/4, w/4]`, medians removed, are floats.
    """
    writer = SymbolWriter(sink, tile)
    rows = y[0].flatten(1).t().double()

    def code(wave: Wave) -> Tensor:
        steps = rows[wave.positions] - wave.mean * 2.0**-FRACTION_BITS
        return writer.put(steps.round().clamp(-SYMBOL_MAX, SYMBOL_MAX), wave.indexes)

    z_symbols = writer.put(z.permute(0, 2, 3, 1).round().clamp(-SYMBOL_MAX, SYMBOL_MAX), prior.z_index)
    return writer.finish(prior.traverse(z_symbols, code))


def decode_serial(
    prior: ExactSerialPrior, tables: Tables, data: bytes, crc: int, shape: tuple[int, int], tile: int = 0
) -> Tensor:
    """The decoded y (see `ExactSerialPrior.traverse`) of a tile whose z is `shape` `(h/4, w/4)`.

    Raises `FormatError` when the bytes do not decode to the symbols that were written.
    """
    reader = SymbolReader(tables, data, tile)
    z_symbols = reader.get(prior.z_index.expand(1, *shape, -1))
    decoded = prior.traverse(z_symbols, lambda wave: reader.get(wave.indexes))
    reader.finish(crc)
    return decoded
