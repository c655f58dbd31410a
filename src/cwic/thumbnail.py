"""Make thumbnails for desktops: small, upright, in sRGB, as PNG."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageCms, ImageOps

from cwic.codec import decode
from cwic.config import PREVIEW_SCALES
from cwic.info import read_info


def thumbnail_of(data: bytes, size: int) -> bytes:
    """A PNG of at most `size` pixels a side of the file in `data`. Raises as `cwic.decode`.

    It is decoded small where the small picture has at least `size` pixels on its longest side.
    """
    found = read_info(data)
    longest = max(found.width, found.height)
    scale = max((scale for scale in PREVIEW_SCALES if longest >= size * scale), default=1)
    image = _in_srgb(decode(data, scale=scale))
    ImageOps.exif_transpose(image, in_place=True)
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.info.clear()
    image.save(file, "PNG")
    return file.getvalue()


def _in_srgb(image: Image.Image) -> Image.Image:
    """The picture without its profile; as it is where that cannot be used."""
    profile = image.info.get("icc_profile")
    if profile is None:
        return image
    try:
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode=image.mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return image if converted is None else converted
