"""Latents to coded bytes and back: the exact traversal on one side, the range coder on the other."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from cwic.container.chunks import symbol_crc
from cwic.entropy.coder import SymbolDecoder
from cwic.entropy.tables import Tables
from cwic.errors import FormatError
from cwic.latents.exact import GAIN_BITS, VALUE_BITS, ExactPrior, LatentPass
from cwic.latents.gaussian import SKIPPED
from cwic.latents.order import split_passes
from cwic.latents.rounding import CONSIDERED, ERROR_WEIGHT, round_by_cost
from cwic.transforms.hyper import Z_MAX

SYMBOL_MAX = 32767


class CodedLatents(NamedTuple):
    """A tile's coded bytes, the CRC-16 of its symbols, and the decoded y (see `ExactPrior.traverse`)."""

    data: bytes
    crc: int
    decoded: Tensor


class SymbolSink(Protocol):
    """What takes symbols int32 `[n]` with their scale indexes uint8 `[n]`: a coder, or a counter."""

    def encode(self, symbols: np.ndarray, indexes: np.ndarray) -> None: ...

    def finish(self) -> bytes: ...


class SymbolWriter:
    """Gives the symbols of a tile to a sink, in coding order, and keeps their checksum."""

    def __init__(self, sink: SymbolSink, tile: int) -> None:
        self._sink, self._tile = sink, tile
        self._written: list[np.ndarray] = []

    def put(self, symbols: Tensor, indexes: Tensor) -> Tensor:
        """One call's symbols, whole numbers of any type, under `indexes` (uint8, broadcast). As they decode: int32."""
        symbols = torch.where(indexes == SKIPPED, 0, symbols).int()
        values = symbols.reshape(-1).cpu().numpy()
        self._sink.encode(values, indexes.expand_as(symbols).reshape(-1).cpu().numpy())
        self._written.append(values)
        return symbols

    def finish(self, decoded: Tensor) -> CodedLatents:
        """What became of all symbols, `decoded` among it."""
        return CodedLatents(self._sink.finish(), _crc(self._written, self._tile), decoded)


class SymbolReader:
    """Reads the symbols of a tile, in coding order, and checks them. Raises `FormatError` for damaged `data`."""

    def __init__(self, tables: Tables, data: bytes, tile: int) -> None:
        self._decoder, self._tile = SymbolDecoder(tables, data), tile
        self._read: list[np.ndarray] = []

    def get(self, indexes: Tensor) -> Tensor:
        """One call's symbols, int32 of the shape and on the device of `indexes` (uint8)."""
        values = self._decoder.decode(indexes.reshape(-1).cpu().numpy())
        self._read.append(values)
        return torch.from_numpy(values).to(indexes.device).view(indexes.shape)

    def finish(self, crc: int) -> None:
        """Raises `FormatError` unless these were all the symbols, and those that were written."""
        self._decoder.finish()
        if _crc(self._read, self._tile) != crc:
            raise FormatError("the decoded symbols are not those that were written: their checksum differs")


def encode_latents(
    prior: ExactPrior,
    sink: SymbolSink,
    costs: Tensor,
    y: Tensor,
    z: Tensor,
    level: Tensor,
    tile: int = 0,
    error_weight: float = ERROR_WEIGHT,
) -> CodedLatents:
    """Gives the symbols of a tile to `sink`, in coding order.

    `y` `[1, M, h, w]` (units of y) and `z` `[1, C_z, h/4, w/4]` (steps) are floats; `costs` (of `symbol_costs`) and
    `error_weight` decide how y is rounded (see `round_by_cost`); `level` `[1]`.
    """
    writer = SymbolWriter(sink, tile)
    parts = split_passes(y.double().permute(0, 2, 3, 1))

    def code(p: LatentPass) -> Tensor:
        steps = parts[p.step] * (p.gain.double() / (1 << GAIN_BITS)) - p.mean.double() / (1 << VALUE_BITS)
        table = p.indexes.long()
        symbols = round_by_cost(
            steps.clamp(-SYMBOL_MAX, SYMBOL_MAX),
            lambda magnitude: costs[table, magnitude.long().clamp_max(CONSIDERED - 1)],
            error_weight,
        )
        return writer.put(symbols, p.indexes)

    z_hat = writer.put(z.permute(0, 2, 3, 1).round().clamp(-Z_MAX, Z_MAX), prior.z_index(level))
    return writer.finish(prior.traverse(z_hat, level, code))


def decode_latents(
    prior: ExactPrior,
    tables: Tables,
    data: bytes,
    crc: int,
    shape: tuple[int, int],
    level: Tensor,
    tile: int = 0,
) -> Tensor:
    """The decoded y (see `ExactPrior.traverse`) of a tile whose z is `shape` `(h/4, w/4)`.

    Raises `FormatError` when the bytes do not decode to the symbols that were written.
    """
    reader = SymbolReader(tables, data, tile)
    z_hat = reader.get(prior.z_index(level).expand(1, *shape, -1))
    if int(z_hat.abs().max()) > Z_MAX:
        raise FormatError("the coded data hold a hyper-latent that no encoder writes")
    decoded = prior.traverse(z_hat, level, lambda p: reader.get(p.indexes))
    reader.finish(crc)
    return decoded


def _crc(symbols: list[np.ndarray], tile: int) -> int:
    return symbol_crc(np.concatenate(symbols).astype("<i2").tobytes(), tile)
