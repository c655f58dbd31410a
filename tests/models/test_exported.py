from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cwic.entropy.tables import gaussian_tables
from cwic.errors import FormatError, ModelError
from cwic.lab.gaussian import scale_grid
from cwic.lab.prior import features
from cwic.config import CwicConfig
from cwic.models.exported import ExportedModel, export
from cwic.lab.cwic import CwicModel


@pytest.mark.parametrize("level", [0, 417, 1000])
def test_the_exported_model_codes_what_the_trained_one_would(
    model: CwicModel, exported: ExportedModel, picture: Tensor, level: int
) -> None:
    coded = exported.encode(picture, level)
    decoded = exported.decode_latents(coded.data, coded.crc, 64, 128, level)
    assert torch.equal(decoded, coded.decoded)
    x_hat = exported.synthesise(decoded, level)
    with torch.no_grad():
        trained = model(picture, torch.tensor([level]))
    error, expected = ((x - picture).square().mean().item() for x in (x_hat, trained.x_hat))
    assert error < 1.5 * expected + 1e-5
    bits = (trained.y_bits + trained.z_bits).item()
    # Rounding by cost makes it shorter, the last words of the coder make it longer.
    assert 0.5 * bits < 8 * len(coded.data) < 1.05 * bits + 64


def test_analyse_is_the_trained_models_analysis(model: CwicModel, exported: ExportedModel, picture: Tensor) -> None:
    level = torch.tensor([600])
    with torch.no_grad():
        y = exported.analyse(picture, 600)
        z = exported.hyper_analyse(y, 600)
        expected = model.g_a(picture, level)
        gain = torch.exp2(model.prior.exact.log2_gain(level))[:, :, None, None]
        z_expected = model.prior.h_a(features(expected * gain, gain, dim=1), level)
    assert torch.equal(y, expected)
    torch.testing.assert_close(z, z_expected, rtol=0, atol=0.05)


def test_a_tiles_number_is_in_its_checksum(exported: ExportedModel, picture: Tensor) -> None:
    y = exported.analyse(picture, 500)
    first, eighth = (exported.encode_latents(y, 500, tile) for tile in (0, 8))
    assert first.data == eighth.data == exported.encode(picture, 500).data
    assert torch.equal(exported.decode_latents(eighth.data, eighth.crc, 64, 128, 500, tile=8), eighth.decoded)
    with pytest.raises(FormatError):
        exported.decode_latents(eighth.data, eighth.crc, 64, 128, 500, tile=7)


@pytest.mark.parametrize(
    ("changed", "analysis", "synthesis"),
    [
        ({}, (13, 8), (14, 8)),
        ({"analysis_blocks": 5, "synthesis_blocks": 3}, (13, 8), (15, 8)),
        ({"analysis_blocks": 6, "attention": "window"}, (21, 8), (14, 8)),
        ({"analysis_blocks": 3, "synthesis_blocks": 4, "attention": "none"}, (7, 1), (2, 1)),
        ({"analysis_blocks": 3, "attention": "none", "feature_encoding": False}, (2, 1), (1, 1)),
    ],
)
def test_the_halo_follows_the_shape(
    small: CwicConfig, changed: dict[str, Any], analysis: tuple[int, int], synthesis: tuple[int, int]
) -> None:
    # tests/tiling shows, with pixels, that it is enough and that a quarter of it is not.
    model = ExportedModel(replace(small, **changed), gaussian_tables(scale_grid()))
    assert (model.analysis_halo, model.synthesis_halo) == (analysis, synthesis)


def test_without_attention_the_halo_is_what_the_transforms_reach(small: CwicConfig) -> None:
    config = replace(small, attention="none", analysis_blocks=3, synthesis_blocks=4)
    model = CwicModel(config).eval()
    for parameter in model.g_a.feature_encoding.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    halos = ExportedModel(config, gaussian_tables(scale_grid()))
    x = torch.rand(1, 3, 16 * 21, 16 * 21, requires_grad=True)
    y = model.g_a(x, torch.tensor([500]))
    (to_x,) = torch.autograd.grad(y[:, :, 10, 10].abs().sum(), x)
    y = y.detach().requires_grad_()
    area = model.g_s(y, torch.tensor([500]))[:, :, 160:176, 160:176]
    (to_y,) = torch.autograd.grad(area.abs().sum(), y)
    seen = [(to_x.abs().sum(1)[0] > 0).nonzero() // 16, (to_y.abs().sum(1)[0] > 0).nonzero()]
    reach = [int((positions - 10).abs().max()) for positions in seen]
    assert reach == [halos.analysis_halo.positions, halos.synthesis_halo.positions]


def test_a_sink_takes_the_symbols_in_place_of_a_coder(exported: ExportedModel, picture: Tensor) -> None:
    class Counter:
        symbols = 0

        def encode(self, symbols: object, indexes: object) -> None:
            assert symbols.shape == indexes.shape
            self.symbols += symbols.size

        def finish(self) -> bytes:
            return b"counted"

    counter = Counter()
    assert exported.encode(picture, 500, sink=counter).data == b"counted"
    assert counter.symbols == 4 * 8 * 16 + 1 * 2 * 8


@pytest.mark.parametrize("bias", [4e6, 1e7, 1e12])
def test_a_model_whose_sums_could_overflow_is_refused(model: CwicModel, bias: float) -> None:
    with torch.no_grad():
        model.prior.exact.h_s.enter.bias.fill_(bias)
    with pytest.raises(ModelError, match="overflow"):
        export(model)


def test_nothing_shipped_asks_for_gradients(exported: ExportedModel) -> None:
    assert not any(p.requires_grad for p in exported.parameters())
    assert not exported.training
    assert len(exported.tables) == len(gaussian_tables(scale_grid()))
