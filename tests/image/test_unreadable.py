from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cwic
from cwic.errors import InputError
from cwic.image.unreadable import why_unreadable


def big_tiff(order: str) -> bytes:
    tags = [(256, 4), (257, 4), (258, 8), (259, 1), (262, 1), (273, 16 + 8 + 160 + 8), (277, 1), (278, 4)]
    head = (b"MM\0+" if order == ">" else b"II+\0") + struct.pack(order + "HHQQ", 8, 0, 16, len(tags))
    entries = b"".join(struct.pack(order + "HHQH6x", tag, 3, 1, value) for tag, value in tags)
    return head + entries + bytes(8) + bytes(range(16))


def test_bigtiff_is_read_or_named_with_a_way_round(tmp_path: Path) -> None:
    assert cwic.decode(cwic.encode(big_tiff("<"))).size == (4, 4)
    path = tmp_path / "big.tif"
    path.write_bytes(big_tiff(">"))
    for source in (path, big_tiff(">"), BytesIO(big_tiff(">"))):
        with pytest.raises(InputError, match=r"^it is a big-endian BigTIFF, which Pillow cannot read: .*tiffcp -L"):
            cwic.encode(source)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"", "the file is empty"),
        (b"\xff\x0aabc", "it is JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n", "it is JPEG XL"),
        (b"\0\0\0\x18ftypheic", "it is HEIF"),
        (b"\0\0\0\x18ftypcrx ", "it is a raw photograph"),
        (b"%PDF-1.7", "it is a document"),
        (b"<svg xmlns=", "it is a text"),
        (b"\x89PNG\r\n", "picture is damaged: it begins as PNG, and Pillow cannot read on"),
        (b"\xff\xd8\xff\xe0", "picture is damaged: it begins as JPEG"),
        (b"\0\0\0\x18ftypavif", "picture is damaged: it begins as AVIF"),
        (b"some text", "not a picture of a format that Pillow reads"),
    ],
)
def test_reasons(head: bytes, reason: str) -> None:
    assert why_unreadable(head).startswith(reason)


def test_a_coded_file_is_not_coded_again() -> None:
    data = cwic.encode(np.zeros((8, 8), np.uint8))
    assert why_unreadable(data) == "it is a .cwic file already: cwic decode makes a picture of it"


def test_beginnings_of_files_are_called_damaged(tmp_path: Path) -> None:
    for format in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        file = BytesIO()
        Image.new("RGB", (9, 9)).save(file, format)
        with pytest.raises(InputError, match=r"^picture is damaged: "):
            cwic.encode(file.getvalue()[:14])
