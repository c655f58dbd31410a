from __future__ import annotations

import pytest
import torch

from cwic.config import Cwam2024Config, CwicConfig, ModelConfig
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.cwic import CwicModel
from cwic.lab.networks import network_of
from cwic.models.catalog import CATALOG


@pytest.mark.parametrize(("config", "kind"), [(CwicConfig(M=16), CwicModel), (Cwam2024Config(8), Cwam2024Model)])
def test_a_network_has_the_shape_that_was_asked_for(config: ModelConfig, kind: type) -> None:
    model = network_of(config)
    assert isinstance(model, kind)
    assert model.config == config


@pytest.mark.parametrize("name", CATALOG)
def test_every_architecture_of_the_catalogue_can_be_built(name: str) -> None:
    with torch.device("meta"):
        assert network_of(CATALOG[name].config).config == CATALOG[name].config
