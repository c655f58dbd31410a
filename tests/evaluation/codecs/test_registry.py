from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cwic.errors import InputError, ModelError
from cwic.evaluation.codecs.registry import PEERS, open_codec
from cwic.evaluation.metrics import psnr
from cwic.models import catalog

NAMES = ["cwic-s", *PEERS]


@pytest.mark.usefixtures("fake_codec")
@pytest.mark.parametrize("name", NAMES)
def test_colour_goes_there_and_back(name: str, gradient: np.ndarray) -> None:
    codec = open_codec(name)
    x_hat = codec.decode(codec.encode(gradient, codec.qualities[-1]))
    assert codec.name == name
    assert x_hat.dtype == np.uint8
    assert psnr(gradient, x_hat) > 25


@pytest.mark.usefixtures("fake_codec")
@pytest.mark.parametrize("name", NAMES)
def test_greyscale_of_odd_size_comes_back_as_rgb(name: str, gradient: np.ndarray) -> None:
    codec = open_codec(name)
    grey = np.ascontiguousarray(gradient[:41, :37, 2])
    x_hat = codec.decode(codec.encode(grey, codec.qualities[-1]))
    assert psnr(np.repeat(grey[..., None], 3, axis=2), x_hat) > 25


def test_a_model_with_an_effort(gradient: np.ndarray) -> None:
    codec = open_codec("cwic-s@7")
    assert codec.name == "cwic-s@7"
    assert codec.description == f"{open_codec('cwic-s').description}, effort 7"
    assert codec.encode(gradient, 60) != open_codec("cwic-s").encode(gradient, 60)
    for name in ("cwic-s@10", "jpeg@3"):
        with pytest.raises(InputError, match="efforts, 1 to 9"):
            open_codec(name)


@pytest.mark.parametrize("name", PEERS)
def test_quality_costs_bytes(name: str, gradient: np.ndarray) -> None:
    codec = open_codec(name)
    low, high = (len(codec.encode(gradient, quality)) for quality in (codec.qualities[0], codec.qualities[-1]))
    assert low < high


@pytest.mark.parametrize("name", NAMES)
def test_each_has_ten_or_more_qualities_of_its_own(name: str) -> None:
    codec = open_codec(name)
    assert len(codec.qualities) >= 10
    assert list(codec.qualities) == sorted(set(codec.qualities))
    assert all(quality in codec.scale for quality in codec.qualities)


def test_unknown_name_lists_the_known_ones() -> None:
    ours = "cwic-s, cwic-s-eye, cwic-m, cwic-m-eye, cwic-s-ms-ssim"
    listed = rf"'gif'; there are: {ours}, jpeg, .*, and files: WEIGHTS\.safetensors"
    with pytest.raises(InputError, match=listed):
        open_codec("gif")


def test_a_weight_file_is_called_as_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(catalog.weights_path("cwic-s").read_bytes())
    codec = open_codec(str(file))
    assert codec.name == "mine"
    assert codec.description.endswith(f"model mine ({catalog.id_of('cwic-s').hex()})")
    monkeypatch.setenv("CWIC_MODELS", str(tmp_path))
    assert open_codec("mine").description == codec.description


def test_a_weight_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is missing"):
        open_codec(str(tmp_path / "none.safetensors"))


def test_an_architecture_without_weights() -> None:
    with pytest.raises(ModelError, match="no weights of cwam2024"):
        open_codec("cwam2024")
