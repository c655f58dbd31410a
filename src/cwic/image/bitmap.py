"""Read the colours in the header of a BMP file, which Pillow ignores: a profile, or primaries and gammas."""

from __future__ import annotations

import os
import struct
from typing import IO, Any, NamedTuple

from cwic.image.profile import SRGB_PRIMARIES
from cwic.image.source import file_of

_FILE_HEADER = 14
_VERSION_4, _VERSION_5 = 108, 124
_CALIBRATED, _LINKED, _EMBEDDED = 0, int.from_bytes(b"LINK", "big"), int.from_bytes(b"MBED", "big")
"""Kinds of colours. Others are sRGB, by the file's word or as those of Windows."""
_COLOURS = struct.Struct("<I9I3I")
_PROFILE = struct.Struct("<II")
_LARGEST = 64 << 20


class BitmapColours(NamedTuple):
    """Colour information in a header; fields are empty where the header says nothing.

    icc         the ICC profile in the file
    gamma       as gAMA of a PNG has it, 1 / 2.2 for a usual screen
    primaries   as cHRM has them: x and y of white, red, green and blue
    lost        the name of what is told but not here, or in no way that can be kept
    """

    icc: bytes = b""
    gamma: float | None = None
    primaries: tuple[float, ...] | None = None
    lost: str = ""


def colours_of_bitmap(image: Any) -> BitmapColours:
    """Nothing for files of other formats, and for those that can be reached no more."""
    if image.format not in ("BMP", "DIB"):
        return BitmapColours()
    with file_of(image) as file:
        if file is None:
            return BitmapColours()
        try:
            return _colours(file, _FILE_HEADER if image.format == "BMP" else 0)
        except (OSError, ValueError, struct.error):
            return BitmapColours()


def _colours(file: IO[bytes], start: int) -> BitmapColours:
    file.seek(start)
    header = file.read(_VERSION_5)
    size = int.from_bytes(header[:4], "little")
    if size < _VERSION_4:
        return BitmapColours()
    kind, *numbers = _COLOURS.unpack_from(header, 56)
    if kind == _CALIBRATED:
        return _calibrated(numbers[:9], numbers[9:])
    if size < _VERSION_5 or kind not in (_LINKED, _EMBEDDED):
        return BitmapColours()
    if kind == _LINKED:
        return BitmapColours(lost="the ICC profile (it is in another file)")
    place, length = _PROFILE.unpack_from(header, 112)
    end = file.seek(0, os.SEEK_END)
    if not 0 < length <= _LARGEST or start + place + length > end:
        return BitmapColours(lost="the ICC profile (it is damaged)")
    file.seek(start + place)
    return BitmapColours(icc=file.read(length))


def _calibrated(ends: list[int], gammas: list[int]) -> BitmapColours:
    """From X, Y and Z of red, green and blue, and the gamma of each. Zeros, as most programs write, say nothing."""
    gamma = None
    if any(gammas):
        gamma = gammas[0] / (1 << 16)
        if len(set(gammas)) > 1 or not 1 <= gamma <= 10:
            return BitmapColours(lost="its calibrated colours")
    if not any(ends):
        return BitmapColours(gamma=gamma and 1 / gamma)
    points = [[value / (1 << 30) for value in ends[i : i + 3]] for i in (0, 3, 6)]
    sums = [sum(point) for point in points]
    if not all(sums):
        return BitmapColours(lost="its calibrated colours")
    white = SRGB_PRIMARIES[:2]
    if any(abs(total - 1) > 0.02 for total in sums):  # not just where the colours lie, but how much of them is white
        whole = [sum(axis) for axis in zip(*points, strict=True)]
        white = whole[0] / sum(whole), whole[1] / sum(whole)
    chromaticities = [part / total for point, total in zip(points, sums, strict=True) for part in point[:2]]
    return BitmapColours(gamma=gamma and 1 / gamma, primaries=(*white, *chromaticities))
