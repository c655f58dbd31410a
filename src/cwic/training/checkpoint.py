"""The state of a run on disk: everything a later run goes on from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cwic.errors import InputError
from cwic.image.files import write_atomically

SMALL = 1 << 14
"""Tensors with fewer numbers keep single precision: gains and scales need it, and weigh nothing."""


_OTHER_ATTENTION = "; resumed_attention in a recipe says what becomes of a state's attention"


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
            return _both(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {"model": state["model"], "average": state["average"], **state}
    except KeyError as error:
        raise InputError(f"{path} is not a checkpoint: it has no {error}") from error
    except Exception as error:  # what torch raises on a damaged file can be nearly anything
        raise InputError(f"cannot read the checkpoint {path}: {error}") from error


def load_into(model: nn.Module, weights: dict[str, Tensor], checkpoint: Path | None) -> None:
    """Gives `model` the weights read from `checkpoint`. Raises `InputError` if they are of another model."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        hint = _OTHER_ATTENTION if ".attention." in first[0] or ".between." in first[0] else ""
        raise InputError(f"{checkpoint} is not a checkpoint of the recipe's model: {first[0].strip()}{hint}") from error


def save_state(path: Path, average: dict[str, Tensor]) -> None:
    """Writes averaged weights, large ones in half precision: a state small enough to travel between machines.

    A run that resumes from it starts with new optimisers, from the average.
    """
    write_atomically(path, save({name: _compact(tensor) for name, tensor in average.items()}), force=True)


def _compact(tensor: Tensor) -> Tensor:
    small = tensor.numel() < SMALL or not tensor.is_floating_point()
    return (tensor if small else tensor.half()).contiguous()


def _both(tensors: dict[str, Tensor]) -> dict[str, Any]:
    full = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    return {"model": full, "average": full}
