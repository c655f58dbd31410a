from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from cwic.image.source import deepest, file_of, frames_of, has_deep_samples, head_of, is_netpbm


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(depth: int, colour: int = 2) -> bytes:
    """A PNG of 2x2 pixels, all zero."""
    row = bytes(1 + {0: 1, 2: 3, 4: 2, 6: 4}[colour] * depth // 4)
    pixels = chunk(b"IDAT", zlib.compress(2 * row))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, depth, colour, 0, 0, 0))
        + pixels
        + chunk(b"IEND", b"")
    )


def tiff(depth: int) -> bytes:
    """A TIFF of 2x2 pixels of three samples."""
    pixels = bytes(12 * depth // 8)
    tags = [(256, 3, 1, 2), (257, 3, 1, 2), (258, 3, 3, 200), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 300)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 2), (279, 4, 1, len(pixels))]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + struct.pack("<3H", *[depth] * 3) + bytes(94) + pixels


DEEP = {
    "png": png(16),
    "png with alpha": png(16, 6),
    "tiff": tiff(16),
    "ppm": b"P6 # deep\n2 2\n65535\n" + bytes(24),
    "sgi": struct.pack(">hBBHHHH", 474, 0, 2, 3, 2, 2, 3) + bytes(500 + 24),
}
PLAIN = {"png": png(8), "tiff": tiff(8), "ppm": b"P6 2 2 255\n" + bytes(12), "few levels": b"P6 2 2 15\n" + bytes(12)}


@pytest.mark.parametrize("name", DEEP)
def test_deep_samples_are_known_before_and_after_loading(name: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(DEEP[name])
    with Image.open(tmp_path / "a") as image:
        assert image.mode in ("RGB", "RGBA")  # Pillow reduces it
        assert has_deep_samples(image)
        image.load()
        assert has_deep_samples(image)


@pytest.mark.parametrize("name", PLAIN)
def test_8_bits_are_no_more(name: str) -> None:
    image = Image.open(BytesIO(PLAIN[name]))
    assert not has_deep_samples(image)
    image.load()
    assert not has_deep_samples(image)


def test_a_png_in_memory_is_known_after_loading() -> None:
    image = Image.open(BytesIO(png(16)))
    image.load()
    assert has_deep_samples(image)


def test_16_bits_a_pixel_are_not_16_a_sample() -> None:
    file = BytesIO()
    Image.new("RGB", (2, 2)).save(file, "BMP")
    data = bytearray(file.getvalue())
    data[28:30] = b"\x10\0"
    image = Image.open(BytesIO(data))
    assert "BGR;1" in str(image.tile[0])
    assert not has_deep_samples(image)


def test_depth_of_formats_that_pillow_reduces() -> None:
    size = bytes(2) + struct.pack(">8I", 2, 2, 0, 0, 2, 2, 0, 0)
    for depth in (8, 16):
        codestream = b"\xff\x4f\xff\x51" + struct.pack(">H", 47) + size + b"\0\3" + bytes([depth - 1, 1, 1]) * 3
        assert deepest(codestream) == depth
        assert deepest(bytes(4) + b"jP  " + codestream) == depth
    for flags, depth in ((0x0C, 8), (0x4C, 10), (0x6C, 12)):
        assert deepest(bytes(4) + b"ftypavif" + b"av1C\x81\x00" + bytes([flags, 0])) == depth
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\x01\xda", bytes(4) + b"ftypav1C", b"\xff\x4f\xff\x51", b"noise"):
        assert deepest(head) == 8


@pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow without JPEG 2000")
def test_jpeg_2000_of_pillow() -> None:
    for image, depth in ((Image.new("I;16", (32, 32)), 16), (Image.new("RGB", (32, 32)), 8)):
        file = BytesIO()
        image.save(file, "JPEG2000")
        assert deepest(file.getvalue()) == depth


def test_the_file_is_put_back_where_it_was(tmp_path: Path) -> None:
    data = png(8)
    image = Image.open(BytesIO(data))
    assert image.fp is not None
    place = image.fp.tell()
    assert head_of(image) == data
    assert image.fp.tell() == place
    assert np.asarray(image).shape == (2, 2, 3)
    with file_of(image.copy()) as file:
        assert file is None
    (tmp_path / "a.png").write_bytes(data)
    with Image.open(tmp_path / "a.png") as opened:
        opened.load()
    assert head_of(opened) == data
    (tmp_path / "a.png").unlink()
    assert head_of(opened) == b""


def test_pictures_behind_one_another_are_counted() -> None:
    for one in (b"P6 2 2 255\n" + bytes(12), b"P5 # grey\n2 2\n255\n" + bytes(4)):
        for ready in (False, True):
            for data, frames in ((one, 1), (one + one, 2), (one + b"Pads", 1), (one + bytes(9), 1)):
                image = Image.open(BytesIO(data))
                if ready:
                    image.fp = BytesIO(data)
                assert frames_of(image) == frames
    assert is_netpbm(b"P6\n")
    assert not is_netpbm(b"PK\3")
    assert frames_of(Image.new("L", (1, 1))) == 1
