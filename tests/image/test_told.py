from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image, features

from cwic.image.told import code_points


def with_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG with one chunk more, behind its header."""
    file = BytesIO()
    Image.new("RGB", (4, 4), "red").save(file, "PNG")
    png = file.getvalue()
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return png[:33] + chunk + png[33:]


def test_code_points_of_a_png() -> None:
    for loaded in (False, True):
        image = Image.open(BytesIO(with_chunk(b"cICP", bytes([9, 16, 0, 1]))))
        if loaded:
            image.load()
        assert code_points(image) == (9, 16)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_others_have_none() -> None:
    for data in (with_chunk(b"gAMA", bytes(4)), with_chunk(b"cICP", b"")):
        assert code_points(Image.open(BytesIO(data))) is None
    assert code_points(Image.new("L", (1, 1))) is None


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_code_points_of_an_avif() -> None:
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, "AVIF")
    data = file.getvalue()
    place = data.index(b"colrnclx") + 8
    assert code_points(Image.open(BytesIO(data[:place] + struct.pack(">HH", 12, 13) + data[place + 4 :]))) == (12, 13)
    assert code_points(Image.open(BytesIO(data))) is not None
