from __future__ import annotations

from pathlib import Path

import pytest

from cwic.container import ICC, TILE, Chunk, Header, pack_tile, write_container
from cwic.errors import FormatError, InputError
from cwic.info import read_info

pytestmark = pytest.mark.usefixtures("fake_codec")

DATA = write_container(
    Header(b"fake", 300, 200, "RGB", 425, tile_code=2),
    [
        Chunk(ICC, b"profile"),
        Chunk("q", b"??"),
        Chunk(TILE, pack_tile(1, b"")),
        Chunk(TILE, pack_tile(2, b"abcd")),
    ],
)


def test_info_of_bytes_and_of_a_file(tmp_path: Path) -> None:
    info = read_info(DATA)
    assert info.format_version == 1
    assert (info.model_id, info.model) == (b"fake".hex(), "cwic-s-eye")
    assert (info.width, info.height, info.mode, info.quality) == (300, 200, "RGB", 42.5)
    assert info.tiles == (2, 1)
    assert info.file_bytes == len(DATA)
    assert info.bpp == pytest.approx(8 * len(DATA) / 60000)
    assert [(chunk.name, chunk.bytes) for chunk in info.chunks] == [
        ("ICC profile", 7),
        ("unknown", 2),
        ("tile", 2),
        ("tile", 6),
    ]
    assert [DATA[chunk.offset : chunk.offset + 1].decode() for chunk in info.chunks] == ["i", "q", "T", "T"]
    (tmp_path / "a.cwic").write_bytes(DATA)
    assert read_info(tmp_path / "a.cwic") == read_info(str(tmp_path / "a.cwic")) == info


def test_unknown_weights_have_no_name() -> None:
    data = write_container(Header(b"\0\0\0\0", 8, 8, "L", 0), [Chunk(TILE, pack_tile(0, b""))])
    assert read_info(data).model is None


def test_bad_sources(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_info(tmp_path / "missing")
    with pytest.raises(FormatError):
        read_info(b"\x89PNG")
    with pytest.raises(FormatError):
        read_info(DATA[:-1])
