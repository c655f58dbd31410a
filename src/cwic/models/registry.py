"""The registry of families, one row each: the configuration and the class that codes with it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from cwic.config import Cwam2024Config, CwicConfig, ModelConfig

if TYPE_CHECKING:
    from cwic.models.base import CodingModel, ModelData


class PartSummary(NamedTuple):
    """A part of a model: its parameters, and its multiply-accumulates per pixel of the picture."""

    part: str
    parameters: int
    mac_per_pixel: float


class Family(NamedTuple):
    """A row. The classes are named by module and name: `cwic info` reads the rows and loads neither.

    Attributes:
        config: the shape of a model, `cwic.config`.
        coding: what codes, a `cwic.models.base.CodingModel`.
    """

    config: type[ModelConfig]
    coding: str


FAMILIES = {
    CwicConfig.family: Family(CwicConfig, "cwic.models.cwic.CwicModel"),
    Cwam2024Config.family: Family(Cwam2024Config, "cwic.models.cwam2024.Cwam2024Model"),
}


def make_model(data: ModelData, device: str = "cpu") -> CodingModel:
    """The model that codes with `data`. Raises `ModelError` if something is missing or does not fit."""
    module, _, name = FAMILIES[data.config.family].coding.rpartition(".")
    model: CodingModel = getattr(import_module(module), name)(data, device)
    return model
