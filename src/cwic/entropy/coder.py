"""Symbols <-> bytes with a range coder (docs/format.md, sections 5.2 to 5.5); only here is constriction used.

A call's symbols are grouped by table, because coding many symbols with one fixed model is far faster than
with a model per symbol. The grouping is the same stable sort of the indexes on both sides.

Why the words do not depend on the platform: constriction takes probabilities as floats and turns them into
integers out of 2**24 by left(k) = floor(sum(p[:k]) * (2**24 - n) / sum(p)) + k, for n entries. Given
p = frequency - 1 from a table that makes 2**24, sum(p) is 2**24 - n, the quotient is exactly 1, and every
partial sum is an integer below 2**24, which IEEE doubles (and even singles) hold and add exactly, in any
order. So left(k) is the sum of the first k frequencies: the floats carry the table's integers unchanged.
This holds for `perfect=False` only; `perfect=True` optimises with log1p.
"""

from __future__ import annotations

from functools import lru_cache

import constriction
import numpy as np

from cwic.entropy.tables import Tables
from cwic.errors import FormatError

_INT16 = np.iinfo(np.int16)
_SLACK_BITS = 64
_RAW = constriction.stream.model.Uniform(1 << 16)


@lru_cache(maxsize=1024)
def _model(tables: Tables, index: int) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical((tables[index] - 1).astype(np.float64), perfect=False)


def _group(tables: Tables, indexes: np.ndarray) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """The stable order that groups positions by index, and (index, slice of that order) of each group."""
    if indexes.ndim != 1 or indexes.dtype != np.uint8:
        raise ValueError("indexes must be uint8 of one axis")
    ends = np.cumsum(np.bincount(indexes, minlength=len(tables))).tolist()
    if len(ends) > len(tables):
        raise ValueError(f"indexes go to {len(ends) - 1} and there are {len(tables)} tables")
    groups = [(index, slice(ends[index - 1], ends[index])) for index in range(1, len(tables))]
    return np.argsort(indexes, kind="stable"), [group for group in groups if group[1].start < group[1].stop]


class SymbolEncoder:
    """Codes symbols in one or more calls, then gives the bytes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._coder = constriction.stream.queue.RangeEncoder()

    def encode(self, symbols: np.ndarray, indexes: np.ndarray) -> None:
        """Append `symbols` (int32 [n], within int16), each coded with the table of its index (uint8 [n]).

        Index 0 means not coded: the symbol must be 0. Raises ValueError for anything else.
        """
        if symbols.shape != indexes.shape or symbols.dtype != np.int32:
            raise ValueError("symbols must be int32, as many as there are indexes")
        if symbols.size and not _INT16.min <= symbols.min() <= symbols.max() <= _INT16.max:
            raise ValueError(f"symbols must be from {_INT16.min} to {_INT16.max}")
        order, groups = _group(self._tables, indexes)
        values = symbols[order]
        if np.any(values[: groups[0][1].start if groups else None]):
            raise ValueError("a symbol of index 0 is not coded and must be 0")
        for index, group in groups:
            self._encode_group(values[group], index)

    def _encode_group(self, values: np.ndarray, index: int) -> None:
        reach = self._tables.reaches[index]
        entries = values + reach
        escaped = np.abs(values) > reach
        escapes = values[escaped]
        entries[escaped] = 2 * reach + 1
        self._coder.encode(entries, _model(self._tables, index))
        if escapes.size:
            beyond = np.abs(escapes) - reach - 1
            self._coder.encode(2 * beyond + (escapes < 0), _RAW)

    def finish(self) -> bytes:
        """The coded bytes: 32-bit words, little-endian."""
        words: np.ndarray = self._coder.get_compressed()
        return words.astype("<u4").tobytes()


class SymbolDecoder:
    """Decodes what a SymbolEncoder of the same tables coded, in the same calls.

    Raises FormatError if `data` are not whole words.
    """

    def __init__(self, tables: Tables, data: bytes) -> None:
        if len(data) % 4:
            raise FormatError("coded symbols are not a whole number of 32-bit words")
        self._tables = tables
        self._bits_left = 8.0 * len(data) + _SLACK_BITS
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(data, "<u4").astype(np.uint32))

    def decode(self, indexes: np.ndarray) -> np.ndarray:
        """The next symbols, int32 [n], for `indexes` (uint8 [n]); 0 where the index is 0.

        Raises FormatError if no encoder could have written the data. Most damage does not show here, only
        in `finish` or in a checksum of the symbols.
        """
        order, groups = _group(self._tables, indexes)
        # No encoder writes so little for so much: a short file that claims a large picture ends here, not hours later.
        self._bits_left -= sum(self._tables.least_bits[index] * (group.stop - group.start) for index, group in groups)
        if self._bits_left < 0:
            raise FormatError("coded symbols are damaged: there are more symbols than the data can hold")
        values = np.zeros(indexes.shape, np.int32)
        for index, group in groups:
            values[group] = self._decode_group(group.stop - group.start, index)
        symbols = np.empty_like(values)
        symbols[order] = values
        return symbols

    def _decode_group(self, count: int, index: int) -> np.ndarray:
        reach = self._tables.reaches[index]
        try:
            values: np.ndarray = self._coder.decode(_model(self._tables, index), count) - reach
            escaped = values > reach
            escapes = np.count_nonzero(escaped)
            raw = self._coder.decode(_RAW, escapes) if escapes else None
        except AssertionError as error:  # how constriction says that a word is impossible
            raise FormatError("coded symbols are damaged") from error
        if raw is not None:
            beyond = reach + 1 + raw // 2
            values[escaped] = np.where(raw % 2, -beyond, beyond)
            if values.min() < _INT16.min or values.max() > _INT16.max:
                raise FormatError("coded symbols are damaged: an escape is out of range")
        return values

    def finish(self) -> None:
        """Check that the symbols decoded so far use up the data.

        Raises FormatError if words are left over or ran out early, nearly always: a range decoder reads one
        word ahead, and zeros past the end. What is sure is a checksum of the symbols.
        """
        if not self._coder.maybe_exhausted():
            raise FormatError("coded symbols are damaged: they do not end with the data")
