from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageCms

from cwic.image.bitmap import colours_of_bitmap
from cwic.image.files import open_image
from cwic.image.gather import gather

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ADOBE = [(0.64, 0.33, 0.03), (0.21, 0.71, 0.08), (0.15, 0.06, 0.79)]
"""x, y and z of red, green and blue."""


def bitmap(
    kind: bytes | int,
    ends: list[tuple[float, float, float]] | None = None,
    gammas: tuple[float, float, float] = (0, 0, 0),
    profile: bytes = b"",
    place: int | None = None,
    size: int = 124,
) -> bytes:
    """A BMP file of 2x2 pixels with a header of version 5, or of 4 if `size` is 108."""
    pixels = bytes(16)
    kind = int.from_bytes(kind, "big") if isinstance(kind, bytes) else kind
    colours = [round(value * (1 << 30)) for end in ends or [(0, 0, 0)] * 3 for value in end]
    header = struct.pack("<IiiHHIIiiII", size, 2, 2, 1, 24, 0, 16, 0, 0, 0, 0) + bytes(16)
    header += struct.pack("<I9I3I", kind, *colours, *(round(gamma * 65536) for gamma in gammas))
    if size == 124:
        header += struct.pack("<4I", 4, size + 16 if place is None else place, len(profile), 0)
    start = 14 + size
    return struct.pack("<2sIHHI", b"BM", start + 16 + len(profile), 0, 0, start) + header + pixels + profile


def of(data: bytes) -> tuple[bytes, list[str]]:
    """The profile and what is lost, of bytes as a program reads them."""
    found, lost = gather(open_image(data))
    unread = Image.open(BytesIO(data))
    assert gather(unread) == (found, lost)
    return found["icc"], lost


def test_an_embedded_profile_is_kept() -> None:
    assert of(bitmap(b"MBED", profile=SRGB)) == (SRGB, [])


def test_a_profile_that_is_not_here_is_named() -> None:
    assert of(bitmap(b"LINK", profile=b"C:\\a.icc")) == (b"", ["the ICC profile (it is in another file)"])
    for place in (9999, 0xFFFFFFFF):
        assert of(bitmap(b"MBED", profile=SRGB, place=place)) == (b"", ["the ICC profile (it is damaged)"])
    assert of(bitmap(b"MBED")) == (b"", ["the ICC profile (it is damaged)"])


@pytest.mark.parametrize("size", [108, 124])
def test_calibrated_colours_become_a_profile(size: int) -> None:
    for ends, gammas in ((ADOBE, (2.2, 2.2, 2.2)), (None, (1, 1, 1)), (ADOBE, (0, 0, 0))):
        icc, lost = of(bitmap(0, ends, gammas, size=size))
        assert lost == []
        assert icc[12:20] == b"mntrRGB "
        ImageCms.ImageCmsProfile(BytesIO(icc))
    chromaticities = [part for end in ADOBE for part in end[:2]]
    image = Image.open(BytesIO(bitmap(0, ADOBE, size=size)))
    assert colours_of_bitmap(image).primaries == pytest.approx([0.3127, 0.3290, *chromaticities])


def test_how_much_of_each_colour_is_white_is_told_too() -> None:
    d65 = [(0.4124, 0.2126, 0.0193), (0.3576, 0.7152, 0.1192), (0.1805, 0.0722, 0.9505)]
    image = Image.open(BytesIO(bitmap(0, d65)))
    srgb = [0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06]
    assert colours_of_bitmap(image).primaries == pytest.approx(srgb, abs=0.001)
    assert of(bitmap(0, d65, (2.2, 2.2, 2.2))) == (b"", [])


def test_calibrations_that_no_profile_tells_are_named() -> None:
    for ends, gammas in (
        (ADOBE, (2.2, 2.2, 1.8)),
        (ADOBE, (0.45, 0.45, 0.45)),
        ([(0.0, 0.0, 0.0), ADOBE[1], ADOBE[2]], (2.2, 2.2, 2.2)),
        ([(0.5, 0.0, 0.5), ADOBE[1], ADOBE[2]], (2.2, 2.2, 2.2)),
    ):
        assert of(bitmap(0, ends, gammas)) == (b"", ["its calibrated colours"])


@pytest.mark.parametrize("kind", [0, b"sRGB", b"Win ", 7])
def test_colours_as_usual_need_none(kind: bytes | int) -> None:
    assert of(bitmap(kind)) == (b"", [])


def test_others_have_none() -> None:
    assert colours_of_bitmap(Image.new("L", (1, 1))) == (b"", None, None, "")
    file = BytesIO()
    Image.new("RGB", (2, 2)).save(file, "BMP")
    image = Image.open(file)
    assert colours_of_bitmap(image) == (b"", None, None, "")
    image.fp = BytesIO(b"BM" + bytes(12) + struct.pack("<I", 124))
    assert colours_of_bitmap(image) == (b"", None, None, "")
