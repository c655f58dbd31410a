"""What a picture file says besides its pixels: colour profile, EXIF and XMP, kept byte for byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from cwic.container.chunks import EXIF, ICC, XMP, Chunk
from cwic.errors import InputError

if TYPE_CHECKING:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

EXIF_PREFIX = b"Exif\0\0"
DAMAGE = (ArithmeticError, LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error)
"""What reading EXIF that is none can end in."""
_TIFF_STARTS = (b"II*\0", b"MM\0*")
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


class Metadata(NamedTuple):
    """Bytes as they are in files; empty where there are none.

    icc    ICC profile
    exif   EXIF, from its TIFF header, without the prefix `Exif\\0\\0`
    xmp    XMP packet, UTF-8
    """

    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""

    def to_chunks(self) -> list[Chunk]:
        """The chunks of a file."""
        pairs = zip((ICC, EXIF, XMP), self, strict=True)
        return [Chunk(type, payload) for type, payload in pairs if payload]

    @classmethod
    def from_payloads(cls, payloads: Mapping[str, bytes]) -> Metadata:
        """What the chunks of a file hold, by their types."""
        return cls(*(payloads.get(type, b"") for type in (ICC, EXIF, XMP)))

    @classmethod
    def from_info(cls, info: Mapping[Any, Any]) -> Metadata:
        """The inverse of `info`: what a decoded image carries, as it was in its file, be it valid or not."""
        return cls(info.get("icc_profile", b""), info.get("exif", b"").removeprefix(EXIF_PREFIX), info.get("xmp", b""))

    @property
    def info(self) -> dict[str | tuple[int, int], bytes]:
        """As Pillow keeps it in `image.info`."""
        pairs: dict[str | tuple[int, int], bytes] = {
            "icc_profile": self.icc,
            "exif": self.exif and EXIF_PREFIX + self.exif,
            "xmp": self.xmp,
        }
        return {key: value for key, value in pairs.items() if value}


def metadata_of(image: Any) -> Metadata:
    """What Pillow read with a picture; nothing for an array.

    Raises `InputError` for values that are not bytes, or EXIF that is none.
    """
    if not hasattr(image, "info"):
        return Metadata()
    xmp = image.info.get("xmp")
    if image.format == "TIFF" and "exif" not in image.info:
        exif = _exif_of_tiff(image)
    else:
        exif = image.info.get("exif") or b""
    return make_metadata(image.info.get("icc_profile"), exif, xmp)


def upright(image: Any) -> Any:
    """A Pillow image turned as its EXIF says; anything else as it is. Raises `InputError` for a damaged file."""
    if not hasattr(image, "info"):
        return image
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"picture is damaged: {error}") from error


def make_metadata(icc: Any = None, exif: Any = None, xmp: Any = None) -> Metadata:
    """Metadata from what Pillow's users give: bytes, a text as XMP, an `Image.Exif`; None for nothing.

    EXIF may have its prefix. Raises `InputError` for anything else, and for EXIF without a TIFF header.
    """
    if isinstance(xmp, str):
        xmp = xmp.encode()
    if exif is not None and hasattr(exif, "tobytes") and not isinstance(exif, memoryview):
        exif = exif.tobytes() if len(exif) else b""
    values = {"icc_profile": icc, "exif": exif, "xmp": xmp}
    for name, value in values.items():
        if value is not None and not isinstance(value, bytes | bytearray | memoryview):
            raise InputError(f"{name} must be bytes, not {type(value).__name__}")
    icc, exif, xmp = (bytes(value or b"") for value in values.values())
    exif = exif.removeprefix(EXIF_PREFIX)
    if exif and not exif.startswith(_TIFF_STARTS):
        raise InputError("exif has no TIFF header: it is damaged; --strip, or strip=True, leaves metadata out")
    return Metadata(icc, exif, xmp)


def save_options(metadata: Metadata, format: str) -> tuple[dict[str, Any], list[str]]:
    """How Pillow is told to keep metadata in a file of `format`, and the names of what that format cannot hold."""
    given = {name: value for name, value in metadata._asdict().items() if value}
    if format not in _HOLDERS:
        return {}, [_NAMES[name] for name in given]
    lost = []
    if metadata.exif and not metadata.exif.startswith(_TIFF_STARTS):
        lost.append(_NAMES["exif"])
        del given["exif"]
        metadata = metadata._replace(exif=b"")
    options: dict[str, Any] = {_OPTIONS[name]: value for name, value in given.items()}
    if format == "JPEG" and metadata.exif:
        options["exif"] = EXIF_PREFIX + metadata.exif
    if format == "PNG" and metadata.xmp:
        try:
            options["pnginfo"] = _png_text(options.pop("xmp").decode())
        except UnicodeDecodeError:
            lost.append(_NAMES["xmp"])
    if format == "TIFF" and (metadata.exif or metadata.xmp):
        try:
            options["exif"] = _tiff_tags(metadata.exif, options.pop("xmp", b""))
        except DAMAGE:
            del options["exif"]
            lost.append(_NAMES["exif"])
    return options, lost


def _png_text(xmp: str) -> PngInfo:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp)
    return text


def _tiff_tags(exif: bytes, xmp: bytes) -> Image.Exif:
    """A TIFF file is its own EXIF, and XMP one of its tags."""
    from PIL import Image

    tags = Image.Exif()
    tags.load(exif)
    if xmp:
        tags[_TIFF_XMP] = xmp
    return tags


_OPTIONS = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}
_NAMES = {"icc": "the ICC profile", "exif": "EXIF", "xmp": "XMP"}
_HOLDERS = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF"}
_TIFF_XMP = 700


def _exif_of_tiff(image: Image.Image) -> bytes:
    """The descriptive tags of a TIFF file, which is its own EXIF. Pillow has turned the pixels upright by then."""
    try:
        exif = image.getexif()
        for tag in set(exif) & _TIFF_STRUCTURE:
            del exif[tag]
        return exif.tobytes() if len(exif) else b""
    except DAMAGE:
        return b""
