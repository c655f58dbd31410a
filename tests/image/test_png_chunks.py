from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from cwic.image.png_chunks import HEADER, SIGNATURE, chunk, chunks

WHOLE = BytesIO()
Image.effect_noise((60, 50), 80).save(WHOLE, "PNG", dpi=(72, 72))
PNG = WHOLE.getvalue()


def test_all_chunks_come_but_no_pixels() -> None:
    found = list(chunks(BytesIO(PNG)))
    assert [kind for kind, _ in found] == [b"IHDR", b"pHYs", b"IDAT", b"IEND"]
    payloads = dict(found)
    assert HEADER.unpack(payloads[b"IHDR"])[:2] == (60, 50)
    assert len(payloads[b"pHYs"]) == 9
    assert payloads[b"IDAT"] == b""


def test_a_chunk_is_what_is_read_again() -> None:
    data = b"".join([SIGNATURE, chunk(b"tEXt", b"Key\0", b"value"), chunk(b"IEND")])
    assert list(chunks(BytesIO(data))) == [(b"tEXt", b"Key\0value"), (b"IEND", b"")]
    assert PNG.endswith(chunk(b"IEND"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a PNG"),
        (b"GIF89a..", "not a PNG"),
        (PNG[:-1], "cut short"),
        (PNG[:-12], "cut short"),
        (PNG.replace(b"pHYs", b"pHYz"), "checksum"),
        (PNG[:-30] + bytes([PNG[-30] ^ 1]) + PNG[-29:], "checksum"),
    ],
)
def test_what_is_no_whole_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(chunks(BytesIO(data)))
