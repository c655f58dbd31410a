"""Fixtures of the tiling tests: a small model whose attention and convolutions reach as far as they can."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.image.picture import Picture
from cwic.lab.cwic import CwicModel as Trained
from cwic.lab.cwic_export import export
from cwic.models.cwic import CwicModel

VARIANTS: dict[str, dict[str, Any]] = {
    "cross-window": {},
    "none": {"attention": "none"},
    "in the trunk": {"attention_form": "residual", "attention_every": 2},
}


@pytest.fixture(scope="package", params=VARIANTS.values(), ids=VARIANTS)
def config(small: CwicConfig, request: pytest.FixtureRequest) -> CwicConfig:
    return replace(small, analysis_blocks=2, synthesis_blocks=3, **request.param)


@pytest.fixture(scope="package")
def model(config: CwicConfig) -> CwicModel:
    """Every layer random and strong: what a region lacks around it shows."""
    torch.manual_seed(0)
    trained = Trained(config)
    trained.calibrate([_smooth(128, 128)])
    for module in (trained.g_a, trained.g_s):
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1 and "haar" not in name and "block_transform" not in name:
                nn.init.normal_(parameter, std=0.8 * parameter[0].numel() ** -0.5)
    for head in trained.prior.exact.context.heads:
        nn.init.normal_(head.get_parameter("weight"), std=0.03)
    return export(trained)


@pytest.fixture(scope="package")
def picture() -> Picture:
    """A smooth picture, not a multiple of anything."""
    x = _smooth(500, 700)[0].permute(1, 2, 0)
    return Picture((255 * x).to(torch.uint8).numpy(), "RGB")


def _smooth(height: int, width: int) -> Tensor:
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, height // 16, width // 16, generator=random)
    return nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
