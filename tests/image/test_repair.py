from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features

from cwic.errors import InputError
from cwic.image.files import open_image
from cwic.image.losses import LossWarning
from cwic.image.metadata import metadata_of
from cwic.image.repair import repairs_of

PHOTO = Image.fromarray(np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8))


def saved(format: str, **options: object) -> bytes:
    file = BytesIO()
    PHOTO.save(file, format, **options)
    return file.getvalue()


def with_chunk(kind: bytes, data: bytes, *, late: bool = False, crc: int | None = None) -> bytes:
    png = saved("PNG")
    crc = zlib.crc32(kind + data) if crc is None else crc
    place = -12 if late else 33
    return png[:place] + struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc) + png[place:]


def with_segment(marker: int, data: bytes) -> bytes:
    jpeg = saved("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


HUGE = zlib.compress(bytes(3 << 20))
PNGS = {
    "large profile": (with_chunk(b"iCCP", b"p\0\0" + HUGE), "iCCP"),
    "large text": (with_chunk(b"zTXt", b"Raw profile type xmp\0\0" + HUGE), "zTXt"),
    "large text behind the pixels": (with_chunk(b"zTXt", b"t\0\0" + HUGE, late=True), "zTXt"),
    "unknown compression": (with_chunk(b"zTXt", b"t\0\7x"), "zTXt"),
    "no profile": (with_chunk(b"iCCP", b""), "iCCP"),
    "short gamma": (with_chunk(b"gAMA", b"x"), "gAMA"),
    "short resolution": (with_chunk(b"pHYs", b"x"), "pHYs"),
    "wrong checksum": (with_chunk(b"tEXt", b"a\0b", crc=1), "tEXt"),
}


@pytest.mark.parametrize("name", PNGS)
def test_a_png_is_read_without_the_chunk_that_pillow_fails_at(name: str) -> None:
    data, kind = PNGS[name]
    with pytest.raises(Exception):  # noqa: B017, PT011 - Pillow's own, of any kind
        Image.open(BytesIO(data)).load()
    image = open_image(data)
    assert image.tobytes() == PHOTO.tobytes()
    with pytest.warns(LossWarning, match=f"the chunk {kind}"):
        metadata_of(image)


@pytest.mark.parametrize(
    ("marker", "data"), [(0xED, b"Photoshop 3.0\0008BIM\4\4"), (0xE0, b"JFIF"), (0xE2, b"ICC_PROFILE\0")]
)
def test_a_jpeg_is_read_without_the_segment_that_pillow_fails_at(marker: int, data: bytes) -> None:
    broken = with_segment(marker, data)
    with pytest.raises(Exception):  # noqa: B017, PT011
        Image.open(BytesIO(broken)).load()
    image = open_image(broken)
    assert image.tobytes() == Image.open(BytesIO(saved("JPEG"))).tobytes()
    with pytest.warns(LossWarning, match=f"a segment APP{marker & 15}"):
        assert metadata_of(image).exif  # what is intact stays


@pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")
def test_an_avif_is_read_without_exif_that_is_none() -> None:
    tags = Image.Exif()
    tags[271] = "maker of it"
    data = saved("AVIF", exif=tags.tobytes())
    place = data.index(b"maker of it") - 26
    start = max(data.find(b"II*\0", place - 20), data.find(b"MM\0*", place - 20))
    broken = data[:start] + b"junk" + data[start + 4 :]
    image = open_image(broken)
    assert image.size == PHOTO.size
    with pytest.warns(LossWarning, match="EXIF"):
        assert metadata_of(image).exif == b""


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])
def test_a_tiff_is_read_without_the_tag_that_pillow_fails_at(order: str, big: bool) -> None:
    short, long = 3, 16 if big else 4
    tags = [(256, short, 1, 2), (257, short, 1, 2), (258, short, 1, 8), (259, short, 1, 1), (262, short, 1, 1)]
    tags += [(270, 2, 1000, 99_999), (273, long, 1, 400), (277, short, 1, 1), (278, short, 1, 2), (279, long, 1, 4)]
    entry, count, head = ("HHQ", "Q", 16) if big else ("HHI", "H", 8)
    pad = 8 if big else 4
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42)
    start += struct.pack(order + ("HHQ" if big else "I"), *((8, 0, 16) if big else (8,)))
    kinds = {short: "H", 4: "I", 16: "Q", 2: "I" if not big else "Q"}
    data = start + struct.pack(order + count, len(tags))
    for tag, kind, number, value in tags:
        data += struct.pack(order + entry, tag, kind, number) + struct.pack(order + kinds[kind], value).ljust(
            pad, b"\0"
        )
    assert len(start) == head
    data = data.ljust(400, b"\0") + bytes([1, 2, 3, 4])
    with pytest.raises(Exception):  # noqa: B017, PT011
        Image.open(BytesIO(data)).load()
    image = open_image(data)
    assert image.tobytes() == bytes([1, 2, 3, 4])
    with pytest.warns(LossWarning, match="the tag 270"):
        metadata_of(image)


def test_damaged_pixels_are_not_repaired() -> None:
    for data in (saved("PNG")[:700], with_chunk(b"tEXt", b"a\0b")[:700], saved("JPEG")[:300], b"\xff\xd8", b""):
        with pytest.raises(InputError):
            open_image(data)


def test_an_animation_stays_one() -> None:
    frames = [PHOTO, PHOTO.rotate(180)]
    file = BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    data = file.getvalue()
    bad = b"zTXt" + b"t\0\7x"
    data = data[:33] + struct.pack(">I", 4) + bad + struct.pack(">I", zlib.crc32(bad)) + data[33:]
    with pytest.raises(InputError, match="2 frames"):
        open_image(data)


def test_formats_that_are_not_known_are_left_alone() -> None:
    assert list(repairs_of(b"GIF89a")) == []
    assert list(repairs_of(saved("PNG"))) == []
