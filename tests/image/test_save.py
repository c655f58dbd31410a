from __future__ import annotations

import os
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features

from cwic.errors import InputError
from cwic.image.exif import Resolution, exif_saying, orientation_of
from cwic.image.metadata import Metadata, metadata_of
from cwic.image.save import code_as, save_options

TIFF_HEAD = b"II*\0\x08\0\0\0\0\0"
KEPT = Metadata(b"profile", TIFF_HEAD, b"<x:xmpmeta/>")
PHOTO = Image.fromarray(np.random.default_rng(2).integers(0, 256, (20, 30, 3), np.uint8))


def exif(orientation: int = 6) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "maker"
    return tags.tobytes()


def carrying(metadata: Metadata, image: Image.Image = PHOTO) -> Image.Image:
    image = image.copy()
    image.info.update(metadata.info)
    return image


def opened(image: Image.Image, format: str) -> tuple[Image.Image, list[str], bool]:
    coded = code_as(image, format)
    back = Image.open(BytesIO(coded.data))
    back.load()
    return back, coded.lost, coded.is_turned


def test_a_png_is_written_at_another_level_than_the_default() -> None:
    smooth = Image.linear_gradient("L").resize((200, 150))
    lengths = {level: len(code_as(smooth, "PNG", {"compress_level": level}).data) for level in (4, 6)}
    assert len(code_as(smooth, "PNG").data) == lengths[4] != lengths[6]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_what_pillow_reads_is_what_was_saved(format: str) -> None:
    kept = Metadata(b"profile", exif(1).removeprefix(b"Exif\0\0"), b"<x:xmpmeta/>")
    options, lost = save_options(kept, format)
    assert lost == []
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, format, **options)
    found = metadata_of(Image.open(BytesIO(file.getvalue())))
    assert (found.icc, found.xmp) == (kept.icc, kept.xmp)
    if format == "AVIF":  # Pillow writes the orientation elsewhere, and the rest anew
        assert b"maker" in found.exif
    else:
        assert found.exif == kept.exif


def test_tiff_keeps_the_tags_that_describe() -> None:
    options, lost = save_options(Metadata(b"profile", exif(1).removeprefix(b"Exif\0\0"), b"<x/>"), "TIFF")
    assert lost == []
    file = BytesIO()
    Image.new("RGB", (16, 16)).save(file, "TIFF", **options)
    image = Image.open(BytesIO(file.getvalue()))
    found = metadata_of(image)
    assert (found.icc, found.xmp) == (b"profile", b"<x/>")
    tags = Image.Exif()
    tags.load(found.exif)
    assert dict(tags) == {0x010F: "maker"}


def test_formats_that_cannot_hold_it() -> None:
    assert save_options(KEPT, "BMP") == ({}, ["the ICC profile", "EXIF", "XMP"])
    assert save_options(Metadata(xmp=b"\xff"), "PNG") == ({}, ["XMP"])
    assert save_options(Metadata(icc=b"profile", exif=b"noise"), "PNG") == ({"icc_profile": b"profile"}, ["EXIF"])
    assert save_options(Metadata(), "BMP") == ({}, [])


def large_exif() -> bytes:
    tags = Image.Exif()
    tags[0x0112] = 6
    tags.get_ifd(0x8769)[0x927C] = bytes(100_000)
    return tags.tobytes().removeprefix(b"Exif\0\0")


@pytest.mark.parametrize(
    ("metadata", "format", "lost"),
    [
        (Metadata(exif=large_exif()), "JPEG", ["EXIF"]),
        (Metadata(xmp=b"<x>" + b"a" * 80_000 + b"</x>"), "JPEG", ["XMP"]),
        (Metadata(icc=os.urandom(17 << 20)), "JPEG", ["the ICC profile"]),
        (Metadata(icc=os.urandom(2 << 20)), "PNG", ["the ICC profile"]),
        (Metadata(b"p", b"II*\0", b"<x/>"), "TIFF", ["EXIF"]),
        (Metadata(exif=b"II*\0\xff\xff\xff\xff"), "PNG", []),
        (Metadata(exif=b"noise", xmp=b"\xff"), "PNG", ["EXIF", "XMP"]),
        (Metadata(exif=large_exif()), "PNG", []),
    ],
)
def test_metadata_never_cost_a_picture(metadata: Metadata, format: str, lost: list[str]) -> None:
    back, found, turned = opened(carrying(metadata), format)
    assert found == lost
    assert turned == (metadata.exif == large_exif() and format == "JPEG")
    assert sorted(back.size) == [20, 30]


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_avif_with_exif_that_is_none() -> None:
    back, lost, _ = opened(carrying(Metadata(exif=b"II*\0")), "AVIF")
    assert (back.size, lost) == ((30, 20), ["EXIF"])


