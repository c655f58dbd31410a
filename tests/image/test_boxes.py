from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms, features

from cwic.image.boxes import read_boxes
from cwic.image.gather import gather

pytestmark = pytest.mark.skipif(not features.check("jpg_2000"), reason="Pillow without JPEG 2000")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def with_boxes(*, icc: bytes = b"", more: bytes = b"") -> bytes:
    """A JPEG 2000 file with a profile, and boxes before its codestream."""
    file = BytesIO()
    Image.new("RGB", (32, 32)).save(file, "JPEG2000", no_jp2=False)
    data = file.getvalue()
    head = data.index(b"jp2h") - 4
    end = head + int.from_bytes(data[head : head + 4], "big")
    inside = data[head + 8 : end]
    colour = inside.index(b"colr") - 4
    if icc:
        inside = inside[:colour] + box(b"colr", b"\2\0\0" + icc)
    return data[:head] + box(b"jp2h", inside) + more + data[end:]


def test_metadata_are_found_before_and_after_loading(tmp_path: Path) -> None:
    more = box(b"uuid", XMP + b"<x/>") + box(b"uuid", b"JpgTiffExif->JP2II*\0") + box(b"uuid", bytes(20))
    path = tmp_path / "a.jp2"
    path.write_bytes(with_boxes(icc=SRGB, more=more))
    found = {"icc": SRGB, "exif": b"II*\0", "xmp": b"<x/>"}
    with Image.open(path) as image:
        assert read_boxes(image)[0] == found
        image.load()
        assert read_boxes(image)[0] == found
        assert gather(image) == (found, ["a box (uuid)"])


def test_what_else_is_in_boxes_is_named() -> None:
    image = Image.open(BytesIO(with_boxes(more=box(b"xml ", b"<x/>") + box(b"free", b"x"))))
    assert read_boxes(image) == ({}, ["a box (xml)"])
    romm = with_boxes().replace(b"colr\1\0\0\0\0\0\x10", b"colr\1\0\0\0\0\0\x15")
    assert read_boxes(Image.open(BytesIO(romm))) == ({}, ["its colours (space 21 of JPEG 2000)"])
    assert read_boxes(Image.open(BytesIO(with_boxes()))) == ({}, [])


@pytest.mark.parametrize("more", [b"", b"\0\0\0\1uuid", b"\0\0\0\x09uuid", b"\xff\xff\xff\xffuuid", box(b"uuid", b"")])
def test_others_have_none(more: bytes) -> None:
    try:
        image = Image.open(BytesIO(with_boxes(more=more)))
    except (OSError, SyntaxError):
        return
    assert read_boxes(image)[0] == {}


def test_formats_without_boxes_have_none() -> None:
    assert read_boxes(Image.new("L", (1, 1)))[0] == {}
    file = BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    assert read_boxes(Image.open(file))[0] == {}
