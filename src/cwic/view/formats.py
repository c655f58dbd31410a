"""Code a picture in another format, with Pillow, at no more bytes than its `.cwic` file has."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.evaluation.codecs.registry import PEERS

OTHERS = ("jpeg", "webp", "avif")


class Coded(NamedTuple):
    """A file of another format, and its quality on that format's scale."""

    data: bytes
    quality: float


def code_within(name: str, pixels: NDArray[np.uint8], limit: int) -> Coded:
    """Code a picture in another format at the highest quality that fits a limit.

    The quality is found by bisection, because files grow with quality. If no file fits, the result has the lowest
    quality.

    Args:
        name: the name of the format.
        pixels: the picture, uint8 `[H, W, 3]`.
        limit: the largest number of bytes.

    Raises:
        CwicError: Pillow cannot write the format.
    """
    codec = PEERS[name]
    codec.ready()
    low, high = 0, codec.scale.steps + 1
    best = Coded(codec.encode(pixels, codec.scale.at(low)), codec.scale.at(low))
    while high - low > 1:
        middle = (low + high) // 2
        data = codec.encode(pixels, codec.scale.at(middle))
        if len(data) <= limit:
            low, best = middle, Coded(data, codec.scale.at(middle))
        else:
            high = middle
    return best
