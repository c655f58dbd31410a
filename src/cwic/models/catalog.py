"""The catalogue of models. Importing it does not load numpy: `cwic info` needs names only.

A model is named by its row in `CATALOG`, by the path of a weight file, or, for weight files in the folders that the
environment variable `CWIC_MODELS` lists, by the name of the file without its suffix.
"""

from __future__ import annotations

import json
import os
import struct
from functools import lru_cache
from importlib import resources
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from cwic.arguments import check_device, check_type, model_name
from cwic.config import EYE, MS_SSIM, PSNR, TUNES, Cwam2024Config, CwicConfig, ModelConfig
from cwic.errors import ModelError
from cwic.models.registry import FAMILIES, PartSummary

if TYPE_CHECKING:
    from cwic.models.base import CodingModel


class CatalogRow(NamedTuple):
    """A model.

    Attributes:
        name: what it is called.
        description: in a few words.
        config: its shape.
        shipped: whether its weights are in the package.
        size: one of `SIZES`; empty for models that nobody chooses by their size.
        tune: what it was trained to please, one of `cwic.config.TUNES`.
    """

    name: str
    description: str
    config: ModelConfig
    shipped: bool
    size: str = ""
    tune: str = PSNR


class WeightFile(NamedTuple):
    """The description in a weight file; the last of its parts is the total."""

    model_id: bytes
    config: ModelConfig
    parts: tuple[PartSummary, ...]
    tune: str = PSNR


_PLAIN = Cwam2024Config(N=192, attention="none", feature_encoding=False, residual_attention=False, context="none")
_MIDDLE = CwicConfig(
    M=384,
    analysis_blocks=10,
    synthesis_blocks=16,
    feature_width=32,
    feature_growth=32,
    hyper_channels=192,
    hyper_width=320,
    context_width=384,
    context_blocks=3,
)
CATALOG = {
    row.name: row
    for row in (
        CatalogRow("cwic-s", "small: any quality 0-100, fast on an ordinary processor", CwicConfig(), True, "s"),
        CatalogRow("cwic-s-eye", "cwic-s trained for the eye: the default", CwicConfig(), True, "s", EYE),
        CatalogRow("cwic-m", "middle: 6 % fewer bits, in two to three times the time", _MIDDLE, True, "m"),
        CatalogRow("cwic-m-eye", "cwic-m trained for the eye", _MIDDLE, True, "m", EYE),
        CatalogRow("cwic-s-ms-ssim", "cwic-s trained for MS-SSIM instead of PSNR", CwicConfig(), True, "s", MS_SSIM),
        CatalogRow("cwam2024", "the published network (Mudgal & Liu, ISVC 2024)", Cwam2024Config(), False),
        CatalogRow("mean-scale-hyperprior", "its plain ground: no attention, no context", _PLAIN, False),
    )
}
EARLIER = ("cwic-s-1", "cwic-m-1", "cwic-s-eye-1", "cwic-m-eye-1", "cwic-s-ms-ssim-1")
"""Earlier weights of models. They are in the package for the files that were made with them, and are not offered."""
SIZES = ("s", "m")
DEFAULT_SIZE, DEFAULT_TUNE = "s", EYE
SUFFIX = ".safetensors"
FOLDERS_VARIABLE = "CWIC_MODELS"
MAX_METADATA_BYTES = 1 << 20
_loading = Lock()


def chosen(model: str | None, tune: str | None) -> str:
    """The name of the model that a size or a name, and a tune, stand for.

    Without a size it is `DEFAULT_SIZE`; without a tune `DEFAULT_TUNE`, or what the size has.

    Raises:
        ValueError: there is no such tune.
        ModelError: there is no model of that size with that tune, or the named model has another tune.
    """
    if tune is not None:
        check_type("tune", tune, str, f"one of {', '.join(TUNES)}")
        if tune not in TUNES:
            raise ValueError(f"tune must be one of {', '.join(TUNES)}, not {tune!r}")
    if model is None or model in SIZES:
        size = model or DEFAULT_SIZE
        own = {row.tune: row.name for row in CATALOG.values() if row.shipped and row.size == size}
        if tune is None:
            return own.get(DEFAULT_TUNE) or next(iter(own.values()))
        if tune not in own:
            raise ModelError(f"there is no model of size {size} tuned to {tune}, only to {' and '.join(own)}")
        return own[tune]
    if tune is not None:
        tuned = CATALOG[model].tune if model in CATALOG else describe(model).tune
        if tuned != tune:
            raise ModelError(f"{model} is tuned to {tuned}, not to {tune}: leave one of both out")
    return model


