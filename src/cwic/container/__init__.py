"""Stage 5: bytes <-> file. Standard library only, so that a file can be inspected without the codec."""

from __future__ import annotations

from cwic.container.chunks import (
    ALPHA,
    CHUNK_NAMES,
    EXIF,
    ICC,
    TILE,
    XMP,
    Chunk,
    Container,
    pack_tile,
    read_container,
    symbol_crc,
    unpack_tile,
    write_container,
)
from cwic.container.header import Header
from cwic.container.limits import DEFAULT_LIMITS, Limits

__all__ = [
    "ALPHA",
    "CHUNK_NAMES",
    "DEFAULT_LIMITS",
    "EXIF",
    "ICC",
    "TILE",
    "XMP",
    "Chunk",
    "Container",
    "Header",
    "Limits",
    "pack_tile",
    "read_container",
    "symbol_crc",
    "unpack_tile",
    "write_container",
]
