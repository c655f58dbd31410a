"""The pictures that cwic does not code, and what to do with them instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cwic.errors import InputError
from cwic.image.guard import errors_as_ours
from cwic.image.source import frames_of, has_deep_samples, is_preview

if TYPE_CHECKING:
    from PIL import Image

_ADVICE = {
    "CMYK": 'is CMYK: convert it to RGB first, with its colour profile or with image.convert("RGB")',
    "F": "holds floats: scale it to 0..255 and save it with 8 bits per channel first",
    "I": "has more than 8 bits per channel: save it with 8 bits first",
    "LAB": "is L*a*b*: convert it to RGB first, with ImageCms.profileToProfile",
    "La": 'has premultiplied alpha: use image.convert("LA") first',
    "RGBa": 'has premultiplied alpha: use image.convert("RGBA") first',
}
_OTHER_MODES = ("HSV", "RGBX", "YCbCr")


def refuse_unsupported(image: Image.Image) -> None:
    """Raise InputError, with what to do, for a Pillow image that cwic does not code. Reads no pixels.

    Best called before the pixels are loaded: Pillow reduces many files of more than 8 bits silently then. Afterwards
    the file tells, where it can still be reached: not for a copy, or for what was opened from memory, PNG excepted.
    """
    with errors_as_ours("picture is damaged", image):
        frames = frames_of(image)
        preview = is_preview(image)
        deep = image.mode.startswith("I") or has_deep_samples(image)
    if frames > 1:
        raise InputError(f"picture has {frames} frames, cwic codes still ones: save one frame as PNG first")
    if preview:
        raise InputError("picture is the preview of a raw photograph: develop that first, and save it with 8 bits")
    if deep and image.mode != "F":
        raise InputError(f"picture {_ADVICE['I']}")
    if image.mode not in ("RGB", "RGBA", "L", "LA", "P", "PA", "1"):
        if image.mode not in _OTHER_MODES and image.mode not in _ADVICE:  # as the file has it
            raise InputError(f"picture is damaged: there is no mode {image.mode[:20]!r}")
        advice = _ADVICE.get(image.mode, f'has mode {image.mode}: use image.convert("RGB") first')
        raise InputError(f"picture {advice}")
