"""Read the header and the metadata of a file without the rest of it."""

from __future__ import annotations

from binascii import crc32
from typing import IO

from cwic.container.chunks import CHUNK_NAMES, CRC_BYTES, Chunk
from cwic.container.header import MAX_BYTES, Header
from cwic.container.index import MAX_HEAD_BYTES, parse_head
from cwic.container.limits import DEFAULT_LIMITS, Limits
from cwic.errors import FormatError


def read_start(file: IO[bytes], limits: Limits = DEFAULT_LIMITS) -> tuple[Header, list[Chunk]]:
    """The header of a file that is open at its start, and the ancillary chunks before its first critical one.

    Raises FormatError that names what is damaged, missing or too new; LimitError if it is over `limits`.
    """
    origin = file.tell()
    header, position = Header.unpack(file.read(MAX_BYTES), limits)
    file.seek(origin)
    header_crc = crc32(file.read(position))
    chunks: list[Chunk] = []
    metadata_bytes = 0
    while True:
        file.seek(origin + position)
        head = file.read(MAX_HEAD_BYTES)
        if not head[:1].islower():
            return header, chunks
        # Of an open file the size is not known: the payload read below says whether all of it is there.
        type, _, start, end = parse_head(head, 0, limits.max_chunk_bytes + 2 * MAX_HEAD_BYTES)
        metadata_bytes += end - start
        limits.check("max_metadata_bytes", metadata_bytes)
        limits.check("max_chunks", len(chunks) + 1)
        file.seek(origin + position + start)
        payload, crc = file.read(end - start), file.read(CRC_BYTES)
        name = CHUNK_NAMES.get(type, f"chunk {type!r}")
        if len(crc) < CRC_BYTES:
            raise FormatError(f"the file is cut short inside the {name}")
        if crc32(payload, crc32(head[:start], header_crc)) != int.from_bytes(crc, "little"):
            raise FormatError(f"damaged: the header or the {name} at byte {position}")
        chunks.append(Chunk(type, payload, position))
        position += end + CRC_BYTES
