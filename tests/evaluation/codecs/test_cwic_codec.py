from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.evaluation.codecs.cwic_codec import CwicCodec
from cwic.models import catalog


def test_description_has_version_and_model_id() -> None:
    assert CwicCodec("cwic-s", "cwic-s").description == (
        f"cwic {cwic.__version__}, model cwic-s ({catalog.id_of('cwic-s').hex()})"
    )


def test_the_model_is_passed_on(monkeypatch: pytest.MonkeyPatch, gradient: np.ndarray) -> None:
    asked: list[Any] = []

    def encode(image: Image.Image, **options: Any) -> bytes:
        asked.append((image.size, options))
        return b"file"

    monkeypatch.setattr(cwic, "encode", encode)
    assert CwicCodec("mine", "runs/mine.safetensors").encode(gradient, 12.5) == b"file"
    assert asked == [((64, 48), {"quality": 12.5, "model": "runs/mine.safetensors"})]


def test_greyscale_files_come_back_as_rgb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cwic, "decode", lambda data: Image.new("L", (4, 3), 7))
    x_hat = CwicCodec("cwic-s", "cwic-s").decode(b"")
    assert x_hat.shape == (3, 4, 3)
    assert (x_hat == 7).all()
