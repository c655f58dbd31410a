"""Crops of pictures in memory: random squares, turned and scaled at random, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def random_crop(picture: Tensor, size: int, random: np.random.Generator, downscale: float = 1.0) -> Tensor:
    """Return a random square of a picture, flipped and transposed at random.

    Random numbers are drawn on the host and pixels stay on their device, so that the host never waits for a GPU.

    Args:
        picture: uint8 `[H, W, 3]`, at least `size` a side.
        size: the side of the result, in pixels.
        random: gives the random numbers.
        downscale: the largest factor by which a larger square is scaled down to `size`. The factor is log-uniform from
            1 to this, as far as the picture is large enough.

    Returns:
        uint8 `[size, size, 3]`.
    """
    height, width = picture.shape[:2]
    side = size
    if downscale > 1:
        side = min(round(size * downscale ** random.random()), height, width)
    top, left = random.integers(height - side + 1), random.integers(width - side + 1)
    square = picture[top : top + side, left : left + side]
    if random.integers(2):
        square = square.flip(1)
    if random.integers(2):
        square = square.transpose(0, 1)
    return square if side == size else _scaled(square, size)


def batch(squares: Sequence[Tensor]) -> Tensor:
    """Turn uint8 squares `[S, S, 3]` into a batch: float32 `[B, 3, S, S]` in [0, 1], channels-last."""
    return torch.stack(list(squares)).permute(0, 3, 1, 2).float() / 255


def _scaled(square: Tensor, size: int) -> Tensor:
    planes = square.permute(2, 0, 1)[None].float()
    scaled = F.interpolate(planes, (size, size), mode="bicubic", antialias=True, align_corners=False)
    return scaled[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
