"""What effort brings: bytes at equal quality and seconds, picture by picture, beside the default effort.

    python benchmarks/effort.py PICTURES [--model cwic-s] [--effort 7] [--side 512]

Encodes the middle of every picture under a folder at four qualities. Prints for each picture the BD-rate at equal PSNR,
or at equal SSIMULACRA 2 for a model for the eye, and how many times as long encoding took; then their mean and median.
Fails if effort made a picture larger at equal quality.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import mean, median
from time import perf_counter

import numpy as np
from PIL import Image

import cwic
from cwic.config import EYE
from cwic.errors import InputError
from cwic.evaluation.bd import Curve, bd
from cwic.image.fidelity import psnr
from cwic.image.folder import picture_files
from cwic.image.ssimulacra2 import ssimulacra2
from cwic.models.catalog import describe
from cwic.models.refine import DEFAULT_EFFORT

QUALITIES = (20, 40, 60, 80)


def main(folder: Path, model: str, effort: int, side: int) -> int:
    """Measure and print; the number of pictures that became larger."""
    rates, times = [], []
    for file in picture_files(folder):
        picture = middle_of(file, side)
        cwic.encode(picture, model=model, effort=effort, quality=QUALITIES[0])  # loads the networks
        (plain, seconds), (refined, longer) = (measured(picture, model, each) for each in (DEFAULT_EFFORT, effort))
        try:
            rates.append(bd(plain, refined).rate_percent)
        except InputError as error:  # for example, a blank page comes back exact
            print(f"{file.name:<48} left out: {error}")
            continue
        times.append(longer / seconds)
        print(f"{file.name:<48} {rates[-1]:+6.2f} %  {times[-1]:5.1f} times the seconds", flush=True)
    if not rates:
        raise SystemExit("no picture has a curve")
    larger = sum(rate > 0 for rate in rates)
    print(
        f"{len(rates)} pictures, {model}, effort {effort}: {mean(rates):+.2f} % (from {min(rates):+.2f} to "
        f"{max(rates):+.2f}), {median(times):.1f} times the seconds; {larger} larger"
    )
    return larger


def middle_of(file: Path, side: int) -> Image.Image:
    """The middle of a picture: `side` pixels square, or less where the picture has less."""
    with Image.open(file) as image:
        picture = image.convert("RGB")
    left, top = (max(0, length - side) // 2 for length in picture.size)
    return picture.crop((left, top, min(left + side, picture.width), min(top + side, picture.height)))


def measured(picture: Image.Image, model: str, effort: int) -> tuple[Curve, float]:
    """The curve of a picture, and the seconds of all its encodings."""
    measure = ssimulacra2 if describe(model).tune == EYE else psnr
    bpp, quality, seconds = [], [], 0.0
    for each in QUALITIES:
        begin = perf_counter()
        data = cwic.encode(picture, model=model, effort=effort, quality=each)
        seconds += perf_counter() - begin
        bpp.append(8 * len(data) / (picture.width * picture.height))
        quality.append(measure(np.asarray(picture), np.asarray(cwic.decode(data))))
    return Curve(np.array(bpp), np.array(quality)), seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--model", default="cwic-s")
    parser.add_argument("--effort", type=int, default=7)
    parser.add_argument("--side", type=int, default=512)
    asked = parser.parse_args()
    sys.exit(int(main(asked.pictures, asked.model, asked.effort, asked.side) > 0))
