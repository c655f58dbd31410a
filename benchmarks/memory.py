"""Peak memory and processor time of coding large pictures, and whether the time follows the number of pixels.

    python benchmarks/memory.py [JOBS [WIDTH]]

Two pictures, the second WIDTH (12,000) pixels wide and sixteen times the first, are made of one photograph and its
mirror images, side by side. Each command runs in a process of its own and reads or writes PNG. Processor time, unlike
time, does not count what else the machine does. What a command takes before it comes to pixels, loading libraries and
the model, is measured on a picture of next to no pixels, and left out of time a pixel and of the ratio. Medians of
several runs, but for the large picture.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from PIL import Image

REPEATS = 3
PHOTOGRAPH = Path(__file__).parents[1] / "examples" / "coffee.png"


def mosaic(width: int, height: int) -> Image.Image:
    """An RGB picture of any size with the statistics of a photograph and no visible border."""
    with Image.open(PHOTOGRAPH) as image:
        pixels = np.asarray(image.convert("RGB"))
    pixels = np.concatenate([pixels, pixels[:, ::-1]], axis=1)
    pixels = np.concatenate([pixels, pixels[::-1]], axis=0)
    rows, columns = -(-height // pixels.shape[0]), -(-width // pixels.shape[1])
    return Image.fromarray(np.tile(pixels, (rows, columns, 1))[:height, :width])


def measure(*arguments: str) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and peak MiB of one `cwic` command."""
    start = perf_counter()
    command = [sys.executable, "-c", "from cwic.cli import main; main()", *arguments]
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"cwic {' '.join(arguments)} failed")
    return perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main(jobs: str = "1", width: str = "12000") -> None:
    """Measure and print."""
    sizes = [(64, 48), *((int(width) // n, int(width) * 3 // 4 // n) for n in (4, 1))]
    print(f"{'picture':<14}{'command':<9}{'seconds':>9}{'CPU':>9}{'us/pixel':>10}{'peak MiB':>10}", flush=True)
    busy: dict[str, list[float]] = {"encode": [], "decode": []}
    with tempfile.TemporaryDirectory() as folder:
        for number, (columns, rows) in enumerate(sizes):
            source, coded, decoded = (str(Path(folder) / name) for name in ("a.png", "a.cwic", "b.png"))
            mosaic(columns, rows).save(source, compress_level=1)
            for command, arguments in {"encode": (source, "-o", coded), "decode": (coded, "-o", decoded)}.items():
                repeats = 1 if number == len(sizes) - 1 else REPEATS
                runs = [measure(command, *arguments, "-f", "-j", jobs) for _ in range(repeats)]
                taken, processor, peak = (median(run[k] for run in runs) for k in range(3))
                busy[command].append(processor)
                rate = 1e6 * (processor - busy[command][0]) / (columns * rows)
                row = f"{f'{columns}x{rows}':<14}{command:<9}{taken:>9.1f}{processor:>9.1f}"
                print(f"{row}{rate:>10.3f}{peak:>10.0f}", flush=True)
    pixels = sizes[2][0] * sizes[2][1] / (sizes[1][0] * sizes[1][1])
    for command, (start, small, large) in busy.items():
        ratio = (large - start) / (small - start)
        print(f"{command}: {ratio:.2f} times the processor time beyond its start for {pixels:.0f} times the pixels")


if __name__ == "__main__":
    main(*sys.argv[1:])
