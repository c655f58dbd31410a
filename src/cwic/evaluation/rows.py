"""A measurement of one picture at one quality, and the table of measurements on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from cwic.errors import InputError

OPTIONAL = ("ssimulacra2", "butteraugli")
"""Measures that are taken only where they are asked for."""
DECIMALS = 6


class Row(NamedTuple):
    """One measurement. The field names are the columns of the TSV; those of `OPTIONAL` only where a row has a value.

    Attributes:
        settings: hex digits that stand for the description of the codec: its settings, versions and model.
        image: name, relative to the folder of the set.
        pixels_crc32: of the picture's samples, in hex.
        bytes: size of the whole file.
        bpp: bits per pixel of H*W.
        psnr_rgb_db: in dB, infinite for equal pictures.
        ms_ssim_rgb: in [0, 1], NaN for small pictures.
        ssimulacra2: 100 for equal pictures, 90 where the eye sees no difference, 30 for low quality; NaN for small
            pictures, None if not asked.
        butteraugli: the 3-norm, 0 for equal pictures, 1 where the eye hardly sees a difference; None if not asked.
        encode_s, decode_s: wall seconds from pixels in memory to a file in memory, and back.
    """

    codec: str
    settings: str
    quality: float
    image: str
    pixels_crc32: str
    width: int
    height: int
    bytes: int
    bpp: float
    psnr_rgb_db: float
    ms_ssim_rgb: float
    ssimulacra2: float | None
    butteraugli: float | None
    encode_s: float
    decode_s: float


_TEXTS = {"codec", "settings", "image", "pixels_crc32"}
_WHOLE = {"width", "height", "bytes"}


def to_tsv(rows: Iterable[Row]) -> bytes:
    """The rows as text, under their column names, by quality and then by picture."""
    rows = sorted(rows, key=lambda row: (row.quality, row.image))
    unused = {name for name in OPTIONAL if all(getattr(row, name) is None for row in rows)}
    names = [name for name in Row._fields if name not in unused]
    lines = ["\t".join(names), *("\t".join(_text(name, getattr(row, name)) for name in names) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def read_tsv(data: bytes) -> list[Row]:
    """The rows of a table.

    Raises InputError: a table with other columns, or with a damaged line.
    """
    head, *lines = data.decode(errors="replace").removesuffix("\n").split("\n")
    names = head.split("\t")
    if names != [name for name in Row._fields if name not in OPTIONAL or name in names]:
        raise InputError("it has other columns than this run would write")
    return [_parsed(number, line, names) for number, line in enumerate(lines, start=2)]


def _parsed(number: int, line: str, names: list[str]) -> Row:
    try:
        fields = {name: _value(name, text) for name, text in zip(names, line.split("\t"), strict=True)}
        if not all(math.isfinite(fields[name]) for name in ("quality", "bpp", "encode_s", "decode_s")):
            raise ValueError
    except (ValueError, TypeError):
        raise InputError(f"line {number} is damaged") from None
    return Row(**{**dict.fromkeys(OPTIONAL), **fields})


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "quality":
        return f"{value:g}"
    return f"{value:.{DECIMALS}f}" if isinstance(value, float) else str(value)


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    if name in OPTIONAL and not text:
        return None
    return int(text) if name in _WHOLE else float(text)
