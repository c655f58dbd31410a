from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from cwic.image.metadata import metadata_of
from cwic.image.one_pixel import with_one_pixel


def png(mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((60, 50), 80).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def behind_the_pixels(data: bytes, *chunks: bytes) -> bytes:
    return b"".join([data[:-12], *chunks, data[-12:]])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_all_but_the_pixels_is_there(tmp_path: Path, mode: str) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<x/>")
    data = behind_the_pixels(png(mode, icc_profile=b"profile", pnginfo=text), chunk(b"eXIf", b"II*\0late"))
    (tmp_path / "a.png").write_bytes(data)
    one = Image.open(io.BytesIO(with_one_pixel(tmp_path / "a.png")))
    one.load()
    whole = Image.open(tmp_path / "a.png")
    whole.load()
    assert (one.mode, one.size, one.format) == (mode, (1, 1), "PNG")
    assert one.info == whole.info
    assert metadata_of(one) == (b"profile", b"II*\0late", b"<x/>")


def test_pixels_take_no_memory(tmp_path: Path) -> None:
    noise = Image.effect_noise((300, 200), 80)
    noise.save(tmp_path / "a.png")
    assert len(with_one_pixel(tmp_path / "a.png")) < 100


PNG = png()
PIXELS = PNG.index(b"IDAT") - 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture",
        PNG[:8],
        PNG[:-13],
        PNG[:-1],
        PNG[:100] + bytes([PNG[100] ^ 1]) + PNG[101:],
        PNG[:PIXELS] + PNG[-12:],
        PNG[:8] + PNG[PIXELS:],
        PNG[:8] + chunk(b"IHDR", b"short") + PNG[PIXELS:],
        PNG[:8] + chunk(b"IHDR", bytes(8) + b"\x08\x05\0\0\0") + PNG[PIXELS:],
        behind_the_pixels(PNG, chunk(b"tEXt", b"a\0b"), chunk(b"IDAT", b"more")),
        PNG[:PIXELS] + b"\xff\xff\xff\xffbigg" + PNG[PIXELS:],
    ],
)
def test_files_that_are_not_whole(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ValueError, match=r"PNG|checksum"):
        with_one_pixel(tmp_path / "a.png")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        with_one_pixel(tmp_path / "a.png")
