from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cwic.container import EXIF, ICC, XMP, Chunk
from cwic.errors import InputError
from cwic.image.metadata import Metadata, make_metadata, metadata_of, save_options, upright

TIFF_HEAD = b"II*\0\x08\0\0\0\0\0"
KEPT = Metadata(b"profile", TIFF_HEAD, b"<x:xmpmeta/>")


def exif(orientation: int = 6) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "maker"
    return tags.tobytes()


def test_chunks_and_back() -> None:
    chunks = KEPT.to_chunks()
    assert chunks == [Chunk(ICC, b"profile"), Chunk(EXIF, TIFF_HEAD), Chunk(XMP, b"<x:xmpmeta/>")]
    assert Metadata.from_payloads({chunk.type: chunk.payload for chunk in chunks}) == KEPT
    assert Metadata().to_chunks() == []
    assert Metadata().info == {}
    assert Metadata.from_info(KEPT.info) == KEPT
    assert Metadata.from_info({}) == Metadata()
    assert KEPT.info == {"icc_profile": b"profile", "exif": b"Exif\0\0" + TIFF_HEAD, "xmp": b"<x:xmpmeta/>"}


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


def test_given_metadata() -> None:
    tags = Image.Exif()
    assert make_metadata(None, tags, None) == Metadata()
    tags[0x0112] = 6
    assert make_metadata(bytearray(b"p"), tags, "<x/>") == Metadata(b"p", exif_of(tags), b"<x/>")
    assert make_metadata(exif=b"Exif\0\0" + TIFF_HEAD).exif == TIFF_HEAD
    with pytest.raises(InputError, match="icc_profile must be bytes, not int"):
        make_metadata(icc=3)
    with pytest.raises(InputError, match="no TIFF header"):
        make_metadata(exif=b"noise")


def exif_of(tags: Image.Exif) -> bytes:
    return tags.tobytes().removeprefix(b"Exif\0\0")


def test_arrays_have_none() -> None:
    assert metadata_of(np.zeros((2, 2), np.uint8)) == Metadata()


def test_upright_turns_as_exif_says() -> None:
    file = BytesIO()
    Image.new("RGB", (3, 2)).save(file, "PNG", exif=exif())
    image = Image.open(BytesIO(file.getvalue()))
    assert upright(image).size == (2, 3)
    assert image.size == (3, 2)
    pixels = np.zeros((2, 2), np.uint8)
    assert upright(pixels) is pixels
    file = BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG", exif=exif())
    broken = Image.open(BytesIO(file.getvalue()[:2000]))
    with pytest.raises(InputError, match="damaged"):
        upright(broken)
