from __future__ import annotations

from io import BytesIO

import pytest

from cwic.container import Chunk, Header, Limits, pack_tile, write_container
from cwic.container.start import read_start
from cwic.errors import FormatError, LimitError

HEADER = Header(b"fake", 300, 200, "RGBA", 500)
METADATA = [Chunk("i", b"profile" * 50), Chunk("q", b""), Chunk("x", b"<x/>")]
DATA = write_container(HEADER, [*METADATA, Chunk("A", b"alpha"), Chunk("T", pack_tile(0, b"1234"))])


def test_header_and_metadata_without_the_rest() -> None:
    header, chunks = read_start(BytesIO(DATA))
    assert header == HEADER
    assert [chunk[:2] for chunk in chunks] == [chunk[:2] for chunk in METADATA]
    assert all(DATA[chunk.offset : chunk.offset + 1] == chunk.type.encode() for chunk in chunks)
    start = DATA.index(b"A\5alpha")
    assert read_start(BytesIO(DATA[: start + 1])) == (header, chunks)


def test_a_file_may_begin_anywhere_in_its_stream() -> None:
    stream = BytesIO(b"before" + DATA)
    stream.seek(6)
    assert read_start(stream)[0] == HEADER


def test_every_truncation_and_flip_is_an_error_or_beyond() -> None:
    end = DATA.index(b"A\5alpha")
    for size in range(end):
        try:
            header, chunks = read_start(BytesIO(DATA[:size]))
        except FormatError:
            continue
        assert header == HEADER  # cut between two chunks
        assert len(chunks) < len(METADATA)
    for position in range(end):
        damaged = bytearray(DATA)
        damaged[position] ^= 0x10
        try:
            assert len(read_start(BytesIO(damaged))[1]) < len(METADATA)
        except FormatError:
            continue


def test_damage_is_named() -> None:
    damaged = bytearray(DATA)
    damaged[20] ^= 1
    with pytest.raises(FormatError, match=r"^damaged: the header or the ICC profile at byte 14$"):
        read_start(BytesIO(damaged))


@pytest.mark.parametrize("limits", [Limits(max_metadata_bytes=353), Limits(max_chunks=2), Limits(max_pixels=1000)])
def test_limits(limits: Limits) -> None:
    with pytest.raises(LimitError):
        read_start(BytesIO(DATA), limits)
