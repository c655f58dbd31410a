"""Save pictures in the formats that Pillow writes. Whatever a format cannot hold is left out, and named."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

from cwic.image import png
from cwic.image.exif import EXIF_PREFIX, dots_per_inch, is_exif, orientation_of, resolution_in
from cwic.image.guard import errors_as_ours
from cwic.image.metadata import Metadata, turned

if TYPE_CHECKING:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

_OPTIONS = {"icc": "icc_profile", "exif": "exif", "xmp": "xmp"}
_NAMES = {"icc": "the ICC profile", "exif": "EXIF", "xmp": "XMP"}
_HOLDERS = {"PNG", "JPEG", "WEBP", "TIFF", "AVIF"}
_WITH_RESOLUTION = {"PNG", "JPEG", "TIFF", "BMP", "DIB"}
_TIFF_XMP, _EXIF_DIRECTORY, _INTEROPERABILITY = 700, 0x8769, 0xA005
_SIDE = 16
"""Of a picture to try a format with, in pixels."""


class Coded(NamedTuple):
    """A file.

    Attributes:
        data: its bytes.
        lost: what its format could not hold, in words.
        is_turned: whether the pixels are turned, as nothing in the file could say how they lie.
    """

    data: memoryview
    lost: list[str]
    is_turned: bool


def code_as(image: Image.Image, format: str, more: dict[str, Any] | None = None) -> Coded:
    """A picture with its metadata as a file of Pillow's `format`, saved with `more` options.

    Metadata and alpha never cost a picture: what the format, or Pillow, does not take is left out. If that is what
    says how the picture is to be turned, it is turned. Raises `InputError` if the format cannot hold the pixels.
    """
    with errors_as_ours(f"cannot save as {format}"):
        return _code_as(image, format, more or {})


def _code_as(image: Image.Image, format: str, more: dict[str, Any]) -> Coded:
    given = Metadata.from_info(image.info)
    metadata, lost = _bearable(given, image.mode, format)
    orientation = given.orientation
    turn = orientation != metadata.orientation
    if turn:
        image = turned(image, orientation)
        if metadata.orientation != 1:  # XMP that contradicts EXIF, which is gone
            metadata = metadata._replace(xmp=b"")
            lost.append(_NAMES["xmp"])

    alpha = _alpha_lost(image.mode, format)
    if alpha is not None:
        lost.append(alpha)
    if alpha == _ALL_ALPHA:
        image = image.convert(image.mode.removesuffix("A"))

    options, _ = save_options(metadata, format)
    dpi = dots_per_inch(resolution_in(given.exif))
    if dpi is not None and format in _WITH_RESOLUTION:
        options["dpi"] = dpi[::-1] if turn and orientation > 4 else dpi
    data = _saved(image, format, options | more)
    return Coded(data.getbuffer(), lost + _pixels_lost(image, data), turn)


def save_options(metadata: Metadata, format: str) -> tuple[dict[str, Any], list[str]]:
    """Return Pillow's options that keep metadata in a `format`, and the names of what the format cannot hold."""
    given = {name: value for name, value in metadata._asdict().items() if value}
    if format not in _HOLDERS:
        return {}, [_NAMES[name] for name in given]
    lost = []
    if metadata.exif and not is_exif(metadata.exif):
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
        except Exception:  # Pillow reads EXIF here, and damaged EXIF can make it raise anything
            options.pop("exif", None)
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
    if _INTEROPERABILITY in tags.get_ifd(_EXIF_DIRECTORY):  # which Pillow would write as a place in the old file
        tags.get_ifd(_EXIF_DIRECTORY)[_INTEROPERABILITY] = tags.get_ifd(_INTEROPERABILITY)
    if xmp:
        tags[_TIFF_XMP] = xmp
    return tags


def _bearable(metadata: Metadata, mode: str, format: str) -> tuple[Metadata, list[str]]:
    """Return the metadata that survive writing and reading a small file, and the names of the rest."""
    lost: list[str] = []
    for name, value in metadata._asdict().items():
        alone = Metadata(**{name: value})
        if value and (save_options(alone, format)[1] or not _is_borne(alone, mode, format)):
            metadata = metadata._replace(**{name: b""})
            lost.append(_NAMES[name])
    return metadata, lost


def _is_borne(metadata: Metadata, mode: str, format: str) -> bool:
    from PIL import Image

    small = Image.new(mode.removesuffix("A"), (_SIDE, _SIDE))
    try:
        back = Image.open(_saved(small, format, save_options(metadata, format)[0]))
        back.load()
    except Exception:
        return False
    # Pillow writes some that it cannot read again.
    return (back.info.get("icc_profile") or b"", back.info.get("xmp") or b"") == (metadata.icc, metadata.xmp)


_ALL_ALPHA = "alpha"
_MOST_ALPHA = "more than one bit of alpha"


def _alpha_lost(mode: str, format: str) -> str | None:
    """Describe what a format does to alpha, tried with many levels; None if alpha is kept or the trial fails."""
    from PIL import Image

    if not mode.endswith("A"):
        return None
    levels = Image.frombytes("L", (_SIDE, _SIDE), bytes([*[0] * 64, *range(64, 192), *[255] * 64]))
    small = Image.new(mode.removesuffix("A"), (_SIDE, _SIDE))
    try:
        _saved(small, format, {})
    except Exception:
        return None  # nor does it take the colours
    small.putalpha(levels)
    try:
        data = _saved(small, format, {})
    except Exception:
        return _ALL_ALPHA
    try:
        back = Image.open(data)
        back.load()
    except Exception:
        return None  # a format that is only written
    if not back.has_transparency_data:
        return _ALL_ALPHA
    return _MOST_ALPHA if len(back.convert("RGBA").getchannel("A").getcolors() or ()) <= 2 else None


def _pixels_lost(image: Image.Image, data: BytesIO) -> list[str]:
    """Describe from the head of a file what the format did to a picture."""
    from PIL import Image

    try:
        head = Image.open(BytesIO(data.getbuffer()))
        size, mode = head.size, head.mode
    except Exception:
        return []  # a format that is only written
    lost = []
    # Of a TIFF file, Pillow tells the size that its orientation gives it.
    if size != image.size and not (head.format == "TIFF" and orientation_of(head) > 4 and size[::-1] == image.size):
        lost.append(f"{image.width}x{image.height} pixels ({size[0]}x{size[1]} are kept)")
    if mode == "P" and image.convert(image.mode.removesuffix("A")).getcolors(256) is None:
        lost.append("more than 256 colours")
    return lost


def _saved(image: Image.Image, format: str, options: dict[str, Any]) -> BytesIO:
    """A file with what the options say, and nothing of what the image carries. Raises whatever Pillow does."""
    coded, info = BytesIO(), image.info
    try:
        image.info = {}
        if format == "PNG":
            return png.code_png(image, options)
        image.save(coded, format=format, **options)
    finally:
        image.info = info
    coded.seek(0)
    return coded
