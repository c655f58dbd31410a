from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cwic.entropy.tables import gaussian_tables
from cwic.lab.gaussian import scale_grid
from cwic.config import CONFIGS, Cwam2024Config, CwicConfig, ModelConfig
from cwic.models.families import FAMILIES, CodingModel


@pytest.fixture(params=sorted(CONFIGS))
def config(request: pytest.FixtureRequest, small: CwicConfig) -> ModelConfig:
    other = Cwam2024Config(8, attention="none", feature_encoding=False, residual_attention=False)
    return small if request.param == small.family else replace(other, context="none")


def test_every_family_has_its_classes() -> None:
    assert set(FAMILIES) == set(CONFIGS)


def test_a_network_becomes_a_model_that_codes(config: ModelConfig, picture: Tensor) -> None:
    family = FAMILIES[config.family]
    model = family.export(family.network(config).eval())
    assert isinstance(model, CodingModel)
    assert model.config == config
    y = model.analyse(picture, 0)
    assert torch.equal(model.finish_analysis(model.prepare_analysis(picture), 0), y)
    coded = model.encode_latents(y, 0, tile=3)
    decoded = model.decode_latents(coded.data, coded.crc, 64, 128, 0, tile=3)
    assert model.synthesise(decoded, 0).shape == picture.shape
    assert all(halo.positions > 0 for halo in (model.analysis_halo, model.synthesis_halo))
    assert model.device.type == "cpu"


def test_an_empty_model_takes_the_state_of_another(config: ModelConfig) -> None:
    family = FAMILIES[config.family]
    first = family.export(family.network(config).eval())
    second = family.coding(config, gaussian_tables(scale_grid()))
    second.load_state_dict(first.state_dict())
    assert set(second.state_dict()) == set(first.state_dict())
