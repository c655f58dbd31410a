"""Pictures that no transform likes: they must encode and decode, stay small enough, and look like themselves.

    python benchmarks/worst_case.py

Prints bytes relative to the raw picture, and PSNR, for every tenth quality. Fails if a file is over 1.1 times raw, or
if the PSNR at quality 90 is under 15 dB.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np

import cwic
from cwic.image.fidelity import psnr

CONTENT = Path(__file__).parents[1] / "tests" / "fuzz" / "content.py"


def main() -> int:
    """Measure and print; the number of rules broken."""
    broken = 0
    print(f"{'content':<16}" + "".join(f"{f'q{quality}':>14}" for quality in range(0, 101, 10)))
    for name, image in runpy.run_path(str(CONTENT))["worst_cases"]().items():
        cells = []
        for quality in range(0, 101, 10):
            data = cwic.encode(image, quality=quality)
            pixels = np.asarray(image)
            size, fidelity = len(data) / pixels.size, psnr(pixels, np.asarray(cwic.decode(data)))
            broken += size > 1.1 or (quality == 90 and fidelity < 15)
            cells.append(f"{size:.4f} {min(fidelity, 99):5.1f}")
        print(f"{name:<16}" + "".join(f"{cell:>14}" for cell in cells), flush=True)
    return broken


if __name__ == "__main__":
    sys.exit(main() > 0)
