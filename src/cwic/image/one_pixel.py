"""Read the metadata of a PNG file without decoding its pixels: copy the file with a picture of one pixel."""

from __future__ import annotations

import os
import zlib
from itertools import groupby
from operator import itemgetter

from cwic.image.png_chunks import HEADER, SIGNATURE, chunk, chunks

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples a pixel of each colour type."""


def with_one_pixel(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a PNG file with all its chunks in their order, those behind the pixels too, but one black pixel.

    Reads the file to its end, and takes memory only for what is kept. Raises `ValueError` for a file that is not a
    whole PNG: a checksum is wrong, the end is missing, or the pixels are not in one place. OSErrors pass through.
    """
    with open(path, "rb") as file:
        runs = [(kind, [payload for _, payload in run]) for kind, run in groupby(chunks(file), key=itemgetter(0))]
    kinds = [kind for kind, _ in runs]
    first = runs[0][1][0]
    if kinds[0] != b"IHDR" or len(first) != HEADER.size or kinds.count(b"IDAT") != 1:
        raise ValueError("a PNG file begins with its header and has its pixels in one place")
    _, _, depth, colour, method, filters, _ = HEADER.unpack(first)
    if colour not in _SAMPLES:
        raise ValueError(f"PNG has no colour type {colour}")
    row = bytes(1 + -(-depth * _SAMPLES[colour] // 8))  # a filter, then the samples
    changed = {b"IHDR": [HEADER.pack(1, 1, depth, colour, method, filters, 0)], b"IDAT": [zlib.compress(row)]}
    return b"".join(
        [SIGNATURE, *(chunk(kind, payload) for kind, payloads in runs for payload in changed.get(kind, payloads))]
    )
