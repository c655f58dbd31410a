from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cwic.config import Cwam2024Config, CwicConfig
from cwic.errors import InputError
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.cwam2024_export import export as export_published
from cwic.lab.cwic import CwicModel
from cwic.lab.cwic_export import export
from cwic.latents.levels import KNOT_SPACING, KNOTS
from cwic.models.base import CodingModel, Floats
from cwic.models.spacing import LEVELS, coded_bits, space_levels

GAINS = "networks.log2_gain.value"


@pytest.fixture
def pictures() -> list[Floats]:
    coarse = torch.from_numpy(np.random.default_rng(0).random((2, 3, 16, 24), np.float32))
    smooth = nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)
    return [x.contiguous().numpy() for x in smooth.split(1)]


@pytest.fixture
def trained(small: CwicConfig, pictures: list[Floats]) -> CwicModel:
    """Untrained, and therefore a transform coder whose gains rise from knot to knot."""
    trained = CwicModel(small).eval()
    trained.calibrate([torch.from_numpy(x) for x in pictures])
    with torch.no_grad():
        for knots in (trained.g_s.blocks[0].spatial_gain.log2_gain, trained.prior.exact.context.level[1].value):
            knots.copy_(torch.arange(KNOTS)[:, None].expand_as(knots) ** 2 / 100.0)
    return trained


@pytest.fixture
def model(trained: CwicModel) -> CodingModel:
    return export(trained)


def moved(trained: CwicModel, positions: torch.Tensor) -> CodingModel:
    """The model with the gains of other positions at its knots: those of the calibration lie on a straight line."""
    gains = trained.prior.exact.log2_gain.value
    with torch.no_grad():
        gains.copy_(gains[0] + positions[:, None] * (gains[1] - gains[0]))
    return export(trained)


def test_levels_get_the_bits_of_another_model(trained: CwicModel, model: CodingModel, pictures: list[Floats]) -> None:
    bits = coded_bits(model, pictures)
    assert len(bits) == len(LEVELS) == KNOTS
    assert bits == sorted(bits)
    assert bits[0] < bits[-1] / 2
    other = moved(trained, 0.4 + 0.9 * torch.arange(KNOTS))
    before = coded_bits(other, pictures)
    assert before[0] > 1.05 * bits[0]
    _, positions = space_levels(other, before, pictures)
    np.testing.assert_allclose(positions, np.arange(KNOTS), atol=0.15)  # its own bits: nothing moves
    spaced, positions = space_levels(other, bits, pictures)
    np.testing.assert_allclose(positions, (np.arange(KNOTS) - 0.4) / 0.9, atol=0.2)
    assert positions[0] < 0  # beyond the first knot
    assert positions[-1] > KNOTS - 1  # and beyond the last
    np.testing.assert_allclose(coded_bits(spaced, pictures), bits, rtol=0.04)


def test_everything_that_depends_on_the_level_moves_with_it(model: CodingModel, pictures: list[Floats]) -> None:
    spaced, positions = space_levels(model, [1.1 * bits for bits in coded_bits(model, pictures)], pictures)
    assert 0 < positions[3] - 3 < 1
    part = positions[3] - 3
    expected = (9 + part * (16 - 9)) / 100
    gain = spaced.data.weights(["g_s.blocks.0.spatial_gain.log2_gain"])["g_s.blocks.0.spatial_gain.log2_gain"]
    assert gain[3, 0] == pytest.approx(expected, abs=1e-3)
    unit = model.data.exact["networks.context.level.1.value"][3, 0] / 0.09
    assert spaced.data.exact["networks.context.level.1.value"][3, 0] == pytest.approx(unit * expected, abs=1)
    low, high = model.data.exact[GAINS][3:5].astype(float)
    np.testing.assert_allclose(spaced.data.exact[GAINS][3], low + part * (high - low), atol=0.51)


def test_what_does_not_depend_on_the_level_stays(model: CodingModel, pictures: list[Floats]) -> None:
    spaced, _ = space_levels(model, [1.1 * bits for bits in coded_bits(model, pictures)], pictures)
    changed = {name for name, array in model.data.exact.items() if not np.array_equal(array, spaced.data.exact[name])}
    assert GAINS in changed
    assert all(name.endswith(".value") for name in changed)
    names = [name for graph in model.data.graphs.values() for name in graph.weights()]
    before, after = model.data.weights(names), spaced.data.weights(names)
    assert list(after) == list(before)
    assert all(np.array_equal(before[name], after[name]) for name in names)


def test_what_cannot_be_spaced_is_refused(trained: CwicModel, model: CodingModel, pictures: list[Floats]) -> None:
    with pytest.raises(InputError, match="its bits do not rise through those"):
        space_levels(model, [1.0] * KNOTS, pictures)
    bits = coded_bits(model, pictures)
    for wanted in ([bits[4]] * KNOTS, [*bits[:3], bits[1], *bits[4:]]):
        with pytest.raises(InputError, match="its bits do not rise through those"):
            space_levels(model, wanted, pictures)
    with pytest.raises(InputError, match="its bits do not rise"):
        space_levels(moved(trained, torch.zeros(KNOTS)), bits, pictures)
    published = export_published(Cwam2024Model(Cwam2024Config(8, feature_encoding=False)).eval())
    with pytest.raises(InputError, match="a model of one rate"):
        space_levels(published, bits, pictures)
    with pytest.raises(InputError, match="a model of one rate"):
        coded_bits(published, pictures)


def test_the_last_compared_level_is_one_that_exists() -> None:
    assert LEVELS[:-1] == tuple(i * KNOT_SPACING for i in range(KNOTS - 1))
    assert LEVELS[-1] == 1000
