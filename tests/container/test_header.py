from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from cwic.container.header import MAX_BYTES, Header
from cwic.container.limits import NO_LIMITS, Limits
from cwic.errors import FormatError, LimitError

HEADER = Header(bytes.fromhex("c0ffee01"), 768, 512, "RGB", 500)
PACKED = bytes.fromhex("894357 01 c0ffee01 f405 8006 8004")


def test_golden_bytes() -> None:
    assert HEADER.pack() == PACKED
    assert Header.unpack(PACKED + b"rest") == (HEADER, len(PACKED))


@pytest.mark.parametrize(
    ("field", "ends"),
    [
        ("model_id", (bytes(4), b"\xff" * 4)),
        ("width", (1, (1 << 31) - 1)),
        ("height", (1, (1 << 31) - 1)),
        ("mode", ("L", "RGB", "LA", "RGBA")),
        ("level", (0, 1000)),
        ("tile_code", (0, 15)),
    ],
)
def test_both_ends_of_each_field(field: str, ends: tuple[Any, ...]) -> None:
    for end in ends:
        header = replace(HEADER, **{field: end})
        packed = header.pack()
        assert Header.unpack(packed, NO_LIMITS) == (header, len(packed))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("model_id", (b"", b"123", b"12345")),
        ("width", (0, -1, 1 << 31)),
        ("height", (0, -1, 1 << 31)),
        ("mode", ("", "CMYK", "rgb")),
        ("level", (-1, 1001, 50.0)),
        ("tile_code", (-1, 16)),
        ("version", (0, 2)),
    ],
)
def test_beyond_the_ends_cannot_exist(field: str, wrong: tuple[Any, ...]) -> None:
    for value in wrong:
        with pytest.raises(ValueError, match=field):
            replace(HEADER, **{field: value})


def test_every_combination_of_the_packed_fields() -> None:
    for level, mode, tile_code in product((0, 511, 512, 1000), ("L", "RGB", "LA", "RGBA"), range(16)):
        header = replace(HEADER, level=level, mode=mode, tile_code=tile_code)
        assert Header.unpack(header.pack())[0] == header


def test_every_truncation() -> None:
    for size in range(len(PACKED)):
        with pytest.raises(FormatError):
            Header.unpack(PACKED[:size])


def test_largest() -> None:
    header = replace(HEADER, width=(1 << 31) - 1, height=(1 << 31) - 1)
    assert len(header.pack()) == MAX_BYTES


def test_not_ours_and_too_new() -> None:
    with pytest.raises(FormatError, match="not a cwic file"):
        Header.unpack(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(FormatError, match="newer cwic: it has format version 2, this one reads 1"):
        Header.unpack(PACKED[:3] + b"\2" + PACKED[4:])
    with pytest.raises(FormatError, match="version"):
        Header.unpack(PACKED[:3] + b"\0" + PACKED[4:])


def test_level_over_1000_is_damage() -> None:
    with pytest.raises(FormatError, match="header is damaged: level"):
        Header.unpack(PACKED[:8] + (1001).to_bytes(2, "little") + PACKED[10:])


@pytest.mark.parametrize(
    ("width", "height", "tile_code", "size", "grid"),
    [
        (1, 1, 0, None, (1, 1)),
        (99999, 3, 0, None, (1, 1)),
        (128, 128, 1, 128, (1, 1)),
        (129, 128, 1, 128, (2, 1)),
        (1000, 700, 2, 256, (4, 3)),
    ],
)
def test_tile_grid(width: int, height: int, tile_code: int, size: int | None, grid: tuple[int, int]) -> None:
    header = replace(HEADER, width=width, height=height, tile_code=tile_code)
    assert (header.tile_size, header.tile_grid) == (size, grid)


@pytest.mark.parametrize(
    ("header", "limits", "name"),
    [
        (replace(HEADER, width=(1 << 20) + 1, height=1), Limits(), "max_side"),
        (replace(HEADER, width=20_000, height=20_000), Limits(), "max_pixels"),
        (replace(HEADER, tile_code=1), Limits(max_tiles=23), "max_tiles"),
        (HEADER, Limits(max_tile_pixels=768 * 512 - 1), "max_tile_pixels"),
        (replace(HEADER, tile_code=1), Limits(max_tile_pixels=128 * 128 - 1), "max_tile_pixels"),
    ],
)
def test_limits(header: Header, limits: Limits, name: str) -> None:
    with pytest.raises(LimitError, match=rf"limit {name} = \d+; .*Limits\({name}="):
        Header.unpack(header.pack(), limits)


def test_for_people() -> None:
    assert str(HEADER) == "cwic 1, model c0ffee01: 768x512 RGB, quality 50, 1x1 tile"
    assert str(replace(HEADER, level=505, tile_code=1)).endswith("quality 50.5, 6x4 tiles")
    assert HEADER.describe().splitlines()[:3] == ["version    1", "model_id   c0ffee01", "width      768"]
    assert HEADER.quality == 50.0
