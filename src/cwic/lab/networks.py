"""The trainable network for each kind of configuration."""

from __future__ import annotations

from torch import nn

from cwic.config import Cwam2024Config, ModelConfig
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.cwic import CwicModel


def network_of(config: ModelConfig) -> nn.Module:
    """Return the untrained network of a configuration."""
    return Cwam2024Model(config) if isinstance(config, Cwam2024Config) else CwicModel(config)
