"""Find the quality at which a codec reaches a given rate, so that pictures are compared at equal rates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cwic.errors import CwicError
from cwic.evaluation.codecs.codec import Codec
from cwic.evaluation.metrics import psnr
from cwic.image.picture import Picture


class Match(NamedTuple):
    """A picture as a codec gives it back at about the rate that was asked for.

    Attributes:
        x_hat: uint8 `[H, W, 3]`.
        bpp: of the whole file.
        psnr_rgb_db: over the whole picture.
    """

    codec: str
    quality: float
    bpp: float
    psnr_rgb_db: float
    x_hat: NDArray[np.uint8]

    @property
    def caption(self) -> str:
        """`codec bpp / dB`."""
        return f"{self.codec} {self.bpp:.3f} bpp / {self.psnr_rgb_db:.2f} dB"


def match_rate(codec: Codec, picture: Picture, bpp: float) -> Match:
    """The picture at the quality whose file comes closest to `bpp`, found by bisection: files grow with quality.

    Raises CwicError, of the kind that the codec raised.
    """
    files: dict[int, bytes] = {}

    def rate(step: int) -> float:
        if step not in files:
            files[step] = codec.encode(picture.pixels, codec.scale.at(step))
        return 8 * len(files[step]) / (picture.width * picture.height)

    low, high = 0, codec.scale.steps
    try:
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if rate(middle) <= bpp else (low, middle)
        best = min((low, high), key=lambda step: abs(rate(step) - bpp))
        x_hat = codec.decode(files[best])
    except CwicError as error:
        raise type(error)(f"{codec.name}: {error}") from error
    return Match(codec.name, codec.scale.at(best), rate(best), psnr(picture.rgb, x_hat), x_hat)
