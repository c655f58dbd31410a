from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms, features

from cwic.image.boxes import metadata_in_boxes
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
        assert metadata_in_boxes(image) == found
        image.load()
        assert metadata_in_boxes(image) == found
        assert gather(image) == (found, [])


@pytest.mark.parametrize("more", [b"", b"\0\0\0\1uuid", b"\0\0\0\x09uuid", b"\xff\xff\xff\xffuuid", box(b"uuid", b"")])
def test_others_have_none(more: bytes) -> None:
    try:
        image = Image.open(BytesIO(with_boxes(more=more)))
    except (OSError, SyntaxError):
        return
    assert metadata_in_boxes(image) == {}


def test_formats_without_boxes_have_none() -> None:
    assert metadata_in_boxes(Image.new("L", (1, 1))) == {}
    file = BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    assert metadata_in_boxes(Image.open(file)) == {}
