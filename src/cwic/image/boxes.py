"""Metadata in the boxes of a JPEG 2000 file, which Pillow passes over."""

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
_LARGEST = 64 << 20
_MOST = 1000


def metadata_in_boxes(image: Any) -> dict[str, bytes]:
    """What of icc, exif and xmp a JPEG 2000 file has; nothing for others, and for those that can be reached no more."""
    with file_of(image) as file:
        if file is None or image.format != "JPEG2000":
            return {}
        try:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            return dict(_found(file, size)) if file.read(len(_SIGNATURE)) == _SIGNATURE else {}
        except (OSError, ValueError):
            return {}


def _found(file: IO[bytes], size: int) -> Iterator[tuple[str, bytes]]:
    for kind, start, end in _boxes(file, 0, size):
        if end - start > _LARGEST:
            continue
        file.seek(start)
        if kind == b"uuid":
            name = _UUIDS.get(file.read(16))
            if name is not None:
                yield name, file.read(end - start - 16)
        elif kind == b"jp2h":
            for inner, first, last in _boxes(file, start, end):
                file.seek(first)
                if inner == b"colr" and file.read(3)[:1] == b"\2":
                    yield "icc", file.read(last - first - 3)


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
