"""The orthonormal maps with which the `cwic` transforms begin training: colour rotation, 8x8 DCT, 2x2 Haar.

At step 0 the auto-encoder is this transform coder; training only improves on it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 8
PLANES = 3 * BLOCK * BLOCK


def luma_chroma() -> Tensor:
    """Return the `[3, 3]` rotation from RGB to a luma and two chroma axes."""
    rows = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    return rows / rows.norm(dim=1, keepdim=True)


def dct(size: int = BLOCK) -> Tensor:
    """Return the orthonormal DCT-II matrix `[frequency, sample]`."""
    k, n = torch.arange(size)[:, None], torch.arange(size)[None, :]
    matrix = math.sqrt(2 / size) * torch.cos(math.pi * (2 * n + 1) * k / (2 * size))
    matrix[0] /= math.sqrt(2)
    return matrix


def block_transform() -> Tensor:
    """Return the 8x8 DCT of the rotated colour planes: `[192, 192]`, for pixel-unshuffled RGB (plane, row, column)."""
    return torch.kron(luma_chroma(), torch.kron(dct(), dct()))


def haar(channels: int) -> Tensor:
    """Return the 2x2 Haar transform of each channel: `[4 C, 4 C]`, for a map that is pixel-unshuffled by 2.

    Rows are (channel, band).
    """
    step = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2)
    return torch.kron(torch.eye(channels), torch.kron(step, step))
