"""One picture at one quality, and the table of them that is kept on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from cwic.errors import InputError

OPTIONAL_COLUMN = "ssimulacra2"
DECIMALS = 6


class Row(NamedTuple):
    """What was measured. The field names are the columns of the TSV; `ssimulacra2` is one only where it was asked for.

    Attributes:
        settings: hex digits that stand for the description of the codec: its settings, versions and model.
        image: name, relative to the folder of the set.
        pixels_crc32: of the picture's samples, in hex.
        bytes: size of the whole file.
        bpp: bits per pixel of H*W.
        psnr_rgb_db: in dB, infinite for equal pictures.
        ms_ssim_rgb: in [0, 1], NaN for small pictures.
        ssimulacra2: 100 for equal pictures, 90 where the eye sees no difference, 30 for low quality; None if not asked.
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
    encode_s: float
    decode_s: float


_TEXTS = {"codec", "settings", "image", "pixels_crc32"}
_WHOLE = {"width", "height", "bytes"}


def columns(*, perceptual: bool) -> list[str]:
    """The names of the columns, with or without the optional one."""
    return [name for name in Row._fields if perceptual or name != OPTIONAL_COLUMN]


def to_tsv(rows: Iterable[Row], *, perceptual: bool) -> bytes:
    """The rows as text, under their column names, by quality and then by picture."""
    names = columns(perceptual=perceptual)
    lines = ["\t".join(names)]
    for row in sorted(rows, key=lambda row: (row.quality, row.image)):
        fields = row._asdict() | {"quality": f"{row.quality:g}"}
        texts = (
            f"{fields[name]:.{DECIMALS}f}" if isinstance(fields[name], float) else str(fields[name]) for name in names
        )
        lines.append("\t".join(texts))
    return ("\n".join(lines) + "\n").encode()


def read_tsv(data: bytes, *, perceptual: bool) -> tuple[list[Row], int]:
    """The rows of a table, and how many lines were damaged, as half-written ones are.

    Raises InputError: a table with other columns.
    """
    head, *lines = data.decode(errors="replace").split("\n")
    names = columns(perceptual=perceptual)
    if head.split("\t") != names:
        raise InputError("it has other columns than this run would write")
    rows, damaged = [], 0
    for number, line in enumerate(lines):
        row = _parse(line, names)
        # Even a whole row counts for nothing before its line end: its last number may lack digits.
        if row is not None and number < len(lines) - 1:
            rows.append(row)
        else:
            damaged += bool(line)
    return rows, damaged


def _parse(line: str, names: list[str]) -> Row | None:
    texts = line.split("\t")
    if len(texts) != len(names):
        return None
    try:
        fields = {name: _value(name, text) for name, text in zip(names, texts, strict=True)}
    except ValueError:
        return None
    sane = all(math.isfinite(fields[name]) for name in ("quality", "bpp", "encode_s", "decode_s"))
    return Row(**{OPTIONAL_COLUMN: None, **fields}) if sane else None


def _value(name: str, text: str) -> Any:
    if name in _TEXTS:
        return text
    return int(text) if name in _WHOLE else float(text)
