"""Other formats at the bytes of a `.cwic` file, as Pillow writes them."""

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
    """The largest file of at most `limit` bytes, or the smallest there is, of uint8 `[H, W, 3]`.

    Found by bisection: files grow with quality. Raises `CwicError` where Pillow cannot write the format.
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
