"""Write PNG files of photographs faster than Pillow does: strips of rows are filtered and deflated several at a time.

Every row has the filter of Paeth, and zlib looks for runs alone: files of photographs are about as large as those that
Pillow writes at level 4, in half the time on one core. Where samples repeat otherwise, as in drawings, files would be
many times as large. So both ways are tried on parts of a picture first, and Pillow writes all that it makes smaller.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.image.png_chunks import HEADER, SIGNATURE, chunk, chunks
from cwic.threads import in_bands

_MODES = ("L", "LA", "RGB", "RGBA")
_LEVEL = 4
"""Of zlib, where Pillow writes: less than half the time of its default, and 3 % more bytes."""
_PART = 1 << 13
"""Pixels of a part to try, of which a sixteenth of the picture is made up."""
_WIDEST_PART, _FEWEST_PARTS, _MOST_PARTS = 256, 3, 16
_SMALL = 1 << 16
"""Pictures of fewer pixels are Pillow's: it takes some milliseconds."""
_LARGER = 1.03
"""Parts may be so many times as large as Pillow makes them."""
_STRIP = 1 << 20
"""Samples of a strip. It starts without the memory of the strip above, which costs 0.1 % of the bytes."""
_ROWS = 16
"""Rows to filter at once: their samples stay in the cache."""
_PAETH = 4
_ZLIB_HEAD = b"\x78\x01"


class Strip(NamedTuple):
    """Rows of an image, filtered and deflated to whole bytes.

    Attributes:
        deflated: the bytes.
        adler: the Adler-32 of the filtered rows.
        size: the size of the filtered rows in bytes.
    """

    deflated: bytes
    adler: int
    size: int


def code_png(image: Image.Image, options: dict[str, Any]) -> BytesIO:
    """A PNG file of an image, with what Pillow's `options` for PNG say. Raises whatever Pillow does."""
    if image.mode in _MODES and image.width * image.height >= _SMALL and _is_like_a_photograph(image):
        return _by_strips(image, options)
    file = BytesIO()
    image.save(file, "PNG", **{"compress_level": _LEVEL} | options)
    file.seek(0)
    return file


def _is_like_a_photograph(image: Image.Image) -> bool:
    """Return whether parts from all over the image are about as small by strips as Pillow makes them."""
    width = min(image.width, _WIDEST_PART)
    height = min(image.height, _PART // width)
    count = min(max(image.width * image.height // (16 * _PART), _FEWEST_PARTS), _MOST_PARTS)
    ours = theirs = 0
    for i in range(count):
        left = round((image.width - width) * (5 * i % count) / (count - 1))
        top = round((image.height - height) * i / (count - 1))
        part = image.crop((left, top, left + width, top + height))
        part.info = {}
        coded = BytesIO()
        part.save(coded, "PNG", compress_level=_LEVEL)
        theirs += coded.tell()
        ours += _by_strips(part, {}).getbuffer().nbytes
    return ours <= _LARGER * theirs


def _by_strips(image: Image.Image, options: dict[str, Any]) -> BytesIO:
    """A PNG file, of which Pillow writes all but the pixels. There is one chunk IDAT for each strip of them."""
    strips = _strips(image)
    one, file = BytesIO(), BytesIO()
    Image.new(image.mode, (1, 1)).save(one, "PNG", **options)
    one.seek(0)
    file.write(SIGNATURE)
    for kind, payload in chunks(one):
        if kind == b"IHDR":
            file.write(chunk(kind, HEADER.pack(*image.size, *HEADER.unpack(payload)[2:])))
        elif kind == b"IDAT":
            file.writelines(_pixels(strips))
        else:
            file.write(chunk(kind, payload))
    file.seek(0)
    return file


def _strips(image: Image.Image) -> dict[int, Strip]:
    """The strips of an image, by their first rows."""
    image.load()
    channels = len(image.getbands())
    strips: dict[int, Strip] = {}

    def code(first: int, last: int) -> None:
        top = max(first - 1, 0)
        rows = np.asarray(image.crop((0, top, image.width, last))).reshape(last - top, -1)
        above = rows[0] if top < first else np.zeros_like(rows[0])
        strips[first] = _strip(above, rows[first - top :], channels)

    in_bands(image.height, max(1, _STRIP // (image.width * channels)), code)
    return strips


def _pixels(strips: dict[int, Strip]) -> Iterator[bytes]:
    """The chunks of all strips, given by their first rows: together one stream of zlib. Strips are used up."""
    head, adler = _ZLIB_HEAD, 1
    for first in sorted(strips):
        strip = strips.pop(first)
        adler = _joined(adler, strip.adler, strip.size)
        yield chunk(b"IDAT", head, strip.deflated)
        head = b""
    yield chunk(b"IDAT", zlib.compressobj(wbits=-15).flush(), adler.to_bytes(4, "big"))


def _joined(first: int, second: int, size: int) -> int:
    """The Adler-32 of two parts, from that of each; the second is `size` bytes long."""
    base = 65521
    low = ((first & 0xFFFF) + (second & 0xFFFF) - 1) % base
    high = ((first >> 16) + (second >> 16) + size * ((first & 0xFFFF) - 1)) % base
    return high << 16 | low


def _strip(above: NDArray[np.uint8], rows: NDArray[np.uint8], channels: int) -> Strip:
    """The strip of rows `[H, W * channels]`, below the row `above`."""
    filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _PAETH
    for top in range(0, len(rows), _ROWS):
        part = rows[top : top + _ROWS]
        filtered[top : top + _ROWS, 1:] = _paeth(part, rows[top - 1] if top else above, channels)
    deflate = zlib.compressobj(1, wbits=-15, memLevel=9, strategy=zlib.Z_RLE)
    deflated = deflate.compress(filtered.data) + deflate.flush(zlib.Z_FULL_FLUSH)
    return Strip(deflated, zlib.adler32(filtered.data), filtered.size)


def _paeth(rows: NDArray[np.uint8], above: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """The samples less what Paeth's filter expects of each: that neighbour which is nearest to left + up - corner."""
    padded = np.zeros((len(rows) + 1, channels + rows.shape[1]), np.int16)
    padded[0, channels:], padded[1:, channels:] = above, rows
    left, up, corner = padded[1:, :-channels], padded[:-1, channels:], padded[:-1, :-channels]
    by_left, by_up = up - corner, left - corner
    by_corner = np.abs(by_left + by_up)
    np.abs(by_left, out=by_left)
    np.abs(by_up, out=by_up)
    expected = np.where(by_up <= by_corner, up, corner)
    np.copyto(expected, left, where=by_left <= np.minimum(by_up, by_corner))
    return (padded[1:, channels:] - expected).astype(np.uint8)
