"""Find the chunks of a file; read and check a payload when it is wanted.

The bytes may be a memory map: finding the chunks touches their first bytes only.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterable, Iterator, Sequence
from mmap import mmap
from typing import NamedTuple

from cwic.container.chunks import (
    CHUNK_NAMES,
    CRC_BYTES,
    LENGTH,
    TILES,
    Chunk,
    Span,
    newer_than_this,
    problem_of,
)
from cwic.container.header import MAX_BYTES, Header
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.errors import FormatError, LimitError, NewerFormatError

Data = bytes | mmap
MAX_HEAD_BYTES = 6
"""Of a chunk's type and length."""


class Container(NamedTuple):
    """A whole file: unknown ancillary chunks are among `chunks`, for whoever counts them."""

    header: Header
    chunks: list[Chunk]

    def payloads(self, type: str) -> list[bytes]:
        """The payloads of all chunks of one type, in file order: for TILE that is raster order."""
        return [chunk.payload for chunk in self.chunks if chunk.type == type]


class Index:
    """The chunks of a file, in file order. Damage is found when a chunk is read or verified."""

    def __init__(self, data: Data, header: Header, header_bytes: int, spans: Sequence[Span]) -> None:
        self.header = header
        self.spans = spans
        self._data = data
        self._header_crc = crc32(data[:header_bytes])
        self._first_tile = next((k for k, span in enumerate(spans) if span.type in TILES), len(spans))

    def verify(self, tiles: Iterable[int] | None = None) -> None:
        """Checks all chunks, or some tiles and all other chunks. Raises FormatError that names what is damaged."""
        if tiles is None:
            checked: Iterable[int] = range(len(self.spans))
        else:
            checked = [*range(self._first_tile), *(self._first_tile + tile for tile in tiles)]
        damaged = [k for k in checked if not self._is_intact(self.spans[k])]
        if damaged:
            raise FormatError(self._damage(damaged))

    def tile(self, index: int) -> Chunk:
        """A tile. Raises FormatError, which does not say which tile, if it is damaged."""
        span = self.spans[self._first_tile + index]
        if not self._is_intact(span):
            raise FormatError("its checksum is wrong")
        return self._chunk(span)

    def chunks(self, *, tiles: bool) -> list[Chunk]:
        """All chunks with their payloads, not checked; without the tiles if not `tiles`."""
        spans = self.spans if tiles else self.spans[: self._first_tile]
        return [self._chunk(span) for span in spans]

    def _chunk(self, span: Span) -> Chunk:
        return Chunk(span.type, self._data[span.start : span.end], span.offset)

    def _is_intact(self, span: Span) -> bool:
        return is_intact(self._data, span, self._header_crc)

    def _damage(self, damaged: Sequence[int]) -> str:
        """Names what fails its checksum. Every checksum covers the header: when all of them fail, suspect that."""
        names = [self._name(k) for k in damaged]
        if len(damaged) < len(self.spans) and not self._all_fail():
            return f"damaged: {', '.join(names[:8])}{' and others' if len(names) > 8 else ''}"
        if len(self.spans) == 1:
            return f"the header or the {names[0]} is damaged"
        return "the header is damaged: no checksum matches it"

    def _all_fail(self) -> bool:
        return not any(self._is_intact(span) for span in self.spans)

    def _name(self, k: int) -> str:
        type, offset = self.spans[k][:2]
        if type not in TILES:
            return f"{CHUNK_NAMES.get(type, 'chunk ' + repr(type))} at byte {offset}"
        row, column = divmod(sum(span.type in TILES for span in self.spans[:k]), self.header.tile_grid[0])
        return f"tile (column {column}, row {row})"


def read_index(data: Data, limits: Limits = DEFAULT_LIMITS) -> Index:
    """Find the chunks of a file, and check that they are those that its header promises.

    Raises FormatError that names what is damaged, missing or too new; LimitError if it is over `limits`.
    """
    header, position = Header.unpack(data[:MAX_BYTES], limits)
    spans: list[Span] = []
    broken: FormatError | None = None
    try:
        for span in _walk(data, position, header, limits):
            spans.append(span)
    except LimitError:
        raise
    except FormatError as error:
        broken = error
    index = Index(data, header, position, spans)
    if broken is None and (problem := problem_of(header, spans)):
        broken = FormatError(problem)
    if broken:
        # A wrong length or a wrong header derails the walk, so the checksums speak before the walk's own error.
        try:
            index.verify()
        except FormatError as error:
            raise error from broken
        if newer := newer_than_this(spans):
            raise NewerFormatError(newer)
        raise broken
    return index


def read_container(data: Data, limits: Limits = DEFAULT_LIMITS) -> Container:
    """Take a file apart, with every checksum verified. Raises as `read_index`."""
    index = read_index(data, limits)
    index.verify()
    return Container(index.header, index.chunks(tiles=True))


def parse_head(data: Data, offset: int, size: int) -> Span:
    """The chunk at `offset` of a file of `size` bytes. Raises FormatError if none is there, or not all of it."""
    span = claimed_span(data, offset)
    if span.end + CRC_BYTES > size:
        raise FormatError(f"the file is cut short inside the chunk '{span.type}' at byte {offset}")
    return span


def claimed_span(data: Data, offset: int) -> Span:
    """The chunk at `offset`, as long as it says it is. Raises FormatError if none is there."""
    head = data[offset : offset + MAX_HEAD_BYTES]
    letter = head[:1]
    if not letter.isalpha():
        raise FormatError(f"the file is damaged: no chunk begins at byte {offset}")
    try:
        length, head_bytes = LENGTH.unpack(head, 1)
    except ValueError as error:
        raise FormatError(f"the file is damaged at byte {offset + 1}: {error}") from error
    start = offset + head_bytes
    return Span(letter.decode(), offset, start, start + length)


def is_intact(data: Data, span: Span, header_crc: int) -> bool:
    """Return whether a chunk's checksum is right, given its header."""
    with memoryview(data) as view, view[span.offset : span.end] as body:
        crc = crc32(body, header_crc)
    return crc == int.from_bytes(data[span.end : span.end + CRC_BYTES], "little")


def _walk(data: Data, position: int, header: Header, limits: Limits) -> Iterator[Span]:
    """Each chunk, up to the last tile. Knows nothing of their meaning."""
    columns, rows = header.tile_grid
    tiles_left = columns * rows
    others = metadata_bytes = 0
    while tiles_left:
        if position == len(data):
            raise FormatError(f"the file is cut short: {tiles_left} of {columns * rows} tiles are missing")
        span = parse_head(data, position, len(data))
        length = span.end - span.start
        limits.check("max_chunk_bytes", length)
        if span.type in TILES:
            tiles_left -= 1
        else:
            others += 1
            limits.check("max_chunks", others)
        if span.type.islower():
            metadata_bytes += length
            limits.check("max_metadata_bytes", metadata_bytes)
        yield span
        position = span.end + CRC_BYTES
    if position < len(data):
        raise FormatError(f"{len(data) - position} bytes follow the last tile")
