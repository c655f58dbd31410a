from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cwic.config import CwicConfig
from cwic.lab.transforms import Analysis, LinearMap, Synthesis

LEVEL = torch.tensor([400, 900])


@pytest.fixture
def small(small: CwicConfig) -> CwicConfig:
    """With all latent channels of the shipped model."""
    return replace(small, M=320)


@pytest.fixture
def analysis(small: CwicConfig, pictures: Tensor) -> Analysis:
    analysis = Analysis(small)
    analysis.calibrate([pictures[:1], pictures[1:]])
    return analysis


@torch.no_grad()
def test_the_latent_has_a_sixteenth_of_the_side_and_unit_variance(analysis: Analysis, pictures: Tensor) -> None:
    y = analysis(pictures, LEVEL)
    assert y.shape == (2, 320, 8, 12)
    power = y.square().mean(dim=(0, 2, 3))
    assert power.min() > 0.8
    assert power.max() < 1.2


@torch.no_grad()
def test_the_level_comes_after_what_is_prepared(analysis: Analysis, pictures: Tensor) -> None:
    prepared = analysis.prepare(pictures)
    assert prepared.shape == (2, 192, 16, 24)
    before = prepared.clone()
    for level in (LEVEL, LEVEL.flip(0)):
        assert torch.equal(analysis.finish(prepared, level), analysis(pictures, level))
    assert torch.equal(prepared, before)


def test_calibration_keeps_the_coefficients_of_most_energy(analysis: Analysis, pictures: Tensor) -> None:
    assert (analysis.y_scale.diff() <= 0).all()
    assert len(set(analysis.selected.tolist())) == 320
    assert analysis.selected[0] == 0  # the mean of luma
    rows = analysis.haar.weight
    torch.testing.assert_close(rows @ rows.t(), torch.eye(320), rtol=0, atol=1e-5)
    whole = analysis.planes(pictures).square().sum()
    assert (analysis.y_scale.square().sum() * 2 * 8 * 12) / whole > 0.999


def test_calibration_survives_pictures_without_colour(small: CwicConfig, pictures: Tensor) -> None:
    analysis = Analysis(small)
    grey = pictures.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    analysis.calibrate([grey])
    with torch.no_grad():
        assert analysis(grey, LEVEL).isfinite().all()


def test_a_linear_map_keeps_float32_under_autocast() -> None:
    weight, x = torch.randn(6, 4), torch.randn(1, 4, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = LinearMap(weight)(x.bfloat16())
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, torch.einsum("oc,bchw->bohw", weight, x.bfloat16().float()))


@torch.no_grad()
def test_the_ablations_leave_out_what_they_say(analysis: Analysis, small: CwicConfig, pictures: Tensor) -> None:
    full = analysis.state_dict()
    shapes = {
        "cross": replace(small, attention="window"),
        "attention.": replace(small, attention="none"),
        "feature_encoding.": replace(small, feature_encoding=False),
    }
    missing = {}
    for name, shape in shapes.items():
        ablation = Analysis(shape)
        assert set(ablation.state_dict()) < set(full)
        missing[name] = set(full) - set(ablation.state_dict())
        ablation.load_state_dict({key: full[key] for key in ablation.state_dict()})
        assert ablation(pictures, LEVEL).shape == (2, 320, 8, 12)
    parts = ("kv", "merge1", "merge2", "relative_position_bias_table_y")
    inside = "attention.cwam.conv_b.0."
    assert {key.removeprefix(inside).split(".")[0] for key in missing["cross"]} == set(parts)
    for part in ("attention.", "feature_encoding."):
        assert missing[part] == {key for key in full if key.startswith(part)}


@pytest.mark.parametrize("every", [0, 1])
@torch.no_grad()
def test_fresh_attention_changes_nothing(small: CwicConfig, pictures: Tensor, every: int) -> None:
    shape = replace(small, attention_form="residual", attention_every=every)
    analysis, synthesis = Analysis(shape), Synthesis(shape)
    plain = Analysis(replace(small, attention="none")), Synthesis(replace(small, attention="none"))
    for module, without in zip((analysis, synthesis), plain, strict=True):
        kept = module.state_dict()
        without.load_state_dict({name: kept[name] for name in without.state_dict()})
        assert {name.split(".")[0] for name in kept.keys() - without.state_dict().keys()} == {
            "between" if every else "attention"
        }
    y = analysis(pictures, LEVEL)
    assert torch.equal(y, plain[0](pictures, LEVEL))
    assert torch.equal(synthesis(y, LEVEL), plain[1](y, LEVEL))


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
