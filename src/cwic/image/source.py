"""Inspect the file behind a Pillow image, for facts that Pillow hides, such as the depth of samples that it reduced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

HEAD_BYTES = 1 << 16
_PNG = b"\x89PNG\r\n\x1a\n"
_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])+"
_NETPBM = re.compile(rb"P([2356])" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})\s")
_CODESTREAM = b"\xff\x4f\xff\x51"
"""The first bytes of a JPEG 2000 codestream, in a file of its own or in a box."""
_BITS_PER_SAMPLE, _KIND, _SUB_PICTURES = 258, 254, 330
"""Tags of TIFF."""
_REDUCED = 1


_REMEMBERED = "cwic_file"


def remember_file(image: Any) -> None:
    """Before the pixels of a Pillow image are loaded: many formats let go of an open file then, which still tells more.

    A file that Pillow closes by itself has a name, and is opened again.
    """
    file = getattr(image, "fp", None)
    if file is not None and not getattr(image, "_exclusive_fp", True):
        vars(image)[_REMEMBERED] = file


@contextmanager
def file_of(image: Any) -> Iterator[IO[bytes] | None]:
    """The file that Pillow opened, at its beginning; it is put back where it was.

    None where there is no telling: for copies and arrays, and for most that others opened from memory and then loaded.
    """
    if getattr(image, "format", None) is None:
        yield None
        return
    for name in ("fp", "_fp", _REMEMBERED):
        try:
            file = getattr(image, name)
            place = file.tell()
            file.seek(0)
        except Exception:  # None, closed, or Pillow's own mark for closed
            continue
        try:
            yield file
        finally:
            file.seek(place)
        return
    try:
        reopened = open(image.filename, "rb")  # noqa: SIM115 - closed below
    except Exception:
        yield None
        return
    with reopened:
        yield reopened


def head_of(image: Any) -> bytes:
    """The first bytes of its file; empty where there is no telling."""
    with file_of(image) as file:
        return b"" if file is None else file.read(HEAD_BYTES)


def has_deep_samples(image: Any) -> bool:
    """Return whether the file has more than 8 bits a sample, which Pillow may reduce; False if unknown."""
    arguments = [str(tile[3]) for tile in getattr(image, "tile", [])]
    # BGR;16 is 16 bits for all three.
    if any((";16" in text and "BGR;16" not in text) or "BC6" in text for text in arguments):
        return True
    if hasattr(image, "tag_v2"):
        bits = image.tag_v2.get(_BITS_PER_SAMPLE, 1)
        return bool(max(bits if isinstance(bits, tuple) else (bits,), default=1) > 8)
    return deepest(head_of(image)) > 8


def is_preview(image: Any) -> bool:
    """Return whether the picture is a preview of others in a TIFF file, as in raw photographs, DNG among them."""
    tags = getattr(image, "tag_v2", None)
    return tags is not None and _SUB_PICTURES in tags and bool(int(tags.get(_KIND, 0)) & _REDUCED)


def frames_of(image: Any) -> int:
    """Return the number of pictures in the file, 2 for several without a count. Raises what Pillow raises."""
    if image.format in ("MPO", "PSD"):  # one photograph with its previews, as phones write it; or in layers
        return 1
    if image.format == "PPM":
        with file_of(image) as file:
            head = None if file is None else _NETPBM.match(file.read(HEAD_BYTES))
            if file is not None and head is not None and head[1] in b"56" and int(head[4]) < 256:
                file.seek(head.end() + int(head[2]) * int(head[3]) * (3 if head[1] == b"6" else 1))
                return 2 if is_netpbm(file.read(3)) else 1
    return int(getattr(image, "n_frames", 1))


def is_netpbm(head: bytes) -> bool:
    """Return whether the bytes begin a picture of that family. After the pixels of one, they are another picture."""
    return re.match(rb"P[1-7]\s", head) is not None


def deepest(head: bytes) -> int:
    """Bits of the deepest sample, as the head of a file says; 8 of formats that have no more, or are not known."""
    if head.startswith(_PNG):
        return head[24] if len(head) > 24 else 8
    if match := _NETPBM.match(head):
        return int(match[4]).bit_length()
    if head.startswith(b"\x01\xda"):  # SGI
        return 8 * head[3] if len(head) > 3 else 8
    if head[4:8] == b"ftyp":
        return _deepest_of_av1(head)
    start = head.find(_CODESTREAM)
    if start == 0 or (start > 0 and head[4:8] == b"jP  "):
        return _deepest_of_jpeg2000(head[start:])
    return 8


def _deepest_of_av1(head: bytes) -> int:
    """Of every picture in the file: the third byte of a configuration has a bit for high depth, and one for 12 bits."""
    flags = [head[match.end() + 2] for match in re.finditer(b"av1C", head) if match.end() + 2 < len(head)]
    return max((8 + 2 * (flag >> 6 & 1) + 2 * (flag >> 5 & 1) for flag in flags), default=8)


def _deepest_of_jpeg2000(codestream: bytes) -> int:
    samples = codestream[42 : 42 + 3 * int.from_bytes(codestream[40:42], "big") : 3]
    return max(((sample & 0x7F) + 1 for sample in samples), default=8)
