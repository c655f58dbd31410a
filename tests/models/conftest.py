"""Fixtures of the models' tests: a small model of the `cwic` family, from the laboratory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cwic.config import CwicConfig
from cwic.lab.cwic import CwicModel as Trained
from cwic.lab.cwic_export import export
from cwic.models.cwic import CwicModel
from cwic.models.weights import save_weights


@pytest.fixture(scope="package")
def picture() -> NDArray[np.float32]:
    """A picture `[1, 3, 64, 128]` in [0, 1]: smooth, with a little noise."""
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 4, 8, generator=random)
    x = nn.functional.interpolate(coarse, (64, 128), mode="bicubic")
    return (x + 0.05 * torch.rand(1, 3, 64, 128, generator=random)).clamp(0, 1).numpy()


@pytest.fixture(scope="package")
def model(small: CwicConfig, picture: NDArray[np.float32]) -> CwicModel:
    """Calibrated, with a context that predicts something."""
    torch.manual_seed(0)
    trained = Trained(small)
    trained.calibrate([torch.from_numpy(picture)])
    for head in trained.prior.exact.context.heads:
        nn.init.normal_(head.get_parameter("weight"), std=0.03)
    nn.init.normal_(trained.prior.exact.z_log2_scale.value)
    with torch.no_grad():
        trained.prior.h_a.leave.weight.mul_(16)
    return export(trained.eval())


@pytest.fixture
def weights(model: CwicModel, tmp_path: Path) -> Path:
    """The weight file of `model`."""
    path = tmp_path / "small.safetensors"
    save_weights(path, model, "small")
    return path
