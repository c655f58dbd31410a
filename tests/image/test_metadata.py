from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from cwic.container import EXIF, ICC, XMP, Chunk
from cwic.errors import InputError
from cwic.image.files import open_image
from cwic.image.metadata import Metadata, make_metadata, metadata_of, turned, upright

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


def test_every_orientation_is_turned_as_pillow_turns_it() -> None:
    for orientation in range(1, 9):
        file = BytesIO()
        Image.effect_noise((3, 2), 50).save(file, "PNG", exif=exif(orientation))
        image = Image.open(BytesIO(file.getvalue()))
        assert upright(image).tobytes() == ImageOps.exif_transpose(image).tobytes()
        assert turned(image, orientation).size == ((3, 2) if orientation < 5 else (2, 3))


@pytest.mark.parametrize(
    "noise", [b"II*\0", bytes(10), b"noise", b"II*\0\xff\xff\xff\xff", b"Exif\0\0" * 2, b"MM\0*\0\0\0\x08\xff"]
)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_exif_that_is_none_turns_nothing(format: str, noise: bytes) -> None:
    file = BytesIO()
    Image.new("RGB", (3, 2)).save(file, format, exif=b"Exif\0\0" + noise)
    assert upright(open_image(file.getvalue())).size == (3, 2)


def test_odd_values_given() -> None:
    class Odd(Image.Exif):
        def tobytes(self, offset: int = 8) -> bytes:
            raise RuntimeError("odd\nvalue")

        def __len__(self) -> int:
            return 1

    with pytest.raises(InputError, match=r"exif cannot be written.*: odd value"):
        make_metadata(exif=Odd())
    assert make_metadata(xmp="\ud800").xmp == b"?"
    assert make_metadata(exif=2 * b"Exif\0\0" + TIFF_HEAD).exif == TIFF_HEAD


def test_a_damaged_picture_is_an_input_error() -> None:
    file = BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    with pytest.raises(InputError, match="damaged"):
        metadata_of(Image.open(BytesIO(file.getvalue()[:2000])))


def test_orientation_in_texts_of_a_png() -> None:
    data = exif()
    text = PngInfo()
    text.add_text("Raw profile type APP1", f"\nAPP1\n{len(data):8}\n{data.hex()}\n")
    file = BytesIO()
    Image.new("RGB", (3, 2)).save(file, "PNG", pnginfo=text)
    image = open_image(file.getvalue())
    assert metadata_of(image).orientation == 6
    assert upright(image).size == (2, 3)
    assert Metadata(exif=b"II*\0").orientation == Metadata().orientation == 1
