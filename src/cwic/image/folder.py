"""List the pictures of a folder, and read one of them, or its middle, as it would be coded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cwic.errors import InputError
from cwic.image.arrays import to_floats
from cwic.image.files import open_image
from cwic.image.picture import Picture, as_picture

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".ppm"}


def picture_files(folder: Path) -> list[Path]:
    """All picture files under `folder`, sorted. Raises `InputError` when there are none."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(f"no pictures under {folder}")
    return files


def read_picture(file: Path) -> Picture:
    """A picture file without alpha, as it would be coded. Raises `InputError`."""
    picture = as_picture(open_image(file))
    if picture.alpha is not None:
        raise InputError('picture has transparency, which no measure counts: drop it with image.convert("RGB") first')
    return picture


def middle(file: Path, side: int) -> NDArray[np.float32]:
    """Return the middle of a picture, at most `side` pixels a side: `[1, 3, h, w]` in [0, 1]."""
    pixels = to_floats(read_picture(file))
    top, left = (max(0, (length - side) // 2) for length in pixels.shape[2:])
    return pixels[..., top : top + side, left : left + side]
