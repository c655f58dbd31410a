"""Name the parts of a picture file that neither Pillow nor cwic reads, so that no loss goes unmentioned.

Parts that have no meaning in another file are not named: in PNG, tIME (when that file was written), sPLT and hIST (for
screens of few colours), iDOT (where to decode in parallel), sBIT of full depth, and bKGD of an opaque picture.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import IO, Any

from cwic.image.source import HEAD_BYTES, file_of

_PNG_READ = set(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP pHYs tEXt zTXt iTXt eXIf acTL fcTL fdAT".split())
_PNG_MEANINGLESS = {b"tIME", b"sPLT", b"hIST", b"iDOT"}
_PNG_NAMES = {
    b"sBIT": "the bits that count of each sample (sBIT)",
    b"bKGD": "the background colour (bKGD)",
    b"mDCV": "colours and brightness of the screen it was made on (mDCV)",
    b"cLLI": "its brightest and mean light (cLLI)",
}
_WEBP_READ = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"EXIF", b"XMP ", b"ANIM", b"ANMF"}
_AUXILIARY = re.compile(rb"auxC\0\0\0\0([!-~]+)\0")
_ALPHA = ("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1", "urn:mpeg:avc:2015:auxid:1")
_AV1_NAMES = {
    rb"infe[\2\3].{5,7}tmap": "the gain map",
    rb"\0\0\0\x20mdcv": "colours and brightness of the screen it was made on",
    rb"\0\0\0\x0cclli": "its brightest and mean light",
}
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_SUB_PICTURES = 330


def passed_over(image: Any) -> list[str]:
    """Names, each once; none where the file can be reached no more. Raises nothing of its own."""
    of = _FORMATS.get(image.format)
    if of is None:
        return []
    with file_of(image) as file:
        if file is None:
            return []
        try:
            return list(dict.fromkeys(of(image, file)))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error):
            return []


def _of_png(image: Any, file: IO[bytes]) -> Iterator[str]:
    file.seek(8)
    others = []
    kind = b""
    while kind != b"IEND":
        size, kind = struct.unpack(">I4s", file.read(8))
        end = file.tell() + size + 4
        if kind in _PNG_NAMES:
            if not (kind == b"bKGD" and not image.has_transparency_data) and not (
                kind == b"sBIT" and min(file.read(size), default=8) >= 8
            ):
                yield _PNG_NAMES[kind]
        elif kind not in _PNG_READ | _PNG_MEANINGLESS and kind.isalpha() and kind[1:2].isupper():
            others.append(kind.decode())  # those of programs, with a small second letter, Pillow lists itself
        file.seek(end)
    if others:
        yield f"chunks ({', '.join(dict.fromkeys(others))})"
    yield from _behind(file.read())


def _of_jpeg(image: Any, file: IO[bytes]) -> Iterator[str]:
    data = file.read()
    place = 2
    while match := _JPEG_MARKER.search(data, place):
        if match[1] == b"\xd9":
            yield from _behind(data[match.end() :])
            return
        place = match.end() + int.from_bytes(data[match.end() : match.end() + 2], "big")


def _behind(rest: bytes) -> Iterator[str]:
    """Name the data after the end of a picture, if they are more than padding."""
    if rest.strip(b"\0\xff\r\n\t "):
        yield f"{len(rest)} bytes behind the picture" + (", a video among them" if b"ftyp" in rest else "")


def _of_webp(image: Any, file: IO[bytes]) -> Iterator[str]:
    head = file.read(12)
    end = 8 + int.from_bytes(head[4:8], "little")
    others = []
    while file.tell() + 8 <= end:
        kind, size = struct.unpack("<4sI", file.read(8))
        if kind not in _WEBP_READ:
            others.append(_printed(kind))
        file.seek(size + size % 2, 1)
    if others:
        yield f"chunks ({', '.join(dict.fromkeys(others))})"


def _of_av1(image: Any, file: IO[bytes]) -> Iterator[str]:
    head = file.read(HEAD_BYTES)
    for match in _AUXILIARY.finditer(head):
        name = match[1].decode()
        if name not in _ALPHA:
            yield f"an auxiliary picture ({re.split('[:/]', name)[-1]})"
    for pattern, name in _AV1_NAMES.items():
        if re.search(pattern, head, re.DOTALL):
            yield name


def _of_tiff(image: Any, file: IO[bytes]) -> Iterator[str]:
    if _SUB_PICTURES in image.tag_v2:
        yield "the further pictures in its sub-directories"


def _of_icon(image: Any, file: IO[bytes]) -> Iterator[str]:
    sizes = {(width * sum(scale or [1]), height * sum(scale or [1])) for width, height, *scale in image.info["sizes"]}
    others = sorted(sizes - {image.size})
    if others:
        yield f"its other sizes ({', '.join(f'{width}x{height}' for width, height in others[:5])})"


def _of_psd(image: Any, file: IO[bytes]) -> Iterator[str]:
    if image.n_frames > 1:
        yield f"the {image.n_frames} layers that it is made of"


def _printed(kind: bytes) -> str:
    return "".join(c if c.isprintable() else "?" for c in kind.decode("latin-1")).strip()


_FORMATS: dict[str | None, Callable[[Any, IO[bytes]], Iterator[str]]] = {
    "PNG": _of_png,
    "JPEG": _of_jpeg,
    "WEBP": _of_webp,
    "AVIF": _of_av1,
    "HEIF": _of_av1,
    "TIFF": _of_tiff,
    "ICO": _of_icon,
    "ICNS": _of_icon,
    "PSD": _of_psd,
}
