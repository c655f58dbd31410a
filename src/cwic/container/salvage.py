"""Find the intact parts of a damaged file: every chunk whose checksum is right, wherever it is.

A file that was cut short ends within a chunk. If that chunk is a tile, its available part is kept too.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from typing import NamedTuple

from cwic.container.chunks import CHUNK_NAMES, CRC_BYTES, TILE, TILES, Chunk, Span
from cwic.container.header import MAX_BYTES, Header
from cwic.container.index import Data, claimed_span, is_intact, parse_head
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.errors import FormatError, NewerFormatError

SEARCH_EFFORT = 64
"""A search for the next chunk sums over at most this many times the file's bytes: no file takes for ever."""


class Run(NamedTuple):
    """Tiles that follow one another in the file. The first is tile `first`, or a later one up to `last_first`.

    `tiles` are in order, None for a damaged one. Only the last one of the last run can be cut short.
    """

    first: int
    last_first: int
    tiles: list[Chunk | None]


class Salvage(NamedTuple):
    """The intact chunks that are no tiles, the runs of tiles, and the names of other chunks that are lost."""

    header: Header
    chunks: list[Chunk]
    runs: list[Run]
    lost: list[str]


def salvage(data: Data, limits: Limits = DEFAULT_LIMITS) -> Salvage:
    """Take a damaged file apart.

    Raises FormatError if nothing is left (a damaged header makes all checksums fail) or if the file needs a newer
    cwic; LimitError if the picture is over `limits`.
    """
    header, position = Header.unpack(data[:MAX_BYTES], limits)
    search = _Search(data, crc32(data[:position]))
    columns, rows = header.tile_grid
    chunks: list[Chunk] = []
    lost: list[str] = []
    runs: list[Run] = []
    placed = 0
    for stretch in search.stretches(position):
        tiles: list[Chunk | None] = []
        for span, intact in stretch:
            chunk = Chunk(span.type, data[span.start : span.end], span.offset)
            if span.type in TILES:
                tiles.append(chunk if intact else None)
            elif not intact:
                lost.append(CHUNK_NAMES.get(span.type, f"chunk {span.type!r}"))
            elif span.type.isupper() and span.type not in CHUNK_NAMES:
                raise NewerFormatError(
                    f"the file needs a newer cwic: unknown chunk {span.type!r} at byte {span.offset}"
                )
            else:
                chunks.append(chunk)
        tiles = tiles[: columns * rows - placed]
        if tiles:
            latest = columns * rows - len(tiles)
            if stretch[0][0].offset == position:
                first = latest = placed
            elif stretch[-1][0].end + CRC_BYTES == len(data):
                first = latest
            else:  # a gap on either side: at least one tile is lost before, if any came before it
                first = min(placed + bool(runs), latest)
            runs.append(Run(first, latest, tiles))
            placed = first + len(tiles)
    cut = _cut_tile(data, search.end)
    if cut is not None and placed < columns * rows:
        last = runs.pop() if runs else Run(0, 0, [])
        tiles = [*last.tiles, cut]
        runs.append(Run(last.first, min(last.last_first, columns * rows - len(tiles)), tiles))
    if not chunks and not any(tile is not None for run in runs for tile in run.tiles):
        raise FormatError("nothing can be recovered: no checksum matches the header")
    return Salvage(header, chunks, runs, lost)


def _cut_tile(data: Data, position: int) -> Chunk | None:
    """Return the available part of a tile that begins at `position` and would end beyond the file."""
    try:
        span = claimed_span(data, position)
    except FormatError:
        return None
    if span.type != TILE or span.end + CRC_BYTES <= len(data):
        return None
    return Chunk(span.type, data[span.start : span.end], span.offset, is_cut=True)


class _Search:
    """Finds stretches of chunks that follow one another, across whatever is between them.

    `end` is where the last stretch so far ends.
    """

    def __init__(self, data: Data, header_crc: int) -> None:
        self.end = 0
        self._data = data
        self._header_crc = header_crc
        self._effort = SEARCH_EFFORT * len(data)

    def stretches(self, position: int) -> Iterator[list[tuple[Span, bool]]]:
        """Stretches of (chunk, whether it is intact), each ending in an intact chunk or at the end of the file."""
        start: int | None = position
        self.end = position
        while start is not None:
            stretch = self._stretch(start)
            if stretch:
                yield stretch
                self.end = stretch[-1][0].end + CRC_BYTES
            start = self._next(self.end + (not stretch))

    def _stretch(self, position: int) -> list[tuple[Span, bool]]:
        """The chunks from `position` on. Damaged ones count while a right one, or the end of the file, comes after."""
        found: list[tuple[Span, bool]] = []
        sure = 0
        while position < len(self._data):
            try:
                span = parse_head(self._data, position, len(self._data))
            except FormatError:
                break
            intact = is_intact(self._data, span, self._header_crc)
            found.append((span, intact))
            position = span.end + CRC_BYTES
            if intact or position == len(self._data):
                sure = len(found)
        return found[:sure]

    def _next(self, position: int) -> int | None:
        """Return where the next intact tile begins."""
        while self._effort > 0 and position < len(self._data):
            found = (self._data.find(letter.encode(), position) for letter in TILES)
            position = min((place for place in found if place >= 0), default=len(self._data))
            try:
                span = parse_head(self._data, position, len(self._data))
            except FormatError:
                position += 1
                continue
            self._effort -= span.end - span.offset
            if is_intact(self._data, span, self._header_crc):
                return position
            position += 1
        return None
