"""Pictures at the ends of what there is: noise, checkerboards, pure colours, text, gradients."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 192


def worst_cases(side: int = SIDE) -> dict[str, Image.Image]:
    """By name, all of `side` x `side` pixels."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    checks = (255 * ((rows + columns) % 2)).astype(np.uint8)
    colours = np.stack([checks, 255 - checks, np.roll(checks, 1, axis=0) // 2], axis=2)
    ramp = np.stack([columns, rows, columns[:, ::-1]], axis=2) * 255 // (side - 1)
    cases = {
        "noise": random.integers(0, 256, (side, side, 3), np.uint8),
        "grey noise": random.integers(0, 256, (side, side), np.uint8),
        "binary noise": 255 * random.integers(0, 2, (side, side, 3), np.uint8),
        "checkerboard": checks,
        "colour checks": colours,
        "stripes": (255 * (columns % 2)).astype(np.uint8),
        "gradient": ramp.astype(np.uint8),
    }
    images = {name: Image.fromarray(pixels) for name, pixels in cases.items()}
    for colour in ("black", "white", "red", "lime", "blue"):
        images[colour] = Image.new("RGB", (side, side), colour)
    images["text"] = _screenshot(side)
    return images


def _screenshot(side: int) -> Image.Image:
    """Small text, dark on light and light on dark."""
    image = Image.new("RGB", (side, side), "white")
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(9)
    pen.rectangle((side // 2, 0, side, side), fill=(30, 30, 46))
    for row in range(0, side, 11):
        pen.text((2, row), f"{row:03} the quick brown fox", fill="black", font=font)
        pen.text((side // 2 + 2, row), f"def fox{row}(): return", fill=(137, 180, 250), font=font)
    return image
