"""Draw a picture with a crop, and the crop from each codec at equal rate, like figures 1 and 5 of the paper."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cwic.errors import InputError
from cwic.evaluation.match import Match
from cwic.extras import require
from cwic.image.picture import Picture

FORMATS = (".png", ".pdf", ".svg", ".html")
_BOX = "#E69F00"
_ROW_INCHES, _CAPTION_INCHES, _DPI = 2.3, 0.4, 200
_MIN_CROP_INCHES = 1.4  # a caption's numbers
_MAX_COLUMNS = 4
_CROP_CSS_PX = 320
_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1em; }}
figure {{ margin: 0; }}
.whole {{ position: relative; display: inline-block; max-width: 100%; }}
.whole img {{ display: block; max-width: 100%; }}
.box {{ position: absolute; box-sizing: border-box; outline: 3px solid {box}; }}
.crops {{ display: grid; grid-template-columns: repeat(auto-fill, minmax({crop_px}px, 1fr)); gap: 1.2em; }}
.crops img {{ width: 100%; image-rendering: pixelated; display: block; }}
</style>
<h1>{title}</h1>
<p>{note}</p>
<figure class="whole"><img src="{whole}" alt="the whole picture"><div class="box" style="{place}"></div></figure>
<h2>The part in the box</h2>
<div class="crops">
{crops}
</div>
</html>
"""
_CROP = '<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'


class Box(NamedTuple):
    """A part of a picture, in pixels: its left upper corner and its size."""

    x: int
    y: int
    width: int
    height: int

    def check(self, picture: Picture) -> None:
        """Raises InputError: the box is empty, or not within the picture."""
        inside = self.x >= 0 and self.y >= 0 and self.width > 0 and self.height > 0
        if not inside or self.x + self.width > picture.width or self.y + self.height > picture.height:
            raise InputError(f"the crop does not lie within the picture, which is {picture.width}x{picture.height}")

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pixels inside the box."""
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


def draw(picture: Picture, name: str, box: Box, matches: Sequence[Match], suffix: str) -> bytes:
    """The picture with the box, and the box from the original and from each codec, with captions `codec bpp / dB`.

    Args:
        picture: the original.
        name: what to call it.
        box: the crop.
        matches: one or more codecs at about the same rate; PSNR is that of the whole picture.
        suffix: of the file that is made, one of FORMATS; `.html` is a page with its pictures inside it.

    Raises InputError: the box is not within the picture, or matplotlib is not installed.
    """
    box.check(picture)
    crops = [("original", box.of(picture.rgb)), *((match.caption, box.of(match.x_hat)) for match in matches)]
    if suffix == ".html":
        return _page(picture, name, box, crops)
    return _print(picture, name, box, crops, suffix)


def _print(picture: Picture, name: str, box: Box, crops: Sequence[tuple[str, NDArray[np.uint8]]], suffix: str) -> bytes:
    require("matplotlib", "eval")
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    rows = 1 if len(crops) <= 2 else 2
    columns = min(_MAX_COLUMNS, math.ceil(len(crops) / rows))
    rows = math.ceil(len(crops) / columns)
    height = rows * (_ROW_INCHES + _CAPTION_INCHES)
    widths = [
        (height - _CAPTION_INCHES) * picture.width / picture.height,
        *[max(_ROW_INCHES * box.width / box.height, _MIN_CROP_INCHES)] * columns,
    ]
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "cwic", "pdf.fonttype": 42, "font.size": 8}):
        figure = Figure(figsize=(sum(widths), height), layout="constrained")
        grid = figure.add_gridspec(rows, 1 + columns, width_ratios=widths)
        whole = figure.add_subplot(grid[:, 0])
        _show(whole, picture.rgb, name)
        corner = (box.x - 0.5, box.y - 0.5)
        whole.add_patch(Rectangle(corner, box.width, box.height, fill=False, edgecolor=_BOX, linewidth=1.8))
        for index, (caption, pixels) in enumerate(crops):
            _show(figure.add_subplot(grid[index // columns, 1 + index % columns]), pixels, caption)
        file = BytesIO()
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
        figure.savefig(file, format=suffix.removeprefix("."), dpi=_DPI, metadata=metadata)
    return file.getvalue()


def _show(panel: Any, pixels: NDArray[np.uint8], caption: str) -> None:
    panel.imshow(pixels, interpolation="nearest")
    panel.set_xticks([])
    panel.set_yticks([])
    # The numbers on a line of their own: names are long, and crops can be narrow.
    panel.set_xlabel(caption.replace(" ", "\n", 1))


def _page(picture: Picture, name: str, box: Box, crops: Sequence[tuple[str, NDArray[np.uint8]]]) -> bytes:
    percent = {
        "left": 100 * box.x / picture.width,
        "top": 100 * box.y / picture.height,
        "width": 100 * box.width / picture.width,
        "height": 100 * box.height / picture.height,
    }
    note = (
        f"{picture.width}x{picture.height} pixels; the box is {box.width}x{box.height} at ({box.x}, {box.y}). "
        "Rates are those of whole files, PSNR that of the whole picture in 8-bit RGB."
    )
    page = _PAGE.format(
        title=escape(name),
        note=note,
        box=_BOX,
        crop_px=_CROP_CSS_PX,
        whole=_data_uri(picture.rgb),
        place="; ".join(f"{key}: {value:.4f}%" for key, value in percent.items()),
        crops="\n".join(
            _CROP.format(source=_data_uri(pixels), caption=escape(caption, quote=True)) for caption, pixels in crops
        ),
    )
    return page.encode()


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
