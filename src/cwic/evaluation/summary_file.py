"""Reading summaries: those of `cwic eval`, and published ones of CompressAI's shape."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cwic.errors import InputError
from cwic.image.files import read_bytes

# Published files have either name.
METRICS = {"psnr": ("psnr-rgb", "psnr"), "ms-ssim": ("ms-ssim-rgb", "ms-ssim")}


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
    """Whether a summary has values under either name of the metric."""
    return any(summary["results"].get(key) for key in METRICS[metric])


def points(summary: dict[str, Any], metric: str) -> NDArray[np.float64]:
    """`[2, N]`: bits per pixel, and PSNR or -10 log10(1 - MS-SSIM) in dB, in the file's order; NaN where it has null.

    Raises InputError: the summary has no such metric, or not a number of it for each bpp.
    """
    results = summary["results"]
    key = next((key for key in METRICS[metric] if results.get(key)), None)
    if key is None:
        raise InputError(f"the summary has no {METRICS[metric][0]}")
    try:
        found = np.array([results["bpp"], results[key]], dtype=np.float64)
    except (ValueError, TypeError, KeyError):
        raise InputError(f"bpp and {key} must be two lists of numbers of the same length") from None
    if found.ndim != 2:
        raise InputError(f"bpp and {key} must be two lists of numbers of the same length")
    if metric == "ms-ssim":
        with np.errstate(divide="ignore", invalid="ignore"):
            found[1] = -10 * np.log10(1 - found[1])
    return found
