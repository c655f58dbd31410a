"""Read metadata in the text chunks of PNG files, where programs put them before PNG had a place for them."""

from __future__ import annotations

import re

from cwic.image.exif import EXIF_PREFIX, is_exif

_NAME = re.compile(r"Raw profile type (\S+)\s*$", re.IGNORECASE)
_SHAPE = re.compile(r"\s*(\S+)\s+(\d+)\s+([0-9a-fA-F\s]*)$")
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_FIELDS = {"exif": "exif", "xmp": "xmp", "icc": "icc", "icm": "icc"}


def raw_profile(name: str, text: str) -> tuple[str, bytes] | None:
    """Which of icc, exif and xmp a text of that name holds, and its bytes; None for neither, and for damaged ones."""
    kind, shape = _NAME.match(name), _SHAPE.match(text)
    if kind is None or shape is None:
        return None
    digits, size = "".join(shape[3].split()), int(shape[2])
    if not size or len(digits) != 2 * size:
        return None
    data = bytes.fromhex(digits)
    if kind[1].lower() == "app1":
        if data.startswith(_XMP_PREFIX):
            return "xmp", data.removeprefix(_XMP_PREFIX)
        return ("exif", data) if data.startswith(EXIF_PREFIX) or is_exif(data) else None
    field = _FIELDS.get(kind[1].lower())
    return None if field is None else (field, data)
