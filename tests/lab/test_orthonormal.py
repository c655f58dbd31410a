from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cwic.lab.orthonormal import PLANES, block_transform, dct, haar, luma_chroma


@pytest.mark.parametrize("matrix", [luma_chroma(), dct(), dct(5), block_transform(), haar(6)])
def test_every_map_is_orthonormal(matrix: Tensor) -> None:
    identity = torch.eye(len(matrix))
    torch.testing.assert_close(matrix @ matrix.t(), identity, rtol=0, atol=5e-6)
    torch.testing.assert_close(matrix.t() @ matrix, identity, rtol=0, atol=5e-6)


def test_grey_is_luma_alone() -> None:
    torch.testing.assert_close(luma_chroma() @ torch.ones(3), torch.tensor([math.sqrt(3), 0.0, 0.0]))


def test_dct_rows_are_cosines_by_frequency() -> None:
    n = torch.arange(8, dtype=torch.float64)
    for k in range(8):
        wave = torch.cos(math.pi * (n + 0.5) * k / 8).float()
        expected = torch.zeros(8)
        expected[k] = wave.norm()
        torch.testing.assert_close(dct() @ wave, expected, rtol=0, atol=1e-5)


def test_a_flat_picture_is_one_coefficient() -> None:
    x = torch.full((1, 3, 16, 8), 0.25)
    planes = F.conv2d(F.pixel_unshuffle(x, 8), block_transform()[:, :, None, None])
    assert planes.shape == (1, PLANES, 2, 1)
    torch.testing.assert_close(planes[:, 0], torch.full((1, 2, 1), 0.25 * 8 * math.sqrt(3)))
    assert planes[:, 1:].abs().max() < 1e-5


def test_haar_bands_of_a_channel_are_mean_columns_rows_and_diagonal() -> None:
    square = torch.tensor([[5.0, 1.0], [2.0, 4.0]])
    x = torch.zeros(1, 2, 2, 2)
    x[0, 1] = square
    bands = F.conv2d(F.pixel_unshuffle(x, 2), haar(2)[:, :, None, None]).flatten()
    torch.testing.assert_close(bands, torch.tensor([0.0, 0, 0, 0, 6, 1, 0, 3]))
