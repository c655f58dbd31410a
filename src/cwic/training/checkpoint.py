"""The state of a run on disk: everything a later run goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cwic.errors import InputError


def save_checkpoint(path: Path, model: nn.Module, average: nn.Module, extra: dict[str, Any]) -> None:
    """Writes weights, averaged weights and `extra` (optimiser states, counters) to `path`, whole or not at all."""
    temporary = path.with_suffix(".partial")
    state = {"model": model.state_dict(), "average": average.state_dict(), **extra}
    torch.save(state, temporary)
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads what `save_checkpoint` or `save_state` wrote: tensors and plain values, never code. Raises `InputError`."""
    try:
        if path.suffix == ".safetensors":
            return _unflatten(load_file(path))
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises on a damaged file can be nearly anything
        raise InputError(f"cannot read the checkpoint {path}: {error}") from error


def save_state(path: Path, model: nn.Module, average: nn.Module) -> None:
    """Writes weights and averaged weights in half precision: a state small enough to travel between machines."""
    tensors = {}
    for prefix, module in (("model", model), ("average", average)):
        for name, tensor in module.state_dict().items():
            half = tensor.bfloat16() if prefix == "model" else tensor.half()
            tensors[f"{prefix}/{name}"] = (half if tensor.is_floating_point() else tensor).contiguous()
    save_file(tensors, path)


def _unflatten(tensors: dict[str, Tensor]) -> dict[str, Any]:
    state: dict[str, Any] = {"model": {}, "average": {}}
    for name, tensor in tensors.items():
        prefix, key = name.split("/", 1)
        state[prefix][key] = tensor.float() if tensor.is_floating_point() else tensor
    return state
