"""Take metadata that Pillow cannot read out of a picture file: its pixels do not need them."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}
"""Chunks that the pixels do not need, but the picture does, or that make it an animation."""
_JPEG = b"\xff\xd8"
_JPEG_REMOVED = {0xFE, *range(0xE0, 0xEE), 0xEF}
"""Comments and applications' segments, but for Adobe's, which tells the colour space."""
_START_OF_SCAN = 0xDA
_ITEM = re.compile(rb"(infe[\2\3]\0\0[\0\1].{4,6}?)(Exif|mime)", re.DOTALL)
"""The item types by which AVIF announces EXIF and XMP."""
_TIFF = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
"""Beginnings of TIFF files, classic and big, and the order of bytes in them."""
_DESCRIPTIVE = {*range(269, 273), 274, 282, 283, *range(285, 288), 296, 297, 301, 305, 306, 315, 316, 318, 319}
_DESCRIPTIVE |= {700, 33432, 33723, 34377, 34665, 34675, 34853, 37724}
"""Tags of TIFF that the pixels do not need."""
_NO_TAG = 64000
_MOST = 64


HEAD_BYTES = 12


def is_known(head: bytes) -> bool:
    """Return whether a file with these first bytes is of a format that can be repaired."""
    return head.startswith((_PNG, _JPEG, *_TIFF)) or head[4:8] == b"ftyp"


class Repaired(NamedTuple):
    """A file as it was but for some of its metadata, and their names."""

    data: bytes
    left_out: list[str]


def repairs_of(data: bytes) -> Iterator[Repaired]:
    """A picture file without any of its metadata, first; then, one by one, without each of them alone.

    Nothing for a format that is not known here, and for a file that has no metadata.
    """
    if data.startswith(_PNG):
        parts = list(_png_parts(data))
    elif data.startswith(_JPEG):
        parts = list(_jpeg_parts(data))
    elif data.startswith(tuple(_TIFF)):
        parts = list(_tiff_parts(data))
    elif data[4:8] == b"ftyp":
        parts = list(_avif_parts(data))
    else:
        return
    removable = [index for index, part in enumerate(parts) if part.name]
    if removable:
        yield _without(parts, removable)
    if 1 < len(removable) <= _MOST:
        for index in removable:
            yield _without(parts, [index])


class _Part(NamedTuple):
    """Bytes in a row, with a name if they can go, and what takes their place then."""

    data: bytes
    name: str = ""
    instead: bytes = b""


def _without(parts: list[_Part], removed: list[int]) -> Repaired:
    gone = set(removed)
    data = b"".join(part.instead if index in gone else part.data for index, part in enumerate(parts))
    return Repaired(data, list(dict.fromkeys(parts[index].name for index in removed)))


def _png_parts(data: bytes) -> Iterator[_Part]:
    place = len(_PNG)
    yield _Part(_PNG)
    while place + 12 <= len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        ancillary = kind.isalpha() and kind[:1].islower() and kind not in _PNG_KEPT
        end = place + 12 + size
        yield _Part(data[place:end], f"the chunk {kind.decode()}" if ancillary and end <= len(data) else "")
        place = end
    yield _Part(data[place:])


def _jpeg_parts(data: bytes) -> Iterator[_Part]:
    place = 2
    yield _Part(_JPEG)
    while data[place : place + 1] == b"\xff" and place + 4 <= len(data):
        marker = data[place + 1]
        if marker in (0xFF, _START_OF_SCAN):
            break
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        name = "" if marker not in _JPEG_REMOVED else "a comment" if marker == 0xFE else f"a segment APP{marker & 15}"
        yield _Part(data[place:end], name)
        place = end
    yield _Part(data[place:])


def _tiff_parts(data: bytes) -> Iterator[_Part]:
    """In the first directory: tags in front of whose values Pillow gives up become such as nobody knows."""
    order, big = _TIFF[data[:4]], data[:4] in (b"II+\0", b"MM\0+")
    count, entry = ("Q", "HHQ8s") if big else ("H", "HHI4s")
    try:
        (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        (entries,) = struct.unpack_from(order + count, data, place)
    except struct.error:
        return
    place += struct.calcsize(order + count)
    size, end = struct.calcsize(order + entry), 0
    for index in range(min(entries, _MOST)):
        start = place + size * index
        if start + size > len(data):
            return
        (tag,) = struct.unpack_from(order + "H", data, start)
        if tag in _DESCRIPTIVE:
            yield _Part(data[end:start])
            end = start + size
            yield _Part(data[start:end], f"the tag {tag}", struct.pack(order + entry, _NO_TAG + index, 1, 1, b""))
    yield _Part(data[end:])


def _avif_parts(data: bytes) -> Iterator[_Part]:
    place = 0
    for match in _ITEM.finditer(data):
        yield _Part(data[place : match.start(2)])
        # An item of a kind that nobody knows: all places in the file stay what they are.
        yield _Part(match[2], "EXIF" if match[2] == b"Exif" else "XMP", b"free")
        place = match.end(2)
    yield _Part(data[place:])
