"""What products of 16-bit numbers cost: our own engine beside float32, in bytes, PSNR and pixels.

    python benchmarks/engines.py FOLDER [--model NAME]     for instance of the Kodak pictures

Each engine encodes each picture, and each decodes what float32 wrote.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

import cwic
from cwic.evaluation.metrics import psnr
from cwic.image.folder import picture_files, read_picture
from cwic.models import catalog
from cwic.networks.engine import ENGINE_VARIABLE, Native, OnnxRuntime

QUALITIES = (20, 50, 84, 100)
Pixels = NDArray[np.uint8]


@contextmanager
def running(engine: str, model: str) -> Iterator[None]:
    """Makes a model run by an engine."""
    networks = catalog.open_model(model)._networks.values()  # type: ignore[attr-defined]
    before = os.environ.get(ENGINE_VARIABLE, "")
    os.environ[ENGINE_VARIABLE] = engine
    for network in networks:
        network.forget()
    try:
        yield
    finally:
        os.environ[ENGINE_VARIABLE] = before


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print, as means over the pictures of the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", action="append", help="cwic-s and cwic-m where left out")
    options = parser.parse_args(arguments)
    originals: list[Pixels] = [read_picture(file).pixels for file in picture_files(options.folder)]
    print(f"{len(originals)} pictures; our own engine against float32")
    print(f"{'':<18}{'decoding':>36}{'encoding':>24}")
    print(f"{'model, quality':<18}{'PSNR':>12}{'other pixels':>14}{'most':>10}{'bytes':>12}{'PSNR':>12}")
    for model in options.model or ("cwic-s", "cwic-m"):
        for quality in QUALITIES:
            with running(OnnxRuntime.name, model):
                files = [cwic.encode(pixels, quality=quality, model=model) for pixels in originals]
                expected = [np.asarray(cwic.decode(data)) for data in files]
            with running(Native.name, model):
                found = [np.asarray(cwic.decode(data)) for data in files]
                own = [cwic.encode(pixels, quality=quality, model=model) for pixels in originals]
            with running(OnnxRuntime.name, model):
                of_own = [np.asarray(cwic.decode(data)) for data in own]
            loss = _mean_psnr(found, originals) - _mean_psnr(expected, originals)
            levels = [np.abs(a.astype(int) - b) for a, b in zip(found, expected, strict=True)]
            share, most = mean(float((each > 0).mean()) for each in levels), max(int(each.max()) for each in levels)
            size = sum(map(len, own)) / sum(map(len, files)) - 1
            gain = _mean_psnr(of_own, originals) - _mean_psnr(expected, originals)
            print(f"{f'{model}, {quality}':<18}{loss:>+9.4f} dB{share:>14.2%}{most:>10}{size:>+12.3%}{gain:>+9.4f} dB")


def _mean_psnr(pictures: Sequence[Pixels], originals: Sequence[Pixels]) -> float:
    return mean(psnr(a, b) for a, b in zip(pictures, originals, strict=True))


if __name__ == "__main__":
    main()
