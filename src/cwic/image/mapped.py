"""Map raw picture files into memory, so that tiles fetch only the pixels they need."""

from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from cwic.image.source import is_netpbm

_SPACE = rb"(?:\s|#[^\n\r]*[\n\r])+"
_HEAD = re.compile(rb"P([56])" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"255\s")
_HEAD_BYTES = 1 << 12


def map_pixels(path: str | os.PathLike[str]) -> NDArray[np.uint8] | None:
    """The pixels of a binary PPM `[H, W, 3]` or PGM `[H, W]` of 8 bits a sample, read-only, as a memory map.

    None for any other file, for one with more pictures, and for one that is cut short or cannot be read: whoever reads
    it properly says why.
    """
    try:
        with open(path, "rb") as file:
            head = _HEAD.match(file.read(_HEAD_BYTES))
            size = os.fstat(file.fileno()).st_size
            if head is None:
                return None
            width, height = int(head[2]), int(head[3])
            shape = (height, width, 3) if head[1] == b"6" else (height, width)
            end = head.end() + int(np.prod(shape, dtype=object))
            if not width or not height or end > size:
                return None
            file.seek(end)
            if is_netpbm(file.read(3)):
                return None
            return np.memmap(file, np.uint8, "r", head.end(), shape)
    except (OSError, ValueError):
        return None
