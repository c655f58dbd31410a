"""Checkpoints: the state of a run on disk, from which a later run can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cwic.errors import InputError
from cwic.image.files import write_atomically

SMALL = 1 << 14
"""Tensors with fewer numbers keep single precision in a compact state: gains and scales need it, and are small."""


_OTHER_ATTENTION = "; resumed_attention in a recipe says what becomes of a state's attention"


def save_checkpoint(path: Path, model: nn.Module, average: nn.Module, extra: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        model: its weights are written.
        average: its weights, the averaged ones, are written too.
        extra: more entries, such as the states of optimisers and counters.
    """
    temporary = path.with_suffix(".partial")
    state = {"model": model.state_dict(), "average": average.state_dict(), **extra}
    torch.save(state, temporary)
    temporary.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file of `save_checkpoint` or `save_state`: tensors and plain values, never code.

    Raises:
        InputError: the file cannot be read, or is not a checkpoint.
    """
    try:
        if path.suffix == ".safetensors":
            return _both(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {"model": state["model"], "average": state["average"], **state}
    except KeyError as error:
        raise InputError(f"{path} is not a checkpoint: it has no {error}") from error
    except Exception as error:  # torch raises nearly any error on a damaged file
        raise InputError(f"cannot read the checkpoint {path}: {error}") from error


def load_into(model: nn.Module, weights: dict[str, Tensor], checkpoint: Path | None) -> None:
    """Load weights into a model.

    Args:
        model: the model.
        weights: its weights by name.
        checkpoint: the file that they come from, for the message.

    Raises:
        InputError: the weights belong to another model.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        hint = _OTHER_ATTENTION if ".attention." in first[0] or ".between." in first[0] else ""
        raise InputError(f"{checkpoint} is not a checkpoint of the recipe's model: {first[0].strip()}{hint}") from error


def save_state(path: Path, average: dict[str, Tensor]) -> None:
    """Write averaged weights, large tensors in half precision: a state small enough to travel between machines.

    A run that resumes from it starts with new optimisers, from the average.
    """
    write_atomically(path, save({name: _compact(tensor) for name, tensor in average.items()}), force=True)


def _compact(tensor: Tensor) -> Tensor:
    small = tensor.numel() < SMALL or not tensor.is_floating_point()
    return (tensor if small else tensor.half()).contiguous()


def _both(tensors: dict[str, Tensor]) -> dict[str, Any]:
    full = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    return {"model": full, "average": full}
