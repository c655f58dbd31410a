"""Fixtures of the models' tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.models.exported import ExportedModel, export
from cwic.lab.cwic import CwicModel
from cwic.models.weights import save_weights


@pytest.fixture
def model(small: CwicConfig, picture: Tensor) -> CwicModel:
    """Calibrated, with a context that predicts something."""
    torch.manual_seed(0)
    model = CwicModel(small)
    model.calibrate([picture])
    for head in model.prior.exact.context.heads:
        nn.init.normal_(head.weight, std=0.03)
    nn.init.normal_(model.prior.exact.z_log2_scale.value)
    with torch.no_grad():
        model.prior.h_a.leave.weight.mul_(16)
    return model.eval()


@pytest.fixture
def exported(model: CwicModel) -> ExportedModel:
    """`model` as it would be shipped."""
    return export(model)


@pytest.fixture
def weights(exported: ExportedModel, tmp_path: Path) -> Path:
    """The weight file of `exported`."""
    path = tmp_path / "small.safetensors"
    save_weights(path, exported, "small")
    return path


@pytest.fixture
def picture() -> Tensor:
    """A picture `[1, 3, 64, 128]` in [0, 1]: smooth, with a little noise."""
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 4, 8, generator=random)
    x = nn.functional.interpolate(coarse, (64, 128), mode="bicubic") + 0.05 * torch.rand(
        1, 3, 64, 128, generator=random
    )
    return x.clamp(0, 1)
