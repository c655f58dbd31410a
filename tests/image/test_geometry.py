from __future__ import annotations

import pytest
import torch

from cwic.image.geometry import pad, pad_to, padded_side


@pytest.mark.parametrize(("side", "padded"), [(1, 64), (63, 64), (64, 64), (65, 128), (769, 832)])
def test_padded_side(side: int, padded: int) -> None:
    assert padded_side(side) == padded


@pytest.mark.parametrize(("H", "W"), [(1, 1), (7, 5), (17, 100), (64, 64), (65, 63)])
def test_pad_repeats_the_edge(H: int, W: int) -> None:
    x = torch.rand(2, 3, H, W)
    padded = pad(x)
    assert padded.shape[-2] % 64 == padded.shape[-1] % 64 == 0
    assert torch.equal(padded[..., :H, :W], x)
    assert torch.equal(padded[..., -1, -1], x[..., -1, -1])
    assert torch.equal(padded[..., :H, -1], x[..., -1])
    assert torch.equal(padded[..., -1, :W], x[..., -1, :])


def test_pad_to_any_size() -> None:
    x = torch.rand(1, 3, 5, 7)
    padded = pad_to(x, 9, 7)
    assert padded.shape == (1, 3, 9, 7)
    assert torch.equal(padded[..., 5:, :], x[..., 4:5, :].expand(-1, -1, 4, -1))
