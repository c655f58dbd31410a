"""Fixtures of the transforms' tests."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cwic.config import CwicConfig


@pytest.fixture
def small(small: CwicConfig) -> CwicConfig:
    """With all latent channels of the shipped model."""
    return replace(small, M=320)


@pytest.fixture
def pictures() -> Tensor:
    """Smooth noise in [0, 1], `[2, 3, 128, 192]`: coarse structure, a little detail and colour, as photographs have."""
    random = torch.Generator().manual_seed(5)
    x = torch.zeros(2, 3, 128, 192)
    for size, strength in ((4, 0.12), (16, 0.06), (64, 0.02)):
        grey, colour = (torch.randn(2, n, size, size * 3 // 2, generator=random) for n in (1, 3))
        noise = (grey + 0.3 * colour) * strength
        x += F.interpolate(noise, (128, 192), mode="bicubic", align_corners=False)
    return (x + 0.5).clamp(0, 1)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
