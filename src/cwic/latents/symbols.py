"""Write and read the symbols of a tile, in coding order, with their checksum."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cwic.entropy.checksum import symbol_crc
from cwic.entropy.coder import CutDecoder, SymbolDecoder
from cwic.entropy.tables import Tables
from cwic.errors import FormatError
from cwic.latents.scales import SKIPPED


class CodedLatents(NamedTuple):
    """A tile's coded bytes, the CRC-16 of its symbols, and `y_hat` as the decoder will see it."""

    data: bytes
    crc: int
    y_hat: NDArray[np.int64]


class SymbolSink(Protocol):
    """A coder or a counter: takes symbols int32 `[n]` with their scale indexes uint8 `[n]`."""

    def encode(self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> None: ...

    def finish(self) -> bytes: ...


Seen = Callable[[NDArray[np.int32], NDArray[np.uint8]], None]
"""A callback for each call that is read: takes symbols `[n]` and their scale indexes `[n]`."""


class Discard:
    """A sink that drops the symbols, for callers who want the latents alone."""

    def encode(self, symbols: NDArray[np.int32], indexes: NDArray[np.uint8]) -> None:
        """Drop the symbols."""

    def finish(self) -> bytes:
        """Return no bytes."""
        return b""


class SymbolWriter:
    """Writer of the symbols of tile number `tile`: passes them to a sink, and keeps their checksum."""

    def __init__(self, sink: SymbolSink, tile: int) -> None:
        self._sink, self._tile = sink, tile
        self._written: list[NDArray[np.int32]] = []

    def put(self, symbols: NDArray[np.generic], indexes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Writes one call: whole numbers of any type under `indexes`, which are broadcast. Returns what will decode."""
        values = np.where(indexes == SKIPPED, 0, symbols).astype(np.int32)
        self._sink.encode(values.reshape(-1), np.broadcast_to(indexes, values.shape).reshape(-1))
        self._written.append(values.reshape(-1))
        return values

    def finish(self, y_hat: NDArray[np.int64]) -> CodedLatents:
        """Ends the tile."""
        return CodedLatents(self._sink.finish(), _crc(self._written, self._tile), y_hat)


class SymbolReader:
    """Reader of the symbols of tile number `tile`, with checks. Raises `FormatError` for damaged `data`."""

    def __init__(self, tables: Tables, data: bytes, tile: int, seen: Seen | None = None) -> None:
        self._decoder, self._tile, self._seen = SymbolDecoder(tables, data), tile, seen
        self._read: list[NDArray[np.int32]] = []

    def get(self, indexes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Reads one call: symbols of the shape of `indexes`."""
        values = self._decoder.decode(indexes.reshape(-1))
        self._read.append(values)
        if self._seen is not None:
            self._seen(values, indexes.reshape(-1))
        return values.reshape(indexes.shape)

    def finish(self, crc: int) -> None:
        """Raises `FormatError` unless these were all the symbols, and those that were written."""
        self._decoder.finish()
        _check(self._read, self._tile, crc)


class CutReader:
    """Reads the symbols of tile number `tile`, whose `data` are cut short. A symbol that is cut off reads as 0.

    `is_whole` tells of each call so far whether all its symbols are there.
    """

    def __init__(self, tables: Tables, data: bytes, tile: int) -> None:
        self._decoder, self._tile = CutDecoder(tables, data), tile
        self._read: list[NDArray[np.int32]] = []
        self.is_whole: list[bool] = []

    def get(self, indexes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Reads one call: symbols of the shape of `indexes`. Raises `FormatError` for some damaged data."""
        values, known = self._decoder.decode(indexes.reshape(-1))
        self._read.append(values)
        self.is_whole.append(bool(known.all()))
        return values.reshape(indexes.shape)

    def finish(self, crc: int) -> None:
        """Raises `FormatError` if all symbols are there and they are not those that were written."""
        if all(self.is_whole):
            _check(self._read, self._tile, crc)


def _check(symbols: list[NDArray[np.int32]], tile: int, crc: int) -> None:
    if _crc(symbols, tile) != crc:
        raise FormatError("the decoded symbols are not those that were written: their checksum differs")


def _crc(symbols: list[NDArray[np.int32]], tile: int) -> int:
    return symbol_crc(np.concatenate(symbols).astype("<i2").tobytes(), tile)
