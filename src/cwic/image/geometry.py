"""Padding to whole latents."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

ALIGNMENT = 64
"""Pixels per position of the coarsest latent, `z`: both sides are padded to a multiple of it."""


def padded_side(side: int, multiple: int = ALIGNMENT) -> int:
    """The smallest multiple that is not below `side`."""
    return -(-side // multiple) * multiple


def pad(x: Tensor, multiple: int = ALIGNMENT) -> Tensor:
    """`x` `[B, C, H, W]` with the right column and the bottom row repeated until both sides are multiples."""
    H, W = x.shape[-2:]
    return pad_to(x, padded_side(H, multiple), padded_side(W, multiple))


def pad_to(x: Tensor, height: int, width: int) -> Tensor:
    """`x` `[B, C, H, W]` with the right column and the bottom row repeated up to `[B, C, height, width]`.

    Repeated edges cost fewer bits than zeros and, unlike mirrored ones, exist for a picture of one pixel.
    """
    H, W = x.shape[-2:]
    return F.pad(x, (0, width - W, 0, height - H), mode="replicate")
