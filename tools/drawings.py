"""Draw the figures of docs/architecture.md as SVG: `python tools/drawings.py` writes docs/images/*.svg.

A drawing is boxes on a grid and arrows between them, as data. Nothing but the standard library is needed.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

IMAGES = Path(__file__).parents[1] / "docs" / "images"
COLUMN, ROW = 176, 112
WIDTH, HEIGHT = 148, 62
MARGIN, TITLE, LEGEND = 24, 34, 30
FONT = 'font-family="sans-serif" font-size="12"'
HEAD = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#444"/></marker></defs>'
)
COLOURS = {
    "data": ("#ffffff", "#555555"),
    "float": ("#dbe9f6", "#2b6cb0"),
    "exact": ("#dff2e1", "#2f855a"),
    "bytes": ("#f4e8d3", "#b7791f"),
}
MEANINGS = {
    "data": "data",
    "float": "float network: may differ by machine",
    "exact": "integers: the same on every machine",
    "bytes": "bytes",
}


class Box(NamedTuple):
    """A box: its name, its place on the grid, one of `COLOURS`, and its lines of text, the first one bold."""

    name: str
    column: float
    row: float
    kind: str
    lines: tuple[str, ...]

    @property
    def centre(self) -> tuple[float, float]:
        """Its centre in pixels."""
        return MARGIN + self.column * COLUMN + WIDTH / 2, TITLE + MARGIN + self.row * ROW + HEIGHT / 2


class Arrow(NamedTuple):
    """An arrow from one box to another, with a word beside it or none; `both` gives it two heads."""

    start: str
    end: str
    label: str = ""
    both: bool = False


class Drawing(NamedTuple):
    """A title, boxes, and arrows between them."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def _chain(*names: str) -> tuple[Arrow, ...]:
    return tuple(Arrow(start, end) for start, end in pairwise(names))


