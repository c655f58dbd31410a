"""Read the metadata of a PNG file without decoding its pixels: copy the file with a picture of one pixel."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">2I5B")
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel of each colour type."""
_PIECE = 1 << 20


def with_one_pixel(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a PNG file with all its chunks in their order, those behind the pixels too, but one black pixel.

    Reads the file to its end, and takes memory only for what is kept. Raises `ValueError` for a file that is not a
    whole PNG: a checksum is wrong, the end is missing, or the pixels are not in one place. OSErrors pass through.
    """
    with open(path, "rb") as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            raise ValueError("not a PNG file")
        runs = [(kind, [payload for _, payload in run]) for kind, run in groupby(_chunks(file), key=itemgetter(0))]
    kinds = [kind for kind, _ in runs]
    first = runs[0][1][0]
    if kinds[0] != b"IHDR" or len(first) != _IHDR.size or kinds.count(b"IDAT") != 1:
        raise ValueError("a PNG file begins with its header and has its pixels in one place")
    _, _, depth, colour, method, filters, _ = _IHDR.unpack(first)
    if colour not in _SAMPLES:
        raise ValueError(f"PNG has no colour type {colour}")
    row = bytes(1 + -(-depth * _SAMPLES[colour] // 8))  # a filter, then the samples
    changed = {b"IHDR": [_IHDR.pack(1, 1, depth, colour, method, filters, 0)], b"IDAT": [zlib.compress(row)]}
    chunks = [_chunk(kind, payload) for kind, payloads in runs for payload in changed.get(kind, payloads)]
    return b"".join([_SIGNATURE, *chunks])


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Types and payloads of all chunks to the last. Those of pixels are checked, but their payload is left out."""
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


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + zlib.crc32(kind + payload).to_bytes(4, "big")
