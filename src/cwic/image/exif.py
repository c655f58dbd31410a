"""Read, check and make EXIF, which is a small TIFF file and often a damaged one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from cwic.image.guard import quiet_pillow

if TYPE_CHECKING:
    from PIL import Image

EXIF_PREFIX = b"Exif\0\0"
_CLASSIC = (b"II*\0", b"MM\0*")
_BIG = (b"II+\0", b"MM\0+")
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x0112, 282, 283, 296
_DOTS_PER_INCH = {2: 1.0, 3: 2.54}
"""By unit of resolution: inch and centimetre."""
_OF_SCREENS = (72, 96)
_DIRECTORIES = (0x8769, 0x8825)
"""Tags whose value is a place in the file: EXIF's own tags, and those of GPS."""
_INTEROPERABILITY = 0xA005
# What a TIFF file keeps for its own pixels, which EXIF made from it must not repeat.
_TIFF_STRUCTURE = {
    254,
    255,
    *range(256, 260),
    262,
    263,
    266,
    273,
    274,
    *range(277, 282),
    284,
    317,
    320,
    *range(322, 326),
}
_TIFF_STRUCTURE |= {330, 338, 339, 347, 700, 34675}


class Resolution(NamedTuple):
    """Pixels along x and y per unit; without a unit, they say how long the sides of a pixel are to one another."""

    x: float
    y: float
    unit: int = 2


def is_exif(data: bytes) -> bool:
    """Return whether the bytes begin as EXIF, without its prefix."""
    return data.startswith(_CLASSIC)


def cleaned(data: bytes) -> bytes | None:
    """EXIF without its prefix, be it there never, once or, as some writers have it, twice. BigTIFF becomes a classic
    one, which all can read. None for what is no EXIF.
    """
    while data.startswith(EXIF_PREFIX):
        data = data[len(EXIF_PREFIX) :]
    if not data or is_exif(data):
        return data
    return _of_big_tiff(data) if data.startswith(_BIG) else None


def of_tiff(image: Image.Image) -> bytes | None:
    """The descriptive tags of a TIFF file, which is its own EXIF. Pillow has turned the pixels upright by then.

    None where they cannot be read.
    """
    try:
        with quiet_pillow():
            return _classic(image.getexif(), leave_out=_TIFF_STRUCTURE)
    except Exception:  # one tag that is odd can make Pillow raise anything
        return None


def orientation_of(image: Any) -> int:
    """Return the orientation that EXIF, or else XMP, gives an image, 1 to 8; 1 if neither can be read."""
    try:
        with quiet_pillow():
            orientation = image.getexif().get(_ORIENTATION)
    except Exception:
        return 1
    return int(orientation) if orientation in range(1, 9) else 1  # it can be a fraction


def resolution_in(data: bytes) -> Resolution | None:
    """Return the resolution in EXIF, or None."""
    from PIL import Image

    tags = Image.Exif()
    try:
        with quiet_pillow():
            tags.load(data)
            unit = int(tags.get(_RESOLUTION_UNIT, 2))
            found = Resolution(float(tags[_X_RESOLUTION]), float(tags[_Y_RESOLUTION]), unit)
    except Exception:
        return None
    return found if _is_sane(found) else None


def dots_per_inch(resolution: Resolution | None) -> tuple[float, float] | None:
    """As Pillow writes it into files; None for a resolution without a unit."""
    if resolution is None or resolution.unit not in _DOTS_PER_INCH:
        return None
    factor = _DOTS_PER_INCH[resolution.unit]
    return resolution.x * factor, resolution.y * factor


def resolution_of(image: Any) -> Resolution | None:
    """Return the resolution that a file gives outside of EXIF; None if it gives none, or square pixels without a unit.

    72 and 96 pixels an inch, of screens, stand for nothing: programs write them where nobody said any.
    """
    info, found = image.info, None
    try:
        if "jfif_unit" in info:
            found = _resolution(info["jfif_density"], 1 + info["jfif_unit"])
        elif "aspect" in info:
            found = _resolution(info["aspect"], 1)
        elif "dpi" in info and image.format not in ("JPEG", "MPO", "TIFF"):  # those have it from their EXIF
            found = _resolution(info["dpi"], 2)
    except Exception:
        return None
    if found is None or not _is_sane(found) or (found.unit == 1 and found.x == found.y):
        return None
    if found.unit == 2 and found.x == found.y and found.x in _OF_SCREENS:
        return None
    return found


def exif_saying(resolution: Resolution) -> bytes:
    """EXIF that says this and no more."""
    from PIL import Image

    tags = Image.Exif()
    tags[_X_RESOLUTION], tags[_Y_RESOLUTION], tags[_RESOLUTION_UNIT] = resolution
    return tags.tobytes().removeprefix(EXIF_PREFIX)


def _resolution(values: Sequence[float], unit: int) -> Resolution:
    """Rounded to whole pixels where they were meant: PNG files count them by the metre."""
    x, y = (round(float(value), 3) for value in values)
    if max(abs(x - round(x)), abs(y - round(y))) < 0.02:
        x, y = round(x), round(y)
    return Resolution(x, y, unit)


def _is_sane(resolution: Resolution) -> bool:
    return all(isfinite(value) and 0 < value < 1 << 31 for value in resolution[:2]) and resolution.unit in (1, 2, 3)


def _of_big_tiff(data: bytes) -> bytes | None:
    from io import BytesIO

    from PIL import Image
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = Image.Exif()
    try:
        tags.bigtiff = True
        tags.endian = "<" if data.startswith(b"II") else ">"
        with quiet_pillow():
            tags.load_from_fp(BytesIO(data), ImageFileDirectory_v2(data[:16]).next)
            return _classic(tags)
    except Exception:
        return None


def _classic(tags: Image.Exif, leave_out: Collection[int] = ()) -> bytes:
    """The tags as bytes of a classic TIFF; empty for none."""
    from PIL import Image

    kept = Image.Exif()
    kept.endian = tags.endian
    for tag, value in tags.items():
        if tag in _DIRECTORIES:
            directory = dict(tags.get_ifd(tag))
            if _INTEROPERABILITY in directory:
                directory[_INTEROPERABILITY] = tags.get_ifd(_INTEROPERABILITY)
            kept[tag] = directory
        elif tag not in leave_out:
            kept[tag] = value
    return kept.tobytes().removeprefix(EXIF_PREFIX) if len(kept) else b""
