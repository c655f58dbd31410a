"""Code planes of samples without loss: alpha, and the pixels of plain tiles (docs/format.md, section 7)."""

from __future__ import annotations

import lzma
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.errors import FormatError

OPAQUE = 255

NONE, LEFT, UP, GRADIENT, CONSTANT = range(5)
"""The predictions of a sample; CONSTANT is a plane of one value."""
_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 20, "lc": 0, "lp": 0, "pb": 0}
]
_PROBE_ROWS = 512
_READ_BYTES = 1 << 20


def encode_plane(plane: NDArray[np.uint8]) -> bytes:
    """The coded form of a plane uint8 `[H, W]`."""
    if all((row == plane[0, 0]).all() for row in plane):  # by rows: a plane may be a part of a memory map
        return bytes([CONSTANT, plane[0, 0]])
    # The best predictor is found on some rows from the middle: to try all on all rows would take four times as long.
    start = max(0, (plane.shape[0] - _PROBE_ROWS) // 2)
    probe = plane[start : start + _PROBE_ROWS]
    kind = min((NONE, LEFT, UP, GRADIENT), key=lambda kind: len(_compress(probe, kind)))
    return bytes([kind]) + _compress(plane, kind)


def decode_plane(
    payload: bytes, height: int, width: int, rows: slice = slice(None), columns: slice = slice(None)
) -> NDArray[np.uint8]:
    """The part `[rows, columns]` of the plane `[height, width]` in its coded form.

    Takes memory for that part and a few rows only. Raises `FormatError` for what no encoder writes.
    """
    if not payload or payload[0] > CONSTANT:
        raise FormatError("the coded plane is damaged, or needs a newer cwic: unknown prediction")
    kind, data = payload[0], payload[1:]
    top, bottom, _ = rows.indices(height)
    left, right, _ = columns.indices(width)
    part = np.empty((bottom - top, right - left), np.uint8)
    if kind == CONSTANT:
        if len(data) != 1:
            raise FormatError("the coded plane is damaged: it has no one value")
        part.fill(data[0])
        return part
    reader = _Rows(data, width)
    above = np.zeros(width, np.uint8)
    for row in range(bottom):
        above = _restore(reader.next(), above, kind)
        if row >= top:
            part[row - top] = above[left:right]
    if bottom == height:
        reader.finish()
    return part


class _Rows:
    """Rows of `width` bytes, decompressed a piece at a time: what the data claim to hold is never taken on trust."""

    def __init__(self, data: bytes, width: int) -> None:
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        self._data: bytes = data
        self._width = width
        self._held = b""
        self._position = 0

    def next(self) -> NDArray[np.uint8]:
        """The next row."""
        while len(self._held) - self._position < self._width:
            more = self._more()
            if not more:
                raise FormatError("the coded plane is damaged: it is cut short")
            self._held, self._position = self._held[self._position :] + more, 0
        row = np.frombuffer(self._held, np.uint8, self._width, self._position)
        self._position += self._width
        return row

    def finish(self) -> None:
        """Raises `FormatError` unless the data end with the last row."""
        if self._position < len(self._held) or self._more() or self._decompressor.unused_data:
            raise FormatError("the coded plane is damaged: it is too long")
        if not self._decompressor.eof:
            raise FormatError("the coded plane is damaged: it is cut short")

    def _more(self) -> bytes:
        if self._decompressor.eof:
            return b""
        try:
            more = self._decompressor.decompress(self._data, max_length=max(_READ_BYTES, self._width))
        except lzma.LZMAError as error:
            raise FormatError("the coded plane is damaged") from error
        self._data = b""
        return more


def _compress(plane: NDArray[np.uint8], kind: int) -> bytes:
    compressor = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=_FILTERS)
    above = np.zeros(plane.shape[1], np.uint8)
    parts = []
    for row in plane:
        parts.append(compressor.compress(_residual(row, above, kind).tobytes()))
        above = row
    return b"".join([*parts, compressor.flush()])


def _residual(row: NDArray[np.uint8], above: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
    """Differences, modulo 256, to what `kind` predicts; beyond the borders everything is 0."""
    if kind in (UP, GRADIENT):
        row = row - above
    return np.diff(row, prepend=np.uint8(0)) if kind in (LEFT, GRADIENT) else row


def _restore(residual: NDArray[np.uint8], above: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
    """The inverse of `_residual`."""
    row = np.cumsum(residual, dtype=np.uint8) if kind in (LEFT, GRADIENT) else residual
    return row + above if kind in (UP, GRADIENT) else row
