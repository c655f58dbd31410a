from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from cwic.image.gather import gather
from cwic.image.gif import extensions_of

TRAILER = bytes([1, *range(255, -1, -1), 0])


def gif(more: bytes = b"", behind: bytes = b"", mode: str = "P") -> Image.Image:
    """A GIF with extensions more, before or behind its picture."""
    file = BytesIO()
    Image.new(mode, (16, 16)).save(file, "GIF")
    data = file.getvalue()
    start = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return Image.open(BytesIO(data[:start] + more + data[start:-1] + behind + b";"))


def xmp_extension(packet: bytes) -> bytes:
    return b"!\xff\x0bXMP DataXMP" + packet + TRAILER


@pytest.mark.parametrize("packet", [b"<x/>", "<x>\u00e4\u20ac</x>".encode(), bytes(range(32, 127)) * 30])
@pytest.mark.parametrize("loaded", [False, True])
def test_xmp_is_kept(packet: bytes, loaded: bool) -> None:
    for image in (gif(xmp_extension(packet)), gif(behind=xmp_extension(packet))):
        if loaded:
            image.load()
        assert extensions_of(image) == (packet, ())
        assert gather(image) == ({"icc": b"", "exif": b"", "xmp": packet}, [])


def test_other_extensions_are_named() -> None:
    text = b"!\x01\x0c" + bytes(12) + b"\2ab\0"
    loop = b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    image = gif(loop + text + b"!\xff\x0bICCRGBG1012\1x\0")
    assert extensions_of(image) == (b"", ("plain text", "ICCRGBG1012"))
    assert gather(image)[1] == ["extensions (plain text, ICCRGBG1012)"]
    assert extensions_of(gif(b"!\xff\x0bXMP DataXMP\4<x/>\0")) == (b"", ("XMP DataXMP",))


def test_others_have_none() -> None:
    assert extensions_of(Image.new("L", (1, 1))) == (b"", ())
    image = gif()
    assert extensions_of(image) == (b"", ())
    image.format = "GIF"
    image.fp = BytesIO(b"GIF89a")
    assert extensions_of(image) == (b"", ())
