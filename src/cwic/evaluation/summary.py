"""Write and read means over the pictures of a set, in JSON files of CompressAI's shape.

Published curves come in such files too.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from statistics import fmean
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from cwic import __version__, libraries
from cwic.errors import InputError
from cwic.evaluation.codecs.codec import Codec
from cwic.evaluation.cores import threads_each
from cwic.evaluation.rows import OPTIONAL, Row
from cwic.image.files import read_bytes
from cwic.networks.engine import engine
from cwic.records import to_json

_PACKAGES = ("numpy", "pillow", "onnxruntime", "onnxruntime-gpu", "openvino")


class Metric(NamedTuple):
    """A measure of quality that curves are drawn and compared by.

    Attributes:
        keys: what summaries call it: cwic's name, and that of some published files.
        title: what people call it.
        unit: of its scale, on which more is better.
        per_db: how many of these units count like a decibel of PSNR, where two figures are near enough to each other.
    """

    keys: tuple[str, ...]
    title: str
    unit: str
    per_db: float


METRICS = {
    "psnr": Metric(("psnr-rgb", "psnr"), "PSNR", "dB", 1),
    "ms-ssim": Metric(("ms-ssim-rgb", "ms-ssim"), "MS-SSIM", "dB", 1),
    "ssimulacra2": Metric(("ssimulacra2",), "SSIMULACRA 2", "points", 6),
    "butteraugli": Metric(("butteraugli",), "Butteraugli (3-norm)", "below 0", 0.2),
}


class Point(NamedTuple):
    """Means over the pictures at one quality, all of them in every figure.

    PSNR is infinite where a picture came back exact, and the others NaN where a picture is too small for them. `exact`
    counts the pictures that came back exact.
    """

    quality: float
    bpp: float
    psnr_rgb_db: float
    ms_ssim_rgb: float
    ssimulacra2: float | None
    butteraugli: float | None
    encode_s: float
    decode_s: float
    exact: int = 0

    def results(self) -> dict[str, float | None]:
        """The means under the names of the summary; None for what JSON has no number for."""
        named = {"bpp": self.bpp, "psnr-rgb": self.psnr_rgb_db, "ms-ssim-rgb": self.ms_ssim_rgb}
        named |= {name: getattr(self, name) for name in OPTIONAL if getattr(self, name) is not None}
        named |= {"encoding_time": self.encode_s, "decoding_time": self.decode_s}
        return {key: value if math.isfinite(value) else None for key, value in named.items()}


def means(rows: Iterable[Row]) -> list[Point]:
    """Means over the pictures, one point a quality in rising order.

    Raises InputError: the qualities were measured on different pictures, or one of them twice.
    """
    by_quality: dict[float, list[Row]] = {}
    for row in rows:
        by_quality.setdefault(row.quality, []).append(row)
    sets = {tuple(sorted(row.image for row in group)) for group in by_quality.values()}
    if len(sets) > 1 or any(len(set(images)) < len(images) for images in sets):
        raise InputError("the qualities were not all measured once on the same pictures: their means do not compare")
    return [
        Point(
            quality,
            fmean(row.bpp for row in group),
            fmean(row.psnr_rgb_db for row in group),
            fmean(row.ms_ssim_rgb for row in group),
            _optional_mean([row.ssimulacra2 for row in group]),
            _optional_mean([row.butteraugli for row in group]),
            fmean(row.encode_s for row in group),
            fmean(row.decode_s for row in group),
            sum(math.isinf(row.psnr_rgb_db) for row in group),
        )
        for quality, group in sorted(by_quality.items())
    ]


def _optional_mean(values: Sequence[float | None]) -> float | None:
    """The mean of a measure that no picture has, or all; NaN where some lack it."""
    if all(value is None for value in values):
        return None
    return fmean(math.nan if value is None else value for value in values)


def to_summary(codec: Codec, points: Sequence[Point], meta: dict[str, Any]) -> bytes:
    """The means as JSON: name, description, meta, and one list a result, one entry a quality, null for no number.

    Where pictures came back exact, `meta.exact` says how many at each quality: PSNR has no mean there.
    """
    results = [point.results() for point in points]
    if any(point.exact for point in points):
        meta = {**meta, "exact": [point.exact for point in points]}
    summary = {
        "name": codec.name,
        "description": codec.description,
        "meta": {**meta, "quality": [point.quality for point in points]},
        "results": {key: [entry[key] for entry in results] for key in results[0]},
    }
    return (to_json(summary, indent=2) + "\n").encode()


def pictures_id(rows: Iterable[Row]) -> str:
    """Eight hex digits for the set of pictures behind the rows: curves over other sets do not compare."""
    return f"{crc32(repr(sorted({row.pixels_crc32 for row in rows})).encode()):08x}"


def environment(jobs: int) -> dict[str, Any]:
    """Return what times and last digits depend on: versions, engine, machine. Raises InputError: the engine is unknown.

    `threads` are those of each of the `jobs` processes.
    """
    return {
        "versions": {"cwic": __version__, "python": platform.python_version()} | _versions(),
        "engine": engine("cpu").name,
        "library": libraries.chosen(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": threads_each(jobs),
        "jobs": jobs,
    }


def read_summary(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A summary file: a dict with a dict of lists under `results`. Raises InputError: unreadable, or another shape."""
    try:
        summary = json.loads(read_bytes(path))
        if not isinstance(summary, dict) or not isinstance(summary["results"], dict):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise InputError('not a summary: {"results": {"bpp": [...], "psnr-rgb": [...]}} expected') from None
    return summary


def has_metric(summary: dict[str, Any], metric: str) -> bool:
    """Return whether a summary has values under either name of the metric."""
    return any(summary["results"].get(key) for key in METRICS[metric].keys)


def points(summary: dict[str, Any], metric: str) -> NDArray[np.float64]:
    """`[2, N]`: bits per pixel, and quality on the metric's scale, in the file's order; NaN where it has null.

    MS-SSIM counts as -10 log10(1 - x), and Butteraugli, which is a distance, with its sign changed.

    Raises InputError: the summary has no such metric, or not a number of it for each bpp.
    """
    results = summary["results"]
    key = next((key for key in METRICS[metric].keys if results.get(key)), None)
    if key is None:
        raise InputError(f"the summary has no {METRICS[metric].keys[0]}")
    try:
        found = np.array([results["bpp"], results[key]], dtype=np.float64)
    except (ValueError, TypeError, KeyError):
        raise InputError(f"bpp and {key} must be two lists of numbers of the same length") from None
    if found.ndim != 2:
        raise InputError(f"bpp and {key} must be two lists of numbers of the same length")
    if metric == "ms-ssim":
        with np.errstate(divide="ignore", invalid="ignore"):
            found[1] = -10 * np.log10(1 - found[1])
    if metric == "butteraugli":
        found[1] = -found[1]
    return found


def _versions() -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
