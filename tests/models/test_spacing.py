from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.errors import InputError
from cwic.lab.cwic import CwicModel
from cwic.lab.cwic_export import export
from cwic.latents.levels import KNOT_SPACING, KNOTS
from cwic.training.spacing import LEVELS, coded_bits, space_levels


@pytest.fixture
def pictures() -> list[Tensor]:
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.random((2, 3, 16, 24), np.float32))
    return list(nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1).split(1))


@pytest.fixture
def model(small: CwicConfig, pictures: list[Tensor]) -> CwicModel:
    """Untrained, and therefore a transform coder whose gains rise from knot to knot."""
    model = CwicModel(small).eval()
    model.calibrate(pictures)
    return model


def moved(model: CwicModel, positions: Tensor) -> CwicModel:
    """A copy with the gains of other positions at its knots: those of the calibration lie on a straight line."""
    other = copy.deepcopy(model)
    gains = other.prior.exact.log2_gain.value
    with torch.no_grad():
        gains.copy_(gains[0] + positions[:, None] * (gains[1] - gains[0]))
    return other


def test_levels_get_the_bits_of_another_model(model: CwicModel, pictures: list[Tensor]) -> None:
    bits = coded_bits(export(model), pictures)
    assert len(bits) == len(LEVELS) == KNOTS
    assert bits == sorted(bits)
    assert bits[0] < bits[-1] / 2
    other = moved(model, 0.4 + 0.9 * torch.arange(KNOTS))
    before = coded_bits(export(other), pictures)
    assert before[0] > 1.05 * bits[0]
    positions = space_levels(other, before, pictures)
    np.testing.assert_allclose(positions, np.arange(KNOTS), atol=0.15)  # its own bits: nothing moves
    positions = space_levels(other, bits, pictures)
    np.testing.assert_allclose(positions, (np.arange(KNOTS) - 0.4) / 0.9, atol=0.2)
    assert positions[0] < 0  # beyond the first knot
    assert positions[-1] > KNOTS - 1  # and beyond the last
    np.testing.assert_allclose(coded_bits(export(other), pictures), bits, rtol=0.04)


def test_everything_that_depends_on_the_level_moves_with_it(model: CwicModel, pictures: list[Tensor]) -> None:
    with torch.no_grad():
        for knots in (model.g_s.blocks[0].spatial_gain.log2_gain, model.prior.exact.context.level[1].value):
            knots.copy_(torch.arange(KNOTS)[:, None].expand_as(knots) ** 2 / 100.0)
    positions = space_levels(model, [1.1 * bits for bits in coded_bits(export(model), pictures)], pictures)
    assert 0 < positions[3] - 3 < 1
    part = positions[3] - 3
    expected = (9 + part * (16 - 9)) / 100
    assert model.g_s.blocks[0].spatial_gain.log2_gain[3, 0].item() == pytest.approx(expected, abs=1e-5)
    assert model.prior.exact.context.level[1].value[3, 0].item() == pytest.approx(expected, abs=1e-5)


def test_what_cannot_be_spaced_is_refused_and_stays_as_it_was(model: CwicModel, pictures: list[Tensor]) -> None:
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(InputError, match="its bits do not rise through those"):
        space_levels(model, [1.0] * KNOTS, pictures)
    flat = moved(model, torch.zeros(KNOTS))
    with pytest.raises(InputError, match="its bits do not rise"):
        space_levels(flat, coded_bits(export(model), pictures), pictures)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    with pytest.raises(InputError, match="a model of one rate"):
        space_levels(nn.Linear(1, 1), [1.0], pictures)


def test_the_last_compared_level_is_one_that_exists() -> None:
    assert LEVELS[:-1] == tuple(i * KNOT_SPACING for i in range(KNOTS - 1))
    assert LEVELS[-1] == 1000
