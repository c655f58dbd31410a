"""Read the boxes of a JPEG 2000 file that Pillow passes over: metadata, and the names of the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO, Any

from cwic.image.source import file_of

_SIGNATURE = b"\0\0\0\x0cjP  "
_UUIDS = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
}
_READ = {b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"uuid"}
_MEANINGLESS = {b"free", b"rreq"}
"""Room for more, and what a reader must be able to do."""
_KNOWN_COLOURS = {0, 12, 15, 16, 17, 18}
"""Black and white, CMYK, sRGB, grey and sYCC, by their numbers: Pillow makes RGB of them, or cwic refuses them."""
_LARGEST = 64 << 20
_MOST = 1000


def read_boxes(image: Any) -> tuple[dict[str, bytes], list[str]]:
    """Return icc, exif and xmp of a JPEG 2000 file, and the names of its other contents.

    Nothing for others, and for those that can be reached no more.
    """
    with file_of(image) as file:
        if file is None or image.format != "JPEG2000":
            return {}, []
        others: list[str] = []
        try:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if file.read(len(_SIGNATURE)) != _SIGNATURE:
                return {}, []
            found = dict(_found(file, size, others))
        except (OSError, ValueError):
            return {}, []
        return found, others


def _found(file: IO[bytes], size: int, others: list[str]) -> Iterator[tuple[str, bytes]]:
    for kind, start, end in _boxes(file, 0, size):
        if kind not in _READ | _MEANINGLESS:
            others.append(f"a box ({kind.decode('latin-1').strip()})")
        if end - start > _LARGEST:
            continue
        file.seek(start)
        if kind == b"uuid":
            name = _UUIDS.get(file.read(16))
            if name is None:
                others.append("a box (uuid)")
            else:
                yield name, file.read(end - start - 16)
        elif kind == b"jp2h":
            for inner, first, last in _boxes(file, start, end):
                file.seek(first)
                if inner != b"colr":
                    continue
                method = file.read(3)[:1]
                if method in (b"\2", b"\3"):
                    yield "icc", file.read(last - first - 3)
                elif method == b"\1" and (colours := int.from_bytes(file.read(4), "big")) not in _KNOWN_COLOURS:
                    others.append(f"its colours (space {colours} of JPEG 2000)")


def _boxes(file: IO[bytes], start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kinds of boxes, and where what is in them begins and ends."""
    for _ in range(_MOST):
        if start + 8 > end:
            return
        file.seek(start)
        length, kind = int.from_bytes(file.read(4), "big"), file.read(4)
        inside = start + 8
        if length == 1:
            length, inside = int.from_bytes(file.read(8), "big"), start + 16
        after = end if length == 0 else start + length
        if after < inside or after > end:
            return
        yield kind, inside, after
        start = after
