from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cwic.nn.dense import DenseBlock, FeatureEncoding


def test_dense_block_feeds_every_convolution_with_all_that_went_before() -> None:
    block = DenseBlock(3, 5, growth=4)
    nn.init.normal_(block.conv5.weight)
    x = torch.randn(1, 3, 6, 7)
    known = [x]
    for conv in (block.conv1, block.conv2, block.conv3, block.conv4):
        out = F.conv2d(torch.cat(known, dim=1), conv.weight, conv.bias, padding=1)
        known.append(torch.where(out > 0, out, 0.2 * out))
    expected = F.conv2d(torch.cat(known, dim=1), block.conv5.weight, block.conv5.bias, padding=1)
    torch.testing.assert_close(block(x), expected)
    assert block(x).shape == (1, 5, 6, 7)


def test_feature_encoding_starts_as_the_identity_and_can_leave_it() -> None:
    encoding, x = FeatureEncoding(6, width=8, growth=4), torch.randn(2, 6, 9, 5)
    assert torch.equal(encoding(x), x)
    (encoding(x) ** 2).sum().backward()
    assert encoding.layers[4].conv5.weight.grad.abs().max() > 0
    for block in (encoding.layers[0], encoding.layers[4]):
        nn.init.normal_(block.conv5.weight)
    assert not torch.allclose(encoding(x), x)


@torch.no_grad()
def test_it_costs_what_it_says() -> None:
    with FlopCounterMode(display=False) as counter:
        FeatureEncoding()(torch.zeros(1, 3, 4, 4))
    assert counter.get_total_flops() / 2 / 16 == 313_472
    blocks = sum(9 * (4 * c * 32 + 6 * 32**2 + (c + 4 * 32) * d) for c, d in ((3, 64), (64, 3)))
    assert blocks + 11 * 64**2 == 313_472


def test_the_published_network_agrees(golden: Any) -> None:
    encoding = FeatureEncoding()
    encoding.load_state_dict(golden.weights("enh.forw_enh."))
    with torch.no_grad():
        out = encoding(golden["input"])
    torch.testing.assert_close(out, golden["mid/enh_out"], rtol=0, atol=1e-4)
    assert (out - golden["input"]).abs().max() > 0.01
