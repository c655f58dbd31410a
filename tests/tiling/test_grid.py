from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cwic.container import Header
from cwic.errors import InputError
from cwic.models.base import Halo
from cwic.tiling.grid import Box, Tiles, crop_box, default_tile_code, robust_tile_code

HALOS = st.builds(Halo, st.integers(0, 20), st.sampled_from([1, 4, 8]))


def test_one_tile_is_the_whole_padded_picture() -> None:
    tiles = Tiles(100, 70, None)
    assert len(tiles) == 1
    assert tiles.box(0) == (0, 0, 128, 128)
    assert tiles.visible(0) == (0, 0, 70, 100)
    assert tiles.around(Box(0, 0, 70, 100), Halo(16)) == (0, 0, 128, 128)


def test_tiles_of_a_file_are_numbered_in_raster_order() -> None:
    header = Header(b"fake", 600, 300, "RGB", 0, tile_code=2)
    tiles = Tiles.of(header)
    assert (tiles.columns, tiles.rows) == header.tile_grid == (3, 2)
    assert [tiles.box(k) for k in (0, 2, 5)] == [(0, 0, 256, 256), (0, 512, 256, 640), (256, 512, 320, 640)]
    assert tiles.visible(5) == (256, 512, 300, 600)
    assert tiles.meeting(Box(255, 256, 257, 257)) == [1, 4]
    assert tiles.meeting(tiles.box(4)) == [4]


def test_regions_are_on_the_grid_and_end_with_the_picture() -> None:
    tiles = Tiles(2000, 1000, 512)
    assert tiles.around(tiles.box(5), Halo(5, grid=8)) == (384, 384, 1024, 1152)
    assert tiles.around(tiles.box(0), Halo(8, grid=8)) == (0, 0, 640, 640)
    assert tiles.around(tiles.box(3), Halo(16, grid=8)) == (0, 1280, 768, 2048)
    assert tiles.around(Box(300, 700, 301, 701), Halo(8, grid=8)) == (128, 512, 512, 896)
    assert tiles.around(tiles.box(5), Halo(2)) == (480, 480, 1024, 1056)
    assert tiles.around(Box(300, 700, 301, 701), Halo(2)) == (256, 656, 336, 736)


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([None, 128, 256, 1024]), HALOS)
def test_tiles_cover_the_picture_once(width: int, height: int, side: int | None, halo: Halo) -> None:
    tiles = Tiles(width, height, side)
    boxes = [tiles.box(k) for k in range(len(tiles))]
    assert sum(box.height * box.width for box in boxes) == tiles.padded.height * tiles.padded.width
    assert tiles.meeting(tiles.picture) == list(range(len(tiles)))
    for k in (0, len(tiles) // 2, len(tiles) - 1):
        assert boxes[k].height % 64 == boxes[k].width % 64 == 0
        assert tiles.visible(k).height > 0
        assert tiles.visible(k).width > 0
        region = tiles.around(boxes[k], halo)
        assert boxes[k].within(region) == boxes[k]
        assert region.top % (16 * halo.grid) == region.left % (16 * halo.grid) == 0


def test_box_arithmetic() -> None:
    box = Box(16, 32, 64, 96)
    assert (box.height, box.width) == (48, 64)
    assert box.relative_to(Box(16, 16, 0, 0)) == (0, 16, 48, 80)
    assert box.in_latents() == (1, 2, 4, 6)
    assert box.rows_and_columns == (slice(16, 64), slice(32, 96))
    assert box.within(Box(70, 0, 80, 80)).height <= 0


def test_crop() -> None:
    assert crop_box(100, 50, None) == (0, 0, 50, 100)
    assert crop_box(100, 50, (10, 20, 90, 30)) == (20, 10, 50, 100)
    for crop in ((0, 0, 101, 1), (0, 0, 1, 51), (-1, 0, 5, 5), (0, 0, 0, 5), (100, 0, 1, 1), (5, 5, -2, 3)):
        with pytest.raises(InputError, match="not inside the picture of 100x50"):
            crop_box(100, 50, crop)


def test_large_pictures_are_tiled() -> None:
    assert default_tile_code(2048, 1024) == 0
    assert default_tile_code(2049, 1024) == 4


@pytest.mark.parametrize(
    ("width", "height", "code"),
    [(1, 1, 1), (300, 200, 1), (768, 511, 1), (768, 512, 2), (1536, 1023, 2), (1536, 1024, 3), (4000, 3000, 4)],
)
def test_robust_tiles_are_large_and_at_least_six(width: int, height: int, code: int) -> None:
    assert robust_tile_code(width, height) == code
    assert len(Tiles(width, height, 64 << code)) >= min(6, width * height // 128**2)


def test_robust_tiles_are_never_larger_than_the_usual_ones() -> None:
    assert robust_tile_code(1 << 18, 1 << 18) == default_tile_code(1 << 18, 1 << 18)
