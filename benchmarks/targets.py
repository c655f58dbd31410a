"""Whether targets are met, how closely, and in how many probes.

    python benchmarks/targets.py PICTURES [--model cwic-s] [--effort 5]

Encodes every picture under a folder to three targets: a size, a PSNR and a score of SSIMULACRA 2. Prints a row for
each: how many were missed, the mean and the most probes, and what the worst file gave away: the bytes that the next
level would still have used, or the bytes that the level below would have saved while meeting the target. Fails if a
target was missed, or if a file gave away more than half a per cent.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np
from PIL import Image

import cwic
from cwic.image.fidelity import psnr
from cwic.image.folder import picture_files
from cwic.image.ssimulacra2 import ssimulacra2
from cwic.latents.levels import MAX_LEVEL
from cwic.progress import listening

TARGETS = {"target_bpp": 0.5, "target_psnr": 34.0, "target_ssimulacra2": 60.0}
MEASURES = {"target_psnr": psnr, "target_ssimulacra2": ssimulacra2}
ALLOWED = 0.005


class Result(NamedTuple):
    """Of one picture and target: whether it was met, the probes, and the share of bytes given away."""

    met: bool
    probes: int
    given_away: float


def main(folder: Path, model: str, effort: int) -> int:
    """Measure and print; the number of rules broken."""
    files = picture_files(folder)
    broken = 0
    print(f"{len(files)} pictures, {model}, effort {effort}")
    for name, goal in TARGETS.items():
        results = [reached(file, name, goal, model, effort) for file in files]
        missed, worst = sum(not result.met for result in results), max(result.given_away for result in results)
        probes = [result.probes for result in results]
        print(
            f"{name:<20} {goal:g}: missed {missed}, probes {mean(probes):.1f} (at most {max(probes)}), "
            f"given away {100 * worst:.3f} %",
            flush=True,
        )
        broken += missed + (worst > ALLOWED)
    return broken


def reached(file: Path, name: str, goal: float, model: str, effort: int) -> Result:
    """One search, and a look at the level beside the one that it chose."""
    with Image.open(file) as image:
        picture = image.convert("RGB")
    probes = 1

    def listen(unit: str, done: int, total: int | None) -> None:
        nonlocal probes
        if unit == "probes":
            probes = max(probes, done + 1)

    with listening(listen):
        data = cwic.encode(picture, model=model, effort=effort, **{name: goal})  # type: ignore[arg-type]
    level = round(cwic.read_info(data).quality * 10)

    def met(data: bytes) -> bool:
        if name == "target_bpp":
            return 8 * len(data) <= goal * picture.width * picture.height
        return MEASURES[name](np.asarray(picture), np.asarray(cwic.decode(data))) >= goal

    beside = level + 1 if name == "target_bpp" else level - 1
    given_away = 0.0
    if 0 <= beside <= MAX_LEVEL:
        other = cwic.encode(picture, model=model, effort=effort, quality=beside / 10)
        if met(other):
            given_away = max(0.0, abs(len(other) - len(data)) / len(data))
    return Result(met(data), probes, given_away)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="cwic-s")
    parser.add_argument("--effort", type=int, default=5)
    options = parser.parse_args()
    sys.exit(main(options.folder, options.model, options.effort) > 0)
