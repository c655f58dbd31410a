from __future__ import annotations

from binascii import crc32
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwic.container import chunks as chunks_module
from cwic.container.chunks import (
    Chunk,
    pack_tile,
    write_container,
)
from cwic.container.header import Header
from cwic.container.index import read_container, read_index
from cwic.container.limits import Limits
from cwic.errors import FormatError, LimitError

MODEL_ID = bytes.fromhex("c0ffee01")
GRID = Header(MODEL_ID, 300, 200, "RGB", 500, tile_code=1)  # 3 x 2 tiles
ONE = Header(MODEL_ID, 768, 512, "RGB", 500)
TILES = [Chunk("TP"[k == 5], pack_tile(0x1234 + k, bytes([k] * k))) for k in range(6)]
METADATA = [Chunk(*chunk) for chunk in zip("iqexq", [b"profile", b"unknown", b"", b"<x/>", b"2"], strict=True)]
FILE = write_container(GRID, [*METADATA, *TILES])


def reseal(data: bytes, header_bytes: int, offset: int, end: int) -> bytes:
    """`data` with the checksum of the chunk [offset, end) made right."""
    crc = crc32(data[:header_bytes] + data[offset:end])
    return data[:end] + crc.to_bytes(4, "little") + data[end + 4 :]


def test_round_trip_keeps_everything_and_says_where() -> None:
    container = read_container(FILE)
    assert container.header == GRID
    assert [(chunk.type, chunk.payload) for chunk in container.chunks] == [
        (chunk.type, chunk.payload) for chunk in [*METADATA, *TILES]
    ]
    assert all(FILE[chunk.offset : chunk.offset + 1] == chunk.type.encode() for chunk in container.chunks)
    assert container.payloads("T") == [tile.payload for tile in TILES[:5]]
    assert container.payloads("P") == [TILES[5].payload]
    assert container.payloads("A") == []


@given(st.lists(st.tuples(st.sampled_from("qzw"), st.binary(max_size=300)), max_size=5), st.binary())
def test_round_trip_any(metadata: list[tuple[str, bytes]], tile: bytes) -> None:
    chunks = [*metadata, ("T", tile)]
    data = write_container(ONE, [Chunk(*chunk) for chunk in chunks])
    assert [chunk[:2] for chunk in read_container(data).chunks] == chunks


def test_every_truncation_is_an_error() -> None:
    for size in range(len(FILE)):
        with pytest.raises(FormatError):
            read_container(FILE[:size])


def test_every_flipped_byte_is_an_error() -> None:
    for position in range(len(FILE)):
        for flip in (1, 0x20, 0x80, 0xFF):
            damaged = bytearray(FILE)
            damaged[position] ^= flip
            with pytest.raises(FormatError):
                read_container(bytes(damaged))


def test_anything_added_is_an_error() -> None:
    with pytest.raises(FormatError, match="1 bytes follow the last tile"):
        read_container(FILE + b"\0")
    with pytest.raises(FormatError, match="follow the last tile"):
        read_container(FILE + FILE)


@given(st.binary(max_size=200))
def test_noise_is_an_error(noise: bytes) -> None:
    for data in (noise, GRID.pack() + noise, b"\x89CW\1" + noise):
        with pytest.raises(FormatError):
            read_container(data)


def damage(chunk: Chunk) -> bytes:
    """FILE with one bit of a chunk's checksum wrong."""
    data = bytearray(FILE)
    data[chunk.offset + 2 + len(chunk.payload)] ^= 1
    return bytes(data)


def test_damage_is_named() -> None:
    container = read_container(FILE)
    by_type = {chunk.type: chunk for chunk in container.chunks}
    with pytest.raises(FormatError, match=r"^damaged: ICC profile at byte 14$"):
        read_container(damage(by_type["i"]))
    tiles = [chunk for chunk in container.chunks if chunk.type == "T"]
    with pytest.raises(FormatError, match=r"^damaged: tile \(column 1, row 1\)$"):
        read_container(damage(tiles[4]))
    with pytest.raises(FormatError, match=r"^the header is damaged: no checksum matches it$"):
        read_container(FILE[:8] + bytes([FILE[8] ^ 1]) + FILE[9:])
    one = bytearray(write_container(ONE, [Chunk("T", b"12")]))
    one[-1] ^= 1
    with pytest.raises(FormatError, match=r"^the header or the tile \(column 0, row 0\) is damaged$"):
        read_container(bytes(one))


