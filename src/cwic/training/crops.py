"""Crops of pictures in memory: random squares, turned and scaled at random, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def random_crop(picture: Tensor, size: int, random: np.random.Generator, downscale: float = 1.0) -> Tensor:
    """A square of `picture` (uint8 `[H, W, 3]`, at least `size` a side), flipped and transposed at random.

    It is cut up to `downscale` times as large (log-uniform, as far as the picture goes) and scaled down to `size`. All
    random numbers are drawn on the host and all pixels stay on their device, so that nothing waits for a GPU.
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
    """uint8 squares `[S, S, 3]` as float32 `[B, 3, S, S]` in [0, 1], channels-last."""
    return torch.stack(list(squares)).permute(0, 3, 1, 2).float() / 255


def _scaled(square: Tensor, size: int) -> Tensor:
    planes = square.permute(2, 0, 1)[None].float()
    scaled = F.interpolate(planes, (size, size), mode="bicubic", antialias=True, align_corners=False)
    return scaled[0].round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
