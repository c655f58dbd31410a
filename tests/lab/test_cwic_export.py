from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cwic.config import CwicConfig
from cwic.errors import ModelError
from cwic.lab.cwic import CwicModel
from cwic.lab.cwic_export import export, fit
from cwic.lab.prior import features
from cwic.latents.int8 import STREAM_BITS
from cwic.latents.levels import KNOT_SPACING, KNOTS
from cwic.latents.quadtree import VALUE_BITS
from cwic.latents.scales import scale_index
from cwic.models import cwic as coding
from cwic.models.base import encode
from cwic.models.weights import load_weights, save_weights

VARIANTS: dict[str, dict[str, Any]] = {
    "cross-window": {"analysis_blocks": 2, "synthesis_blocks": 2},
    "window of 4": {"attention": "window", "attention_window": 4, "attention_units": 2},
    "none": {"attention": "none"},
    "residual": {"attention_form": "residual"},
    "residual window": {"attention_form": "residual", "attention": "window", "attention_window": 4},
    "in the trunk": {"attention_form": "residual", "attention_every": 1, "synthesis_blocks": 2},
    "window in the trunk": {
        "attention_form": "residual",
        "attention": "window",
        "attention_every": 2,
        "analysis_blocks": 2,
        "synthesis_blocks": 3,
    },
    "no encoding": {"attention": "none", "feature_encoding": False},
}
TRUNK = {"attention_form": "residual", "attention_every": 2}


def analyse(model: coding.CwicModel, x: Tensor, level: int) -> Tensor:
    return torch.from_numpy(model.finish_analysis(model.prepare_analysis(x.numpy()), level))


