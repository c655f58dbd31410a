from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.errors import InputError
from cwic.evaluation.codecs.codec import Scale
from cwic.evaluation.codecs.cwic_codec import CwicCodec
from cwic.evaluation.metrics import psnr
from cwic.models import catalog


def test_description_has_version_and_model_id() -> None:
    assert CwicCodec("cwic-s", "cwic-s").description == (
        f"cwic {cwic.__version__}, model cwic-s ({catalog.id_of('cwic-s').hex()})"
    )


def test_a_weight_file_codes_there_and_back(tmp_path: Path, gradient: np.ndarray) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(catalog.weights_path("cwic-s").read_bytes())
    codec = CwicCodec("mine", str(file))
    assert psnr(gradient, codec.decode(codec.encode(gradient, 90.5))) > 30


def test_a_model_of_one_rate_is_asked_for_none(monkeypatch: pytest.MonkeyPatch, gradient: np.ndarray) -> None:
    asked: list[Any] = []

    def encode(image: Image.Image, **options: Any) -> bytes:
        asked.append((image.size, options))
        return b"file"

    monkeypatch.setattr(cwic, "encode", encode)
    one_rate = catalog.WeightFile(b"abcd", catalog.CATALOG["cwam2024"].config, ())
    monkeypatch.setattr(catalog, "describe", lambda name: one_rate)
    codec = CwicCodec("mine", "runs/mine.safetensors")
    assert (codec.scale, codec.qualities) == (Scale(0, 0), (0,))
    assert codec.encode(gradient, 0) == b"file"
    assert asked == [((64, 48), {"quality": None, "model": "runs/mine.safetensors"})]


def test_what_the_codec_refuses_is_an_input_error(gradient: np.ndarray) -> None:
    with pytest.raises(InputError, match="between 0 and 100"):
        CwicCodec("cwic-s", "cwic-s").encode(gradient, 101)


def test_greyscale_files_come_back_as_rgb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cwic, "decode", lambda data, model: Image.new("L", (4, 3), 7))
    x_hat = CwicCodec("cwic-s", "cwic-s").decode(b"")
    assert x_hat.shape == (3, 4, 3)
    assert (x_hat == 7).all()
