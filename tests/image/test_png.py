from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from cwic.image import png
from cwic.image.png import MODES, code_png
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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 40), (40, 1), (37, 53)])
@pytest.mark.parametrize("strip", [1, 300, png._STRIP])
def test_pillow_reads_the_same_samples(
    mode: str, width: int, height: int, strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(png, "_STRIP", strip)
    image = noise(mode, width, height)
    back = read(code_png(image, {}))
    assert (back.format, back.mode, back.size) == ("PNG", mode, image.size)
    np.testing.assert_array_equal(np.asarray(back), np.asarray(image))


@pytest.mark.parametrize("strip", [3000, png._STRIP])
def test_another_library_reads_the_same_samples(strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vips = pytest.importorskip("pyvips")
    monkeypatch.setattr(png, "_STRIP", strip)
    for image in (photograph(), drawing()):
        back = vips.Image.new_from_buffer(code_png(image, {}).getvalue(), "", fail_on="warning")
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


def test_photographs_are_about_as_small_as_those_of_pillow() -> None:
    for image in (photograph(), photograph().convert("L")):
        assert len(code_png(image, {}).getvalue()) < 1.04 * pillow_size(image, 4)


def drawing() -> Image.Image:
    image = Image.new("RGB", (600, 400), "white")
    draw = ImageDraw.Draw(image)
    for x in range(0, 600, 37):
        draw.line((x, 0, 600 - x, 400), fill=(x % 255, 30, 99), width=2)
        draw.text((x, x // 2), "cross windows", fill="black")
    return image


@pytest.mark.parametrize("kind", ["lines", "checks", "flat"])
def test_drawings_are_no_larger_than_those_of_pillow(kind: str) -> None:
    checks = Image.fromarray((np.indices((400, 600)).sum(0) // 3 % 2 * 255).astype(np.uint8))
    image = {"lines": drawing(), "checks": checks, "flat": Image.new("RGB", (600, 400), "teal")}[kind]
    assert len(code_png(image, {}).getvalue()) < 1.02 * pillow_size(image, 4)


def test_checksums_of_parts_are_joined() -> None:
    data = np.random.default_rng(2).integers(0, 256, 200_000, np.uint8).tobytes()
    for cut in (0, 1, 65_521, 199_999, 200_000):
        first, second = data[:cut], data[cut:]
        assert png._joined(zlib.adler32(first), zlib.adler32(second), len(second)) == zlib.adler32(data)
