from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cwic.config import CwicConfig
from cwic.lab.analysis import Analysis
from cwic.lab.synthesis import Synthesis


@pytest.mark.parametrize("level", [0, 500, 1000])
@torch.no_grad()
def test_the_untrained_transforms_are_a_transform_coder(small: CwicConfig, pictures: Tensor, level: int) -> None:
    analysis, synthesis = Analysis(small), Synthesis(small)
    analysis.calibrate([pictures])
    synthesis.follow(analysis)
    levels = torch.tensor([level, level])
    x_hat = synthesis(analysis(pictures, levels), levels)
    assert x_hat.shape == pictures.shape
    assert -10 * torch.log10((x_hat - pictures).square().mean()) > 30


@torch.no_grad()
def test_the_picture_follows_the_level(small: CwicConfig) -> None:
    synthesis, y_hat = Synthesis(small), torch.randn(1, 320, 4, 4)
    low, high = torch.tensor([0]), torch.tensor([1000])
    before = synthesis(y_hat, low)
    assert torch.equal(synthesis(y_hat, high), before)
    synthesis.blocks[0].channel_gain.log2_gain[7:] = 2.0
    assert torch.equal(synthesis(y_hat, low), before)
    assert not torch.equal(synthesis(y_hat, high), before)


def test_gradients_reach_every_parameter(small: CwicConfig) -> None:
    synthesis = Synthesis(small)
    # Knots beyond the highest level that occurs here have no gradient.
    synthesis(torch.randn(8, 320, 4, 4), torch.arange(64, 1024, 128)).square().sum().backward()
    assert [name for name, p in synthesis.named_parameters() if not p.grad.abs().max() > 0] == []