DATA_PATH = Drawing(
    "From a picture to a file and back: the rooms of src/cwic",
    (
        Box("picture", 0, 0, "data", ("picture", "PNG, JPEG, array ...")),
        Box("read", 1, 0, "exact", ("image/", "8-bit pixels, alpha,", "metadata")),
        Box("cut", 2, 0, "exact", ("tiling/", "tiles, each with the", "pixels around it")),
        Box("g_a", 3, 0, "float", ("networks/: g_a", "pixels to latents y")),
        Box("round", 4, 0, "exact", ("latents/", "rounds y to y_hat,", "symbol by symbol")),
        Box("write", 5, 0, "exact", ("entropy/", "range coder")),
        Box("pack", 6, 0, "exact", ("container/", "header, chunks,", "checksums")),
        Box("prior", 4, 1, "exact", ("models/: the prior", "probabilities of the", "next symbols")),
        Box("file", 6, 1, "bytes", (".cwic file", "14-byte header, then", "4 to 6 bytes a chunk")),
        Box("shown", 0, 2, "data", ("picture", "Pillow image")),
        Box("save", 1, 2, "exact", ("image/", "8 bits, alpha,", "metadata")),
        Box("join", 2, 2, "exact", ("tiling/", "regions of all tiles,", "no seam")),
        Box("g_s", 3, 2, "float", ("networks/: g_s", "latents to pixels")),
        Box("collect", 4, 2, "exact", ("latents/", "symbols to y_hat")),
        Box("decode", 5, 2, "exact", ("entropy/", "range decoder")),
        Box("unpack", 6, 2, "exact", ("container/", "limits first, then", "checksums")),
    ),
    (
        *_chain("picture", "read", "cut", "g_a", "round", "write", "pack", "file", "unpack"),
        *_chain("unpack", "decode", "collect", "g_s", "join", "save", "shown"),
        Arrow("prior", "round", "encoding", both=True),
        Arrow("prior", "collect", "decoding", both=True),
    ),
)
CWIC = Drawing(
    "The family cwic: every quality in one model (cwic-s, cwic-m)",
    (
        Box("x", 0, 0, "data", ("x", "[3, H, W]")),
        Box("dct", 1, 0, "float", ("DCT", "unshuffle 8; 192", "planes at 1/8")),
        Box("encoding", 2, 0, "float", ("feature encoding", "dense blocks, 11", "convolutions")),
        Box("blocks", 3, 0, "float", ("blocks", "depth-wise: 3 in s,", "10 in m; see the level")),
        Box("haar", 4, 0, "float", ("Haar map", "unshuffle 2; best M", "of 768 at 1/16")),
        Box("attention", 5, 0, "float", ("attention branch", "CWAM, window 8;", "in m alone")),
        Box("y", 6, 0, "data", ("y", "320 channels in s,", "384 in m, at 1/16")),
        Box("h_a", 5, 1, "float", ("h_a", "y to z")),
        Box("z", 4, 1, "exact", ("z_hat", "rounded, at 1/64")),
        Box("h_s", 3, 1, "exact", ("h_s", "int8 layers: the first", "state at 1/16")),
        Box("context", 2, 1, "exact", ("context, 4 passes", "a quarter of y each;", "mean and table index")),
        Box("gain", 6, 2, "exact", ("gain and rounding", "steps by the level")),
        Box("coder", 2, 2, "exact", ("range coder", "integer tables")),
        Box("bits", 0, 2, "bytes", ("bytes of a tile",)),
        Box("y_hat", 6, 3, "exact", ("y_hat", "integers, then over", "the gains")),
        Box("attention_s", 5, 3, "float", ("attention branch", "in m alone")),
        Box("haar_s", 4, 3, "float", ("Haar map", "shuffle 2: 192 planes", "at 1/8")),
        Box("blocks_s", 3, 3, "float", ("blocks", "depth-wise: 4 in s,", "16 in m")),
        Box("idct", 2, 3, "float", ("inverse DCT", "shuffle 8")),
        Box("x_hat", 1, 3, "data", ("x_hat", "[3, H, W], 8 bits")),
    ),
    (
        *_chain("x", "dct", "encoding", "blocks", "haar", "attention", "y"),
        *_chain("y", "h_a", "z", "h_s", "context"),
        Arrow("context", "coder", "mean, index"),
        Arrow("gain", "coder", "symbols"),
        Arrow("coder", "bits", both=True),
        Arrow("y", "gain"),
        Arrow("gain", "y_hat"),
        *_chain("y_hat", "attention_s", "haar_s", "blocks_s", "idct", "x_hat"),
    ),
)
CWAM2024 = Drawing(
    "The published network (Mudgal & Liu 2024), family cwam2024: one rate a model",
    (
        Box("x", 0, 0, "data", ("x", "[3, H, W]")),
        Box("encoding", 1, 0, "float", ("feature encoding", "at 1/1")),
        Box("half", 2, 0, "float", ("conv 5x5/2, GDN", "1/2")),
        Box("quarter", 3, 0, "float", ("conv 5x5/2, GDN", "CWAM, window 8", "1/4")),
        Box("eighth", 4, 0, "float", ("conv 5x5/2, GDN", "1/8")),
        Box("sixteenth", 5, 0, "float", ("conv 5x5/2", "CWAM, window 4", "1/16")),
        Box("y", 6, 0, "data", ("y", "after residual attention;", "N = 320, at 1/16")),
        Box("h_a", 5, 1, "float", ("h_a", "five 3x3 convolutions", "y to z")),
        Box("z", 4, 1, "exact", ("z_hat", "rounded, at 1/64")),
        Box("h_s", 3, 1, "exact", ("h_s", "16-bit weights, whole", "numbers in float64")),
        Box("context", 2, 1, "exact", ("context, in waves", "masked 5x5, 1x1 x 3:", "scale and mean")),
        Box("round", 6, 2, "exact", ("rounding", "y - mean")),
        Box("coder", 2, 2, "exact", ("range coder", "integer tables")),
        Box("bits", 0, 2, "bytes", ("bytes of a tile",)),
        Box("y_hat", 6, 3, "exact", ("y_hat", "then residual", "attention (float)")),
        Box("sixteenth_s", 5, 3, "float", ("CWAM, window 4", "deconv 5x5*2, IGDN", "to 1/8")),
        Box("eighth_s", 4, 3, "float", ("deconv 5x5*2, IGDN", "CWAM, window 8", "to 1/4")),
        Box("quarter_s", 3, 3, "float", ("deconv 5x5*2, IGDN", "to 1/2")),
        Box("half_s", 2, 3, "float", ("deconv 5x5*2", "feature encoding", "to 1/1")),
        Box("x_hat", 1, 3, "data", ("x_hat", "[3, H, W], 8 bits")),
    ),
    (
        *_chain("x", "encoding", "half", "quarter", "eighth", "sixteenth", "y"),
        *_chain("y", "h_a", "z", "h_s", "context"),
        Arrow("context", "coder", "mean, index"),
        Arrow("round", "coder", "symbols"),
        Arrow("coder", "bits", both=True),
        Arrow("y", "round"),
        Arrow("round", "y_hat"),
        *_chain("y_hat", "sixteenth_s", "eighth_s", "quarter_s", "half_s", "x_hat"),
    ),
)
DRAWINGS = {"data-path.svg": DATA_PATH, "cwic.svg": CWIC, "cwam2024.svg": CWAM2024}


