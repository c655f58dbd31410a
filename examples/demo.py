"""Compress the bundled photographs with both sizes of cwic, and with JPEG and WebP at the nearest sizes.

Prints one table and writes one comparison picture. Run by `make demo`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

import cwic
from cwic.evaluation.metrics import ms_ssim, psnr
from cwic.threads import thread_count

HERE = Path(__file__).parent
OUTPUT = HERE / "output" / "comparison.png"
QUALITIES = (20, 50, 80)
SHOWN_QUALITY = 20  # where codecs differ most to the eye
REPEATS = 3
MODELS = ("cwic-s", "cwic-m")  # the others are held to the size of the first
PEERS: dict[str, dict[str, Any]] = {"JPEG": {"optimize": True}, "WebP": {"method": 6}}

# Each photograph with the part of it that the comparison picture enlarges: left, top, right, bottom.
PHOTOGRAPHS = {"coffee.png": (190, 120, 350, 280), "chelsea.png": (120, 60, 280, 220)}
ZOOM = 3

T = TypeVar("T")


class Result(NamedTuple):
    """One photograph through one codec. Times in milliseconds, psnr in dB over 8-bit RGB."""

    codec: str
    size: int
    bpp: float
    psnr: float
    ms_ssim: float
    encode_ms: float
    decode_ms: float
    picture: Image.Image


def main() -> None:
    """Measure, print, draw."""
    photographs = {name: Image.open(HERE / name).convert("RGB") for name in PHOTOGRAPHS}
    for model in MODELS:
        cwic.decode(cwic.encode(next(iter(photographs.values())), model=model))  # loads it, which no row should count

    table = Table(title="cwic beside JPEG and WebP at the nearest size")
    for column in ("photograph", "codec"):
        table.add_column(column)
    for column in ("bytes", "bpp", "PSNR dB", "MS-SSIM", "encode ms", "decode ms"):
        table.add_column(column, justify="right")
    panels: list[list[tuple[str, Image.Image]]] = []
    for name, photograph in photographs.items():
        for quality in QUALITIES:
            results = measure_all(photograph, quality)
            for index, result in enumerate(results):
                table.add_row(name if index == 0 else "", *row(result), end_section=result is results[-1])
            if quality == SHOWN_QUALITY:
                panels.append(captioned(photograph, results, PHOTOGRAPHS[name]))

    console = Console()
    console = Console(width=max(console.width, 100))  # no column is cut short where the output is no terminal
    console.print(table)
    console.print(
        f"Medians of {REPEATS} runs, {thread_count()} threads. JPEG: 4:2:0, optimised tables. WebP: method 6.",
        highlight=False,
    )
    OUTPUT.parent.mkdir(exist_ok=True)
    draw(panels).save(OUTPUT)
    print(f"Comparison: {OUTPUT}")


def measure_all(photograph: Image.Image, quality: int) -> list[Result]:
    """The models at the size of the first at a quality, then JPEG and WebP at the sizes nearest to it."""
    first, *others = MODELS
    encode = partial(cwic.encode, photograph, strip=True)  # as the others do unless told otherwise
    results = [measure(f"{first} q{quality}", photograph, partial(encode, quality=quality, model=first), cwic.decode)]
    for model in others:
        at_most = partial(encode, target_bytes=results[0].size, model=model)
        found = cwic.read_info(at_most()).quality
        again = partial(encode, quality=found, model=model)
        results.append(measure(f"{model} q{found:g}", photograph, again, cwic.decode))
    for format, options in PEERS.items():
        peer = partial(encode_with_pillow, photograph, format, options)
        nearest_quality = nearest(results[0].size, peer)
        codec = f"{format} q{nearest_quality}"
        results.append(measure(codec, photograph, partial(peer, nearest_quality), decode_with_pillow))
    return results


def nearest(size: int, encode: Callable[[int], bytes]) -> int:
    """The quality from 1 to 95 at which a codec's file comes nearest to a size in bytes."""
    above = 1 + bisect_left(range(1, 95), size, key=lambda q: len(encode(q)))
    return min((max(above - 1, 1), above), key=lambda q: abs(len(encode(q)) - size))


def measure(
    codec: str, photograph: Image.Image, encode: Callable[[], bytes], decode: Callable[[bytes], Image.Image]
) -> Result:
    """Size, fidelity and median times of one codec on one photograph."""
    data, encode_ms = timed(encode)
    picture, decode_ms = timed(lambda: decode(data))
    x, x_hat = np.asarray(photograph), np.asarray(picture)
    bpp = 8 * len(data) / (photograph.width * photograph.height)
    return Result(codec, len(data), bpp, psnr(x, x_hat), ms_ssim(x, x_hat), encode_ms, decode_ms, picture)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What `work` returns, and the median milliseconds that it takes."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        answer = work()
        times.append(1000 * (perf_counter() - start))
    return answer, median(times)


def encode_with_pillow(image: Image.Image, format: str, options: dict[str, Any], quality: int) -> bytes:
    """A file of one of Pillow's own formats."""
    file = BytesIO()
    image.save(file, format, quality=quality, **options)
    return file.getvalue()


def decode_with_pillow(data: bytes) -> Image.Image:
    """The pixels of a file of one of Pillow's own formats."""
    return Image.open(BytesIO(data)).convert("RGB")


def row(result: Result) -> tuple[str, ...]:
    """A result as cells of the table."""
    return (
        result.codec,
        f"{result.size:,}",
        f"{result.bpp:.3f}",
        f"{result.psnr:.2f}",
        f"{result.ms_ssim:.4f}",
        f"{result.encode_ms:.1f}",
        f"{result.decode_ms:.1f}",
    )


def captioned(
    photograph: Image.Image, results: list[Result], box: tuple[int, int, int, int]
) -> list[tuple[str, Image.Image]]:
    """Captions and enlarged crops: the original, then every result."""
    pairs = [("original\n24 bpp", photograph)]
    pairs += [
        (f"{result.codec}  {result.size:,} bytes\n{result.bpp:.3f} bpp  {result.psnr:.2f} dB", result.picture)
        for result in results
    ]
    side = ZOOM * (box[2] - box[0]), ZOOM * (box[3] - box[1])
    return [(caption, image.resize(side, Image.Resampling.NEAREST, box=box)) for caption, image in pairs]


def draw(panels: list[list[tuple[str, Image.Image]]]) -> Image.Image:
    """One row of captioned panels per photograph on one white sheet."""
    width, height = panels[0][0][1].size
    gap, caption_height = 16, 72
    step_x, step_y = width + gap, height + caption_height + gap
    sheet = Image.new("RGB", (gap + step_x * len(panels[0]), gap + step_y * len(panels)), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=24)
    for j, line in enumerate(panels):
        for i, (caption, image) in enumerate(line):
            corner = gap + i * step_x, gap + j * step_y
            sheet.paste(image, corner)
            pen.multiline_text((corner[0], corner[1] + height + 6), caption, fill="black", font=font)
    return sheet


if __name__ == "__main__":
    main()
