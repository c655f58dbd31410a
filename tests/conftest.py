"""What tests of several rooms share."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.container import TILE, Chunk, Header, pack_tile, read_container, symbol_crc, write_container
from cwic.errors import FormatError, ModelError
from cwic.models import catalog
from cwic.models.config import CwicConfig

FAKE_ID = b"fake"


def _fake_encode(image: Image.Image, *, quality: float = 50, model: str = "cwic-s") -> bytes:
    if model != "cwic-s":
        raise ModelError(f"unknown model {model}")
    pixels = np.asarray(image).tobytes()
    header = Header(FAKE_ID, image.width, image.height, image.mode, round(10 * quality))
    return write_container(header, [Chunk(TILE, pack_tile(symbol_crc(pixels, 0), pixels))])


def _fake_decode(data: bytes) -> Image.Image:
    header, chunks = read_container(data)
    if header.model_id != FAKE_ID:
        raise ModelError(f"the file needs other weights: {header.model_id.hex()}")
    if len(chunks[0].payload) != 2 + header.width * header.height * len(header.mode):
        raise FormatError("tile does not match the header")
    return Image.frombytes(header.mode, (header.width, header.height), chunks[0].payload[2:])


@pytest.fixture
def fake_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that stores pixels: real files and errors at no cost, to test what lies around the codec."""
    monkeypatch.setattr(catalog, "name_of", lambda model_id: "cwic-s" if model_id == FAKE_ID else None)
    monkeypatch.setattr(cwic, "encode", _fake_encode)
    monkeypatch.setattr(cwic, "decode", _fake_decode)


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


@pytest.fixture
def small() -> CwicConfig:
    """The shape of a model with every part, and small."""
    return CwicConfig(
        M=16,
        analysis_blocks=1,
        synthesis_blocks=1,
        feature_width=8,
        feature_growth=4,
        attention_dim=16,
        attention_heads=2,
        hyper_channels=8,
        hyper_width=16,
        context_width=16,
        context_blocks=1,
    )
