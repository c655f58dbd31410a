from __future__ import annotations

import numpy as np
import pytest
import torch

from cwic.training.crops import batch, random_crop

PICTURE = torch.arange(70 * 90 * 3, dtype=torch.int64).remainder(251).to(torch.uint8).view(70, 90, 3)


@pytest.mark.parametrize("downscale", [1.0, 4.0])
def test_a_crop_has_its_size_and_follows_the_seed(downscale: float) -> None:
    first, again, other = (random_crop(PICTURE, 64, np.random.default_rng(s), downscale) for s in (1, 1, 2))
    assert first.shape == (64, 64, 3)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_squares_come_flipped_and_transposed() -> None:
    square = PICTURE[:64, :64]
    random = np.random.default_rng(0)
    ways = {random_crop(square, 64, random).contiguous().numpy().tobytes() for _ in range(100)}
    flipped = [square, square.flip(1)]
    assert ways == {each.contiguous().numpy().tobytes() for f in flipped for each in (f, f.transpose(0, 1))}


def test_a_batch_is_in_unit_range_with_channels_last() -> None:
    found = batch([PICTURE[:64, :64], PICTURE[5:69, 9:73]])
    assert found.shape == (2, 3, 64, 64)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal((found[1] * 255).round().to(torch.uint8).permute(1, 2, 0), PICTURE[5:69, 9:73])
