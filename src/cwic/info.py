"""Summaries of files, without decoding, and the list of models. No numpy is imported, so both are quick."""

from __future__ import annotations

from typing import NamedTuple

from cwic.arguments import check_type
from cwic.container import CHUNK_NAMES, DEFAULT_LIMITS, Limits, read_container
from cwic.container.source import Source, data_of


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


def list_models() -> list[str]:
    """The names of the models at hand, as `encode` takes them: those of the package, then those of the folders that the
    environment variable CWIC_MODELS lists."""
    from cwic.models.catalog import names

    return names()


def read_info(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> Info:
    """Summarise a file. Every checksum of the container is verified.

    Args:
        source: the bytes of the file (any object with a buffer, also a memory map), its path, or the file opened in
            binary mode, read from where it stands.
        limits: the largest picture to accept.

    Raises:
        TypeError: `limits` is of another type.
        InputError: anything else, or what cannot be read.
        FormatError: not a cwic file, damaged, or for a newer cwic.
        LimitError: the file asks for more than `limits`.
    """
    from cwic.models.catalog import name_of

    check_type("limits", limits, Limits, "a cwic.Limits")
    data = data_of(source)
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
