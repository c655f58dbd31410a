"""What tests of several rooms share."""

from __future__ import annotations

import importlib.util
import io
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import cwic
from cwic.config import CwicConfig
from cwic.container import TILE, Chunk, Header, pack_tile, read_container, write_container
from cwic.entropy.checksum import symbol_crc
from cwic.errors import FormatError, ModelError
from cwic.image.metadata import Metadata, metadata_of
from cwic.models import catalog

FAKE_ID = b"fake"


def _fake_encode(
    image: Image.Image,
    *,
    quality: float | None = None,
    model: str = "s",
    metadata: Metadata | None = None,
    strip: bool = False,
    **_: object,
) -> bytes:
    if catalog.chosen(model, None) not in catalog.CATALOG:
        raise ModelError(f"unknown model {model}")
    pixels = np.asarray(image).tobytes()
    header = Header(FAKE_ID, image.width, image.height, image.mode, round(10 * (50 if quality is None else quality)))
    kept = Metadata() if strip else metadata or metadata_of(image)
    return write_container(header, [*kept.to_chunks(), Chunk(TILE, pack_tile(symbol_crc(pixels, 0), pixels))])


def _fake_decode(data: bytes, **_: object) -> Image.Image:
    header, chunks = read_container(data)
    if header.model_id != FAKE_ID:
        raise ModelError(f"the file needs other weights: {header.model_id.hex()}")
    if len(chunks[-1].payload) != 2 + header.width * header.height * len(header.mode):
        raise FormatError("tile does not match the header")
    image = Image.frombytes(header.mode, (header.width, header.height), chunks[-1].payload[2:])
    image.info |= Metadata.from_payloads({chunk.type: chunk.payload for chunk in chunks}).info
    return image


@pytest.fixture
def fake_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that stores pixels: real files and errors at no cost, to test what lies around the codec."""
    monkeypatch.setattr(catalog, "name_of", lambda model_id: catalog.DEFAULT if model_id == FAKE_ID else None)
    monkeypatch.setenv("CWIC_THREADS", "1")  # in this process: another would have the real codec
    monkeypatch.setattr(cwic, "encode", _fake_encode)
    monkeypatch.setattr(cwic, "decode", _fake_decode)


@pytest.fixture
def heeding_interrupts() -> dict[str, object]:
    """Options of `Popen` for a process that an interrupt ends: what a background job starts ignores it otherwise."""
    return {"preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL)}


class Answer(NamedTuple):
    """What a run of the command line came to."""

    code: int
    out: bytes
    err: str


@pytest.fixture
def run_cwic(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., Answer]:
    """Run `cwic ARGS` in this process, with `stdin` as its standard input."""
    from cwic.cli import main

    def run(*args: object, stdin: bytes = b"") -> Answer:
        monkeypatch.setattr(sys, "argv", ["cwic", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsysbinary.readouterr()
        code = stop.value.code
        return Answer(code if isinstance(code, int) else 0, out, err.decode())

    return run


@pytest.fixture(scope="session")
def small() -> CwicConfig:
    """The shape of a model with every part, and small."""
    return CwicConfig(
        M=16,
        analysis_blocks=1,
        synthesis_blocks=1,
        feature_width=8,
        feature_growth=4,
        attention="cross-window",
        attention_dim=16,
        attention_heads=2,
        hyper_channels=8,
        hyper_width=16,
        context_width=16,
        context_blocks=1,
    )


class Golden:
    """Weights and feature maps recorded from the published network, at width 16."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._recorded = torch.load(path, weights_only=True)

    def __getitem__(self, name: str) -> Tensor:
        return self._recorded[name]

    def weights(self, prefix: str) -> dict[str, Tensor]:
        """The state of the module at `prefix`, without what is recomputed, by the names inside it."""
        return {
            name.removeprefix(prefix).replace("conv_b.0.attn.", "conv_b.0."): tensor
            for name, tensor in self._recorded["state_dict"].items()
            if name.startswith(prefix) and not name.endswith("relative_position_index")
        }


@pytest.fixture(scope="session")
def golden() -> Golden:
    """What the published network computes; skips where the data folder is not at hand."""
    path = Path(os.environ.get("CWIC_DATA", "")).parent / "golden" / "official_n16.pt"
    if not os.environ.get("CWIC_DATA") or not path.is_file():
        pytest.skip("the recorded outputs of the published network are not here")
    return Golden(path)


@pytest.fixture(scope="session")
def load_script() -> Callable[[Path], ModuleType]:
    """Loads a script, by its path, as a module of the name that the file has."""

    def load(path: Path) -> ModuleType:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def recorded(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    """The script that made the recorded outputs of the published network, and draws its weights."""
    return load_script(Path(__file__).parent / "golden" / "make_cwam2024.py")


@pytest.fixture(scope="session")
def checkpoint(recorded: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with published names and seeded weights."""
    path = tmp_path_factory.mktemp("official") / "checkpoint.pth.tar"
    torch.save({"state_dict": recorded.seeded_checkpoint()}, path)
    return path


@pytest.fixture(scope="session")
def cwam2024_weights(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weight file of that checkpoint."""
    from cwic.lab.cwam2024_export import export
    from cwic.lab.official import load_official
    from cwic.models.weights import save_weights

    path = tmp_path_factory.mktemp("weights") / "published.safetensors"
    save_weights(path, export(load_official(checkpoint)), "published")
    return path
