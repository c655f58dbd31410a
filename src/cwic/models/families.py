"""The families of models: which classes train a configuration, and which code with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from cwic.models import cwam2024_export, exported
from cwic.models.config import Cwam2024Config, CwicConfig
from cwic.models.cwam2024 import Cwam2024Model
from cwic.models.cwam2024_export import ExportedCwam2024
from cwic.models.exported import ExportedModel
from cwic.models.model import CwicModel

CodingModel = ExportedModel | ExportedCwam2024
"""What encodes and decodes: both have the same methods."""


class Family(NamedTuple):
    """`network(config)` trains; `export` turns it into the model that codes, `coding(config, tables)` when empty."""

    network: Callable[[Any], nn.Module]
    coding: Callable[..., CodingModel]
    export: Callable[[Any], CodingModel]


FAMILIES = {
    CwicConfig.family: Family(CwicModel, ExportedModel, exported.export),
    Cwam2024Config.family: Family(Cwam2024Model, ExportedCwam2024, cwam2024_export.export),
}
