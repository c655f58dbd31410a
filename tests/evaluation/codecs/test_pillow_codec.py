from __future__ import annotations

import os
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cwic.errors import InputError
from cwic.evaluation.codecs.pillow_codec import HeifCodec, PillowCodec
from cwic.evaluation.codecs.registry import PEERS, open_codec
from cwic.evaluation.metrics import psnr

ROWS = [codec for codec in PEERS.values() if isinstance(codec, PillowCodec)]


@pytest.mark.parametrize("codec", ROWS, ids=lambda codec: codec.name)
def test_bytes_are_a_file_of_the_format(codec: PillowCodec, gradient: np.ndarray) -> None:
    codec.ready()
    assert Image.open(BytesIO(codec.encode(gradient, 50))).format == codec.format


def test_jpeg_is_subsampled_as_its_name_says(gradient: np.ndarray) -> None:
    for name, sampling in (("jpeg", (2, 2)), ("jpeg-444", (1, 1))):
        image = Image.open(BytesIO(PEERS[name].encode(gradient, 50)))
        assert image.layer[0][1:3] == sampling  # of luma, beside 1x1 of chroma
        assert "progressive" not in image.info


@pytest.mark.parametrize("shape", [(256, 256), (256, 256, 3)])
def test_jpeg2000_spends_what_the_quality_says(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    size = len(PEERS["jpeg2000"].encode(noise, 40))
    assert 8 * size / 256**2 == pytest.approx(40 / 25, rel=0.03)


def test_description_names_settings_and_versions() -> None:
    assert open_codec("avif-psnr").description.startswith("AVIF, 4:4:4, speed 6, tune=psnr; Pillow ")
    heic = open_codec("heic").description
    assert all(part in heic for part in ("HEIC, 4:2:0", "pillow-heif ", "libheif ", "x265", "libde265"))


def test_format_that_pillow_lacks() -> None:
    with pytest.raises(InputError, match="built without NONE"):
        PillowCodec("none", "NONE", "none", "", (50,)).ready()


def test_without_pillow_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(InputError, match=r"pip install cwic\[eval\]"):
        HeifCodec("heic", "HEIF", "x265", "", (50,)).ready()


def test_pillow_failures_are_input_errors(gradient: np.ndarray) -> None:
    with pytest.raises(InputError, match="16383"):
        PEERS["webp"].encode(np.zeros((1, 20_000, 3), np.uint8), 50)
    with pytest.raises(InputError, match="cannot read"):
        PEERS["jpeg"].decode(PEERS["webp"].encode(gradient, 50))


@pytest.mark.skipif("CWIC_DATA" not in os.environ, reason="needs Kodak")
def test_jpeg_on_kodak_gives_the_known_point() -> None:
    """The published point is 0.42313 bpp and 28.04 dB; docs/test-conditions.md says where the 0.10 dB come from."""
    codec, bpp, quality = PEERS["jpeg"], [], []
    for file in sorted(Path(os.environ["CWIC_DATA"], "kodak").glob("*.png")):
        x = np.asarray(Image.open(file))
        data = codec.encode(x, 15)
        bpp.append(8 * len(data) / x[..., 0].size)
        quality.append(psnr(x, codec.decode(data)))
    assert len(bpp) == 24
    assert np.mean(bpp) == pytest.approx(0.42313, abs=5e-5)
    assert np.mean(quality) == pytest.approx(28.145, abs=0.01)
