"""The models there are. Importing this loads neither torch nor numpy: `cwic info` needs names only."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from cwic.errors import ModelError
from cwic.models.config import CwicConfig

if TYPE_CHECKING:
    from cwic.models.exported import ExportedModel


class CatalogRow(NamedTuple):
    """A model in the package."""

    name: str
    description: str
    config: CwicConfig


class PartSummary(NamedTuple):
    """A part of a model: its parameters, and its multiply-accumulates per pixel of the picture."""

    part: str
    parameters: int
    mac_per_pixel: float


CATALOG = {
    row.name: row
    for row in (CatalogRow("cwic-s", "small: any quality 0-100, fast on an ordinary processor", CwicConfig()),)
}
DEFAULT = "cwic-s"
MAX_METADATA_BYTES = 1 << 20
_LOADING = Lock()


def weights_path(name: str) -> Path:
    """The weight file of a catalogued model. Raises `ModelError` for an unknown name."""
    if name not in CATALOG:
        raise ModelError(f"unknown model {name!r}; there are: {', '.join(sorted(CATALOG))}")
    return Path(str(resources.files("cwic") / "weights" / f"{name}.safetensors"))


@lru_cache(maxsize=16)
def id_of(name: str) -> bytes:
    """The id that files of a catalogued model carry. Raises `ModelError` if its weights are missing or malformed."""
    path = weights_path(name)
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > MAX_METADATA_BYTES:
                raise ValueError("its header is too long")
            return bytes.fromhex(json.loads(file.read(size))["__metadata__"]["model_id"])
    except FileNotFoundError:
        raise ModelError(f"the weight file {path} is missing") from None
    except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
        raise ModelError(f"the weight file {path} is malformed: {error}") from error


def name_of(model_id: bytes) -> str | None:
    """The catalogued model with this id, or None."""
    for name in CATALOG:
        try:
            if id_of(name) == model_id:
                return name
        except ModelError:
            continue
    return None


def open_model(name: str = DEFAULT, device: str = "cpu") -> ExportedModel:
    """A catalogued model, ready to code; loaded once per name and device, from any thread. Raises `ModelError`."""
    with _LOADING:
        return _loaded(name, device)


@lru_cache(maxsize=4)
def _loaded(name: str, device: str) -> ExportedModel:
    """Behind `open_model`, because a cache would take a default left out for another argument."""
    path = weights_path(name)
    from cwic.models.weights import load_weights

    return load_weights(path).to(device)


def summary(name: str) -> list[PartSummary]:
    """Parameters and multiply-accumulates per pixel of each part of a model, the total last."""
    weights_path(name)
    from cwic.models.cost import parts

    return parts(CATALOG[name].config)