DEFAULT = chosen(None, None)


def shipped() -> list[str]:
    """The models whose weights are in the package."""
    return [row.name for row in CATALOG.values() if row.shipped]


def names() -> list[str]:
    """The models whose weights are at hand: those of the package, then those of the user's folders."""
    own = [file.stem for folder in _folders() for file in sorted(folder.glob("*" + SUFFIX))]
    return list(dict.fromkeys([*shipped(), *own]))


def readable() -> list[str]:
    """The models at hand whose files can be decoded: `names`, and the earlier weights."""
    return [*names(), *EARLIER]


def weights_path(name: str) -> Path:
    """The weight file of a model. Raises `ModelError` for an unknown name."""
    if name.endswith(SUFFIX):
        return Path(name)
    if name in EARLIER or (name in CATALOG and CATALOG[name].shipped):
        return Path(str(resources.files("cwic") / "weights" / f"{name}{SUFFIX}"))
    for folder in _folders():
        if (folder / f"{name}{SUFFIX}").is_file():
            return folder / f"{name}{SUFFIX}"
    if name in CATALOG:
        raise ModelError(f"there are no weights of {name} in the package: train it, or import a checkpoint")
    raise ModelError(f"unknown model {name!r}; there are: {', '.join(names())}, and the paths of weight files")


def describe(name: str) -> WeightFile:
    """The id and the shape of a model. Raises `ModelError` if its weights are missing or malformed."""
    return _described(*_version(weights_path(name)))


def id_of(name: str) -> bytes:
    """The id that files of a model carry. Raises `ModelError` if its weights are missing or malformed."""
    return describe(name).model_id


def name_of(model_id: bytes) -> str | None:
    """The model at hand that has this id, earlier ones included, or None."""
    for name in readable():
        try:
            if id_of(name) == model_id:
                return name
        except ModelError:
            continue
    return None


def open_model(name: str, device: str = "cpu") -> CodingModel:
    """A model, ready to code; loaded once per weight file and device, from any thread. Raises `ModelError`, and
    `TypeError` for what is no text.
    """
    name = model_name(name)
    check_device(device)
    with _loading:
        return _loaded(*_version(weights_path(name)), device)


def _folders() -> list[Path]:
    listed = os.environ.get(FOLDERS_VARIABLE, "")
    return [Path(folder) for folder in listed.split(os.pathsep) if folder]


def _version(path: Path) -> tuple[Path, int]:
    """A weight file and when it changed: what is kept of it in memory is good for that version."""
    try:
        return path, path.stat().st_mtime_ns
    except (OSError, ValueError):  # the latter for a name with a NUL
        raise ModelError(f"the weight file {path} is missing") from None


@lru_cache(maxsize=16)
def _described(path: Path, _: int) -> WeightFile:
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > MAX_METADATA_BYTES:
                raise ValueError("its header is too long")
            metadata = json.loads(file.read(size))["__metadata__"]
        config = FAMILIES[metadata["family"]].config(**json.loads(metadata["config"]))
        parts = tuple(PartSummary(str(p), int(n), float(m)) for p, n, m in json.loads(metadata.get("parts", "[]")))
        tune = json.loads(metadata.get("encoder", "{}")).get("tune", PSNR)
        return WeightFile(bytes.fromhex(metadata["model_id"]), config, parts, str(tune))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"the weight file {path} is malformed: {error}") from error


@lru_cache(maxsize=4)
def _loaded(path: Path, _: int, device: str) -> CodingModel:
    from cwic.models.weights import load_weights

    return load_weights(path, device)


def _after_fork() -> None:
    global _loading
    _loading = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
