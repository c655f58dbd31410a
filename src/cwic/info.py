"""What a file says of itself, not decoded: without numpy, so that `cwic info` answers at once."""

from __future__ import annotations

import os
from typing import NamedTuple

from cwic.container import CHUNK_NAMES, DEFAULT_LIMITS, Limits, read_container
from cwic.image.files import read_bytes


class ChunkInfo(NamedTuple):
    """One chunk of a file: its type letter, what it holds, where it starts and the bytes of its payload."""

    type: str
    name: str
    offset: int
    bytes: int


class Info(NamedTuple):
    """A summary of a file.

    Attributes:
        format_version: version of the file format.
        model_id: 8 hexadecimal digits that name the weights the file was written with.
        model: their name, or None if this version of cwic does not have them.
        width: pixels.
        height: pixels.
        mode: `"RGB"` or `"L"`, and with alpha `"RGBA"` or `"LA"`.
        quality: 0 to 100.
        tiles: columns and rows of tiles.
        file_bytes: size of the whole file.
        bpp: bits of the whole file per pixel of the picture.
        chunks: in file order.
    """

    format_version: int
    model_id: str
    model: str | None
    width: int
    height: int
    mode: str
    quality: float
    tiles: tuple[int, int]
    file_bytes: int
    bpp: float
    chunks: list[ChunkInfo]


def read_info(source: bytes | str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> Info:
    """Summarise a file, given its bytes or its path. Every checksum of the container is verified.

    Raises:
        InputError: the path cannot be read.
        FormatError: not a cwic file, damaged, or for a newer cwic.
        LimitError: the file asks for more than `limits`.
    """
    from cwic.models.catalog import name_of

    data = source if isinstance(source, bytes) else read_bytes(source)
    header, chunks = read_container(data, limits)
    return Info(
        format_version=header.version,
        model_id=header.model_id.hex(),
        model=name_of(header.model_id),
        width=header.width,
        height=header.height,
        mode=header.mode,
        quality=header.quality,
        tiles=header.tile_grid,
        file_bytes=len(data),
        bpp=8 * len(data) / (header.width * header.height),
        chunks=[
            ChunkInfo(chunk.type, CHUNK_NAMES.get(chunk.type, "unknown"), chunk.offset, len(chunk.payload))
            for chunk in chunks
        ],
    )
