from __future__ import annotations

import pytest

from cwic.container.chunks import Chunk, pack_tile, unpack_tile, write_container
from cwic.container.header import Header
from cwic.errors import FormatError

MODEL_ID = bytes.fromhex("c0ffee01")
ONE = Header(MODEL_ID, 768, 512, "RGB", 500)


def test_golden_bytes() -> None:
    data = write_container(ONE, [Chunk("x", b"hi"), Chunk("T", pack_tile(0xABCD, b"\1\2\3\4"))])
    assert data.hex(" ").split(" 78 ") == [
        "89 43 57 01 c0 ff ee 01 f4 05 80 06 80 04",
        "02 68 69 31 70 54 90 54 06 cd ab 01 02 03 04 a1 6f 10 04",
    ]


def test_fixed_cost() -> None:
    """A picture of up to 16383 pixels a side and 2 MiB costs 24 bytes besides its coded symbols, or fewer."""
    coded = bytes((1 << 21) - 3)
    header = Header(MODEL_ID, 16383, 10922, "RGB", 1000)
    assert len(write_container(header, [Chunk("T", pack_tile(0, coded))])) - len(coded) == 24
    small = Header(MODEL_ID, 127, 127, "RGB", 0)
    assert len(write_container(small, [Chunk("T", pack_tile(0, b"1234"))])) - 4 == 20


@pytest.mark.parametrize("type", ["", "TT", "1", "é", " "])
def test_chunk_type_is_a_letter(type: str) -> None:
    with pytest.raises(ValueError, match="one ASCII letter"):
        write_container(ONE, [Chunk(type, b"")])


def test_tile_payload() -> None:
    assert pack_tile(0xABCD, b"words") == b"\xcd\xabwords"
    assert unpack_tile(b"\xcd\xabwords") == (0xABCD, b"words")
    assert unpack_tile(b"\0\0") == (0, b"")
    for short in (b"", b"1"):
        with pytest.raises(FormatError, match="shorter than its checksum"):
            unpack_tile(short)
