"""The file format: chunks <-> file. Standard library only, so that a file can be inspected without the codec."""

from __future__ import annotations

from cwic.container.chunks import (
    ALPHA,
    CHUNK_NAMES,
    EXIF,
    ICC,
    PLAIN,
    TILE,
    TILES,
    XMP,
    Chunk,
    pack_tile,
    unpack_tile,
    write_container,
)
from cwic.container.header import Header
from cwic.container.index import Container, Index, read_container, read_index
from cwic.container.limits import DEFAULT_LIMITS, NO_LIMITS, Limits

__all__ = [
    "ALPHA",
    "CHUNK_NAMES",
    "DEFAULT_LIMITS",
    "EXIF",
    "ICC",
    "NO_LIMITS",
    "PLAIN",
    "TILE",
    "TILES",
    "XMP",
    "Chunk",
    "Container",
    "Header",
    "Index",
    "Limits",
    "pack_tile",
    "read_container",
    "read_index",
    "unpack_tile",
    "write_container",
]
