from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cwic.errors import InputError
from cwic.evaluation import codecs
from cwic.evaluation.codecs import PEERS, PillowCodec, open_codec
from cwic.evaluation.metrics import psnr

NAMES = ["cwic-s", *PEERS]


def _gradient() -> np.ndarray:
    rows, columns = np.mgrid[0:48, 0:64].astype(np.uint8)
    return np.stack([3 * columns, 4 * rows, 2 * columns + rows], axis=2)


@pytest.mark.usefixtures("fake_codec")
@pytest.mark.parametrize("name", NAMES)
def test_colour_goes_there_and_back(name: str) -> None:
    codec = open_codec(name)
    x_hat = codec.decode(codec.encode(_gradient(), 90))
    assert codec.name == name
    assert x_hat.dtype == np.uint8
    assert psnr(_gradient(), x_hat) > 25


@pytest.mark.usefixtures("fake_codec")
@pytest.mark.parametrize("name", NAMES)
def test_greyscale_comes_back_as_rgb(name: str) -> None:
    codec = open_codec(name)
    grey = _gradient()[..., 2]
    assert psnr(np.repeat(grey[..., None], 3, axis=2), codec.decode(codec.encode(grey, 90))) > 25


@pytest.mark.parametrize("name", PEERS)
def test_quality_costs_bytes(name: str) -> None:
    low, high = (len(open_codec(name).encode(_gradient(), quality)) for quality in (10, 90))
    assert low < high


def test_bytes_are_a_file_of_the_format() -> None:
    for codec in PEERS.values():
        assert Image.open(BytesIO(codec.encode(_gradient(), 50))).format == codec.format


def test_jpeg_is_subsampled_as_its_name_says() -> None:
    for name, sampling in (("jpeg", (2, 2)), ("jpeg-444", (1, 1))):
        image = Image.open(BytesIO(PEERS[name].encode(_gradient(), 50)))
        assert image.layer[0][1:3] == sampling  # of luma, beside 1x1 of chroma
        assert "progressive" not in image.info


def test_description_names_settings_and_versions() -> None:
    assert open_codec("avif-psnr").description.startswith("AVIF, 4:4:4, speed 6, tune=psnr; Pillow ")
    assert "model cwic-s (" in open_codec("cwic-s").description


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'gif'; there are: cwic-s, jpeg, "):
        open_codec("gif")


def test_format_that_pillow_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codecs.PEERS, "none", PillowCodec("none", "NONE", "none", ""))
    with pytest.raises(InputError, match="built without NONE"):
        open_codec("none")


def test_pillow_failures_are_input_errors() -> None:
    with pytest.raises(InputError, match="16383"):
        PEERS["webp"].encode(np.zeros((1, 20_000, 3), np.uint8), 50)
    with pytest.raises(InputError, match="cannot read"):
        PEERS["jpeg"].decode(PEERS["webp"].encode(_gradient(), 50))


@pytest.mark.skipif("CWIC_DATA" not in os.environ, reason="needs Kodak")
def test_jpeg_on_kodak_gives_the_known_point() -> None:
    codec, bpp, quality = PEERS["jpeg"], [], []
    for file in sorted(Path(os.environ["CWIC_DATA"], "kodak").glob("*.png")):
        x = np.asarray(Image.open(file))
        data = codec.encode(x, 15)
        bpp.append(8 * len(data) / x[..., 0].size)
        quality.append(psnr(x, codec.decode(data)))
    assert len(bpp) == 24
    assert np.mean(bpp) == pytest.approx(0.42310, abs=5e-5)
    assert np.mean(quality) == pytest.approx(28.14, abs=0.05)
