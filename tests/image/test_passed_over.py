from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, features

import cwic
from cwic.image.files import open_image
from cwic.image.losses import LossWarning
from cwic.image.passed_over import passed_over


def saved(format: str, mode: str = "RGB", **options: Any) -> bytes:
    file = BytesIO()
    Image.new(mode, (16, 16)).save(file, format, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def names(data: bytes) -> list[str]:
    """Of a file opened by us, and of one that somebody opened."""
    found = passed_over(open_image(data))
    assert passed_over(Image.open(BytesIO(data))) == found
    return found


def png(*chunks: tuple[bytes, bytes], mode: str = "RGB", behind: bytes = b"") -> bytes:
    data = saved("PNG", mode)
    return data[:33] + b"".join(chunk(*each) for each in chunks) + data[33:] + behind


LIGHT = [(b"mDCV", bytes(24)), (b"cLLI", bytes(8))]
LIGHT_NAMES = ["colours and brightness of the screen it was made on (mDCV)", "its brightest and mean light (cLLI)"]


def test_chunks_of_a_png() -> None:
    assert names(png(*LIGHT)) == LIGHT_NAMES
    assert names(png((b"sBIT", b"\5\6\5"))) == ["the bits that count of each sample (sBIT)"]
    assert names(png((b"bKGD", bytes(6)), mode="RGBA")) == ["the background colour (bKGD)"]
    assert names(png((b"oFFs", bytes(9)), (b"sTER", b"\0"), (b"oFFs", bytes(9)))) == ["chunks (oFFs, sTER)"]


def test_nothing_is_said_of_what_means_nothing() -> None:
    silent = [(b"tIME", bytes(7)), (b"sBIT", b"\10\10\10"), (b"bKGD", bytes(6)), (b"sPLT", b"a\0\10"), (b"iDOT", b"x")]
    assert names(png(*silent, behind=b"\0\0\n")) == []
    for format in ("JPEG", "WEBP", "TIFF", "GIF", "BMP", "ICO", "JPEG2000", "PPM"):
        assert names(saved(format)) == []


def test_what_stands_behind_a_picture() -> None:
    assert names(png(behind=b"more")) == ["4 bytes behind the picture"]
    for options in ({}, {"progressive": True}, {"restart_marker_rows": 1}):
        jpeg = saved("JPEG", exif=b"Exif\0\0II*\0\xff\xd9", **options)
        assert names(jpeg) == names(jpeg + bytes(9)) == []
        assert names(jpeg + b"data") == ["4 bytes behind the picture"]
        assert names(jpeg + b"\0\0\0\x18ftypmp42") == ["12 bytes behind the picture, a video among them"]


def test_chunks_of_a_webp() -> None:
    webp = saved("WEBP", lossless=True) + b"NOTE" + struct.pack("<I", 3) + b"abc\0"
    assert names(webp[:4] + struct.pack("<I", len(webp) - 8) + webp[8:]) == ["chunks (NOTE)"]


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_parts_of_an_avif() -> None:
    assert names(saved("AVIF")) == names(saved("AVIF", "RGBA")) == []
    image = Image.open(BytesIO(saved("AVIF")))
    depth = b"\0\0\0\x30auxC\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0"
    light = b"\0\0\0\x0cclli" + bytes(4) + b"\0\0\0\x20mdcv" + bytes(24)
    image.fp = BytesIO(depth + light + b"infe\2\0\0\0\0\2\0\0tmap")
    assert passed_over(image) == [
        "an auxiliary picture (depth)",
        "the gain map",
        "colours and brightness of the screen it was made on",
        "its brightest and mean light",
    ]


def test_further_pictures() -> None:
    icon = saved("ICO", "RGBA", sizes=[(8, 8), (16, 16)])
    assert names(icon) == ["its other sizes (8x8)"]
    image = Image.open(BytesIO(saved("TIFF")))
    image.tag_v2[330] = 8  # type: ignore[attr-defined]
    assert passed_over(image) == ["the further pictures in its sub-directories"]


def test_layers_make_one_picture() -> None:
    def layer() -> bytes:
        channels = b"".join(struct.pack(">hI", number, 2 + 256) for number in range(3))
        head = struct.pack(">4IH", 0, 0, 16, 16, 3) + channels + b"8BIMnorm" + bytes(4)
        return head + struct.pack(">I", 12) + bytes(12)

    layers = struct.pack(">h", 2) + 2 * layer() + 6 * (bytes(2) + bytes(256))
    section = struct.pack(">I", len(layers)) + layers + bytes(4)
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 16, 16, 8, 3) + bytes(8)
    psd = head + struct.pack(">I", len(section)) + section + bytes(2) + bytes(768)
    assert names(psd) == ["the 2 layers that it is made of"]


def test_files_that_are_cut_and_images_without_one() -> None:
    assert passed_over(Image.new("L", (1, 1))) == []
    data = png(*LIGHT)
    for end in range(8, len(data), 7):
        image = Image.open(BytesIO(data))
        image.fp = BytesIO(data[:end])
        assert set(passed_over(image)) <= set(LIGHT_NAMES)


def test_encoding_says_it_on_every_way_in(tmp_path: Path) -> None:
    data = png(*LIGHT)
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    bmp = saved("BMP")
    for source in (path, data, BytesIO(data), Image.open(path), Image.open(BytesIO(data))):
        with pytest.warns(LossWarning, match=r"left out: colours and brightness .*\(cLLI\)$"):
            cwic.encode(source)
    assert open_image(bmp).size == (16, 16)
