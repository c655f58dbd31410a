from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from cwic.nn.norm import ChannelNorm


@pytest.mark.parametrize("strength", [1e-3, 1.0, 1e4])
def test_every_position_gets_a_mean_square_of_one(strength: float) -> None:
    x = strength * torch.randn(2, 64, 3, 5)
    y = ChannelNorm(64, epsilon=0)(x)
    torch.testing.assert_close(y.square().mean(dim=1), torch.ones(2, 3, 5))
    torch.testing.assert_close(y, F.rms_norm(x.permute(0, 2, 3, 1), (64,), eps=0).permute(0, 3, 1, 2))


def test_where_there_is_nothing_nothing_comes_of_it() -> None:
    x = torch.zeros(1, 8, 2, 2, requires_grad=True)
    y = ChannelNorm(8)(x)
    y.sum().backward()
    assert torch.equal(y, torch.zeros_like(x))
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_half_precision_is_summed_in_single() -> None:
    x = (300 * torch.randn(1, 8, 2, 2)).half()  # whose squares no half holds
    y = ChannelNorm(8)(x)
    assert y.dtype == torch.float16
    torch.testing.assert_close(y.float(), ChannelNorm(8)(x.float()), rtol=2e-3, atol=1e-3)
