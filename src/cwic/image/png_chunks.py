"""Take PNG files apart into chunks, and make chunks."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEADER = struct.Struct(">2I5B")
"""The payload of IHDR: width, height, bits of a sample, colour type, and the methods of three more steps."""
_PIECE = 1 << 20


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Types and payloads of all chunks to the last. Those of pixels are checked, but their payload is left out.

    Reads the file to its end. Raises `ValueError` for a file that is not a whole PNG: no signature, a wrong checksum, a
    missing end. OSErrors pass through.
    """
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise ValueError("not a PNG file")
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", _exactly(file, 8))
        crc, kept = zlib.crc32(kind), []
        while length:
            piece = _exactly(file, min(length, _PIECE))
            crc, length = zlib.crc32(piece, crc), length - len(piece)
            if kind != b"IDAT":
                kept.append(piece)
        if _exactly(file, 4) != crc.to_bytes(4, "big"):
            raise ValueError(f"the checksum of a chunk {kind!r} is wrong")
        yield kind, b"".join(kept)


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ValueError("the PNG file is cut short")
    return data


def chunk(kind: bytes, *payload: bytes) -> bytes:
    """The bytes of a chunk, whose payload may come in parts."""
    body = b"".join([kind, *payload])
    return b"".join([(len(body) - len(kind)).to_bytes(4, "big"), body, zlib.crc32(body).to_bytes(4, "big")])
