"""Sort the metadata that Pillow read with a picture: kept by a cwic file, or named as lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple

from cwic.image import exif as exif_room
from cwic.image import profile, xmp
from cwic.image.bitmap import BitmapColours, colours_of_bitmap
from cwic.image.boxes import read_boxes
from cwic.image.files import UNREAD
from cwic.image.gif import extensions_of
from cwic.image.passed_over import passed_over
from cwic.image.text import raw_profile
from cwic.image.told import code_points

_KNOWN = (
    b"JFIF",
    b"JFXX",
    b"Exif\0\0",
    b"http://ns.adobe.com/xap/1.0/\0",
    b"http://ns.adobe.com/xmp/extension/\0",
    b"ICC_PROFILE\0",
    b"Photoshop 3.0\0",
    b"Adobe",
    b"MPF\0",
)
"""Beginnings of segments of a JPEG file that are kept, named by what they hold, or of no use without the file."""
_PSD_RESOURCES = {1058: "exif", 1060: "xmp"}
_PSD_IPTC = 1028
_BY_A_PROGRAM = re.compile(r"Created (by OpenJPEG|with (The )?GIMP)|Kakadu-|CREATOR: gd-jpeg|Lavc\d")
"""Comments that programs write into every file of theirs: they say nothing of the picture."""
_WHITE, _PRIMARIES = 318, 319
"""Tags of TIFF."""


class Found(NamedTuple):
    """Return the metadata to keep, by the names icc, exif and xmp, and the names of what is not kept."""

    kept: dict[str, bytes]
    lost: list[str]


def gather(image: Any, without: Collection[str] = ()) -> Found:
    """Of a Pillow image whose pixels are loaded; `without` looks at no icc, exif or xmp. Raises nothing of its own."""
    lost: list[str] = list(getattr(image, UNREAD, []))
    elsewhere, others = _elsewhere(image)
    kept = {}
    for name, of in _READERS.items():
        kept[name] = b"" if name in without else of(image, elsewhere, lost)
    lost += others
    lost += _others(image)
    lost += passed_over(image)
    return Found(kept, list(dict.fromkeys(lost)))


def _icc(image: Any, elsewhere: Mapping[str, bytes], lost: list[str]) -> bytes:
    mode = "L" if image.mode in ("L", "LA", "1") else "RGB"
    bitmap = colours_of_bitmap(image)
    icc = _bytes(image.info.get("icc_profile") or bitmap.icc or elsewhere.get("icc"))
    if icc is None or (not icc and "icc_profile" in image.info):  # Pillow has None for one that it cannot unpack
        lost.append("the ICC profile (it is damaged)")
    points = code_points(image)
    if icc and points is not None and image.format == "PNG":  # where cICP goes before all else
        told = _of_code_points(points, mode, lost)
        if told is not None:
            return _nothing("the ICC profile (cICP goes before it)", lost) or told
    if not icc:
        return (_told(image, bitmap, mode, lost) if points is None else _of_code_points(points, mode, lost)) or b""
    fault = profile.mismatch(icc, mode)
    if fault is None:
        return icc
    if profile.is_profile(icc):
        return _nothing(f"the ICC profile (it is {fault})", lost)
    return icc


def _of_code_points(points: tuple[int, int], mode: str, lost: list[str]) -> bytes | None:
    """A profile of colours that are told by numbers; empty for those that need none, None for those that have none."""
    try:
        colour = profile.of_code_points(*points)
        return b"" if colour is None else profile.make_profile(colour, mode)
    except ValueError:
        lost.append(f"its colours (primaries {points[0]}, transfer {points[1]} of H.273)")
        return None


def _told(image: Any, bitmap: BitmapColours, mode: str, lost: list[str]) -> bytes:
    """A profile of colours that are told as gamma and primaries; empty for those that need none."""
    info = image.info
    name, gamma, primaries = "its calibrated colours", bitmap.gamma, bitmap.primaries
    try:
        if bitmap.lost:
            return _nothing(bitmap.lost, lost)
        if image.format == "TIFF" and {_WHITE, _PRIMARIES} <= image.tag_v2.keys():
            primaries = tuple(float(part) for tag in (_WHITE, _PRIMARIES) for part in image.tag_v2[tag])
        elif image.format not in ("BMP", "DIB", "TIFF") and "srgb" not in info:
            name, gamma, primaries = "gAMA and cHRM", info.get("gamma"), info.get("chromaticity")
        colour = profile.of_gamma(gamma, primaries)
        return b"" if colour is None else profile.make_profile(colour, mode)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return _nothing(name, lost)


def _exif(image: Any, elsewhere: Mapping[str, bytes], lost: list[str]) -> bytes:
    if image.format == "TIFF" and "exif" not in image.info:
        exif = exif_room.of_tiff(image)
    else:
        exif = _bytes(image.info.get("exif") or elsewhere.get("exif"))
        exif = exif if exif is None else exif_room.cleaned(exif)
    if exif is None:
        _nothing("EXIF (it is damaged)", lost)
    resolution = exif_room.resolution_of(image)
    if resolution is None:
        return exif or b""
    if not exif:
        return exif_room.exif_saying(resolution)
    if exif_room.resolution_in(exif) is None:  # EXIF is kept byte for byte, and has no place for it
        unit = {1: "", 2: " per inch", 3: " per cm"}[resolution.unit]
        lost.append(f"the resolution ({resolution.x:g} x {resolution.y:g}{unit})")
    return exif


def _xmp(image: Any, elsewhere: Mapping[str, bytes], lost: list[str]) -> bytes:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or elsewhere.get("xmp")
    if isinstance(packet, str):
        packet = packet.encode(errors="replace")
    packet = _bytes(packet)
    if packet is None:
        return _nothing("XMP (it is damaged)", lost)
    segments = [data for name, data in getattr(image, "applist", []) if name == "APP1"]
    extension = xmp.extension_in(segments, packet)
    if extension == b"":
        return packet
    whole = None if extension is None else xmp.joined(packet, extension)
    if whole is None:
        lost.append("extended XMP")
    return whole or packet


_READERS: dict[str, Callable[[Any, Mapping[str, bytes], list[str]], bytes]] = {
    "icc": _icc,
    "exif": _exif,
    "xmp": _xmp,
}


def _elsewhere(image: Any) -> tuple[dict[str, bytes], list[str]]:
    """Metadata where Pillow does not look for them, and the names of what else is there."""
    found, others = read_boxes(image)
    xmp_of_gif, extensions = extensions_of(image)
    if xmp_of_gif:
        found["xmp"] = xmp_of_gif
    if extensions:
        others.append(_list("extensions", extensions))
    for number, _, data in getattr(image, "resources", []) if image.format == "PSD" else []:
        if number in _PSD_RESOURCES:
            found[_PSD_RESOURCES[number]] = data
        elif number == _PSD_IPTC:
            others.append("IPTC")
    texts = []
    for name, text in (getattr(image, "text", None) or {}).items():
        held = raw_profile(name, text) if isinstance(text, str) else None
        if held is not None:
            found.setdefault(*held)
        elif name != "XML:com.adobe.xmp":
            texts.append(name)
    if texts:
        others.append(_list("texts", texts))
    return found, others


def _others(image: Any) -> list[str]:
    """Name the things that Pillow read and that a cwic file has no place for."""
    lost = []
    chunks = [chunk[0] for chunk in getattr(image, "private_chunks", []) if chunk[0][:2] != b"fd"]
    if chunks:
        lost.append(_list("chunks", [chunk.decode("latin-1") for chunk in chunks]))
    segments = [name for name, data in getattr(image, "applist", []) if name != "COM" and not data.startswith(_KNOWN)]
    if segments:
        lost.append(_list("segments", segments))
    if comment := image.info.get("comment"):
        text = comment if isinstance(comment, str) else (_bytes(comment) or b"").decode("utf-8", "replace")
        if not _BY_A_PROGRAM.match(text):
            lost.append(_list("a comment", [text.strip()]))
    if image.info.get("photoshop"):
        lost.append("Photoshop's resources, IPTC among them")
    if image.format == "MPO" and getattr(image, "n_frames", 1) > 1:
        lost.append("the further pictures of a multi-picture file")
    return lost


def _list(what: str, names: Iterable[str]) -> str:
    """Names from a file, in brackets, each once and not too many."""
    names = list(dict.fromkeys(names))
    shown = ", ".join(names[:5])[:100] + (" ..." if len(names) > 5 else "")
    return f"{what} ({''.join(c if c.isprintable() else '?' for c in shown)})"


def _bytes(value: Any) -> bytes | None:
    """Bytes as they are, none as empty, None for anything else."""
    if value is None:
        return b""
    return bytes(value) if isinstance(value, bytes | bytearray | memoryview) else None


def _nothing(name: str, lost: list[str]) -> bytes:
    lost.append(name)
    return b""