def svg(drawing: Drawing) -> str:
    """The drawing as the text of an SVG file."""
    boxes = {box.name: box for box in drawing.boxes}
    width = 2 * MARGIN + max(box.column for box in drawing.boxes) * COLUMN + WIDTH
    height = TITLE + 2 * MARGIN + max(box.row for box in drawing.boxes) * ROW + HEIGHT + LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" {FONT}>',
        f"<title>{escape(drawing.title)}</title>",
        HEAD,
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
        f'<text x="{MARGIN}" y="{MARGIN + 4}" font-size="16" font-weight="bold">{escape(drawing.title)}</text>',
        *(_arrow(arrow, boxes) for arrow in drawing.arrows),
        *(_box(box) for box in drawing.boxes),
        *_legend({box.kind for box in drawing.boxes}, height - MARGIN),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(box: Box) -> str:
    fill, line = COLOURS[box.kind]
    x, y = box.centre
    top = y - 7.5 * (len(box.lines) - 1) + 4
    weights = ["bold", *["normal"] * (len(box.lines) - 1)]
    lines = "".join(
        f'<text x="{x:g}" y="{top + 15 * i:g}" text-anchor="middle" font-weight="{weight}">{escape(text)}</text>'
        for i, (weight, text) in enumerate(zip(weights, box.lines, strict=True))
    )
    rect = f'<rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="7"'
    return f'{rect} fill="{fill}" stroke="{line}" stroke-width="1.5"/>{lines}'


def _arrow(arrow: Arrow, boxes: dict[str, Box]) -> str:
    """A straight arrow between the borders of two boxes, its word beside the middle."""
    (x0, y0), (x1, y1) = boxes[arrow.start].centre, boxes[arrow.end].centre
    if y0 == y1:
        shift = WIDTH / 2 if x1 > x0 else -WIDTH / 2
        x0, x1 = x0 + shift, x1 - shift
        word = (x0 + x1) / 2, y0 - 6, "middle"
    else:
        shift = HEIGHT / 2 if y1 > y0 else -HEIGHT / 2
        y0, y1 = y0 + shift, y1 - shift
        word = (x0 + x1) / 2 + 8, (y0 + y1) / 2 + 4, "start"
    start = ' marker-start="url(#head)"' if arrow.both else ""
    line = f'<line x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}" stroke="#444" stroke-width="1.4"'
    text = f'<text x="{word[0]:g}" y="{word[1]:g}" text-anchor="{word[2]}" font-size="11">{escape(arrow.label)}</text>'
    return f'{line}{start} marker-end="url(#head)"/>{text if arrow.label else ""}'


def _legend(kinds: set[str], y: float) -> list[str]:
    parts, x = [], MARGIN
    for kind in COLOURS:
        if kind not in kinds:
            continue
        fill, line = COLOURS[kind]
        parts.append(f'<rect x="{x}" y="{y - 11:g}" width="18" height="13" rx="3" fill="{fill}" stroke="{line}"/>')
        parts.append(f'<text x="{x + 25}" y="{y:g}">{MEANINGS[kind]}</text>')
        x += 55 + 7 * len(MEANINGS[kind])
    return parts


def main() -> None:
    """Write all drawings."""
    for name, drawing in DRAWINGS.items():
        (IMAGES / name).write_text(svg(drawing), "utf-8")


if __name__ == "__main__":
    main()
