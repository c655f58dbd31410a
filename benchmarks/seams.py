"""What tiles cost, and whether they show: tiled against one tile, over a folder of pictures.

    python benchmarks/seams.py FOLDER [SIDE]

For tiles of SIDE pixels (256 by default): bytes and PSNR against one tile, and the squared error within 4 pixels of the
borders of tiles against the same places of the untiled picture, both relative to the mean error of their picture.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image

import cwic
from cwic.image.folder import picture_files, read_picture

QUALITIES = (20, 50, 80)
NEAR = 4


def main(folder: Path, side: int = 256) -> None:
    """Measure and print, as means over the pictures."""
    print(f"{'quality':<9}{'bytes':>9}{'PSNR, dB':>10}{'border error':>14}{'untiled':>9}   (tiles of {side} pixels)")
    pictures = [read_picture(file).rgb for file in picture_files(folder)]
    for quality in QUALITIES:
        rows = [compare(pixels, quality, side) for pixels in pictures]
        size, fidelity, border, untiled = (mean(row[k] for row in rows) for k in range(4))
        print(f"{quality:<9}{100 * size:>+8.2f}%{fidelity:>+10.4f}{border:>14.3f}{untiled:>9.3f}", flush=True)
        print(f"{'':<9}largest difference of PSNR {max((row[1] for row in rows), key=abs):+.4f} dB", flush=True)


def compare(pixels: np.ndarray, quality: float, side: int) -> tuple[float, float, float, float]:
    """Relative bytes, difference of PSNR, and the error near borders over the mean error, tiled and untiled."""
    image = Image.fromarray(pixels)
    files = [cwic.encode(image, quality=quality, tile=tile) for tile in (side, 1 << 14)]
    errors = [np.square(np.asarray(cwic.decode(file), np.float64) - pixels).mean(axis=2) for file in files]
    near = np.zeros(pixels.shape[:2], bool)
    for border in range(side, pixels.shape[0], side):
        near[border - NEAR : border + NEAR] = True
    for border in range(side, pixels.shape[1], side):
        near[:, border - NEAR : border + NEAR] = True
    tiled, untiled = (float(error[near].mean() / error.mean()) for error in errors)
    fidelity = 10 * np.log10(errors[1].mean() / errors[0].mean())
    return len(files[0]) / len(files[1]) - 1, float(fidelity), tiled, untiled


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
