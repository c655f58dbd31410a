"""Means over the pictures of a set, in the shape that CompressAI gave to such files."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from statistics import fmean
from typing import Any, NamedTuple
from zlib import crc32

from cwic import __version__
from cwic.evaluation.codecs.codec import Codec
from cwic.evaluation.rows import OPTIONAL_COLUMN, Row


class Point(NamedTuple):
    """Means over the pictures at one quality; NaN where none of them defines a figure."""

    quality: float
    bpp: float
    psnr_rgb_db: float
    ms_ssim_rgb: float
    ssimulacra2: float | None
    encode_s: float
    decode_s: float

    def results(self) -> dict[str, float | None]:
        """The means under the names of the summary; None for what JSON has no number for."""
        named = {"bpp": self.bpp, "psnr-rgb": self.psnr_rgb_db, "ms-ssim-rgb": self.ms_ssim_rgb}
        if self.ssimulacra2 is not None:
            named[OPTIONAL_COLUMN] = self.ssimulacra2
        named |= {"encoding_time": self.encode_s, "decoding_time": self.decode_s}
        return {key: value if math.isfinite(value) else None for key, value in named.items()}


def means(rows: Iterable[Row]) -> list[Point]:
    """Means over the pictures, one point a quality in rising order; those of a measure where it is defined."""
    by_quality: dict[float, list[Row]] = {}
    for row in rows:
        by_quality.setdefault(row.quality, []).append(row)
    return [
        Point(
            quality,
            fmean(row.bpp for row in group),
            fmean(row.psnr_rgb_db for row in group),
            _mean_where_defined(row.ms_ssim_rgb for row in group),
            None
            if group[0].ssimulacra2 is None
            else _mean_where_defined(row.ssimulacra2 for row in group if row.ssimulacra2 is not None),
            fmean(row.encode_s for row in group),
            fmean(row.decode_s for row in group),
        )
        for quality, group in sorted(by_quality.items())
    ]


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


def pictures_id(rows: Iterable[Row]) -> str:
    """Eight hex digits for the set of pictures behind the rows: curves over other sets do not compare."""
    return f"{crc32(repr(sorted({row.pixels_crc32 for row in rows})).encode()):08x}"


def environment(jobs: int) -> dict[str, Any]:
    """What times, and the last digits of the rest, depend on."""
    import torch

    packages = ("numpy", "pillow", "torch", "pytorch-msssim")
    return {
        "versions": {"cwic": __version__, "python": platform.python_version()}
        | {package: version(package) for package in packages},
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "jobs": jobs,
    }


def _mean_where_defined(values: Iterable[float]) -> float:
    return fmean([value for value in values if not math.isnan(value)] or [math.nan])