def randomise(model: CwicModel) -> None:
    """Gives every part something to do, in numbers that half precision holds."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(".log2_gain"):
                parameter.copy_((0.3 * torch.randn_like(parameter)).half())
            elif "block_transform" not in name and "haar" not in name and not name.startswith("prior.exact"):
                scale = 0.5 / max(1, parameter[0].numel()) ** 0.5
                parameter.copy_((parameter + scale * torch.randn_like(parameter)).half())
        # The Haar maps are exported with these factors.
        frequencies = model.g_a.frequency_scale.repeat_interleave(4)
        for weight, factor in (
            (model.g_a.haar.weight, frequencies / model.g_a.y_scale[:, None]),
            (model.g_s.haar.weight, model.g_s.y_scale / model.g_s.frequency_scale.repeat_interleave(4)[:, None]),
        ):
            weight.copy_((weight * factor).half() / factor)


@pytest.mark.usefixtures("any_engine")
@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_the_graphs_give_what_the_trained_networks_give(
    small: CwicConfig, variant: str, make_model: Callable[[CwicConfig], CwicModel]
) -> None:
    model = make_model(replace(small, **VARIANTS[variant]))
    randomise(model)
    exported = export(model)
    # 11 by 6 positions at 1/16, which are no whole windows; h_a wants multiples of 4.
    x = torch.rand(1, 3, 16 * 11, 16 * 6)
    x[..., 16 * 4 :, 16 * 3 :] *= 0.1
    assert torch.from_numpy(exported.prepare_analysis(x.numpy())).allclose(model.g_a.prepare(x), rtol=1e-4, atol=1e-4)
    for level in (0, 417, 1000):
        at = torch.tensor([level])
        y = model.g_a(x, at)
        torch.testing.assert_close(analyse(exported, x, level), y, rtol=1e-4, atol=1e-4)

        y_in, gain = y[:, :, :8, :4], torch.exp2(model.prior.exact.log2_gain(at))[:, :, None, None]
        z = model.prior.h_a(features(y_in * gain, gain, dim=1), at)
        found = torch.from_numpy(exported.hyper_analyse(y_in.numpy(), level))
        # The codec's gains are whole numbers of 1/256 octave.
        torch.testing.assert_close(found, z, rtol=2e-3, atol=5e-3)

        y_hat = torch.randint(-200, 200, (11, 6, 16))
        step = torch.from_numpy(np.exp2(-exported._prior.log2_gain(level) / 256.0 - VALUE_BITS))
        x_hat = model.g_s((y_hat * step).permute(2, 0, 1)[None].float(), at)
        found = torch.from_numpy(exported.synthesise(y_hat.numpy(), level))
        torch.testing.assert_close(found, x_hat, rtol=1e-4, atol=1e-4 * max(1, x_hat.abs().max().item()))


@pytest.mark.parametrize("level", [0, 417, 1000])
@torch.no_grad()
def test_the_exported_model_codes_what_the_trained_one_would(model: CwicModel, picture: Tensor, level: int) -> None:
    exported = export(model)
    coded = encode(exported, picture.numpy(), level)
    y_hat = exported.decompress(coded.data, coded.crc, 64, 128, level)
    assert np.array_equal(y_hat, coded.y_hat)
    trained = model(picture, torch.tensor([level]))
    x_hat = torch.from_numpy(exported.synthesise(y_hat, level))
    error, expected = ((x - picture).square().mean().item() for x in (x_hat, trained.x_hat))
    assert error < 1.5 * expected + 1e-5
    bits = (trained.y_bits + trained.z_bits).item()
    # Rounding by cost makes it shorter, the last words of the coder make it longer.
    assert 0.5 * bits < 8 * len(coded.data) < 1.05 * bits + 64


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_goes_through_a_weight_file_and_codes(
    small: CwicConfig, variant: str, make_model: Callable[[CwicConfig], CwicModel], picture: Tensor, tmp_path: Path
) -> None:
    model = make_model(replace(small, **VARIANTS[variant]))
    for name, parameter in model.named_parameters():
        if name.endswith("leave.weight") and "h_a" not in name:
            nn.init.normal_(parameter, std=0.05)
    save_weights(tmp_path / "variant.safetensors", export(model), variant)
    loaded, again = (load_weights(tmp_path / "variant.safetensors") for _ in range(2))
    assert isinstance(loaded, coding.CwicModel)
    assert loaded.data.config == model.config
    coded = encode(loaded, picture.numpy(), 500)
    y_hat = again.decompress(coded.data, coded.crc, 64, 128, 500)
    assert np.array_equal(y_hat, coded.y_hat)
    # What an encoder that refines its latents follows leads downhill, though it stops at attention.
    mask = np.ones((1, 1, 64, 128), np.float32)
    x_hat, y, slope, length = loaded.outlook(y_hat, picture.numpy(), mask, 500)
    gradient = slope * length
    step = np.float32(0.02) * gradient / np.abs(gradient).max()
    with torch.no_grad():
        found = [model.g_s(torch.from_numpy(each), torch.tensor([500])) for each in (y, y - step)]
    torch.testing.assert_close(torch.from_numpy(x_hat), found[0], rtol=1e-2, atol=1e-2)
    before, after = ((x - picture).square().mean() for x in found)
    assert after < before


def test_the_exact_part_is_whole_numbers_and_the_rest_is_named_by_graphs(model: CwicModel) -> None:
    data = export(model).data
    assert {array.dtype.name for array in data.exact.values()} == {"int8", "int32"}
    assert set(data.graphs) == {"features", "g_a", "h_a", "g_s"}
    for name, graph in data.graphs.items():
        assert all(weight.startswith(f"{name}.") for weight in (*graph.weights(), *graph.gains()))
    log2_gain = model.prior.exact.log2_gain.value.detach().numpy()
    assert np.abs(data.exact["networks.log2_gain.value"] / (1 << STREAM_BITS) - log2_gain).max() <= 0.501 / 256


@pytest.mark.parametrize("bias", [4e6, 1e7, 1e12])
def test_a_model_whose_sums_could_overflow_is_refused(model: CwicModel, bias: float) -> None:
    with torch.no_grad():
        model.prior.exact.h_s.enter.bias.fill_(bias)
    with pytest.raises(ModelError, match="overflow"):
        export(model)


def test_without_attention_the_halo_is_what_the_transforms_reach(small: CwicConfig) -> None:
    config = replace(small, attention="none", analysis_blocks=3, synthesis_blocks=4)
    model = CwicModel(config).eval()
    for parameter in model.g_a.feature_encoding.parameters():
        nn.init.normal_(parameter, std=0.1)
    x = torch.rand(1, 3, 16 * 21, 16 * 21, requires_grad=True)
    y = model.g_a(x, torch.tensor([500]))
    (to_x,) = torch.autograd.grad(y[:, :, 10, 10].abs().sum(), x)
    y = y.detach().requires_grad_()
    area = model.g_s(y, torch.tensor([500]))[:, :, 160:176, 160:176]
    (to_y,) = torch.autograd.grad(area.abs().sum(), y)
    seen = [(to_x.abs().sum(1)[0] > 0).nonzero() // 16, (to_y.abs().sum(1)[0] > 0).nonzero()]
    reach = [int((positions - 10).abs().max()) for positions in seen]
    exported = export(model)
    assert reach == [exported.analysis_halo.positions, exported.synthesis_halo.positions]


def behind_a_cut(g: Any, x: Tensor, positions: int, pixels: int) -> list[float]:
    """Differences that leaving out the first positions of `x` makes, by distance from the cut; `pixels` a position."""
    level = torch.tensor([500])
    whole, part = g(x, level), g(x[..., positions * x.shape[3] // CUT_SIDE :], level)
    difference = (whole[..., positions * pixels :] - part).abs() / whole.std()
    return difference.amax(dim=(0, 1, 2)).unflatten(0, (-1, pixels)).amax(dim=1).tolist()


CUT_SIDE = 56
"""Positions of the map that is cut."""
HALO_VARIANTS = {
    **{kind: {"attention": kind} for kind in ("window", "cross-window")},
    **{f"residual {kind}": {"attention": kind, "attention_form": "residual"} for kind in ("window", "cross-window")},
    **{f"{kind} in the trunk": {"attention": kind, **TRUNK} for kind in ("window", "cross-window")},
}


@pytest.mark.parametrize("variant", HALO_VARIANTS)
@torch.no_grad()
def test_with_attention_the_halo_is_what_the_transforms_reach(small: CwicConfig, variant: str) -> None:
    # The feature encoding reaches further than it matters.
    plain = {"feature_encoding": False, "analysis_blocks": 3, "synthesis_blocks": 5, "attention_window": 4}
    model = CwicModel(replace(small, **plain, **HALO_VARIANTS[variant])).eval()
    for module in (model.g_a, model.g_s):
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1 and "haar" not in name and "block_transform" not in name:
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    exported = export(model)
    ends = ((model.g_a, torch.rand(1, 3, 64, 16 * CUT_SIDE), 1), (model.g_s, torch.randn(1, 16, 4, CUT_SIDE), 16))
    for (g, x, pixels), halo in zip(ends, (exported.analysis_halo, exported.synthesis_halo), strict=True):
        wrong = behind_a_cut(g, x, 8, pixels)
        assert max(wrong[halo.positions :]) < 1e-5
        assert wrong[halo.positions - 1] > 1e-5
        # The other side of a cut is a mirror image of it, but for the map's end, which padding fills.
        flipped = behind_a_cut(lambda x, level, g=g: g(x.flip(3), level).flip(3), x, 8, pixels)
        assert max(flipped[halo.positions :]) < 1e-5


def length(model: coding.CwicModel, pictures: list[Tensor]) -> int:
    return sum(len(encode(model, x.numpy(), level).data) for x in pictures for level in (100, 500, 900))


@pytest.fixture
def exported(model: CwicModel) -> coding.CwicModel:
    """With scales of z that are far too wide."""
    data = export(model).data
    value = np.full_like(data.exact["networks.z_log2_scale.value"], 6 * 256)
    return coding.CwicModel(data._replace(exact=data.exact | {"networks.z_log2_scale.value": value}))


def test_fitting_makes_files_shorter_and_still_decodes(exported: coding.CwicModel, picture: Tensor) -> None:
    pictures = [picture, 1 - picture, picture.flip(2), picture.flip(3)]
    fitted = fit(exported, [x.numpy() for x in pictures * 40])
    tables_alone = coding.CwicModel(exported.data._replace(tables=fitted.data.tables))
    assert length(fitted, pictures) < length(tables_alone, pictures) < length(exported, pictures)
    coded = encode(fitted, picture.numpy(), 700)
    assert np.array_equal(fitted.decompress(coded.data, coded.crc, 64, 128, 700), coded.y_hat)


def test_fitted_scales_are_points_of_the_grid_and_code_z(exported: coding.CwicModel, picture: Tensor) -> None:
    value = fit(exported, [picture.numpy()]).data.exact["networks.z_log2_scale.value"]
    assert value.shape == (KNOTS, 8)
    index = scale_index(value)
    assert index.min() >= 1  # index 0 would not code z at all
    assert np.array_equal(scale_index(value + 23), index)
    assert np.array_equal(scale_index(value - 24), index)
    level = 4 * KNOT_SPACING
    z = np.rint(exported.hyper_analyse(analyse(exported, picture, level).numpy(), level))[0].astype(np.int32)
    for channel, chosen in zip(z.reshape(8, -1), index[4].tolist(), strict=True):
        lengths = [exported.data.tables.bits(channel, np.full(len(channel), i, np.uint8)) for i in range(1, 64)]
        assert lengths[chosen - 1] == pytest.approx(min(lengths))


def test_fitting_leaves_the_networks_alone(exported: coding.CwicModel, picture: Tensor) -> None:
    before = exported.data
    after = fit(exported, [picture.numpy()]).data
    assert after.graphs == before.graphs
    for name, array in before.exact.items():
        assert np.array_equal(array, after.exact[name]) != (name == "networks.z_log2_scale.value"), name
    assert after.tables.reaches.tolist() == before.tables.reaches.tolist()
    assert not np.array_equal(after.tables.frequencies, before.tables.frequencies)
