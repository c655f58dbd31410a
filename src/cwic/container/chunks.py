"""Chunks: typed, checksummed pieces after a header, the tiles last (docs/format.md, sections 3 and 4)."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Sequence
from typing import NamedTuple

from cwic.container.fields import Varint
from cwic.container.header import Header
from cwic.errors import FormatError

TILE, PLAIN, ALPHA, ICC, EXIF, XMP = "T", "P", "A", "i", "e", "x"
TILES = (TILE, PLAIN)
"""A tile is coded as latents, or as plain pixels where the networks would spoil it."""
CHUNK_NAMES = {TILE: "tile", PLAIN: "plain tile", ALPHA: "alpha", ICC: "ICC profile", EXIF: "EXIF", XMP: "XMP"}
LENGTH = Varint("chunk length")
CRC_BYTES = 4
_TILE_CRC_BYTES = 2


class Chunk(NamedTuple):
    """One piece of a file. `offset` is where its type byte was read, in bytes from the start of the file.

    `is_cut` tells that the file ends before the chunk: its payload may lack an end, and its checksum is unknown.
    """

    type: str
    payload: bytes
    offset: int = 0
    is_cut: bool = False


class Span(NamedTuple):
    """The place of a chunk: its type byte at `offset`, its payload from `start` to `end`, then its checksum."""

    type: str
    offset: int
    start: int
    end: int


def write_container(header: Header, chunks: Sequence[Chunk]) -> bytes:
    """The bytes of a file. `chunks` are in file order: metadata and alpha first, then every tile.

    Raises ValueError if `chunks` are not what the header promises.
    """
    for chunk in chunks:
        if len(chunk.type) != 1 or not (chunk.type.isascii() and chunk.type.isalpha()):
            raise ValueError(f"a chunk type is one ASCII letter, not {chunk.type!r}")
    if problem := problem_of(header, chunks):
        raise ValueError(problem)
    start = header.pack()
    header_crc = crc32(start)
    parts = [start]
    for chunk in chunks:
        head = chunk.type.encode("ascii") + LENGTH.pack(len(chunk.payload))
        crc = crc32(chunk.payload, crc32(head, header_crc))
        parts += [head, chunk.payload, crc.to_bytes(CRC_BYTES, "little")]
    return b"".join(parts)


def pack_tile(symbol_crc: int, coded: bytes) -> bytes:
    """A tile's payload: CRC-16 of its symbols, then the coded symbols."""
    return symbol_crc.to_bytes(_TILE_CRC_BYTES, "little") + coded


def unpack_tile(payload: bytes) -> tuple[int, bytes]:
    """(symbol_crc, coded). Raises FormatError if the payload cannot be a tile's."""
    if len(payload) < _TILE_CRC_BYTES:
        raise FormatError("a tile is shorter than its checksum")
    return int.from_bytes(payload[:_TILE_CRC_BYTES], "little"), payload[_TILE_CRC_BYTES:]


def newer_than_this(chunks: Sequence[Chunk | Span]) -> str | None:
    """Name a chunk that only a newer cwic can read, or None. Upper case means that the picture needs the chunk."""
    for chunk in chunks:
        if chunk.type.isupper() and chunk.type not in CHUNK_NAMES:
            return f"the file needs a newer cwic: unknown chunk {chunk.type!r} at byte {chunk.offset}"
    return None


def problem_of(header: Header, chunks: Sequence[Chunk | Span]) -> str | None:
    """Describe what is wrong with these chunks under this header, or None. Writer and reader both check it."""
    if problem := newer_than_this(chunks):
        return problem
    types = [chunk.type for chunk in chunks]
    is_tile = [type in TILES for type in types]
    columns, rows = header.tile_grid
    first_tile = len(types) - columns * rows
    if sum(is_tile) != columns * rows or any(is_tile[: max(first_tile, 0)]):
        return f"the {columns * rows} tiles must be the last chunks, and there are {sum(is_tile)} tiles"
    for type in (ALPHA, ICC, EXIF, XMP):
        if types.count(type) > 1:
            return f"more than one {CHUNK_NAMES[type]} chunk"
    if header.has_alpha != (ALPHA in types):
        return f"mode {header.mode} {'needs an' if header.has_alpha else 'has no'} alpha chunk"
    return None
