from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.container import read_container
from cwic.container.chunks import PLAIN
from cwic.models.catalog import EARLIER, shipped
from cwic.plugin import register

COFFEE = Path(__file__).parents[1] / "examples" / "coffee.png"


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    with Image.open(COFFEE) as image:
        return image.convert("RGB")


@pytest.mark.parametrize("size", [(320, 192), (317, 201)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
@pytest.mark.parametrize("tile", [None, 128])
def test_a_small_picture_is_about_the_means_of_the_whole_one(
    photograph: Image.Image, size: tuple[int, int], mode: str, tile: int | None
) -> None:
    image = photograph.crop((0, 0, *size)).convert(mode)
    data = cwic.encode(image, quality=60, tile=tile, model="cwic-s")
    whole = np.asarray(cwic.decode(data), np.float64)
    for scale in (8, 16):
        small = cwic.decode(data, scale=scale)
        assert (small.mode, small.size) == (mode, tuple(-(-side // scale) for side in size))
        rows, columns = (side // scale for side in whole.shape[:2])
        means = whole[: rows * scale, : columns * scale].reshape(rows, scale, columns, scale, -1).mean(axis=(1, 3))
        inner = np.asarray(small, np.float64)[:rows, :columns].reshape(rows, columns, -1)
        assert np.abs(inner - means).mean() < 2.5
        assert np.abs(inner - means).max() < 26


@pytest.mark.parametrize("model", [*shipped(), *EARLIER])
def test_small_pictures_of_every_model_are_near(photograph: Image.Image, model: str) -> None:
    picture = photograph.crop((0, 0, 384, 256))
    expected = np.asarray(picture, np.float64).reshape(32, 8, 48, 8, 3).mean(axis=(1, 3))
    small = np.asarray(cwic.decode(cwic.encode(picture, quality=70, model=model), scale=8), np.float64)
    assert np.abs(small - expected).mean() < 3
    assert np.abs((small - expected).mean(axis=(0, 1))).max() < 1


def test_a_small_picture_of_a_part(photograph: Image.Image) -> None:
    data = cwic.encode(photograph.crop((0, 0, 400, 300)), tile=128, model="cwic-s")
    small = np.asarray(cwic.decode(data, scale=8))
    part = np.asarray(cwic.decode(data, scale=8, crop=(100, 60, 81, 130)))
    np.testing.assert_array_equal(part, small[60 // 8 : -(-190 // 8), 100 // 8 : -(-181 // 8)])


def test_a_small_picture_of_plain_tiles() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (130, 260, 3), dtype=np.uint8)
    data = cwic.encode(noise, tile=128, quality=100)
    assert PLAIN in {chunk.type for chunk in read_container(data)[1]}
    means = noise[:128, :256].reshape(16, 8, 32, 8, 3).mean(axis=(1, 3))
    whole = np.asarray(cwic.decode(data), np.float64)[:128, :256].reshape(16, 8, 32, 8, 3).mean(axis=(1, 3))
    small = np.asarray(cwic.decode(data, scale=8))
    assert small.shape == (17, 33, 3)
    assert np.abs(whole - means).max() < 3
    np.testing.assert_allclose(small[:16, :32], whole, atol=0.51)


def test_a_small_picture_of_a_model_without_linear_maps(photograph: Image.Image, cwam2024_weights: Path) -> None:
    model = str(cwam2024_weights)
    data = cwic.encode(photograph.crop((0, 0, 128, 64)), model=model)
    whole = np.asarray(cwic.decode(data, model=model), np.float64).reshape(8, 8, 16, 8, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(np.asarray(cwic.decode(data, model=model, scale=8)), whole, atol=1.1)


def test_no_such_scale(photograph: Image.Image) -> None:
    data = cwic.encode(photograph.crop((0, 0, 64, 64)))
    for scale in (0, 2, 32):
        with pytest.raises(ValueError, match="scale must be 1, 8 or 16"):
            cwic.decode(data, scale=scale)
    with pytest.raises(TypeError, match="scale must be a whole number"):
        cwic.decode(data, scale="8")  # type: ignore[arg-type]


def test_thumbnails_are_decoded_small(photograph: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photograph.crop((0, 0, 512, 384))
    register()
    coded = BytesIO()
    picture.save(coded, "CWIC", quality=70)
    scales: list[int] = []
    decode = cwic.decode
    monkeypatch.setattr(
        cwic, "decode", lambda data, **options: scales.append(options["scale"]) or decode(data, **options)
    )
    for size, scale in (((32, 32), 8), ((16, 16), 16), ((200, 200), 1)):
        with Image.open(coded) as image:
            image.thumbnail(size)
            assert image.size == (size[0], size[0] * 3 // 4)
            expected = picture.resize(image.size, Image.Resampling.BOX)
            error = np.asarray(image, np.float64) - np.asarray(expected, np.float64)
            assert np.abs(error).mean() < 4
        assert scales.pop() == scale
    with Image.open(coded) as image:
        assert image.draft("RGB", (512, 384)) is None
        assert image.draft("RGB", (60, 50)) == ("RGB", (0, 0, 64, 48))
        assert image.size == (64, 48)
        assert image.draft("RGB", (30, 30)) is None  # once is enough
        image.load()
        assert image.draft("RGB", (30, 30)) is None
