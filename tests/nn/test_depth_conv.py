from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cwic.nn import depth_conv
from cwic.nn.compiled import compiled_blocks
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


def test_the_form_that_is_compiled_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # Traced in one piece, as on a GPU, but run as it is.
    compiled = torch.compile(depth_conv._block, backend="eager", fullgraph=True, dynamic=False)
    monkeypatch.setattr(depth_conv, "compiled", lambda function: compiled)
    block, level = DepthConvBlock(8), torch.tensor([100, 900])
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(2, 8, 6, 5, requires_grad=True)
    slope = torch.randn(x.shape)
    found = []
    for wanted in (False, True):
        with compiled_blocks(wanted):
            out = block(x, level)
        found.append([out, *torch.autograd.grad(out, [x, *block.parameters()], slope)])
    for plain, fused in zip(*found, strict=True):
        torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-4)


def test_shifted_products_are_a_convolution() -> None:
    x, taps, bias = torch.randn(2, 4, 7, 3), torch.randn(3, 9), torch.randn(3)
    expected = F.conv2d(x.permute(0, 3, 1, 2), taps.view(3, 1, 3, 3), bias, padding=1, groups=3)
    torch.testing.assert_close(depth_conv.shifted_depthwise(x, taps.t(), bias), expected.permute(0, 2, 3, 1))
