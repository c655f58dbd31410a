from __future__ import annotations

import numpy as np
import pytest

from cwic.container import unpack_tile
from cwic.image.arrays import to_floats
from cwic.image.geometry import pad
from cwic.image.picture import Picture
from cwic.models.base import Halo
from cwic.models.cwic import CwicModel
from cwic.tiling.encode import MARGIN, TileEncoder, region_of
from cwic.tiling.grid import Box, Tiles

LEVEL = 600


def test_a_tile_is_analysed_as_in_the_whole_picture(model: CwicModel, picture: Picture) -> None:
    y = model.finish_analysis(model.prepare_analysis(pad(to_floats(picture))), LEVEL)
    tiles = Tiles(picture.width, picture.height, 128)
    encoder = TileEncoder(model, picture, tiles)
    for index in range(0, len(tiles), 5):  # corners, edges and the middle
        rows, columns = tiles.box(index).in_latents().rows_and_columns
        found = encoder.analyse(index, LEVEL)
        np.testing.assert_allclose(found, y[:, :, rows, columns], rtol=1e-3, atol=1e-3)


def test_less_than_the_halo_would_show(model: CwicModel, picture: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    y = model.finish_analysis(model.prepare_analysis(pad(to_floats(picture))), LEVEL)
    positions, grid = model.analysis_halo
    monkeypatch.setattr(CwicModel, "analysis_halo", Halo(positions // 4, grid))
    found = TileEncoder(model, picture, Tiles(picture.width, picture.height, 128)).analyse(7, LEVEL)
    rows, columns = Tiles(picture.width, picture.height, 128).box(7).in_latents().rows_and_columns
    assert np.abs(found - y[:, :, rows, columns]).max() > 1e-2


def test_what_depends_on_other_tiles_does_not_count(model: CwicModel, picture: Picture) -> None:
    tiles = Tiles(picture.width, picture.height, 256)
    encoder = TileEncoder(model, picture, tiles)
    for index in range(len(tiles)):
        box, (_, _, bottom, right) = tiles.box(index), tiles.visible(index)
        goal = encoder._goal(index)
        np.testing.assert_array_equal(goal.x, region_of(picture, box))
        counting = np.zeros((tiles.padded.height, tiles.padded.width))
        top, left = (side + MARGIN if side else 0 for side in box[:2])
        bottom, right = (
            side if side == end else side - MARGIN for side, end in ((bottom, picture.height), (right, picture.width))
        )
        counting[top:bottom, left:right] = 1
        np.testing.assert_array_equal(goal.mask[0, 0], counting[box.rows_and_columns])


def test_beyond_the_picture_its_edge_goes_on(picture: Picture) -> None:
    whole = pad(to_floats(picture))
    region = Box(384, 512, 512, 704)
    np.testing.assert_array_equal(region_of(picture, region), whole[:, :, 384:512, 512:704])
    grey = Picture(np.ascontiguousarray(picture.pixels[..., 0]), "L")
    assert region_of(grey, region).shape == (1, 3, 128, 192)


def test_chunks_are_in_raster_order_and_do_not_depend_on_jobs(model: CwicModel, picture: Picture) -> None:
    tiles = Tiles(picture.width, picture.height, 256)
    chunks = TileEncoder(model, picture, tiles).encode(LEVEL)
    assert chunks == TileEncoder(model, picture, tiles).encode(LEVEL, jobs=3)
    for index, chunk in enumerate(chunks):
        crc, coded = unpack_tile(chunk.payload)
        box = tiles.box(index)
        assert model.decompress(coded, crc, box.height, box.width, LEVEL, index).shape[:2] == (
            box.height // 16,
            box.width // 16,
        )


@pytest.mark.parametrize("prepared_once", [6, 2, 0])
def test_several_levels_give_what_each_alone_gives(
    model: CwicModel, picture: Picture, monkeypatch: pytest.MonkeyPatch, prepared_once: int
) -> None:
    asked: list[tuple[int, ...]] = []
    prepare = model.prepare_analysis
    monkeypatch.setattr(model, "prepare_analysis", lambda x: asked.append(tuple(x.shape)) or prepare(x))
    tiles = Tiles(picture.width, picture.height, 256)
    regions = [tiles.around(tiles.box(index), model.analysis_halo) for index in range(prepared_once)]
    monkeypatch.setattr("cwic.tiling.encode.CACHE_BYTES", sum(12 * region.height * region.width for region in regions))
    encoder = TileEncoder(model, picture, tiles, cache_analysis=True)
    found = [encoder.encode(level, jobs=jobs) for level, jobs in ((300, 1), (LEVEL, 2), (300, 1))]
    assert len(asked) == 3 * len(tiles) - 2 * prepared_once
    asked.clear()
    alone = [TileEncoder(model, picture, tiles).encode(level) for level in (300, LEVEL)]
    assert found == [*alone, alone[0]]


def test_nothing_is_kept_for_one_level(model: CwicModel, picture: Picture) -> None:
    encoder = TileEncoder(model, picture, Tiles(picture.width, picture.height, None))
    encoder.encode(LEVEL)
    assert not encoder._prepared
