"""Weight files: safetensors with graphs in their metadata. Tensors and data only, never code.

A weight file may name another one in its folder as its *base*. Tensors that it does not hold are those of the base. So
a model that differs from an earlier one in its quality levels alone takes little space.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cwic.config import PSNR, TUNES
from cwic.entropy.tables import Tables
from cwic.errors import ModelError
from cwic.image.files import write_atomically
from cwic.latents.rounding import ERROR_WEIGHT
from cwic.models.base import CodingModel, ModelData
from cwic.models.preview import read_preview, write_preview
from cwic.models.registry import FAMILIES, PartSummary, make_model
from cwic.networks.graph import Graph

EXACT = "prior."
"""Prefix of the names of the integer tensors."""
TABLES = "tables."
"""Prefix of the names of the probability tables."""

Arrays = Mapping[str, NDArray[Any]]


def model_id(model: CodingModel) -> bytes:
    """Four bytes that name everything that decides a byte: two models with the same id read each other's files."""
    return _id_of(model.data.exact, model.data.tables)


def save_weights(
    path: Path,
    model: CodingModel,
    name: str,
    parts: Iterable[PartSummary] = (),
    encoder: Mapping[str, Any] | None = None,
    base: Path | None = None,
) -> None:
    """Writes `model` under `name`, whole or not at all; `parts` say what it costs.

    The fitted map of its small pictures goes into a file beside it; an earlier model's map is not left there.

    `encoder` has the fields of `ModelData` that the encoder alone reads, where they are to be others than the model's.
    `base` is a weight file in the same folder: tensors that are equal there are left out here.

    Raises:
        ModelError: the errors of `check_base`.
    """
    data = model.data
    used = [tensor for graph in data.graphs.values() for tensor in (*graph.weights(), *graph.gains())]
    tensors = dict(data.weights(list(dict.fromkeys(used))))
    tensors |= {EXACT + key: array for key, array in data.exact.items()}
    tensors |= {TABLES + key: array for key, array in data.tables.to_arrays().items()}
    tensors = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    metadata = {
        "name": name,
        "family": data.config.family,
        "model_id": model_id(model).hex(),
        "config": json.dumps(asdict(data.config)),
        "graphs": json.dumps({key: graph.to_data() for key, graph in data.graphs.items()}),
        "encoder": json.dumps({"error_weight": data.error_weight, "tune": data.tune, **(encoder or {})}),
        "parts": json.dumps([list(part) for part in parts]),
    }
    if base is not None:
        check_base(path, base)
        metadata |= {"base": base.name, "base_digest": _digest(base)}
        there = _Tensors(base)
        found = there.read([name for name in tensors if name in there.names])
        tensors = {k: a for k, a in tensors.items() if k not in found or not _same(a, found[k])}
    write_atomically(path, save(tensors, metadata), force=True)
    write_preview(path, data.preview)


def check_base(path: Path, base: Path) -> None:
    """Check that a weight file at `path` may have this base.

    Raises:
        ModelError: the base lies elsewhere, has a base itself, or cannot be read.
    """
    if base.parent.resolve() != path.parent.resolve() or base.name == path.name:
        raise ModelError(f"the base of a weight file is another one in its folder, and {base} is not beside {path}")
    if "base" in _Tensors(base).metadata:
        raise ModelError(f"{base} has a base itself")


def load_weights(path: Path, device: str = "cpu") -> CodingModel:
    """Reads a weight file. Raises `ModelError` if it is missing, malformed or not what its metadata say.

    Tensors of the float networks are read when a network is first used.
    """
    try:
        tensors = _Tensors.of(path)
        metadata, names = tensors.metadata, tensors.names
        held = tensors.read([name for name in names if name.startswith((EXACT, TABLES))])
        exact, tables = (
            {name.removeprefix(prefix): array for name, array in held.items() if name.startswith(prefix)}
            for prefix in (EXACT, TABLES)
        )
        if "graphs" not in metadata and "config" in metadata:
            raise ModelError(f"the weight file {path} is of an earlier cwic: cwic models import converts it")
        config = FAMILIES[metadata["family"]].config(**json.loads(metadata["config"]))
        graphs = {
            key: Graph.from_data(each, dict.fromkeys(names)) for key, each in json.loads(metadata["graphs"]).items()
        }
        encoder = json.loads(metadata.get("encoder", "{}"))
        error_weight, tune = float(encoder.get("error_weight", ERROR_WEIGHT)), encoder.get("tune", PSNR)
        if not 0 <= error_weight < float("inf"):
            raise ValueError(f"error_weight is {error_weight}")
        if tune not in TUNES:
            raise ValueError(f"tune is {tune!r}")
        data = ModelData(
            config, exact, Tables.from_arrays(tables), graphs, tensors.read, error_weight, tune, read_preview(path)
        )
        model = make_model(data, device)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"the weight file {path} is malformed: {error}") from error
    if model_id(model).hex() != metadata.get("model_id"):
        raise ModelError(f"the weight file {path} is damaged: its entropy path is not what its id says")
    return model


class _Tensors:
    """The tensors of a weight file, those that it lacks from its base, and its metadata.

    Raises:
        ModelError: a file is missing or malformed.
    """

    def __init__(self, path: Path, base: Path | None = None) -> None:
        self._path = path
        self._place: dict[str, Path] = {}
        for file in (base, path):
            if file is not None:
                with _opened(file) as opened:
                    self._place |= dict.fromkeys(opened.keys(), file)
                    self.metadata: dict[str, str] = opened.metadata() or {}
        self.names = list(self._place)

    @classmethod
    def of(cls, path: Path) -> _Tensors:
        """Return the tensors of a weight file and of its base, if it has one."""
        own = cls(path)
        base = own.metadata.get("base")
        if base is None:
            return own
        if not base or Path(base).name != base:
            raise ModelError(f"the weight file {path} is malformed: its base is {base!r}")
        if not path.with_name(base).is_file():
            raise ModelError(f"the weight file {path} needs {base} beside it")
        check_base(path, path.with_name(base))
        if _digest(path.with_name(base)) != own.metadata.get("base_digest"):
            raise ModelError(f"{base} beside the weight file {path} is another file than its base")
        return cls(path, path.with_name(base))

    def read(self, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return tensors by name. Raises `ModelError` if one is missing or a file cannot be read."""
        found: dict[str, NDArray[Any]] = {}
        for path in dict.fromkeys(self._place.get(name, self._path) for name in names):
            with _opened(path) as file:
                found |= {name: file.get_tensor(name) for name in names if self._place.get(name, path) == path}
        return {name: found[name] for name in names}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except FileNotFoundError:
        raise ModelError(f"the weight file {path} is missing") from None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"the weight file {path} is malformed: {error}") from error


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file. Raises `ModelError` if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"the weight file {path} is malformed: {error}") from error


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def _id_of(exact: Arrays, tables: Tables) -> bytes:
    """The id: a hash over the name, type, shape and numbers of every tensor that decides a byte.

    Types are spelled as torch does, which first computed the ids.
    """
    digest = hashlib.sha256()
    for prefix, arrays in ((EXACT, exact), (TABLES, tables.to_arrays())):
        for name, array in sorted(arrays.items()):
            digest.update(f"{prefix}{name} torch.{array.dtype} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.digest()[:4]
