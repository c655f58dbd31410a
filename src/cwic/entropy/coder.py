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

from cwic.entropy.grouping import grouped
from cwic.entropy.tables import Tables
from cwic.errors import FormatError

_INT16 = np.iinfo(np.int16)
_SLACK_BITS = 64
_RAW = constriction.stream.model.Uniform(1 << 16)
_LOWEST_END, _HIGHEST_END = [0] * 4, [0xFFFFFFFF] * 4
"""Words in place of those that are cut off. The decoder looks two words ahead."""


@lru_cache(maxsize=1024)
def _model(tables: Tables, index: int) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical((tables[index] - 1).astype(np.float64), perfect=False)


def _group(tables: Tables, indexes: np.ndarray) -> tuple[np.ndarray, list[tuple[int, slice]]]:
    """The stable order that groups positions by index, and (index, slice of that order) of each group."""
    if indexes.ndim != 1 or indexes.dtype != np.uint8:
        raise ValueError("indexes must be uint8 of one axis")
    order, ends = grouped(indexes)
    if ends[len(tables) - 1] < indexes.size:
        raise ValueError(f"indexes go to {indexes.max()} and there are {len(tables)} tables")
    bounds = ends.tolist()
    groups = [(index, slice(bounds[index - 1], bounds[index])) for index in range(1, len(tables))]
    return order, [group for group in groups if group[1].start < group[1].stop]


def _escapes(raw: np.ndarray, reach: int) -> np.ndarray:
    """The symbols beyond the reach of a table. Raises FormatError if no encoder writes one of them."""
    beyond = reach + 1 + raw // 2
    symbols: np.ndarray = np.where(raw % 2, -beyond, beyond)
    if symbols.size and (symbols.min() < _INT16.min or symbols.max() > _INT16.max):
        raise FormatError("coded symbols are damaged: an escape is out of range")
    return symbols


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
            values[escaped] = _escapes(raw, reach)
        return values

    def finish(self) -> None:
        """Check that the symbols decoded so far use up the data.

        Raises FormatError if words are left over or ran out early, nearly always: a range decoder reads one
        word ahead, and zeros past the end. What is sure is a checksum of the symbols.
        """
        if not self._coder.maybe_exhausted():
            raise FormatError("coded symbols are damaged: they do not end with the data")


class CutDecoder:
    """Decodes the start of what a SymbolEncoder coded, where the end is cut off.

    It decodes twice: with the lowest words in place of the missing ones, and with the highest. The words of the whole
    file lie between these two. So a symbol is right if both agree on it and on all symbols before it.
    """

    def __init__(self, tables: Tables, data: bytes) -> None:
        """`data` may end within a word: the rest of that word counts as missing."""
        words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
        self._tables = tables
        self._coders = [
            constriction.stream.queue.RangeDecoder(np.append(words, end).astype(np.uint32))
            for end in (_LOWEST_END, _HIGHEST_END)
        ]
        self._at_end = False

    def decode(self, indexes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The next symbols, int32 [n], for `indexes` (uint8 [n]), and which are known, bool [n]. The others are 0.

        Raises FormatError if no encoder could have written what is there.
        """
        order, groups = _group(self._tables, indexes)
        values, known = np.zeros(indexes.shape, np.int32), np.ones(indexes.shape, bool)
        for index, group in groups:
            values[group], known[group] = self._decode_group(group.stop - group.start, index)
        symbols, are_known = np.empty_like(values), np.empty_like(known)
        symbols[order], are_known[order] = values, known
        return symbols, are_known

    def _decode_group(self, count: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        reach = self._tables.reaches[index]
        entries = self._sure(_model(self._tables, index), count)
        values, known = np.zeros(count, np.int32), np.arange(count) < entries.size
        values[: entries.size] = entries - reach
        escaped = np.flatnonzero(values > reach)
        if escaped.size:
            raw = self._sure(_RAW, escaped.size)
            values[escaped[: raw.size]] = _escapes(raw, reach)
            unknown = escaped[raw.size :]
            values[unknown], known[unknown] = 0, False
        return values, known

    def _sure(self, model: object, count: int) -> np.ndarray:
        """Of the next `count` entries those that do not depend on what is missing."""
        if self._at_end:
            return np.zeros(0, np.int32)
        before = [coder.clone() for coder in self._coders]
        try:
            low, high = (coder.decode(model, count) for coder in self._coders)
        except AssertionError:  # one of the two is impossible from some entry on: look for that entry
            self._coders, self._at_end = before, count == 1
            first = count // 2
            return np.concatenate([self._sure(model, first), self._sure(model, count - first)])
        different = np.flatnonzero(low != high)
        self._at_end = different.size > 0
        return low[: different[0]] if self._at_end else low
