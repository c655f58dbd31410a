"""Metadata of a picture: colour profile, EXIF and XMP, kept byte for byte."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from cwic.container.chunks import EXIF, ICC, XMP, Chunk
from cwic.errors import InputError
from cwic.image.exif import EXIF_PREFIX, cleaned, orientation_of
from cwic.image.guard import errors_as_ours
from cwic.image.losses import warn_of
from cwic.image.refusals import refuse_unsupported
from cwic.image.source import remember_file


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
        """Return the metadata as the chunks of a file."""
        pairs = zip((ICC, EXIF, XMP), self, strict=True)
        return [Chunk(type, payload) for type, payload in pairs if payload]

    @classmethod
    def from_payloads(cls, payloads: Mapping[str, bytes]) -> Metadata:
        """Make metadata of the payloads of a file's chunks, by their types."""
        return cls(*(payloads.get(type, b"") for type in (ICC, EXIF, XMP)))

    @classmethod
    def from_info(cls, info: Mapping[Any, Any]) -> Metadata:
        """Make metadata of a decoded image's `info`, valid or not: the inverse of `info`."""
        return cls(info.get("icc_profile", b""), info.get("exif", b"").removeprefix(EXIF_PREFIX), info.get("xmp", b""))

    @property
    def info(self) -> dict[str | tuple[int, int], bytes]:
        """The metadata as Pillow keeps it in `image.info`."""
        pairs: dict[str | tuple[int, int], bytes] = {
            "icc_profile": self.icc,
            "exif": self.exif and EXIF_PREFIX + self.exif,
            "xmp": self.xmp,
        }
        return {key: value for key, value in pairs.items() if value}

    @property
    def orientation(self) -> int:
        """The orientation that EXIF, or else XMP, gives the picture, 1 to 8; 1 if neither can be read."""
        from PIL import Image

        carrier = Image.new("L", (1, 1))
        carrier.info.update(self.info)
        return orientation_of(carrier)


def metadata_of(image: Any, without: Collection[str] = ()) -> Metadata:
    """Return the metadata of a Pillow image; empty for an array.

    Resolution becomes EXIF where there is no other, and colours that a PNG, AVIF, BMP or TIFF file tells without an ICC
    profile become one. All that is left out, be it damaged or without a place in cwic's files, is named in a
    `LossWarning`: metadata never cost a picture.

    Args:
        image: Pillow's image, or an array.
        without: of icc, exif and xmp, what is not wanted, and not looked at.

    Raises `InputError` for a damaged file whose pixels were not loaded yet.
    """
    if not hasattr(image, "info"):
        return Metadata()
    from cwic.image.gather import gather

    with errors_as_ours("picture is damaged", image):
        found, lost = gather(image, without)
    warn_of(lost)
    return Metadata(**found)


def upright(image: Any) -> Any:
    """Turn a Pillow image upright as its EXIF says; return anything else as it is.

    Raises `InputError` for a damaged file, and for a picture that cwic does not code, which the turned one would hide.
    """
    if not hasattr(image, "info"):
        return image
    from cwic.image.gather import gather

    refuse_unsupported(image)
    remember_file(image)
    with errors_as_ours("picture is damaged", image):
        image.load()  # turns a TIFF by itself
        found, _ = gather(image, without=("icc",))
        return turned(image, Metadata(**found).orientation)


def turned(image: Any, orientation: int) -> Any:
    """Turn a Pillow image by an orientation, 1 to 8; 1 leaves it as it is. Its metadata do not change."""
    from PIL import Image

    how = Image.Transpose
    turns = [how.FLIP_LEFT_RIGHT, how.ROTATE_180, how.FLIP_TOP_BOTTOM, how.TRANSPOSE, how.ROTATE_270, how.TRANSVERSE]
    turns.append(how.ROTATE_90)
    return image if orientation == 1 else image.transpose(turns[orientation - 2])


def make_metadata(icc: Any = None, exif: Any = None, xmp: Any = None) -> Metadata:
    """Make metadata of the values that Pillow takes: bytes, a text as XMP, an `Image.Exif`; None for none.

    EXIF may have its prefix. Raises `InputError` for anything else, and for EXIF without a TIFF header.
    """
    from PIL import Image

    values = {"icc_profile": icc, "exif": exif, "xmp": xmp}
    if isinstance(exif, Image.Exif):
        with errors_as_ours("exif cannot be written; give other bytes, or None"):
            values["exif"] = exif.tobytes() if len(exif) else b""
    if isinstance(xmp, str):
        values["xmp"] = xmp.encode(errors="replace")
    for name, value in values.items():
        if value is not None and not isinstance(value, bytes | bytearray | memoryview):
            raise InputError(f"{name} must be bytes, not {type(value).__name__}")
    icc, exif, xmp = (bytes(value or b"") for value in values.values())
    clean = cleaned(exif)
    if clean is None:
        raise InputError("exif has no TIFF header: it is damaged; give other bytes, or None to leave it out")
    return Metadata(icc, clean, xmp)
