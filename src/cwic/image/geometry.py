"""Pad pictures to whole latents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
"""Pixels per position of the coarsest latent, `z`: both sides are padded to a multiple of it."""


def padded_side(side: int, multiple: int = ALIGNMENT) -> int:
    """The smallest multiple that is not below `side`."""
    return -(-side // multiple) * multiple


def pad(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """`x` `[B, C, H, W]` padded until both sides are multiples of ALIGNMENT."""
    H, W = x.shape[-2:]
    return pad_to(x, padded_side(H), padded_side(W))


def pad_to(x: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """`x` `[B, C, H, W]` with the right column and the bottom row repeated up to `[B, C, height, width]`.

    Repeated edges cost fewer bits than zeros and, unlike mirrored ones, exist for a picture of one pixel.
    """
    H, W = x.shape[-2:]
    if (height, width) == (H, W):
        return x
    return np.pad(x, ((0, 0), (0, 0), (0, height - H), (0, width - W)), mode="edge")
