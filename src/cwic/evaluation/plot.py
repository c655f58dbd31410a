"""Draw rate-distortion curves, like figure 4 of the paper."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cwic.errors import InputError
from cwic.evaluation.summary import has_metric, points, read_summary
from cwic.extras import require

FORMATS = (".svg", ".pdf", ".png")
MAX_CURVES = 14
_AXES = {"psnr": "PSNR, dB", "ms-ssim": "MS-SSIM, −10 log₁₀(1 − x) dB", "ssimulacra2": "SSIMULACRA 2"}
"""The metrics that are drawn, a panel each."""
# Okabe and Ito's palette, made to be told apart by colour-blind eyes, without its yellow, which paper swallows.
_COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKERS = "osD^vPX"
_STYLES: tuple[Any, ...] = ("-", (0, (5, 2)))
_WIDTH_INCHES, _HEIGHT_INCHES, _DPI = 11.0, 4.8, 160


class Line(NamedTuple):
    """The curves of one summary: for each metric its bpp and its quality, which may be missing."""

    name: str
    curves: dict[str, tuple[np.ndarray, np.ndarray]]


def read_line(path: str | os.PathLike[str]) -> Line:
    """The curves of a summary file, by rising rate. Raises InputError: unreadable, or nothing there can be drawn."""
    summary = read_summary(path)
    curves = {}
    for metric in _AXES:
        if has_metric(summary, metric):
            found = points(summary, metric)
            found = found[:, np.isfinite(found).all(axis=0)]
            if found.shape[1]:
                bpp, quality = found[:, np.argsort(found[0])]
                curves[metric] = (bpp, quality)
    if not curves:
        raise InputError("the summary has no point that can be drawn")
    return Line(str(summary.get("name") or Path(path).stem), curves)


def draw(lines: Sequence[Line], suffix: str, *, title: str = "", max_bpp: float | None = None) -> bytes:
    """The curves over bpp, a panel for each metric that any of them has, in the order given.

    Colours, markers and, beyond seven curves, dashes tell the curves apart; all of them are in the legend. The first
    curve is drawn thicker and on top.

    Args:
        lines: one to MAX_CURVES.
        suffix: of the file that is made, one of FORMATS.
        title: above it all.
        max_bpp: where the rate axis ends; at the highest rate where None.

    Raises InputError: too many curves to tell apart, or matplotlib is not installed.
    """
    if len(lines) > MAX_CURVES:
        raise InputError(f"{len(lines)} curves cannot be told apart: {MAX_CURVES} at most")
    require("matplotlib", "eval")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    metrics = [metric for metric in _AXES if any(metric in line.curves for line in lines)]
    # Text stays text in vector files, and the same curves give the same bytes.
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "cwic", "pdf.fonttype": 42, "font.size": 11}
    with rc_context(settings):
        width = _WIDTH_INCHES * (0.4 + 0.3 * len(metrics))
        figure = Figure(figsize=(width, _HEIGHT_INCHES), layout="constrained")
        handles: dict[str, Any] = {}
        for panel, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
            for index, line in enumerate(lines):
                if metric in line.curves:
                    handles[line.name] = panel.plot(*line.curves[metric], **_style(index), label=line.name)[0]
            panel.set_xlabel("rate, bits per pixel")
            panel.set_ylabel(_AXES[metric])
            panel.grid(True, color="#DDDDDD", linewidth=0.7)
            panel.set_axisbelow(True)
            panel.spines[["top", "right"]].set_visible(False)
            _limit(panel, [line.curves[metric] for line in lines if metric in line.curves], max_bpp)
        figure.legend(handles=list(handles.values()), loc="outside right upper", frameon=False)
        if title:
            figure.suptitle(title)
        file = BytesIO()
        # Without the date, which would make every file a new one.
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
        figure.savefig(file, format=suffix.removeprefix("."), dpi=_DPI, metadata=metadata)
    return file.getvalue()


def _limit(panel: Any, curves: Sequence[tuple[np.ndarray, np.ndarray]], max_bpp: float | None) -> None:
    """Axes that begin at no bits, and at the lowest quality that is in sight."""
    highest = max(float(bpp.max()) for bpp, _ in curves)
    right = highest * 1.02 if max_bpp is None else max_bpp
    seen = np.concatenate([quality[bpp <= right] for bpp, quality in curves])
    # A curve that leaves on the right is cut where it crosses the edge, so its next point counts too.
    crossing = [float(np.interp(right, bpp, quality)) for bpp, quality in curves if bpp.min() < right < bpp.max()]
    values = np.concatenate([seen, np.array(crossing)])
    panel.set_xlim(0, right)
    if values.size:
        margin = 0.03 * (float(values.max() - values.min()) or 1.0)
        panel.set_ylim(float(values.min()) - margin, float(values.max()) + margin)


def _style(index: int) -> dict[str, Any]:
    colour = index % len(_COLOURS)
    return {
        "color": _COLOURS[colour],
        "marker": _MARKERS[colour],
        "linestyle": _STYLES[index // len(_COLOURS)],
        "linewidth": 1.4 if index else 2.6,
        "markersize": 5 if index else 6,
        "markerfacecolor": _COLOURS[colour] if index < len(_COLOURS) else "white",
        "zorder": 3 if index else 4,
    }