def test_cut_short_is_named() -> None:
    with pytest.raises(FormatError, match="cut short: 1 of 6 tiles are missing"):
        read_container(FILE[: read_container(FILE).chunks[-1].offset])
    with pytest.raises(FormatError, match="cut short inside the chunk 'P' at byte"):
        read_container(FILE[:-1])


def test_unknown_critical_chunk_needs_a_newer_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="unknown chunk 'Q'"):
        write_container(ONE, [Chunk("Q", b""), Chunk("T", b"12")])
    monkeypatch.setitem(chunks_module.CHUNK_NAMES, "Q", "future")
    data = write_container(ONE, [Chunk("Q", b""), Chunk("T", b"12")])
    monkeypatch.undo()
    with pytest.raises(FormatError, match="needs a newer cwic: unknown chunk 'Q' at byte 14"):
        read_container(data)


@pytest.mark.parametrize(
    ("header", "types", "message"),
    [
        (ONE, "", "there are 0 tiles"),
        (ONE, "TT", "there are 2 tiles"),
        (ONE, "Ti", "must be the last"),
        (GRID, "TTTTT", "there are 5 tiles"),
        (GRID, "TTTiTTT", "must be the last"),
        (ONE, "iiT", "more than one ICC profile"),
        (ONE, "eeT", "more than one EXIF"),
        (ONE, "xixT", "more than one XMP"),
        (ONE, "AT", "mode RGB has no alpha"),
        (Header(MODEL_ID, 9, 9, "RGBA", 0), "T", "mode RGBA needs an alpha"),
        (Header(MODEL_ID, 9, 9, "LA", 0), "AAT", "more than one alpha"),
    ],
)
def test_wrong_sequences(header: Header, types: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [Chunk(type, b"12") for type in types]
    with pytest.raises(ValueError, match=message):
        write_container(header, chunks)
    with monkeypatch.context() as patch:
        patch.setattr(chunks_module, "problem_of", lambda header, chunks: None)
        data = write_container(header, chunks)
    with pytest.raises(FormatError):
        read_container(data)


def test_alpha() -> None:
    header = Header(MODEL_ID, 9, 9, "RGBA", 0)
    data = write_container(header, [Chunk("i", b"p"), Chunk("A", b"alpha"), Chunk("T", b"12")])
    assert read_container(data).payloads("A") == [b"alpha"]


def test_long_form_of_a_length_is_an_error() -> None:
    data = write_container(ONE, [Chunk("T", b"12")])
    assert data[14:16] == b"T\2"
    longer = data[:15] + b"\x82\0" + data[16:]
    with pytest.raises(FormatError, match="shortest form"):
        read_container(reseal(longer, 14, 14, len(longer) - 4))


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(max_chunks=4), "max_chunks"),
        (Limits(max_chunk_bytes=6), "max_chunk_bytes"),
        (Limits(max_metadata_bytes=18), "max_metadata_bytes"),
        (Limits(max_tiles=5), "max_tiles"),
    ],
)
def test_limits(limits: Limits, name: str) -> None:
    with pytest.raises(LimitError, match=name):
        read_container(FILE, limits)


def test_limits_allow_themselves() -> None:
    assert read_container(FILE, Limits(max_chunks=5, max_chunk_bytes=7, max_metadata_bytes=19, max_tiles=6))


def test_an_index_verifies_what_is_asked_of_it() -> None:
    tiles = [chunk for chunk in read_container(FILE).chunks if chunk.type == "T"]
    index = read_index(damage(tiles[4]))
    index.verify([0, 1, 2, 3, 5])
    assert [index.tile(k)[:2] for k in (0, 3, 5)] == [TILES[k][:2] for k in (0, 3, 5)]
    with pytest.raises(FormatError, match="its checksum is wrong"):
        index.tile(4)
    for check in (lambda: index.verify([4]), index.verify):
        with pytest.raises(FormatError, match=r"^damaged: tile \(column 1, row 1\)$"):
            check()
    assert [chunk.type for chunk in index.chunks(tiles=False)] == list("iqexq")


def test_a_memory_map_will_do(tmp_path: Path) -> None:
    (tmp_path / "a.cwic").write_bytes(FILE)
    with (tmp_path / "a.cwic").open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as view:
        assert read_container(view) == read_container(FILE)
