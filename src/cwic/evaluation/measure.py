"""Rate, distortion and time of codecs: one row a picture and quality, and means over the pictures.

The conditions are those of docs/test-conditions.md.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple

from cwic import __version__
from cwic.errors import CwicError
from cwic.evaluation.codecs import Codec
from cwic.evaluation.metrics import ms_ssim, psnr
from cwic.image.picture import Picture


class Row(NamedTuple):
    """One picture at one quality. The field names are the columns of the TSV.

    Attributes:
        bytes: size of the whole file.
        bpp: bits per pixel of H*W.
        psnr_rgb_db: in dB, infinite for equal pictures.
        ms_ssim_rgb: in [0, 1], NaN for small pictures.
        encode_s, decode_s: wall seconds from pixels in memory to a file in memory, and back.
    """

    codec: str
    quality: float
    image: str
    width: int
    height: int
    bytes: int
    bpp: float
    psnr_rgb_db: float
    ms_ssim_rgb: float
    encode_s: float
    decode_s: float


class Point(NamedTuple):
    """Means over the pictures at one quality."""

    quality: float
    bpp: float
    psnr_rgb_db: float
    ms_ssim_rgb: float
    encode_s: float
    decode_s: float

    def results(self) -> dict[str, float | None]:
        """The means under the names of the summary; None for what JSON has no number for."""
        named = {
            "bpp": self.bpp,
            "psnr-rgb": self.psnr_rgb_db,
            "ms-ssim-rgb": self.ms_ssim_rgb,
            "encoding_time": self.encode_s,
            "decoding_time": self.decode_s,
        }
        return {key: value if math.isfinite(value) else None for key, value in named.items()}


def measure_picture(codec: Codec, qualities: Sequence[float], image: str, picture: Picture) -> list[Row]:
    """Code one picture at every quality, after one run at the first of them that is not timed.

    Raises CwicError, of the kind that the codec raised, when any of them fails.
    """
    rows = []
    quality = qualities[0]
    try:
        codec.decode(codec.encode(picture.pixels, quality))
        for quality in qualities:
            rows.append(_measure(codec, quality, image, picture))
    except CwicError as error:
        raise type(error)(f"{codec.name} at quality {quality:g}: {error}") from error
    return rows


def means(rows: Iterable[Row]) -> list[Point]:
    """Means over the pictures, one point a quality in rising order; MS-SSIM over those where it is defined."""
    by_quality: dict[float, list[Row]] = {}
    for row in rows:
        by_quality.setdefault(row.quality, []).append(row)
    return [
        Point(
            quality,
            fmean(row.bpp for row in group),
            fmean(row.psnr_rgb_db for row in group),
            fmean([row.ms_ssim_rgb for row in group if not math.isnan(row.ms_ssim_rgb)] or [math.nan]),
            fmean(row.encode_s for row in group),
            fmean(row.decode_s for row in group),
        )
        for quality, group in sorted(by_quality.items())
    ]


def to_tsv(rows: Iterable[Row]) -> bytes:
    """The rows as text, under their column names, by quality and then by picture."""
    lines = ["\t".join(Row._fields)]
    for row in sorted(rows, key=lambda row: (row.quality, row.image)):
        # No file name may break the table.
        fields = row._asdict() | {"quality": f"{row.quality:g}", "image": " ".join(row.image.split())}
        texts = (f"{value:.6f}" if isinstance(value, float) else str(value) for value in fields.values())
        lines.append("\t".join(texts))
    return ("\n".join(lines) + "\n").encode()


def to_summary(codec: Codec, points: Sequence[Point], meta: dict[str, Any]) -> bytes:
    """The means as JSON: name, description, meta, and one list a result, one entry a quality."""
    results = [point.results() for point in points]
    summary = {
        "name": codec.name,
        "description": codec.description,
        "meta": {**meta, "quality": [point.quality for point in points]},
        "results": {key: [entry[key] for entry in results] for key in results[0]},
    }
    return (json.dumps(summary, indent=2, allow_nan=False) + "\n").encode()


def environment() -> dict[str, Any]:
    """What times, and the last digits of the rest, depend on."""
    import torch

    packages = ("numpy", "pillow", "torch", "pytorch-msssim")
    return {
        "versions": {"cwic": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _measure(codec: Codec, quality: float, image: str, picture: Picture) -> Row:
    start = perf_counter()
    data = codec.encode(picture.pixels, quality)
    encoded = perf_counter()
    x_hat = codec.decode(data)
    decoded = perf_counter()

    x = picture.rgb
    return Row(
        codec.name,
        quality,
        image,
        picture.width,
        picture.height,
        len(data),
        8 * len(data) / (picture.width * picture.height),
        psnr(x, x_hat),
        ms_ssim(x, x_hat),
        encoded - start,
        decoded - encoded,
    )
