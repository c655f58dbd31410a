from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image

from cwic.image.exif import (
    Resolution,
    cleaned,
    dots_per_inch,
    exif_saying,
    of_tiff,
    orientation_of,
    resolution_in,
    resolution_of,
)
from cwic.image.metadata import Metadata
from cwic.image.save import save_options

BARE = b"II*\0"


def _reopened(format: str, **options: object) -> Image.Image:
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, format, **options)
    return Image.open(BytesIO(file.getvalue()))


def _tags(data: bytes) -> Image.Exif:
    tags = Image.Exif()
    tags.load(data)
    return tags


def test_every_prefix_goes() -> None:
    for times in range(4):
        assert cleaned(times * b"Exif\0\0" + BARE) == BARE
        assert cleaned(times * b"Exif\0\0") == b""
    assert cleaned(b"noise") is None
    assert cleaned(bytes(10)) is None


@pytest.mark.parametrize("options", [{}, {"dpi": (300, 300)}, {"software": "x"}])
def test_big_tiff_has_classic_exif(options: dict[str, object]) -> None:
    image = _reopened("TIFF", big_tiff=True, **options)
    exif = of_tiff(image)
    assert exif is not None
    assert exif[:4] in (b"", b"II*\0", b"MM\0*")
    if "software" in options:
        assert _tags(exif)[305] == "x"
    if "dpi" in options:
        assert resolution_in(exif) == (300, 300, 2)


def test_directories_of_a_big_tiff_are_kept() -> None:
    exif = Image.Exif()
    exif[271] = "maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    exif.get_ifd(0x8825)[1] = "N"
    options, _ = save_options(Metadata(exif=exif.tobytes().removeprefix(b"Exif\0\0")), "TIFF")
    found = of_tiff(_reopened("TIFF", big_tiff=True, **options))
    assert found is not None
    tags = _tags(found)
    assert tags[271] == "maker"
    assert tags.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
    assert tags.get_ifd(0xA005) == {1: "R03"}
    assert tags.get_ifd(0x8825)[1] == "N"


def test_exif_that_is_a_big_tiff_becomes_a_classic_one() -> None:
    file = BytesIO()
    Image.new("L", (1, 1)).save(file, "TIFF", big_tiff=True, software="x")
    found = cleaned(file.getvalue())
    assert found is not None
    assert _tags(found)[305] == "x"
    assert cleaned(b"II+\0junk") is None


def test_orientation_that_cannot_be_read_is_none() -> None:
    for exif in (BARE, b"II*\0\xff\xff\xff\xff", b"noise", b"Exif\0\0" + bytes(9), b""):
        image = Image.new("L", (2, 2))
        image.info["exif"] = exif
        assert orientation_of(image) == 1
    for given, seen in ((1, 1), (6, 6), (8, 8), (0, 1), (9, 1), (65535, 1)):
        tags = Image.Exif()
        tags[0x0112] = given
        image = Image.new("L", (2, 2))
        image.info["exif"] = tags.tobytes()
        assert orientation_of(image) == seen
    fraction = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHIIIII", 0x0112, 5, 1, 26, 0, 6, 1)
    image = Image.new("L", (2, 2))
    image.info["exif"] = fraction
    assert orientation_of(image) == 6
    assert type(orientation_of(image)) is int
    image = Image.new("L", (2, 2))
    image.info["Raw profile type exif"] = "\nexif\n 3\nno hex"
    assert orientation_of(image) == 1


@pytest.mark.parametrize(
    ("format", "options", "expected"),
    [
        ("PNG", {"dpi": (300, 300)}, (300, 300, 2)),
        ("JPEG", {"dpi": (300, 150)}, (300, 150, 2)),
        ("BMP", {"dpi": (120, 120)}, (120, 120, 2)),
        ("PNG", {"dpi": (96, 96)}, None),
        ("JPEG", {"dpi": (72, 72)}, None),
        ("JPEG", {"dpi": (72, 96)}, (72, 96, 2)),
        ("BMP", {}, None),
        ("PNG", {}, None),
        ("JPEG", {}, None),
    ],
)
def test_resolution_of_files(format: str, options: dict[str, object], expected: tuple[int, int, int] | None) -> None:
    assert resolution_of(_reopened(format, **options)) == expected


def test_resolution_in_other_units() -> None:
    image = _reopened("JPEG")
    image.info |= {"jfif_unit": 2, "jfif_density": (118, 118)}
    assert resolution_of(image) == (118, 118, 3)
    image.info |= {"jfif_unit": 0, "jfif_density": (2, 1)}
    assert resolution_of(image) == (2, 1, 1)
    image.info |= {"jfif_unit": 0, "jfif_density": (1, 1)}
    assert resolution_of(image) is None
    image.info |= {"jfif_unit": 7, "jfif_density": (1, 2)}
    assert resolution_of(image) is None
    for nonsense in ((0, 0), (float("nan"), 1), "ab", None, (1,)):
        odd = Image.new("L", (2, 2))
        odd.info["dpi"] = nonsense
        assert resolution_of(odd) is None


def test_resolution_goes_into_exif_and_comes_back() -> None:
    for resolution in (Resolution(300, 150), Resolution(72.009, 72.009), Resolution(118, 118, 3), Resolution(2, 1, 1)):
        assert resolution_in(exif_saying(resolution)) == pytest.approx(resolution)
    assert dots_per_inch(Resolution(100, 100, 3)) == (254, 254)
    assert dots_per_inch(Resolution(2, 1, 1)) is None
    assert dots_per_inch(None) is None
    assert resolution_in(BARE) is None
    assert resolution_in(b"") is None
