"""All that Pillow read with a picture, sorted: what a file of cwic keeps, and what it cannot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from cwic.image import exif as exif_room
from cwic.image import profile, xmp
from cwic.image.boxes import metadata_in_boxes
from cwic.image.files import UNREAD
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
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


class Found(NamedTuple):
    """What is kept, by the names icc, exif and xmp, and the names of what is not."""

    kept: dict[str, bytes]
    lost: list[str]


def gather(image: Any, without: Collection[str] = ()) -> Found:
    """Of a Pillow image whose pixels are loaded; `without` looks at no icc, exif or xmp. Raises nothing of its own."""
    lost: list[str] = list(getattr(image, UNREAD, []))
    elsewhere, texts = _texts(image)
    elsewhere |= metadata_in_boxes(image)
    kept = {}
    for name, of in _READERS.items():
        kept[name] = b"" if name in without else of(image, elsewhere, lost)
    lost += _others(image, texts)
    return Found(kept, lost)


def _icc(image: Any, elsewhere: Mapping[str, bytes], lost: list[str]) -> bytes:
    icc = _bytes(image.info.get("icc_profile") or elsewhere.get("icc"))
    mode = "L" if image.mode in ("L", "LA", "1") else "RGB"
    if icc is None or (not icc and "icc_profile" in image.info):  # Pillow has None for one that it cannot unpack
        lost.append("the ICC profile (it is damaged)")
    if not icc:
        return _told(image, mode, lost)
    fault = profile.mismatch(icc, mode)
    if fault is None:
        return icc
    if profile.is_profile(icc):
        return _nothing(f"the ICC profile (it is {fault})", lost)
    return icc


def _told(image: Any, mode: str, lost: list[str]) -> bytes:
    """A profile of colours that are told in another way; empty for those that need none."""
    info = image.info
    name = "gAMA and cHRM"
    try:
        points = code_points(image)
        if points is not None:
            name = f"its colours (primaries {points[0]}, transfer {points[1]} of H.273)"
            colour = profile.of_code_points(*points)
        elif "srgb" in info:
            return b""
        else:
            colour = profile.of_gamma(info.get("gamma"), info.get("chromaticity"))
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


def _texts(image: Any) -> tuple[dict[str, bytes], list[str]]:
    """Metadata in texts of a PNG file, and the names of its other texts."""
    found: dict[str, bytes] = {}
    others = []
    for name, text in (getattr(image, "text", None) or {}).items():
        held = raw_profile(name, text) if isinstance(text, str) else None
        if held is not None:
            found.setdefault(*held)
        elif name != "XML:com.adobe.xmp":
            others.append(name)
    return found, others


def _others(image: Any, texts: list[str]) -> list[str]:
    """What no file of cwic has a place for."""
    lost = []
    if texts:
        lost.append(_list("texts", texts))
    chunks = [chunk[0] for chunk in getattr(image, "private_chunks", []) if chunk[0][:2] != b"fd"]
    if chunks:
        lost.append(_list("chunks", [chunk.decode("latin-1") for chunk in chunks]))
    segments = [name for name, data in getattr(image, "applist", []) if name != "COM" and not data.startswith(_KNOWN)]
    if segments:
        lost.append(_list("segments", segments))
    extension = image.info.get("extension")
    if image.format == "GIF" and isinstance(extension, tuple) and extension[0] not in _GIF_LOOPS:
        lost.append(_list("an extension", [bytes(extension[0]).decode("latin-1")]))
    if image.info.get("comment"):
        lost.append("a comment")
    if image.info.get("photoshop"):
        lost.append("Photoshop's resources, IPTC among them")
    if image.format == "MPO" and getattr(image, "n_frames", 1) > 1:
        lost.append("the further pictures of a multi-picture file")
    return lost


def _list(what: str, names: list[str]) -> str:
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
