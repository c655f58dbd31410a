"""Decode large PNG and TIFF files by rows into a raw file and map it, so that no picture is in memory.

pyvips decodes. It is an extra; without it, or for any unusual file, this module does nothing: the code that
reads the file whole takes it or says what is wrong with it.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.image.exif import orientation_of
from cwic.image.files import open_image, open_unread
from cwic.image.metadata import Metadata, metadata_of
from cwic.image.one_pixel import with_one_pixel

LARGE = 1 << 24
"""Pictures of fewer pixels are read whole: that takes 7 bytes a pixel, and the work on a tile a gigabyte."""
_ROWS = 64
_LOADERS = {"PNG": "pngload_source", "TIFF": "tiffload_source"}
_LOSSLESS = {None, "raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate"}
"""Compressions of TIFF that both libraries undo, to the same samples; None for PNG."""
_TEMPORARY_VARIABLES = ("TMPDIR", "TEMP", "TMP")
_DISK = Path("/var/tmp")


class Streamed(NamedTuple):
    """A picture as `cwic.encode` takes it.

    Attributes:
        pixels: a memory map, uint8 `[H, W]`, or `[H, W, C]` of 2 (LA), 3 (RGB) or 4 (RGBA) channels. Its file has no
            name any more, and is gone when the map is, however the process ends.
        metadata: what reading the file whole would have kept; none with `upright`, which is for leaving them out.
    """

    pixels: NDArray[np.uint8]
    metadata: Metadata


def stream_picture(path: str | os.PathLike[str], *, upright: bool = False) -> Streamed | None:
    """The picture of a PNG or TIFF file of at least `LARGE` pixels, all of it intact.

    None for any other file: smaller ones, damaged ones, kinds of pixels that have to be converted, and those that
    their EXIF turns where that is to be done (`upright`; of TIFF files Pillow always does it). None too without
    pyvips, or without room for a temporary file. It goes where TMPDIR says, or to /var/tmp, which unlike /tmp is never
    in memory.

    Raises `InputError` and `LimitError` as `open_image`, before any pixel is decoded.
    """
    with open_unread(path) as image:
        try:
            if image.width * image.height < LARGE or not _is_plain(image):
                return None
            described = open_image(with_one_pixel(path)) if image.format == "PNG" else image
            if (upright or image.format == "TIFF") and orientation_of(described) != 1:
                return None
            pixels = _decode(path, image)
        except Exception:  # whoever reads it whole says what is wrong
            return None
        if pixels is None:
            return None
        return Streamed(pixels, Metadata() if upright else metadata_of(described))


def _is_plain(image: Image.Image) -> bool:
    """Return whether the samples in the file are those of the picture, without conversion or loss."""
    if image.format not in _LOADERS or image.mode not in ("L", "LA", "RGB", "RGBA"):
        return False
    arguments = [tile[3] for tile in getattr(image, "tile", [])]
    kinds = {argument if isinstance(argument, str) else argument[0] for argument in arguments}
    return (
        kinds == {image.mode}
        and image.has_transparency_data == image.mode.endswith("A")
        and image.info.get("compression") in _LOSSLESS
    )


def _decode(path: str | os.PathLike[str], image: Image.Image) -> NDArray[np.uint8] | None:
    """The pixels of a file, mapped. None without pyvips, and where it finds a fault in the file."""
    try:
        import pyvips
    except (ImportError, OSError):
        return None
    channels = len(image.getbands())
    with open(path, "rb") as file, TemporaryFile(dir=_temporary_folder(), prefix="cwic-") as raw:
        try:
            source = pyvips.Source.new_from_descriptor(file.fileno())
            load = getattr(pyvips.Image, _LOADERS[str(image.format)])
            decoded: Any = load(source, access="sequential", fail_on="error")
            if (decoded.width, decoded.height, decoded.bands, decoded.format) != (*image.size, channels, "uchar"):
                return None
            rows = pyvips.Region.new(decoded)
            for top in range(0, image.height, _ROWS):
                raw.write(rows.fetch(0, top, image.width, min(_ROWS, image.height - top)))
        except pyvips.Error:
            return None
        raw.flush()
        shape = (image.height, image.width, channels)
        return np.memmap(raw, np.uint8, "r", shape=shape[:2] if channels == 1 else shape)


def _temporary_folder() -> Path | None:
    """Return the folder for a large temporary file; None for the system's usual place."""
    chosen = any(os.environ.get(name) for name in _TEMPORARY_VARIABLES)
    return None if chosen or not os.access(_DISK, os.W_OK) else _DISK
