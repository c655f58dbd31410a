"""Encode and decode times of cwic-s on a 768x512 picture, beside Pillow's AVIF at speed 6 and a like size.

The runs of both codecs alternate, so that whatever else the machine does meets both alike. For `make bench`.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from PIL import Image, features

import cwic

MODEL = "cwic-s"
QUALITY = 50
SIZE = (768, 512)
REPEATS = 9
AVIF_SPEED = 6


def picture() -> tuple[str, Image.Image]:
    """A name and an RGB picture of SIZE: Kodak's 23rd where CWIC_DATA has it, else the bundled coffee cup."""
    kodak = Path(os.environ.get("CWIC_DATA", "")) / "kodak" / "kodim23.png"
    path = kodak if kodak.is_file() else Path(__file__).parents[1] / "examples" / "coffee.png"
    image = Image.open(path).convert("RGB")
    return path.name, image if image.size == SIZE else image.resize(SIZE, Image.Resampling.LANCZOS)


def milliseconds(work: Callable[[], object]) -> float:
    """How long `work` takes, once."""
    start = perf_counter()
    work()
    return 1000 * (perf_counter() - start)


def main() -> None:
    """Measure and print."""
    name, image = picture()
    threads = torch.get_num_threads()

    def avif(quality: int) -> bytes:
        file = BytesIO()
        image.save(file, "AVIF", quality=quality, speed=AVIF_SPEED, max_threads=threads)
        return file.getvalue()

    ours = cwic.encode(image, quality=QUALITY, model=MODEL, strip=True)
    cwic.decode(ours)  # the model is loaded now, for both directions
    avif_quality = bisect_left(range(100), len(ours), key=lambda quality: len(avif(quality)))
    theirs = avif(avif_quality)

    work: dict[str, Callable[[], object]] = {
        "cwic encode": lambda: cwic.encode(image, quality=QUALITY, model=MODEL, strip=True),
        "AVIF encode": lambda: avif(avif_quality),
        "cwic decode": lambda: cwic.decode(ours),
        "AVIF decode": lambda: Image.open(BytesIO(theirs)).load(),
    }
    times: dict[str, list[float]] = {key: [] for key in work}
    for _ in range(REPEATS):
        for key, run in work.items():
            times[key].append(milliseconds(run))
    medians = {key: median(values) for key, values in times.items()}

    print(f"{name} at {SIZE[0]}x{SIZE[1]}; {threads} threads each, {os.cpu_count()} cores")
    print(f"cwic {MODEL}, quality {QUALITY}: {len(ours)} bytes")
    print(f"AVIF speed {AVIF_SPEED}, quality {avif_quality}: {len(theirs)} bytes")
    print(f"torch {torch.__version__}, libavif {features.version('avif')}")
    print(f"medians of {REPEATS} runs, model loaded, in ms")
    print(f"{'':<8}{'cwic':>10}{'AVIF':>10}{'cwic/AVIF':>12}")
    for way in ("encode", "decode"):
        cwic_ms, avif_ms = medians[f"cwic {way}"], medians[f"AVIF {way}"]
        print(f"{way:<8}{cwic_ms:>10.1f}{avif_ms:>10.1f}{cwic_ms / avif_ms:>12.2f}")


if __name__ == "__main__":
    main()
