"""Read colours given by code points of ITU-T H.273, which Pillow ignores: cICP of PNG, nclx of AVIF."""

from __future__ import annotations

import struct
from typing import IO, Any

from cwic.image.source import HEAD_BYTES, file_of

_PNG = b"\x89PNG\r\n\x1a\n"


def code_points(image: Any) -> tuple[int, int] | None:
    """Primaries and transfer; None for a file that has none, or can be reached no more."""
    with file_of(image) as file:
        if file is None:
            return None
        try:
            start = file.read(12)
            if start.startswith(_PNG):
                file.seek(len(_PNG))
                return _of_png(file)
            if start[4:8] == b"ftyp":
                return _of_avif(start + file.read(HEAD_BYTES))
        except (OSError, ValueError, struct.error):
            return None
    return None


def _of_png(file: IO[bytes]) -> tuple[int, int] | None:
    """From the chunks before the pixels."""
    while True:
        size, kind = struct.unpack(">I4s", file.read(8))
        if kind in (b"IDAT", b"IEND"):
            return None
        if kind == b"cICP" and size >= 2:
            primaries, transfer = file.read(2)
            return primaries, transfer
        file.seek(size + 4, 1)


def _of_avif(head: bytes) -> tuple[int, int] | None:
    place = head.find(b"colrnclx")
    if place < 0 or place + 12 > len(head):
        return None
    primaries, transfer = struct.unpack(">HH", head[place + 8 : place + 12])
    return primaries, transfer
