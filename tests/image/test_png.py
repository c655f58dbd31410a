from __future__ import annotations

import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

import cwic
from cwic.image import png
from cwic.image.png import code_png
from cwic.threads import THREADS_VARIABLE

EXAMPLES = Path(__file__).parents[2] / "examples"
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}


def noise(mode: str, width: int, height: int) -> Image.Image:
    shape = (height, width, CHANNELS[mode])
    samples = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    return Image.fromarray(samples[..., 0] if mode == "L" else samples, mode)


def read(file: BytesIO) -> Image.Image:
    Image.open(BytesIO(file.getvalue())).verify()  # all checksums
    image = Image.open(file)
    image.load()
    return image


def pillow_size(image: Image.Image, level: int) -> int:
    file = BytesIO()
    image.save(file, "PNG", compress_level=level)
    return len(file.getvalue())


def photograph() -> Image.Image:
    return Image.open(EXAMPLES / "chelsea.png").convert("RGB")


@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40), (40, 1), (37, 53)])
@pytest.mark.parametrize("strip", [1, 300, png._STRIP])
def test_pillow_reads_the_same_samples(
    mode: str, width: int, height: int, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png, "_STRIP", strip)
    image = noise(mode, width, height)
    back = read(png._by_strips(image, {}))
    assert (back.format, back.mode, back.size) == ("PNG", mode, image.size)
    np.testing.assert_array_equal(np.asarray(back), np.asarray(image))


@pytest.mark.parametrize("strip", [3000, png._STRIP])
def test_another_library_reads_the_same_samples(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vips = pytest.importorskip("pyvips")
    monkeypatch.setattr(png, "_STRIP", strip)
    for image in (photograph(), drawing()):
        back = vips.Image.new_from_buffer(png._by_strips(image, {}).getvalue(), "", fail_on="warning")
        np.testing.assert_array_equal(back.numpy(), np.asarray(image))


def test_options_are_those_of_pillow() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<x/>")
    options: dict[str, Any] = {"icc_profile": b"profile", "exif": b"II*\0late", "pnginfo": text, "dpi": (72, 144)}
    image, by_pillow = photograph(), BytesIO()
    image.save(by_pillow, "PNG", **options)
    by_pillow.seek(0)
    back = read(code_png(image, options))
    assert back.info == read(by_pillow).info
    assert {"icc_profile", "exif", "dpi"} < back.info.keys()


@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_bytes_do_not_depend_on_threads(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_STRIP", 20_000)
    monkeypatch.setenv(THREADS_VARIABLE, "2")
    expected = code_png(photograph(), {}).getvalue()
    assert expected.count(b"IDAT") > 10
    monkeypatch.setenv(THREADS_VARIABLE, threads)
    assert code_png(photograph(), {}).getvalue() == expected


@pytest.mark.parametrize("quality", [10, 90])
@pytest.mark.parametrize("mode", CHANNELS)
def test_photographs_are_about_as_small_as_those_of_pillow(mode: str, quality: int) -> None:
    image = cwic.decode(cwic.encode(photograph(), quality=quality, strip=True)).convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert len(code_png(image, {}).getvalue()) < 1.06 * pillow_size(image, 4)


def test_photographs_are_written_by_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    plain = png._by_strips
    monkeypatch.setattr(png, "_by_strips", lambda image, options: written.append(image.size) or plain(image, options))
    for image in (photograph(), drawing()):
        code_png(image, {})
    assert (451, 300) in written
    assert (600, 400) not in written


def drawing() -> Image.Image:
    image = Image.new("RGB", (600, 400), "white")
    draw = ImageDraw.Draw(image)
    for x in range(0, 600, 37):
        draw.line((x, 0, 600 - x, 400), fill=(x % 255, 30, 99), width=2)
        draw.text((x, x // 2), "cross windows", fill="black")
    return image


def checks(_: Image.Image) -> Image.Image:
    return Image.fromarray((np.indices((400, 600)).sum(0) // 3 % 2 * 255).astype(np.uint8))


def tiles(photo: Image.Image) -> Image.Image:
    return Image.fromarray(np.tile(np.asarray(photo.convert("L").crop((99, 99, 163, 163))), (8, 8)))


def half_a_photograph(photo: Image.Image) -> Image.Image:
    image = Image.fromarray(np.tile(np.random.default_rng(3).integers(0, 256, (8, 8, 3), np.uint8), (38, 57, 1)))
    image.paste(photo.crop((0, 0, 225, 300)), (0, 0))
    return image


@pytest.mark.parametrize(
    "made",
    [
        lambda _: drawing(),
        checks,
        tiles,
        half_a_photograph,
        lambda _: Image.new("RGB", (600, 400), "teal"),
        lambda photo: photo.convert("1").convert("L"),  # dithered
        lambda photo: photo.quantize(16).convert("RGB"),
        lambda _: Image.fromarray((np.arange(300_000) // 3 % 256).astype(np.uint8)[:, None]),
        lambda _: Image.fromarray((np.arange(300_000) // 3 % 256).astype(np.uint8)[None]),
    ],
)
def test_nothing_else_is_larger_than_those_of_pillow(made: Callable[[Image.Image], Image.Image]) -> None:
    image = made(photograph())
    assert len(code_png(image, {}).getvalue()) < 1.03 * pillow_size(image, 4)


@pytest.mark.parametrize("mode", ["P", "1", "I;16"])
def test_other_modes_are_written_by_pillow(mode: str) -> None:
    image = photograph().convert("L").convert("I;16" if mode == "I;16" else mode)
    back = read(code_png(image, {}))
    assert (back.mode, back.tobytes()) == (image.mode, image.tobytes())


def test_checksums_of_parts_are_joined() -> None:
    data = np.random.default_rng(2).integers(0, 256, 200_000, np.uint8).tobytes()
    for cut in (0, 1, 65_521, 199_999, 200_000):
        first, second = data[:cut], data[cut:]
        assert png._joined(zlib.adler32(first), zlib.adler32(second), len(second)) == zlib.adler32(data)
