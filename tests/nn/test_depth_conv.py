from __future__ import annotations

import torch
from torch import nn

from cwic.nn.depth_conv import DepthConvBlock, start_near_zero

LEVEL = torch.tensor([300])


def test_a_block_starts_close_to_the_identity() -> None:
    block, x = DepthConvBlock(16), torch.randn(1, 16, 8, 8)
    change = block(x, LEVEL) - x
    assert 0 < change.std() < 0.05


def test_start_near_zero_shrinks_and_drops_the_bias() -> None:
    conv = nn.Conv2d(4, 4, 1)
    weight = conv.weight.detach().clone()
    assert start_near_zero(conv) is conv
    torch.testing.assert_close(conv.weight.detach(), 0.02 * weight)
    assert not conv.bias.any()


def test_a_block_sees_three_by_three_positions() -> None:
    block, x = DepthConvBlock(4), torch.randn(1, 4, 7, 7)
    moved = x.clone()
    moved[0, :, 3, 3] += 1
    changed = (block(moved, LEVEL) != block(x, LEVEL)).any(dim=1)[0]
    expected = torch.zeros(7, 7, dtype=torch.bool)
    expected[2:5, 2:5] = True
    assert torch.equal(changed, expected)


def test_the_level_reaches_both_branches_and_gradients_every_parameter() -> None:
    block, x = DepthConvBlock(4), torch.randn(2, 4, 5, 5)
    level = torch.tensor([100, 900])
    plain = block(x, level)
    for gain in (block.spatial_gain, block.channel_gain):
        with torch.no_grad():
            gain.log2_gain[7:] = 2.0
        louder = block(x, level)
        assert torch.equal(louder[0], plain[0])
        assert not torch.allclose(louder[1], plain[1])
        plain = louder
    plain.square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in block.parameters())
