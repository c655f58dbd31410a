"""Weight files: safetensors only. Transforms as floats, the exact path as the integers it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cwic.entropy.tables import Tables
from cwic.errors import ModelError
from cwic.image.files import write_atomically
from cwic.models.config import CONFIGS, CwicConfig
from cwic.models.families import FAMILIES, CodingModel

KEEP_FLOAT32 = ("frequency_scale", "y_scale")
"""Constants whose range half precision does not hold well."""
TABLES = "tables."
"""What the names of the probability tables begin with."""


def model_id(model: CodingModel) -> bytes:
    """Four bytes that name everything that decides a byte: two models with the same id read each other's files."""
    digest = hashlib.sha256()
    for name, tensor in _exact_tensors(model):
        array = tensor.cpu().contiguous().numpy()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:4]


def save_weights(path: Path, model: CodingModel, name: str) -> None:
    """Writes `model` under `name`, whole or not at all."""
    tensors = {}
    for key, tensor in model.state_dict().items():
        half = model.half_precision and tensor.is_floating_point() and not key.endswith(KEEP_FLOAT32)
        tensors[key] = (tensor.half() if half else tensor).contiguous()
    tensors |= {key: tensor for key, tensor in _exact_tensors(model) if key.startswith(TABLES)}
    metadata = {
        "name": name,
        "family": model.config.family,
        "model_id": model_id(model).hex(),
        "config": json.dumps(asdict(model.config)),
    }
    write_atomically(path, save(tensors, metadata), force=True)


def load_weights(path: Path) -> CodingModel:
    """Reads a weight file. Raises `ModelError` if it is missing, malformed or not what its metadata say."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        family = metadata.get("family", CwicConfig.family)
        config = CONFIGS[family](**json.loads(metadata["config"]))
        arrays = {key.removeprefix(TABLES): tensors.pop(key).numpy() for key in list(tensors) if key.startswith(TABLES)}
        model = FAMILIES[family].coding(config, Tables.from_arrays(arrays))
        model.load_state_dict({k: t.float() if t.is_floating_point() else t for k, t in tensors.items()})
    except FileNotFoundError:
        raise ModelError(f"the weight file {path} is missing") from None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"the weight file {path} is malformed: {error}") from error
    model.prior.prove_bounds()
    if model_id(model).hex() != metadata.get("model_id"):
        raise ModelError(f"the weight file {path} is damaged: its entropy path is not what its id says")
    return model.eval().requires_grad_(False)


def _exact_tensors(model: CodingModel) -> Iterator[tuple[str, Tensor]]:
    """Everything that decides a byte, by name."""
    for name, tensor in sorted(model.prior.state_dict().items()):
        yield f"prior.{name}", tensor
    for name, array in sorted(model.tables.to_arrays().items()):
        yield f"{TABLES}{name}", torch.from_numpy(array.copy())
