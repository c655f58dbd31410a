"""Fixtures of the latents' tests."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cwic.entropy.tables import Tables, gaussian_tables
from cwic.latents.exact import ExactPrior
from cwic.lab.gaussian import scale_grid
from cwic.lab.prior import Prior
from cwic.config import CwicConfig


@pytest.fixture
def small() -> CwicConfig:
    """A model whose prior is real in all its parts, and small."""
    return CwicConfig(M=16, hyper_channels=8, hyper_width=16, context_width=24, context_blocks=1)


@pytest.fixture
def prior(small: CwicConfig) -> Prior:
    """As if trained: every parameter random, gains from one to eight, log2 scales about -1 to 2."""
    torch.manual_seed(3)
    prior = Prior(small).eval()
    with torch.no_grad():
        for head in prior.exact.context.heads:
            nn.init.normal_(head.weight, std=0.1)
            nn.init.uniform_(head.bias, -1, 1)
        for name, parameter in prior.exact.named_parameters():
            if name.endswith("bias") and "heads" not in name:
                nn.init.uniform_(parameter, -0.2, 0.2)
        for level in prior.exact.context.level:
            nn.init.uniform_(level.value, -0.5, 0.5)
        prior.exact.log2_gain.value.copy_(torch.linspace(0, 3, 9)[:, None] + torch.rand(9, 16) - 0.5)
        prior.exact.z_log2_scale.value.uniform_(0, 2)
        for parameter in prior.h_a.leave.parameters():
            parameter.mul_(8)
    return prior


@pytest.fixture
def exact(small: CwicConfig, prior: Prior) -> ExactPrior:
    """The integer twin of `prior`."""
    exact = ExactPrior(small)
    exact.take(prior.exact)
    return exact


@pytest.fixture(scope="session")
def tables() -> Tables:
    """The tables that are shipped with every model."""
    return gaussian_tables(scale_grid())


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