@pytest.mark.parametrize("format", ["BMP", "PPM", "GIF", "JPEG2000", "TGA", "PCX"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_cannot_say_its_orientation_is_turned(format: str, orientation: int) -> None:
    image = Image.new("L", (32, 48), 200)
    image.paste(0, (0, 0, 16, 16))
    image = carrying(Metadata(exif=exif(orientation).removeprefix(b"Exif\0\0")), image)
    back, lost, turned = opened(image, format)
    assert lost == ["EXIF"]
    assert turned == (orientation != 1)
    corner = {1: (8, 8), 2: (24, 8), 3: (24, 40), 4: (8, 40), 5: (8, 8), 6: (40, 8), 7: (40, 24), 8: (8, 24)}
    grey = back.convert("L")
    assert grey.size == ((32, 48) if orientation < 5 else (48, 32))
    dark = [place for place in corner.values() if place[0] < grey.width and place[1] < grey.height]
    assert [place for place in dict.fromkeys(dark) if grey.getpixel(place) < 50] == [corner[orientation]]  # type: ignore[operator]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_what_can_say_it_is_not_turned(format: str) -> None:
    back, lost, turned = opened(carrying(Metadata(exif=exif().removeprefix(b"Exif\0\0"))), format)
    assert (back.size, lost, turned) == ((30, 20), [], False)
    assert orientation_of(back) == 6


def test_orientation_in_xmp_alone() -> None:
    xmp = b'<x:xmpmeta tiff:Orientation="6"/>'
    back, lost, turned = opened(carrying(Metadata(xmp=xmp)), "BMP")
    assert (back.size, lost, turned) == ((20, 30), ["XMP"], True)
    both = Metadata(exif=large_exif(), xmp=xmp.replace(b"6", b"3"))
    back, lost, turned = opened(carrying(both), "JPEG")
    assert (back.size, lost, turned) == ((20, 30), ["EXIF", "XMP"], True)


@pytest.mark.parametrize(
    ("mode", "format", "lost"),
    [
        ("RGBA", "PNG", []),
        ("LA", "PNG", []),
        ("RGBA", "WEBP", []),
        ("RGBA", "TIFF", []),
        ("RGBA", "JPEG", ["alpha"]),
        ("LA", "JPEG", ["alpha"]),
        ("RGBA", "BMP", ["alpha"]),
        ("RGBA", "PPM", ["alpha"]),
        ("LA", "GIF", ["alpha"]),
        ("RGBA", "GIF", ["more than one bit of alpha", "more than 256 colours"]),
        ("RGB", "GIF", ["more than 256 colours"]),
        ("L", "GIF", []),
    ],
)
def test_alpha_and_colours_that_a_format_does_not_hold_are_named(mode: str, format: str, lost: list[str]) -> None:
    image = PHOTO.convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    back, found, _ = opened(image, format)
    assert found == lost
    assert back.size == image.size
    assert image.mode == mode


def test_other_sizes_are_named() -> None:
    assert any("30x20 pixels" in lost for lost in opened(PHOTO, "ICO")[1])


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_resolution_is_kept(format: str) -> None:
    back, _, _ = opened(carrying(Metadata(exif=exif_saying(Resolution(300, 150)))), format)
    assert [round(float(value)) for value in back.info["dpi"]] == [300, 150]


def test_formats_that_cannot_hold_the_pixels_are_refused() -> None:
    with pytest.raises(InputError, match="cannot save as XBM"):
        code_as(PHOTO, "XBM")
    with pytest.raises(InputError, match="cannot save as JPEG"):
        code_as(Image.new("L", (70_000, 1)), "JPEG")
    with pytest.raises(InputError, match="cannot write empty image"):
        code_as(Image.new("RGB", (5, 0)), "PNG")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_tiff_keeps_all_pixels(orientation: int) -> None:
    image = carrying(Metadata(exif=exif(orientation).removeprefix(b"Exif\0\0")))
    coded = code_as(image, "TIFF")
    assert coded.lost == []
    back = Image.open(BytesIO(coded.data))
    assert orientation_of(back) == orientation
    assert np.asarray(back).size == np.asarray(image).size


def test_the_image_keeps_what_it_carries() -> None:
    image = carrying(KEPT)
    code_as(image, "BMP")
    assert image.info == KEPT.info
