"""Fixtures of the laboratory's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.lab.cwic import CwicModel
from cwic.lab.prior import Prior
from cwic.networks import engine


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
def picture() -> Tensor:
    """A picture `[1, 3, 64, 128]` in [0, 1]: smooth, with a little noise."""
    random = torch.Generator().manual_seed(1)
    coarse = torch.rand(1, 3, 4, 8, generator=random)
    noise = torch.rand(1, 3, 64, 128, generator=random)
    return (F.interpolate(coarse, (64, 128), mode="bicubic") + 0.05 * noise).clamp(0, 1)


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


@pytest.fixture
def make_model(picture: Tensor) -> Callable[[CwicConfig], CwicModel]:
    """Makes a model: calibrated, with a context that predicts something."""

    def make(config: CwicConfig) -> CwicModel:
        torch.manual_seed(0)
        model = CwicModel(config)
        model.calibrate([picture])
        for head in model.prior.exact.context.heads:
            nn.init.normal_(head.weight, std=0.03)
        nn.init.normal_(model.prior.exact.z_log2_scale.value)
        with torch.no_grad():
            model.prior.h_a.leave.weight.mul_(16)
        return model.eval()

    return make


@pytest.fixture
def model(small: CwicConfig, make_model: Callable[[CwicConfig], CwicModel]) -> CwicModel:
    """A small model with every part."""
    return make_model(small)


@pytest.fixture(params=[engine.OnnxRuntime.name, engine.OpenVino.name])
def any_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test with each engine."""
    pytest.importorskip(request.param)
    monkeypatch.setenv(engine.ENGINE_VARIABLE, request.param)
    monkeypatch.setattr(engine, "_ENGINES", {})
    return str(request.param)


@pytest.fixture(autouse=True)
def _seed_and_thread() -> Iterator[None]:
    """Everything repeats, and nothing waits for a second thread on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
