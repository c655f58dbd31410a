"""Chunks: a header, then typed, checksummed pieces, the tiles last (docs/format.md, sections 3 and 4)."""

from __future__ import annotations

from binascii import crc32, crc_hqx
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cwic.container.fields import Varint
from cwic.container.header import Header
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.errors import FormatError, LimitError

TILE, ALPHA, ICC, EXIF, XMP = "T", "A", "i", "e", "x"
CHUNK_NAMES = {TILE: "tile", ALPHA: "alpha", ICC: "ICC profile", EXIF: "EXIF", XMP: "XMP"}
_LENGTH = Varint("chunk length")
_CRC_BYTES = 4
_TILE_CRC_BYTES = 2


class Chunk(NamedTuple):
    """One piece of a file. `offset` is where its type byte was read, in bytes from the start of the file."""

    type: str
    payload: bytes
    offset: int = 0


class Container(NamedTuple):
    """A whole file: unknown ancillary chunks are among `chunks`, for whoever counts them."""

    header: Header
    chunks: list[Chunk]

    def payloads(self, type: str) -> list[bytes]:
        """The payloads of all chunks of one type, in file order: for TILE that is raster order."""
        return [chunk.payload for chunk in self.chunks if chunk.type == type]


def write_container(header: Header, chunks: Sequence[Chunk]) -> bytes:
    """The bytes of a file. `chunks` are in file order: metadata and alpha first, then every tile.

    Raises ValueError if `chunks` are not what the header promises.
    """
    for chunk in chunks:
        if len(chunk.type) != 1 or not (chunk.type.isascii() and chunk.type.isalpha()):
            raise ValueError(f"a chunk type is one ASCII letter, not {chunk.type!r}")
    if problem := _problem(header, chunks):
        raise ValueError(problem)
    start = header.pack()
    header_crc = crc32(start)
    parts = [start]
    for chunk in chunks:
        body = chunk.type.encode("ascii") + _LENGTH.pack(len(chunk.payload)) + chunk.payload
        parts += [body, crc32(body, header_crc).to_bytes(_CRC_BYTES, "little")]
    return b"".join(parts)


def read_container(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Container:
    """Take a file apart, with every checksum verified.

    Raises FormatError that names what is damaged, missing or too new; LimitError if it is over `limits`.
    """
    header, position = Header.unpack(data, limits)
    chunks: list[Chunk] = []
    damaged: list[int] = []
    broken: FormatError | None = None
    try:
        for chunk, intact in _walk(data, position, header, limits):
            if not intact:
                damaged.append(len(chunks))
            chunks.append(chunk)
    except LimitError:
        raise
    except FormatError as error:
        broken = error

    # A wrong length or a wrong header derails the walk, so the checksums speak before the walk's own error.
    if damaged:
        raise FormatError(_damage(header, chunks, damaged)) from broken
    if problem := _newer(chunks):
        raise FormatError(problem)
    if broken:
        raise broken
    if problem := _problem(header, chunks):
        raise FormatError(problem)
    return Container(header, chunks)


def symbol_crc(symbols: bytes, tile_index: int) -> int:
    """CRC-16 of a tile's symbols (int16, little-endian), begun with its index so that tiles cannot swap."""
    return crc_hqx(symbols, tile_index & 0xFFFF)


def pack_tile(symbol_crc: int, coded: bytes) -> bytes:
    """A tile's payload: CRC-16 of its symbols, then the coded symbols."""
    return symbol_crc.to_bytes(_TILE_CRC_BYTES, "little") + coded


def unpack_tile(payload: bytes) -> tuple[int, bytes]:
    """(symbol_crc, coded). Raises FormatError if the payload cannot be a tile's."""
    if len(payload) < _TILE_CRC_BYTES:
        raise FormatError("a tile is shorter than its checksum")
    return int.from_bytes(payload[:_TILE_CRC_BYTES], "little"), payload[_TILE_CRC_BYTES:]


def _walk(data: bytes, position: int, header: Header, limits: Limits) -> Iterator[tuple[Chunk, bool]]:
    """Each chunk, and whether its checksum matches, up to the last tile. Knows nothing of their meaning."""
    header_crc = crc32(data[:position])
    columns, rows = header.tile_grid
    tiles_left = columns * rows
    others = metadata_bytes = 0
    while tiles_left:
        offset = position
        letter = data[offset : offset + 1]
        if not letter:
            raise FormatError(f"the file is cut short: {tiles_left} of {columns * rows} tiles are missing")
        if not letter.isalpha():
            raise FormatError(f"the file is damaged: no chunk begins at byte {offset}")
        try:
            length, position = _LENGTH.unpack(data, offset + 1)
        except ValueError as error:
            raise FormatError(f"the file is damaged at byte {offset + 1}: {error}") from error
        end = position + length
        if end + _CRC_BYTES > len(data):
            raise FormatError(f"the file is cut short inside the chunk '{letter.decode()}' at byte {offset}")
        limits.check("max_chunk_bytes", length)
        if letter == TILE.encode():
            tiles_left -= 1
        else:
            others += 1
            limits.check("max_chunks", others)
        if letter.islower():
            metadata_bytes += length
            limits.check("max_metadata_bytes", metadata_bytes)
        crc = crc32(memoryview(data)[offset:end], header_crc)
        intact = crc == int.from_bytes(data[end : end + _CRC_BYTES], "little")
        yield Chunk(letter.decode(), data[position:end], offset), intact
        position = end + _CRC_BYTES
    if position < len(data):
        raise FormatError(f"{len(data) - position} bytes follow the last tile")


def _damage(header: Header, chunks: Sequence[Chunk], damaged: Sequence[int]) -> str:
    """Name what fails its checksum. Every checksum covers the header: when all of them fail, suspect that."""
    names = [_name(header, chunks, index) for index in damaged]
    if len(damaged) < len(chunks):
        return f"damaged: {', '.join(names[:8])}{' and others' if len(names) > 8 else ''}"
    if len(chunks) == 1:
        return f"the header or the {names[0]} is damaged"
    return "the header is damaged: no checksum matches it"


def _name(header: Header, chunks: Sequence[Chunk], index: int) -> str:
    type, _, offset = chunks[index]
    if type != TILE:
        return f"{CHUNK_NAMES.get(type, 'chunk ' + repr(type))} at byte {offset}"
    row, column = divmod(sum(chunk.type == TILE for chunk in chunks[:index]), header.tile_grid[0])
    return f"tile (column {column}, row {row})"


def _newer(chunks: Sequence[Chunk]) -> str | None:
    """Upper case says that a picture cannot be right without the chunk."""
    for type, _, offset in chunks:
        if type.isupper() and type not in CHUNK_NAMES:
            return f"the file needs a newer cwic: unknown chunk {type!r} at byte {offset}"
    return None


def _problem(header: Header, chunks: Sequence[Chunk]) -> str | None:
    """What is wrong with this sequence of chunks under this header, or None: for writer and reader alike."""
    if problem := _newer(chunks):
        return problem
    types = [chunk.type for chunk in chunks]
    columns, rows = header.tile_grid
    first_tile = len(types) - columns * rows
    if types.count(TILE) != columns * rows or TILE in types[: max(first_tile, 0)]:
        return f"the {columns * rows} tiles must be the last chunks, and there are {types.count(TILE)} tiles"
    for type in (ALPHA, ICC, EXIF, XMP):
        if types.count(type) > 1:
            return f"more than one {CHUNK_NAMES[type]} chunk"
    if header.has_alpha != (ALPHA in types):
        return f"mode {header.mode} {'needs an' if header.has_alpha else 'has no'} alpha chunk"
    return None
