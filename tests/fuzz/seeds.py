"""Small good files of every kind, made with the weights of the day: what mutations begin with."""

from __future__ import annotations

import numpy as np
from PIL import Image

import cwic


def seeds() -> list[bytes]:
    """One tile and several, grey and colour, with alpha and metadata, flat and noisy; one of cwic-m."""
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (70, 90, 4), np.uint8))
    smooth = Image.fromarray(np.linspace(0, 255, 130 * 70 * 3).astype(np.uint8).reshape(70, 130, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    metadata = cwic.Metadata(b"profile", exif.tobytes().removeprefix(b"Exif\0\0"), b"<x/>")
    return [
        cwic.encode(Image.new("L", (1, 1))),
        cwic.encode(Image.new("RGB", (64, 64), "red"), quality=0),
        cwic.encode(noise.convert("RGB"), quality=30),
        cwic.encode(noise.convert("LA"), quality=80, metadata=metadata),
        cwic.encode(smooth, quality=60, tile=128, metadata=metadata),
        cwic.encode(smooth, quality=40, model="cwic-m"),
    ]
