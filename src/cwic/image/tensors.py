"""Pixels to tensors and back: uint8 arrays outside, float32 in [0, 1] inside."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cwic.image.picture import Picture


def to_tensor(picture: Picture) -> Tensor:
    """The picture as `x`: float32 `[1, 3, H, W]` in [0, 1], alpha left out. Greyscale is given to all channels."""
    x = torch.from_numpy(np.array(picture.pixels, order="C"))  # a copy: Pillow's arrays are read-only
    x = x[None].expand(3, -1, -1) if picture.mode == "L" else x.permute(2, 0, 1)
    return x[None].to(torch.float32).div_(255).contiguous()


def to_picture(x_hat: Tensor, mode: str = "RGB") -> Picture:
    """A reconstruction as 8-bit pixels, clamped and rounded.

    Args:
        x_hat: `[1, 3, H, W]`, nominally in [0, 1], of any float type.
        mode: `"RGB"`, or `"L"` for the mean of the three channels.
    """
    planes = x_hat.detach()[0].to(torch.float32).clamp(0, 1)
    if mode == "L":
        planes = planes.mean(dim=0, keepdim=True)
    levels = planes.mul(255).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu()
    pixels: NDArray[np.uint8] = levels.numpy()
    return Picture(pixels[:, :, 0] if mode == "L" else pixels, mode)
