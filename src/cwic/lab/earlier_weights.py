"""Import weight files of cwic 0.1, which hold the float networks as parameters of torch.

The integers are taken over as they are, so the model keeps its id and decodes every file that it wrote.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from cwic.config import Cwam2024Config, CwicConfig
from cwic.entropy.tables import Tables
from cwic.errors import ModelError
from cwic.lab import cwam2024_export, cwic_export
from cwic.lab.cwam2024 import Cwam2024Model
from cwic.lab.graph_builder import Weights
from cwic.lab.hyper import HyperAnalysis
from cwic.lab.transforms import Analysis, Synthesis
from cwic.models.base import CodingModel, ModelData
from cwic.models.registry import FAMILIES, make_model
from cwic.models.weights import EXACT, TABLES, model_id
from cwic.networks.graph import Graph


def load_earlier(path: Path) -> CodingModel:
    """Load the model of a weight file of cwic 0.1. Raises `ModelError` if the file is missing or malformed."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        if "graphs" in metadata:
            raise ModelError(f"the weight file {path} is of this version already")
        config = FAMILIES[metadata.get("family", CwicConfig.family)].config(**json.loads(metadata["config"]))
        tables = {key.removeprefix(TABLES): tensors.pop(key).numpy() for key in list(tensors) if key.startswith(TABLES)}
        exact = {key.removeprefix(EXACT): tensors.pop(key).numpy() for key in list(tensors) if key.startswith(EXACT)}
        weights: Weights = {}
        state = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
        graphs = _graphs(config, state, weights)
        model = make_model(
            ModelData(config, exact, Tables.from_arrays(tables), graphs, lambda names: {n: weights[n] for n in names})
        )
    except FileNotFoundError:
        raise ModelError(f"the weight file {path} is missing") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"the weight file {path} is malformed: {error}") from error
    if model_id(model).hex() != metadata.get("model_id"):
        raise ModelError(f"the weight file {path} is damaged: its entropy path is not what its id says")
    return model


def _graphs(config: CwicConfig | Cwam2024Config, state: dict[str, torch.Tensor], weights: Weights) -> dict[str, Graph]:
    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)}

    if isinstance(config, Cwam2024Config):
        network = Cwam2024Model(config)
        network.load_state_dict(part("network."))
        return cwam2024_export.transforms_of(network.eval(), weights)
    g_a, h_a, g_s = Analysis(config), HyperAnalysis(config), Synthesis(config)
    for module, prefix in ((g_a, "g_a."), (h_a, "h_a."), (g_s, "g_s.")):
        module.load_state_dict(part(prefix))
    return cwic_export.transforms_of(g_a, h_a, g_s, weights)
